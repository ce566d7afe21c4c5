//! Priority protocols: with `PTHREAD_PRIO_INHERIT` the order of waiters and the priority that an owner inherits, with
//! `PTHREAD_PRIO_PROTECT` the ceiling.

use conformance::prelude::*;
#[cfg(has_priority_ceilings)]
use conformance::sys::process::scheduling::fifo_priorities;
use conformance::sys::process::scheduling::{effective_priority, run_fifo};
#[cfg(has_priority_ceilings)]
use conformance::sys::pthread::MutexAttributes;
use conformance::sys::pthread::{SharedMutex, attributes};
use rstest::rstest;

use super::fixture::{BOTH_OK, Kind, lock_unlock, owner};

/// A participant that is blocked on the mutex with that `SCHED_FIFO` priority (0: normal scheduling), and writes its number into the
/// pipe while it owns the mutex.
fn waiter(mutex: &SharedMutex, number: u8, priority: i32, order: &OwnedFd) -> Result<Participant<[Result<(), Errno>; 2]>, Failure> {
    let waiter = Participant::spawn(&format!("waiter {number}"), dup(order)?, |order, link| {
        if priority > 0 {
            run_fifo(priority).expect("a real-time priority can be had");
        }
        link.reached("lock");
        let locked = mutex.lock();
        if locked == Err(EOWNERDEAD) {
            mutex.consistent().expect("the mutex is inconsistent");
        }
        write_all(order, &[number]).expect("the pipe has free space");
        [locked, mutex.unlock()]
    })?;
    waiter.until_reached("lock")?;
    waiter.until_blocked()?;
    Ok(waiter)
}

/// After `pthread_mutex_unlock` of a mutex with the protocol `PTHREAD_PRIO_INHERIT`, `pthread_mutex_lock` returns 0 in three
/// blocked processes, each of which unlocks again, in the order of their `SCHED_FIFO` priorities, highest first, and last in a
/// process of `SCHED_OTHER`.
#[rstest]
#[case::rising([3, 5, 7], [2, 1, 0])]
#[case::falling([7, 5, 3], [0, 1, 2])]
#[case::mixed([3, 7, 5], [1, 2, 0])]
#[case::normal_scheduling_last([0, 5, 7], [2, 1, 0])]
#[conformance::test(man = "futex(2)", man = "sched(7)", needs(CAP_SYS_NICE))]
fn unlock_hands_over_to_the_highest_priority_waiter(#[case] priorities: [i32; 3], #[case] expected: [u8; 3]) -> Outcome {
    locked_in_order(priorities, expected)
}

/// After `pthread_mutex_unlock` of a mutex with the protocol `PTHREAD_PRIO_INHERIT`, `pthread_mutex_lock` returns 0 in blocked
/// processes of equal `SCHED_FIFO` priority in the order in which they have called it.
#[rstest]
#[case::all_equal([5, 5, 5], [0, 1, 2])]
#[case::before_normal_scheduling([0, 5, 5], [1, 2, 0])]
#[conformance::test(man = "futex(2)", level = customary, needs(CAP_SYS_NICE))]
fn unlock_hands_over_in_order_at_equal_priority(#[case] priorities: [i32; 3], #[case] expected: [u8; 3]) -> Outcome {
    locked_in_order(priorities, expected)
}

/// Expects three waiters of these priorities, which block in turn, to lock the mutex in the expected order.
#[track_caller]
fn locked_in_order(priorities: [i32; 3], expected: [u8; 3]) -> Outcome {
    let mutex = Kind::PrioInherit.mutex()?;
    let owner = owner(&mutex)?;
    let (numbers, order) = pipe()?;
    let mut waiters = Vec::new();
    for (number, priority) in (0..).zip(priorities) {
        waiters.push(waiter(&mutex, number, priority, &order)?);
    }
    owner.open("unlock")?;
    expect_eq!(owner.join()?, Ok(()));
    for waiter in waiters {
        expect_eq!(waiter.join()?, [Ok(()); 2]);
    }
    expect_eq!(read_exactly(&numbers, 3), Ok(expected.to_vec()));
    Ok(())
}

