//! Instruction by instruction: an owner killed between any two instructions of locking and unlocking.
//!
//! What a thread holds it says in its own memory, and the kernel believes it when the thread ends: the C library announces what it
//! is about to do, does it to the word that all see, and links or unlinks the mutex. Each order of these is right only if it is
//! right wherever the thread ends.

use std::cell::Cell;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::pthread::SharedMutex;
use rstest::rstest;

use super::fixture::{Kind, WELL, turn};

/// How far the victim says that it is, in a word that each stage is written to before it begins.
const STAGE: usize = 8;
const ASKS: u32 = 1;
const OWNS: u32 = 2;
const GIVES_UP: u32 = 3;
const DONE: u32 = 4;

/// Words that the owner writes.
const WORDS: usize = 2;

type Lock = fn(&SharedMutex) -> Result<(), Errno>;

fn words(mutex: &SharedMutex) -> [u32; WORDS] {
    std::array::from_fn(|word| mutex.word(word).load(SeqCst))
}

/// The critical section.
fn section(mutex: &SharedMutex, lock: Lock) -> [Result<(), Errno>; 2] {
    // Looked up before, so that the section is short.
    let [stage, first, second] = [STAGE, 0, 1].map(|word| mutex.word(word));
    mark();
    stage.store(ASKS, SeqCst);
    let locked = lock(mutex);
    stage.store(OWNS, SeqCst);
    first.store(1, SeqCst);
    second.store(1, SeqCst);
    stage.store(GIVES_UP, SeqCst);
    let unlocked = mutex.unlock();
    stage.store(DONE, SeqCst);
    mark();
    [locked, unlocked]
}

/// Looks that what becomes of a victim goes one way only as it is killed later and later: from `ASKS` to `OWNS` to `DONE`.
struct OneWay(Cell<u32>);

impl OneWay {
    fn new() -> Self {
        OneWay(Cell::new(0))
    }

    /// What a survivor was answered after a death at that stage must be what the stage allows, and no step back.
    fn expect(&self, killed: bool, stage: u32, told: Result<(), Errno>, words: [u32; WORDS]) -> Outcome {
        let dead = Err(EOWNERDEAD);
        let (allowed, data): (&[Result<(), Errno>], &[[u32; WORDS]]) = match stage {
            0 => (&[Ok(())], &[[0, 0]]),
            ASKS => (&[Ok(()), dead], &[[0, 0]]),
            OWNS => (&[dead], &[[0, 0], [1, 0], [1, 1]]),
            GIVES_UP => (&[dead, Ok(())], &[[1, 1]]),
            _ => (&[Ok(())], &[[1, 1]]),
        };
        expect!(allowed.contains(&told), "{told:?} at stage {stage}");
        expect!(data.contains(&words), "{words:?} at stage {stage}");
        let now = match told {
            Err(_) => OWNS,
            Ok(()) if stage <= ASKS => ASKS,
            Ok(()) => DONE,
        };
        if killed {
            expect!(now >= self.0.get(), "it was {} instructions earlier and is {now}", self.0.get());
            self.0.set(now);
        }
        Ok(())
    }
}

/// A participant's attempt after the death, with a repair if one is needed: what locking answered, and that all the rest went well.
fn take(mutex: &SharedMutex) -> (Result<(), Errno>, Result<(), Errno>) {
    let locked = mutex.lock();
    let repaired = if locked == Err(EOWNERDEAD) { mutex.consistent() } else { Ok(()) };
    (locked, repaired.and_then(|()| mutex.unlock()))
}

