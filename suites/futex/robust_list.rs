//! Robust lists: what the kernel does to the words of a thread's robust list when the thread ends or its process calls `execve`.
//!
//! The lists are laid out by hand, so that the cases are about the kernel and not about a C library's mutexes. How the kernel
//! walks a list is in `robust_list_walk`, pending and PI entries are in `robust_list_pending`.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::robust_list::{Link as Entry, RobustList};
use conformance::sys::futex::{OWNER_DIED, TID, WAITERS, own_id, wait, wake};
use rstest::rstest;

use super::fixture::{ALL, blocked_in, exec_sleep, waiters, woken_indexes};

/// How the thread ends that has registered a robust list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termination {
    /// Its process is killed.
    Killed,
    /// Its process exits.
    Exit,
    /// Its process calls `execve`, and lives on.
    Exec,
    /// The thread exits, and its process lives on.
    ThreadExit,
}

/// The process with the thread that has registered a list, and how that thread is to end.
pub struct Owner {
    termination: Termination,
    process: Participant<Result<(), Errno>>,
}

/// A participant whose thread registers the list, has `arrange` fill it, given its own thread id, and is ready to end.
#[track_caller]
pub fn owner(termination: Termination, list: &RobustList, arrange: impl FnOnce(u32) + Send) -> Result<Owner, Failure> {
    let process = Participant::spawn("owner", (), |(), link| {
        let live = || {
            list.register()?;
            arrange(own_id());
            link.meet("end");
            Ok(())
        };
        match termination {
            Termination::Killed => live().map(|()| link.park()),
            Termination::Exit => live(),
            Termination::Exec => live().and_then(|()| Err(exec_sleep())),
            Termination::ThreadExit => {
                let ended = std::thread::scope(|scope| scope.spawn(live).join().unwrap_or(Err(EIO)));
                link.meet("stay");
                ended
            }
        }
    })?;
    process.until_reached("end")?;
    Ok(Owner { termination, process })
}

impl Owner {
    /// Ends the thread. A process that lives on is returned, and killed when it is dropped.
    #[track_caller]
    pub fn ends(self) -> Result<Option<Participant<Result<(), Errno>>>, Failure> {
        if self.termination == Termination::Killed {
            self.process.kill()?;
            return Ok(None);
        }
        self.process.open("end")?;
        match self.termination {
            Termination::Exec => self.process.until_blocked()?,
            Termination::ThreadExit => self.process.until_reached("stay")?,
            Termination::Killed | Termination::Exit => {
                expect_eq!(self.process.join()?, Ok(()));
                return Ok(None);
            }
        }
        Ok(Some(self.process))
    }
}

/// Chains all entries, in the order of their indexes.
pub fn chain_all(list: &RobustList, count: usize) {
    list.chain(&(0..count).map(Entry::Entry).collect::<Vec<_>>(), Entry::Head);
}

/// When a thread exits or its process exits or is killed, `FUTEX_OWNER_DIED` is set in each word on its robust list that holds
/// its thread id, `FUTEX_WAITERS` stays as it was and the id becomes 0. Listed words without an id, or with another thread's id,
/// stay as they were.
#[rstest]
#[conformance::test(man = "set_robust_list(2)", man = "Documentation/locking/robust-futex-ABI.rst")]
fn sets_owner_died_in_words_of_the_thread(
    #[values(Termination::Killed, Termination::Exit, Termination::ThreadExit)] termination: Termination,
) -> Outcome {
    let list = RobustList::new(8)?;
    let other = own_id();
    let owner = owner(termination, &list, |id| {
        let words = [id, WAITERS | id, OWNER_DIED | id, WAITERS | OWNER_DIED | id, 0, WAITERS, other, WAITERS | other];
        for (entry, word) in words.into_iter().enumerate() {
            list.word(entry).store(word, SeqCst);
        }
        chain_all(&list, 8);
    })?;
    expect_eq!(list.word(0).load(SeqCst) & !TID, 0);
    let _left = owner.ends()?;
    let died = [OWNER_DIED, WAITERS | OWNER_DIED, OWNER_DIED, WAITERS | OWNER_DIED];
    let seen: Vec<u32> = (0..8).map(|entry| list.word(entry).load(SeqCst)).collect();
    expect_eq!(seen, [died.as_slice(), &[0, WAITERS, other, WAITERS | other]].concat());
    Ok(())
}

