//! Blocking: who sleeps, until exactly when, and that nobody is forgotten.

use conformance::prelude::*;
use rstest::rstest;

use common::ends::{reading, writing};
use common::pipe::Kind;

/// A read of an empty pipe sleeps until there is a byte, and returns that byte without waiting for more.
#[rstest]
#[conformance::test(posix = "read")]
fn read_lasts_until_the_first_byte(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let reader = reading("reader", reader_end, 1000)?;
    reader.until_blocked()?;
    expect_eq!(write(&writer, b""), Ok(0));
    reader.expect_still_blocked()?;
    expect_eq!(write(&writer, b"a"), Ok(1));
    expect_eq!(reader.join()?, Ok(b"a".to_vec()));
    Ok(())
}

/// A small write into a full pipe sleeps while a byte less is free than it needs, and has put nothing in meanwhile.
#[rstest]
#[case::two_bytes(2)]
#[case::hundred(100)]
#[case::the_most_that_is_atomic(4096)]
#[conformance::test(posix = "write")]
fn small_write_lasts_until_there_is_room_for_all_of_it(#[case] size: usize) -> Outcome {
    let (reader, writer_end) = pipe()?;
    let size = size.min(pipe_buf(&writer_end)?);
    let capacity = fill(&writer_end)?;
    let writer = writing("writer", writer_end, 0xee, size)?;
    writer.until_blocked()?;
    read_exactly(&reader, size - 1)?;
    writer.expect_still_blocked()?;
    expect_eq!(unread(&reader), Ok(capacity - size + 1));
    // More than the rest of any page, and than a writer may be made to wait for.
    let more = (page_size().max(size) - size + 1).min(capacity - size + 1);
    read_exactly(&reader, more)?;
    expect_eq!(writer.join()?, Ok(size));
    let left = capacity - size + 1 - more;
    expect_eq!(read_exactly(&reader, left).map(|bytes| bytes.len()), Ok(left));
    expect_eq!(read_some(&reader, size + 1), Ok(vec![0xee; size]));
    Ok(())
}

/// How much must be read from a full pipe before a byte goes in is the system's choice: a byte, or a page.
#[rstest]
#[conformance::test(posix = "write", level = observed)]
fn write_of_a_byte_lasts_for_as_long_as_the_system_likes(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    let writer = writing("writer", writer_end, 0xee, 1)?;
    writer.until_blocked()?;
    let mut taken = 0;
    for (until, name) in [(1, "a byte"), (page_size() - 1, "less than a page"), (page_size(), "a page"), (capacity, "everything")] {
        read_exactly(&reader, until - taken)?;
        taken = until;
        if writer.until_settled()? == Settled::Ended {
            observe!("pipe.blocked-byte-goes-in-after-reading", name);
            expect_eq!(writer.join()?, Ok(1));
            expect_eq!(unread(&reader), Ok(capacity - taken + 1));
            return Ok(());
        }
    }
    expect!(false, "an empty pipe takes a byte");
    Ok(())
}

/// A write larger than the capacity proceeds piece by piece as room appears, and returns the whole count once all is in.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn large_write_proceeds_by_pieces_and_returns_the_whole(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    read_exactly(&reader, capacity)?;
    let total = 3 * capacity + 1;
    let writer = Participant::spawn("writer", writer_end, move |end, _| write(&end, &pattern(total)))?;
    let mut received = Vec::new();
    for _ in 0..3 {
        writer.until_blocked()?;
        // It has filled the pipe, to the brim.
        expect_eq!(unread(&reader), Ok(capacity));
        received.extend(read_exactly(&reader, capacity)?);
    }
    expect_eq!(writer.join()?, Ok(total));
    received.extend(read_to_end(&reader)?);
    expect!(received == pattern(total), "{} bytes of {total} came", received.len());
    Ok(())
}

/// A large write with a reader that takes odd pieces arrives whole and in order.
#[rstest]
#[case::single_bytes_at_first(1, 3)]
#[case::primes(997, 10_007)]
#[case::about_a_page(4095, 4097)]
#[case::more_than_the_capacity(65_537, 200_000)]
#[conformance::test(posix = "write", posix = "read")]
fn large_write_survives_odd_readers(#[case] first: usize, #[case] then: usize) -> Outcome {
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
    expect!(received == pattern(total), "{} bytes of {total} came", received.len());
    Ok(())
}

/// A writer killed in the middle of a large write leaves what it had put in, in order, and then end-of-file.
#[rstest]
#[conformance::test(posix = "write", posix = "read")]
fn large_write_of_a_killed_writer_leaves_its_beginning(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// Every small write after `poll` has reported room is done without waiting, until it reports room no longer.
#[rstest]
#[case::one_byte(1)]
#[case::hundred(100)]
#[case::the_most_that_is_atomic(4096)]
#[conformance::test(posix = "poll", posix = "write")]
fn write_is_not_needed_while_poll_reports_room(#[case] size: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    let size = size.min(pipe_buf(&writer)?);
    // Blocking, on purpose: a promise that is broken is a hang. The first writes leave odd remainders for the others.
    write(&writer, &pattern(capacity_less(&writer, &reader, 3 * 4096 + 17)?))?;
    let mut written = 0;
    while ready(&writer, PollFlags::POLLOUT)? == PollFlags::POLLOUT {
        expect_eq!(write(&writer, &vec![1; size]), Ok(size));
        written += size;
    }
    expect!(written <= 3 * 4096 + 17);
    Ok(())
}

/// The capacity, less so much.
fn capacity_less(writer: &OwnedFd, reader: &OwnedFd, less: usize) -> Result<usize, Errno> {
    let capacity = fill(writer)?;
    read_exactly(reader, capacity)?;
    Ok(capacity - less)
}

/// A description that is open for both reading and writing serves both at once: a read asleep on it does not keep a write out.
#[conformance::test(man = "fifo(7)")]
fn read_does_not_lock_out_a_write_through_the_same_description() -> Outcome {
    let (end, same) = Kind::FifoReadWrite.open()?;
    let reader = reading("reader", end, 10)?;
    reader.until_blocked()?;
    expect_eq!(lseek(&same, 0, nix::unistd::Whence::SeekCur), Err(ESPIPE));
    expect_eq!(write(&same, b"a"), Ok(1));
    expect_eq!(reader.join()?, Ok(b"a".to_vec()));
    Ok(())
}
