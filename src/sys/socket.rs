//! Unix-domain sockets: pairs, and messages that carry descriptors.
//!
//! nix has these calls too, but gives nothing back of a message whose control part was cut short, and so leaks what did arrive.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::{mem, ptr};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType};

use super::point::around;
use super::{Errno, errno};

/// `socketpair(AF_UNIX)`.
///
/// # Errors
/// What the system answers.
pub fn socketpair(kind: SockType) -> Result<(OwnedFd, OwnedFd), Errno> {
    Ok(around(|| nix::sys::socket::socketpair(AddressFamily::Unix, kind, None, SockFlag::empty()))?)
}

/// What `recvmsg` brought.
#[derive(Debug)]
pub struct Message {
    /// The data.
    pub bytes: Vec<u8>,
    /// The descriptors, in the order of the message; they belong to the receiver now.
    pub descriptors: Vec<OwnedFd>,
    /// `msg_flags`: what was cut short.
    pub flags: MsgFlags,
}

/// `sendmsg` with one buffer, and with one `SCM_RIGHTS` part where there are descriptors.
///
/// # Errors
/// What the system answers.
pub fn sendmsg(to: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<usize, Errno> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let mut control = Control::with_room_for(numbers.len())?;
    let mut buffer = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let header = control.header(&mut buffer);
    if !numbers.is_empty() {
        // SAFETY: `header` points at a control buffer that holds one control message with room for all numbers, so that the first
        // header and its data lie inside; `sendmsg` reads the data, the control buffer and the descriptors' numbers only.
        unsafe {
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            #[allow(clippy::cast_possible_truncation, reason = "narrower than `usize` on some systems, and wide enough")]
            {
                (*first).cmsg_len = control.length as _;
            }
            ptr::copy_nonoverlapping(numbers.as_ptr().cast::<u8>(), libc::CMSG_DATA(first), mem::size_of_val(&numbers[..]));
        }
    }
    // SAFETY: `header` names the data and the control buffer, both alive and only read.
    let count = around(|| unsafe { libc::sendmsg(to.as_fd().as_raw_fd(), &raw const header, 0) });
    Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
}

/// `recvmsg` into `size` bytes, with a control buffer for exactly `room` descriptors (none at all for 0).
///
/// # Errors
/// What the system answers.
pub fn recvmsg(from: impl AsFd, size: usize, room: usize, flags: MsgFlags) -> Result<Message, Errno> {
    let mut bytes = vec![0_u8; size];
    let mut control = Control::with_room_for(room)?;
    let mut buffer = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: size };
    let mut header = control.header(&mut buffer);
    // SAFETY: `header` names the data and the control buffer with their lengths, both alive and borrowed mutably for the call.
    let count = around(|| unsafe { libc::recvmsg(from.as_fd().as_raw_fd(), &raw mut header, flags.bits()) });
    bytes.truncate(usize::try_from(Errno::result(count)?).unwrap_or(0));
    // SAFETY: the kernel has just filled the buffers that `header` names.
    let descriptors = unsafe { take_descriptors(&header) };
    Ok(Message { bytes, descriptors, flags: MsgFlags::from_bits_retain(header.msg_flags) })
}

/// A control buffer of the exact length for a number of descriptors, aligned for its headers.
struct Control {
    buffer: Vec<u64>,
    length: usize,
}

impl Control {
    fn with_room_for(descriptors: usize) -> Result<Self, Errno> {
        let size = u32::try_from(descriptors * mem::size_of::<RawFd>()).map_err(|_| errno::EMSGSIZE)?;
        // SAFETY: both only compute a length.
        let (length, space) = unsafe { (libc::CMSG_LEN(size) as usize, libc::CMSG_SPACE(size) as usize) };
        let length = if descriptors == 0 { 0 } else { length };
        Ok(Control { buffer: vec![0; space.div_ceil(mem::size_of::<u64>())], length })
    }

    /// A header that names the data buffer and, unless it is empty, the control buffer.
    #[allow(clippy::cast_possible_truncation, reason = "the type of a length differs between systems, and the lengths are small")]
    fn header(&mut self, data: &mut libc::iovec) -> libc::msghdr {
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
unsafe fn take_descriptors(header: &libc::msghdr) -> Vec<OwnedFd> {
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
