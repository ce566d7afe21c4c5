//! The stream: bytes come out in the order in which they went in, each once, wherever reads and writes draw their borders.

use std::io::IoSliceMut;

use conformance::prelude::*;
use proptest::collection::vec;
use proptest::prelude::*;
use rstest::rstest;

use common::ends::{capacity, next, not_waiting};
use common::pipe::Kind;

/// One step of somebody who uses both ends.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write(usize),
    Read(usize),
}

/// Steps of one run, at most.
const STEPS: usize = 25;

/// Sizes around nothing, a page, and two pages.
fn sizes() -> impl Strategy<Value = usize> {
    let page = page_size();
    prop_oneof![1..=9_usize, page - 2..=page + 2, 1..=page, page..=2 * page]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(prop_oneof![sizes().prop_map(Step::Write), sizes().prop_map(Step::Read)], 1..=STEPS)
}

/// Whatever the sizes, a read gives the oldest unread bytes, as many as it asks for or as there are, and a write adds to the end
/// what it says it added.
#[rstest]
#[conformance::test(posix = "read", posix = "write", man = "pipe(7)")]
fn is_a_queue(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let source = pattern(STEPS * 2 * page_size());
    property(&steps(), |steps| {
        let (reader, writer) = not_waiting(kind)?;
        // The queue is what lies between the two in the source.
        let (mut got, mut put) = (0, 0);
        for step in steps {
            match step {
                Step::Write(size) => match write(&writer, &source[put..put + size]) {
                    Ok(count) => {
                        expect!((1..=size).contains(&count), "{count} of {size} bytes were written");
                        put += count;
                    }
                    refused => expect_eq!(refused, Err(EAGAIN)),
                },
                Step::Read(size) => {
                    let due = &source[got..put.min(got + size)];
                    let seen = read_some(&reader, size);
                    expect_eq!(seen.as_deref(), if due.is_empty() { Err(&EAGAIN) } else { Ok(due) });
                    got += due.len();
                }
            }
            expect_eq!(unread(&reader), Ok(put - got));
        }
        Ok(())
    })
}

/// Sizes at which an implementation changes its ways: page, `PIPE_BUF`, capacity.
type Size = fn(usize, usize) -> usize;

/// A write that fits is read back whole, in one read, in one that leaves a byte, and in halves.
#[rstest]
#[case::one_byte(|_, _| 1)]
#[case::half_a_page(|page, _| page / 2)]
#[case::page_less_one(|page, _| page - 1)]
#[case::page(|page, _| page)]
#[case::page_and_one(|page, _| page + 1)]
#[case::two_pages_and_one(|page, _| 2 * page + 1)]
#[case::capacity_less_one(|_, capacity| capacity - 1)]
#[case::capacity(|_, capacity| capacity)]
#[conformance::test(posix = "read", posix = "write")]
fn carries_a_write_of_this_size(#[case] size: Size, #[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let bytes = pattern(size(page_size(), capacity(kind)?));
    let (reader, writer) = not_waiting(kind)?;
    for first in [bytes.len(), bytes.len() - 1, bytes.len() / 2] {
        expect_eq!((write(&writer, &bytes), unread(&reader)), (Ok(bytes.len()), Ok(bytes.len())));
        if first > 0 {
            expect_eq!(read_some(&reader, first), Ok(bytes[..first].to_vec()));
        }
        expect_eq!(unread(&reader), Ok(bytes.len() - first));
        let rest = if first == bytes.len() { Err(EAGAIN) } else { Ok(bytes[first..].to_vec()) };
        expect_eq!((read_some(&reader, bytes.len() + 1), next(&reader)), (rest, Err(EAGAIN)));
    }
    Ok(())
}

