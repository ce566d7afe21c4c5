//! Kill sweeps: a participant is killed at the entry and the exit of each of its system calls, and the pipe is as if it had stopped
//! there: what a call has returned is done, what it had not begun is not.

use std::io::IoSlice;

use conformance::prelude::*;
use rstest::rstest;

use common::pipe::Kind;

/// A writer killed anywhere leaves exactly the records whose writes have returned, whole and in order, and then the end.
#[rstest]
#[conformance::test(posix = "write", posix = "read", needs(ptrace))]
fn over_a_writer_leaves_the_records_that_it_wrote(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    sweep(|run| {
        let (reader, writer_end) = kind.open()?;
        let sizes = [3, pipe_buf(&writer_end)?, 1, 500];
        let victim = run.victim("writer", writer_end, move |end, _| -> Result<(), Errno> {
            for (id, size) in sizes.into_iter().enumerate() {
                write(&end, &vec![u8::try_from(id).unwrap_or(0); size])?;
            }
            Ok(())
        })?;
        let done = victim.returned("write").len();
        let expected: Vec<u8> =
            sizes[..done].iter().enumerate().flat_map(|(id, &size)| vec![u8::try_from(id).unwrap_or(0); size]).collect();
        expect_eq!(read_to_end(&reader), Ok(expected));
        expect_eq!(ready(&reader, PollFlags::empty()), Ok(PollFlags::POLLHUP));
        Ok(())
    })
}

/// A gathered write of a killed writer is in the pipe whole or not at all.
#[conformance::test(posix = "writev", needs(ptrace))]
fn over_a_gathered_write_splits_nothing() -> Outcome {
    sweep(|run| {
        let (reader, writer_end) = pipe()?;
        let victim = run.victim("writer", writer_end, |end, _| {
            let pieces: [&[u8]; 3] = [b"one ", b"two ", b"three"];
            (writev(&end, &pieces.map(IoSlice::new)), write(&end, b"."))
        })?;
        let mut expected = Vec::new();
        if !victim.returned("writev").is_empty() {
            expected.extend(b"one two three");
        }
        expected.extend(victim.returned("write").iter().map(|_| b'.'));
        expect_eq!(read_to_end(&reader), Ok(expected));
        Ok(())
    })
}

/// A reader killed anywhere has taken exactly what its reads have returned; all else is still there, in order.
#[rstest]
#[conformance::test(posix = "read", needs(ptrace))]
fn over_a_reader_takes_what_its_reads_returned(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    sweep(|run| {
        let (reader_end, writer) = kind.open()?;
        let bytes = pattern(10_000);
        write_all(&writer, &bytes)?;
        let kept = reader_end.try_clone()?;
        let victim = run.victim("reader", reader_end, |end, _| -> Result<(), Errno> {
            for size in [5, 4096, 1, 3000] {
                read(&end, &mut vec![0; size])?;
            }
            Ok(())
        })?;
        let taken: i64 = victim.returned("read").iter().sum();
        let taken = usize::try_from(taken).unwrap_or(0);
        expect_eq!((unread(&kept), unread(&writer)), (Ok(10_000 - taken), Ok(10_000 - taken)));
        drop(writer);
        expect_eq!(read_to_end(&kept), Ok(bytes[taken..].to_vec()));
        Ok(())
    })
}

/// A writer that copies, closes and goes on with its end leaves no reference behind, wherever it is killed: the end comes, and
/// nothing can be written to a pipe whose reader was such.
#[rstest]
#[conformance::test(posix = "read", posix = "write", needs(ptrace))]
fn over_copying_and_closing_leaves_no_end_open(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    sweep(|run| {
        let (reader, writer_end) = kind.open()?;
        let (broken_reader, broken_writer) = kind.open()?;
        let victim = run.victim("holder", (writer_end, broken_reader), |(writer, reader), _| -> Result<(), Errno> {
            let copies = (dup(&writer)?, dup(&reader)?);
            close(writer)?;
            close(reader)?;
            write(&copies.0, b"x")?;
            close(copies.0)?;
            close(copies.1)
        })?;
        let written = victim.returned("write").len();
        expect_eq!(read_to_end(&reader), Ok(vec![b'x'; written]));
        expect_eq!((write(&broken_writer, b"x"), ready(&broken_writer, PollFlags::empty())), (Err(EPIPE), Ok(PollFlags::POLLERR)));
        Ok(())
    })
}

