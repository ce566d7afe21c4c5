//! `inotify` events of a FIFO and of its directory: `open`, `close`, data transfer, changes of attributes and names.

use conformance::prelude::*;
use conformance::sys::path::attributes::fchmod;
use nix::fcntl::{SpliceFFlags, splice};
use nix::sys::inotify::{AddWatchFlags as Events, InitFlags, Inotify};

use super::fixture::{AccessMode, Fifo};

fn watch(path: &Path) -> Result<Inotify, Errno> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    inotify.add_watch(path, Events::IN_ALL_EVENTS)?;
    Ok(inotify)
}

/// The events reported since the last call, in order.
fn events(inotify: &Inotify) -> Result<Vec<Events>, Errno> {
    match inotify.read_events() {
        Ok(events) => Ok(events.into_iter().map(|event| event.mask).collect()),
        Err(nix::errno::Errno::EAGAIN) => Ok(Vec::new()),
        Err(other) => Err(other.into()),
    }
}

/// `inotify` on the name of a FIFO reports `IN_OPEN` for `open`, `IN_CLOSE_NOWRITE` when a reader closes, and `IN_CLOSE_WRITE`
/// when a writer closes.
#[conformance::test(man = "inotify(7)")]
fn reports_open_and_close() -> Outcome {
    let fifo = Fifo::new()?;
    let inotify = watch(fifo.path())?;
    let (reader, writer) = (fifo.reader()?, fifo.writer()?);
    expect_eq!(events(&inotify), Ok(vec![Events::IN_OPEN]), "two equal events in a row are reported once");
    drop(reader);
    expect_eq!(events(&inotify), Ok(vec![Events::IN_CLOSE_NOWRITE]));
    drop(writer);
    expect_eq!(events(&inotify), Ok(vec![Events::IN_CLOSE_WRITE]));
    Ok(())
}

/// `inotify` on the name of a FIFO reports `IN_OPEN` for a blocked `open` when the call returns a descriptor. An `open` that
/// fails with `ENXIO`, or whose process is killed while blocked, causes no event.
#[conformance::test(man = "inotify(7)")]
fn reports_a_blocked_open_when_it_returns() -> Outcome {
    let fifo = Fifo::new()?;
    let inotify = watch(fifo.path())?;
    expect_eq!((fifo.writer().map(drop), events(&inotify)), (Err(ENXIO), Ok(vec![])));
    fifo.blocked_open(AccessMode::WriteOnly, "victim")?.kill()?;
    let reader = Participant::spawn("reader", (), |(), link| {
        let end = open(fifo.path(), OFlag::O_RDONLY);
        link.meet("in");
        end.map(drop)
    })?;
    reader.until_blocked()?;
    expect_eq!(events(&inotify), Ok(vec![]));
    let writer = fifo.writer()?;
    reader.until_reached("in")?;
    expect_eq!(events(&inotify), Ok(vec![Events::IN_OPEN]));
    reader.open("in")?;
    expect_eq!(reader.join()?, Ok(()));
    expect_eq!(events(&inotify), Ok(vec![Events::IN_CLOSE_NOWRITE]));
    drop(writer);
    Ok(())
}

/// `inotify` on the name of a FIFO reports `IN_MODIFY` for `write` and `IN_ACCESS` for `read` of at least one byte. `read` that
/// fails with `EAGAIN` and `write` of 0 bytes cause no event.
#[conformance::test(man = "inotify(7)")]
fn reports_access_and_modification() -> Outcome {
    let fifo = Fifo::new()?;
    let both = fifo.read_write()?;
    let inotify = watch(fifo.path())?;
    expect_eq!((read(&both, &mut [0; 1]), write(&both, b""), events(&inotify)), (Err(EAGAIN), Ok(0), Ok(vec![])));
    expect_eq!((write(&both, b"ab"), events(&inotify)), (Ok(2), Ok(vec![Events::IN_MODIFY])));
    expect_eq!((read(&both, &mut [0; 1]), events(&inotify)), (Ok(1), Ok(vec![Events::IN_ACCESS])));
    Ok(())
}

/// `inotify` on the name of a FIFO reports `IN_MODIFY` for `splice` into the FIFO and `IN_ACCESS` for `splice` out of the FIFO.
#[conformance::test(man = "inotify(7)", man = "splice(2)", level = customary)]
fn reports_splice() -> Outcome {
    let fifo = Fifo::new()?;
    let both = fifo.read_write()?;
    let (reader, writer) = pipe()?;
    write_all(&writer, b"data")?;
    let inotify = watch(fifo.path())?;
    let spliced_in = splice(&reader, None, &both, None, 4, SpliceFFlags::empty()).map_err(Errno::from);
    expect_eq!((spliced_in, events(&inotify)), (Ok(4), Ok(vec![Events::IN_MODIFY])));
    let spliced_out = splice(&both, None, &writer, None, 4, SpliceFFlags::empty()).map_err(Errno::from);
    expect_eq!((spliced_out, events(&inotify)), (Ok(4), Ok(vec![Events::IN_ACCESS])));
    Ok(())
}

/// `inotify` on the name of a FIFO reports `IN_ATTRIB` for `fchmod` through an open descriptor.
#[conformance::test(man = "inotify(7)")]
fn reports_fchmod() -> Outcome {
    let fifo = Fifo::new()?;
    let both = fifo.read_write()?;
    let inotify = watch(fifo.path())?;
    fchmod(&both, 0o640)?;
    expect_eq!(events(&inotify), Ok(vec![Events::IN_ATTRIB]));
    Ok(())
}

/// `inotify` on a directory reports `IN_CREATE` for `mkfifo`, `IN_MOVED_FROM` and `IN_MOVED_TO` for `rename`, and `IN_DELETE` for
/// `unlink` of a FIFO in that directory.
#[conformance::test(man = "inotify(7)")]
fn reports_names_in_the_directory() -> Outcome {
    let fifo = Fifo::new()?;
    let inotify = watch(fifo.directory())?;
    mkfifo(&fifo.sibling("new"), 0o600)?;
    rename(&fifo.sibling("new"), &fifo.sibling("newer"))?;
    unlink(&fifo.sibling("newer"))?;
    expect_eq!(events(&inotify), Ok(vec![Events::IN_CREATE, Events::IN_MOVED_FROM, Events::IN_MOVED_TO, Events::IN_DELETE]));
    Ok(())
}

/// After `unlink` of the only name of a FIFO that is open with `O_RDWR`, an `inotify` watch on that name still reports
/// `IN_MODIFY` for `write`. The `close` of the only descriptor causes `IN_CLOSE_WRITE`, `IN_DELETE_SELF` and `IN_IGNORED`, in
/// this order.
#[conformance::test(man = "inotify(7)")]
fn watch_lasts_until_the_last_close() -> Outcome {
    let fifo = Fifo::new()?;
    let both = fifo.read_write()?;
    let inotify = watch(fifo.path())?;
    unlink(fifo.path())?;
    expect_eq!(events(&inotify), Ok(vec![Events::IN_ATTRIB]));
    write_all(&both, b"x")?;
    expect_eq!(events(&inotify), Ok(vec![Events::IN_MODIFY]));
    drop(both);
    expect_eq!(events(&inotify), Ok(vec![Events::IN_CLOSE_WRITE, Events::IN_DELETE_SELF, Events::IN_IGNORED]));
    Ok(())
}
