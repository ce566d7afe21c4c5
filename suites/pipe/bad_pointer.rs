//! Bad pointers: a call that meets memory that it may not touch moves whole stretches or nothing, says which, and leaves the
//! stream without a gap, a stray byte or a lost wake-up.

use conformance::prelude::*;
use rstest::rstest;

use common::ends::{capacity, next, not_waiting};
use common::pipe::Kind;

/// A size, given that of a page.
type Size = fn(usize) -> usize;

/// `EFAULT` where nothing was moved, the count where something was; in words that do not depend on the size of a page.
fn in_words(result: Result<usize, Errno>) -> String {
    match result {
        Ok(count) if count == page_size() => "a page".to_owned(),
        Ok(count) => format!("{count} bytes"),
        Err(errno) => format!("{errno:?}"),
    }
}

/// A write from nowhere fails and adds nothing.
#[rstest]
#[case::one_byte(|_| 1)]
#[case::half_a_page(|page| page / 2)]
#[case::a_page(|page| page)]
#[conformance::test(man = "write(2)")]
fn adds_nothing(#[case] size: Size, #[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    let mut guarded = Guarded::new()?;
    let page = page_size();
    let size = size(page);
    for held in [&b""[..], b"held"] {
        expect_eq!(write(&writer, held), Ok(held.len()));
        expect_eq!(guarded.write_across(&writer, 0, size), Err(EFAULT));
        expect_eq!(guarded.writev(&writer, &[(page, size), (0, 4)]), Err(EFAULT));
        expect_eq!(unread(&reader), Ok(held.len()));
    }
    expect_eq!(
        (write(&writer, b" whole"), read_some(&reader, 64), next(&reader)),
        (Ok(6), Ok(b"held whole".to_vec()), Err(EAGAIN))
    );
    Ok(())
}

/// A write from nowhere leaves no trace in an empty pipe: nothing is ready, however often it fails, and no room is taken.
#[rstest]
#[conformance::test(man = "write(2)", fixed_in = "Linux 6.15")]
fn takes_no_room(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    let guarded = Guarded::new()?;
    for _ in 0..20 {
        expect_eq!(guarded.write_across(&writer, 0, 1), Err(EFAULT));
    }
    expect_eq!(
        (ready(&reader, PollFlags::POLLIN), ready(&writer, PollFlags::POLLOUT)),
        (Ok(PollFlags::empty()), Ok(PollFlags::POLLOUT))
    );
    let room = capacity(kind)?;
    expect_eq!((fill(&writer), unread(&reader)), (Ok(room), Ok(room)));
    Ok(())
}

/// A write from nowhere looks to a reader as if it had not been: no byte and no end-of-file for one that may not wait.
#[rstest]
#[conformance::test(man = "write(2)")]
fn shows_a_reader_nothing(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    let guarded = Guarded::new()?;
    expect_eq!((guarded.write_across(&writer, 0, 1), next(&reader)), (Err(EFAULT), Err(EAGAIN)));
    expect_eq!((write(&writer, b"x"), guarded.write_across(&writer, 0, 1)), (Ok(1), Err(EFAULT)));
    expect_eq!((next(&reader), next(&reader), unread(&reader)), (Ok(b"x".to_vec()), Err(EAGAIN), Ok(0)));
    drop(writer);
    expect_eq!(next(&reader), Ok(vec![]));
    Ok(())
}

/// A write from nowhere wakes no blocked reader for good; the next write does.
#[rstest]
#[conformance::test(man = "write(2)")]
fn wakes_no_reader(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let guarded = Guarded::new()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| next(&end))?;
    reader.until_blocked()?;
    expect_eq!(guarded.write_across(&writer, 0, 1), Err(EFAULT));
    reader.expect_still_blocked()?;
    expect_eq!((write(&writer, b"x"), reader.join()?), (Ok(1), Ok(b"x".to_vec())));
    Ok(())
}

