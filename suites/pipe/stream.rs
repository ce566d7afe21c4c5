//! The byte stream: bytes are read in the order in which they were written, each once, whatever the sizes of the `read` and
//! `write` calls are.

use std::io::IoSliceMut;

use conformance::prelude::*;
use proptest::collection::vec;
use proptest::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{capacity, next, open_nonblocking};
use common::pipe::{Kind, every_pipe, pipe_and_fifo};

/// One call of a process that uses both ends.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write(usize),
    Read(usize),
}

/// The largest number of steps in one run.
const STEPS: usize = 25;

/// A few bytes, about a page, and up to two pages.
fn sizes() -> impl Strategy<Value = usize> {
    let page = page_size();
    prop_oneof![1..=9_usize, page - 2..=page + 2, 1..=page, page..=2 * page]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(prop_oneof![sizes().prop_map(Step::Write), sizes().prop_map(Step::Read)], 1..=STEPS)
}

/// In a random sequence of non-blocking `write` and `read` calls, each `read` returns min(requested, unread) bytes, in the order
/// written, or fails with `EAGAIN` if no byte is unread. After each call, `ioctl(FIONREAD)` gives the sum of the counts of
/// `write` minus that of `read`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "write", man = "pipe(7)")]
fn is_first_in_first_out(kind: Kind) -> Outcome {
    let source = pattern(STEPS * 2 * page_size());
    property(&steps(), |steps| {
        let (reader, writer) = open_nonblocking(kind)?;
        // The unread bytes are those of `source` between the two positions.
        let (mut got, mut put) = (0, 0);
        for step in steps {
            match step {
                Step::Write(size) => match write(&writer, &source[put..put + size]) {
                    Ok(count) => {
                        expect!((1..=size).contains(&count), "{count} of {size} bytes were written");
                        put += count;
                    }
                    failed => expect_eq!(failed, Err(EAGAIN)),
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

/// A size, given those of a page and of the capacity.
type Size = fn(usize, usize) -> usize;

/// A `write` of at most the capacity to an empty pipe returns its whole count. `read` of all, of all but one, or of half of the
/// bytes returns that many, and the next `read` returns the rest.
#[apply(every_pipe)]
#[case::one_byte(|_, _| 1)]
#[case::half_a_page(|page, _| page / 2)]
#[case::page_less_one(|page, _| page - 1)]
#[case::page(|page, _| page)]
#[case::page_and_one(|page, _| page + 1)]
#[case::two_pages_and_one(|page, _| 2 * page + 1)]
#[case::capacity_less_one(|_, capacity| capacity - 1)]
#[case::capacity(|_, capacity| capacity)]
#[conformance::test(posix = "read", posix = "write")]
fn write_is_read_back_in_parts(#[case] size: Size, kind: Kind) -> Outcome {
    let bytes = pattern(size(page_size(), capacity(kind)?));
    let (reader, writer) = open_nonblocking(kind)?;
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

/// After two `write` calls, one `read` returns the bytes of both in order, whether the second fits into the last page of the
/// first or not.
#[rstest]
#[case::second_fills_the_page(|_| 10, |page| page - 10)]
#[case::second_is_one_byte_over_the_page(|_| 10, |page| page - 9)]
#[case::one_byte_left_and_one_written(|page| page - 1, |_| 1)]
#[case::one_byte_left_and_two_written(|page| page - 1, |_| 2)]
#[case::second_fills_two_pages(|_| 1, |page| page + 10)]
#[case::half_a_page_and_a_page(|page| page / 2, |page| page)]
#[case::a_page_and_one_byte(|page| page, |_| 1)]
#[case::three_bytes_and_three_pages(|_| 3, |page| 3 * page - 1)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn two_writes_are_read_at_once(#[case] first: fn(usize) -> usize, #[case] second: fn(usize) -> usize) -> Outcome {
    let page = page_size();
    let (first, second) = (first(page), second(page));
    let bytes = pattern(first + second);
    for taken in [0, 1, first / 2, first] {
        let (reader, writer) = open_nonblocking(Kind::Pipe)?;
        expect_eq!(write(&writer, &bytes[..first]), Ok(first));
        expect_eq!(read_exactly(&reader, taken), Ok(bytes[..taken].to_vec()));
        expect_eq!((write(&writer, &bytes[first..]), unread(&reader)), (Ok(second), Ok(bytes.len() - taken)));
        expect_eq!(read_some(&reader, bytes.len()), Ok(bytes[taken..].to_vec()));
        expect_eq!(next(&reader), Err(EAGAIN));
    }
    Ok(())
}

/// After `write` calls of 1, 7 or 2047 bytes each that add at most 5000 bytes together, one `read` of 5001 bytes returns the
/// bytes of all of them in order.
#[apply(pipe_and_fifo)]
#[case::writes_of_1_byte(1)]
#[case::writes_of_7_bytes(7)]
#[case::writes_of_2047_bytes(2047)]
#[conformance::test(posix = "read", posix = "write")]
fn small_writes_are_read_at_once(#[case] size: usize, kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    let bytes = pattern(5000 / size * size);
    for chunk in bytes.chunks(size) {
        expect_eq!(write(&writer, chunk), Ok(size));
    }
    expect_eq!((unread(&reader), read_some(&reader, 5001)), (Ok(bytes.len()), Ok(bytes)));
    expect_eq!(next(&reader), Err(EAGAIN));
    Ok(())
}

/// If `write` and `read` of the same size alternate while a constant number of bytes stays unread, `read` returns all bytes in
/// order, each once.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "write", man = "pipe(7)")]
fn keeps_order_with_bytes_left_unread(kind: Kind) -> Outcome {
    let capacity = capacity(kind)?;
    let page = page_size();
    let bytes = pattern(2 * capacity);
    property(&(page / 2..2 * page, 0..capacity / 3), |(step, backlog)| {
        let (reader, writer) = open_nonblocking(kind)?;
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

/// On a full pipe `write` of 1 byte fails with `EAGAIN`, and after a `read` of a page a `write` of a page returns its whole
/// count, forty times in turn. `read` returns all bytes in order.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "write", man = "pipe(7)")]
fn keeps_order_in_a_full_pipe(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
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

/// `read` that returns n leaves the bytes of its buffer after the first n as they were. A `read` that fails with `EAGAIN` leaves
/// the whole buffer as it was.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read")]
fn read_changes_no_byte_beyond_its_count(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    let mut buffer = vec![0xEE; 2 * page_size()];
    expect_eq!((write(&writer, b"abc"), read(&reader, &mut buffer)), (Ok(3), Ok(3)));
    expect_eq!(&buffer[..3], b"abc");
    expect!(buffer[3..].iter().all(|&byte| byte == 0xEE));
    expect_eq!(read(&reader, &mut buffer[..4]), Err(EAGAIN));
    expect_eq!(&buffer[..4], b"abc\xEE");
    Ok(())
}

/// A `read` of 1000 bytes or a `readv` of 12 bytes that is blocked on an empty pipe returns 5 as soon as a `write` adds 5 bytes.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "readv")]
fn blocked_read_returns_with_the_first_bytes(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let whole = Participant::spawn("reader", dup(&reader_end)?, |end, _| read_some(&end, 1000))?;
    whole.until_blocked()?;
    expect_eq!((write(&writer, b"12345"), whole.join()?), (Ok(5), Ok(b"12345".to_vec())));
    let vector = Participant::spawn("readv reader", reader_end, |end, _| {
        let mut buffers = [[b'_'; 4]; 3];
        let [one, two, three] = &mut buffers;
        let count = readv(&end, &mut [IoSliceMut::new(one), IoSliceMut::new(two), IoSliceMut::new(three)]);
        (count, buffers.concat())
    })?;
    vector.until_blocked()?;
    expect_eq!((write(&writer, b"12345"), vector.join()?), (Ok(5), (Ok(5), b"12345_______".to_vec())));
    Ok(())
}

/// A `write` of more than the capacity to an empty pipe blocks, and returns its whole count after another process has read the
/// bytes. The `read` calls return all bytes in order.
#[apply(pipe_and_fifo)]
#[case::one_byte_more(|_, capacity| capacity + 1)]
#[case::a_page_more(|page, capacity| capacity + page)]
#[case::three_times_as_much(|page, capacity| 3 * capacity + page / 2)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn blocking_write_of_more_than_the_capacity(#[case] size: Size, kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let size = size(page_size(), capacity(kind)?);
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, &pattern(size)))?;
    writer.until_blocked()?;
    expect_eq!(read_some(&reader, 1), Ok(vec![0]));
    expect_eq!(read_exactly(&reader, size - 1).as_deref(), Ok(&pattern(size)[1..]));
    expect_eq!((writer.join()?, next(&reader)), (Ok(size), Ok(vec![])));
    Ok(())
}

/// If one process writes 300000 bytes with `write` calls of 1000 to 131073 bytes and another calls `read` with 997 to 131071
/// bytes, each `write` returns its whole count. The `read` calls return all bytes in order.
#[apply(every_pipe)]
#[case::small_into_large(1000, 30_011)]
#[case::large_into_small(100_003, 997)]
#[case::equal(4096, 4096)]
#[case::off_by_one(4097, 4095)]
#[case::over_capacity(131_073, 131_071)]
#[conformance::test(posix = "read", posix = "write", man = "pipe(7)")]
fn two_processes_with_different_chunk_sizes(#[case] put: usize, #[case] got: usize, kind: Kind) -> Outcome {
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