/// Flags that a killed process set on a shared description are set if the call had returned, and not if it had not begun.
#[conformance::test(posix = "fcntl", needs(ptrace))]
fn over_setting_a_flag_sets_it_or_not() -> Outcome {
    sweep(|run| {
        let (end, _writer) = pipe()?;
        let same = dup(&end)?;
        let victim = run.victim("setter", end, |end, _| set_status_flags(&end, OFlag::O_NONBLOCK))?;
        let set = victim.value.is_some() || !victim.returned("fcntl").is_empty();
        expect_eq!(status_flags(&same).map(|flags| flags.contains(OFlag::O_NONBLOCK)), Ok(set));
        Ok(())
    })
}

/// A process killed while it changes the size of a pipe leaves the size that its last returned call gave, and all of the content.
#[cfg(has_pipe_size)]
#[conformance::test(man = "fcntl(2)", needs(ptrace))]
fn over_resizing_leaves_one_size_or_the_other() -> Outcome {
    sweep(|run| {
        let (reader, writer_end) = pipe()?;
        let bytes = pattern(2 * page_size() + 10);
        write_all(&writer_end, &bytes)?;
        let sizes = [32, 4, 64, 8].map(|pages| pages * page_size());
        let victim = run.victim("resizer", writer_end, move |end, _| -> Result<(), Errno> {
            for size in sizes {
                set_pipe_size(&end, i32::try_from(size).unwrap_or(1))?;
            }
            Ok(())
        })?;
        // An owner that checks its descriptor as it drops it calls fcntl too, for a result of 0.
        let given: Vec<i64> = victim.returned("fcntl").into_iter().filter(|&size| size > 0).collect();
        let last = given.last().map_or(16 * page_size(), |&size| usize::try_from(size).unwrap_or(0));
        expect_eq!(pipe_size(&reader), Ok(last));
        expect_eq!(read_to_end(&reader), Ok(bytes));
        Ok(())
    })
}

/// A reader that asleep waits for a swept writer sees each record that it wrote, and the end, wherever it is killed.
#[rstest]
#[conformance::test(posix = "read", needs(ptrace))]
fn over_a_writer_never_leaves_a_reader_asleep(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    sweep(|run| {
        let (reader_end, writer_end) = kind.open()?;
        let reader = Participant::spawn("reader", reader_end, |end, _| read_to_end(&end))?;
        reader.until_blocked()?;
        let victim = run.victim("writer", writer_end, |end, _| (write(&end, b"ab"), write(&end, b"cd")))?;
        let expected = b"abcd"[..2 * victim.returned("write").len()].to_vec();
        expect_eq!(reader.join()?, Ok(expected));
        Ok(())
    })
}

/// A writer that asleep waits for a swept reader goes on when that has made room, and is told when it is gone, wherever it is killed.
#[conformance::test(posix = "write", needs(ptrace))]
fn over_a_reader_never_leaves_a_writer_asleep() -> Outcome {
    sweep(|run| {
        let (reader_end, writer_end) = pipe()?;
        fill(&writer_end)?;
        let size = pipe_buf(&writer_end)?;
        let writer = Participant::spawn("writer", writer_end, move |end, _| {
            signal::ignore(Signal::SIGPIPE)?;
            // The first fits once a page is read; the second does not, nor does any part of it, and is told.
            Ok::<_, Errno>((write(&end, &vec![1; size]), write(&end, &vec![1; 2 * page_size().max(size)])))
        })?;
        writer.until_blocked()?;
        let enough = page_size().max(size);
        let victim = run.victim("reader", reader_end, move |end, _| read(&end, &mut vec![0; enough]))?;
        let made_room = !victim.returned("read").is_empty();
        let (first, second) = writer.join()??;
        // Killed at once after its read, the reader may be gone before the writer has woken up.
        if made_room {
            expect!(first == Ok(size) || first == Err(EPIPE), "{first:?}");
        } else {
            expect_eq!(first, Err(EPIPE));
        }
        expect_eq!(second, Err(EPIPE));
        Ok(())
    })
}