/// When a thread ends whose robust list has a word with its thread id and `FUTEX_WAITERS`, `FUTEX_WAIT` returns 0 in one of three
/// processes blocked on the word, which then is `FUTEX_WAITERS | FUTEX_OWNER_DIED`. The other two stay blocked.
#[rstest]
#[conformance::test(man = "set_robust_list(2)")]
fn wakes_one_waiter(
    #[values(Termination::Killed, Termination::Exit, Termination::ThreadExit)] termination: Termination,
) -> Outcome {
    let list = RobustList::new(1)?;
    let owner = owner(termination, &list, |id| {
        list.word(0).store(WAITERS | id, SeqCst);
        chain_all(&list, 1);
    })?;
    let mut all = Vec::new();
    for name in ["first", "second", "third"] {
        let wait = || wait(list.word(0), list.word(0).load(SeqCst)).map(|()| list.word(0).load(SeqCst));
        let waiter = Participant::spawn(name, (), |(), _| wait())?;
        waiter.until_blocked()?;
        all.push(waiter);
    }
    let _left = owner.ends()?;
    let woken = woken_indexes(&all)?;
    expect_eq!(woken.len(), 1);
    expect_eq!(all.remove(woken[0]).join()?, Ok(WAITERS | OWNER_DIED));
    expect_eq!(wake(list.word(0), ALL), Ok(2));
    Ok(())
}

/// When a thread calls `execve`, a word with its thread id and `FUTEX_WAITERS` becomes `FUTEX_WAITERS | FUTEX_OWNER_DIED`, and
/// one of its two waiters is woken, if it is on the thread's robust list or its `list_op_pending` word. Such a word that is
/// neither keeps the id, and its waiter stays blocked.
#[conformance::test(
    man = "set_robust_list(2)",
    man = "execve(2)",
    needs(program("sleep")),
    fixed_in = "Linux 2.6.28 (8141c7f3e7ae)"
)]
fn execve_sets_owner_died_and_wakes() -> Outcome {
    let list = RobustList::new(3)?;
    let owner = owner(Termination::Exec, &list, |id| {
        (0..3).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        list.chain(&[Entry::Entry(0)], Entry::Head);
        list.pend(Entry::Entry(1));
    })?;
    let mut all = waiters(2, list.word(0))?;
    all.extend(waiters(2, list.word(1))?);
    all.extend(waiters(1, list.word(2))?);
    let process = owner.ends()?;
    let woken = woken_indexes(&all)?;
    expect_eq!((woken.len(), woken[0] < 2, (2..4).contains(&woken[1])), (2, true, true));
    expect_eq!([0, 1].map(|entry| list.word(entry).load(SeqCst)), [WAITERS | OWNER_DIED; 2]);
    expect_eq!(process.map_or(0, |process| process.id().as_raw().unsigned_abs()), list.word(2).load(SeqCst) & TID);
    Ok(())
}

/// When a thread is killed whose robust list has a word with its thread id, but without `FUTEX_WAITERS`, the word becomes
/// `FUTEX_OWNER_DIED` and a process blocked in `FUTEX_WAIT` on it stays blocked.
#[conformance::test(man = "set_robust_list(2)", man = "Documentation/locking/robust-futex-ABI.rst")]
fn wakes_only_if_the_waiters_bit_is_set() -> Outcome {
    let list = RobustList::new(3)?;
    let owner = owner(Termination::Killed, &list, |id| {
        list.word(0).store(id, SeqCst);
        list.word(2).store(WAITERS, SeqCst);
        chain_all(&list, 3);
    })?;
    let mut all = waiters(1, list.word(0))?;
    all.extend(waiters(1, list.word(1))?);
    all.extend(waiters(1, list.word(2))?);
    let _left = owner.ends()?;
    expect_eq!((woken_indexes(&all)?, list.word(0).load(SeqCst)), (vec![], OWNER_DIED));
    Ok(())
}

