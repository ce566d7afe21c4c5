//! Participants that do not do what the case expects of them.

use conformance::prelude::*;

/// A participant panics.
#[conformance::test(man = "pipe(7)")]
fn panics() -> Outcome {
    Participant::spawn("nervous", (), |(), _| -> () { panic!("in a participant") })?.join()?;
    Ok(())
}

/// A participant is killed by somebody else, and then asked for its value.
#[conformance::test(man = "pipe(7)")]
fn is_killed() -> Outcome {
    let victim = Participant::spawn("victim", (), |(), link| -> () { link.park() })?;
    nix::sys::signal::kill(victim.id(), Signal::SIGKILL)?;
    victim.join()?;
    Ok(())
}

/// A participant exits by itself.
#[conformance::test(man = "pipe(7)")]
fn exits() -> Outcome {
    // SAFETY: `_exit` has no preconditions.
    Participant::spawn("leaver", (), |(), _| -> () { unsafe { libc::_exit(4) } })?.join()?;
    Ok(())
}

/// A participant crashes before it reaches a gate.
#[conformance::test(man = "pipe(7)")]
fn crashes_before_a_gate() -> Outcome {
    let crasher = Participant::spawn("crasher", (), |(), _| -> () { std::process::abort() })?;
    crasher.until_reached("safety")?;
    Ok(())
}

/// A participant reaches gates in another order.
#[conformance::test(man = "pipe(7)")]
fn reaches_another_gate() -> Outcome {
    let early = Participant::spawn("early", (), |(), link| link.reached("second"))?;
    early.until_reached("first")?;
    Ok(())
}

/// A participant returns where it should reach a gate.
#[conformance::test(man = "pipe(7)")]
fn returns_before_a_gate() -> Outcome {
    let quick = Participant::spawn("quick", (), |(), _| 42)?;
    quick.until_reached("end")?;
    Ok(())
}

/// The case opens another gate than the one that the participant waits at.
#[conformance::test(man = "pipe(7)")]
fn is_let_through_another_gate() -> Outcome {
    let waiting = Participant::spawn("waiting", (), |(), link| link.wait("left"))?;
    waiting.open("right")?;
    waiting.join()?;
    Ok(())
}

/// A participant returns where it should block.
#[conformance::test(man = "pipe(7)", needs(procfs))]
fn does_not_block() -> Outcome {
    let (reader, writer) = pipe()?;
    write_all(&writer, b"four")?;
    let brisk = Participant::spawn("brisk", reader, |reader, _| read(&reader, &mut [0; 8]))?;
    brisk.until_blocked()?;
    Ok(())
}

/// A participant is woken that should be blocked still.
#[conformance::test(man = "pipe(7)", needs(procfs))]
fn does_not_stay_blocked() -> Outcome {
    let (reader, writer) = pipe()?;
    let sleeper = Participant::spawn("sleeper", reader, |reader, _| read(&reader, &mut [0; 8]))?;
    sleeper.until_blocked()?;
    write_all(&writer, b"wake up")?;
    sleeper.expect_still_blocked()?;
    Ok(())
}

/// A participant only waits at a gate, where it should block in the kernel.
#[conformance::test(man = "pipe(7)", needs(procfs), deadline = 1)]
fn blocks_at_a_gate_only() -> Outcome {
    let waiting = Participant::spawn("waiting", (), |(), link| link.wait("for ever"))?;
    waiting.until_blocked()?;
    Ok(())
}

/// A participant started afresh panics.
#[conformance::test(man = "execve(2)")]
fn panics_after_exec() -> Outcome {
    Participant::exec("afresh", (), &7_u8, |(), number, _| -> () { panic!("number {number}") })?.join()?;
    Ok(())
}

/// A participant sends a value that a case cannot expect: it is larger than a pipe.
#[conformance::test(man = "pipe(7)")]
fn returns_a_lot() -> Outcome {
    let bytes = Participant::spawn("generous", (), |(), _| vec![7_u8; 100_000])?.join()?;
    expect_eq!(bytes.len(), 0);
    Ok(())
}
