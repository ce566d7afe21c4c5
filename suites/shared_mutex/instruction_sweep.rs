//! Instruction sweep of robust mutexes: an owner that is killed before each instruction of locking, recovering and unlocking.
//!
//! A thread keeps its robust list in its own memory, and the kernel walks it when the thread ends. The C library sets the pending
//! entry, changes the lock word, and links or unlinks the mutex. The order of these steps is right only if it is right wherever the
//! thread ends.

use std::cell::Cell;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::pthread::SharedMutex;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{BOTH_OK, Kind, every_kind, lock_unlock, normal_and_prio_inherit, owner};

/// The word in which the victim records each stage before the stage begins.
const STAGE: usize = 8;
const LOCKING: u32 = 1;
const OWNS: u32 = 2;
const UNLOCKING: u32 = 3;
const DONE: u32 = 4;

/// Words that the owner writes.
const WORDS: usize = 2;

type Lock = fn(&SharedMutex) -> Result<(), Errno>;

fn words(mutex: &SharedMutex) -> [u32; WORDS] {
    std::array::from_fn(|word| mutex.word(word).load(SeqCst))
}

/// The critical section.
fn section(mutex: &SharedMutex, lock: Lock) -> [Result<(), Errno>; 2] {
    // Looked up beforehand, so that the swept section is short.
    let [stage, first, second] = [STAGE, 0, 1].map(|word| mutex.word(word));
    mark();
    stage.store(LOCKING, SeqCst);
    let locked = lock(mutex);
    stage.store(OWNS, SeqCst);
    first.store(1, SeqCst);
    second.store(1, SeqCst);
    stage.store(UNLOCKING, SeqCst);
    let unlocked = mutex.unlock();
    stage.store(DONE, SeqCst);
    mark();
    [locked, unlocked]
}

/// Checks that the result changes in one direction only as the victim is killed later and later: from `LOCKING` to `OWNS` to `DONE`.
struct Progress(Cell<u32>);

impl Progress {
    fn new() -> Self {
        Progress(Cell::new(0))
    }

    /// What locking returned to a survivor after a death at that stage must be what the stage allows, and no step back.
    fn expect(&self, killed: bool, stage: u32, locked: Result<(), Errno>, words: [u32; WORDS]) -> Outcome {
        let dead = Err(EOWNERDEAD);
        let (allowed, data): (&[Result<(), Errno>], &[[u32; WORDS]]) = match stage {
            0 => (&[Ok(())], &[[0, 0]]),
            LOCKING => (&[Ok(()), dead], &[[0, 0]]),
            OWNS => (&[dead], &[[0, 0], [1, 0], [1, 1]]),
            UNLOCKING => (&[dead, Ok(())], &[[1, 1]]),
            _ => (&[Ok(())], &[[1, 1]]),
        };
        expect!(allowed.contains(&locked), "locking returned {locked:?} after a death at stage {stage}");
        expect!(data.contains(&words), "the words are {words:?} after a death at stage {stage}");
        let now = match locked {
            Err(_) => OWNS,
            Ok(()) if stage <= LOCKING => LOCKING,
            Ok(()) => DONE,
        };
        if killed {
            expect!(now >= self.0.get(), "stage {now} follows stage {} of a kill some instructions earlier", self.0.get());
            self.0.set(now);
        }
        Ok(())
    }
}

/// Locks after the death, makes the mutex consistent if that is needed, and unlocks: what locking returned, and the first error of the
/// rest.
fn take(mutex: &SharedMutex) -> (Result<(), Errno>, Result<(), Errno>) {
    let locked = mutex.lock();
    let consistent = if locked == Err(EOWNERDEAD) { mutex.consistent() } else { Ok(()) };
    (locked, consistent.and_then(|()| mutex.unlock()))
}

