//! Identity: both ends are the same file, of type FIFO, owned by its creator; it has no position, no size and no pages.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use conformance::prelude::*;
use nix::sys::stat::{FileStat, Mode, SFlag};
use nix::unistd::{Gid, Uid, Whence};
use rstest::rstest;

use common::ends::{next, not_waiting};
use common::pipe::Kind;

/// Which file that is.
fn file(end: impl AsFd) -> Result<(u64, u64), Errno> {
    let stat = fstat(end)?;
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "the types of these fields differ between systems")]
    Ok((stat.st_dev as u64, stat.st_ino as u64))
}

fn permissions(stat: &FileStat) -> Mode {
    Mode::from_bits_truncate(stat.st_mode)
}

/// Both ends, and their duplicates, are one file.
#[conformance::test(man = "pipe(7)", posix = "fstat")]
fn is_one_for_both_ends() -> Outcome {
    let (reader, writer) = pipe()?;
    let this = file(&reader)?;
    expect_eq!((file(&writer), file(dup(&writer)?)), (Ok(this), Ok(this)));
    Ok(())
}

/// No two pipes are the same file while any end of either is open, whichever end that is.
#[conformance::test(posix = "fstat")]
fn is_no_other_pipe_s() -> Outcome {
    let mut kept = Vec::new();
    let mut seen = BTreeSet::new();
    for index in 0..32 {
        let (reader, writer) = pipe()?;
        expect!(seen.insert(file(&reader)?), "pipe {index} is a file that is open already");
        kept.push(if index % 2 == 0 { reader } else { writer });
    }
    Ok(())
}

