//! Robust lists: what the kernel does to the words of a thread's list when the thread ends.
//!
//! The lists here are laid out by hand, so that these cases are about the kernel and not about the C library's mutexes.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::robust_list::{Link as Entry, RobustList};
use conformance::sys::futex::{OWNER_DIED, TID, WAITERS, own_id, wait, wake};
use rstest::rstest;

use super::fixture::{ALL, awake, become_sleep, sleeper, sleepers};

/// Ways in which a thread comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Killed,
    Exit,
    Exec,
    /// Of a thread, while its process lives on.
    ThreadExit,
}

/// The owner of a list, which it has registered, and how it is to end.
pub struct Owner {
    way: Way,
    process: Participant<Result<(), Errno>>,
}

/// A participant that registers the list, arranges it, given its own id, and waits for its end.
#[track_caller]
pub fn owner(way: Way, list: &RobustList, arrange: impl FnOnce(u32) + Send) -> Result<Owner, Failure> {
    let process = Participant::spawn("owner", (), |(), link| {
        let live = || {
            list.register()?;
            arrange(own_id());
            link.meet("end");
            Ok(())
        };
        match way {
            Way::Killed => live().map(|()| link.park()),
            Way::Exit => live(),
            Way::Exec => live().and_then(|()| Err(become_sleep())),
            Way::ThreadExit => {
                let ended = std::thread::scope(|scope| scope.spawn(live).join().unwrap_or(Err(EIO)));
                link.meet("stay");
                ended
            }
        }
    })?;
    process.until_reached("end")?;
    Ok(Owner { way, process })
}

impl Owner {
    /// Brings it about; what lives on is returned, to be kept.
    #[track_caller]
    pub fn ends(self) -> Result<Option<Participant<Result<(), Errno>>>, Failure> {
        if self.way == Way::Killed {
            self.process.kill()?;
            return Ok(None);
        }
        self.process.open("end")?;
        match self.way {
            Way::Exec => self.process.until_blocked()?,
            Way::ThreadExit => self.process.until_reached("stay")?,
            Way::Killed | Way::Exit => {
                expect_eq!(self.process.join()?, Ok(()));
                return Ok(None);
            }
        }
        Ok(Some(self.process))
    }
}

/// Chains all entries from the first on.
pub fn chain_all(list: &RobustList, count: usize) {
    list.chain(&(0..count).map(Entry::Entry).collect::<Vec<_>>(), Entry::Head);
}

