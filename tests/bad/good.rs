//! Cases that do nothing wrong: what participants promise. They must pass.

use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering::SeqCst;

use conformance::fault::sweep::{Injection, stepped_instruction_sweep};
use conformance::prelude::*;
use conformance::sys::pthread::SharedMutex;
use nix::sys::wait::{WaitStatus, waitpid};

/// A participant that is started afresh gets its argument and its descriptors, gives a value back, and has nothing else open.
#[conformance::test(man = "execve(2)")]
fn exec_hands_over_what_is_named_and_nothing_else() -> Outcome {
    let (reader, writer) = pipe()?;
    let (_other, _ends) = pipe()?;
    let afresh = Participant::exec("afresh", (writer, dup(&reader)?), &"argument".to_owned(), |(writer, reader), text, link| {
        drop(reader);
        link.meet("halfway");
        write(&writer, text.as_bytes()).map(|count| (count, open_descriptors()))
    })?;
    afresh.until_reached("halfway")?;
    afresh.open("halfway")?;
    let (count, open) = afresh.join()??;
    expect_eq!((count, read_exactly(&reader, 8)), (8, Ok(b"argument".to_vec())));
    expect_eq!(open.iter().filter(|&&number| (3..200).contains(&number)).count(), 1);
    expect_eq!(open.iter().filter(|&&number| number >= 200).count(), 2);
    Ok(())
}

/// A participant owns the descriptors that it was given, 0 to 2 and its link; the case has none of them any more.
#[conformance::test(man = "fork(2)")]
fn a_participant_owns_exactly_its_descriptors() -> Outcome {
    let (reader, writer) = pipe()?;
    let (other_reader, other_writer) = pipe()?;
    let number = reader.as_raw_fd();
    let owner = Participant::spawn("owner", reader, |reader, _| (reader.as_raw_fd(), open_descriptors()))?;
    let (own, open) = owner.join()?;
    expect_eq!(own, number);
    expect_matches!(open.as_slice(), [0, 1, 2, low, 200..=i32::MAX, 200..=i32::MAX] if *low == number);
    // The participant is gone, and with it the only reader.
    signal::ignore(Signal::SIGPIPE)?;
    expect_eq!(write(&writer, b"x"), Err(EPIPE));
    drop((other_reader, other_writer));
    Ok(())
}

/// A case that reads to the end is not kept waiting by copies of the write end in participants.
#[conformance::test(man = "fork(2)")]
fn a_participant_holds_no_forgotten_end() -> Outcome {
    let (reader, writer) = pipe()?;
    let _idle = Participant::spawn("idle", (), |(), link| -> () { link.park() })?;
    let _another = Participant::spawn("another", (), |(), link| -> () { link.park() })?;
    write_all(writer, b"all")?;
    expect_eq!(read_to_end(&reader), Ok(b"all".to_vec()));
    Ok(())
}

/// A stopped participant does nothing, and goes on where it was.
#[conformance::test(man = "signal(7)")]
fn stop_and_resume() -> Outcome {
    let (reader, writer) = pipe()?;
    let echo = Participant::spawn("echo", reader, |reader, _| read(&reader, &mut [0; 8]))?;
    echo.stop()?;
    write_all(&writer, b"123")?;
    expect!(!echo.is_blocked());
    echo.resume()?;
    expect_eq!(echo.join()?, Ok(3));
    Ok(())
}

/// A participant that waits is blocked, and stays so after a byte went elsewhere.
#[conformance::test(man = "pipe(7)")]
fn still_blocked() -> Outcome {
    let (reader, writer) = pipe()?;
    let (_elsewhere, other) = pipe()?;
    let sleeper = Participant::spawn("sleeper", reader, |reader, link| {
        link.reached("the call");
        read(&reader, &mut [0; 8])
    })?;
    sleeper.until_reached("the call")?;
    sleeper.until_blocked()?;
    write_all(other, b"x")?;
    sleeper.expect_still_blocked()?;
    write_all(&writer, b"yz")?;
    expect_eq!(sleeper.join()?, Ok(2));
    Ok(())
}

/// A dropped participant is killed and reaped: no process of its id is left.
#[conformance::test(man = "fork(2)")]
fn a_dropped_participant_is_gone() -> Outcome {
    let (reader, writer) = pipe()?;
    let dropped = Participant::spawn("dropped", writer, |_writer, link| -> () { link.park() })?;
    let process = dropped.id();
    drop(dropped);
    expect_eq!(waitpid(process, None), Err(nix::errno::Errno::ECHILD));
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}

/// A participant may have participants of its own; they end with it.
#[conformance::test(man = "fork(2)")]
fn a_participant_of_a_participant() -> Outcome {
    let (reader, writer) = pipe()?;
    let outer = Participant::spawn("outer", (reader, writer), |(reader, writer), link| {
        let inner = Participant::spawn("inner", dup(&writer)?, |writer, _| write(&writer, b"inner"))?;
        let bystander = Participant::spawn("bystander", writer, |_writer, link| -> () { link.park() })?;
        link.meet("both");
        let written = inner.join().map_err(|_| EPIPE)??;
        drop(bystander);
        read_to_end(&reader).map(|bytes| (written, bytes))
    })?;
    outer.until_reached("both")?;
    outer.open("both")?;
    expect_eq!(outer.join()?, Ok((5, b"inner".to_vec())));
    Ok(())
}

