//! `SIGPIPE`: how the signal is delivered when `write` fails with `EPIPE`. When `write` fails is tested in `broken_pipe.rs`.

use std::io::IoSlice;

use conformance::prelude::*;
use conformance::sys::thread_id;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::writer_without_reader;
use common::pipe::{Kind, pipe_and_fifo};

/// If `SIGPIPE` has its default action, a process that calls `write` on a pipe without readers is killed by `SIGPIPE`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", posix = "signal.h")]
fn kills_the_writer_by_default(kind: Kind) -> Outcome {
    let writer = Participant::spawn("writer", writer_without_reader(kind)?, |end, _| write(&end, b"x"))?;
    expect_eq!(writer.end()?, End::Killed(Signal::SIGPIPE));
    Ok(())
}

/// If `SIGPIPE` is ignored, each `write` to a pipe without readers fails with `EPIPE`, and no `SIGPIPE` is pending afterwards.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write")]
fn ignored_signal_leaves_epipe(kind: Kind) -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    let writer = writer_without_reader(kind)?;
    expect_eq!((write(&writer, b"x"), write(&writer, b"x")), (Err(EPIPE), Err(EPIPE)));
    signal::block(Signal::SIGPIPE)?;
    expect_eq!(signal::pending(Signal::SIGPIPE), Ok(false));
    Ok(())
}

/// A handler for `SIGPIPE`, with or without `SA_RESTART`, runs exactly once for each `write` to a pipe without readers, and
/// `write` fails with `EPIPE`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", posix = "sigaction")]
fn handler_runs_once_for_each_write(#[values(Restart::No, Restart::Yes)] restart: Restart, kind: Kind) -> Outcome {
    signal::catch(Signal::SIGPIPE, restart)?;
    let writer = writer_without_reader(kind)?;
    for times in 1..=3 {
        expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), times));
    }
    Ok(())
}

/// `writev` of 1 or 100 segments to a pipe without readers fails with `EPIPE`, and the handler for `SIGPIPE` runs exactly once.
#[apply(pipe_and_fifo)]
#[case::one_segment(1)]
#[case::many_segments(100)]
#[conformance::test(posix = "writev")]
fn handler_runs_once_for_writev(#[case] segments: usize, kind: Kind) -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    let writer = writer_without_reader(kind)?;
    let result = writev(&writer, &vec![IoSlice::new(b"abc"); segments]);
    expect_eq!((result, signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    Ok(())
}

/// If `SIGPIPE` is blocked, two calls of `write` to a pipe without readers fail with `EPIPE`, and `sigpending` then shows
/// `SIGPIPE`. After one `sigwait` has taken the signal, `sigpending` shows no `SIGPIPE`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", posix = "sigpending")]
fn blocked_signal_is_pending_once(kind: Kind) -> Outcome {
    signal::block(Signal::SIGPIPE)?;
    let writer = writer_without_reader(kind)?;
    for _ in 0..2 {
        expect_eq!(signal::pending(Signal::SIGPIPE), Ok(false));
        expect_eq!((write(&writer, b"x"), write(&writer, b"x")), (Err(EPIPE), Err(EPIPE)));
        expect_eq!((signal::pending(Signal::SIGPIPE), signal::take_pending(Signal::SIGPIPE)), (Ok(true), Ok(Signal::SIGPIPE)));
    }
    expect_eq!(signal::pending(Signal::SIGPIPE), Ok(false));
    Ok(())
}

/// If `SIGPIPE` is blocked while `write` fails with `EPIPE`, its handler runs once when the signal is unblocked.
#[conformance::test(posix = "write", posix = "pthread_sigmask")]
fn unblocked_signal_is_delivered() -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    signal::block(Signal::SIGPIPE)?;
    let writer = writer_without_reader(Kind::Pipe)?;
    expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 0));
    signal::unblock(Signal::SIGPIPE)?;
    expect_eq!(signal::caught(Signal::SIGPIPE), 1);
    Ok(())
}

