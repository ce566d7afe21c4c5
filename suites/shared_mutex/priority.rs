//! Priorities: a mutex that inherits goes to the most urgent waiter and lends its urgency to whoever keeps it waiting; one with a
//! ceiling makes its owner urgent from the start.

use conformance::prelude::*;
#[cfg(has_priority_ceilings)]
use conformance::sys::process::scheduling::fifo_priorities;
use conformance::sys::process::scheduling::{effective_priority, run_fifo};
#[cfg(has_priority_ceilings)]
use conformance::sys::pthread::MutexAttributes;
use conformance::sys::pthread::{SharedMutex, attributes};
use rstest::rstest;

use super::fixture::{Kind, WELL, turn};

/// A participant that is blocked on the mutex with that real-time priority, and writes its number into the pipe under the mutex.
fn waiter(mutex: &SharedMutex, number: u8, priority: i32, tell: &OwnedFd) -> Result<Participant<[Result<(), Errno>; 2]>, Failure> {
    let waiter = Participant::spawn(&format!("waiter {number}"), dup(tell)?, |tell, link| {
        if priority > 0 {
            run_fifo(priority).expect("a real-time priority can be had");
        }
        link.reached("lock");
        let locked = mutex.lock();
        if locked == Err(EOWNERDEAD) {
            mutex.consistent().expect("the mutex is inherited");
        }
        write_all(tell, &[number]).expect("there is room");
        [locked, mutex.unlock()]
    })?;
    waiter.until_reached("lock")?;
    waiter.until_blocked()?;
    Ok(waiter)
}

use super::fixture::holder;

/// An unlock gives the mutex to the most urgent waiter, whichever came first, and among equals to the first.
#[rstest]
#[case::rising([3, 5, 7], [2, 1, 0])]
#[case::falling([7, 5, 3], [0, 1, 2])]
#[case::mixed([3, 7, 5], [1, 2, 0])]
#[case::equal([5, 5, 5], [0, 1, 2])]
#[case::ordinary_ones_last([0, 5, 5], [1, 2, 0])]
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE))]
fn decides_who_is_next(#[case] priorities: [i32; 3], #[case] order: [u8; 3]) -> Outcome {
    let mutex = Kind::Inheriting.mutex()?;
    let holder = holder(&mutex)?;
    let (told, tell) = pipe()?;
    let mut waiters = Vec::new();
    for (number, priority) in (0..).zip(priorities) {
        waiters.push(waiter(&mutex, number, priority, &tell)?);
    }
    holder.open("unlock")?;
    expect_eq!(holder.join()?, Ok(()));
    for waiter in waiters {
        expect_eq!(waiter.join()?, [Ok(()); 2]);
    }
    expect_eq!(read_exactly(&told, 3), Ok(order.to_vec()));
    Ok(())
}

/// Waiters of ordinary priority get a mutex that inherits in the order in which they came.
#[conformance::test(man = "futex(2)")]
fn among_equals_is_the_order_of_arrival() -> Outcome {
    let mutex = Kind::Inheriting.mutex()?;
    let holder = holder(&mutex)?;
    let (told, tell) = pipe()?;
    let mut waiters = Vec::new();
    for number in 0..4 {
        waiters.push(waiter(&mutex, number, 0, &tell)?);
    }
    waiters.remove(1).kill()?;
    holder.open("unlock")?;
    expect_eq!(holder.join()?, Ok(()));
    for waiter in waiters {
        expect_eq!(waiter.join()?, [Ok(()); 2]);
    }
    expect_eq!(read_exactly(&told, 3), Ok(vec![0, 2, 3]));
    Ok(())
}

/// The death of an owner is told to the most urgent waiter.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE))]
fn decides_who_inherits_from_the_dead() -> Outcome {
    let mutex = Kind::Inheriting.robust()?;
    let holder = holder(&mutex)?;
    let (told, tell) = pipe()?;
    let waiters = [waiter(&mutex, 0, 3, &tell)?, waiter(&mutex, 1, 7, &tell)?, waiter(&mutex, 2, 5, &tell)?];
    holder.kill()?;
    let [low, high, middle] = waiters;
    expect_eq!((low.join()?, high.join()?, middle.join()?), ([Ok(()); 2], [Err(EOWNERDEAD), Ok(())], [Ok(()); 2]));
    expect_eq!(read_exactly(&told, 3), Ok(vec![1, 2, 0]));
    Ok(())
}