/// After `pthread_mutex_unlock` of a mutex with the protocol `PTHREAD_PRIO_INHERIT`, `pthread_mutex_lock` returns 0 in blocked
/// processes of `SCHED_OTHER` in the order in which they have called it, also if one of them was killed before.
#[conformance::test(man = "futex(2)", level = customary)]
fn normal_waiters_lock_in_order_of_arrival() -> Outcome {
    let mutex = Kind::PrioInherit.mutex()?;
    let owner = owner(&mutex)?;
    let (numbers, order) = pipe()?;
    let mut waiters = Vec::new();
    for number in 0..4 {
        waiters.push(waiter(&mutex, number, 0, &order)?);
    }
    waiters.remove(1).kill()?;
    owner.open("unlock")?;
    expect_eq!(owner.join()?, Ok(()));
    for waiter in waiters {
        expect_eq!(waiter.join()?, [Ok(()); 2]);
    }
    expect_eq!(read_exactly(&numbers, 3), Ok(vec![0, 2, 3]));
    Ok(())
}

/// If the owner of a robust mutex with the protocol `PTHREAD_PRIO_INHERIT` is killed, `pthread_mutex_lock` returns `EOWNERDEAD`
/// in the blocked process of the highest `SCHED_FIFO` priority. After its `pthread_mutex_consistent` and `pthread_mutex_unlock`,
/// the call returns 0 in the others, in order of priority.
#[conformance::test(man = "futex(2)", level = customary, needs(CAP_SYS_NICE))]
fn eownerdead_goes_to_the_highest_priority_waiter() -> Outcome {
    let mutex = Kind::PrioInherit.robust()?;
    let owner = owner(&mutex)?;
    let (numbers, order) = pipe()?;
    let waiters = [waiter(&mutex, 0, 3, &order)?, waiter(&mutex, 1, 7, &order)?, waiter(&mutex, 2, 5, &order)?];
    owner.kill()?;
    let [low, high, middle] = waiters;
    expect_eq!((low.join()?, high.join()?, middle.join()?), ([Ok(()); 2], [Err(EOWNERDEAD), Ok(())], [Ok(()); 2]));
    expect_eq!(read_exactly(&numbers, 3), Ok(vec![1, 2, 0]));
    Ok(())
}

/// If processes of `SCHED_FIFO` priority 3, 7 and 5 block in this order in `pthread_mutex_lock` on a mutex with the protocol
/// `PTHREAD_PRIO_INHERIT`, field 18 (`priority`) of the owner's `/proc/PID/stat` is -4, -8 and -8 after them, that is -1 minus
/// the highest of their priorities. After `pthread_mutex_unlock` by the owner, which runs with `SCHED_OTHER`, it is at least 0
/// again.
#[conformance::test(posix = "pthread_mutexattr_setprotocol", man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn owner_runs_at_the_priority_of_its_waiters() -> Outcome {
    let mutex = Kind::PrioInherit.mutex()?;
    let owner = Participant::spawn("owner", (), |(), link| {
        mutex.lock().expect("the mutex is free");
        link.meet("unlock");
        let unlocked = mutex.unlock();
        link.meet("end");
        unlocked
    })?;
    owner.until_reached("unlock")?;
    let (_numbers, order) = pipe()?;
    let mut waiters = Vec::new();
    // Each time: the priority of the new waiter, and that of the owner afterwards.
    for (number, (priority, inherited)) in (0..).zip([(3, 3), (7, 7), (5, 7)]) {
        waiters.push(waiter(&mutex, number, priority, &order)?);
        expect_eq!(effective_priority(owner.id()), Ok(inherited));
    }
    owner.open("unlock")?;
    owner.until_reached("end")?;
    expect_eq!(effective_priority(owner.id()), Ok(0));
    owner.open("end")?;
    expect_eq!(owner.join()?, Ok(()));
    for waiter in waiters {
        expect_eq!(waiter.join()?, [Ok(()); 2]);
    }
    Ok(())
}

