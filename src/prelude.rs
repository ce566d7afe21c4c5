//! What a suite file needs, in one `use conformance::prelude::*`.

pub use std::os::fd::{AsFd, AsRawFd, OwnedFd};
pub use std::path::{Path, PathBuf};

pub use nix::fcntl::OFlag;
pub use nix::poll::PollFlags;
pub use nix::sys::signal::Signal;

#[cfg(linux)]
pub use crate::fault::allocation::failing_allocations;
pub use crate::fault::exhaust::{leave_room, limit_descriptors};
pub use crate::fault::property::property;
pub use crate::fault::sweep::{instruction_sweep, sweep};
pub use crate::history::{Operation, Pen, Recorder, Specification, expect_linearisable};
pub use crate::outcome::{Failure, Outcome};
pub use crate::process::aftermath::comes_to;
pub use crate::process::context::{note, scaled, seed};
pub use crate::process::{End, Link, Participant, Settled};
pub use crate::sandbox::Scratch;
pub use crate::sandbox::names::unique_name;
pub use crate::sys::Errno;
pub use crate::sys::descriptor::*;
#[cfg(has_epoll)]
pub use crate::sys::epoll::{EpollFlags, epoll, epoll_add, epoll_modify, epoll_remove, epoll_wait};
pub use crate::sys::errno::*;
pub use crate::sys::file::*;
pub use crate::sys::io::*;
pub use crate::sys::mapping::{Access, Mapping};
pub use crate::sys::mark;
pub use crate::sys::memory::Guarded;
pub use crate::sys::poll::{poll, ready, selected};
pub use crate::sys::signal::{self, Restart};
#[cfg(has_splice)]
pub use crate::sys::splice::*;
pub use crate::sys::vectors::iov_max;
pub use crate::sys::waiting::{pselect_to_read_unmasked, select_to_read, select_to_write};
pub use crate::{expect, expect_eq, expect_matches, observe, unsupported};
