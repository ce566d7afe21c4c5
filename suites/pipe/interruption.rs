//! Signals that arrive while a call on a pipe is blocked: what the call returns, with and without `SA_RESTART`. No byte is lost
//! or doubled. `SIGSTOP` is tested in `stopping.rs`.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, pipe_and_fifo};

const SIGNAL: Signal = Signal::SIGUSR1;

/// Catches the signal and makes the call: the result of the call, and how often the handler ran.
fn caught_in<T>(restart: Restart, call: impl FnOnce() -> T) -> Result<(T, u32), Errno> {
    signal::catch(SIGNAL, restart)?;
    let result = call();
    Ok((result, signal::caught(SIGNAL)))
}

/// A `read` blocked on an empty pipe fails with `EINTR` when a signal handler without `SA_RESTART` has run. Bytes written later
/// are returned by the next `read`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "sigaction")]
fn read_fails_with_eintr(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let kept = reader_end.try_clone()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| caught_in(Restart::No, || read(&end, &mut [0; 8])))?;
    reader.until_blocked()?;
    reader.signal(SIGNAL)?;
    expect_eq!(reader.join()?, Ok((Err(EINTR), 1)));
    write(&writer, b"later")?;
    expect_eq!(read_some(&kept, 9), Ok(b"later".to_vec()));
    Ok(())
}

/// A `read` blocked on an empty pipe stays blocked after a signal handler with `SA_RESTART` has run. When bytes are written,
/// `read` returns them.
#[apply(pipe_and_fifo)]
#[case::once(1)]
#[case::twice(2)]
#[case::five_times(5)]
#[conformance::test(posix = "read", posix = "sigaction")]
fn sa_restart_keeps_read_blocked(#[case] times: u32, kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| caught_in(Restart::Yes, || read_some(&end, 8)))?;
    reader.until_blocked()?;
    for _ in 0..times {
        reader.signal(SIGNAL)?;
        reader.expect_still_blocked()?;
    }
    write(&writer, b"data")?;
    expect_eq!(reader.join()?, Ok((Ok(b"data".to_vec()), times)));
    Ok(())
}

/// If a signal handler with `SA_RESTART` has run while a process is blocked in `read` on an empty pipe, that `read` stays blocked
/// and returns 0 when the last writer closes.
#[conformance::test(posix = "read", posix = "sigaction")]
fn sa_restart_read_returns_0_at_end_of_file() -> Outcome {
    let (reader_end, writer) = pipe()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| caught_in(Restart::Yes, || read(&end, &mut [0; 8])))?;
    reader.until_blocked()?;
    reader.signal(SIGNAL)?;
    reader.expect_still_blocked()?;
    drop(writer);
    expect_eq!(reader.join()?, Ok((Ok(0), 1)));
    Ok(())
}

/// A `write` that is blocked on a full pipe and has added no byte fails with `EINTR` when a signal handler without `SA_RESTART`
/// has run. No byte of that `write` is in the pipe.
#[apply(pipe_and_fifo)]
#[case::one_byte(1)]
#[case::pipe_buf_bytes(4096)]
#[case::more_than_pipe_buf_bytes(5000)]
#[conformance::test(posix = "write", posix = "sigaction")]
fn write_fails_with_eintr(#[case] size: usize, kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    let writer = Participant::spawn("writer", writer_end, move |end, _| caught_in(Restart::No, || write(&end, &vec![1; size])))?;
    writer.until_blocked()?;
    writer.signal(SIGNAL)?;
    expect_eq!(writer.join()?, Ok((Err(EINTR), 1)));
    expect_eq!(read_to_end(&reader).map(|bytes| bytes.len()), Ok(capacity));
    Ok(())
}

/// A `write` blocked on a full pipe stays blocked after a signal handler with `SA_RESTART` has run. When the pipe has been read,
/// `write` adds each byte once and returns its whole count.
#[apply(pipe_and_fifo)]
#[case::once(1)]
#[case::twice(2)]
#[conformance::test(posix = "write", posix = "sigaction")]
fn sa_restart_keeps_write_blocked(#[case] times: u32, kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    let writer = Participant::spawn("writer", writer_end, |end, _| caught_in(Restart::Yes, || write(&end, b"once")))?;
    writer.until_blocked()?;
    for _ in 0..times {
        writer.signal(SIGNAL)?;
        writer.expect_still_blocked()?;
        expect_eq!(unread(&reader), Ok(capacity));
    }
    read_exactly(&reader, capacity)?;
    expect_eq!(writer.join()?, Ok((Ok(4), times)));
    expect_eq!(read_to_end(&reader), Ok(b"once".to_vec()));
    Ok(())
}

