//! [`Errno`]: an error number that is shown by name and travels between processes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An error number of this system. `Debug` gives its name (`EAGAIN`), `Display` its meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Errno(i32);

impl Errno {
    /// The error number with that value.
    pub const fn from_raw(value: i32) -> Self {
        Errno(value)
    }

    /// The value that this system gives it.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The calling thread's current error number.
    pub fn last() -> Self {
        Errno(nix::errno::Errno::last_raw())
    }

    /// Turns a C result into a Rust one: −1 means that `errno` says why.
    ///
    /// # Errors
    /// The calling thread's `errno`, where `value` is −1.
    pub fn result<T: PartialEq + From<i8>>(value: T) -> Result<T, Errno> {
        if value == T::from(-1) { Err(Errno::last()) } else { Ok(value) }
    }

    /// Turns the result of a `pthread_` function, which returns its error number, into a Rust one.
    ///
    /// # Errors
    /// The number, where it is not 0.
    pub fn from_pthread(value: i32) -> Result<(), Errno> {
        if value == 0 { Ok(()) } else { Err(Errno(value)) }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match nix::errno::Errno::from_raw(self.0) {
            nix::errno::Errno::UnknownErrno => write!(f, "errno {}", self.0),
            known => write!(f, "{known:?}"),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(nix::errno::Errno::from_raw(self.0).desc())
    }
}

impl std::error::Error for Errno {}

impl From<nix::errno::Errno> for Errno {
    fn from(errno: nix::errno::Errno) -> Self {
        Errno(errno as i32)
    }
}

impl From<std::io::Error> for Errno {
    /// An error without a number (which the standard library makes up itself) becomes `EIO`.
    fn from(error: std::io::Error) -> Self {
        Errno(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

macro_rules! constants {
    ($($name:ident)*) => {
        $(#[doc = concat!("`", stringify!($name), "` of this system.")] pub const $name: Errno = Errno(libc::$name);)*
    };
}

constants! {
    E2BIG EACCES EADDRINUSE EAGAIN EBADF EBUSY ECHILD ECONNREFUSED ECONNRESET EDEADLK EDESTADDRREQ EEXIST EFAULT EFBIG
    EIDRM EINTR EINVAL EIO EISCONN EISDIR ELOOP EMFILE EMLINK EMSGSIZE ENAMETOOLONG ENFILE ENODEV ENOENT ENOEXEC ENOLCK ENOMEM
    ENOMSG ENOSPC ENOSYS ENOTCONN ENOTDIR ENOTEMPTY ENOTRECOVERABLE ENOTSOCK ENOTTY ENXIO EOPNOTSUPP EOVERFLOW EOWNERDEAD
    EPERM EPIPE EPROTO EPROTONOSUPPORT EPROTOTYPE ERANGE EROFS ESPIPE ESRCH ETIMEDOUT ETXTBSY EXDEV
}
