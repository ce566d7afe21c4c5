//! The control part of a message: a buffer of the exact length for a number of descriptors, and what the kernel put into one.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::{mem, ptr};

use crate::sys::{Errno, errno};

/// A control buffer of the exact length for a number of descriptors, aligned for its headers.
pub(super) struct Control {
    buffer: Vec<u64>,
    pub(super) length: usize,
}

impl Control {
    pub(super) fn with_room_for(descriptors: usize) -> Result<Self, Errno> {
        // More than any system takes in a message, and few enough for the macros' sums not to wrap around.
        const MOST: usize = 1 << 16;
        if descriptors > MOST {
            return Err(errno::EMSGSIZE);
        }
        let size = u32::try_from(descriptors * mem::size_of::<RawFd>()).map_err(|_| errno::EMSGSIZE)?;
        // SAFETY: both only compute a length.
        let (length, space) = unsafe { (libc::CMSG_LEN(size) as usize, libc::CMSG_SPACE(size) as usize) };
        let length = if descriptors == 0 { 0 } else { length };
        Ok(Control { buffer: vec![0; space.div_ceil(mem::size_of::<u64>())], length })
    }

    /// A header that names the data buffer and, unless it is empty, the control buffer.
    #[allow(clippy::cast_possible_truncation, reason = "the type of a length differs between systems, and the lengths are small")]
    pub(super) fn header(&mut self, data: &mut libc::iovec) -> libc::msghdr {
        // SAFETY: all zeros is a valid `msghdr`: null pointers and lengths of 0.
        let mut header: libc::msghdr = unsafe { mem::zeroed() };
        header.msg_iov = ptr::from_mut(data);
        header.msg_iovlen = 1;
        if self.length > 0 {
            header.msg_control = self.buffer.as_mut_ptr().cast();
            header.msg_controllen = self.length as _;
        }
        header
    }
}

/// A length, whose type differs between systems.
fn length(value: impl TryInto<usize>) -> usize {
    value.try_into().unwrap_or(0)
}

/// Takes over the descriptors that arrived.
///
/// # Safety
/// `recvmsg` has just filled in the header and the buffers that it names.
pub(super) unsafe fn take_descriptors(header: &libc::msghdr) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    // SAFETY: the kernel wrote whole headers into the first `msg_controllen` bytes. Data is read up to their end at most: a length
    // in a header that claims more (macOS does not adjust it where the buffer was too short) is not believed. The numbers are
    // descriptors that the kernel has just opened for this process; nobody else owns them.
    unsafe {
        let end = header.msg_control as usize + length(header.msg_controllen);
        let mut part = libc::CMSG_FIRSTHDR(ptr::from_ref(header));
        while !part.is_null() {
            if ((*part).cmsg_level, (*part).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let data = libc::CMSG_DATA(part);
                let claimed = part as usize + length((*part).cmsg_len);
                let size = claimed.min(end).saturating_sub(data as usize);
                for number in std::slice::from_raw_parts(data, size).chunks_exact(mem::size_of::<RawFd>()) {
                    let number = RawFd::from_ne_bytes(number.try_into().unwrap_or_default());
                    descriptors.push(OwnedFd::from_raw_fd(number));
                }
            }
            part = libc::CMSG_NXTHDR(ptr::from_ref(header), part);
        }
    }
    descriptors
}