/// A second write joins the first one's bytes without a seam, also where it fits into the page that the first began, fits just
/// not, or goes over several.
#[rstest]
#[case::into_the_page(|_| 10, |page| page - 10)]
#[case::one_over_the_page(|_| 10, |page| page - 9)]
#[case::one_byte_left(|page| page - 1, |_| 1)]
#[case::one_byte_short(|page| page - 1, |_| 2)]
#[case::over_two_pages(|_| 1, |page| page + 10)]
#[case::a_page_onto_a_part(|page| page / 2, |page| page)]
#[case::onto_a_whole_page(|page| page, |_| 1)]
#[case::three_pages_onto_a_part(|_| 3, |page| 3 * page - 1)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn has_no_seams(#[case] first: fn(usize) -> usize, #[case] second: fn(usize) -> usize) -> Outcome {
    let page = page_size();
    let (first, second) = (first(page), second(page));
    let bytes = pattern(first + second);
    for taken in [0, 1, first / 2, first] {
        let (reader, writer) = not_waiting(Kind::Pipe)?;
        expect_eq!(write(&writer, &bytes[..first]), Ok(first));
        expect_eq!(read_exactly(&reader, taken), Ok(bytes[..taken].to_vec()));
        expect_eq!((write(&writer, &bytes[first..]), unread(&reader)), (Ok(second), Ok(bytes.len() - taken)));
        expect_eq!(read_some(&reader, bytes.len()), Ok(bytes[taken..].to_vec()));
        expect_eq!(next(&reader), Err(EAGAIN));
    }
    Ok(())
}

/// Many small writes are one stretch of bytes: a single read gets them all.
#[rstest]
#[case::single_bytes(1)]
#[case::odd(7)]
#[case::nearly_half_a_page(2047)]
#[conformance::test(posix = "read", posix = "write")]
fn gathers_small_writes(#[case] size: usize, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    let bytes = pattern(5000 / size * size);
    for chunk in bytes.chunks(size) {
        expect_eq!(write(&writer, chunk), Ok(size));
    }
    expect_eq!((unread(&reader), read_some(&reader, 5001)), (Ok(bytes.len()), Ok(bytes)));
    expect_eq!(next(&reader), Err(EAGAIN));
    Ok(())
}

/// Bytes keep their order while the buffer is gone through several times with a backlog, in steps that divide nothing evenly.
#[rstest]
#[conformance::test(posix = "read", posix = "write", man = "pipe(7)")]
fn goes_round_and_round(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let capacity = capacity(kind)?;
    let page = page_size();
    let bytes = pattern(2 * capacity);
    property(&(page / 2..2 * page, 0..capacity / 3), |(step, backlog)| {
        let (reader, writer) = not_waiting(kind)?;
        expect_eq!(write(&writer, &bytes[..backlog]), if backlog == 0 { Ok(0) } else { Ok(backlog) });
        let (mut put, mut got) = (backlog, 0);
        while put + step <= bytes.len() {
            expect_eq!(write(&writer, &bytes[put..put + step]), Ok(step));
            put += step;
            let seen = read_some(&reader, step);
            expect!(
                seen.as_deref() == Ok(&bytes[got..got + step]),
                "the {step} bytes at {got} are wrong: {:?}",
                seen.map(|s| s.len())
            );
            got += step;
            expect_eq!(unread(&reader), Ok(backlog));
        }
        expect_eq!(read_exactly(&reader, backlog).as_deref(), Ok(&bytes[got..put]));
        Ok(())
    })
}

/// Every slot of the buffer in turn carries a page and gives it back while the others are full.
#[rstest]
#[conformance::test(posix = "read", posix = "write", man = "pipe(7)")]
fn passes_through_a_full_buffer(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    let page = page_size();
    let full = capacity(kind)?;
    let bytes = pattern(full + 40 * page);
    expect_eq!(write(&writer, &bytes[..full]), Ok(full));
    for index in 0..40 {
        let (out, into) = (index * page, full + index * page);
        expect_eq!(write(&writer, b"x"), Err(EAGAIN));
        expect_eq!(read_some(&reader, page).as_deref(), Ok(&bytes[out..out + page]));
        expect_eq!((write(&writer, &bytes[into..into + page]), unread(&reader)), (Ok(page), Ok(full)));
    }
    expect_eq!(read_some(&reader, full + 1).as_deref(), Ok(&bytes[40 * page..]));
    Ok(())
}