/// A process that calls `pthread_mutex_lock` or `pthread_mutex_trylock` and then `pthread_mutex_unlock` on a robust mutex is
/// killed before each instruction of these. The next `pthread_mutex_lock` returns `EOWNERDEAD` if the lock call had returned and
/// `pthread_mutex_unlock` was not entered, and 0 if the lock call was not entered or `pthread_mutex_unlock` had returned. Within
/// each of the two calls the result changes at most once, from 0 to `EOWNERDEAD` in the lock call and from `EOWNERDEAD` to 0 in
/// `pthread_mutex_unlock`.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "get_robust_list(2)", needs(ptrace))]
fn eownerdead_follows_the_death_of_an_owner_only(
    kind: Kind,
    #[values(SharedMutex::lock, SharedMutex::try_lock)] lock: Lock,
) -> Outcome {
    let progress = Progress::new();
    instruction_sweep(|run| {
        let mutex = kind.robust()?;
        let victim = run.victim("owner", (), |(), _| section(&mutex, lock))?;
        expect_matches!(victim.value, None | Some([Ok(()), Ok(())]));
        let (stage, words) = (mutex.word(STAGE).load(SeqCst), words(&mutex));
        let next = Participant::spawn("next owner", (), |(), _| (take(&mutex), lock_unlock(&mutex)))?;
        let ((locked, rest), again) = next.join()?;
        expect_eq!((rest, again, lock_unlock(&mutex)), (Ok(()), BOTH_OK, BOTH_OK));
        progress.expect(victim.value.is_none(), stage, locked, words)
    })
}

/// If the owner of a robust mutex is killed before any instruction of its `pthread_mutex_unlock` while one or two processes are
/// blocked in `pthread_mutex_lock`, that call returns in each of them, in the second after the first has called
/// `pthread_mutex_unlock`. It returns `EOWNERDEAD` in one of them if the kill came before `pthread_mutex_unlock` released the
/// mutex, and 0 otherwise. The result changes once, from `EOWNERDEAD` to 0, as the kill comes later in `pthread_mutex_unlock`.
#[apply(every_kind)]
#[conformance::test(
    posix = "pthread_mutexattr_setrobust",
    man = "get_robust_list(2)",
    needs(ptrace),
    fixed_in = "Linux 5.5 (ca16d5bee598)"
)]
fn wakes_the_waiters_of_a_killed_owner(kind: Kind, #[values(1, 2)] waiters: usize) -> Outcome {
    let progress = Progress::new();
    instruction_sweep(|run| {
        let mutex = kind.robust()?;
        let mut blocked = Vec::new();
        let block = || {
            for _ in 0..waiters {
                let waiter = Participant::spawn("waiter", (), |(), _| take(&mutex))?;
                waiter.until_blocked()?;
                blocked.push(waiter);
            }
            Ok(())
        };
        // The victim owns the mutex already, so that the section locks nothing.
        let victim = run
            .scene("owner", ())
            .prepare(|()| mutex.lock())
            .meanwhile(block)
            .victim(|(), locked, _| (locked, section(&mutex, |_| Ok(()))))?;
        expect_matches!(victim.value, None | Some((Ok(()), [Ok(()), Ok(())])));
        let mut seen = blocked.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
        seen.sort_unstable();
        let Some((locked, _)) = seen.pop() else { return Ok(()) };
        // The victim owned the mutex before the first stage.
        let stage = mutex.word(STAGE).load(SeqCst).max(OWNS);
        expect_eq!((seen, lock_unlock(&mutex)), (vec![BOTH_OK; waiters - 1], BOTH_OK));
        progress.expect(victim.value.is_none(), stage, locked, words(&mutex))
    })
}