/// From the instruction on that makes it the owner, to the one that makes it none, an owner's death is told; before and after it is
/// not, and there is nothing in between: the mutex can always be locked.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "get_robust_list(2)", needs(ptrace))]
fn tells_of_an_owner_and_of_nobody_else(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
    #[values(SharedMutex::lock, SharedMutex::try_lock)] lock: Lock,
) -> Outcome {
    let way = OneWay::new();
    instruction_sweep(|run| {
        let mutex = kind.robust()?;
        let victim = run.victim("owner", (), |(), _| section(&mutex, lock))?;
        expect_matches!(victim.value, None | Some([Ok(()), Ok(())]));
        let (stage, words) = (mutex.word(STAGE).load(SeqCst), words(&mutex));
        let heir = Participant::spawn("heir", (), |(), _| (take(&mutex), turn(&mutex)))?;
        let ((told, repaired), next) = heir.join()?;
        expect_eq!((repaired, next, turn(&mutex)), (Ok(()), WELL, WELL));
        way.expect(victim.value.is_none(), stage, told, words)
    })
}

/// The same for one that unlocks while others sleep on the mutex: wherever it dies they all get the mutex, one of them with the news
/// if it was the owner still.
#[rstest]
#[conformance::test(
    posix = "pthread_mutexattr_setrobust",
    man = "get_robust_list(2)",
    needs(ptrace),
    fixed_in = "Linux 5.5 (ca16d5bee598)"
)]
fn leaves_nobody_asleep(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
    #[values(1, 2)] waiters: usize,
) -> Outcome {
    let way = OneWay::new();
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
        // Owned already: the lock of the section is none.
        let victim = run
            .scene("owner", ())
            .prepare(|()| mutex.lock())
            .meanwhile(block)
            .victim(|(), locked, _| (locked, section(&mutex, |_| Ok(()))))?;
        expect_matches!(victim.value, None | Some((Ok(()), [Ok(()), Ok(())])));
        let mut seen = blocked.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
        seen.sort_unstable();
        let Some((told, _)) = seen.pop() else { return Ok(()) };
        // It owned before it came to the first stage.
        let stage = mutex.word(STAGE).load(SeqCst).max(OWNS);
        expect_eq!((seen, turn(&mutex)), (vec![WELL; waiters - 1], WELL));
        way.expect(victim.value.is_none(), stage, told, words(&mutex))
    })
}

/// Whatever it is doing to another mutex, an owner's death is told at those that it holds: wherever in the list they are.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "get_robust_list(2)", needs(ptrace))]
fn forgets_no_other_mutex(
    #[values(Kind::Normal, Kind::Recursive, Kind::Inheriting)] kind: Kind,
    #[values(Kind::Normal, Kind::Inheriting)] other: Kind,
) -> Outcome {
    let way = OneWay::new();
    instruction_sweep(|run| {
        let mutexes = [kind.robust()?, other.robust()?, other.robust()?];
        let [mutex, held @ ..] = &mutexes;
        let lock_both = |(): &()| [held[0].lock(), held[1].lock()];
        let body = |(), locked, _: &Link| (locked, section(mutex, SharedMutex::lock));
        let victim = run.scene("owner", ()).prepare(lock_both).victim(body)?;
        expect_matches!(victim.value, None | Some(([Ok(()), Ok(())], [Ok(()), Ok(())])));
        expect_eq!([held[0].try_lock(), held[1].try_lock()], [Err(EOWNERDEAD); 2]);
        let (told, repaired) = take(mutex);
        expect_eq!((repaired, turn(mutex)), (Ok(()), WELL));
        way.expect(victim.value.is_none(), mutex.word(STAGE).load(SeqCst), told, words(mutex))
    })
}