/// A read changes no byte of its buffer behind those that it returns.
#[rstest]
#[conformance::test(posix = "read")]
fn ends_where_the_count_ends(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    let mut buffer = vec![0xEE; 2 * page_size()];
    expect_eq!((write(&writer, b"abc"), read(&reader, &mut buffer)), (Ok(3), Ok(3)));
    expect_eq!(&buffer[..3], b"abc");
    expect!(buffer[3..].iter().all(|&byte| byte == 0xEE));
    expect_eq!(read(&reader, &mut buffer[..4]), Err(EAGAIN));
    expect_eq!(&buffer[..4], b"abc\xEE");
    Ok(())
}

/// A blocked read returns with the first bytes that come, and does not wait for its buffer to be filled.
#[rstest]
#[conformance::test(posix = "read", posix = "readv")]
fn does_not_wait_for_a_full_buffer(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let whole = Participant::spawn("reader", dup(&reader_end)?, |end, _| read_some(&end, 1000))?;
    whole.until_blocked()?;
    expect_eq!((write(&writer, b"12345"), whole.join()?), (Ok(5), Ok(b"12345".to_vec())));
    let vector = Participant::spawn("reader of a vector", reader_end, |end, _| {
        let mut buffers = [[b'_'; 4]; 3];
        let [one, two, three] = &mut buffers;
        let count = readv(&end, &mut [IoSliceMut::new(one), IoSliceMut::new(two), IoSliceMut::new(three)]);
        (count, buffers.concat())
    })?;
    vector.until_blocked()?;
    expect_eq!((write(&writer, b"12345"), vector.join()?), (Ok(5), (Ok(5), b"12345_______".to_vec())));
    Ok(())
}

/// A blocking write of more than fits waits until all of it is taken, returns the whole count, and loses nothing.
#[rstest]
#[case::one_byte_more(|_, capacity| capacity + 1)]
#[case::a_page_more(|page, capacity| capacity + page)]
#[case::three_times_as_much(|page, capacity| 3 * capacity + page / 2)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn carries_more_than_fits(#[case] size: Size, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let size = size(page_size(), capacity(kind)?);
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, &pattern(size)))?;
    writer.until_blocked()?;
    expect_eq!(read_some(&reader, 1), Ok(vec![0]));
    expect_eq!(read_exactly(&reader, size - 1).as_deref(), Ok(&pattern(size)[1..]));
    expect_eq!((writer.join()?, next(&reader)), (Ok(size), Ok(vec![])));
    Ok(())
}

/// A large transfer between two processes arrives whole, however their chunks differ.
#[rstest]
#[case::small_into_large(1000, 30_011)]
#[case::large_into_small(100_003, 997)]
#[case::equal(4096, 4096)]
#[case::off_by_one(4097, 4095)]
#[case::over_capacity(131_073, 131_071)]
#[conformance::test(posix = "read", posix = "write", man = "pipe(7)")]
fn carries_a_transfer_in_unequal_chunks(
    #[case] put: usize,
    #[case] got: usize,
    #[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind,
) -> Outcome {
    let bytes = pattern(300_000);
    let (reader, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, |end, _| {
        bytes.chunks(put).map(|chunk| write(&end, chunk).map(|count| count == chunk.len())).find(|result| *result != Ok(true))
    })?;
    let mut seen = Vec::new();
    while seen.len() < bytes.len() {
        let some = read_some(&reader, got.min(bytes.len() - seen.len()))?;
        expect!(!some.is_empty(), "end-of-file after {} bytes", seen.len());
        seen.extend(some);
    }
    expect!(seen == bytes, "the bytes differ first at {:?}", seen.iter().zip(&bytes).position(|(one, other)| one != other));
    expect_eq!((writer.join()?, unread(&reader)), (None, Ok(0)));
    Ok(())
}
