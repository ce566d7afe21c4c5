//! The control channel: typed frames over a pipe, four bytes of length and then postcard.
//!
//! A pipe is all that the harness needs of what it tests; the pipe is probed before anything is reported (see `run/`).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, fcntl};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sys::Errno;

/// Descriptors of the harness have this number or a higher one, so that cases find the low ones free.
pub const FIRST_DESCRIPTOR: i32 = 200;

/// How much a pipe of the harness takes in, where that can be chosen. A user has so many pages for all pipes, and the cases need
/// them.
#[cfg(has_pipe_size)]
const CAPACITY: i32 = 16 * 1024;

/// A pipe whose ends have high numbers and are closed by `exec`: reading end, writing end.
///
/// # Errors
/// What `pipe` or `fcntl` answer: no descriptors left, mostly.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = nix::unistd::pipe()?;
    #[cfg(has_pipe_size)]
    // Where that is refused the usual size does.
    let _ = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(CAPACITY));
    Ok((raise(&reader)?, raise(&writer)?))
}

/// A copy of the descriptor with a high number, closed by `exec`.
///
/// # Errors
/// What `fcntl` answers.
pub fn raise(descriptor: impl AsFd) -> Result<OwnedFd, Errno> {
    let number = match fcntl(descriptor.as_fd(), FcntlArg::F_DUPFD_CLOEXEC(FIRST_DESCRIPTOR)) {
        // A limit below the usual numbers: take any.
        Err(nix::errno::Errno::EINVAL) => fcntl(descriptor.as_fd(), FcntlArg::F_DUPFD_CLOEXEC(3))?,
        other => other?,
    };
    // SAFETY: `fcntl` has just made this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Sends one frame, whole.
///
/// # Errors
/// What `write` answers, but for `EINTR`; `EINVAL` for a value that cannot be encoded.
pub fn send<T: Serialize>(channel: BorrowedFd<'_>, message: &T) -> Result<(), Errno> {
    let body = postcard::to_stdvec(message).map_err(|_| crate::sys::errno::EINVAL)?;
    let length = u32::try_from(body.len()).map_err(|_| crate::sys::errno::EMSGSIZE)?;
    let mut frame = Vec::with_capacity(body.len() + 4);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&body);
    let mut rest = frame.as_slice();
    while !rest.is_empty() {
        match nix::unistd::write(channel, rest) {
            Ok(written) => rest = &rest[written..],
            Err(nix::errno::Errno::EINTR) => {}
            Err(nix::errno::Errno::EAGAIN) => wait_for_room(channel)?,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn wait_for_room(channel: BorrowedFd<'_>) -> Result<(), Errno> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    match poll(&mut [PollFd::new(channel, PollFlags::POLLOUT)], PollTimeout::NONE) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// What a read from the channel brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<T> {
    /// A frame.
    Frame(T),
    /// Nothing yet (only on a non-blocking descriptor).
    Nothing,
    /// The other side is gone.
    Closed,
    /// Bytes that are no frame.
    Garbage,
}

/// The receiving end, with the bytes of a frame that has not arrived whole.
#[derive(Debug)]
pub struct Receiver {
    descriptor: OwnedFd,
    pending: Vec<u8>,
}

impl Receiver {
    /// A receiver that owns the reading end.
    pub fn new(descriptor: OwnedFd) -> Self {
        Receiver { descriptor, pending: Vec::new() }
    }

    /// Number of the descriptor.
    pub fn number(&self) -> i32 {
        self.descriptor.as_raw_fd()
    }

    /// Makes `receive` return `Nothing` where it would block.
    ///
    /// # Errors
    /// What `fcntl` answers.
    pub fn set_nonblocking(&self) -> Result<(), Errno> {
        fcntl(&self.descriptor, FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))?;
        Ok(())
    }

    /// The next frame.
    ///
    /// # Errors
    /// What `read` answers, but for `EINTR` and `EAGAIN`.
    pub fn receive<T: DeserializeOwned>(&mut self) -> Result<Received<T>, Errno> {
        loop {
            if let Some(body) = self.take_frame() {
                return Ok(postcard::from_bytes(&body).map_or(Received::Garbage, Received::Frame));
            }
            let mut buffer = [0; 4096];
            match nix::unistd::read(&self.descriptor, &mut buffer) {
                Ok(0) if self.pending.is_empty() => return Ok(Received::Closed),
                Ok(0) => {
                    self.pending.clear();
                    return Ok(Received::Garbage);
                }
                Ok(count) => self.pending.extend_from_slice(&buffer[..count]),
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::EAGAIN) => return Ok(Received::Nothing),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn take_frame(&mut self) -> Option<Vec<u8>> {
        let length = u32::from_le_bytes(self.pending.get(..4)?.try_into().ok()?) as usize;
        if self.pending.len() < 4 + length {
            return None;
        }
        let rest = self.pending.split_off(4 + length);
        let mut frame = std::mem::replace(&mut self.pending, rest);
        frame.drain(..4);
        Some(frame)
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "Miri does not set the size of a pipe")]
    fn frames_keep_their_boundaries() {
        let (reader, writer) = pipe().unwrap();
        assert!(reader.as_raw_fd() >= FIRST_DESCRIPTOR);
        send(writer.as_fd(), &("one".to_owned(), 1)).unwrap();
        send(writer.as_fd(), &(String::new(), 2)).unwrap();
        drop(writer);
        let mut receiver = Receiver::new(reader);
        assert_eq!(receiver.receive().unwrap(), Received::Frame(("one".to_owned(), 1)));
        assert_eq!(receiver.receive().unwrap(), Received::Frame((String::new(), 2)));
        assert_eq!(receiver.receive::<(String, i32)>().unwrap(), Received::Closed);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri does not set the size of a pipe")]
    fn bytes_that_are_no_frame_are_reported() {
        let (reader, writer) = pipe().unwrap();
        nix::unistd::write(&writer, &[1, 0, 0, 0, 0xff]).unwrap();
        assert_eq!(Receiver::new(reader).receive::<bool>().unwrap(), Received::Garbage);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri does not set the size of a pipe")]
    fn a_frame_that_never_ends_is_reported() {
        let (reader, writer) = pipe().unwrap();
        nix::unistd::write(&writer, b"nothing").unwrap();
        drop(writer);
        let mut receiver = Receiver::new(reader);
        assert_eq!(receiver.receive::<bool>().unwrap(), Received::Garbage);
        assert_eq!(receiver.receive::<bool>().unwrap(), Received::Closed);
    }
}
