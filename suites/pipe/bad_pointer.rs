//! Invalid pointers: what `read`, `write`, `readv` and `writev` do on a pipe if a buffer is outside of the accessible address
//! space. The calls return `EFAULT` or a count; bytes are never lost, doubled or made up.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{capacity, next, open_nonblocking};
use common::pipe::{Kind, every_pipe, pipe_and_fifo};

/// A size, given that of a page.
type Size = fn(usize) -> usize;

/// The result as text that does not depend on the page size: `EFAULT`, a count of bytes, or "one page".
fn in_words(result: Result<usize, Errno>) -> String {
    match result {
        Ok(count) if count == page_size() => "one page".to_owned(),
        Ok(count) => format!("{count} bytes"),
        Err(errno) => format!("{errno:?}"),
    }
}

/// `write` from an invalid pointer and `writev` with an invalid first segment fail with `EFAULT`, and `ioctl(FIONREAD)` gives the
/// same number of unread bytes as before. `read` returns only the bytes written before and after the failed calls.
#[apply(every_pipe)]
#[case::one_byte(|_| 1)]
#[case::half_a_page(|page| page / 2)]
#[case::a_page(|page| page)]
#[conformance::test(man = "write(2)")]
fn failed_write_adds_no_byte(#[case] size: Size, kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
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

/// After 20 calls of `write` from an invalid pointer have failed with `EFAULT` on an empty pipe, `poll` reports no event at the
/// read end and `POLLOUT` at the write end. `write` then adds as many bytes as to a new pipe before the pipe is full.
#[apply(every_pipe)]
#[conformance::test(man = "write(2)", fixed_in = "Linux 6.15")]
fn failed_write_uses_no_capacity(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    let guarded = Guarded::new()?;
    for _ in 0..20 {
        expect_eq!(guarded.write_across(&writer, 0, 1), Err(EFAULT));
    }
    expect_eq!(
        (ready(&reader, PollFlags::POLLIN), ready(&writer, PollFlags::POLLOUT)),
        (Ok(PollFlags::empty()), Ok(PollFlags::POLLOUT))
    );
    let capacity = capacity(kind)?;
    expect_eq!((fill(&writer), unread(&reader)), (Ok(capacity), Ok(capacity)));
    Ok(())
}

/// After a `write` from an invalid pointer has failed with `EFAULT` on an empty pipe, a non-blocking `read` fails with `EAGAIN`
/// while there is a writer. After the last writer closes, `read` returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "write(2)")]
fn failed_write_gives_no_end_of_file(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    let guarded = Guarded::new()?;
    expect_eq!((guarded.write_across(&writer, 0, 1), next(&reader)), (Err(EFAULT), Err(EAGAIN)));
    expect_eq!((write(&writer, b"x"), guarded.write_across(&writer, 0, 1)), (Ok(1), Err(EFAULT)));
    expect_eq!((next(&reader), next(&reader), unread(&reader)), (Ok(b"x".to_vec()), Err(EAGAIN), Ok(0)));
    drop(writer);
    expect_eq!(next(&reader), Ok(vec![]));
    Ok(())
}

/// If `write` from an invalid pointer fails with `EFAULT`, a process blocked in `read` on the empty pipe stays blocked. That
/// `read` returns the byte of the next `write` of 1 byte.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "write(2)")]
fn failed_write_keeps_reader_blocked(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let guarded = Guarded::new()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| next(&end))?;
    reader.until_blocked()?;
    expect_eq!(guarded.write_across(&writer, 0, 1), Err(EFAULT));
    reader.expect_still_blocked()?;
    expect_eq!((write(&writer, b"x"), reader.join()?), (Ok(1), Ok(b"x".to_vec())));
    Ok(())
}