/// Words of the list that name the thread are marked as of an owner that died, and lose its id; that somebody waits stays in them.
/// Words that name nobody, or another, stay as they are.
#[rstest]
#[conformance::test(man = "set_robust_list(2)")]
fn marks_what_the_thread_held(#[values(Way::Killed, Way::Exit, Way::ThreadExit)] way: Way) -> Outcome {
    let list = RobustList::new(8)?;
    let other = own_id();
    let owner = owner(way, &list, |id| {
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

/// Exactly one of those who wait for a word of the list is woken, and finds the owner's death in the word; the others sleep on.
#[rstest]
#[conformance::test(man = "set_robust_list(2)")]
fn wakes_one_waiter(#[values(Way::Killed, Way::Exit, Way::ThreadExit)] way: Way) -> Outcome {
    let list = RobustList::new(1)?;
    let owner = owner(way, &list, |id| {
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
    let woken = awake(&all)?;
    expect_eq!(woken.len(), 1);
    expect_eq!(all.remove(woken[0]).join()?, Ok(WAITERS | OWNER_DIED));
    expect_eq!(wake(list.word(0), ALL), Ok(2));
    Ok(())
}

/// A thread that replaces its program has come to the end of its list too: its words are marked, what is pending as well, and one
/// waiter of each is woken, while its process lives on.
#[conformance::test(
    man = "set_robust_list(2)",
    man = "execve(2)",
    needs(program("sleep")),
    fixed_in = "Linux 2.6.28 (8141c7f3e7ae)"
)]
fn is_gone_through_when_the_program_is_replaced() -> Outcome {
    let list = RobustList::new(3)?;
    let owner = owner(Way::Exec, &list, |id| {
        (0..3).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        list.chain(&[Entry::Entry(0)], Entry::Head);
        list.pend(Entry::Entry(1));
    })?;
    let mut all = sleepers(2, list.word(0))?;
    all.extend(sleepers(2, list.word(1))?);
    all.extend(sleepers(1, list.word(2))?);
    let process = owner.ends()?;
    let woken = awake(&all)?;
    expect_eq!((woken.len(), woken[0] < 2, (2..4).contains(&woken[1])), (2, true, true));
    expect_eq!([0, 1].map(|entry| list.word(entry).load(SeqCst)), [WAITERS | OWNER_DIED; 2]);
    expect_eq!(process.map_or(0, |process| process.id().as_raw().unsigned_abs()), list.word(2).load(SeqCst) & TID);
    Ok(())
}

/// Where the word does not say that somebody waits nobody is woken.
#[conformance::test(man = "set_robust_list(2)")]
fn wakes_nobody_who_is_not_announced() -> Outcome {
    let list = RobustList::new(3)?;
    let owner = owner(Way::Killed, &list, |id| {
        list.word(0).store(id, SeqCst);
        list.word(2).store(WAITERS, SeqCst);
        chain_all(&list, 3);
    })?;
    let mut all = sleepers(1, list.word(0))?;
    all.extend(sleepers(1, list.word(1))?);
    all.extend(sleepers(1, list.word(2))?);
    let _left = owner.ends()?;
    expect_eq!((awake(&all)?, list.word(0).load(SeqCst)), (vec![], OWNER_DIED));
    Ok(())
}

/// Each word of the list has one of its waiters woken, wherever it stands in the list.
#[conformance::test(man = "set_robust_list(2)")]
fn wakes_at_each_word() -> Outcome {
    let list = RobustList::new(4)?;
    let owner = owner(Way::Killed, &list, |id| {
        (0..4).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        list.chain(&[Entry::Entry(2), Entry::Entry(0), Entry::Entry(3)], Entry::Head);
    })?;
    let mut all = Vec::new();
    for entry in 0..4 {
        all.extend(sleepers(1, list.word(entry))?);
    }
    let _left = owner.ends()?;
    expect_eq!(awake(&all)?, [0, 2, 3]);
    expect_eq!(list.word(1).load(SeqCst) & !TID, WAITERS);
    Ok(())
}

/// Only the list that was registered last is gone through.
#[conformance::test(man = "set_robust_list(2)")]
fn knows_only_the_last_list() -> Outcome {
    let (first, second) = (RobustList::new(1)?, RobustList::new(1)?);
    let owner = owner(Way::Killed, &first, |id| {
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

/// A forked process has no list, whatever its parent registered: its end marks nothing, not even a word with its id.
#[conformance::test(man = "set_robust_list(2)")]
fn is_not_inherited() -> Outcome {
    let list = RobustList::new(2)?;
    list.register()?;
    list.word(0).store(own_id(), SeqCst);
    chain_all(&list, 2);
    let child = Participant::spawn("child", (), |(), _| list.word(1).store(own_id(), SeqCst))?;
    child.join()?;
    expect_eq!([0, 1].map(|entry| list.word(entry).load(SeqCst) & OWNER_DIED), [0; 2]);
    Ok(())
}

/// A thread's list is its own: the end of another thread, or of another process, marks nothing of it.
#[conformance::test(man = "set_robust_list(2)")]
fn belongs_to_a_thread() -> Outcome {
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

/// Somebody who waits for several of a dead thread's words in turn finds each marked.
#[conformance::test(man = "set_robust_list(2)")]
fn marks_all_before_the_process_is_gone() -> Outcome {
    let list = RobustList::new(64)?;
    let owner = owner(Way::Killed, &list, |id| {
        (0..64).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        chain_all(&list, 64);
    })?;
    let waiter = sleeper("waiter", || wait(list.word(63), list.word(63).load(SeqCst)))?;
    let _left = owner.ends()?;
    expect!((0..64).all(|entry| list.word(entry).load(SeqCst) == WAITERS | OWNER_DIED));
    expect_eq!(waiter.join()?, Ok(()));
    Ok(())
}
