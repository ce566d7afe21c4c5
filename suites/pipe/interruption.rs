//! Signals that arrive while a call waits: what the call returns, and that no byte is lost or doubled by it.

use conformance::prelude::*;
use rstest::rstest;

use common::pipe::Kind;

const SIGNAL: Signal = Signal::SIGUSR1;

/// Catches the signal, makes the call, and says with its result how often the handler ran.
fn caught_in<T>(restart: Restart, call: impl FnOnce() -> T) -> Result<(T, u32), Errno> {
    signal::catch(SIGNAL, restart)?;
    let result = call();
    Ok((result, signal::caught(SIGNAL)))
}

/// A read that waits is ended by a handler with `EINTR`; what is written afterwards is there for the next.
#[rstest]
#[conformance::test(posix = "read", posix = "sigaction")]
fn ends_a_waiting_read(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// With `SA_RESTART` a read that waits goes on waiting after the handler, as often as it is interrupted, and gets its data.
#[rstest]
#[case::once(1)]
#[case::twice(2)]
#[case::five_times(5)]
#[conformance::test(posix = "read", posix = "sigaction")]
fn with_restart_leaves_a_waiting_read_waiting(#[case] times: u32, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// With `SA_RESTART` a read that waits still sees the end-of-file that comes after the handler.
#[conformance::test(posix = "read", posix = "sigaction")]
fn with_restart_does_not_hide_the_end() -> Outcome {
    let (reader_end, writer) = pipe()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| caught_in(Restart::Yes, || read(&end, &mut [0; 8])))?;
    reader.until_blocked()?;
    reader.signal(SIGNAL)?;
    reader.expect_still_blocked()?;
    drop(writer);
    expect_eq!(reader.join()?, Ok((Ok(0), 1)));
    Ok(())
}

/// A write that waits and has moved nothing is ended by a handler with `EINTR`, and nothing of it is in the pipe.
#[rstest]
#[case::one_byte(1)]
#[case::the_most_that_is_atomic(4096)]
#[case::more_than_is_atomic(5000)]
#[conformance::test(posix = "write", posix = "sigaction")]
fn ends_a_write_that_has_moved_nothing(#[case] size: usize, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    let writer = Participant::spawn("writer", writer_end, move |end, _| caught_in(Restart::No, || write(&end, &vec![1; size])))?;
    writer.until_blocked()?;
    writer.signal(SIGNAL)?;
    expect_eq!(writer.join()?, Ok((Err(EINTR), 1)));
    expect_eq!(read_to_end(&reader).map(|bytes| bytes.len()), Ok(capacity));
    Ok(())
}

/// With `SA_RESTART` a write that waits and has moved nothing goes on waiting, and writes each byte once.
#[rstest]
#[case::once(1)]
#[case::twice(2)]
#[conformance::test(posix = "write", posix = "sigaction")]
fn with_restart_leaves_a_waiting_write_waiting(#[case] times: u32, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// A write that has moved a part is ended by a handler with the count of that part, restart or not; the rest can follow it.
#[rstest]
#[conformance::test(posix = "write", posix = "sigaction")]
fn ends_a_half_done_write_with_its_count(
    #[values(Kind::Pipe, Kind::Fifo)] kind: Kind,
    #[values(Restart::No, Restart::Yes)] restart: Restart,
) -> Outcome {
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
    // It waits again, now in the second call.
    writer.until_blocked()?;
    let received = read_to_end(&reader)?;
    expect_eq!(writer.join()?, Ok((Ok(capacity), 1, Ok(total - capacity))));
    expect!(received == pattern(total), "{} bytes of {total} came", received.len());
    Ok(())
}

/// A signal that is not caught, being ignored or blocked or without effect by default, does not end a call that waits.
#[rstest]
#[case::ignored(Signal::SIGUSR1, "ignored")]
#[case::blocked(Signal::SIGUSR1, "blocked")]
#[case::without_effect(Signal::SIGURG, "default")]
#[case::of_a_child(Signal::SIGCHLD, "default")]
#[conformance::test(posix = "read", posix = "sigaction")]
fn needs_a_handler(#[case] signal: Signal, #[case] how: &'static str) -> Outcome {
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

/// A signal that ends the process ends a call that waits with it, and moves nothing.
#[rstest]
#[conformance::test(posix = "read", posix = "write", posix = "sigaction")]
fn that_is_deadly_moves_nothing(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, b"never"))?;
    writer.until_blocked()?;
    writer.signal(Signal::SIGTERM)?;
    expect_eq!(writer.end()?, End::Killed(Signal::SIGTERM));
    expect_eq!(read_to_end(&reader).map(|bytes| bytes.len()), Ok(capacity));
    Ok(())
}

/// Only the thread that takes the signal is interrupted: another of the same process, which blocks it, reads on.
#[conformance::test(posix = "read", posix = "sigaction")]
fn ends_the_call_of_the_thread_that_takes_the_signal() -> Outcome {
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

/// `poll` that waits is ended by a handler with `EINTR`.
#[conformance::test(posix = "poll", posix = "sigaction")]
fn ends_a_waiting_poll() -> Outcome {
    let (reader_end, _writer) = pipe()?;
    let poller = Participant::spawn("poller", reader_end, |end, _| {
        caught_in(Restart::No, || poll(&[(end.as_fd(), PollFlags::POLLIN)], None).map(|seen| seen[0].bits()))
    })?;
    poller.until_blocked()?;
    poller.signal(SIGNAL)?;
    expect_eq!(poller.join()?, Ok((Err(EINTR), 1)));
    Ok(())
}

/// With `SA_RESTART` a `poll` that waits goes on waiting: its page makes no exception from the rule.
#[conformance::test(posix = "sigaction", posix = "poll")]
fn with_restart_leaves_a_waiting_poll_waiting() -> Outcome {
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

/// `select` that waits is ended by a handler with `EINTR`; whether it goes on with `SA_RESTART` is the system's choice.
#[conformance::test(posix = "select", posix = "sigaction")]
fn ends_a_waiting_select() -> Outcome {
    let (reader_end, writer) = pipe()?;
    let end = reader_end.try_clone()?;
    let selector = Participant::spawn("selector", end, |end, _| caught_in(Restart::No, || select_to_read(&end)))?;
    selector.until_blocked()?;
    selector.signal(SIGNAL)?;
    expect_eq!(selector.join()?, Ok((Err(EINTR), 1)));
    let selector = Participant::spawn("with restart", reader_end, |end, _| {
        let (first, caught) = caught_in(Restart::Yes, || select_to_read(&end))?;
        // Either way it sleeps in a select when the byte comes.
        let second = if first == Err(EINTR) { select_to_read(&end) } else { first };
        Ok::<_, Errno>((first, second, caught.max(signal::caught(SIGNAL))))
    })?;
    selector.until_blocked()?;
    selector.signal(SIGNAL)?;
    selector.until_blocked()?;
    write(&writer, b"x")?;
    let (first, second, caught) = selector.join()??;
    observe!("pipe.select-goes-on-after-a-restarting-handler", first.is_ok());
    expect_matches!(first, Ok(1) | Err(EINTR));
    expect_eq!((second, caught), (Ok(1), 1));
    Ok(())
}

/// `pselect` waits with the mask that it is given: a signal that the caller blocks ends it, and is blocked again afterwards.
#[conformance::test(posix = "pselect")]
fn ends_a_waiting_pselect_that_unblocks_it() -> Outcome {
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

/// `pselect` takes a signal that was pending before, blocked by the caller, and does not begin to wait.
#[conformance::test(posix = "pselect")]
fn pending_before_a_pselect_ends_it_at_once() -> Outcome {
    let (reader_end, _writer) = pipe()?;
    let selector = Participant::spawn("selector", reader_end, |end, _| {
        signal::block(SIGNAL)?;
        nix::sys::signal::raise(SIGNAL)?;
        caught_in(Restart::No, || pselect_to_read_unmasked(&end))
    })?;
    expect_eq!(selector.join()?, Ok((Err(EINTR), 1)));
    Ok(())
}

/// `epoll_wait` that waits is ended by a handler with `EINTR`, restart or not.
#[cfg(has_epoll)]
#[rstest]
#[conformance::test(man = "signal(7)", man = "epoll_wait(2)")]
fn ends_a_waiting_epoll_wait(#[values(Restart::No, Restart::Yes)] restart: Restart) -> Outcome {
    let (reader, writer) = pipe()?;
    let list = epoll()?;
    epoll_add(&list, &reader, EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 1)?;
    let kept = list.try_clone()?;
    let waiting =
        Participant::spawn("waiting", list, move |list, _| caught_in(restart, || epoll_wait(&list, None).map(|seen| seen.len())))?;
    waiting.until_blocked()?;
    waiting.signal(SIGNAL)?;
    expect_eq!(waiting.join()?, Ok((Err(EINTR), 1)));
    // No event went with it.
    write(&writer, b"x")?;
    expect_eq!(epoll_wait(&kept, Some(0)), Ok(vec![(1, EpollFlags::EPOLLIN)]));
    Ok(())
}
