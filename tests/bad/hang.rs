//! Cases that do not end by themselves.

use conformance::prelude::*;

/// Reads an empty pipe that has a writer: itself.
#[conformance::test(man = "pipe(7)", deadline = 0.2)]
fn reads_an_empty_pipe() -> Outcome {
    let (reader, _writer) = pipe()?;
    read(&reader, &mut [0; 1])?;
    Ok(())
}

/// Waits for a participant that reads an empty pipe.
#[conformance::test(man = "pipe(7)", deadline = 1)]
fn in_a_participant() -> Outcome {
    let (reader, _writer) = pipe()?;
    let stuck = Participant::spawn("stuck", reader, |reader, _| read(&reader, &mut [0; 1]))?;
    stuck.join()??;
    Ok(())
}

/// Computes without end.
#[conformance::test(man = "pipe(7)", deadline = 1)]
fn spins() -> Outcome {
    loop {
        std::hint::spin_loop();
    }
}

/// Stops itself, and nobody lets it go on.
#[conformance::test(man = "signal(7)", deadline = 1)]
fn stops_itself() -> Outcome {
    nix::sys::signal::raise(Signal::SIGSTOP)?;
    Ok(())
}

/// Writes to standard output without end, as fast as it is read.
#[conformance::test(man = "pipe(7)", deadline = 0.2)]
fn writes_without_end() -> Outcome {
    loop {
        write(std::io::stdout(), &[b'x'; 4096])?;
    }
}

/// Tells the harness about its steps without end.
#[conformance::test(man = "pipe(7)", deadline = 1)]
fn notes_without_end() -> Outcome {
    loop {
        note("again");
    }
}

/// Leaves its process group, and waits for ever.
#[conformance::test(man = "setpgid(2)", deadline = 0.2)]
fn outside_its_process_group() -> Outcome {
    let leader = crate::dirt::leave_group()?;
    leader.join()?;
    Ok(())
}

/// Closes its control channel and its output, and waits for ever.
#[conformance::test(man = "pipe(7)", deadline = 0.2)]
fn behind_closed_descriptors() -> Outcome {
    for number in 0..1024 {
        // SAFETY: nothing in this process uses a descriptor again.
        unsafe { libc::close(number) };
    }
    loop {
        nix::unistd::pause();
    }
}