/// If a process blocked on a mutex with the protocol `PTHREAD_PRIO_INHERIT` is killed, or its `pthread_mutex_timedlock` fails
/// with `ETIMEDOUT`, field 18 (`priority`) of the owner's `/proc/PID/stat` is then -1 minus the highest `SCHED_FIFO` priority of
/// the processes still blocked. If no process is blocked any more, it is at least 0, as the owner runs with `SCHED_OTHER`.
#[conformance::test(posix = "pthread_mutexattr_setprotocol", man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn inherited_priority_ends_with_the_waiter() -> Outcome {
    use conformance::sys::time::Clock;
    let mutex = Kind::PrioInherit.mutex()?;
    let owner = owner(&mutex)?;
    let (_numbers, order) = pipe()?;
    let (low, high) = (waiter(&mutex, 0, 3, &order)?, waiter(&mutex, 1, 7, &order)?);
    expect_eq!(effective_priority(owner.id()), Ok(7));
    high.kill()?;
    expect_eq!(effective_priority(owner.id()), Ok(3));
    let expired = Participant::spawn("expired waiter", (), |(), _| {
        run_fifo(9)?;
        mutex.timed_lock(Clock::Realtime.after(std::time::Duration::from_millis(1))?)
    })?;
    expect_eq!((expired.join()?, effective_priority(owner.id())), (Err(ETIMEDOUT), Ok(3)));
    low.kill()?;
    expect_eq!(effective_priority(owner.id()), Ok(0));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, lock_unlock(&mutex)), (Ok(()), BOTH_OK));
    Ok(())
}

/// Processes A and B run with `SCHED_OTHER`; A owns a `PTHREAD_PRIO_INHERIT` mutex, and B owns a second one and is blocked in
/// `pthread_mutex_lock` on that of A. While a process of `SCHED_FIFO` priority 6 is blocked on the mutex of B, field 18
/// (`priority`) of `/proc/PID/stat` is -7 (-1 minus 6) for A and B. After that process was killed, it is at least 0 for both.
#[conformance::test(posix = "pthread_mutexattr_setprotocol", man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn inherited_priority_passes_along_a_chain_of_owners() -> Outcome {
    let (first, second) = (Kind::PrioInherit.mutex()?, Kind::PrioInherit.mutex()?);
    let end = owner(&first)?;
    let middle = Participant::spawn("owner and waiter", (), |(), link| {
        second.lock().expect("the mutex is free");
        link.reached("locked");
        [first.lock(), first.unlock(), second.unlock()]
    })?;
    middle.until_reached("locked")?;
    middle.until_blocked()?;
    expect_eq!([effective_priority(end.id()), effective_priority(middle.id())], [Ok(0), Ok(0)]);
    let (_numbers, order) = pipe()?;
    let high = waiter(&second, 0, 6, &order)?;
    expect_eq!([effective_priority(end.id()), effective_priority(middle.id())], [Ok(6), Ok(6)]);
    high.kill()?;
    expect_eq!([effective_priority(end.id()), effective_priority(middle.id())], [Ok(0), Ok(0)]);
    end.open("unlock")?;
    expect_eq!((end.join()?, middle.join()?), (Ok(()), [Ok(()); 3]));
    Ok(())
}

/// While a process of `SCHED_FIFO` priority 6 is blocked in `pthread_mutex_lock` on a mutex with the protocol
/// `PTHREAD_PRIO_NONE`, field 18 (`priority`) of the owner's `/proc/PID/stat` stays at least 0 if the owner runs with
/// `SCHED_OTHER`; it would be -7 with an inherited priority of 6.
#[conformance::test(posix = "pthread_mutexattr_setprotocol", man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn owner_without_protocol_inherits_no_priority() -> Outcome {
    let mutex = Kind::Normal.mutex()?;
    let owner = owner(&mutex)?;
    let (_numbers, order) = pipe()?;
    let waiter = waiter(&mutex, 0, 6, &order)?;
    expect_eq!(effective_priority(owner.id()), Ok(0));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, waiter.join()?), (Ok(()), [Ok(()); 2]));
    Ok(())
}