/// If a signal handler, with or without `SA_RESTART`, has run while a process is blocked in a `write` that has added part of its
/// bytes, `write` returns the count of that part. A `write` of the remaining bytes then returns their count.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", posix = "sigaction")]
fn partly_done_write_returns_its_count(kind: Kind, #[values(Restart::No, Restart::Yes)] restart: Restart) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    read_exactly(&reader, capacity)?;
    let total = capacity + capacity / 2 + 7;
    let writer = Participant::spawn("writer", writer_end, move |end, _| {
        let bytes = pattern(total);
        let (first, caught) = caught_in(restart, || write(&end, &bytes))?;
        let second = write(&end, &bytes[first.unwrap_or(0)..]);
        Ok::<_, Errno>((first, caught, second))
    })?;
    writer.until_blocked()?;
    writer.signal(SIGNAL)?;
    // The writer is blocked again, now in its second `write`.
    writer.until_blocked()?;
    let received = read_to_end(&reader)?;
    expect_eq!(writer.join()?, Ok((Ok(capacity), 1, Ok(total - capacity))));
    expect!(received == pattern(total), "{} of {total} bytes were read, or not in order", received.len());
    Ok(())
}

/// A `read` blocked on an empty pipe stays blocked when the process gets a `SIGUSR1` that it ignores or has blocked, or `SIGURG`
/// or `SIGCHLD` with the default action. When a byte is written, `read` returns 1.
#[rstest]
#[case::ignored(Signal::SIGUSR1, "ignored")]
#[case::blocked(Signal::SIGUSR1, "blocked")]
#[case::sigurg_by_default(Signal::SIGURG, "default")]
#[case::sigchld_by_default(Signal::SIGCHLD, "default")]
#[conformance::test(posix = "read", posix = "sigaction")]
fn signal_without_handler_keeps_read_blocked(#[case] signal: Signal, #[case] how: &'static str) -> Outcome {
    let (reader_end, writer) = pipe()?;
    let reader = Participant::spawn("reader", reader_end, move |end, _| {
        match how {
            "ignored" => signal::ignore(signal)?,
            "blocked" => signal::block(signal)?,
            _ => {}
        }
        let got = read_some(&end, 8)?;
        signal::pending(signal).map(|pending| (got, pending))
    })?;
    reader.until_blocked()?;
    reader.signal(signal)?;
    reader.expect_still_blocked()?;
    write(&writer, b"x")?;
    expect_eq!(reader.join()?, Ok((b"x".to_vec(), how == "blocked")));
    Ok(())
}

/// If `SIGTERM` kills a process that is blocked in `write` on a full pipe, no byte of that `write` is in the pipe.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "write", posix = "sigaction")]
fn fatal_signal_adds_no_byte(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, b"never"))?;
    writer.until_blocked()?;
    writer.signal(Signal::SIGTERM)?;
    expect_eq!(writer.end()?, End::Killed(Signal::SIGTERM));
    expect_eq!(read_to_end(&reader).map(|bytes| bytes.len()), Ok(capacity));
    Ok(())
}

/// If two threads of a process are blocked in `read` on different pipes, and only the second thread has blocked a signal, the
/// `read` of the first fails with `EINTR` when a handler without `SA_RESTART` has run. The `read` of the second stays blocked and
/// returns the bytes of a later `write`.
#[conformance::test(posix = "read", posix = "sigaction")]
fn only_the_handling_thread_gets_eintr() -> Outcome {
    let (one, _keep) = pipe()?;
    let (two, to_two) = pipe()?;
    let process = Participant::spawn("two threads", (one, two), |(one, two), link| {
        signal::catch(SIGNAL, Restart::No)?;
        // The thread inherits the mask.
        signal::block(SIGNAL)?;
        let other = std::thread::spawn(move || read_some(&two, 8));
        signal::unblock(SIGNAL)?;
        let own = read(&one, &mut [0; 8]);
        link.reached("interrupted");
        let got = other.join().expect("no panic")?;
        Ok::<_, Errno>((own, got, signal::caught(SIGNAL)))
    })?;
    process.until_blocked()?;
    process.signal(SIGNAL)?;
    process.until_reached("interrupted")?;
    process.until_blocked()?;
    write(&to_two, b"whole")?;
    expect_eq!(process.join()?, Ok((Err(EINTR), b"whole".to_vec(), 1)));
    Ok(())
}

/// A `poll` without timeout that is blocked on an empty pipe fails with `EINTR` when a signal handler without `SA_RESTART` has
/// run.
#[conformance::test(posix = "poll", posix = "sigaction")]
fn poll_fails_with_eintr() -> Outcome {
    let (reader_end, _writer) = pipe()?;
    let poller = Participant::spawn("poller", reader_end, |end, _| {
        caught_in(Restart::No, || poll(&[(end.as_fd(), PollFlags::POLLIN)], None).map(|seen| seen[0].bits()))
    })?;
    poller.until_blocked()?;
    poller.signal(SIGNAL)?;
    expect_eq!(poller.join()?, Ok((Err(EINTR), 1)));
    Ok(())
}

