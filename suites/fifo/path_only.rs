//! Descriptors that only stand for the name (`O_PATH`): they are nobody at either side.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::path::attributes::{chmod, fchmod};
use conformance::sys::path::status::is_fifo;
use conformance::sys::process::identity::become_user;

use super::fixture::{Named, Side};

fn path_only(fifo: &Named) -> Result<OwnedFd, Errno> {
    open(fifo.path(), OFlag::O_PATH)
}

/// Opening with `O_PATH` does not wait, whatever the access mode says, and makes neither a reader nor a writer.
#[conformance::test(man = "open(2)")]
fn counts_for_nobody() -> Outcome {
    let fifo = Named::new()?;
    let held = [open(fifo.path(), OFlag::O_PATH), open(fifo.path(), OFlag::O_PATH | OFlag::O_RDWR)];
    expect_eq!(held.each_ref().map(|held| held.as_ref().map(|_| ())), [Ok(()), Ok(())]);
    expect_eq!((fifo.nobody_at(Side::Reader), fifo.nobody_at(Side::Writer)), (Ok(true), Ok(true)));
    let reader = fifo.waiting(Side::Reader, "reader")?;
    expect_eq!(path_only(&fifo).map(drop), Ok(()));
    reader.expect_still_blocked()?;
    fifo.visit(OFlag::O_WRONLY)?;
    expect_eq!(reader.join()?, Ok(()));
    Ok(())
}

/// Nothing can be read, written or changed through such a descriptor; its status can be had.
#[conformance::test(man = "open(2)")]
fn gives_the_status_and_nothing_else() -> Outcome {
    let fifo = Named::new()?;
    let _both = fifo.both()?;
    let held = path_only(&fifo)?;
    expect_eq!((read(&held, &mut [0; 1]), write(&held, b"x"), fchmod(&held, 0o644)), (Err(EBADF), Err(EBADF), Err(EBADF)));
    expect_eq!((unread(&held), pipe_size(&held), set_pipe_size(&held, 4096)), (Err(EBADF), Err(EBADF), Err(EBADF)));
    let status = fstat(&held)?;
    expect_eq!((is_fifo(&status), status.st_ino), (true, stat(fifo.path())?.st_ino));
    Ok(())
}

/// It does not keep data alive: that goes when the last real end is closed.
#[conformance::test(man = "open(2)", man = "fifo(7)")]
fn keeps_no_data() -> Outcome {
    let fifo = Named::new()?;
    let _held = path_only(&fifo)?;
    let both = fifo.both()?;
    write_all(&both, b"data")?;
    drop(both);
    expect_eq!(fifo.both().and_then(unread), Ok(0));
    Ok(())
}

/// Through `/proc/self/fd` it can be opened as an end, also once the name is gone.
#[conformance::test(man = "open(2)", needs(procfs))]
fn can_be_turned_into_an_end() -> Outcome {
    let fifo = Named::new()?;
    let held = path_only(&fifo)?;
    let reader = fifo.reader()?;
    unlink(fifo.path())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    let writer = open(&path, OFlag::O_WRONLY | OFlag::O_NONBLOCK);
    expect_eq!(writer.and_then(|writer| write(writer, b"data")), Ok(4));
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    Ok(())
}

/// It needs no permission on the FIFO, and gives none: turning it into an end is refused.
#[conformance::test(man = "open(2)", needs(second_user, procfs))]
fn needs_and_gives_no_permission() -> Outcome {
    let fifo = Named::new()?;
    chmod(fifo.directory(), 0o755)?;
    let (user, group) = second_user();
    let stranger = Participant::spawn("stranger", (), |(), _| {
        become_user(user, group)?;
        let held = path_only(&fifo)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
        Ok::<_, Errno>(open(&path, OFlag::O_RDONLY).map(drop))
    })?;
    expect_eq!(stranger.join()?, Ok(Err(EACCES)));
    Ok(())
}
