//! Timestamps of a FIFO: `st_atime`, `st_mtime` and `st_ctime` after `mkfifo`, `read`, `write`, and calls that transfer no bytes.

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::path::attributes::set_times;
use conformance::sys::path::status::{data_times, times};

use super::fixture::Fifo;

/// Long ago, in seconds: earlier than any clock that a case could meet.
const LONG_AGO: (i64, i64) = (1000, 0);

/// A FIFO on a file system that updates timestamps: neither mounted with `noatime` nor an overlay, where `stat` and the open ends
/// may refer to different inodes.
fn with_timestamps() -> Result<Fifo, Failure> {
    let fifo = Fifo::new()?;
    #[cfg(linux)]
    {
        use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, statfs};
        use nix::sys::statvfs::{FsFlags, statvfs};
        let overlaid = statfs(fifo.directory())?.filesystem_type() == OVERLAYFS_SUPER_MAGIC;
        if overlaid || statvfs(fifo.directory())?.flags().contains(FsFlags::ST_NOATIME) {
            let why = "a directory for temporary files on a file system that is mounted without noatime and is no overlay";
            return Err(Failure::untested(why));
        }
    }
    Ok(fifo)
}

/// `st_atime` and `st_mtime` by name.
fn timestamps(fifo: &Fifo) -> Result<[(i64, i64); 2], Errno> {
    Ok(data_times(&stat(fifo.path())?))
}

/// Sets `st_atime` and `st_mtime` to a time long ago.
fn set_long_ago(fifo: &Fifo) -> Result<(), Errno> {
    set_times(fifo.path(), LONG_AGO.0, LONG_AGO.0)
}

/// The current time of the file system's clock, taken from a file that is created beside the FIFO.
fn now(fifo: &Fifo, name: &str) -> Result<(i64, i64), Errno> {
    std::fs::write(fifo.sibling(name), "x")?;
    let now = times(&stat(&fifo.sibling(name))?)[1];
    unlink(&fifo.sibling(name))?;
    Ok(now)
}

/// `mkfifo` sets the three timestamps of the new FIFO, and `st_mtime` and `st_ctime` of its directory, to the current time.
#[conformance::test(posix = "mkfifo")]
fn of_a_new_fifo_are_the_creation_time() -> Outcome {
    let fifo = Fifo::new()?;
    let before = now(&fifo, "before")?;
    set_times(fifo.directory(), 1000, 1000)?;
    let path = fifo.sibling("new");
    expect_eq!(mkfifo(&path, 0o600), Ok(()));
    let [_, modified, changed] = times(&stat(fifo.directory())?);
    let after = now(&fifo, "after")?;
    for time in times(&stat(&path)?) {
        expect!(before <= time && time <= after, "{time:?} is not between {before:?} and {after:?}");
    }
    expect!(before <= modified && modified <= after, "st_mtime of the directory is {modified:?}");
    expect!(before <= changed && changed <= after, "st_ctime of the directory is {changed:?}");
    Ok(())
}

/// `write` to a FIFO updates `st_mtime` to the current time, as reported by `stat` of the name and `fstat` of both ends, and
/// leaves `st_atime` as it was.
#[conformance::test(posix = "write")]
fn write_updates_mtime() -> Outcome {
    let fifo = with_timestamps()?;
    let (reader, writer) = fifo.ends()?;
    let before = now(&fifo, "before")?;
    set_long_ago(&fifo)?;
    expect_eq!(write(&writer, b"data"), Ok(4));
    let [accessed, modified] = timestamps(&fifo)?;
    let after = now(&fifo, "after")?;
    expect_eq!(accessed, LONG_AGO);
    expect!(before <= modified && modified <= after, "st_mtime is {modified:?}");
    expect_eq!([times(&fstat(&reader)?)[1], times(&fstat(&writer)?)[1]], [modified; 2]);
    Ok(())
}

/// After `write` of 4 bytes to a FIFO, `st_ctime` is later than before, if the clock of the file system has advanced since the
/// last change.
#[conformance::test(posix = "write")]
fn write_updates_ctime() -> Outcome {
    let fifo = with_timestamps()?;
    let (_reader, writer) = fifo.ends()?;
    let before = times(&stat(fifo.path())?)[2];
    // The clock of a file system advances in ticks.
    let mut pause = Pause::default();
    while now(&fifo, "clock")? <= before {
        pause.sleep();
    }
    expect_eq!(write(&writer, b"data"), Ok(4));
    let after = times(&stat(fifo.path())?)[2];
    expect!(after > before, "st_ctime was {before:?} and is {after:?}");
    Ok(())
}

/// `read` of 4 bytes from a FIFO updates `st_atime` to the current time and leaves `st_mtime` as it was.
#[conformance::test(posix = "read")]
fn read_updates_atime() -> Outcome {
    let fifo = with_timestamps()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"data")?;
    let before = now(&fifo, "before")?;
    set_long_ago(&fifo)?;
    expect_eq!(read(&reader, &mut [0; 9]), Ok(4));
    let [accessed, modified] = timestamps(&fifo)?;
    expect_eq!(modified, LONG_AGO);
    expect!(before <= accessed && accessed <= now(&fifo, "after")?, "st_atime is {accessed:?}");
    Ok(())
}

/// `open` with `O_RDWR | O_NONBLOCK`, `close`, `poll`, `read` and `write` of 0 bytes, `read` that fails with `EAGAIN`, and
/// `write` that fails with `EFAULT` or `EPIPE`, leave `st_atime` and `st_mtime` of a FIFO as they were or set them to the current
/// time. Either is accepted, and which of the two is recorded.
#[conformance::test(posix = "read", posix = "write", level = observed)]
fn without_transferred_bytes() -> Outcome {
    let fifo = with_timestamps()?;
    let (reader, writer) = (fifo.reader()?, fifo.writer()?);
    let before = now(&fifo, "before")?;
    set_long_ago(&fifo)?;
    expect_eq!((read(&reader, &mut [0; 1]), write(&writer, b""), read(&reader, &mut [])), (Err(EAGAIN), Ok(0), Ok(0)));
    let guarded = Guarded::new()?;
    expect_eq!(guarded.write_across(&writer, 0, 4), Err(EFAULT));
    fifo.open_and_close(OFlag::O_RDWR)?;
    ready(&reader, PollFlags::POLLIN)?;
    drop(reader);
    signal::ignore(Signal::SIGPIPE)?;
    expect_eq!(write(&writer, b"x"), Err(EPIPE));
    let seen = timestamps(&fifo)?;
    let after = now(&fifo, "after")?;
    for time in seen {
        expect!(time == LONG_AGO || (before <= time && time <= after), "{time:?} is not between {before:?} and {after:?}");
    }
    observe!("fifo.timestamps-updated-without-transfer", seen != [LONG_AGO; 2]);
    Ok(())
}

/// `read` of the last bytes of a FIFO, and `read` that returns 0 at end-of-file, leave `st_mtime` as it was.
#[conformance::test(posix = "read")]
fn end_of_file_leaves_mtime() -> Outcome {
    let fifo = with_timestamps()?;
    let (reader, writer) = fifo.ends()?;
    write_all(writer, b"data")?;
    set_long_ago(&fifo)?;
    expect_eq!(read_to_end(&reader), Ok(b"data".to_vec()));
    drop(reader);
    expect_eq!(timestamps(&fifo)?[1], LONG_AGO);
    Ok(())
}