/// An owner is as urgent as its most urgent waiter, and not any more once that one has the mutex.
#[conformance::test(posix = "pthread_mutexattr_setprotocol", man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn is_lent_to_the_owner() -> Outcome {
    let mutex = Kind::Inheriting.mutex()?;
    let owner = Participant::spawn("owner", (), |(), link| {
        mutex.lock().expect("the mutex is free");
        link.meet("unlock");
        let unlocked = mutex.unlock();
        link.meet("end");
        unlocked
    })?;
    owner.until_reached("unlock")?;
    let (_told, tell) = pipe()?;
    let mut waiters = Vec::new();
    // Each time: the priority of the one that comes, and that of the owner then.
    for (number, (priority, lent)) in (0..).zip([(3, 3), (7, 7), (5, 7)]) {
        waiters.push(waiter(&mutex, number, priority, &tell)?);
        expect_eq!(effective_priority(owner.id()), Ok(lent));
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

/// A waiter that is killed, or gives up, takes back what it lent, and leaves the owner what others lend it.
#[conformance::test(posix = "pthread_mutexattr_setprotocol", man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn is_taken_back_by_one_that_leaves() -> Outcome {
    use conformance::sys::time::Clock;
    let mutex = Kind::Inheriting.mutex()?;
    let owner = holder(&mutex)?;
    let (_told, tell) = pipe()?;
    let (low, high) = (waiter(&mutex, 0, 3, &tell)?, waiter(&mutex, 1, 7, &tell)?);
    expect_eq!(effective_priority(owner.id()), Ok(7));
    high.kill()?;
    expect_eq!(effective_priority(owner.id()), Ok(3));
    let late = Participant::spawn("late", (), |(), _| {
        run_fifo(9)?;
        mutex.timed_lock(Clock::Realtime.after(std::time::Duration::from_millis(1))?)
    })?;
    expect_eq!((late.join()?, effective_priority(owner.id())), (Err(ETIMEDOUT), Ok(3)));
    low.kill()?;
    expect_eq!(effective_priority(owner.id()), Ok(0));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, turn(&mutex)), (Ok(()), WELL));
    Ok(())
}

/// What is lent is lent on: to the owner of the mutex that the owner waits for.
#[conformance::test(posix = "pthread_mutexattr_setprotocol", man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn is_lent_along_a_chain() -> Outcome {
    let (first, second) = (Kind::Inheriting.mutex()?, Kind::Inheriting.mutex()?);
    let end = holder(&first)?;
    let middle = Participant::spawn("middle", (), |(), link| {
        second.lock().expect("the mutex is free");
        link.reached("locked");
        [first.lock(), first.unlock(), second.unlock()]
    })?;
    middle.until_reached("locked")?;
    middle.until_blocked()?;
    expect_eq!([effective_priority(end.id()), effective_priority(middle.id())], [Ok(0), Ok(0)]);
    let (_told, tell) = pipe()?;
    let urgent = waiter(&second, 0, 6, &tell)?;
    expect_eq!([effective_priority(end.id()), effective_priority(middle.id())], [Ok(6), Ok(6)]);
    urgent.kill()?;
    expect_eq!([effective_priority(end.id()), effective_priority(middle.id())], [Ok(0), Ok(0)]);
    end.open("unlock")?;
    expect_eq!((end.join()?, middle.join()?), (Ok(()), [Ok(()); 3]));
    Ok(())
}

/// A mutex without a protocol lends nothing.
#[conformance::test(posix = "pthread_mutexattr_setprotocol", man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn is_not_lent_without_a_protocol() -> Outcome {
    let mutex = Kind::Normal.mutex()?;
    let owner = holder(&mutex)?;
    let (_told, tell) = pipe()?;
    let waiter = waiter(&mutex, 0, 6, &tell)?;
    expect_eq!(effective_priority(owner.id()), Ok(0));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, waiter.join()?), (Ok(()), [Ok(()); 2]));
    Ok(())
}