/// Participants of a killed participant do not outlive it.
#[cfg(linux)]
#[conformance::test(man = "prctl(2)")]
fn a_killed_participant_takes_its_own_along() -> Outcome {
    let (reader, writer) = pipe()?;
    let outer = Participant::spawn("outer", writer, |writer, link| -> () {
        let _inner = Participant::spawn("inner", writer, |_writer, link| -> () { link.park() });
        link.reached("inner is there");
        link.park()
    })?;
    outer.until_reached("inner is there")?;
    outer.kill()?;
    expect_eq!(read_to_end(&reader), Ok(Vec::new()));
    Ok(())
}

/// A participant that is meant to be killed says how it ended, and its end can be told from an exit.
#[conformance::test(man = "wait(2)")]
fn ends_are_told_apart() -> Outcome {
    // SAFETY: `_exit` has no preconditions.
    let exits = Participant::spawn("exits", (), |(), _| -> () { unsafe { libc::_exit(7) } })?;
    let parks = Participant::spawn("parks", (), |(), link| -> () { link.park() })?;
    parks.signal(Signal::SIGTERM)?;
    expect_eq!((exits.end()?, parks.end()?), (End::Exited(7), End::Killed(Signal::SIGTERM)));
    Ok(())
}

/// A participant that inherits has what the case has.
#[conformance::test(man = "fork(2)")]
fn spawn_inheriting_keeps_everything() -> Outcome {
    let (reader, writer) = pipe()?;
    let heir = Participant::spawn_inheriting("heir", |_| write(&writer, b"h"))?;
    expect_eq!((heir.join()?, read(&reader, &mut [0; 2])), (Ok(1), Ok(1)));
    Ok(())
}

/// A zombie of another kind: a process that the case has forked and waited for itself.
#[conformance::test(man = "fork(2)")]
fn a_case_may_fork_by_itself() -> Outcome {
    // SAFETY: this process has one thread, and the child leaves at once.
    let child = match unsafe { nix::unistd::fork()? } {
        nix::unistd::ForkResult::Parent { child } => child,
        // SAFETY: `_exit` has no preconditions.
        nix::unistd::ForkResult::Child => unsafe { libc::_exit(0) },
    };
    expect_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
    Ok(())
}

/// A section with all that makes it hard to find an instruction again: a loop, functions that are called twice, an instruction that
/// repeats, a system call. The progress is counted in the first word.
fn winding_section(mutex: &SharedMutex) {
    let progress = mutex.word(0);
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "written by the instruction that repeats"))]
    let mut bytes = [0_u8; 8];
    mark();
    for _ in 0..2 {
        let _ = mutex.lock();
        progress.fetch_add(1, SeqCst);
        let _ = mutex.unlock();
        progress.fetch_add(1, SeqCst);
    }
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction writes 8 bytes into an array that has as many.
    unsafe {
        std::arch::asm!("rep stosb", inout("rdi") bytes.as_mut_ptr() => _, inout("rcx") 8_usize => _, in("al") 1_u8);
    }
    progress.fetch_add(u32::from(std::hint::black_box(bytes)[7]), SeqCst);
    nix::unistd::getpid();
    mark();
}

/// An instruction sweep kills its victims at the same instructions in the same state, whether they run into traps or are stepped.
// In a build without optimisation the section has many instructions, and each is stepped to.
#[conformance::test(man = "ptrace(2)", needs(ptrace), deadline = 90)]
fn traps_and_steps_lead_to_the_same_instructions() -> Outcome {
    let seen = RefCell::new(Vec::new());
    let scenario = |run: &Injection| {
        let mutex = SharedMutex::create(Mapping::anonymous(page_size())?)?;
        let victim = run.victim("victim", (), |(), _| winding_section(&mutex))?;
        seen.borrow_mut().push((run.point(), victim.address, mutex.word(0).load(SeqCst), mutex.try_lock()));
        Ok(())
    };
    instruction_sweep(scenario)?;
    let trapped = seen.take();
    stepped_instruction_sweep(scenario)?;
    // Of a long section, as in a build without optimisation, traps are set in a part only.
    let stepped = seen.take();
    let apart: Vec<_> = trapped.iter().filter(|&point| !stepped.contains(point)).collect();
    expect_eq!(apart, Vec::<&_>::new());
    expect!(stepped.len() > 10, "only {} stepped runs", stepped.len());
    expect!(trapped.len() > 10, "only {} runs", trapped.len());
    Ok(())
}

/// An instruction sweep goes on if its victims do less than the one that was recorded; that is told in the record.
#[conformance::test(man = "ptrace(2)", needs(ptrace), deadline = 90)]
fn a_sweep_of_victims_that_do_less() -> Outcome {
    let recorded = Cell::new(true);
    instruction_sweep(|run| {
        let mutex = SharedMutex::create(Mapping::anonymous(page_size())?)?;
        let twice = recorded.take();
        let victim = run.victim("victim", (), |(), _| {
            mark();
            let once = [mutex.lock(), mutex.unlock()];
            if twice {
                let _ = [mutex.lock(), mutex.unlock()];
            }
            mark();
            once
        })?;
        expect_matches!(victim.value, None | Some([Ok(()), Ok(())]));
        Ok(())
    })
}

/// Numbers of the descriptors that are open.
fn open_descriptors() -> Vec<i32> {
    // SAFETY: a number that is not open is an error code.
    (0..1024).filter(|&number| unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }).collect()
}
