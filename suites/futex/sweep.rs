//! Sweeps: a process is killed at every system call of its work with futexes, once in each run, and the other processes' view is
//! checked.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::robust_list::{Link as Entry, RobustList};
use conformance::sys::futex::{OWNER_DIED, TID, WAITERS, cmp_requeue, lock_pi, own_id, unlock_pi, wait, wait_for, wake};
use conformance::sys::time::Time;

use super::fixture::{ALL, count, waiters, woken_indexes, words};

/// A process that calls `FUTEX_WAKE` with a limit of 2 is killed at the entry or the exit of each of its system calls. Two of
/// three processes blocked in `FUTEX_WAIT` are woken if its `FUTEX_WAKE` had returned 2, and none if it had not returned. A later
/// `FUTEX_WAKE` with a limit of `INT_MAX` wakes the others and returns their number, 1 or 3.
#[conformance::test(man = "futex(2)", needs(ptrace))]
fn killed_waker_has_woken_all_or_none() -> Outcome {
    sweep(|run| {
        let words = words()?;
        let word = words.word(0);
        let all = waiters(3, word)?;
        let victim = run.victim("waker", (), |(), _| {
            word.store(1, SeqCst);
            mark();
            let woken = wake(word, 2);
            mark();
            woken
        })?;
        let woken = if victim.returned("futex") == [2] { 2 } else { 0 };
        expect_eq!(woken_indexes(&all)?.len(), woken);
        expect_eq!((wake(word, ALL), woken_indexes(&all)?.len()), (Ok(3 - count(woken)), 3));
        Ok(())
    })
}

/// A process that calls `FUTEX_CMP_REQUEUE` with `val` 1 and `val2` 1 is killed at the entry or the exit of each of its system
/// calls. One of three waiters is woken and one moved to the target word if its `FUTEX_CMP_REQUEUE` had returned 2, and all three
/// stay blocked on the source word if it had not returned. A later `FUTEX_WAKE` with a limit of `INT_MAX` returns 1 on each word
/// in the first situation, and in the second 0 on the target word and 3 on the source word.
#[conformance::test(man = "futex(2)", needs(ptrace))]
fn killed_requeuer_has_moved_all_or_none() -> Outcome {
    sweep(|run| {
        let words = words()?;
        let (from, to) = (words.word(0), words.word(1));
        let all = waiters(3, from)?;
        let victim = run.victim("requeuer", (), |(), _| {
            let moved = cmp_requeue(from, 0, 1, to, 1);
            mark();
            moved
        })?;
        let done = u32::from(victim.returned("futex") == [2]);
        expect_eq!(woken_indexes(&all)?.len(), done as usize);
        expect_eq!((wake(to, ALL), wake(from, ALL), woken_indexes(&all)?.len()), (Ok(done), Ok(3 - 2 * done), 3));
        Ok(())
    })
}

/// A process that calls `FUTEX_WAIT`, first with a timeout of 1 µs and then with an expected value that the word does not have,
/// is killed at the entry or the exit of each of its system calls. Then `FUTEX_WAKE` with a limit of 1 wakes one of two other
/// processes blocked on the word and returns 1. A second `FUTEX_WAKE` wakes the other and returns 1, and a third one returns 0.
#[conformance::test(man = "futex(2)", needs(ptrace))]
fn killed_waiter_is_not_counted() -> Outcome {
    sweep(|run| {
        let words = words()?;
        let word = words.word(0);
        let all = waiters(2, word)?;
        run.victim("waiter", (), |(), _| (wait_for(word, 0, Time::new(0, 1000)), wait(word, 1)))?;
        expect_eq!((wake(word, 1), woken_indexes(&all)?.len()), (Ok(1), 1));
        expect_eq!((wake(word, ALL), wake(word, ALL), woken_indexes(&all)?.len()), (Ok(1), Ok(0), 2));
        Ok(())
    })
}

/// While a process is blocked in `FUTEX_LOCK_PI`, the owner of the lock is killed at the entry or the exit of `FUTEX_UNLOCK_PI`
/// or of a system call before or after it. In the blocked process `FUTEX_LOCK_PI` returns 0, and the word then holds its thread
/// id, with `FUTEX_OWNER_DIED` if the owner's `FUTEX_UNLOCK_PI` had not returned, and without if it had returned 0.
#[conformance::test(man = "futex(2)", needs(ptrace))]
fn killed_owner_passes_the_pi_lock() -> Outcome {
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

/// Acquires the lock as a C library would: set `list_op_pending`, store the thread id, put the entry on the list, clear
/// `list_op_pending`; with a mark after each step.
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

/// Releases the lock as a C library would: set `list_op_pending`, take the entry off the list, store 0 in the word, wake one
/// waiter, clear `list_op_pending`; with a mark after most steps.
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

/// The owner of a robust lock with two processes blocked in `FUTEX_WAIT` sets `list_op_pending`, takes the entry off its list,
/// stores 0 in the word, calls `FUTEX_WAKE` with a limit of 1 and clears `list_op_pending`, and is killed after any of these
/// steps. The word is then 0 if the owner had stored 0, and `FUTEX_WAITERS | FUTEX_OWNER_DIED` otherwise. One of the two waiters
/// is woken; if the owner's `FUTEX_WAKE` had returned 1 and `list_op_pending` was not yet cleared, one or both are woken, and
/// either is allowed.
#[conformance::test(man = "set_robust_list(2)", level = customary, needs(ptrace), fixed_in = "Linux 5.5 (ca16d5bee598)")]
fn killed_while_releasing_a_robust_lock() -> Outcome {
    sweep(|run| {
        let list = RobustList::new(1)?;
        let word = list.word(0);
        let mut all = Vec::new();
        let blocked = || {
            all = waiters(2, word)?;
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
        // Marks that were begun: the first with `list_op_pending` set, the second with the entry off the list, the third with the
        // word 0.
        let begun = victim.returned("getppid").len() + usize::from(victim.entered.as_deref() == Some("getppid"));
        let released = begun >= 3;
        expect_eq!(word.load(SeqCst), if released { 0 } else { WAITERS | OWNER_DIED });
        // Between its own `FUTEX_WAKE` and the end of `list_op_pending`, the kernel wakes a second waiter.
        let woken = woken_indexes(&all)?.len();
        let twice = victim.returned("futex") == [1] && victim.value.is_none() && begun == 3;
        expect_matches!(woken, 1 | 2 if woken == 1 || twice);
        Ok(())
    })
}

/// A process acquires a robust lock in four steps: it sets `list_op_pending`, stores its thread id and `FUTEX_WAITERS` in the
/// word, adds the entry to its robust list, and clears `list_op_pending`. If it is killed after any of these steps, the word is 0
/// if it had not yet stored its thread id, and `FUTEX_WAITERS | FUTEX_OWNER_DIED` otherwise.
#[conformance::test(man = "set_robust_list(2)", needs(ptrace))]
fn killed_while_acquiring_a_robust_lock() -> Outcome {
    sweep(|run| {
        let list = RobustList::new(1)?;
        let word = list.word(0);
        let victim = run.scene("owner", ()).prepare(|()| list.register()).victim(|(), registered, _| {
            lock(&list, word);
            registered
        })?;
        let begun = victim.returned("getppid").len() + usize::from(victim.entered.as_deref() == Some("getppid"));
        let acquired = begun >= 2 || victim.value.is_some();
        expect_eq!(word.load(SeqCst), if acquired { WAITERS | OWNER_DIED } else { 0 });
        Ok(())
    })
}
