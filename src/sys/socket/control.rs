//! The control part of a message: a buffer of the exact length for a number of descriptors, and what the kernel put into one.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::{mem, ptr};

use crate::sys::{Errno, errno};

/// A control buffer of the exact length for a number of descriptors, aligned for its headers.
pub(super) struct Control {
    buffer: Vec<u64>,
    length: usize,
    descriptors: usize,
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
        Ok(Control { buffer: vec![0; space.div_ceil(mem::size_of::<u64>())], length, descriptors })
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

    /// Puts descriptors into the control buffer, which has been made for as many.
    ///
    /// # Panics
    /// It has been made for another number.
    pub(super) fn put(&mut self, header: &libc::msghdr, numbers: &[RawFd]) {
        assert_eq!(numbers.len(), self.descriptors, "room for each descriptor");
        if numbers.is_empty() {
            return;
        }
        // SAFETY: `header` was made by this value: it names a control buffer that holds one control message with room for all numbers, so
        // that the first header and its data lie inside.
        unsafe {
            let first = libc::CMSG_FIRSTHDR(ptr::from_ref(header));
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            #[allow(clippy::cast_possible_truncation, reason = "narrower than `usize` on some systems, and wide enough")]
            {
                (*first).cmsg_len = self.length as _;
            }
            ptr::copy_nonoverlapping(numbers.as_ptr().cast::<u8>(), libc::CMSG_DATA(first), mem::size_of_val(numbers));
        }
    }

    /// Takes over the descriptors that arrived.
    ///
    /// # Safety
    /// `recvmsg` has just filled in the header, which was made by this value, and the buffers that it names.
    pub(super) unsafe fn take(self, mut header: libc::msghdr) -> Vec<OwnedFd> {
        let mut descriptors = Vec::new();
        // No more than there was room for, whatever is claimed.
        let written = length(header.msg_controllen).min(self.length);
        #[allow(clippy::cast_possible_truncation, reason = "not more than it was")]
        {
            header.msg_controllen = written as _;
        }
        // SAFETY: the kernel wrote whole headers into the first `msg_controllen` bytes. Data is read up to their end at most: a length
        // in a header that claims more (macOS does not adjust it where the buffer was too short) is not believed. The numbers are
        // descriptors that the kernel has just opened for this process; nobody else owns them.
        unsafe {
            let end = header.msg_control.addr() + written;
            let mut part = libc::CMSG_FIRSTHDR(&raw const header);
            while !part.is_null() {
                if ((*part).cmsg_level, (*part).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                    let data = libc::CMSG_DATA(part);
                    let claimed = part.addr().saturating_add(length((*part).cmsg_len));
                    let size = claimed.min(end).saturating_sub(data.addr());
                    for number in std::slice::from_raw_parts(data, size).chunks_exact(mem::size_of::<RawFd>()) {
                        let number = RawFd::from_ne_bytes(number.try_into().unwrap_or_default());
                        descriptors.push(OwnedFd::from_raw_fd(number));
                    }
                }
                part = libc::CMSG_NXTHDR(&raw const header, part);
            }
        }
        descriptors
    }
}

/// A length, whose type differs between systems.
fn length(value: impl TryInto<usize>) -> usize {
    value.try_into().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsRawFd, IntoRawFd};

    use super::*;

    /// What is taken of descriptors that were put into a buffer and then arrived as they are, but for a change.
    fn arrived(numbers: &[RawFd], change: impl FnOnce(&mut libc::msghdr)) -> Vec<RawFd> {
        let mut control = Control::with_room_for(numbers.len()).unwrap();
        let mut data = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        let mut header = control.header(&mut data);
        control.put(&header, numbers);
        change(&mut header);
        // SAFETY: the buffer holds one message, with descriptors that are given away, and the header says no less.
        let taken = unsafe { control.take(header) };
        taken.iter().map(AsRawFd::as_raw_fd).collect()
    }

    fn pair() -> [RawFd; 2] {
        let (reader, writer) = std::io::pipe().unwrap();
        [OwnedFd::from(reader).into_raw_fd(), OwnedFd::from(writer).into_raw_fd()]
    }

    #[test]
    fn what_was_put_in_is_taken_out() {
        let numbers = pair();
        assert_eq!(arrived(&numbers, |_| {}), numbers);
        assert!(arrived(&[], |_| {}).is_empty());
    }

    #[test]
    fn a_length_that_claims_more_than_there_is_is_not_believed() {
        let numbers = pair();
        let claim = |header: &mut libc::msghdr| {
            header.msg_controllen *= 8;
            // SAFETY: the buffer has a header.
            unsafe { (*libc::CMSG_FIRSTHDR(&raw const *header)).cmsg_len *= 8 };
        };
        assert_eq!(arrived(&numbers, claim), numbers);
    }

    #[test]
    fn too_many_have_no_room() {
        assert!(Control::with_room_for(usize::MAX / 2).is_err());
    }
}
