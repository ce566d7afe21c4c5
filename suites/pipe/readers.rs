//! Several readers of one pipe: each byte goes to one of them, end-of-file to all of them.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::next;
use common::pipe::{Kind, pipe_and_fifo};

/// If two processes call `read` for 4 bytes on one pipe at the same time, while records of 4 bytes are written, each record is
/// returned by exactly one `read`. The `read` calls of each process return their records in the order of writing.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)", level = customary)]
fn two_readers_share_the_records(kind: Kind) -> Outcome {
    const RECORDS: u32 = 3000;
    let (reader_end, writer) = kind.open()?;
    let collect = |end: OwnedFd, _: &Link| {
        let mut got = Vec::new();
        let mut record = [0; 4];
        while read(&end, &mut record).expect("a read on an open pipe succeeds") == record.len() {
            got.push(u32::from_ne_bytes(record));
        }
        got
    };
    let first = Participant::spawn("first reader", dup(&reader_end)?, collect)?;
    let second = Participant::spawn("second reader", reader_end, collect)?;
    first.until_blocked()?;
    second.until_blocked()?;
    for chunk in (0..RECORDS).collect::<Vec<_>>().chunks(10) {
        write_all(&writer, &chunk.iter().flat_map(|record| record.to_ne_bytes()).collect::<Vec<_>>())?;
    }
    drop(writer);
    let (first, second) = (first.join()?, second.join()?);
    expect!(first.is_sorted() && second.is_sorted(), "records arrived out of order");
    let mut all: Vec<u32> = [first, second].concat();
    all.sort_unstable();
    expect_eq!(all, (0..RECORDS).collect::<Vec<_>>());
    Ok(())
}

/// When the last writer closes, `read` returns 0 in each of four processes that are blocked in `read` on the empty pipe.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn last_close_wakes_all_blocked_readers(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let names = ["first reader", "second reader", "third reader", "fourth reader"];
    let readers = names.map(|name| Participant::spawn(name, dup(&reader_end)?, |end, _| read(&end, &mut [0; 1])));
    let mut blocked = Vec::new();
    for reader in readers {
        let reader = reader?;
        reader.until_blocked()?;
        blocked.push(reader);
    }
    drop(writer);
    for reader in blocked {
        expect_eq!(reader.join()?, Ok(0));
    }
    expect_eq!(next(&reader_end), Ok(vec![]));
    Ok(())
}

/// If three processes are blocked in `read` of 2 bytes, and one `write` of 3 bytes is followed by the close of the last writer,
/// one of the calls returns 2, one returns 1 and one returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)", level = customary, fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn write_and_close_wake_all_blocked_readers(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let names = ["first reader", "second reader", "third reader"];
    let mut readers = Vec::new();
    for name in names {
        let reader = Participant::spawn(name, dup(&reader_end)?, |end, _| read_some(&end, 2))?;
        reader.until_blocked()?;
        readers.push(reader);
    }
    expect_eq!(write(writer, b"one"), Ok(3));
    let mut seen = readers.into_iter().map(Participant::join).collect::<Result<Result<Vec<_>, _>, _>>()??;
    seen.sort();
    expect_eq!(seen, [&b""[..], b"e", b"on"]);
    Ok(())
}

/// When the last writer closes, `read` returns 0 in each of three threads of one process that are blocked in `read` on the empty
/// pipe.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn last_close_wakes_all_blocked_threads(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let (ids, id_of) = pipe()?;
    let reader = Participant::spawn("reader", (reader_end, id_of), |(end, id_of), _| {
        let one = || {
            write_all(&id_of, &conformance::sys::thread_id().to_ne_bytes()).expect("the case reads the id");
            read(&end, &mut [0; 1])
        };
        std::thread::scope(|scope| {
            let others = [scope.spawn(one), scope.spawn(one)];
            let mine = one();
            others.map(|other| other.join().expect("a read does not panic")).into_iter().chain([mine]).collect::<Vec<_>>()
        })
    })?;
    for _ in 0..3 {
        let id = read_exactly(&ids, 4)?.try_into().map_err(|_| EIO)?;
        reader.until_thread_blocked(i32::from_ne_bytes(id))?;
    }
    drop(writer);
    expect_eq!(reader.join()?, vec![Ok(0); 3]);
    Ok(())
}

/// A process blocked in `read` on an empty pipe stays blocked when a duplicate of its read end is closed. A later `write` of 1
/// byte returns 1, and the blocked `read` returns that byte.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "close", posix = "read")]
fn closing_a_duplicate_keeps_read_blocked(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let reader = Participant::spawn("reader", dup(&reader_end)?, |end, _| next(&end))?;
    reader.until_blocked()?;
    drop(reader_end);
    reader.expect_still_blocked()?;
    expect_eq!(ready(&writer, PollFlags::POLLOUT), Ok(PollFlags::POLLOUT));
    expect_eq!((write(&writer, b"x"), reader.join()?), (Ok(1), Ok(b"x".to_vec())));
    Ok(())
}

/// If one of two processes blocked in `read` on an empty pipe is killed, the `read` of the other returns the byte of the next
/// `write`. After the last writer closes, its next `read` returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn killed_reader_removes_no_byte(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let victim = Participant::spawn("victim", dup(&reader_end)?, |end, _| next(&end))?;
    victim.until_blocked()?;
    let survivor = Participant::spawn("survivor", reader_end, |end, _| (next(&end), next(&end)))?;
    survivor.until_blocked()?;
    victim.kill()?;
    expect_eq!(write(writer, b"x"), Ok(1));
    expect_eq!(survivor.join()?, (Ok(b"x".to_vec()), Ok(vec![])));
    Ok(())
}

/// If two processes are blocked in `read` on an empty pipe, the first with an invalid pointer, the `read` of the second returns
/// the bytes of the next `write`. The `read` of the first fails with `EFAULT`, or returns 0 after the last writer closes; both
/// are allowed.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "read(2)", man = "pipe(7)")]
fn failed_read_leaves_the_bytes_to_another_reader(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let failing =
        Participant::spawn("reader with an invalid pointer", dup(&reader_end)?, |end, _| Guarded::new()?.read_across(&end, 0, 16))?;
    failing.until_blocked()?;
    let second = Participant::spawn("second reader", dup(&reader_end)?, |end, _| next(&end))?;
    second.until_blocked()?;
    expect_eq!((write(&writer, b"abc"), second.join()?), (Ok(3), Ok(b"abc".to_vec())));
    drop(writer);
    // That `read` ran either before the second reader took the bytes, or only now at end-of-file.
    expect_matches!(failing.join()?, Err(EFAULT) | Ok(0));
    expect_eq!(next(&reader_end), Ok(vec![]));
    Ok(())
}
