//! Attributes: what `fstat` shows for the two ends of a pipe, and calls that are not possible on a pipe (`lseek`, `pread`,
//! `ftruncate`, `mmap`, `fsync` and others).

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use conformance::prelude::*;
use nix::sys::stat::{FileStat, Mode, SFlag};
use nix::unistd::{Gid, Uid, Whence};
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{next, open_nonblocking};
use common::pipe::{Kind, pipe_and_fifo};

/// Device and inode number.
fn file(end: impl AsFd) -> Result<(u64, u64), Errno> {
    let stat = fstat(end)?;
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "the types of these fields differ between systems")]
    Ok((stat.st_dev as u64, stat.st_ino as u64))
}

fn permissions(stat: &FileStat) -> Mode {
    Mode::from_bits_truncate(stat.st_mode)
}

/// `fstat` returns the same device and inode numbers for both ends of a pipe and for a duplicate of an end.
#[conformance::test(man = "pipe(7)", posix = "fstat")]
fn both_ends_are_the_same_file() -> Outcome {
    let (reader, writer) = pipe()?;
    let this = file(&reader)?;
    expect_eq!((file(&writer), file(dup(&writer)?)), (Ok(this), Ok(this)));
    Ok(())
}

/// `fstat` returns a different pair of device and inode number for each of 32 pipes, of each of which one end is open.
#[conformance::test(posix = "fstat")]
fn open_pipes_are_different_files() -> Outcome {
    let mut kept = Vec::new();
    let mut seen = BTreeSet::new();
    for index in 0..32 {
        let (reader, writer) = pipe()?;
        expect!(seen.insert(file(&reader)?), "pipe {index} has the numbers of another open pipe");
        kept.push(if index % 2 == 0 { reader } else { writer });
    }
    Ok(())
}