/// Bytes stay in the pipe that they were written to.
#[conformance::test(posix = "pipe")]
fn keeps_the_bytes_of_two_pipes_apart() -> Outcome {
    let (one_reader, one_writer) = not_waiting(Kind::Pipe)?;
    let (other_reader, other_writer) = not_waiting(Kind::Pipe)?;
    expect_eq!((write(&one_writer, b"one"), next(&other_reader)), (Ok(3), Err(EAGAIN)));
    expect_eq!((write(&other_writer, b"other"), next(&one_reader)), (Ok(5), Ok(b"one".to_vec())));
    expect_eq!((next(&other_reader), next(&one_reader)), (Ok(b"other".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// The type is FIFO, and the owner is the creator's effective user and group.
#[conformance::test(posix = "pipe", posix = "fstat")]
fn is_a_fifo_of_its_creator() -> Outcome {
    let (reader, writer) = pipe()?;
    for end in [&reader, &writer] {
        let stat = fstat(end)?;
        expect_eq!(SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT, SFlag::S_IFIFO);
        expect_eq!((stat.st_uid, stat.st_gid), (Uid::effective().as_raw(), Gid::effective().as_raw()));
    }
    Ok(())
}

/// Permission bits, size and number of links are the system's choice; the size is either nothing or what is unread.
#[conformance::test(posix = "fstat", level = observed)]
fn shows_attributes_of_the_system_s_choice() -> Outcome {
    let (reader, writer) = pipe()?;
    write_all(&writer, b"12345")?;
    let (read_end, write_end) = (fstat(&reader)?, fstat(&writer)?);
    observe!("pipe.permissions", format!("{:03o}", permissions(&read_end)));
    observe!("pipe.links", read_end.st_nlink.to_string());
    observe!("pipe.size", if read_end.st_size == 0 { "nothing" } else { "unread bytes" });
    expect_matches!(read_end.st_size, 0 | 5);
    expect_eq!((permissions(&write_end), write_end.st_nlink), (permissions(&read_end), read_end.st_nlink));
    Ok(())
}

/// Where the permissions of a pipe can be changed, the change shows at both ends, and what is open stays usable.
#[conformance::test(posix = "fchmod", level = observed)]
fn shows_changed_permissions_at_both_ends() -> Outcome {
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

/// Where the owner of a pipe can be set, the creator can set it to what it is.
#[conformance::test(posix = "fchown", level = observed)]
fn lets_its_creator_confirm_the_owner() -> Outcome {
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

/// All three time stamps of a new pipe tell when it was made.
#[conformance::test(posix = "pipe")]
fn dates_from_its_creation() -> Outcome {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Linux takes time stamps from a clock that goes on with the timer's ticks only.
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

/// Long ago: a pipe given these times shows whether a call set new ones.
const ACCESSED: Duration = Duration::from_secs(1_000_000);
const MODIFIED: Duration = Duration::from_secs(2_000_000);

/// A write of at least one byte marks the time of last modification for update, and not that of last access.
#[conformance::test(posix = "write")]
fn is_dated_by_a_write() -> Outcome {
    let (_reader, writer) = pipe()?;
    set_times_through(&writer, 1_000_000, 2_000_000)?;
    expect_eq!(write(&writer, b"x"), Ok(1));
    let [accessed, modified, _] = times(&writer)?;
    expect_eq!((accessed == ACCESSED, modified == MODIFIED), (true, false));
    Ok(())
}

/// A read of at least one byte marks the time of last access for update, and not that of last modification.
#[conformance::test(posix = "read")]
fn is_dated_by_a_read() -> Outcome {
    let (reader, writer) = pipe()?;
    write_all(&writer, b"x")?;
    set_times_through(&reader, 1_000_000, 2_000_000)?;
    expect_eq!(next(&reader), Ok(b"x".to_vec()));
    let [accessed, modified, _] = times(&reader)?;
    expect_eq!((accessed == ACCESSED, modified == MODIFIED), (false, true));
    Ok(())
}

/// Calls that move nothing change no time stamp.
#[conformance::test(posix = "read", posix = "write", level = observed)]
fn keeps_its_dates_while_nothing_moves() -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
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

/// There is no position to ask for or to set, at either end, and nothing is lost by trying.
#[rstest]
#[case::to_the_start(0, Whence::SeekSet)]
#[case::nowhere(0, Whence::SeekCur)]
#[case::forward(1, Whence::SeekCur)]
#[case::to_the_end(0, Whence::SeekEnd)]
#[conformance::test(posix = "lseek")]
fn has_no_position(#[case] offset: i64, #[case] whence: Whence, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    write_all(&writer, b"data")?;
    expect_eq!((lseek(&reader, offset, whence), lseek(&writer, offset, whence)), (Err(ESPIPE), Err(ESPIPE)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"data".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// Nothing can be read or written at an offset, not even at the first.
#[rstest]
#[case::first(0)]
#[case::second(1)]
#[conformance::test(posix = "pread", posix = "pwrite")]
fn has_no_offsets(#[case] offset: i64, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    write_all(&writer, b"data")?;
    let mut buffer = [7; 2];
    expect_eq!((pread(&reader, &mut buffer, offset), buffer), (Err(ESPIPE), [7; 2]));
    expect_eq!(pwrite(&writer, b"more", offset), Err(ESPIPE));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"data".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// A pipe cannot be truncated, through neither end, and keeps its bytes.
#[rstest]
#[case::to_nothing(0)]
#[case::to_one_byte(1)]
#[case::to_more(1 << 20)]
#[conformance::test(man = "ftruncate(2)")]
fn has_no_length(#[case] length: i64) -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    write_all(&writer, b"data")?;
    expect_eq!((ftruncate(&writer, length), ftruncate(&reader, length)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"data".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// No storage can be reserved for it.
#[cfg(not(apple))]
#[rstest]
#[conformance::test(posix = "posix_fallocate")]
fn has_no_storage_to_reserve(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    expect_eq!(posix_fallocate(&writer, 0, 4096), Err(ESPIPE));
    expect_eq!((unread(&reader), next(&reader)), (Ok(0), Err(EAGAIN)));
    Ok(())
}

/// It cannot be mapped.
#[rstest]
#[conformance::test(posix = "mmap")]
fn has_no_pages_to_map(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    write_all(&writer, b"data")?;
    expect_eq!((map_page(&reader), next(&reader)), (Err(ENODEV), Ok(b"data".to_vec())));
    Ok(())
}

/// It cannot be synchronised.
#[rstest]
#[conformance::test(posix = "fsync")]
fn has_nothing_to_synchronise(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    expect_eq!((fsync(&reader), fsync(&writer)), (Err(EINVAL), Err(EINVAL)));
    #[cfg(not(apple))]
    expect_eq!((fdatasync(&reader), fdatasync(&writer)), (Err(EINVAL), Err(EINVAL)));
    Ok(())
}

/// It is no terminal, no socket and no directory.
#[rstest]
#[conformance::test(posix = "isatty", posix = "shutdown", posix = "fchdir")]
fn is_nothing_else(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// The file system that it lives in can be asked for, at both ends.
#[cfg(linux)]
#[conformance::test(man = "statfs(2)")]
fn lives_in_the_file_system_of_pipes() -> Outcome {
    use nix::sys::statfs::FsType;
    const PIPES: FsType = FsType(0x5049_5045);
    let (reader, writer) = pipe()?;
    for end in [&reader, &writer] {
        let system = nix::sys::statfs::fstatfs(end).map(|system| system.filesystem_type());
        expect_eq!(system.map_err(Errno::from), Ok(PIPES));
    }
    Ok(())
}
