//! Blocking `read` and `write`: how long they stay blocked, and what they return.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{spawn_reader, spawn_writer};
use common::pipe::{Kind, every_pipe, pipe_and_fifo};

/// A `read` of 1000 bytes that is blocked on an empty pipe returns 1 as soon as a `write` adds 1 byte.
#[apply(every_pipe)]
#[conformance::test(posix = "read")]
fn read_returns_at_the_first_byte(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let reader = spawn_reader("reader", reader_end, 1000)?;
    reader.until_blocked()?;
    expect_eq!(write(&writer, b"a"), Ok(1));
    expect_eq!(reader.join()?, Ok(b"a".to_vec()));
    Ok(())
}

/// A `write` of 0 bytes returns 0, and a process blocked in `read` on the empty pipe stays blocked until a `write` adds 1 byte.
#[apply(every_pipe)]
#[conformance::test(posix = "write", level = customary)]
fn read_stays_blocked_after_a_write_of_0_bytes(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let reader = spawn_reader("reader", reader_end, 1000)?;
    reader.until_blocked()?;
    expect_eq!(write(&writer, b""), Ok(0));
    reader.expect_still_blocked()?;
    expect_eq!(write(&writer, b"a"), Ok(1));
    expect_eq!(reader.join()?, Ok(b"a".to_vec()));
    Ok(())
}

/// If n − 1 bytes are read from a full pipe, a process blocked in `write` of n ≤ `PIPE_BUF` bytes stays blocked and
/// `ioctl(FIONREAD)` shows that no byte was added. After at least n bytes and at least a page have been read in total, `write`
/// returns n.
#[rstest]
#[case::two_bytes(2)]
#[case::hundred_bytes(100)]
#[case::pipe_buf_bytes(4096)]
#[conformance::test(posix = "write")]
fn small_write_waits_for_space_for_all_bytes(#[case] size: usize) -> Outcome {
    let (reader, writer_end) = pipe()?;
    let size = size.min(pipe_buf(&writer_end)?);
    let capacity = fill(&writer_end)?;
    let writer = spawn_writer("writer", writer_end, 0xee, size)?;
    writer.until_blocked()?;
    read_exactly(&reader, size - 1)?;
    writer.expect_still_blocked()?;
    expect_eq!(unread(&reader), Ok(capacity - size + 1));
    // Now at least a page and at least `size` bytes are free, wherever the page borders are.
    let more = (page_size().max(size) - size + 1).min(capacity - size + 1);
    read_exactly(&reader, more)?;
    expect_eq!(writer.join()?, Ok(size));
    let left = capacity - size + 1 - more;
    expect_eq!(read_exactly(&reader, left).map(|bytes| bytes.len()), Ok(left));
    expect_eq!(read_some(&reader, size + 1), Ok(vec![0xee; size]));
    Ok(())
}

/// A `write` of 1 byte that is blocked on a full pipe returns 1 after 1 byte, a page less 1 byte, a page, or at the latest all
/// bytes have been read. Each of the four is allowed, and the first that suffices is recorded.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", level = observed)]
fn one_byte_write_waits_for_a_byte_or_a_page(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    let writer = spawn_writer("writer", writer_end, 0xee, 1)?;
    writer.until_blocked()?;
    let mut taken = 0;
    for (until, name) in [(1, "1 byte"), (page_size() - 1, "a page less 1 byte"), (page_size(), "a page"), (capacity, "all bytes")]
    {
        read_exactly(&reader, until - taken)?;
        taken = until;
        if writer.until_settled()? == Settled::Ended {
            observe!("pipe.blocked-write-of-1-byte-returns-after-reading", name);
            expect_eq!(writer.join()?, Ok(1));
            expect_eq!(unread(&reader), Ok(capacity - taken + 1));
            return Ok(());
        }
    }
    expect!(false, "a write of 1 byte is blocked although the pipe is empty");
    Ok(())
}

/// During a blocking `write` of three times the capacity and 1 byte, `ioctl(FIONREAD)` gives the capacity each time the writer is
/// blocked. After three `read` calls of the capacity, `write` returns its whole count.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn large_write_fills_freed_space_and_returns_total(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    read_exactly(&reader, capacity)?;
    let total = 3 * capacity + 1;
    let writer = Participant::spawn("writer", writer_end, move |end, _| write(&end, &pattern(total)))?;
    let mut received = Vec::new();
    for _ in 0..3 {
        writer.until_blocked()?;
        // The blocked `write` has filled the pipe.
        expect_eq!(unread(&reader), Ok(capacity));
        received.extend(read_exactly(&reader, capacity)?);
    }
    expect_eq!(writer.join()?, Ok(total));
    received.extend(read_to_end(&reader)?);
    expect!(received == pattern(total), "{} of {total} bytes were read, or not in order", received.len());
    Ok(())
}

