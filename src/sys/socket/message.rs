//! Unix-domain sockets: pairs, and messages that carry descriptors.
//!
//! nix has these calls too, but gives nothing back of a message whose control part was cut short, and so leaks what did arrive.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::{mem, ptr};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType};

use super::control::{Control, take_descriptors};
use crate::sys::Errno;
use crate::sys::point::around;

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