/// On an errorcheck mutex with the protocol `PTHREAD_PRIO_INHERIT`, a second `pthread_mutex_lock` by the owner fails with
/// `EDEADLK`. On a recursive one, two `pthread_mutex_lock` calls and one `pthread_mutex_trylock` by the owner return 0, after
/// which three `pthread_mutex_unlock` calls return 0 and a fourth one fails with `EPERM`.
#[conformance::test(posix = "pthread_mutexattr_setprotocol", man = "pthread_mutex_lock(3)")]
fn prio_inherit_works_with_each_mutex_type() -> Outcome {
    let with = |kind| {
        SharedMutex::create_with(Mapping::anonymous(page_size())?, |attributes| {
            attributes.set_protocol(attributes::PRIO_INHERIT)?;
            attributes.set_kind(kind)
        })
    };
    let (checking, recursive) = (with(attributes::ERRORCHECK)?, with(attributes::RECURSIVE)?);
    expect_eq!([checking.lock(), checking.lock()], [Ok(()), Err(EDEADLK)]);
    expect_eq!([recursive.lock(), recursive.lock(), recursive.try_lock()], [Ok(()); 3]);
    let other = Participant::spawn("other", (), |(), _| [&checking, &recursive].map(|mutex| (mutex.try_lock(), mutex.unlock())))?;
    expect_eq!(other.join()?, [(Err(EBUSY), Err(EPERM)); 2]);
    expect_eq!([checking.unlock(), checking.unlock()], [Ok(()), Err(EPERM)]);
    expect_eq!([0; 4].map(|_| recursive.unlock()), [Ok(()), Ok(()), Ok(()), Err(EPERM)]);
    let other = Participant::spawn("other", (), |(), _| [lock_unlock(&checking), lock_unlock(&recursive)])?;
    expect_eq!(other.join()?, [BOTH_OK; 2]);
    Ok(())
}

/// `pthread_mutexattr_setprioceiling` returns 0 for the minimum and the maximum priority of `SCHED_FIFO` and for one between
/// them, and `pthread_mutexattr_getprioceiling` then gives the value set last.
#[cfg(has_priority_ceilings)]
#[conformance::test(posix = "pthread_mutexattr_setprioceiling", man = "sched(7)")]
fn mutexattr_setprioceiling_accepts_fifo_priorities() -> Outcome {
    let (lowest, highest) = fifo_priorities();
    let mut attributes = MutexAttributes::new()?;
    expect_eq!(attributes.set_protocol(attributes::PRIO_PROTECT), Ok(()));
    for priority in [lowest, highest, lowest + 4] {
        expect_eq!((attributes.set_ceiling(priority), attributes.ceiling()), (Ok(()), Ok(priority)));
    }
    expect_eq!(attributes.protocol(), Ok(attributes::PRIO_PROTECT));
    Ok(())
}

/// `pthread_mutexattr_setprioceiling` fails with `EINVAL` for a priority below the minimum or above the maximum of `SCHED_FIFO`,
/// and `pthread_mutexattr_getprioceiling` still gives the ceiling set before.
#[cfg(has_priority_ceilings)]
#[conformance::test(posix = "pthread_mutexattr_setprioceiling", man = "sched(7)", level = customary)]
fn mutexattr_setprioceiling_rejects_priorities_out_of_range() -> Outcome {
    let (lowest, highest) = fifo_priorities();
    let mut attributes = MutexAttributes::new()?;
    attributes.set_protocol(attributes::PRIO_PROTECT)?;
    attributes.set_ceiling(lowest + 4)?;
    expect_eq!([lowest - 1, highest + 1, -7].map(|priority| attributes.set_ceiling(priority)), [Err(EINVAL); 3]);
    expect_eq!((attributes.ceiling(), attributes.protocol()), (Ok(lowest + 4), Ok(attributes::PRIO_PROTECT)));
    Ok(())
}

#[cfg(has_priority_ceilings)]
fn with_ceiling(ceiling: i32) -> Result<SharedMutex, Errno> {
    SharedMutex::create_with(Mapping::anonymous(page_size())?, |attributes| {
        attributes.set_protocol(attributes::PRIO_PROTECT)?;
        attributes.set_ceiling(ceiling)
    })
}

/// Field 18 (`priority`) of `/proc/PID/stat` of a process of `SCHED_FIFO` priority 2 is -6 while it owns only a
/// `PTHREAD_PRIO_PROTECT` mutex with ceiling 5, and -9 while it also owns one with ceiling 8, that is -1 minus the highest
/// ceiling. After `pthread_mutex_unlock` on each owned mutex it is -3.
#[cfg(has_priority_ceilings)]
#[conformance::test(posix = "pthread_mutexattr_setprotocol", man = "sched(7)", needs(CAP_SYS_NICE, procfs))]
fn owner_runs_at_the_ceiling() -> Outcome {
    let (low, high) = (with_ceiling(5)?, with_ceiling(8)?);
    expect_eq!((low.ceiling(), high.ceiling()), (Ok(5), Ok(8)));
    let owner = Participant::spawn("owner", (), |(), _| {
        let own = || effective_priority(nix::unistd::getpid());
        run_fifo(2)?;
        let mut seen = vec![own()];
        for change in [low.lock(), high.lock(), low.unlock(), high.unlock(), high.try_lock(), high.unlock()] {
            change?;
        }
        for change in [SharedMutex::lock, SharedMutex::unlock] {
            change(&low)?;
            seen.push(own());
        }
        low.lock()?;
        high.lock()?;
        seen.push(own());
        high.unlock()?;
        seen.push(own());
        low.unlock()?;
        seen.push(own());
        Ok::<_, Errno>(seen)
    })?;
    expect_eq!(owner.join()?, Ok([2, 5, 2, 8, 5, 2].map(Ok).to_vec()));
    Ok(())
}