/// A blocking `write` of 2.5 times 64 KiB and 77 bytes returns its whole count, and `read` calls of 1 to 200000 bytes in another
/// process return all bytes in order.
#[rstest]
#[case::reads_of_1_and_3_bytes(1, 3)]
#[case::reads_of_prime_sizes(997, 10_007)]
#[case::reads_of_about_a_page(4095, 4097)]
#[case::reads_larger_than_the_capacity(65_537, 200_000)]
#[conformance::test(posix = "write", posix = "read")]
fn large_write_arrives_whole_for_all_read_sizes(#[case] first: usize, #[case] then: usize) -> Outcome {
    let (reader, writer_end) = pipe()?;
    let total = 5 * 65_536 / 2 + 77;
    let writer = Participant::spawn("writer", writer_end, move |end, _| write(&end, &pattern(total)))?;
    let mut received = Vec::new();
    for turn in 0.. {
        let size = if turn > 50 {
            30_011
        } else if turn % 2 == 0 {
            first
        } else {
            then
        };
        let some = read_some(&reader, size)?;
        if some.is_empty() {
            break;
        }
        received.extend(some);
    }
    expect_eq!(writer.join()?, Ok(total));
    expect!(received == pattern(total), "{} of {total} bytes were read, or not in order", received.len());
    Ok(())
}

/// If a process is killed while it is blocked in a `write` of four times the capacity, after as many bytes as the capacity have
/// been read, `read` returns the next bytes in order, as many as the capacity, and then 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", posix = "read")]
fn large_write_of_a_killed_writer(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    read_exactly(&reader, capacity)?;
    let writer = Participant::spawn("writer", writer_end, move |end, _| write(&end, &pattern(4 * capacity)))?;
    writer.until_blocked()?;
    let mut received = read_exactly(&reader, capacity)?;
    writer.until_blocked()?;
    writer.kill()?;
    received.extend(read_to_end(&reader)?);
    expect_eq!(received, pattern(2 * capacity));
    Ok(())
}

/// While `poll` reports `POLLOUT` at the write end, each blocking `write` of n ≤ `PIPE_BUF` bytes returns n without blocking,
/// although no byte is read.
#[rstest]
#[case::one_byte(1)]
#[case::hundred_bytes(100)]
#[case::pipe_buf_bytes(4096)]
#[conformance::test(posix = "poll", posix = "write")]
fn write_does_not_block_after_pollout(#[case] size: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    let size = size.min(pipe_buf(&writer)?);
    // The end is blocking on purpose: if `POLLOUT` is wrong the case hangs and fails. The first `write` leaves an odd number of free
    // bytes.
    write(&writer, &pattern(capacity_less(&writer, &reader, 3 * 4096 + 17)?))?;
    let mut written = 0;
    while ready(&writer, PollFlags::POLLOUT)? == PollFlags::POLLOUT {
        expect_eq!(write(&writer, &vec![1; size]), Ok(size));
        written += size;
    }
    expect!(written <= 3 * 4096 + 17, "{written} bytes were written without blocking, more than were free");
    Ok(())
}

/// The capacity minus `less` bytes.
fn capacity_less(writer: &OwnedFd, reader: &OwnedFd, less: usize) -> Result<usize, Errno> {
    let capacity = fill(writer)?;
    read_exactly(reader, capacity)?;
    Ok(capacity - less)
}

/// While a process is blocked in `read` on a FIFO opened with `O_RDWR`, `write` of 1 byte through the same open file description
/// returns 1. The blocked `read` then returns that byte.
#[conformance::test(man = "fifo(7)")]
fn blocked_read_allows_write_on_the_same_description() -> Outcome {
    let (end, same) = Kind::FifoReadWrite.open()?;
    let reader = spawn_reader("reader", end, 10)?;
    reader.until_blocked()?;
    expect_eq!(lseek(&same, 0, nix::unistd::Whence::SeekCur), Err(ESPIPE));
    expect_eq!(write(&same, b"a"), Ok(1));
    expect_eq!(reader.join()?, Ok(b"a".to_vec()));
    Ok(())
}
