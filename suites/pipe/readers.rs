//! Several readers: each byte goes to one of them, end-of-file to all, and what happens to one is not felt by the others.

use conformance::prelude::*;
use rstest::rstest;

use common::ends::next;
use common::pipe::Kind;

/// Of two readers each gets what the other does not, in order: records whose size they both read are not torn apart or lost.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn share_out_the_bytes(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    const RECORDS: u32 = 3000;
    let (reader_end, writer) = kind.open()?;
    let collect = |end: OwnedFd, _: &Link| {
        let mut got = Vec::new();
        let mut record = [0; 4];
        while read(&end, &mut record).expect("nothing stands in the way of a read") == record.len() {
            got.push(u32::from_ne_bytes(record));
        }
        got
    };
    let one = Participant::spawn("one reader", dup(&reader_end)?, collect)?;
    let other = Participant::spawn("other reader", reader_end, collect)?;
    one.until_blocked()?;
    other.until_blocked()?;
    for chunk in (0..RECORDS).collect::<Vec<_>>().chunks(10) {
        write_all(&writer, &chunk.iter().flat_map(|record| record.to_ne_bytes()).collect::<Vec<_>>())?;
    }
    drop(writer);
    let (one, other) = (one.join()?, other.join()?);
    expect!(one.is_sorted() && other.is_sorted(), "records have overtaken each other");
    let mut all: Vec<u32> = [one, other].concat();
    all.sort_unstable();
    expect_eq!(all, (0..RECORDS).collect::<Vec<_>>());
    Ok(())
}

/// Every one of several blocked readers wakes up.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn all_wake_at_the_end_of_the_file(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// Of several blocked readers those that get no bytes see end-of-file: the write and the close together wake all.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn wake_where_nothing_is_left_for_them(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// Blocked threads of one process wake up like processes, each of them.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn wake_in_every_thread(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let (ids, id_of) = pipe()?;
    let reader = Participant::spawn("reader", (reader_end, id_of), |(end, id_of), _| {
        let one = || {
            write_all(&id_of, &conformance::sys::thread_id().to_ne_bytes()).expect("the case takes the id");
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

/// Closing one of two descriptors of the reading end is not felt: not by a process that is blocked in a read through the other,
/// and not by the writer.
#[rstest]
#[conformance::test(posix = "close", posix = "read")]
fn do_not_feel_another_close(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let reader = Participant::spawn("reader", dup(&reader_end)?, |end, _| next(&end))?;
    reader.until_blocked()?;
    drop(reader_end);
    reader.expect_still_blocked()?;
    expect_eq!(ready(&writer, PollFlags::POLLOUT), Ok(PollFlags::POLLOUT));
    expect_eq!((write(&writer, b"x"), reader.join()?), (Ok(1), Ok(b"x".to_vec())));
    Ok(())
}

/// A blocked reader that is killed takes nothing with it: the next one gets the bytes, and then end-of-file.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn go_on_without_one_that_is_killed(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// A reader that was woken first and cannot store what came does not keep it from another that waits.
#[rstest]
#[conformance::test(man = "read(2)", man = "pipe(7)")]
fn pass_on_a_wake_up_that_they_cannot_use(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let unlucky = Participant::spawn("unlucky reader", dup(&reader_end)?, |end, _| Guarded::new()?.read_across(&end, 0, 16))?;
    unlucky.until_blocked()?;
    let lucky = Participant::spawn("lucky reader", dup(&reader_end)?, |end, _| next(&end))?;
    lucky.until_blocked()?;
    expect_eq!((write(&writer, b"abc"), lucky.join()?), (Ok(3), Ok(b"abc".to_vec())));
    drop(writer);
    // It either met the bytes first, or only now the end of the file.
    expect_matches!(unlucky.join()?, Err(EFAULT) | Ok(0));
    expect_eq!(next(&reader_end), Ok(vec![]));
    Ok(())
}
