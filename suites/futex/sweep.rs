//! Killed in the middle: what the others see when somebody dies between any two system calls of its work with futexes.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{OWNER_DIED, TID, Time, WAITERS, cmp_requeue, lock_pi, own_id, unlock_pi, wait, wait_for, wake};
use conformance::sys::robust_list::{Link as Entry, RobustList};

use super::fixture::{ALL, awake, count, sleepers, words};

/// A waker that is killed has woken whom it had to, if its call returned, and nobody if it did not begin; the others can be woken.
#[conformance::test(man = "futex(2)", needs(ptrace))]
fn a_waker_has_woken_all_or_nobody() -> Outcome {
    sweep(|run| {
        let words = words()?;
        let word = words.word(0);
        let all = sleepers(3, word)?;
        let victim = run.victim("waker", (), |(), _| {
            word.store(1, SeqCst);
            mark();
            let woken = wake(word, 2);
            mark();
            woken
        })?;
        let woken = if victim.returned("futex") == [2] { 2 } else { 0 };
        expect_eq!(awake(&all)?.len(), woken);
        expect_eq!((wake(word, ALL), awake(&all)?.len()), (Ok(3 - count(woken)), 3));
        Ok(())
    })
}

/// Whoever requeues and is killed has woken and moved all that it had to or nobody, and no waiter is lost between the words.
#[conformance::test(man = "futex(2)", needs(ptrace))]
fn a_requeuer_loses_nobody() -> Outcome {
    sweep(|run| {
        let words = words()?;
        let (from, to) = (words.word(0), words.word(1));
        let all = sleepers(3, from)?;
        let victim = run.victim("requeuer", (), |(), _| {
            let moved = cmp_requeue(from, 0, 1, to, 1);
            mark();
            moved
        })?;
        let done = u32::from(victim.returned("futex") == [2]);
        expect_eq!(awake(&all)?.len(), done as usize);
        expect_eq!((wake(to, ALL), wake(from, ALL), awake(&all)?.len()), (Ok(done), Ok(3 - 2 * done), 3));
        Ok(())
    })
}

/// A waiter that is killed before, in or after its wait leaves no waiter, and the others are woken as if it had never been.
#[conformance::test(man = "futex(2)", needs(ptrace))]
fn a_waiter_leaves_nothing() -> Outcome {
    sweep(|run| {
        let words = words()?;
        let word = words.word(0);
        let all = sleepers(2, word)?;
        run.victim("waiter", (), |(), _| (wait_for(word, 0, Time::new(0, 1000)), wait(word, 1)))?;
        expect_eq!((wake(word, 1), awake(&all)?.len()), (Ok(1), 1));
        expect_eq!((wake(word, ALL), wake(word, ALL), awake(&all)?.len()), (Ok(1), Ok(0), 2));
        Ok(())
    })
}

/// An owner that is killed while it gives a lock back has handed it over: as a lock of the dead if it had not come so far, and like
/// any other if it had. The waiter has it in either case.
#[conformance::test(man = "futex(2)", needs(ptrace))]
fn an_owner_hands_its_lock_over() -> Outcome {
    sweep(|run| {
        let words = words()?;
        let word = words.word(0);
        let mut waiter = None;
        let blocked = || {
            let new = Participant::spawn("waiter", (), |(), _| {
                let locked = lock_pi(word);
                let seen = word.load(SeqCst);
                (locked, seen & OWNER_DIED, seen & TID == own_id(), unlock_pi(word))
            })?;
            new.until_blocked()?;
            waiter = Some(new);
            Ok(())
        };
        let victim = run.scene("owner", ()).prepare(|()| lock_pi(word)).meanwhile(blocked).victim(|(), locked, _| {
            mark();
            let unlocked = unlock_pi(word);
            mark();
            (locked, unlocked)
        })?;
        expect_matches!(victim.value, None | Some((Ok(()), Ok(()))));
        let died = if victim.returned("futex").is_empty() { OWNER_DIED } else { 0 };
        let Some(waiter) = waiter else { return Err(ESRCH)? };
        expect_eq!((waiter.join()?, word.load(SeqCst)), ((Ok(()), died, true, Ok(())), 0));
        Ok(())
    })
}

/// Takes the lock as a C library would: announced, put into the word, listed, and no longer announced; with a mark after each step.
fn lock(list: &RobustList, word: &AtomicU32) {
    list.pend(Entry::Entry(0));
    mark();
    word.store(own_id() | WAITERS, SeqCst);
    mark();
    list.chain(&[Entry::Entry(0)], Entry::Head);
    mark();
    list.pend(Entry::Null);
    mark();
}

/// The same backwards: announced, off the list, the word free, one waiter woken, and no longer announced.
fn unlock(list: &RobustList, word: &AtomicU32) -> Result<u32, Errno> {
    list.pend(Entry::Entry(0));
    mark();
    list.chain(&[], Entry::Head);
    mark();
    word.store(0, SeqCst);
    mark();
    let woken = wake(word, 1);
    list.pend(Entry::Null);
    mark();
    woken
}

/// Wherever the owner of a robust lock is killed between beginning to take it and having given it back, the lock is not left to the
/// dead: the word is free, or says that its owner died. While it held it or was about to wake, exactly one waiter is woken.
#[conformance::test(man = "set_robust_list(2)", needs(ptrace), fixed_in = "Linux 5.5 (ca16d5bee598)")]
fn a_robust_lock_is_not_left_to_the_dead() -> Outcome {
    sweep(|run| {
        let list = RobustList::new(1)?;
        let word = list.word(0);
        let mut all = Vec::new();
        let blocked = || {
            all = sleepers(2, word)?;
            Ok(())
        };
        let locks = |(): &()| {
            let registered = list.register();
            lock(&list, word);
            registered
        };
        let victim = run
            .scene("owner", ())
            .prepare(locks)
            .meanwhile(blocked)
            .victim(|(), registered, _| (registered, unlock(&list, word)))?;
        expect_matches!(victim.value, None | Some((Ok(()), Ok(1))));
        // Marks begun: one when announced, one when off the list, one when the word is free.
        let begun = victim.returned("getppid").len() + usize::from(victim.entered.as_deref() == Some("getppid"));
        let freed = begun >= 3;
        expect_eq!(word.load(SeqCst), if freed { 0 } else { WAITERS | OWNER_DIED });
        // After its own wake and before it is no longer announced the kernel wakes once more, which is one too many at most.
        let woken = awake(&all)?.len();
        let twice = victim.returned("futex") == [1] && victim.value.is_none() && begun == 3;
        expect!(woken == 1 || twice && woken == 2, "{woken} woken");
        Ok(())
    })
}

/// Killed while it takes a robust lock, the owner leaves it free or marked, as far as it came.
#[conformance::test(man = "set_robust_list(2)", needs(ptrace))]
fn a_robust_lock_is_not_taken_by_the_dead() -> Outcome {
    sweep(|run| {
        let list = RobustList::new(1)?;
        let word = list.word(0);
        let victim = run.scene("owner", ()).prepare(|()| list.register()).victim(|(), registered, _| {
            lock(&list, word);
            registered
        })?;
        let begun = victim.returned("getppid").len() + usize::from(victim.entered.as_deref() == Some("getppid"));
        let taken = begun >= 2 || victim.value.is_some();
        expect_eq!(word.load(SeqCst), if taken { WAITERS | OWNER_DIED } else { 0 });
        Ok(())
    })
}