/// On a `PTHREAD_PRIO_PROTECT` mutex with ceiling 5, `pthread_mutex_lock` and `pthread_mutex_trylock` by a process of
/// `SCHED_FIFO` priority 6 fail with `EINVAL`. At priority 5, `pthread_mutex_lock` by the process returns 0.
#[cfg(has_priority_ceilings)]
#[conformance::test(posix = "pthread_mutex_lock", man = "sched(7)", needs(CAP_SYS_NICE))]
fn lock_above_the_ceiling_fails_with_einval() -> Outcome {
    let mutex = with_ceiling(5)?;
    let high = Participant::spawn("process above the ceiling", (), |(), _| {
        run_fifo(6)?;
        let above = [mutex.lock(), mutex.try_lock()];
        run_fifo(5)?;
        Ok::<_, Errno>((above, lock_unlock(&mutex)))
    })?;
    expect_eq!(high.join()?, Ok(([Err(EINVAL); 2], BOTH_OK)));
    Ok(())
}

/// `pthread_mutex_setprioceiling` with 9 on a `PTHREAD_PRIO_PROTECT` mutex with ceiling 5 returns 0 and gives the old ceiling 5,
/// and `pthread_mutex_getprioceiling` then gives 9. `pthread_mutex_lock` by a process of `SCHED_FIFO` priority 8 then returns 0.
#[cfg(has_priority_ceilings)]
#[conformance::test(posix = "pthread_mutex_setprioceiling", man = "sched(7)", needs(CAP_SYS_NICE))]
fn mutex_setprioceiling_sets_the_ceiling() -> Outcome {
    let mutex = with_ceiling(5)?;
    let changer = Participant::spawn("process that sets the ceiling", (), |(), _| {
        run_fifo(1)?;
        Ok::<_, Errno>([mutex.set_ceiling(9), mutex.ceiling()])
    })?;
    expect_eq!(changer.join()?, Ok([Ok(5), Ok(9)]));
    let below = Participant::spawn("process below the new ceiling", (), |(), _| {
        run_fifo(8)?;
        Ok::<_, Errno>(lock_unlock(&mutex))
    })?;
    expect_eq!(below.join()?, Ok(BOTH_OK));
    Ok(())
}

/// `pthread_mutex_setprioceiling` fails with `EINVAL` for a priority above the maximum of `SCHED_FIFO`, and
/// `pthread_mutex_getprioceiling` still gives the ceiling set before.
#[cfg(has_priority_ceilings)]
#[conformance::test(posix = "pthread_mutex_setprioceiling", man = "sched(7)", level = customary, needs(CAP_SYS_NICE))]
fn mutex_setprioceiling_rejects_a_priority_out_of_range() -> Outcome {
    let mutex = with_ceiling(5)?;
    let (_, highest) = fifo_priorities();
    let changer = Participant::spawn("process that sets the ceiling", (), |(), _| {
        run_fifo(1)?;
        Ok::<_, Errno>([mutex.set_ceiling(9), mutex.set_ceiling(highest + 1), mutex.ceiling()])
    })?;
    expect_eq!(changer.join()?, Ok([Ok(5), Err(EINVAL), Ok(9)]));
    Ok(())
}

/// `pthread_mutex_getprioceiling` on a mutex with the protocol `PTHREAD_PRIO_NONE` fails with `EINVAL`.
#[cfg(has_priority_ceilings)]
#[conformance::test(posix = "pthread_mutex_getprioceiling")]
fn getprioceiling_without_prio_protect_fails_with_einval() -> Outcome {
    expect_eq!(Kind::Normal.mutex()?.ceiling(), Err(EINVAL));
    Ok(())
}
