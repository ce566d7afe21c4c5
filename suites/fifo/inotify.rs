//! What a watch on the name of a FIFO is told (inotify(7)): opening and closing, and every movement of data.

use conformance::prelude::*;
use conformance::sys::path::attributes::fchmod;
use nix::fcntl::{SpliceFFlags, splice};
use nix::sys::inotify::{AddWatchFlags as Told, InitFlags, Inotify};

use super::fixture::{Named, Side};

fn watch(path: &Path) -> Result<Inotify, Errno> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    inotify.add_watch(path, Told::IN_ALL_EVENTS)?;
    Ok(inotify)
}

/// What has been told since the last time, in order.
fn told(inotify: &Inotify) -> Result<Vec<Told>, Errno> {
    match inotify.read_events() {
        Ok(events) => Ok(events.into_iter().map(|event| event.mask).collect()),
        Err(nix::errno::Errno::EAGAIN) => Ok(Vec::new()),
        Err(other) => Err(other.into()),
    }
}

/// Opening and closing are told, and whether the one that closes could write.
#[conformance::test(man = "inotify(7)")]
fn tells_who_comes_and_goes() -> Outcome {
    let fifo = Named::new()?;
    let inotify = watch(fifo.path())?;
    let (reader, writer) = (fifo.reader()?, fifo.writer()?);
    expect_eq!(told(&inotify), Ok(vec![Told::IN_OPEN]), "two alike in a row are told once");
    drop(reader);
    expect_eq!(told(&inotify), Ok(vec![Told::IN_CLOSE_NOWRITE]));
    drop(writer);
    expect_eq!(told(&inotify), Ok(vec![Told::IN_CLOSE_WRITE]));
    Ok(())
}

/// One that waits to open is told of when it is let in; one that is refused, or killed while it waits, never.
#[conformance::test(man = "inotify(7)")]
fn tells_of_an_opener_once_it_is_in() -> Outcome {
    let fifo = Named::new()?;
    let inotify = watch(fifo.path())?;
    expect_eq!((fifo.writer().map(drop), told(&inotify)), (Err(ENXIO), Ok(vec![])));
    fifo.waiting(Side::Writer, "victim")?.kill()?;
    let reader = Participant::spawn("reader", (), |(), link| {
        let end = open(fifo.path(), OFlag::O_RDONLY);
        link.meet("in");
        end.map(drop)
    })?;
    reader.until_blocked()?;
    expect_eq!(told(&inotify), Ok(vec![]));
    let writer = fifo.writer()?;
    reader.until_reached("in")?;
    expect_eq!(told(&inotify), Ok(vec![Told::IN_OPEN]));
    reader.open("in")?;
    expect_eq!(reader.join()?, Ok(()));
    expect_eq!(told(&inotify), Ok(vec![Told::IN_CLOSE_NOWRITE]));
    drop(writer);
    Ok(())
}

/// A read is an access and a write a modification; what moves nothing is neither.
#[conformance::test(man = "inotify(7)")]
fn tells_of_reads_and_writes() -> Outcome {
    let fifo = Named::new()?;
    let both = fifo.both()?;
    let inotify = watch(fifo.path())?;
    expect_eq!((read(&both, &mut [0; 1]), write(&both, b""), told(&inotify)), (Err(EAGAIN), Ok(0), Ok(vec![])));
    expect_eq!((write(&both, b"ab"), told(&inotify)), (Ok(2), Ok(vec![Told::IN_MODIFY])));
    expect_eq!((read(&both, &mut [0; 1]), told(&inotify)), (Ok(1), Ok(vec![Told::IN_ACCESS])));
    Ok(())
}

/// Data that `splice` moves is told of like data that is read and written.
#[conformance::test(man = "inotify(7)", man = "splice(2)")]
fn tells_of_data_that_is_spliced() -> Outcome {
    let fifo = Named::new()?;
    let both = fifo.both()?;
    let (reader, writer) = pipe()?;
    write_all(&writer, b"data")?;
    let inotify = watch(fifo.path())?;
    let spliced_in = splice(&reader, None, &both, None, 4, SpliceFFlags::empty()).map_err(Errno::from);
    expect_eq!((spliced_in, told(&inotify)), (Ok(4), Ok(vec![Told::IN_MODIFY])));
    let spliced_out = splice(&both, None, &writer, None, 4, SpliceFFlags::empty()).map_err(Errno::from);
    expect_eq!((spliced_out, told(&inotify)), (Ok(4), Ok(vec![Told::IN_ACCESS])));
    Ok(())
}

/// A change of the permissions through an end is told to a watch on the name.
#[conformance::test(man = "inotify(7)")]
fn tells_of_changes_through_an_end() -> Outcome {
    let fifo = Named::new()?;
    let both = fifo.both()?;
    let inotify = watch(fifo.path())?;
    fchmod(&both, 0o640)?;
    expect_eq!(told(&inotify), Ok(vec![Told::IN_ATTRIB]));
    Ok(())
}

/// A watch on the directory is told of a FIFO that is made, renamed and removed.
#[conformance::test(man = "inotify(7)")]
fn tells_the_directory_of_names() -> Outcome {
    let fifo = Named::new()?;
    let inotify = watch(fifo.directory())?;
    mkfifo(&fifo.beside("new"), 0o600)?;
    rename(&fifo.beside("new"), &fifo.beside("newer"))?;
    unlink(&fifo.beside("newer"))?;
    expect_eq!(told(&inotify), Ok(vec![Told::IN_CREATE, Told::IN_MOVED_FROM, Told::IN_MOVED_TO, Told::IN_DELETE]));
    Ok(())
}

/// A watch on the name outlasts the name while the FIFO is open, and ends when the last who had it open has gone.
#[conformance::test(man = "inotify(7)")]
fn tells_of_the_end_when_the_last_has_gone() -> Outcome {
    let fifo = Named::new()?;
    let both = fifo.both()?;
    let inotify = watch(fifo.path())?;
    unlink(fifo.path())?;
    expect_eq!(told(&inotify), Ok(vec![Told::IN_ATTRIB]));
    write_all(&both, b"x")?;
    expect_eq!(told(&inotify), Ok(vec![Told::IN_MODIFY]));
    drop(both);
    expect_eq!(told(&inotify), Ok(vec![Told::IN_CLOSE_WRITE, Told::IN_DELETE_SELF, Told::IN_IGNORED]));
    Ok(())
}