/// If a process that owns two robust mutexes is killed before any instruction of its `pthread_mutex_lock` and
/// `pthread_mutex_unlock` on a third one, `pthread_mutex_trylock` by another process returns `EOWNERDEAD` on each of the two.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "get_robust_list(2)", needs(ptrace))]
fn killed_owner_leaves_eownerdead_on_other_mutexes(
    #[values(Kind::Normal, Kind::Recursive, Kind::PrioInherit)] kind: Kind,
    #[values(Kind::Normal, Kind::PrioInherit)] other: Kind,
) -> Outcome {
    let progress = Progress::new();
    instruction_sweep(|run| {
        let mutexes = [kind.robust()?, other.robust()?, other.robust()?];
        let [mutex, held @ ..] = &mutexes;
        let lock_both = |(): &()| [held[0].lock(), held[1].lock()];
        let body = |(), locked, _: &Link| (locked, section(mutex, SharedMutex::lock));
        let victim = run.scene("owner", ()).prepare(lock_both).victim(body)?;
        expect_matches!(victim.value, None | Some(([Ok(()), Ok(())], [Ok(()), Ok(())])));
        expect_eq!([held[0].try_lock(), held[1].try_lock()], [Err(EOWNERDEAD); 2]);
        let (locked, rest) = take(mutex);
        expect_eq!((rest, lock_unlock(mutex)), (Ok(()), BOTH_OK));
        progress.expect(victim.value.is_none(), mutex.word(STAGE).load(SeqCst), locked, words(mutex))
    })
}

/// If the owner of three robust mutexes is killed before any instruction of its `pthread_mutex_unlock` on one of them,
/// `pthread_mutex_lock` by another process returns `EOWNERDEAD` on the other two. On the third it returns `EOWNERDEAD` if
/// `pthread_mutex_unlock` was not entered, and 0 if it had returned; within this call the result changes at most once, from
/// `EOWNERDEAD` to 0.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "get_robust_list(2)", needs(ptrace))]
fn killed_while_unlocking_one_of_three(#[values(0, 1, 2)] unlocked: usize) -> Outcome {
    let progress = Progress::new();
    instruction_sweep(|run| {
        let mutexes = [Kind::Normal.robust()?, Kind::Normal.robust()?, Kind::Normal.robust()?];
        let prepare = |(): &()| mutexes.iter().map(SharedMutex::lock).collect::<Vec<_>>();
        let body = |(), locked, _: &Link| (locked, section(&mutexes[unlocked], |_| Ok(())));
        let victim = run.scene("owner", ()).prepare(prepare).victim(body)?;
        if let Some(value) = &victim.value {
            expect_eq!(*value, (vec![Ok(()); 3], [Ok(()), Ok(())]));
        }
        let seen = mutexes.each_ref().map(take);
        for (index, seen) in seen.iter().enumerate().filter(|(index, _)| *index != unlocked) {
            expect_eq!((index, *seen), (index, (Err(EOWNERDEAD), Ok(()))));
        }
        let stage = mutexes[unlocked].word(STAGE).load(SeqCst).max(OWNS);
        progress.expect(victim.value.is_none(), stage, seen[unlocked].0, words(&mutexes[unlocked]))
    })
}

/// A process whose `pthread_mutex_lock` returns `EOWNERDEAD` after an owner was killed calls `pthread_mutex_consistent` and
/// `pthread_mutex_unlock`, and is killed before any instruction of the three calls. The following `pthread_mutex_lock` returns
/// `EOWNERDEAD` if `pthread_mutex_unlock` was not entered, and 0 if it had returned; within `pthread_mutex_unlock` the result
/// changes at most once, from `EOWNERDEAD` to 0.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_consistent", man = "pthread_mutex_consistent(3)", needs(ptrace))]
fn new_owner_killed_during_recovery(kind: Kind) -> Outcome {
    let recovered = Cell::new(false);
    instruction_sweep(|run| {
        let mutex = kind.robust()?;
        owner(&mutex)?.kill()?;
        let victim = run.victim("new owner", (), |(), _| {
            mark();
            let locked = mutex.lock();
            let consistent = mutex.consistent();
            mutex.word(STAGE).store(UNLOCKING, SeqCst);
            let unlocked = mutex.unlock();
            mutex.word(STAGE).store(DONE, SeqCst);
            mark();
            [locked, consistent, unlocked]
        })?;
        expect_matches!(victim.value, None | Some([Err(EOWNERDEAD), Ok(()), Ok(())]));
        let (locked, rest) = take(&mutex);
        expect_eq!((rest, lock_unlock(&mutex)), (Ok(()), BOTH_OK));
        match (locked, mutex.word(STAGE).load(SeqCst)) {
            (Err(EOWNERDEAD), 0 | UNLOCKING) => {
                expect!(!recovered.get(), "the kill some instructions earlier left the mutex consistent and unlocked");
            }
            (Ok(()), UNLOCKING | DONE) => recovered.set(victim.value.is_none()),
            unexpected => expect_eq!(unexpected, (Err(EOWNERDEAD), 0)),
        }
        Ok(())
    })
}

