//! `SIGPIPE`: the thread whose write found no reader gets one, whatever it is set to do, beside the error `EPIPE`.

use std::io::IoSlice;

use conformance::prelude::*;
use conformance::sys::thread_id;
use rstest::rstest;

use common::ends::broken;
use common::pipe::Kind;

/// `SIGPIPE` ends a process that does nothing about it.
#[rstest]
#[conformance::test(posix = "write", posix = "signal.h")]
fn kills_the_writer_by_default(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let writer = Participant::spawn("writer", broken(kind)?, |end, _| write(&end, b"x"))?;
    expect_eq!(writer.end()?, End::Killed(Signal::SIGPIPE));
    Ok(())
}

/// Where the signal is ignored the error alone tells, every time, and nothing is left pending.
#[rstest]
#[conformance::test(posix = "write")]
fn leaves_the_error_where_it_is_ignored(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    let writer = broken(kind)?;
    expect_eq!((write(&writer, b"x"), write(&writer, b"x")), (Err(EPIPE), Err(EPIPE)));
    signal::block(Signal::SIGPIPE)?;
    expect_eq!(signal::pending(Signal::SIGPIPE), Ok(false));
    Ok(())
}

/// A handler runs once for each write that fails, and `SA_RESTART` does not make the write start again.
#[rstest]
#[conformance::test(posix = "write", posix = "sigaction")]
fn comes_once_for_each_write(
    #[values(Restart::No, Restart::Yes)] restart: Restart,
    #[values(Kind::Pipe, Kind::Fifo)] kind: Kind,
) -> Outcome {
    signal::catch(Signal::SIGPIPE, restart)?;
    let writer = broken(kind)?;
    for times in 1..=3 {
        expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), times));
    }
    Ok(())
}

/// A vector fails like a single buffer, of any number of segments, with one signal.
#[rstest]
#[case::one_segment(1)]
#[case::many_segments(100)]
#[conformance::test(posix = "writev")]
fn comes_once_for_a_vector(#[case] segments: usize, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    let writer = broken(kind)?;
    let result = writev(&writer, &vec![IoSlice::new(b"abc"); segments]);
    expect_eq!((result, signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    Ok(())
}

/// Blocked, the signal stays pending after the error, once however many writes fail, until it is taken off.
#[rstest]
#[conformance::test(posix = "write", posix = "sigpending")]
fn stays_pending_once_where_it_is_blocked(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    signal::block(Signal::SIGPIPE)?;
    let writer = broken(kind)?;
    for _ in 0..2 {
        expect_eq!(signal::pending(Signal::SIGPIPE), Ok(false));
        expect_eq!((write(&writer, b"x"), write(&writer, b"x")), (Err(EPIPE), Err(EPIPE)));
        expect_eq!((signal::pending(Signal::SIGPIPE), signal::take_pending(Signal::SIGPIPE)), (Ok(true), Ok(Signal::SIGPIPE)));
    }
    expect_eq!(signal::pending(Signal::SIGPIPE), Ok(false));
    Ok(())
}

/// A signal that was blocked comes when it is unblocked.
#[conformance::test(posix = "write", posix = "pthread_sigmask")]
fn comes_when_it_is_unblocked() -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    signal::block(Signal::SIGPIPE)?;
    let writer = broken(Kind::Pipe)?;
    expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 0));
    signal::unblock(Signal::SIGPIPE)?;
    expect_eq!(signal::caught(Signal::SIGPIPE), 1);
    Ok(())
}

/// The signal is for the thread that wrote: blocked there, it waits there, although another thread would take it.
#[rstest]
#[conformance::test(posix = "write")]
fn is_for_the_writing_thread_alone(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let writer = Participant::spawn("writer", broken(kind)?, |end, _| {
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                signal::block(Signal::SIGPIPE)?;
                let result = write(&end, b"x");
                Ok::<_, Errno>((result, signal::pending(Signal::SIGPIPE)?, signal::caught(Signal::SIGPIPE)))
            });
            thread.join().expect("nothing there panics")
        })
    })?;
    expect_eq!(writer.join()?, Ok((Err(EPIPE), true, 0)));
    Ok(())
}

/// The handler runs in the thread that wrote, while the process's first thread does something else.
#[cfg(linux)]
#[conformance::test(posix = "write", man = "signal(7)")]
fn is_handled_in_the_writing_thread() -> Outcome {
    let writer = Participant::spawn("writer", broken(Kind::Pipe)?, |end, _| {
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        let results = std::thread::scope(|scope| {
            let writes = || {
                let result = write(&end, b"x");
                (result, signal::last_caught().2 == thread_id())
            };
            // One after the other: what the handler saw last is kept once for all.
            [(); 2].map(|()| scope.spawn(writes).join().expect("nothing there panics"))
        });
        Ok::<_, Errno>((results, signal::caught(Signal::SIGPIPE)))
    })?;
    expect_eq!(writer.join()?, Ok(([(Err(EPIPE), true), (Err(EPIPE), true)], 2)));
    Ok(())
}

/// What the handler is told about the sender is the system's choice: the writer itself, or nobody.
#[conformance::test(posix = "write", level = observed)]
fn comes_in_nobody_else_s_name() -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    expect_eq!(write(broken(Kind::Pipe)?, b"x"), Err(EPIPE));
    let (code, sender, _) = signal::last_caught();
    observe!("pipe.sigpipe-code", if code == signal::SI_USER { "SI_USER".to_owned() } else { code.to_string() });
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    expect!(sender == own || sender == 0, "the sender is {sender}, and the writer {own}");
    Ok(())
}

/// Two threads blocked in writes both fail, and each gets its own signal.
#[rstest]
#[conformance::test(posix = "write")]
fn comes_to_each_blocked_thread(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    fill(&writer_end)?;
    let (ids, id_of) = pipe()?;
    let writer = Participant::spawn("writer", (writer_end, id_of), |(end, id_of), _| {
        // Blocked in both threads, each signal stays with the thread that it was for.
        signal::block(Signal::SIGPIPE)?;
        let one = || {
            write_all(&id_of, &thread_id().to_ne_bytes())?;
            Ok::<_, Errno>((write(&end, b"x"), signal::pending(Signal::SIGPIPE)?, signal::take_pending(Signal::SIGPIPE)? as i32))
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(one);
            Ok::<_, Errno>([one()?, other.join().expect("nothing there panics")?])
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

/// The signals of parent and child are their own: a write fails in both, and each is told once.
#[rstest]
#[conformance::test(posix = "write", posix = "fork")]
fn comes_to_every_process_that_writes(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    let (reader, writer) = kind.open()?;
    let child = Participant::spawn_inheriting("child", |link| {
        link.wait("reader gone");
        (write(&writer, b"x"), signal::caught(Signal::SIGPIPE))
    })?;
    drop(reader);
    // The child's copy of the reading end keeps the pipe whole.
    expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Ok(1), 0));
    child.kill()?;
    expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    let sibling = Participant::spawn_inheriting("sibling", |_| (write(&writer, b"x"), signal::caught(Signal::SIGPIPE)))?;
    expect_eq!((sibling.join()?, signal::caught(Signal::SIGPIPE)), ((Err(EPIPE), 2), 1));
    Ok(())
}