/// A `poll` without timeout that is blocked on an empty pipe stays blocked after a signal handler with `SA_RESTART` has run. When
/// a byte is written, `poll` reports `POLLIN`.
#[conformance::test(posix = "sigaction", posix = "poll")]
fn sa_restart_keeps_poll_blocked() -> Outcome {
    let (reader_end, writer) = pipe()?;
    let poller = Participant::spawn("poller", reader_end, |end, _| {
        signal::catch(SIGNAL, Restart::Yes)?;
        poll(&[(end.as_fd(), PollFlags::POLLIN)], None).map(|seen| seen[0].bits())
    })?;
    poller.until_blocked()?;
    poller.signal(SIGNAL)?;
    poller.expect_still_blocked()?;
    write(&writer, b"x")?;
    expect_eq!(poller.join()?, Ok(PollFlags::POLLIN.bits()));
    Ok(())
}

/// A `select` without timeout that is blocked on an empty pipe fails with `EINTR` when a signal handler without `SA_RESTART` has
/// run. After a handler with `SA_RESTART`, `select` fails with `EINTR` or stays blocked; both are allowed, and which happens is
/// recorded.
#[conformance::test(posix = "select", posix = "sigaction")]
fn select_fails_with_eintr() -> Outcome {
    let (reader_end, writer) = pipe()?;
    let end = reader_end.try_clone()?;
    let selector = Participant::spawn("selector", end, |end, _| caught_in(Restart::No, || select_to_read(&end)))?;
    selector.until_blocked()?;
    selector.signal(SIGNAL)?;
    expect_eq!(selector.join()?, Ok((Err(EINTR), 1)));
    let selector = Participant::spawn("selector with SA_RESTART", reader_end, |end, _| {
        let (first, caught) = caught_in(Restart::Yes, || select_to_read(&end))?;
        // In both cases the process is blocked in `select` when the byte is written.
        let second = if first == Err(EINTR) { select_to_read(&end) } else { first };
        Ok::<_, Errno>((first, second, caught.max(signal::caught(SIGNAL))))
    })?;
    selector.until_blocked()?;
    selector.signal(SIGNAL)?;
    selector.until_blocked()?;
    write(&writer, b"x")?;
    let (first, second, caught) = selector.join()??;
    observe!("pipe.select-restarts-with-sa-restart", first.is_ok());
    expect_matches!(first, Ok(1) | Err(EINTR));
    expect_eq!((second, caught), (Ok(1), 1));
    Ok(())
}

/// If the mask given to `pselect` unblocks a signal that the process has blocked, a `pselect` blocked on an empty pipe fails with
/// `EINTR` when the handler has run. After the call the signal is blocked again: when sent again, it stays pending.
#[conformance::test(posix = "pselect")]
fn pselect_mask_unblocks_the_signal() -> Outcome {
    let (reader_end, _writer) = pipe()?;
    let selector = Participant::spawn("selector", reader_end, |end, link| {
        signal::block(SIGNAL)?;
        let first = caught_in(Restart::No, || pselect_to_read_unmasked(&end))?;
        link.meet("second signal");
        Ok::<_, Errno>((first, signal::caught(SIGNAL), signal::pending(SIGNAL)?))
    })?;
    selector.until_blocked()?;
    selector.signal(SIGNAL)?;
    selector.until_reached("second signal")?;
    selector.signal(SIGNAL)?;
    selector.open("second signal")?;
    expect_eq!(selector.join()?, Ok(((Err(EINTR), 1), 1, true)));
    Ok(())
}

/// If a signal that the process has blocked is pending and the mask given to `pselect` unblocks it, the handler runs and
/// `pselect` on an empty pipe fails with `EINTR` without blocking.
#[conformance::test(posix = "pselect")]
fn pselect_fails_at_once_for_a_pending_signal() -> Outcome {
    let (reader_end, _writer) = pipe()?;
    let selector = Participant::spawn("selector", reader_end, |end, _| {
        signal::block(SIGNAL)?;
        nix::sys::signal::raise(SIGNAL)?;
        caught_in(Restart::No, || pselect_to_read_unmasked(&end))
    })?;
    expect_eq!(selector.join()?, Ok((Err(EINTR), 1)));
    Ok(())
}

/// An `epoll_wait` without timeout that is blocked on an empty pipe fails with `EINTR` when a signal handler has run, with or
/// without `SA_RESTART`. After a `write`, the next `epoll_wait` reports `EPOLLIN`.
#[cfg(has_epoll)]
#[rstest]
#[conformance::test(man = "signal(7)", man = "epoll_wait(2)")]
fn epoll_wait_fails_with_eintr(#[values(Restart::No, Restart::Yes)] restart: Restart) -> Outcome {
    let (reader, writer) = pipe()?;
    let list = epoll()?;
    epoll_add(&list, &reader, EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 1)?;
    let kept = list.try_clone()?;
    let waiter =
        Participant::spawn("waiter", list, move |list, _| caught_in(restart, || epoll_wait(&list, None).map(|seen| seen.len())))?;
    waiter.until_blocked()?;
    waiter.signal(SIGNAL)?;
    expect_eq!(waiter.join()?, Ok((Err(EINTR), 1)));
    // No event was lost.
    write(&writer, b"x")?;
    expect_eq!(epoll_wait(&kept, Some(0)), Ok(vec![(1, EpollFlags::EPOLLIN)]));
    Ok(())
}
