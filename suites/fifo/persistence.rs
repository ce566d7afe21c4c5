//! Lifetime: the name of a FIFO lasts until it is removed, the unread bytes only while a descriptor of the FIFO is open.

use conformance::prelude::*;
use conformance::sys::path::status::is_fifo;
use rstest::rstest;

use super::fixture::{AccessMode, Fifo};

/// After all descriptors of a FIFO are closed, `stat` of the name reports the same inode and mode, and link count 1. After both
/// ends are opened again, `write` of 5 bytes returns 5, and `read` returns these bytes.
#[conformance::test(posix = "mkfifo", man = "fifo(7)")]
fn name_outlives_the_last_close() -> Outcome {
    let fifo = Fifo::new()?;
    let before = stat(fifo.path())?;
    drop(fifo.ends()?);
    let after = stat(fifo.path())?;
    expect_eq!((after.st_ino, after.st_mode, after.st_nlink), (before.st_ino, before.st_mode, 1));
    let (reader, writer) = fifo.ends()?;
    expect_eq!((write(&writer, b"again"), read_some(&reader, 9)), (Ok(5), Ok(b"again".to_vec())));
    Ok(())
}

/// After the process that created a FIFO by `mkfifo` is killed, `stat` of the name still reports a FIFO.
#[conformance::test(man = "fifo(7)")]
fn name_outlives_its_creator() -> Outcome {
    let fifo = Fifo::new()?;
    let path = fifo.sibling("made");
    let creator: Participant<()> = Participant::spawn("creator", (), |(), link| {
        let made = mkfifo(&path, 0o600);
        link.reached(if made.is_ok() { "created" } else { "failed" });
        link.park()
    })?;
    creator.until_reached("created")?;
    creator.kill()?;
    expect!(is_fifo(&stat(&path)?));
    Ok(())
}

/// The unread bytes of a FIFO are discarded when its last descriptor, a read end or a write end, is closed. After both ends are
/// opened again, `ioctl(FIONREAD)` returns 0 and a non-blocking `read` fails with `EAGAIN`.
#[rstest]
#[case::reader_closes_last(AccessMode::ReadOnly)]
#[case::writer_closes_last(AccessMode::WriteOnly)]
#[conformance::test(posix = "close", man = "fifo(7)")]
fn data_ends_with_the_last_close(#[case] last: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"discarded")?;
    let (first, second) = if last == AccessMode::ReadOnly { (writer, reader) } else { (reader, writer) };
    drop(first);
    drop(second);
    let (reader, _writer) = fifo.ends()?;
    set_nonblocking(&reader, true)?;
    expect_eq!((unread(&reader), read(&reader, &mut [0; 9])), (Ok(0), Err(EAGAIN)));
    Ok(())
}

/// If a second reader opens a FIFO after the writer closed and before the first reader closes, `read` by the second reader
/// returns the buffered bytes and then 0.
#[conformance::test(posix = "close")]
fn data_is_kept_by_any_reader() -> Outcome {
    let fifo = Fifo::new()?;
    let (first, writer) = fifo.ends()?;
    write_all(writer, b"kept")?;
    let second = fifo.reader()?;
    drop(first);
    expect_eq!([read_some(&second, 9), read_some(&second, 9)], [Ok(b"kept".to_vec()), Ok(vec![])]);
    Ok(())
}

/// After the only reader of a FIFO closed while the writer stays open, a new reader reads the buffered bytes, and then a
/// non-blocking `read` fails with `EAGAIN`.
#[conformance::test(posix = "close")]
fn data_is_kept_by_the_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let (first, writer) = fifo.ends()?;
    write_all(&writer, b"kept")?;
    drop(first);
    let second = fifo.reader()?;
    expect_eq!((unread(&second), read_some(&second, 9)), (Ok(4), Ok(b"kept".to_vec())));
    expect_eq!(read(&second, &mut [0; 1]), Err(EAGAIN));
    Ok(())
}

/// While a child holds the only descriptor of a FIFO, an inherited read end, `ioctl(FIONREAD)` on a new reader returns the number
/// of unread bytes. After that reader is closed and the child is killed, `ioctl(FIONREAD)` on the next reader returns 0.
#[conformance::test(posix = "close", posix = "fork")]
fn data_is_kept_by_an_inherited_end() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"kept")?;
    let child = Participant::spawn("child", reader, |_held, link| -> () { link.park() })?;
    drop(writer);
    expect_eq!(fifo.reader().and_then(unread), Ok(4));
    child.kill()?;
    expect_eq!(fifo.reader().and_then(unread), Ok(0));
    Ok(())
}

/// After the only descriptor of a FIFO with unread bytes is closed and both ends are opened again, `ioctl(FIONREAD)` on the write
/// end returns 0. After `write` and `close` by the new writer, the new reader reads only the bytes of that `write` until
/// end-of-file.
#[conformance::test(posix = "open", posix = "close")]
fn next_open_starts_empty() -> Outcome {
    let fifo = Fifo::new()?;
    let both = fifo.read_write()?;
    write_all(&both, b"discarded")?;
    drop(both);
    let reader = Participant::spawn("reader", (), |(), _| read_to_end(open(fifo.path(), OFlag::O_RDONLY)?))?;
    reader.until_blocked()?;
    let writer = open(fifo.path(), OFlag::O_WRONLY)?;
    expect_eq!((unread(&writer), write(&writer, b"new")), (Ok(0), Ok(3)));
    drop(writer);
    expect_eq!(reader.join()?, Ok(b"new".to_vec()));
    Ok(())
}
