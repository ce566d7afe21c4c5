//! What outlives whom: the name lasts until it is removed, the data only for as long as somebody has the FIFO open.

use conformance::prelude::*;
use conformance::sys::path::status::is_fifo;
use rstest::rstest;

use super::fixture::{Named, Side};

/// The name, and the object behind it, outlast all who had it open.
#[conformance::test(posix = "mkfifo", man = "fifo(7)")]
fn of_the_name_outlasts_the_openers() -> Outcome {
    let fifo = Named::new()?;
    let before = stat(fifo.path())?;
    drop(fifo.ends()?);
    let after = stat(fifo.path())?;
    expect_eq!((after.st_ino, after.st_mode, after.st_nlink), (before.st_ino, before.st_mode, 1));
    let (reader, writer) = fifo.ends()?;
    expect_eq!((write(&writer, b"again"), read_some(&reader, 9)), (Ok(5), Ok(b"again".to_vec())));
    Ok(())
}

/// The name outlasts the process that made it, however that ends.
#[conformance::test(man = "fifo(7)")]
fn of_the_name_outlasts_its_maker() -> Outcome {
    let fifo = Named::new()?;
    let path = fifo.beside("made");
    let maker: Participant<()> = Participant::spawn("maker", (), |(), link| {
        let made = mkfifo(&path, 0o600);
        link.reached(if made.is_ok() { "made" } else { "not made" });
        link.park()
    })?;
    maker.until_reached("made")?;
    maker.kill()?;
    expect!(is_fifo(&stat(&path)?));
    Ok(())
}

/// What is in the FIFO when the last descriptor is closed is discarded, whichever side goes last.
#[rstest]
#[case::reader_goes_last(Side::Reader)]
#[case::writer_goes_last(Side::Writer)]
#[conformance::test(posix = "close", man = "fifo(7)")]
fn of_data_ends_with_the_last_close(#[case] last: Side) -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"lost")?;
    let (first, second) = if last == Side::Reader { (writer, reader) } else { (reader, writer) };
    drop(first);
    drop(second);
    let (reader, _writer) = fifo.ends()?;
    set_nonblocking(&reader, true)?;
    expect_eq!((unread(&reader), read(&reader, &mut [0; 9])), (Ok(0), Err(EAGAIN)));
    Ok(())
}

/// What is in the FIFO stays while the reader stays, for another reader that comes when the writer has gone.
#[conformance::test(posix = "close")]
fn of_data_needs_any_reader() -> Outcome {
    let fifo = Named::new()?;
    let (first, writer) = fifo.ends()?;
    write_all(writer, b"kept")?;
    let second = fifo.reader()?;
    drop(first);
    expect_eq!([read_some(&second, 9), read_some(&second, 9)], [Ok(b"kept".to_vec()), Ok(vec![])]);
    Ok(())
}

/// What is in the FIFO stays while a writer stays, for a reader that comes when the first has gone.
#[conformance::test(posix = "close")]
fn of_data_needs_any_writer() -> Outcome {
    let fifo = Named::new()?;
    let (first, writer) = fifo.ends()?;
    write_all(&writer, b"kept")?;
    drop(first);
    let second = fifo.reader()?;
    expect_eq!((unread(&second), read_some(&second, 9)), (Ok(4), Ok(b"kept".to_vec())));
    expect_eq!(read(&second, &mut [0; 1]), Err(EAGAIN));
    Ok(())
}

/// A copy of a descriptor in a child keeps the data; when the child is killed it goes.
#[conformance::test(posix = "close", posix = "fork")]
fn of_data_lasts_as_long_as_an_inherited_end() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"kept")?;
    let child = Participant::spawn("child", reader, |_held, link| -> () { link.park() })?;
    drop(writer);
    expect_eq!(fifo.reader().and_then(unread), Ok(4));
    child.kill()?;
    expect_eq!(fifo.reader().and_then(unread), Ok(0));
    Ok(())
}

/// One that waits to open does not keep data: the FIFO starts empty for those who meet then.
#[conformance::test(posix = "open", posix = "close")]
fn of_data_ends_before_the_next_meeting() -> Outcome {
    let fifo = Named::new()?;
    let both = fifo.both()?;
    write_all(&both, b"lost")?;
    drop(both);
    let reader = Participant::spawn("reader", (), |(), _| read_to_end(open(fifo.path(), OFlag::O_RDONLY)?))?;
    reader.until_blocked()?;
    let writer = open(fifo.path(), OFlag::O_WRONLY)?;
    expect_eq!((unread(&writer), write(&writer, b"new")), (Ok(0), Ok(3)));
    drop(writer);
    expect_eq!(reader.join()?, Ok(b"new".to_vec()));
    Ok(())
}