/// `write` from a buffer of which only the first n bytes are readable fails with `EFAULT` and adds no byte, or returns a count
/// from 1 to n and adds that many bytes from the beginning of the buffer. Both are allowed, and the result is recorded.
#[rstest]
#[case::valid_for_4_bytes(|_| 4, |_| 6, "pipe.write-valid-for-4-bytes")]
#[case::valid_for_a_page(|page| page, |page| page, "pipe.write-valid-for-a-page")]
#[case::valid_for_100_bytes(|_| 100, |page| page, "pipe.write-valid-for-100-bytes")]
#[conformance::test(posix = "write", man = "write(2)", level = observed)]
fn write_from_partly_valid_buffer(#[case] good: Size, #[case] bad: Size, #[case] key: &str) -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    let page = page_size();
    let (good, bad) = (good(page), bad(page));
    let bytes = pattern(good);
    guarded.bytes()[page - good..].copy_from_slice(&bytes);
    let written = guarded.write_across(&writer, good, bad);
    observe!(key, in_words(written));
    expect!(
        written == Err(EFAULT) || written.is_ok_and(|count| (1..=good).contains(&count)),
        "{written:?} with {good} valid bytes"
    );
    let added = written.unwrap_or(0);
    expect_eq!(unread(&reader), Ok(added));
    expect_eq!((write(&writer, b"next"), read_some(&reader, 2 * page)), (Ok(4), Ok([&bytes[..added], b"next"].concat())));
    Ok(())
}

/// `writev` with a readable first segment of n bytes and an invalid second one fails with `EFAULT` and adds no byte, or returns a
/// count from 1 to n and adds that many bytes of the first segment. Both are allowed, and the result is recorded; earlier unread
/// bytes stay as they were.
#[rstest]
#[case::valid_for_4_bytes(|_| 4, "pipe.writev-valid-for-4-bytes")]
#[case::valid_for_a_page(|page| page, "pipe.writev-valid-for-a-page")]
#[conformance::test(posix = "writev", man = "readv(2)", level = observed)]
fn writev_from_partly_valid_buffers(#[case] good: Size, #[case] key: &str, #[values(0, 10)] unread_bytes: usize) -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    let page = page_size();
    let good = good(page);
    let bytes = pattern(good);
    guarded.bytes()[..good].copy_from_slice(&bytes);
    let held = &b"0123456789"[..unread_bytes];
    write_all(&writer, held)?;
    let written = guarded.writev(&writer, &[(0, good), (page, 6), (0, 4)]);
    observe!(format!("{key}-behind-{unread_bytes}-bytes").as_str(), in_words(written));
    expect!(
        written == Err(EFAULT) || written.is_ok_and(|count| (1..=good).contains(&count)),
        "{written:?} with {good} valid bytes"
    );
    let added = written.unwrap_or(0);
    expect_eq!(unread(&reader), Ok(held.len() + added));
    expect_eq!((write(&writer, b"next"), read_some(&reader, 2 * page)), (Ok(4), Ok([held, &bytes[..added], b"next"].concat())));
    Ok(())
}

/// If a `write` of less than a page from an invalid pointer fails with `EFAULT` while 3 bytes are unread in the last page of the
/// pipe, `read` returns these 3 bytes unchanged, followed by the bytes of later successful `write` calls.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "write(2)", man = "pipe(7)")]
fn failed_write_keeps_bytes_of_the_same_page(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    let mut guarded = Guarded::new()?;
    guarded.bytes().fill(b'!');
    expect_eq!((write(&writer, b"abc"), guarded.write_across(&writer, 0, 97)), (Ok(3), Err(EFAULT)));
    let cut = guarded.write_across(&writer, 90, 10);
    expect!(cut == Err(EFAULT) || cut.is_ok_and(|count| (1..=90).contains(&count)), "{cut:?}");
    let added = vec![b'!'; cut.unwrap_or(0)];
    expect_eq!((write(&writer, b"def"), unread(&reader)), (Ok(3), Ok(6 + added.len())));
    expect_eq!((read_some(&reader, 200), next(&reader)), (Ok([b"abc", &added[..], b"def"].concat()), Err(EAGAIN)));
    Ok(())
}

