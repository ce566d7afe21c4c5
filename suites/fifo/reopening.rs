//! Opening an end once more through `/proc`: a new description of the same FIFO, under the rules for FIFOs and their permissions.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::path::attributes::chmod;
use conformance::sys::process::identity::become_user;
use rstest::rstest;

use super::fixture::{Named, Side};

/// The link in `/proc` to a descriptor of the calling process.
fn link_to(end: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", end.as_raw_fd()))
}

/// A reading end can be opened for writing, as it stands for the FIFO and not for the direction.
#[conformance::test(man = "proc_pid_fd(5)", needs(procfs))]
fn gives_either_direction() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    let writer = open(&link_to(&reader), OFlag::O_WRONLY | OFlag::O_NONBLOCK);
    expect_eq!(writer.as_ref().map_or_else(|errno| Err(*errno), |writer| write(writer, b"data")), Ok(4));
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    expect_eq!(read(&reader, &mut [0; 1]), Err(EAGAIN));
    drop(writer);
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}

/// It works without a name as well, where no one else can come any more.
#[conformance::test(man = "proc_pid_fd(5)", needs(procfs))]
fn needs_no_name() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    unlink(fifo.path())?;
    let writer = open(&link_to(&reader), OFlag::O_WRONLY)?;
    expect_eq!((write(&writer, b"data"), read_some(&reader, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}

/// The new description has its own flags.
#[conformance::test(man = "proc_pid_fd(5)", needs(procfs))]
fn makes_a_description_of_its_own() -> Outcome {
    let fifo = Named::new()?;
    let (reader, _writer) = fifo.ends()?;
    let again = open(&link_to(&reader), OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    let flags = [status_flags(&reader)? & OFlag::O_NONBLOCK, status_flags(&again)? & OFlag::O_NONBLOCK];
    expect_eq!(flags, [OFlag::empty(), OFlag::O_NONBLOCK]);
    expect_eq!(read(&again, &mut [0; 1]), Err(EAGAIN));
    Ok(())
}

/// The rules for FIFOs hold: without the other side it waits, or fails if it is told not to.
#[rstest]
#[conformance::test(man = "fifo(7)", needs(procfs))]
fn waits_for_the_other_side(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let (mine, other) = if side == Side::Reader { (reader, writer) } else { (writer, reader) };
    drop(other);
    if side == Side::Writer {
        expect_eq!(open(&link_to(&mine), OFlag::O_WRONLY | OFlag::O_NONBLOCK).map(drop), Err(ENXIO));
    }
    let opener = Participant::spawn("opener", mine, |mine, _| open(&link_to(&mine), side.flag()).map(drop))?;
    opener.until_blocked()?;
    fifo.visit(side.other().flag())?;
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// The permissions of the FIFO are asked for, whatever descriptor it is opened through.
#[conformance::test(man = "proc_pid_fd(5)", needs(procfs, second_user))]
fn asks_for_permission() -> Outcome {
    let fifo = Named::new()?;
    chmod(fifo.path(), 0o604)?;
    let (user, group) = second_user();
    let both = fifo.both()?;
    let stranger = Participant::spawn("stranger", both, |both, _| {
        become_user(user, group)?;
        Ok::<_, Errno>([OFlag::O_RDONLY, OFlag::O_WRONLY].map(|flags| open(&link_to(&both), flags | OFlag::O_NONBLOCK).map(drop)))
    })?;
    expect_eq!(stranger.join()?, Ok([Ok(()), Err(EACCES)]));
    Ok(())
}

/// What another process has open can be opened through that process's entry, and then outlives the process.
#[conformance::test(man = "proc_pid_fd(5)", needs(procfs))]
fn reaches_the_ends_of_others() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let number = writer.as_raw_fd();
    let holder = Participant::spawn("holder", writer, |_held, link| -> () { link.park() })?;
    let ours = open(&PathBuf::from(format!("/proc/{}/fd/{number}", holder.id())), OFlag::O_WRONLY)?;
    holder.kill()?;
    set_nonblocking(&reader, true)?;
    expect_eq!((read(&reader, &mut [0; 1]), write(&ours, b"data")), (Err(EAGAIN), Ok(4)));
    drop(ours);
    expect_eq!(read_to_end(&reader), Ok(b"data".to_vec()));
    Ok(())
}
