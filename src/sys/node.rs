//! Names of special files, and what an inode carries besides its data: permissions, owner, times, locks.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, SFlag, UtimensatFlags};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, PathconfVar, Uid};

use super::memory::Guarded;
use super::point::around;
use super::{Errno, errno};

/// `mkfifo` with a path of which only the first `good` bytes can be read, and those hold no terminator.
///
/// # Errors
/// What the system answers; `EFAULT` is expected.
pub fn mkfifo_with_bad_path(memory: &mut Guarded, good: usize, mode: u32) -> Result<(), Errno> {
    memory.bytes().fill(b'x');
    // SAFETY: the bytes before the guard page belong to `memory` and the kernel checks every byte that it reads. The call only
    // reads; the C library passes the pointer on without looking behind it.
    Errno::result(unsafe { libc::mkfifo(memory.address(good).cast(), mode_of(mode).bits()) }).map(drop)
}

/// `mknod` of a type, with a device number that means nothing for a FIFO.
///
/// # Errors
/// What the system answers.
pub fn mknod(path: &Path, kind: SFlag, mode: u32, device: u64) -> Result<(), Errno> {
    let device = libc::dev_t::try_from(device).map_err(|_| errno::ERANGE)?;
    Ok(around(|| nix::sys::stat::mknod(path, kind, mode_of(mode), device))?)
}

/// `mkfifoat`.
///
/// # Errors
/// What the system answers.
#[cfg(has_mkfifoat)]
pub fn mkfifoat(directory: impl AsFd, path: &Path, mode: u32) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::mkfifoat(directory, path, mode_of(mode)))?)
}

/// `mknodat` of a FIFO.
///
/// # Errors
/// What the system answers.
#[cfg(has_mkfifoat)]
pub fn mknodat_fifo(directory: impl AsFd, path: &Path, mode: u32) -> Result<(), Errno> {
    Ok(around(|| nix::sys::stat::mknodat(directory, path, SFlag::S_IFIFO, mode_of(mode), 0))?)
}

/// `openat` without `O_CREAT`.
///
/// # Errors
/// What the system answers.
pub fn openat(directory: impl AsFd, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    Ok(around(|| nix::fcntl::openat(directory, path, flags, Mode::empty()))?)
}

/// `lstat`.
///
/// # Errors
/// What the system answers.
pub fn lstat(path: &Path) -> Result<FileStat, Errno> {
    Ok(nix::sys::stat::lstat(path)?)
}

/// Whether a status is that of a FIFO.
pub fn is_fifo(status: &FileStat) -> bool {
    SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO
}

/// The permission bits of a status, with set-id and sticky bits.
#[allow(clippy::useless_conversion, reason = "mode_t has 16 bits on some systems")]
pub fn permissions(status: &FileStat) -> u32 {
    u32::from(status.st_mode) & 0o7777
}

/// `umask`: the mask that was in force before.
pub fn umask(mask: u32) -> u32 {
    #[allow(clippy::useless_conversion, reason = "mode_t has 16 bits on some systems")]
    u32::from(nix::sys::stat::umask(mode_of(mask)).bits())
}

/// `chmod`.
///
/// # Errors
/// What the system answers.
pub fn chmod(path: &Path, mode: u32) -> Result<(), Errno> {
    let flags = nix::sys::stat::FchmodatFlags::FollowSymlink;
    Ok(nix::sys::stat::fchmodat(nix::fcntl::AT_FDCWD, path, mode_of(mode), flags)?)
}

/// `fchmod`.
///
/// # Errors
/// What the system answers.
pub fn fchmod(descriptor: impl AsFd, mode: u32) -> Result<(), Errno> {
    Ok(nix::sys::stat::fchmod(descriptor, mode_of(mode))?)
}

/// `chown` of owner and group.
///
/// # Errors
/// What the system answers.
pub fn chown(path: &Path, owner: Uid, group: Gid) -> Result<(), Errno> {
    Ok(nix::unistd::chown(path, Some(owner), Some(group))?)
}

/// `fchown` of owner and group.
///
/// # Errors
/// What the system answers.
pub fn fchown(descriptor: impl AsFd, owner: Uid, group: Gid) -> Result<(), Errno> {
    Ok(nix::unistd::fchown(descriptor, Some(owner), Some(group))?)
}

