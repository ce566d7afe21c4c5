//! `readv` and `writev`: the segments are concatenated, and no boundary between them is visible in the byte stream.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use proptest::collection::vec;
use proptest::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{next, open_nonblocking};
use common::pipe::{Kind, pipe_and_fifo};

/// `writev` of at least 1 byte adds the bytes of its segments in order and returns their total, whatever the sizes of the
/// segments are. `readv` of at least 1 byte stores the oldest unread bytes in its segments in order and returns their number, and
/// changes no buffer byte beyond that count.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "readv", posix = "writev")]
fn transfer_the_concatenated_segments(kind: Kind) -> Outcome {
    let page = page_size();
    // POSIX leaves `writev` of only empty segments to a pipe open; such calls are in `zero_length`.
    let segments = || {
        let sizes = vec(prop_oneof![Just(0), 1..=9_usize, 1..=page + 2], 1..12);
        sizes.prop_filter("at least one byte", |sizes| sizes.iter().sum::<usize>() > 0)
    };
    property(&(segments(), segments()), |(put, got)| {
        let (reader, writer) = open_nonblocking(kind)?;
        let bytes = pattern(put.iter().sum());
        let mut rest = bytes.as_slice();
        let chunks: Vec<IoSlice<'_>> = put.iter().map(|&size| IoSlice::new(rest.split_off(..size).unwrap_or_default())).collect();
        expect_eq!(writev(&writer, &chunks), Ok(bytes.len()));
        let mut buffers: Vec<Vec<u8>> = got.iter().map(|&size| vec![0xEE; size]).collect();
        let asked: usize = got.iter().sum();
        let count = asked.min(bytes.len());
        let mut into: Vec<IoSliceMut<'_>> = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        expect_eq!(readv(&reader, &mut into), Ok(count));
        let seen = buffers.concat();
        expect_eq!(&seen[..count], &bytes[..count]);
        expect!(seen[count..].iter().all(|&byte| byte == 0xEE), "bytes beyond the count of {count} were changed");
        expect_eq!(unread(&reader), Ok(bytes.len() - count));
        Ok(())
    })
}

/// `readv` of the 10 bytes from five `write` calls fills each segment completely before the next one and returns 10.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "readv")]
fn readv_fills_each_segment_before_the_next(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    for part in [b"ab", b"cd", b"ef", b"gh", b"ij"] {
        write_all(&writer, part)?;
    }
    let (mut one, mut two, mut three) = ([b'_'; 3], [b'_'; 4], [b'_'; 9]);
    let into = &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut []), IoSliceMut::new(&mut two), IoSliceMut::new(&mut three)];
    expect_eq!(readv(&reader, into), Ok(10));
    expect_eq!((&one, &two, &three), (b"abc", b"defg", b"hij______"));
    expect_eq!(next(&reader), Err(EAGAIN));
    Ok(())
}

/// `writev` with `IOV_MAX` segments of different sizes, some of them empty, returns the total of all sizes. `readv` calls with
/// `IOV_MAX` segments in another process return all bytes in order.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "readv", posix = "writev")]
fn iov_max_segments_succeed(kind: Kind) -> Outcome {
    let segments: Vec<usize> = (0..iov_max()).map(|index| index % 5 * 41).collect();
    let bytes = pattern(segments.iter().sum());
    let (reader, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, |end, _| {
        let mut rest = bytes.as_slice();
        let chunks: Vec<_> = segments.iter().map(|&size| IoSlice::new(rest.split_off(..size).unwrap_or_default())).collect();
        writev(&end, &chunks)
    })?;
    let mut seen: Vec<u8> = Vec::new();
    while seen.len() < bytes.len() {
        let mut buffers: Vec<Vec<u8>> = segments.iter().rev().map(|&size| vec![0; size / 2]).collect();
        let mut into: Vec<_> = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        let count = readv(&reader, &mut into)?;
        expect!(count > 0, "end-of-file after {} bytes", seen.len());
        seen.extend(&buffers.concat()[..count]);
    }
    expect!(seen == bytes, "the bytes differ first at {:?}", seen.iter().zip(&bytes).position(|(one, other)| one != other));
    expect_eq!((writer.join()?, next(&reader)), (Ok(bytes.len()), Ok(vec![])));
    Ok(())
}

/// `writev` and `readv` with `IOV_MAX` + 1 segments fail with `EINVAL` and transfer no byte.
#[conformance::test(man = "readv(2)")]
fn more_than_iov_max_segments_fail() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let most = iov_max();
    expect_eq!(writev(&writer, &vec![IoSlice::new(b"x"); most + 1]), Err(EINVAL));
    expect_eq!(next(&reader), Err(EAGAIN));
    expect_eq!(writev(&writer, &vec![IoSlice::new(b"x"); most]), Ok(most));
    let mut buffer = vec![0; most + 1];
    let mut into: Vec<_> = buffer.chunks_mut(1).map(IoSliceMut::new).collect();
    expect_eq!((readv(&reader, &mut into), unread(&reader)), (Err(EINVAL), Ok(most)));
    expect_eq!((readv(&reader, &mut into[..most]), next(&reader)), (Ok(most), Err(EAGAIN)));
    Ok(())
}

/// `writev` and `readv` of which the second segment is longer than `SSIZE_MAX` fail with `EINVAL` and transfer no byte, not even
/// of the first segment of 1 byte.
#[conformance::test(posix = "readv", posix = "writev")]
fn segment_longer_than_ssize_max_fails() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    let beyond = isize::MAX.unsigned_abs() + 1;
    expect_eq!(guarded.writev(&writer, &[(0, 1), (0, beyond)]), Err(EINVAL));
    expect_eq!(next(&reader), Err(EAGAIN));
    write_all(&writer, b"data")?;
    expect_eq!((guarded.readv(&reader, &[(0, 1), (1, beyond)]), unread(&reader)), (Err(EINVAL), Ok(4)));
    expect_eq!(next(&reader), Ok(b"data".to_vec()));
    Ok(())
}

/// `writev` and `readv` with segments whose lengths add up to more than `SSIZE_MAX` fail with `EINVAL` and transfer no byte.
#[conformance::test(posix = "readv", posix = "writev")]
fn total_longer_than_ssize_max_fails() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let mut guarded = Guarded::new()?;
    let most = isize::MAX.unsigned_abs();
    write_all(&writer, b"data")?;
    let results = (guarded.writev(&writer, &[(0, 1), (0, most)]), guarded.readv(&reader, &[(0, 1), (1, most)]));
    expect_eq!((unread(&reader), next(&reader)), (Ok(4), Ok(b"data".to_vec())));
    expect_eq!(results, (Err(EINVAL), Err(EINVAL)));
    Ok(())
}
