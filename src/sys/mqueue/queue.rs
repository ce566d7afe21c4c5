//! POSIX message queues.

use std::ffi::CString;
use std::mem::MaybeUninit;

use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// What `mq_getattr` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attributes {
    /// `O_NONBLOCK` in `mq_flags`; there is no other flag.
    pub nonblocking: bool,
    /// `mq_maxmsg`.
    pub max_messages: usize,
    /// `mq_msgsize`.
    pub message_size: usize,
    /// `mq_curmsgs`.
    pub messages: usize,
}

/// How a queue is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// Without `O_NONBLOCK`.
    Yes,
    /// With it.
    No,
}

impl Blocking {
    fn flag(self) -> libc::c_int {
        match self {
            Blocking::Yes => 0,
            Blocking::No => libc::O_NONBLOCK,
        }
    }
}

/// An open message queue. Its name is removed on drop by the process that made it, and by no other.
#[derive(Debug)]
pub struct MessageQueue {
    descriptor: libc::mqd_t,
    name: CString,
    /// The process that removes the name; 0: none.
    owner: u32,
    /// The process that opened it, and closes it: in a child the number may be something else's.
    opener: u32,
}

impl MessageQueue {
    /// `mq_open` of a new queue for sending and receiving (`O_CREAT | O_EXCL | O_RDWR`, mode 0600).
    ///
    /// # Errors
    /// What the system answers.
    pub fn create(name: &str, blocking: Blocking, max_messages: usize, message_size: usize) -> Result<Self, Errno> {
        let name = c_string(name)?;
        let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | blocking.flag();
        let mode: libc::c_uint = 0o600;
        // SAFETY: all members are integers, for which zero is a value.
        let mut attributes: libc::mq_attr = unsafe { MaybeUninit::zeroed().assume_init() };
        attributes.mq_maxmsg = max_messages.try_into().map_err(|_| errno::EINVAL)?;
        attributes.mq_msgsize = message_size.try_into().map_err(|_| errno::EINVAL)?;
        // SAFETY: the name ends with a NUL; with O_CREAT the call takes a mode, promoted as C does, and live attributes.
        let descriptor = around(|| opened(unsafe { libc::mq_open(name.as_ptr(), flags, mode, &raw const attributes) }))?;
        Ok(MessageQueue { descriptor, name, owner: std::process::id(), opener: std::process::id() })
    }

    /// `mq_open` of the same name once more, for sending and receiving: another open description.
    ///
    /// This is how a participant gets at a queue: it owns no descriptor that it was not given.
    ///
    /// # Errors
    /// What the system answers.
    pub fn open_again(&self, blocking: Blocking) -> Result<Self, Errno> {
        let flags = libc::O_RDWR | blocking.flag();
        // SAFETY: the name ends with a NUL; without O_CREAT the call takes no more arguments.
        let descriptor = around(|| opened(unsafe { libc::mq_open(self.name.as_ptr(), flags) }))?;
        Ok(MessageQueue { descriptor, name: self.name.clone(), owner: 0, opener: std::process::id() })
    }

    /// `mq_send`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn send(&self, message: &[u8], priority: u32) -> Result<(), Errno> {
        let bytes = message.as_ptr().cast();
        // SAFETY: the kernel reads as many bytes as the slice has.
        Errno::result(around(|| unsafe { libc::mq_send(self.descriptor, bytes, message.len(), priority) })).map(drop)
    }

    /// `mq_receive` into a buffer of that size: the message and its priority.
    ///
    /// # Errors
    /// What the system answers.
    pub fn receive(&self, size: usize) -> Result<(Vec<u8>, u32), Errno> {
        let mut message = vec![0; size];
        let mut priority = 0;
        let bytes = message.as_mut_ptr().cast();
        // SAFETY: the kernel writes at most as many bytes as the vector has, and the priority.
        let count = around(|| unsafe { libc::mq_receive(self.descriptor, bytes, size, &raw mut priority) });
        message.truncate(usize::try_from(Errno::result(count)?).map_err(|_| errno::ERANGE)?);
        Ok((message, priority))
    }

    /// `mq_getattr`.
    ///
    /// # Errors
    /// What the system answers; `ERANGE` for a negative number.
    pub fn attributes(&self) -> Result<Attributes, Errno> {
        let mut attributes = MaybeUninit::<libc::mq_attr>::zeroed();
        // SAFETY: room for the attributes, which are integers and so initialised either way.
        let attributes = unsafe {
            Errno::result(around(|| libc::mq_getattr(self.descriptor, attributes.as_mut_ptr())))?;
            attributes.assume_init()
        };
        Ok(Attributes {
            nonblocking: attributes.mq_flags != 0,
            max_messages: attributes.mq_maxmsg.try_into().map_err(|_| errno::ERANGE)?,
            message_size: attributes.mq_msgsize.try_into().map_err(|_| errno::ERANGE)?,
            messages: attributes.mq_curmsgs.try_into().map_err(|_| errno::ERANGE)?,
        })
    }
}

impl Drop for MessageQueue {
    fn drop(&mut self) {
        // SAFETY: in the process that opened it nobody else owns the descriptor; the name ends with a NUL.
        unsafe {
            if self.opener == std::process::id() {
                libc::mq_close(self.descriptor);
            }
            if self.owner == std::process::id() {
                // It may have been unlinked already, which is what a case may be about.
                libc::mq_unlink(self.name.as_ptr());
            }
        }
    }
}

fn opened(descriptor: libc::mqd_t) -> Result<libc::mqd_t, Errno> {
    // An integer on some systems and a pointer on others; (mqd_t)-1 is the error on all.
    if descriptor as isize == -1 { Err(Errno::last()) } else { Ok(descriptor) }
}

fn c_string(name: &str) -> Result<CString, Errno> {
    CString::new(name).map_err(|_| errno::EINVAL)
}
