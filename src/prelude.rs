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
pub use crate::process::{End, Link, Participant, Settled, let_go, together};
pub use crate::sandbox::Scratch;
pub use crate::sandbox::names::unique_name;
pub use crate::sys::Errno;
pub use crate::sys::errno::*;
pub use crate::sys::fd::bytes::*;
pub use crate::sys::fd::descriptor::*;
#[cfg(has_epoll)]
pub use crate::sys::fd::epoll::{EpollFlags, epoll, epoll_add, epoll_modify, epoll_remove, epoll_wait};
pub use crate::sys::fd::io::*;
pub use crate::sys::fd::pipe::*;
pub use crate::sys::fd::poll::{poll, ready};
pub use crate::sys::fd::select::{pselect_to_read_unmasked, select_to_read, select_to_write, selected};
pub use crate::sys::fd::size::*;
#[cfg(has_splice)]
pub use crate::sys::fd::splice::*;
pub use crate::sys::mark;
pub use crate::sys::memory::guarded::Guarded;
pub use crate::sys::memory::mapping::{Access, Mapping, map_page};
pub use crate::sys::memory::page_size;
pub use crate::sys::memory::vectors::iov_max;
pub use crate::sys::path::attributes::{fchmod, fchown, set_times_through};
pub use crate::sys::path::names::{rename, unlink};
pub use crate::sys::path::node::mkfifo;
pub use crate::sys::path::open::{create, open};
pub use crate::sys::path::status::{fstat, stat};
pub use crate::sys::signal::{self, Restart};
pub use crate::{expect, expect_eq, expect_matches, observe, unsupported};