/// A write whose memory ends too early adds either nothing or as much as it says, and that is the beginning of what was there.
#[rstest]
#[case::after_a_few_bytes(|_| 4, |_| 6, "pipe.write-cut-after-a-few-bytes")]
#[case::after_a_page(|page| page, |page| page, "pipe.write-cut-after-a-page")]
#[case::within_the_first_page(|_| 100, |page| page, "pipe.write-cut-within-a-page")]
#[conformance::test(posix = "write", man = "write(2)", level = observed)]
fn cuts_a_write(#[case] good: Size, #[case] bad: Size, #[case] key: &str) -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    let page = page_size();
    let (good, bad) = (good(page), bad(page));
    let bytes = pattern(good);
    guarded.bytes()[page - good..].copy_from_slice(&bytes);
    let written = guarded.write_across(&writer, good, bad);
    observe!(key, in_words(written));
    expect!(written == Err(EFAULT) || written.is_ok_and(|count| (1..=good).contains(&count)), "{written:?} of {good} good bytes");
    let told = written.unwrap_or(0);
    expect_eq!(unread(&reader), Ok(told));
    expect_eq!((write(&writer, b"next"), read_some(&reader, 2 * page)), (Ok(4), Ok([&bytes[..told], b"next"].concat())));
    Ok(())
}

/// The same for vectors, behind bytes that are there already, which stay.
#[rstest]
#[case::after_a_few_bytes(|_| 4, "pipe.writev-cut-after-a-few-bytes")]
#[case::after_a_page(|page| page, "pipe.writev-cut-after-a-page")]
#[conformance::test(posix = "writev", man = "readv(2)", level = observed)]
fn cuts_a_vector_of_writes(#[case] good: Size, #[case] key: &str, #[values(0, 10)] held: usize) -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    let page = page_size();
    let good = good(page);
    let bytes = pattern(good);
    guarded.bytes()[..good].copy_from_slice(&bytes);
    let held = &b"0123456789"[..held];
    write_all(&writer, held)?;
    let written = guarded.writev(&writer, &[(0, good), (page, 6), (0, 4)]);
    if held.is_empty() {
        observe!(key, in_words(written));
    }
    expect!(written == Err(EFAULT) || written.is_ok_and(|count| (1..=good).contains(&count)), "{written:?} of {good} good bytes");
    let told = written.unwrap_or(0);
    expect_eq!(unread(&reader), Ok(held.len() + told));
    expect_eq!((write(&writer, b"next"), read_some(&reader, 2 * page)), (Ok(4), Ok([held, &bytes[..told], b"next"].concat())));
    Ok(())
}

/// A write that fails while it is being put behind unread bytes of the same page spoils neither these nor the next write.
#[rstest]
#[conformance::test(man = "write(2)", man = "pipe(7)")]
fn spoils_no_page_that_is_shared(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    let mut guarded = Guarded::new()?;
    guarded.bytes().fill(b'!');
    expect_eq!((write(&writer, b"abc"), guarded.write_across(&writer, 0, 97)), (Ok(3), Err(EFAULT)));
    let cut = guarded.write_across(&writer, 90, 10);
    expect!(cut == Err(EFAULT) || cut.is_ok_and(|count| (1..=90).contains(&count)), "{cut:?}");
    let told = vec![b'!'; cut.unwrap_or(0)];
    expect_eq!((write(&writer, b"def"), unread(&reader)), (Ok(3), Ok(6 + told.len())));
    expect_eq!((read_some(&reader, 200), next(&reader)), (Ok([b"abc", &told[..], b"def"].concat()), Err(EAGAIN)));
    Ok(())
}

/// A read to nowhere fails and takes nothing, not from the first write and not from any later one.
#[rstest]
#[conformance::test(man = "read(2)")]
fn takes_nothing(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    let mut guarded = Guarded::new()?;
    let page = page_size();
    let bytes = pattern(2 * page + 10);
    expect_eq!(write(&writer, &bytes), Ok(bytes.len()));
    for taken in [0, 5] {
        expect_eq!(read_exactly(&reader, taken), Ok(bytes[..taken].to_vec()));
        expect_eq!(guarded.read_across(&reader, 0, page), Err(EFAULT));
        expect_eq!(guarded.readv(&reader, &[(page, 1), (0, page)]), Err(EFAULT));
        expect_eq!(unread(&reader), Ok(bytes.len() - taken));
    }
    expect_eq!((read_some(&reader, bytes.len()), next(&reader)), (Ok(bytes[5..].to_vec()), Err(EAGAIN)));
    Ok(())
}