/// When a thread is killed whose robust list has three words with its thread id, `FUTEX_WAITERS` and one process blocked in
/// `FUTEX_WAIT` each, all three processes are woken. A process blocked on a fourth such word that is not on the list stays
/// blocked.
#[conformance::test(man = "set_robust_list(2)")]
fn wakes_one_waiter_of_each_listed_word() -> Outcome {
    let list = RobustList::new(4)?;
    let owner = owner(Termination::Killed, &list, |id| {
        (0..4).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        list.chain(&[Entry::Entry(2), Entry::Entry(0), Entry::Entry(3)], Entry::Head);
    })?;
    let mut all = Vec::new();
    for entry in 0..4 {
        all.extend(waiters(1, list.word(entry))?);
    }
    let _left = owner.ends()?;
    expect_eq!(woken_indexes(&all)?, [0, 2, 3]);
    expect_eq!(list.word(1).load(SeqCst) & !TID, WAITERS);
    Ok(())
}

/// When a thread is killed that has registered two robust lists with `set_robust_list`, one after the other, a word with its
/// thread id on the second list becomes `FUTEX_OWNER_DIED`. Such a word on the first list stays without `FUTEX_OWNER_DIED`.
#[conformance::test(man = "set_robust_list(2)")]
fn second_registration_replaces_the_first() -> Outcome {
    let (first, second) = (RobustList::new(1)?, RobustList::new(1)?);
    let owner = owner(Termination::Killed, &first, |id| {
        for list in [&first, &second] {
            list.word(0).store(id, SeqCst);
            chain_all(list, 1);
        }
        second.register().expect("a list can be registered again");
    })?;
    let _left = owner.ends()?;
    expect_eq!((first.word(0).load(SeqCst) & OWNER_DIED, second.word(0).load(SeqCst)), (0, OWNER_DIED));
    Ok(())
}

/// When a forked child exits, two words on the robust list of its parent, one with the parent's thread id and one with the
/// child's, stay without `FUTEX_OWNER_DIED`.
#[conformance::test(man = "set_robust_list(2)", level = customary)]
fn exit_of_a_forked_child_leaves_the_parents_list() -> Outcome {
    let list = RobustList::new(2)?;
    list.register()?;
    list.word(0).store(own_id(), SeqCst);
    chain_all(&list, 2);
    let child = Participant::spawn("child", (), |(), _| list.word(1).store(own_id(), SeqCst))?;
    child.join()?;
    expect_eq!([0, 1].map(|entry| list.word(entry).load(SeqCst) & OWNER_DIED), [0; 2]);
    Ok(())
}

/// When another thread of the process ends, a word on a thread's robust list keeps that thread's id. When the thread that has
/// registered the list ends, the word becomes `FUTEX_OWNER_DIED`.
#[conformance::test(man = "set_robust_list(2)")]
fn end_of_another_thread_leaves_the_list() -> Outcome {
    let list = RobustList::new(1)?;
    let process = Participant::spawn("process", (), |(), _| {
        list.register()?;
        list.word(0).store(own_id(), SeqCst);
        chain_all(&list, 1);
        let other = std::thread::spawn(own_id).join().unwrap_or(0);
        Ok::<_, Errno>((other != own_id(), list.word(0).load(SeqCst) == own_id()))
    })?;
    expect_eq!((process.join()?, list.word(0).load(SeqCst)), (Ok((true, true)), OWNER_DIED));
    Ok(())
}

/// When a process is killed whose robust list has 64 words with its thread id and `FUTEX_WAITERS`, all 64 words become
/// `FUTEX_WAITERS | FUTEX_OWNER_DIED`, and `FUTEX_WAIT` returns 0 in a process blocked on the last word.
#[conformance::test(man = "set_robust_list(2)")]
fn sets_owner_died_in_64_words() -> Outcome {
    let list = RobustList::new(64)?;
    let owner = owner(Termination::Killed, &list, |id| {
        (0..64).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        chain_all(&list, 64);
    })?;
    let waiter = blocked_in("waiter", || wait(list.word(63), list.word(63).load(SeqCst)))?;
    let _left = owner.ends()?;
    expect_eq!((0..64).map(|entry| list.word(entry).load(SeqCst)).collect::<Vec<_>>(), vec![WAITERS | OWNER_DIED; 64]);
    expect_eq!(waiter.join()?, Ok(()));
    Ok(())
}
