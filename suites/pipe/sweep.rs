//! Kill sweeps: a process is killed at the entry and at the exit of each of its system calls. A call that has returned is done
//! completely, and one that has not begun has no effect.

use std::io::IoSlice;

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, pipe_and_fifo};

/// If the last writer is killed at the entry or the exit of any of its system calls, `read` returns exactly the bytes of those of
/// its `write` calls that had returned, in order, and then 0; a `write` that had only been entered has added no byte. `poll` on
/// the read end then reports exactly `POLLHUP`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", posix = "read", needs(ptrace))]
fn killed_writer_leaves_completed_writes(kind: Kind) -> Outcome {
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

/// If the last writer, which calls `writev` of 13 bytes in three segments and then `write` of 1 byte, is killed at the entry or
/// the exit of any of its system calls, `read` returns the 13 bytes if `writev` had returned, then the 1 byte if `write` had
/// returned, and then 0.
#[conformance::test(posix = "writev", needs(ptrace))]
fn killed_writev_is_all_or_nothing() -> Outcome {
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

/// If a reader of a pipe with 10000 unread bytes is killed at the entry or the exit of any of its system calls, `ioctl(FIONREAD)`
/// at both ends gives 10000 − n, where n is the sum of the counts of those of its `read` calls that had returned. `read` in
/// another process returns the last 10000 − n bytes in order.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", needs(ptrace))]
fn killed_reader_removes_only_returned_bytes(kind: Kind) -> Outcome {
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

/// A process with the last write end of one pipe and the last read end of another calls `dup` for both, `close` for the
/// originals, `write` of 1 byte to the first pipe, and `close` for the duplicates. If that process is killed at the entry or the
/// exit of any of these calls, `read` of the first pipe returns the byte, if `write` had returned, and then 0. `write` to the
/// second pipe fails with `EPIPE`, and `poll` reports `POLLERR`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "write", needs(ptrace))]
fn killed_process_leaves_no_end_open(kind: Kind) -> Outcome {
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

/// If a process that sets `O_NONBLOCK` with `fcntl(F_SETFL)` is killed at the entry or the exit of any of its system calls,
/// `F_GETFL` on a duplicate in another process shows `O_NONBLOCK` set if `F_SETFL` had returned, and clear otherwise, also if
/// `F_SETFL` had been entered.
#[conformance::test(posix = "fcntl", needs(ptrace))]
fn killed_f_setfl_is_done_or_not() -> Outcome {
    sweep(|run| {
        let (end, _writer) = pipe()?;
        let same = dup(&end)?;
        let victim = run.victim("victim", end, |end, _| set_status_flags(&end, OFlag::O_NONBLOCK))?;
        let set = victim.value.is_some() || !victim.returned("fcntl").is_empty();
        expect_eq!(status_flags(&same).map(|flags| flags.contains(OFlag::O_NONBLOCK)), Ok(set));
        Ok(())
    })
}

/// If a process that calls `fcntl(F_SETPIPE_SZ)` with 32, 4, 64 and 8 pages in turn is killed at the entry or the exit of any of
/// its system calls, `F_GETPIPE_SZ` returns the size of the last of these calls that had returned, or 16 pages if none had.
/// `read` returns all unread bytes, which are 2 pages and 10 bytes.
#[cfg(has_pipe_size)]
#[conformance::test(man = "fcntl(2)", needs(ptrace))]
fn killed_resize_keeps_size_and_bytes() -> Outcome {
    sweep(|run| {
        let (reader, writer_end) = pipe()?;
        let bytes = pattern(2 * page_size() + 10);
        write_all(&writer_end, &bytes)?;
        let sizes = [32, 4, 64, 8].map(|pages| pages * page_size());
        let victim = run.victim("victim", writer_end, move |end, _| -> Result<(), Errno> {
            for size in sizes {
                set_pipe_size(&end, i32::try_from(size).unwrap_or(1))?;
            }
            Ok(())
        })?;
        // Debug builds check a descriptor with `fcntl` when it is dropped, which returns 0.
        let given: Vec<i64> = victim.returned("fcntl").into_iter().filter(|&size| size > 0).collect();
        let last = given.last().map_or(16 * page_size(), |&size| usize::try_from(size).unwrap_or(0));
        expect_eq!(pipe_size(&reader), Ok(last));
        expect_eq!(read_to_end(&reader), Ok(bytes));
        Ok(())
    })
}

/// If the last writer, which calls `write` of 2 bytes twice, is killed at the entry or the exit of any of its system calls while
/// another process is blocked in `read` on the empty pipe, this `read` and the following ones return the bytes of the `write`
/// calls that had returned, and then 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", needs(ptrace))]
fn killed_writer_wakes_a_blocked_reader(kind: Kind) -> Outcome {
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

/// If the last reader, which calls `read` of a page, is killed at the entry or the exit of any of its system calls while another
/// process that ignores `SIGPIPE` is blocked in `write` of `PIPE_BUF` bytes on the full pipe, this `write` fails with `EPIPE` if
/// `read` had not returned. If `read` had returned, `write` returns `PIPE_BUF` or fails with `EPIPE`; both are allowed.
#[conformance::test(posix = "write", needs(ptrace))]
fn killed_reader_wakes_a_blocked_writer() -> Outcome {
    sweep(|run| {
        let (reader_end, writer_end) = pipe()?;
        fill(&writer_end)?;
        let size = pipe_buf(&writer_end)?;
        let writer = Participant::spawn("writer", writer_end, move |end, _| {
            signal::ignore(Signal::SIGPIPE)?;
            // The first `write` fits after a page has been read; the second never fits and fails.
            Ok::<_, Errno>((write(&end, &vec![1; size]), write(&end, &vec![1; 2 * page_size().max(size)])))
        })?;
        writer.until_blocked()?;
        let enough = page_size().max(size);
        let victim = run.victim("reader", reader_end, move |end, _| read(&end, &mut vec![0; enough]))?;
        let page_was_read = !victim.returned("read").is_empty();
        let (first, second) = writer.join()??;
        // The reader may be killed before the woken writer runs.
        if page_was_read {
            expect!(first == Ok(size) || first == Err(EPIPE), "{first:?}");
        } else {
            expect_eq!(first, Err(EPIPE));
        }
        expect_eq!(second, Err(EPIPE));
        Ok(())
    })
}