/// `read` into an invalid pointer and `readv` with an invalid first segment fail with `EFAULT`, and `ioctl(FIONREAD)` gives the
/// same number of unread bytes as before. The next `read` returns all these bytes in order.
#[apply(every_pipe)]
#[conformance::test(man = "read(2)")]
fn failed_read_removes_no_byte(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
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

/// `read` into a buffer of which only the first n bytes are writable fails with `EFAULT` and removes no byte, or returns a count
/// from 1 to n and stores that many bytes. Both are allowed, and the result is recorded; the next `read` returns the remaining
/// bytes.
#[rstest]
#[case::valid_for_4_bytes(|_| 4, |_| 10, "pipe.read-valid-for-4-bytes")]
#[case::valid_for_a_page(|page| page, |page| 2 * page, "pipe.read-valid-for-a-page")]
#[case::valid_for_100_bytes(|_| 100, |page| 2 * page, "pipe.read-valid-for-100-bytes")]
#[conformance::test(posix = "read", man = "read(2)", level = observed)]
fn read_into_partly_valid_buffer(#[case] good: Size, #[case] held: Size, #[case] key: &str) -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    let page = page_size();
    let (good, bytes) = (good(page), pattern(held(page)));
    expect_eq!(write(&writer, &bytes), Ok(bytes.len()));
    let got = guarded.read_across(&reader, good, bytes.len() - good);
    observe!(key, in_words(got));
    expect!(got == Err(EFAULT) || got.is_ok_and(|count| (1..=good).contains(&count)), "{got:?} with {good} valid bytes");
    let stored = got.unwrap_or(0);
    expect_eq!(&guarded.bytes()[page - good..][..stored], &bytes[..stored]);
    expect_eq!(unread(&reader), Ok(bytes.len() - stored));
    expect_eq!((read_some(&reader, bytes.len()), next(&reader)), (Ok(bytes[stored..].to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `readv` with a writable first segment of n bytes and an invalid second one fails with `EFAULT` and removes no byte, or returns
/// a count from 1 to n and stores that many bytes. Both are allowed, and the result is recorded; the next `read` returns the
/// remaining bytes.
#[rstest]
#[case::valid_for_4_of_20_bytes(|_| 4, "pipe.readv-valid-for-4-bytes")]
#[case::valid_for_10_of_20_bytes(|_| 10, "pipe.readv-valid-for-10-bytes")]
#[case::valid_for_a_page(|page| page, "pipe.readv-valid-for-a-page")]
#[conformance::test(posix = "readv", man = "readv(2)", level = observed)]
fn readv_into_partly_valid_buffers(#[case] good: Size, #[case] key: &str) -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    let page = page_size();
    let good = good(page);
    let bytes = pattern(good.max(10) + 10);
    let (first, second) = bytes.split_at(bytes.len() - 10);
    expect_eq!((write(&writer, first), write(&writer, second)), (Ok(first.len()), Ok(10)));
    let got = guarded.readv(&reader, &[(0, good), (page, 6), (good, page - good)]);
    observe!(key, in_words(got));
    expect!(got == Err(EFAULT) || got.is_ok_and(|count| (1..=good).contains(&count)), "{got:?} with {good} valid bytes");
    let stored = got.unwrap_or(0);
    expect_eq!(&guarded.bytes()[..stored], &bytes[..stored]);
    expect_eq!(unread(&reader), Ok(bytes.len() - stored));
    expect_eq!((read_some(&reader, bytes.len()), next(&reader)), (Ok(bytes[stored..].to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `readv` and `writev` ignore the invalid pointer of a segment of length 0 and transfer the bytes of the other segments. `read`
/// and `write` of 0 bytes with an invalid pointer return 0.
#[conformance::test(posix = "readv", posix = "writev", level = customary)]
fn is_ignored_with_length_0() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
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

/// If the `iovec` array is not readable from its first, second or twenty-first entry on, `readv` and `writev` fail with `EFAULT`,
/// and `ioctl(FIONREAD)` gives the same number of unread bytes as before.
#[rstest]
#[case::no_entry_readable(0)]
#[case::one_entry_readable(1)]
#[case::twenty_entries_readable(20)]
#[conformance::test(man = "readv(2)")]
fn unreadable_iovec_array_transfers_no_byte(#[case] readable: usize) -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    expect_eq!((guarded.writev_array_across(&writer, readable, 1), unread(&reader)), (Err(EFAULT), Ok(0)));
    write_all(&writer, b"data")?;
    expect_eq!((guarded.readv_array_across(&reader, readable, 1), unread(&reader)), (Err(EFAULT), Ok(4)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"data".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// With an invalid pointer, non-blocking `read` of an empty pipe and `write` to a full pipe fail with `EAGAIN` or `EFAULT`, and
/// `read` at end-of-file returns 0 or fails with `EFAULT`. All these results are allowed, and each is recorded.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "read(2)", man = "write(2)", level = observed)]
fn read_on_empty_and_write_on_full_pipe(kind: Kind) -> Outcome {
    let mut guarded = Guarded::new()?;
    let (reader, writer) = open_nonblocking(kind)?;
    let empty = guarded.read_across(&reader, 0, 1);
    let filled = fill(&writer)?;
    let full = guarded.write_across(&writer, 0, 1);
    expect_eq!(unread(&reader), Ok(filled));
    drop(writer);
    expect_eq!(read_exactly(&reader, filled).map(|bytes| bytes.len()), Ok(filled));
    let ended = guarded.read_across(&reader, 0, 1);
    observe!("pipe.bad-pointer-read-on-empty-pipe", in_words(empty));
    observe!("pipe.bad-pointer-write-on-full-pipe", in_words(full));
    observe!("pipe.bad-pointer-read-at-end-of-file", in_words(ended));
    expect_matches!((empty, full), (Err(EAGAIN | EFAULT), Err(EAGAIN | EFAULT)));
    expect_matches!(ended, Ok(0) | Err(EFAULT));
    expect_eq!(next(&reader), Ok(vec![]));
    Ok(())
}

/// `write` from an invalid pointer to a pipe without readers fails with `EPIPE` and raises `SIGPIPE`, or fails with `EFAULT` and
/// raises no signal. Both are allowed, and which happens is recorded.
#[conformance::test(man = "write(2)", level = observed)]
fn write_without_reader_signals_only_with_epipe() -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    let (reader, writer) = pipe()?;
    drop(reader);
    let written = Guarded::new()?.write_across(&writer, 0, 1);
    observe!("pipe.bad-pointer-write-without-reader", in_words(written));
    let signals = signal::caught(Signal::SIGPIPE);
    expect!((written, signals) == (Err(EPIPE), 1) || (written, signals) == (Err(EFAULT), 0), "{written:?} and {signals} signals");
    Ok(())
}

/// If 3 bytes are written while a process is blocked in `read` into an invalid pointer, that `read` fails with `EFAULT`. The next
/// `read` returns the 3 bytes.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "read(2)")]
fn woken_read_fails_and_removes_no_byte(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| {
        let first = Guarded::new().map(|mut guarded| guarded.read_across(&end, 0, 16));
        (first, next(&end))
    })?;
    reader.until_blocked()?;
    expect_eq!((write(&writer, b"abc"), reader.join()?), (Ok(3), (Ok(Err(EFAULT)), Ok(b"abc".to_vec()))));
    Ok(())
}

/// If two processes are blocked in `write` on a full pipe, the first from an invalid pointer and the second with 5 valid bytes,
/// and a page is read, the first `write` fails with `EFAULT` and the second returns 5. Later `read` calls return the 5 bytes
/// after the earlier ones.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "write(2)", man = "pipe(7)")]
fn woken_write_fails_and_next_writer_continues(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let full = fill(&writer_end)?;
    let first = Participant::spawn("writer with an invalid pointer", dup(&writer_end)?, |end, _| {
        Guarded::new()?.write_across(&end, 0, 16)
    })?;
    first.until_blocked()?;
    let second = Participant::spawn("second writer", dup(&writer_end)?, |end, _| write(&end, b"bytes"))?;
    second.until_blocked()?;
    expect_eq!(read_exactly(&reader, page_size()).map(|bytes| bytes.len()), Ok(page_size()));
    expect_eq!(first.join()?, Err(EFAULT));
    expect_eq!(second.until_settled()?, Settled::Ended);
    expect_eq!(second.join()?, Ok(5));
    expect_eq!(read_exactly(&reader, full - page_size()).map(|bytes| bytes.len()), Ok(full - page_size()));
    expect_eq!(next(&reader), Ok(b"bytes".to_vec()));
    set_nonblocking(&reader, true)?;
    expect_eq!(next(&reader), Err(EAGAIN));
    Ok(())
}