/// An owner that unlocks the middle one of three mutexes is an owner of the other two at every instruction.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "get_robust_list(2)", needs(ptrace))]
fn takes_one_out_of_several(#[values(0, 1, 2)] which: usize) -> Outcome {
    let way = OneWay::new();
    instruction_sweep(|run| {
        let mutexes = [Kind::Normal.robust()?, Kind::Normal.robust()?, Kind::Normal.robust()?];
        let prepare = |(): &()| mutexes.iter().map(SharedMutex::lock).collect::<Vec<_>>();
        let body = |(), locked, _: &Link| (locked, section(&mutexes[which], |_| Ok(())));
        let victim = run.scene("owner", ()).prepare(prepare).victim(body)?;
        if let Some(value) = &victim.value {
            expect_eq!(*value, (vec![Ok(()); 3], [Ok(()), Ok(())]));
        }
        let seen = mutexes.each_ref().map(take);
        for (index, seen) in seen.iter().enumerate().filter(|(index, _)| *index != which) {
            expect_eq!((index, *seen), (index, (Err(EOWNERDEAD), Ok(()))));
        }
        let stage = mutexes[which].word(STAGE).load(SeqCst).max(OWNS);
        way.expect(victim.value.is_none(), stage, seen[which].0, words(&mutexes[which]))
    })
}

/// An heir that is killed between any two instructions of inheriting, repairing and unlocking has an heir of its own, until it has
/// unlocked what it repaired; the mutex is never lost.
#[rstest]
#[conformance::test(posix = "pthread_mutex_consistent", man = "pthread_mutex_consistent(3)", needs(ptrace))]
fn leaves_a_mutex_to_be_repaired(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let repaired = Cell::new(false);
    instruction_sweep(|run| {
        let mutex = kind.robust()?;
        super::fixture::holder(&mutex)?.kill()?;
        let victim = run.victim("heir", (), |(), _| {
            mark();
            let inherited = mutex.lock();
            let consistent = mutex.consistent();
            mutex.word(STAGE).store(GIVES_UP, SeqCst);
            let unlocked = mutex.unlock();
            mutex.word(STAGE).store(DONE, SeqCst);
            mark();
            [inherited, consistent, unlocked]
        })?;
        expect_matches!(victim.value, None | Some([Err(EOWNERDEAD), Ok(()), Ok(())]));
        let (told, well) = take(&mutex);
        expect_eq!((well, turn(&mutex)), (Ok(()), WELL));
        match (told, mutex.word(STAGE).load(SeqCst)) {
            (Err(EOWNERDEAD), 0 | GIVES_UP) => expect!(!repaired.get(), "it had been repaired some instructions earlier"),
            (Ok(()), GIVES_UP | DONE) => repaired.set(victim.value.is_none()),
            unexpected => expect_eq!(unexpected, (Err(EOWNERDEAD), 0)),
        }
        Ok(())
    })
}

/// A mutex that is unlocked without a repair is inherited once more where that was not finished, and lost where it was.
#[rstest]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_consistent(3)", needs(ptrace))]
fn loses_a_mutex_once_and_for_all(#[values(Kind::Normal, Kind::Inheriting)] kind: Kind) -> Outcome {
    let lost = Cell::new(false);
    instruction_sweep(|run| {
        let mutex = kind.robust()?;
        super::fixture::holder(&mutex)?.kill()?;
        let prepare = |(): &()| mutex.lock();
        let victim = run.scene("heir", ()).prepare(prepare).victim(|(), inherited, _| {
            mark();
            let unlocked = mutex.unlock();
            mark();
            [inherited, unlocked]
        })?;
        expect_matches!(victim.value, None | Some([Err(EOWNERDEAD), Ok(())]));
        let next = Participant::spawn("next", (), |(), _| (mutex.lock(), mutex.consistent(), mutex.unlock()))?;
        match next.join()? {
            (Err(EOWNERDEAD), Ok(()), Ok(())) => {
                expect!(!lost.get(), "it had been lost some instructions earlier");
                expect_eq!(turn(&mutex), WELL);
            }
            (Err(ENOTRECOVERABLE), Err(EINVAL), Err(EPERM)) => lost.set(victim.value.is_none()),
            unexpected => expect_eq!(unexpected, (Err(EOWNERDEAD), Ok(()), Ok(()))),
        }
        Ok(())
    })
}

/// The owner of a recursive mutex is one at every instruction of locking it once more and unlocking it again.
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "get_robust_list(2)", needs(ptrace))]
fn tells_of_an_owner_that_locks_once_more() -> Outcome {
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
