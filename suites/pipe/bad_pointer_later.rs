//! Bad pointers in a pipe that has been in use: each place of its buffer has held bytes before, and none of them comes back.

use conformance::prelude::*;
use rstest::rstest;

use common::ends::{next, not_waiting};
use common::pipe::Kind;

/// Brings so many chunks through, one after the other.
fn go_round(reader: &OwnedFd, writer: &OwnedFd, chunk: &[u8], times: usize) -> Outcome {
    for _ in 0..times {
        expect_eq!(write(writer, chunk), Ok(chunk.len()));
        expect!(read_exactly(reader, chunk.len())? == chunk, "other bytes came than were written");
    }
    Ok(())
}

/// A write from nowhere adds nothing to count or to read, however far round the pipe has been used, and by chunks of whatever size.
#[rstest]
#[conformance::test(man = "write(2)", man = "ioctl(2)")]
fn brings_back_nothing(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let page = page_size();
    property(&(1..3 * page, 0..40_usize, 1..page), |(chunk, times, size)| {
        let (reader, writer) = not_waiting(kind)?;
        let guarded = Guarded::new()?;
        go_round(&reader, &writer, &pattern(chunk), times)?;
        expect_eq!(guarded.write_across(&writer, 0, size), Err(EFAULT));
        expect_eq!((unread(&reader), unread(&writer), next(&reader)), (Ok(0), Ok(0), Err(EAGAIN)));
        expect_eq!((write(&writer, b"new"), unread(&reader), next(&reader)), (Ok(3), Ok(3), Ok(b"new".to_vec())));
        expect_eq!((unread(&reader), next(&reader)), (Ok(0), Err(EAGAIN)));
        Ok(())
    })
}

/// All places have been full, to the last byte; then writes fail at each of them in turn, and what is counted stays right.
#[rstest]
#[conformance::test(man = "write(2)", man = "ioctl(2)")]
fn is_no_matter_at_any_place(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    let guarded = Guarded::new()?;
    for length in [1, 100, page_size()] {
        for _ in 0..2 {
            let capacity = fill(&writer)?;
            read_exactly(&reader, capacity)?;
        }
        // Each good write moves on to the next place.
        for _ in 0..40 {
            expect_eq!(guarded.write_across(&writer, 0, length), Err(EFAULT));
            expect_eq!(unread(&reader), Ok(0));
            expect_eq!((write(&writer, b"good"), unread(&reader), next(&reader)), (Ok(4), Ok(4), Ok(b"good".to_vec())));
        }
    }
    Ok(())
}

/// Between bytes that wait to be read a write from nowhere adds nothing, in a pipe that has been used all round.
#[rstest]
#[conformance::test(man = "write(2)", man = "ioctl(2)")]
fn is_no_gap_between_good_bytes(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let page = page_size();
    property(&(0..20_usize, 1..2 * page, 1..2 * page), |(times, before, after)| {
        let (reader, writer) = not_waiting(kind)?;
        let guarded = Guarded::new()?;
        go_round(&reader, &writer, &vec![b'o'; page], times)?;
        write_all(&writer, &vec![b'a'; before])?;
        expect_eq!((guarded.write_across(&writer, 0, page), unread(&reader)), (Err(EFAULT), Ok(before)));
        write_all(&writer, &vec![b'b'; after])?;
        expect_eq!(unread(&reader), Ok(before + after));
        expect!(read_exactly(&reader, before)? == vec![b'a'; before], "the bytes before the failed write are others");
        expect!(read_exactly(&reader, after)? == vec![b'b'; after], "the bytes after the failed write are others");
        expect_eq!((unread(&reader), next(&reader)), (Ok(0), Err(EAGAIN)));
        Ok(())
    })
}

/// What failed before the last close is not there after it: the reader is at end-of-file, with nothing to count.
#[rstest]
#[conformance::test(posix = "read", man = "write(2)")]
fn leaves_end_of_file_alone(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    go_round(&reader, &writer, &pattern(page_size()), 20)?;
    expect_eq!(Guarded::new()?.write_across(&writer, 0, 10), Err(EFAULT));
    drop(writer);
    expect_eq!((unread(&reader), next(&reader), next(&reader)), (Ok(0), Ok(vec![]), Ok(vec![])));
    Ok(())
}
