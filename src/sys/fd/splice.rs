//! Moving bytes through pipes inside the kernel: `splice`, `tee`, `vmsplice`, `sendfile` and `copy_file_range`.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};

use crate::sys::Errno;
use crate::sys::memory::guarded::Guarded;
use crate::sys::point::around;

pub use nix::fcntl::SpliceFFlags as SpliceFlags;

/// `splice` without an offset at either side.
///
/// # Errors
/// What the system answers.
pub fn splice(from: impl AsFd, to: impl AsFd, length: usize, flags: SpliceFlags) -> Result<usize, Errno> {
    Ok(around(|| nix::fcntl::splice(from, None, to, None, length, flags))?)
}

/// `splice` with an offset at either side, or both.
///
/// # Errors
/// What the system answers.
pub fn splice_at(
    (from, from_offset): (impl AsFd, Option<&mut i64>),
    (to, to_offset): (impl AsFd, Option<&mut i64>),
    length: usize,
    flags: SpliceFlags,
) -> Result<usize, Errno> {
    Ok(around(|| nix::fcntl::splice(from, from_offset, to, to_offset, length, flags))?)
}

/// The side of a [`splice_with_bad_offset`] whose offset cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The source.
    From,
    /// The target.
    To,
}

/// `splice` with an offset, at one side, that lies in memory that nobody may touch.
///
/// # Errors
/// What the system answers.
pub fn splice_with_bad_offset(side: Side, from: impl AsFd, to: impl AsFd, length: usize) -> Result<usize, Errno> {
    let memory = Guarded::new()?;
    let bad: *mut i64 = memory.address(0).cast();
    let (in_offset, out_offset) = match side {
        Side::From => (bad, std::ptr::null_mut()),
        Side::To => (std::ptr::null_mut(), bad),
    };
    let (from, to) = (from.as_fd().as_raw_fd(), to.as_fd().as_raw_fd());
    // SAFETY: the kernel checks both offsets' addresses itself; the bad one is mapped, without any access, until after the call.
    let count = around(|| unsafe { libc::splice(from, in_offset, to, out_offset, length, 0) });
    Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
}

/// `tee`.
///
/// # Errors
/// What the system answers.
pub fn tee(from: impl AsFd, to: impl AsFd, length: usize, flags: SpliceFlags) -> Result<usize, Errno> {
    Ok(around(|| nix::fcntl::tee(from, to, length, flags))?)
}