/// If the thread that calls `write` on a pipe without readers blocks `SIGPIPE`, `sigpending` in that thread shows `SIGPIPE` and
/// no handler runs, although another thread of the process has not blocked the signal.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write")]
fn signal_is_for_the_writing_thread(kind: Kind) -> Outcome {
    let writer = Participant::spawn("writer", writer_without_reader(kind)?, |end, _| {
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                signal::block(Signal::SIGPIPE)?;
                let result = write(&end, b"x");
                Ok::<_, Errno>((result, signal::pending(Signal::SIGPIPE)?, signal::caught(Signal::SIGPIPE)))
            });
            thread.join().expect("the thread does not panic")
        })
    })?;
    expect_eq!(writer.join()?, Ok((Err(EPIPE), true, 0)));
    Ok(())
}

/// If a thread other than the main thread calls `write` on a pipe without readers, the handler for `SIGPIPE` runs in that thread.
#[cfg(linux)]
#[conformance::test(posix = "write", man = "signal(7)")]
fn handler_runs_in_the_writing_thread() -> Outcome {
    let writer = Participant::spawn("writer", writer_without_reader(Kind::Pipe)?, |end, _| {
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        let results = std::thread::scope(|scope| {
            let writes = || {
                let result = write(&end, b"x");
                (result, signal::last_caught().2 == thread_id())
            };
            // One thread after the other, because only the last call of the handler is kept.
            [(); 2].map(|()| scope.spawn(writes).join().expect("the thread does not panic"))
        });
        Ok::<_, Errno>((results, signal::caught(Signal::SIGPIPE)))
    })?;
    expect_eq!(writer.join()?, Ok(([(Err(EPIPE), true), (Err(EPIPE), true)], 2)));
    Ok(())
}

/// A handler for the `SIGPIPE` of a `write` to a pipe without readers gets the process ID of the writer or 0 in `si_pid`; both
/// are allowed. `si_code` is recorded, and any value is allowed.
#[conformance::test(posix = "write", level = observed)]
fn si_code_and_sender() -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    expect_eq!(write(writer_without_reader(Kind::Pipe)?, b"x"), Err(EPIPE));
    let (code, sender, _) = signal::last_caught();
    observe!("pipe.sigpipe-si-code", if code == signal::SI_USER { "SI_USER".to_owned() } else { code.to_string() });
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    expect!(sender == own || sender == 0, "the sender is {sender}, and the writer {own}");
    Ok(())
}

/// If two threads of a process that blocks `SIGPIPE` are blocked in `write` on a full pipe when the last reader closes, both
/// calls fail with `EPIPE`. `sigpending` and `sigwait` in each thread then return `SIGPIPE`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write")]
fn each_blocked_thread_gets_a_signal(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    fill(&writer_end)?;
    let (ids, id_of) = pipe()?;
    let writer = Participant::spawn("writer", (writer_end, id_of), |(end, id_of), _| {
        // `SIGPIPE` is blocked in both threads, so each signal stays pending for its thread.
        signal::block(Signal::SIGPIPE)?;
        let one = || {
            write_all(&id_of, &thread_id().to_ne_bytes())?;
            Ok::<_, Errno>((write(&end, b"x"), signal::pending(Signal::SIGPIPE)?, signal::take_pending(Signal::SIGPIPE)? as i32))
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(one);
            Ok::<_, Errno>([one()?, other.join().expect("the thread does not panic")?])
        })
    })?;
    for _ in 0..2 {
        let id = read_exactly(&ids, 4)?.try_into().map_err(|_| EIO)?;
        writer.until_thread_blocked(i32::from_ne_bytes(id))?;
    }
    drop(reader);
    expect_eq!(writer.join()?, Ok([(Err(EPIPE), true, Signal::SIGPIPE as i32); 2]));
    Ok(())
}

/// If parent and child each call `write` once on a pipe without readers, both calls fail with `EPIPE`, and the handler for
/// `SIGPIPE` runs once in each process.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", posix = "fork")]
fn each_writing_process_gets_a_signal(kind: Kind) -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    let (reader, writer) = kind.open()?;
    let child = Participant::spawn_inheriting("child", |link| {
        link.wait("reader closed");
        (write(&writer, b"x"), signal::caught(Signal::SIGPIPE))
    })?;
    drop(reader);
    // The child still holds a read end.
    expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Ok(1), 0));
    child.kill()?;
    expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    let sibling = Participant::spawn_inheriting("sibling", |_| (write(&writer, b"x"), signal::caught(Signal::SIGPIPE)))?;
    expect_eq!((sibling.join()?, signal::caught(Signal::SIGPIPE)), ((Err(EPIPE), 2), 1));
    Ok(())
}