/// If bytes have been written to one of two pipes, a non-blocking `read` on the other pipe fails with `EAGAIN`. If bytes have
/// been written to both, `read` on each returns exactly the bytes written to that pipe.
#[conformance::test(posix = "pipe")]
fn bytes_of_two_pipes_are_separate() -> Outcome {
    let (one_reader, one_writer) = open_nonblocking(Kind::Pipe)?;
    let (other_reader, other_writer) = open_nonblocking(Kind::Pipe)?;
    expect_eq!((write(&one_writer, b"one"), next(&other_reader)), (Ok(3), Err(EAGAIN)));
    expect_eq!((write(&other_writer, b"other"), next(&one_reader)), (Ok(5), Ok(b"one".to_vec())));
    expect_eq!((next(&other_reader), next(&one_reader)), (Ok(b"other".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `fstat` on both ends of a pipe shows the file type `S_IFIFO` and, as owner, the effective user and group of the creating
/// process.
#[conformance::test(posix = "pipe", posix = "fstat")]
fn type_is_fifo_and_owner_is_the_creator() -> Outcome {
    let (reader, writer) = pipe()?;
    for end in [&reader, &writer] {
        let stat = fstat(end)?;
        expect_eq!(SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT, SFlag::S_IFIFO);
        expect_eq!((stat.st_uid, stat.st_gid), (Uid::effective().as_raw(), Gid::effective().as_raw()));
    }
    Ok(())
}

/// `fstat` shows the same permission bits and `st_nlink` at both ends of a pipe, and at the read end an `st_size` of 0 or of the
/// number of unread bytes. The three values are recorded; any permission bits and any `st_nlink` are allowed.
#[conformance::test(posix = "fstat", level = observed)]
fn permissions_link_count_and_size() -> Outcome {
    let (reader, writer) = pipe()?;
    write_all(&writer, b"12345")?;
    let (read_end, write_end) = (fstat(&reader)?, fstat(&writer)?);
    observe!("pipe.permissions", format!("{:03o}", permissions(&read_end)));
    observe!("pipe.links", read_end.st_nlink.to_string());
    observe!("pipe.size", if read_end.st_size == 0 { "0" } else { "unread bytes" });
    expect_matches!(read_end.st_size, 0 | 5);
    expect_eq!((permissions(&write_end), write_end.st_nlink), (permissions(&read_end), read_end.st_nlink));
    Ok(())
}

/// `fchmod` by the owner on one end of a pipe fails with `EINVAL`, or returns 0 and `fstat` on both ends shows the new permission
/// bits; both are allowed, and which happens is recorded. In either case, `write` of 1 byte then returns 1 and `read` returns
/// that byte.
#[conformance::test(posix = "fchmod", level = observed)]
fn fchmod_shows_at_both_ends() -> Outcome {
    let (reader, writer) = pipe()?;
    let changed = fchmod(&writer, 0);
    observe!("pipe.fchmod", changed.map_or_else(|errno| format!("{errno:?}"), |()| "allowed".to_owned()));
    expect_matches!(changed, Ok(()) | Err(EINVAL));
    if changed.is_ok() {
        expect_eq!((permissions(&fstat(&reader)?), permissions(&fstat(&writer)?)), (Mode::empty(), Mode::empty()));
        expect_eq!(fchmod(&reader, 0o640), Ok(()));
        expect_eq!(permissions(&fstat(&writer)?).bits(), 0o640);
    }
    expect_eq!((write(&writer, b"x"), next(&reader)), (Ok(1), Ok(b"x".to_vec())));
    Ok(())
}

/// `fchown` of a pipe by its owner to the present user and group returns 0 or fails with `EINVAL`; both are allowed, and which
/// happens is recorded. `fstat` then shows the same user and group as before.
#[conformance::test(posix = "fchown", level = observed)]
fn fchown_to_the_present_owner() -> Outcome {
    let (reader, writer) = pipe()?;
    let (user, group) = (Uid::effective(), Gid::effective());
    let changed = fchown(&reader, user, group);
    observe!("pipe.fchown", changed.map_or_else(|errno| format!("{errno:?}"), |()| "allowed".to_owned()));
    expect_matches!(changed, Ok(()) | Err(EINVAL));
    let stat = fstat(&writer)?;
    expect_eq!((stat.st_uid, stat.st_gid), (user.as_raw(), group.as_raw()));
    Ok(())
}

/// Seconds and nanoseconds of last access, last modification and last change.
#[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "differ between systems")]
fn times(end: impl AsFd) -> Result<[Duration; 3], Errno> {
    let stat = fstat(end)?;
    let time = |seconds, fraction| Duration::new(seconds as u64, fraction as u32);
    Ok([time(stat.st_atime, stat.st_atime_nsec), time(stat.st_mtime, stat.st_mtime_nsec), time(stat.st_ctime, stat.st_ctime_nsec)])
}

/// `fstat` on a new pipe shows `st_atime`, `st_mtime` and `st_ctime` between the start and the end of the `pipe` call. Both ends
/// show the same values.
#[conformance::test(posix = "pipe")]
fn timestamps_of_a_new_pipe() -> Outcome {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Linux takes timestamps from a clock that only advances with the timer tick.
    #[cfg(linux)]
    let before = Duration::from(nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME_COARSE)?);
    #[cfg(not(linux))]
    let before = now().saturating_sub(Duration::from_secs(1));
    let (reader, writer) = pipe()?;
    let stamps = times(&reader)?;
    let after = now();
    expect!(stamps.iter().all(|stamp| (before..=after).contains(stamp)), "{stamps:?} is not in {before:?} to {after:?}");
    expect_eq!(times(&writer)?, stamps);
    Ok(())
}

/// Timestamps long ago, set before a call to see whether the call updates them.
const ACCESSED: Duration = Duration::from_secs(1_000_000);
const MODIFIED: Duration = Duration::from_secs(2_000_000);

/// If `futimens` has set `st_atime` and `st_mtime` of a pipe to times in the year 1970, `fstat` after a `write` of 1 byte shows a
/// changed `st_mtime` and the same `st_atime`.
#[conformance::test(posix = "write")]
fn write_updates_st_mtime() -> Outcome {
    let (_reader, writer) = pipe()?;
    set_times_through(&writer, 1_000_000, 2_000_000)?;
    expect_eq!(write(&writer, b"x"), Ok(1));
    let [accessed, modified, _] = times(&writer)?;
    expect_eq!((accessed == ACCESSED, modified == MODIFIED), (true, false));
    Ok(())
}

/// If `futimens` has set `st_atime` and `st_mtime` of a pipe to times in the year 1970, `fstat` after a `read` of 1 byte shows a
/// changed `st_atime` and the same `st_mtime`.
#[conformance::test(posix = "read")]
fn read_updates_st_atime() -> Outcome {
    let (reader, writer) = pipe()?;
    write_all(&writer, b"x")?;
    set_times_through(&reader, 1_000_000, 2_000_000)?;
    expect_eq!(next(&reader), Ok(b"x".to_vec()));
    let [accessed, modified, _] = times(&reader)?;
    expect_eq!((accessed == ACCESSED, modified == MODIFIED), (false, true));
    Ok(())
}

/// `fstat` on an empty pipe shows the same `st_atime`, `st_mtime` and `st_ctime` as before after `read` and `write` of 0 bytes,
/// after a `read` that fails with `EAGAIN` or returns 0 at end-of-file, after a `write` that fails with `EFAULT`, and after
/// `read` on the write end and `write` on the read end, which fail with `EBADF`.
#[conformance::test(posix = "read", posix = "write", level = customary)]
fn calls_without_bytes_update_no_timestamp() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let guarded = Guarded::new()?;
    set_times_through(&reader, 1_000_000, 2_000_000)?;
    let before = times(&reader)?;
    expect_eq!((next(&reader), read(&reader, &mut [])), (Err(EAGAIN), Ok(0)));
    expect_eq!((write(&writer, b""), guarded.write_across(&writer, 0, 1)), (Ok(0), Err(EFAULT)));
    expect_eq!((read(&writer, &mut [0; 1]), write(&reader, b"x")), (Err(EBADF), Err(EBADF)));
    drop(writer);
    expect_eq!((next(&reader), times(&reader)), (Ok(vec![]), Ok(before)));
    Ok(())
}

/// `lseek` on either end of a pipe or FIFO with `SEEK_SET` and 0, `SEEK_CUR` and 0 or 1, or `SEEK_END` and 0 fails with `ESPIPE`.
/// `read` then returns exactly the unread bytes.
#[apply(pipe_and_fifo)]
#[case::seek_set_0(0, Whence::SeekSet)]
#[case::seek_cur_0(0, Whence::SeekCur)]
#[case::seek_cur_1(1, Whence::SeekCur)]
#[case::seek_end_0(0, Whence::SeekEnd)]
#[conformance::test(posix = "lseek")]
fn lseek_fails_with_espipe(#[case] offset: i64, #[case] whence: Whence, kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    write_all(&writer, b"data")?;
    expect_eq!((lseek(&reader, offset, whence), lseek(&writer, offset, whence)), (Err(ESPIPE), Err(ESPIPE)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"data".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `pread` on the read end and `pwrite` on the write end of a pipe or FIFO, at offset 0 or 1, fail with `ESPIPE`. The buffer of
/// `pread` stays as it was, and `read` then returns exactly the unread bytes.
#[apply(pipe_and_fifo)]
#[case::offset_0(0)]
#[case::offset_1(1)]
#[conformance::test(posix = "pread", posix = "pwrite")]
fn pread_and_pwrite_fail_with_espipe(#[case] offset: i64, kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    write_all(&writer, b"data")?;
    let mut buffer = [7; 2];
    expect_eq!((pread(&reader, &mut buffer, offset), buffer), (Err(ESPIPE), [7; 2]));
    expect_eq!(pwrite(&writer, b"more", offset), Err(ESPIPE));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"data".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `ftruncate` to 0 bytes, 1 byte or 1 MiB on either end of a pipe fails with `EINVAL`. `read` then returns exactly the unread
/// bytes.
#[rstest]
#[case::length_0(0)]
#[case::length_1(1)]
#[case::length_1_mib(1 << 20)]
#[conformance::test(man = "ftruncate(2)")]
fn ftruncate_fails_with_einval(#[case] length: i64) -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    write_all(&writer, b"data")?;
    expect_eq!((ftruncate(&writer, length), ftruncate(&reader, length)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"data".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `posix_fallocate` on the write end of a pipe or FIFO returns the error `ESPIPE`.
#[cfg(not(apple))]
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "posix_fallocate")]
fn posix_fallocate_fails_with_espipe(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    expect_eq!(posix_fallocate(&writer, 0, 4096), Err(ESPIPE));
    expect_eq!((unread(&reader), next(&reader)), (Ok(0), Err(EAGAIN)));
    Ok(())
}

/// `mmap` of the read end of a pipe or FIFO fails with `ENODEV`. `read` then returns exactly the unread bytes.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "mmap")]
fn mmap_fails_with_enodev(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    write_all(&writer, b"data")?;
    expect_eq!((map_page(&reader), next(&reader)), (Err(ENODEV), Ok(b"data".to_vec())));
    Ok(())
}

/// `fsync` and `fdatasync` on either end of a pipe or FIFO fail with `EINVAL`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "fsync")]
fn fsync_fails_with_einval(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    expect_eq!((fsync(&reader), fsync(&writer)), (Err(EINVAL), Err(EINVAL)));
    #[cfg(not(apple))]
    expect_eq!((fdatasync(&reader), fdatasync(&writer)), (Err(EINVAL), Err(EINVAL)));
    Ok(())
}

/// On either end of a pipe or FIFO `isatty` returns 0, `shutdown` fails with `ENOTSOCK` and `fchdir` fails with `ENOTDIR`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "isatty", posix = "shutdown", posix = "fchdir")]
fn isatty_shutdown_and_fchdir_fail(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    for end in [&reader, &writer] {
        expect_eq!(nix::unistd::isatty(end), Ok(false));
        let shut = nix::sys::socket::shutdown(end.as_raw_fd(), nix::sys::socket::Shutdown::Both);
        expect_eq!(shut.map_err(Errno::from), Err(ENOTSOCK));
        expect_eq!(nix::unistd::fchdir(end).map_err(Errno::from), Err(ENOTDIR));
    }
    expect_eq!((write(&writer, b"x"), next(&reader)), (Ok(1), Ok(b"x".to_vec())));
    Ok(())
}

/// `fstatfs` on either end of a pipe returns the file system type `PIPEFS_MAGIC`.
#[cfg(linux)]
#[conformance::test(man = "statfs(2)")]
fn fstatfs_shows_pipefs() -> Outcome {
    use nix::sys::statfs::FsType;
    const PIPEFS_MAGIC: FsType = FsType(0x5049_5045);
    let (reader, writer) = pipe()?;
    for end in [&reader, &writer] {
        let system = nix::sys::statfs::fstatfs(end).map(|system| system.filesystem_type());
        expect_eq!(system.map_err(Errno::from), Ok(PIPEFS_MAGIC));
    }
    Ok(())
}