/// `vmsplice` into a pipe.
///
/// The pipe may refer to the memory itself, instead of a copy, until the bytes are read: what is written to the memory meanwhile,
/// whether by its owner or by whoever gets the memory next, may be read from the pipe. The kernel only ever reads it, so that
/// no rule of Rust's is broken by a borrow that ends sooner. Memory that is *given away* needs [`vmsplice_gift`].
///
/// # Errors
/// What the system answers.
///
/// # Panics
/// `flags` has `SPLICE_F_GIFT`.
pub fn vmsplice(pipe: impl AsFd, from: &[IoSlice<'_>], flags: SpliceFlags) -> Result<usize, Errno> {
    assert!(!flags.contains(SpliceFlags::SPLICE_F_GIFT), "only memory that is never used again can be given away");
    Ok(around(|| nix::fcntl::vmsplice(pipe, from, flags))?)
}

/// `vmsplice` into a pipe with `SPLICE_F_GIFT`: the memory becomes the kernel's, and must never change again.
///
/// # Errors
/// What the system answers.
pub fn vmsplice_gift(pipe: impl AsFd, memory: &'static [u8]) -> Result<usize, Errno> {
    Ok(around(|| nix::fcntl::vmsplice(pipe, &[IoSlice::new(memory)], SpliceFlags::SPLICE_F_GIFT))?)
}

/// `vmsplice` out of a pipe.
///
/// # Errors
/// What the system answers.
pub fn vmsplice_out(pipe: impl AsFd, into: &mut [IoSliceMut<'_>], flags: SpliceFlags) -> Result<usize, Errno> {
    let pipe = pipe.as_fd().as_raw_fd();
    // SAFETY: `IoSliceMut` has the layout of `iovec`; the buffers are borrowed mutably for the call, which copies into them.
    let count = around(|| unsafe { libc::vmsplice(pipe, into.as_ptr().cast(), into.len(), flags.bits()) });
    Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
}

/// `vmsplice` of some bytes, and then of `good` usable bytes and `bad` bytes beyond them. The pipe's end decides the direction, and
/// what comes out of a pipe overwrites the `good` bytes: `before` has to be empty then.
///
/// # Errors
/// What the system answers.
///
/// # Panics
/// There is something `before` a transfer out of a pipe, or `flags` has `SPLICE_F_GIFT`.
pub fn vmsplice_across(
    pipe: impl AsFd,
    before: &[u8],
    memory: &mut Guarded,
    (good, bad): (usize, usize),
    flags: SpliceFlags,
) -> Result<usize, Errno> {
    assert!(!flags.contains(SpliceFlags::SPLICE_F_GIFT), "only memory that is never used again can be given away");
    // The same descriptor for the question and for the call.
    let pipe = pipe.as_fd();
    let readable = super::descriptor::status_flags(pipe)? & nix::fcntl::OFlag::O_ACCMODE == nix::fcntl::OFlag::O_RDONLY;
    assert!(before.is_empty() || !readable, "a transfer out of a pipe must not write to what is borrowed immutably");
    let across = libc::iovec { iov_base: memory.address(good), iov_len: good + bad };
    let first = libc::iovec { iov_base: before.as_ptr().cast_mut().cast(), iov_len: before.len() };
    let segments = if before.is_empty() { vec![across] } else { vec![first, across] };
    let pipe = pipe.as_raw_fd();
    // SAFETY: the kernel checks every byte that it touches; those it may write belong to `memory`, borrowed mutably, and `before`
    // is only read, for nothing comes out of the pipe where it is not empty.
    let count = around(|| unsafe { libc::vmsplice(pipe, segments.as_ptr(), segments.len(), flags.bits()) });
    Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
}

/// `sendfile`; the target comes first, as in the manual.
///
/// # Errors
/// What the system answers.
pub fn sendfile(to: impl AsFd, from: impl AsFd, offset: Option<&mut i64>, count: usize) -> Result<usize, Errno> {
    let (to, from) = (to.as_fd().as_raw_fd(), from.as_fd().as_raw_fd());
    let offset = offset.map_or(std::ptr::null_mut(), std::ptr::from_mut);
    // SAFETY: the offset is null or borrowed mutably for the call.
    let moved = around(|| unsafe { libc::sendfile64(to, from, offset, count) });
    Errno::result(moved).map(|moved| usize::try_from(moved).unwrap_or(0))
}

/// `sendfile` with an offset that lies in memory that nobody may touch.
///
/// # Errors
/// What the system answers.
pub fn sendfile_with_bad_offset(to: impl AsFd, from: impl AsFd, count: usize) -> Result<usize, Errno> {
    let memory = Guarded::new()?;
    let (to, from) = (to.as_fd().as_raw_fd(), from.as_fd().as_raw_fd());
    // SAFETY: the kernel checks the offset's address itself; it is mapped, without any access, until after the call.
    let moved = around(|| unsafe { libc::sendfile64(to, from, memory.address(0).cast(), count) });
    Errno::result(moved).map(|moved| usize::try_from(moved).unwrap_or(0))
}

/// `copy_file_range` at both files' positions.
///
/// # Errors
/// What the system answers.
pub fn copy_file_range(from: impl AsFd, to: impl AsFd, length: usize) -> Result<usize, Errno> {
    Ok(around(|| nix::fcntl::copy_file_range(from, None, to, None, length))?)
}

/// `copy_file_range` with an offset at both sides.
///
/// # Errors
/// What the system answers.
pub fn copy_range(
    (from, from_offset): (impl AsFd, &mut i64),
    (to, to_offset): (impl AsFd, &mut i64),
    length: usize,
) -> Result<usize, Errno> {
    Ok(around(|| nix::fcntl::copy_file_range(from, Some(from_offset), to, Some(to_offset), length))?)
}
