//! FIFOs on a file system that is mounted read-only: no name can be created or removed, and existing FIFOs may transfer data.

use conformance::prelude::*;
use conformance::sys::path::attributes::{chmod, set_times};
use conformance::sys::path::node::mknod;
use conformance::sys::path::status::data_times;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::SFlag;

use super::fixture::Fifo;

/// Makes a directory read-only for the calling process, which gets mounts of its own for that.
fn make_read_only(directory: &Path) -> Result<(), Errno> {
    let nothing = None::<&Path>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(nothing, Path::new("/"), nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    mount(Some(directory), directory, nothing, MsFlags::MS_BIND, nothing)?;
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount(nothing, directory, nothing, read_only, nothing)?;
    Ok(())
}

/// On a read-only mount, `mkfifo` and `mknod` of a name that does not exist, and `unlink` and `chmod` of an existing FIFO, fail
/// with `EROFS`. `mkfifo` of a name that exists fails with `EEXIST`.
#[conformance::test(posix = "mkfifo", posix = "mknod", posix = "unlink", needs(CAP_SYS_ADMIN))]
fn rejects_mkfifo_and_unlink() -> Outcome {
    let fifo = Fifo::new()?;
    let new = fifo.sibling("new");
    let creator = Participant::spawn("creator", (), |(), _| {
        make_read_only(fifo.directory())?;
        let created = [mkfifo(&new, 0o600), mknod(&new, SFlag::S_IFIFO, 0o600, 0), mkfifo(fifo.path(), 0o600)];
        Ok::<_, Errno>((created, [unlink(fifo.path()), chmod(fifo.path(), 0o644)]))
    })?;
    expect_eq!(creator.join()?, Ok(([Err(EROFS), Err(EROFS), Err(EEXIST)], [Err(EROFS); 2])));
    Ok(())
}

/// On a read-only mount, `open` of a FIFO with `O_WRONLY | O_NONBLOCK`, with a reader, returns a descriptor to which `write` of 4
/// bytes returns 4, or fails with `EROFS`; either is accepted, and which of the two is recorded. `st_atime` and `st_mtime` of the
/// FIFO stay as they were.
#[conformance::test(man = "open(2)", level = observed, needs(CAP_SYS_ADMIN))]
fn may_allow_writing() -> Outcome {
    let fifo = Fifo::new()?;
    set_times(fifo.path(), 1000, 1000)?;
    let user = Participant::spawn("user", (), |(), _| {
        make_read_only(fifo.directory())?;
        let reader = fifo.reader()?;
        let written = fifo.writer().and_then(|writer| write(writer, b"data"));
        Ok::<_, Errno>((written, read_some(&reader, 9)))
    })?;
    let seen = user.join()??;
    observe!("fifo.writable-on-read-only-file-system", seen.0.is_ok());
    expect_matches!((seen.0, seen.1.as_deref()), (Ok(4), Ok(b"data")) | (Err(EROFS), Ok(b"")));
    expect_eq!(data_times(&stat(fifo.path())?), [(1000, 0); 2]);
    Ok(())
}

/// `open` of a FIFO for reading by a path on a read-only mount blocks, and returns a descriptor when a process opens the FIFO for
/// writing by a path on a writable mount of the same directory. The reader reads the bytes of that writer.
#[conformance::test(man = "fifo(7)", needs(CAP_SYS_ADMIN))]
fn is_the_same_fifo_through_another_mount() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = Participant::spawn("reader", (), |(), link| {
        make_read_only(fifo.directory())?;
        link.reached("mounted");
        read_to_end(open(fifo.path(), OFlag::O_RDONLY)?)
    })?;
    reader.until_reached("mounted")?;
    reader.until_blocked()?;
    let writer = open(fifo.path(), OFlag::O_WRONLY)?;
    expect_eq!(write(writer, b"data"), Ok(4));
    expect_eq!(reader.join()?, Ok(b"data".to_vec()));
    Ok(())
}
