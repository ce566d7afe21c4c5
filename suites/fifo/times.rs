//! The times of a FIFO: what making, reading and writing mark, and what must not.

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::node::{data_times, set_times, times};

use super::fixture::Named;

/// Long ago, in seconds: earlier than any clock that a case could meet.
const LONG_AGO: (i64, i64) = (1000, 0);

/// A FIFO where times are marked: not on a file system that is mounted to leave them alone, or laid over others, where the FIFO that is
/// used is not the one that is looked at.
fn dated() -> Result<Named, Failure> {
    let fifo = Named::new()?;
    #[cfg(linux)]
    {
        use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, statfs};
        use nix::sys::statvfs::{FsFlags, statvfs};
        let overlaid = statfs(fifo.directory())?.filesystem_type() == OVERLAYFS_SUPER_MAGIC;
        if overlaid || statvfs(fifo.directory())?.flags().contains(FsFlags::ST_NOATIME) {
            let why = "a directory for temporary files on a file system that marks times, mounted without noatime, and no overlay";
            return Err(Failure::untested(why));
        }
    }
    Ok(fifo)
}

/// Last access and last modification by name.
fn marked(fifo: &Named) -> Result<[(i64, i64); 2], Errno> {
    Ok(data_times(&stat(fifo.path())?))
}

/// Sets last access and last modification to long ago.
fn forget(fifo: &Named) -> Result<(), Errno> {
    set_times(fifo.path(), LONG_AGO.0, LONG_AGO.0)
}

/// Makes a file beside the FIFO, for its times: those of the file system's own clock, now.
fn now(fifo: &Named, name: &str) -> Result<(i64, i64), Errno> {
    std::fs::write(fifo.beside(name), "x")?;
    let now = times(&stat(&fifo.beside(name))?)[1];
    unlink(&fifo.beside(name))?;
    Ok(now)
}

/// All three times of a new FIFO are that of its making; and the directory was changed then.
#[conformance::test(posix = "mkfifo")]
fn of_a_new_fifo_are_those_of_its_making() -> Outcome {
    let fifo = Named::new()?;
    let before = now(&fifo, "before")?;
    set_times(fifo.directory(), 1000, 1000)?;
    let path = fifo.beside("new");
    expect_eq!(mkfifo(&path, 0o600), Ok(()));
    let [_, modified, changed] = times(&stat(fifo.directory())?);
    let after = now(&fifo, "after")?;
    for time in times(&stat(&path)?) {
        expect!(before <= time && time <= after, "{time:?} is not between {before:?} and {after:?}");
    }
    expect!(before <= modified && modified <= after, "the directory was modified at {modified:?}");
    expect!(before <= changed && changed <= after, "the directory was changed at {changed:?}");
    Ok(())
}

/// A write marks the modification, by name and by either end, and not the access.
#[conformance::test(posix = "write")]
fn of_modification_is_marked_by_a_write() -> Outcome {
    let fifo = dated()?;
    let (reader, writer) = fifo.ends()?;
    let before = now(&fifo, "before")?;
    forget(&fifo)?;
    expect_eq!(write(&writer, b"data"), Ok(4));
    let [accessed, modified] = marked(&fifo)?;
    let after = now(&fifo, "after")?;
    expect_eq!(accessed, LONG_AGO);
    expect!(before <= modified && modified <= after, "it was modified at {modified:?}");
    expect_eq!([times(&fstat(&reader)?)[1], times(&fstat(&writer)?)[1]], [modified; 2]);
    Ok(())
}

/// A write marks the change of status as well: once the clock has gone on, it is later than before.
#[conformance::test(posix = "write")]
fn of_change_is_marked_by_a_write() -> Outcome {
    let fifo = dated()?;
    let (_reader, writer) = fifo.ends()?;
    let before = times(&stat(fifo.path())?)[2];
    // The clock of a file system may stand still for a while.
    let mut pause = Pause::default();
    while now(&fifo, "clock")? <= before {
        pause.sleep();
    }
    expect_eq!(write(&writer, b"data"), Ok(4));
    let after = times(&stat(fifo.path())?)[2];
    expect!(after > before, "it was {before:?} and is {after:?}");
    Ok(())
}

/// A read marks the access, and not the modification.
#[conformance::test(posix = "read")]
fn of_access_is_marked_by_a_read() -> Outcome {
    let fifo = dated()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"data")?;
    let before = now(&fifo, "before")?;
    forget(&fifo)?;
    expect_eq!(read(&reader, &mut [0; 9]), Ok(4));
    let [accessed, modified] = marked(&fifo)?;
    expect_eq!(modified, LONG_AGO);
    expect!(before <= accessed && accessed <= now(&fifo, "after")?, "it was accessed at {accessed:?}");
    Ok(())
}

/// A call that moves nothing marks nothing: one that fails, one of no bytes, and opening and closing.
#[conformance::test(posix = "read", posix = "write", level = observed)]
fn are_not_marked_where_nothing_moves() -> Outcome {
    let fifo = dated()?;
    let (reader, writer) = (fifo.reader()?, fifo.writer()?);
    forget(&fifo)?;
    expect_eq!((read(&reader, &mut [0; 1]), write(&writer, b""), read(&reader, &mut [])), (Err(EAGAIN), Ok(0), Ok(0)));
    let guarded = Guarded::new()?;
    expect_eq!(guarded.write_across(&writer, 0, 4), Err(EFAULT));
    fifo.visit(OFlag::O_RDWR)?;
    ready(&reader, PollFlags::POLLIN)?;
    drop(reader);
    signal::ignore(Signal::SIGPIPE)?;
    expect_eq!(write(&writer, b"x"), Err(EPIPE));
    let seen = marked(&fifo)?;
    observe!("fifo.times-marked-where-nothing-moves", seen != [LONG_AGO; 2]);
    Ok(())
}

/// End-of-file is no access to data that would have to be marked as a modification.
#[conformance::test(posix = "read")]
fn of_modification_is_not_marked_by_reading_to_the_end() -> Outcome {
    let fifo = dated()?;
    let (reader, writer) = fifo.ends()?;
    write_all(writer, b"data")?;
    forget(&fifo)?;
    expect_eq!(read_to_end(&reader), Ok(b"data".to_vec()));
    drop(reader);
    expect_eq!(marked(&fifo)?[1], LONG_AGO);
    Ok(())
}