/// A mutex that inherits may be of each kind, and answers its owner and others as that kind does.
#[conformance::test(posix = "pthread_mutexattr_setprotocol", man = "pthread_mutex_lock(3)")]
fn goes_with_each_kind_of_mutex() -> Outcome {
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
    let other = Participant::spawn("other", (), |(), _| [turn(&checking), turn(&recursive)])?;
    expect_eq!(other.join()?, [WELL; 2]);
    Ok(())
}

/// A ceiling is a priority that there is: others are refused, and the ceiling stays.
#[cfg(has_priority_ceilings)]
#[conformance::test(posix = "pthread_mutexattr_setprioceiling", man = "sched(7)")]
fn of_a_ceiling_is_a_real_time_priority() -> Outcome {
    let (lowest, highest) = fifo_priorities();
    let mut attributes = MutexAttributes::new()?;
    expect_eq!(attributes.set_protocol(attributes::PRIO_PROTECT), Ok(()));
    for priority in [lowest, highest, lowest + 4] {
        expect_eq!((attributes.set_ceiling(priority), attributes.ceiling()), (Ok(()), Ok(priority)));
    }
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

/// An owner has the priority of the mutex's ceiling while it holds it, of the highest of several, and its own again afterwards.
#[cfg(has_priority_ceilings)]
#[conformance::test(posix = "pthread_mutexattr_setprotocol", man = "sched(7)", needs(CAP_SYS_NICE, procfs))]
fn is_raised_to_the_ceiling() -> Outcome {
    let (low, high) = (with_ceiling(5)?, with_ceiling(8)?);
    expect_eq!((low.ceiling(), high.ceiling()), (Ok(5), Ok(8)));
    let owner = Participant::spawn("owner", (), |(), _| {
        let own = || effective_priority(nix_pid());
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

#[cfg(has_priority_ceilings)]
fn nix_pid() -> nix::unistd::Pid {
    nix::unistd::getpid()
}

/// One that is more urgent than the ceiling allows is refused, by each way of locking, and has not got the mutex.
#[cfg(has_priority_ceilings)]
#[conformance::test(posix = "pthread_mutex_lock", man = "sched(7)", needs(CAP_SYS_NICE))]
fn above_the_ceiling_is_refused() -> Outcome {
    let mutex = with_ceiling(5)?;
    let urgent = Participant::spawn("urgent", (), |(), _| {
        run_fifo(6)?;
        let refused = [mutex.lock(), mutex.try_lock()];
        run_fifo(5)?;
        Ok::<_, Errno>((refused, turn(&mutex)))
    })?;
    expect_eq!(urgent.join()?, Ok(([Err(EINVAL); 2], WELL)));
    Ok(())
}

/// The ceiling of a mutex can be changed, by one whom it allows to lock, and the old one is given back; a priority that there is
/// not is refused.
#[cfg(has_priority_ceilings)]
#[conformance::test(posix = "pthread_mutex_setprioceiling", man = "sched(7)", needs(CAP_SYS_NICE))]
fn of_a_ceiling_can_be_changed() -> Outcome {
    let mutex = with_ceiling(5)?;
    let (_, highest) = fifo_priorities();
    let changer = Participant::spawn("changer", (), |(), _| {
        run_fifo(1)?;
        Ok::<_, Errno>([mutex.set_ceiling(9), mutex.ceiling(), mutex.set_ceiling(highest + 1), mutex.ceiling()])
    })?;
    expect_eq!(changer.join()?, Ok([Ok(5), Ok(9), Err(EINVAL), Ok(9)]));
    let urgent = Participant::spawn("urgent", (), |(), _| {
        run_fifo(8)?;
        Ok::<_, Errno>(turn(&mutex))
    })?;
    expect_eq!(urgent.join()?, Ok(WELL));
    expect_eq!(Kind::Normal.mutex()?.ceiling(), Err(EINVAL));
    Ok(())
}