/// `truncate`.
///
/// # Errors
/// What the system answers.
pub fn truncate(path: &Path, length: i64) -> Result<(), Errno> {
    Ok(nix::unistd::truncate(path, length)?)
}

/// `ftruncate`.
///
/// # Errors
/// What the system answers.
pub fn ftruncate(descriptor: impl AsFd, length: i64) -> Result<(), Errno> {
    Ok(nix::unistd::ftruncate(descriptor, length)?)
}

/// `fsync`.
///
/// # Errors
/// What the system answers.
pub fn fsync(descriptor: impl AsFd) -> Result<(), Errno> {
    Ok(nix::unistd::fsync(descriptor)?)
}

/// `utimensat`: last access and last modification, in whole seconds.
///
/// # Errors
/// What the system answers.
pub fn set_times(path: &Path, accessed: i64, modified: i64) -> Result<(), Errno> {
    let (accessed, modified) = (TimeSpec::new(accessed, 0), TimeSpec::new(modified, 0));
    Ok(nix::sys::stat::utimensat(nix::fcntl::AT_FDCWD, path, &accessed, &modified, UtimensatFlags::FollowSymlink)?)
}

/// `futimens`: last access and last modification, in whole seconds.
///
/// # Errors
/// What the system answers.
pub fn set_times_through(descriptor: impl AsFd, accessed: i64, modified: i64) -> Result<(), Errno> {
    Ok(nix::sys::stat::futimens(descriptor, &TimeSpec::new(accessed, 0), &TimeSpec::new(modified, 0))?)
}

/// Last access, last modification, last change of status: seconds and nanoseconds.
#[allow(clippy::useless_conversion, reason = "times have 32 bits on some systems")]
pub fn times(status: &FileStat) -> [(i64, i64); 3] {
    [
        (status.st_atime.into(), status.st_atime_nsec.into()),
        (status.st_mtime.into(), status.st_mtime_nsec.into()),
        (status.st_ctime.into(), status.st_ctime_nsec.into()),
    ]
}

/// Last access and last modification, which can be set.
pub fn data_times(status: &FileStat) -> [(i64, i64); 2] {
    let [accessed, modified, _] = times(status);
    [accessed, modified]
}

/// A limit that holds for names in a directory, or for what a path names: `pathconf`.
///
/// # Errors
/// What the system answers; `EINVAL` where it has no such limit.
pub fn path_limit(path: &Path, limit: PathconfVar) -> Result<usize, Errno> {
    let limit = nix::unistd::pathconf(path, limit)?;
    limit.and_then(|limit| usize::try_from(limit).ok()).ok_or(errno::EINVAL)
}

/// `flock(LOCK_EX | LOCK_NB)`.
///
/// # Errors
/// What the system answers.
pub fn flock_now(descriptor: impl AsFd) -> Result<(), Errno> {
    // SAFETY: a borrowed descriptor is open; the call takes no pointer.
    Errno::result(unsafe { libc::flock(descriptor.as_fd().as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }).map(drop)
}

/// `fcntl(F_SETLK)` with a lock on the whole file: exclusive or shared.
///
/// # Errors
/// What the system answers.
pub fn record_lock_now(descriptor: impl AsFd, exclusive: bool) -> Result<(), Errno> {
    let kind = if exclusive { libc::F_WRLCK } else { libc::F_RDLCK };
    let whence = libc::SEEK_SET;
    // SAFETY: `flock` is plain data, for which all zeroes are valid.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    #[allow(clippy::cast_possible_truncation, clippy::unnecessary_cast, reason = "small constants; their types differ by system")]
    {
        lock.l_type = kind as i16;
        lock.l_whence = whence as i16;
    }
    Ok(nix::fcntl::fcntl(descriptor, nix::fcntl::FcntlArg::F_SETLK(&lock)).map(drop)?)
}

/// Permission bits as the system's type.
#[allow(clippy::unnecessary_fallible_conversions, clippy::useless_conversion, reason = "mode_t has 16 bits on some systems")]
fn mode_of(bits: u32) -> Mode {
    Mode::from_bits_truncate(libc::mode_t::try_from(bits & 0o7777).unwrap_or(0))
}