/// A read whose memory ends too early takes either nothing or as much as it says; what it took is in the buffer, and the rest comes
/// next.
#[rstest]
#[case::after_a_few_bytes(|_| 4, |_| 10, "pipe.read-cut-after-a-few-bytes")]
#[case::after_a_page(|page| page, |page| 2 * page, "pipe.read-cut-after-a-page")]
#[case::within_the_first_page(|_| 100, |page| 2 * page, "pipe.read-cut-within-a-page")]
#[conformance::test(posix = "read", man = "read(2)", level = observed)]
fn cuts_a_read(#[case] good: Size, #[case] held: Size, #[case] key: &str) -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    let page = page_size();
    let (good, bytes) = (good(page), pattern(held(page)));
    expect_eq!(write(&writer, &bytes), Ok(bytes.len()));
    let got = guarded.read_across(&reader, good, bytes.len() - good);
    observe!(key, in_words(got));
    expect!(got == Err(EFAULT) || got.is_ok_and(|count| (1..=good).contains(&count)), "{got:?} of {good} good bytes");
    let told = got.unwrap_or(0);
    expect_eq!(&guarded.bytes()[page - good..][..told], &bytes[..told]);
    expect_eq!(unread(&reader), Ok(bytes.len() - told));
    expect_eq!((read_some(&reader, bytes.len()), next(&reader)), (Ok(bytes[told..].to_vec()), Err(EAGAIN)));
    Ok(())
}

/// The same for vectors: a bad segment behind a good one.
#[rstest]
#[case::within_one_write(|_| 4, "pipe.readv-cut-within-a-write")]
#[case::between_two_writes(|_| 10, "pipe.readv-cut-between-writes")]
#[case::after_a_page(|page| page, "pipe.readv-cut-after-a-page")]
#[conformance::test(posix = "readv", man = "readv(2)", level = observed)]
fn cuts_a_vector_of_reads(#[case] good: Size, #[case] key: &str) -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    let page = page_size();
    let good = good(page);
    let bytes = pattern(good.max(10) + 10);
    let (first, second) = bytes.split_at(bytes.len() - 10);
    expect_eq!((write(&writer, first), write(&writer, second)), (Ok(first.len()), Ok(10)));
    let got = guarded.readv(&reader, &[(0, good), (page, 6), (good, page - good)]);
    observe!(key, in_words(got));
    expect!(got == Err(EFAULT) || got.is_ok_and(|count| (1..=good).contains(&count)), "{got:?} of {good} good bytes");
    let told = got.unwrap_or(0);
    expect_eq!(&guarded.bytes()[..told], &bytes[..told]);
    expect_eq!(unread(&reader), Ok(bytes.len() - told));
    expect_eq!((read_some(&reader, bytes.len()), next(&reader)), (Ok(bytes[told..].to_vec()), Err(EAGAIN)));
    Ok(())
}

/// A segment of no bytes may lead anywhere, and so may a whole buffer of no bytes.
#[conformance::test(posix = "readv", posix = "writev", level = observed)]
fn does_not_matter_for_no_bytes() -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    let page = page_size();
    guarded.bytes()[..8].copy_from_slice(b"abcdefgh");
    expect_eq!(guarded.writev(&writer, &[(page, 0), (0, 5), (page, 0), (5, 3), (page, 0)]), Ok(8));
    expect_eq!((guarded.write_across(&writer, 0, 0), guarded.read_across(&reader, 0, 0)), (Ok(0), Ok(0)));
    expect_eq!(guarded.readv(&reader, &[(page, 0), (page - 2, 2), (page, 0), (0, 20)]), Ok(8));
    expect_eq!((&guarded.bytes()[page - 2..], unread(&reader)), (&b"ab"[..], Ok(0)));
    expect_eq!(&guarded.bytes()[..8], b"cdefghgh");
    Ok(())
}