/// A process to which `pthread_mutex_lock` returned `EOWNERDEAD` calls `pthread_mutex_unlock` without `pthread_mutex_consistent`,
/// and is killed before any instruction of it. The next `pthread_mutex_lock` returns `EOWNERDEAD` or `ENOTRECOVERABLE`; as the
/// kill comes later in `pthread_mutex_unlock`, the result changes at most once, from `EOWNERDEAD` to `ENOTRECOVERABLE`.
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_consistent(3)", needs(ptrace))]
fn killed_while_unlocking_without_consistent(kind: Kind) -> Outcome {
    let not_recoverable = Cell::new(false);
    instruction_sweep(|run| {
        let mutex = kind.robust()?;
        owner(&mutex)?.kill()?;
        let prepare = |(): &()| mutex.lock();
        let victim = run.scene("new owner", ()).prepare(prepare).victim(|(), locked, _| {
            mark();
            let unlocked = mutex.unlock();
            mark();
            [locked, unlocked]
        })?;
        expect_matches!(victim.value, None | Some([Err(EOWNERDEAD), Ok(())]));
        let next = Participant::spawn("next owner", (), |(), _| (mutex.lock(), mutex.consistent(), mutex.unlock()))?;
        match next.join()? {
            (Err(EOWNERDEAD), Ok(()), Ok(())) => {
                expect!(!not_recoverable.get(), "the kill some instructions earlier left the mutex not recoverable");
                expect_eq!(lock_unlock(&mutex), BOTH_OK);
            }
            (Err(ENOTRECOVERABLE), Err(EINVAL), Err(EPERM)) => not_recoverable.set(victim.value.is_none()),
            unexpected => expect_eq!(unexpected, (Err(EOWNERDEAD), Ok(()), Ok(()))),
        }
        Ok(())
    })
}

/// If the owner of a recursive robust mutex, locked once, is killed before any instruction of a second `pthread_mutex_lock` and
/// one `pthread_mutex_unlock`, the next `pthread_mutex_trylock` returns `EOWNERDEAD`. After `pthread_mutex_consistent`, the first
/// `pthread_mutex_unlock` returns 0 and a second one fails with `EPERM`.
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "get_robust_list(2)", needs(ptrace))]
fn owner_killed_while_relocking_leaves_eownerdead() -> Outcome {
    instruction_sweep(|run| {
        let mutex = Kind::Recursive.robust()?;
        let victim = run.scene("owner", ()).prepare(|()| mutex.lock()).victim(|(), first, _| {
            mark();
            let second = mutex.lock();
            let unlocked = mutex.unlock();
            mark();
            [first, second, unlocked]
        })?;
        expect_matches!(victim.value, None | Some([Ok(()), Ok(()), Ok(())]));
        expect_eq!((mutex.try_lock(), mutex.consistent()), (Err(EOWNERDEAD), Ok(())));
        expect_eq!([mutex.unlock(), mutex.unlock()], [Ok(()), Err(EPERM)]);
        Ok(())
    })
}