/// A vector whose array of segments cannot be read, from its first entry or a later one, moves nothing.
#[rstest]
#[case::none(0)]
#[case::one(1)]
#[case::many(20)]
#[conformance::test(man = "readv(2)")]
fn may_be_that_of_the_segments(#[case] readable: usize) -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    expect_eq!((guarded.writev_array_across(&writer, readable, 1), unread(&reader)), (Err(EFAULT), Ok(0)));
    write_all(&writer, b"data")?;
    expect_eq!((guarded.readv_array_across(&reader, readable, 1), unread(&reader)), (Err(EFAULT), Ok(4)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"data".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// Where nothing is to be moved the pointer is not followed, or is refused, but nothing else happens.
#[rstest]
#[conformance::test(man = "read(2)", man = "write(2)", level = observed)]
fn changes_nothing_where_nothing_can_be_moved(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let mut guarded = Guarded::new()?;
    let (reader, writer) = not_waiting(kind)?;
    let empty = guarded.read_across(&reader, 0, 1);
    let room = fill(&writer)?;
    let full = guarded.write_across(&writer, 0, 1);
    expect_eq!(unread(&reader), Ok(room));
    drop(writer);
    expect_eq!(read_exactly(&reader, room).map(|bytes| bytes.len()), Ok(room));
    let ended = guarded.read_across(&reader, 0, 1);
    observe!("pipe.bad-pointer-while-empty", in_words(empty));
    observe!("pipe.bad-pointer-while-full", in_words(full));
    observe!("pipe.bad-pointer-at-the-end", in_words(ended));
    expect_matches!((empty, full), (Err(EAGAIN | EFAULT), Err(EAGAIN | EFAULT)));
    expect_matches!(ended, Ok(0) | Err(EFAULT));
    expect_eq!(next(&reader), Ok(vec![]));
    Ok(())
}

/// A bad pointer does not hide a broken pipe, or does so without its signal.
#[conformance::test(man = "write(2)", level = observed)]
fn signals_only_with_epipe() -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    let (reader, writer) = pipe()?;
    drop(reader);
    let written = Guarded::new()?.write_across(&writer, 0, 1);
    observe!("pipe.bad-pointer-without-reader", in_words(written));
    let signals = signal::caught(Signal::SIGPIPE);
    expect!((written, signals) == (Err(EPIPE), 1) || (written, signals) == (Err(EFAULT), 0), "{written:?} and {signals} signals");
    Ok(())
}

/// A reader that slept and then cannot store what came gives it back: the next read gets it all.
#[rstest]
#[conformance::test(man = "read(2)")]
fn gives_back_what_a_woken_reader_cannot_store(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| {
        let first = Guarded::new().map(|mut guarded| guarded.read_across(&end, 0, 16));
        (first, next(&end))
    })?;
    reader.until_blocked()?;
    expect_eq!((write(&writer, b"abc"), reader.join()?), (Ok(3), (Ok(Err(EFAULT)), Ok(b"abc".to_vec()))));
    Ok(())
}

/// A writer that slept and then cannot read what it was to write adds nothing, and the room goes to another that waits.
#[rstest]
#[conformance::test(man = "write(2)", man = "pipe(7)")]
fn passes_the_room_on(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let full = fill(&writer_end)?;
    let unlucky = Participant::spawn("unlucky writer", dup(&writer_end)?, |end, _| Guarded::new()?.write_across(&end, 0, 16))?;
    unlucky.until_blocked()?;
    let lucky = Participant::spawn("lucky writer", dup(&writer_end)?, |end, _| write(&end, b"lucky"))?;
    lucky.until_blocked()?;
    expect_eq!(read_exactly(&reader, page_size()).map(|bytes| bytes.len()), Ok(page_size()));
    expect_eq!(unlucky.join()?, Err(EFAULT));
    expect_eq!(lucky.until_settled()?, Settled::Ended);
    expect_eq!(lucky.join()?, Ok(5));
    expect_eq!(read_exactly(&reader, full - page_size()).map(|bytes| bytes.len()), Ok(full - page_size()));
    expect_eq!(next(&reader), Ok(b"lucky".to_vec()));
    set_nonblocking(&reader, true)?;
    expect_eq!(next(&reader), Err(EAGAIN));
    Ok(())
}
