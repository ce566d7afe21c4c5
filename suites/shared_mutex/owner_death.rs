//! The end of the owner of a robust mutex: by exit, signal, `execve`, or the end of a thread; and the end of processes that are not
//! owners.
//!
//! The C library keeps the robust list of a thread, and the kernel walks it when the thread ends or executes another program.

use conformance::prelude::*;
use conformance::sys::pthread::{SharedMutex, attributes};
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{BOTH_OK, Kind, every_kind, lock_unlock, owner};

/// What locking, making consistent and unlocking returned.
type Recovery = (Result<(), Errno>, Result<(), Errno>, Result<(), Errno>);

/// What the new owner of a mutex gets whose owner died.
const RECOVERED: Recovery = (Err(EOWNERDEAD), Ok(()), Ok(()));

fn recover(mutex: &SharedMutex) -> Recovery {
    (mutex.lock(), mutex.consistent(), mutex.unlock())
}

/// How a process or thread ends, or leaves its program.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Exit,
    Exec,
    Signal(Signal),
    Thread,
}

/// If the owner of a robust mutex exits, or is killed by `SIGKILL`, `SIGTERM` or `SIGABRT`, without `pthread_mutex_unlock`, the
/// next `pthread_mutex_lock` returns `EOWNERDEAD`. After `pthread_mutex_consistent` and `pthread_mutex_unlock`,
/// `pthread_mutex_lock` returns 0.
#[apply(every_kind)]
#[case::exit(Ending::Exit)]
#[case::killed(Ending::Signal(Signal::SIGKILL))]
#[case::terminated(Ending::Signal(Signal::SIGTERM))]
#[case::aborted(Ending::Signal(Signal::SIGABRT))]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn lock_returns_eownerdead_once_after_any_end(#[case] ending: Ending, kind: Kind) -> Outcome {
    ends(ending, kind)
}

/// If the owner of a robust mutex executes another program with `execve`, the next `pthread_mutex_lock` returns `EOWNERDEAD`.
/// POSIX leaves this open.
#[apply(every_kind)]
#[conformance::test(man = "pthread_mutexattr_setrobust(3)", man = "get_robust_list(2)")]
fn lock_returns_eownerdead_after_exec(kind: Kind) -> Outcome {
    ends(Ending::Exec, kind)
}

/// If a thread ends while it owns a robust mutex and its process lives on, the next `pthread_mutex_lock` in another process
/// returns `EOWNERDEAD`. POSIX allows this and does not require it.
#[apply(every_kind)]
#[conformance::test(man = "pthread_mutexattr_setrobust(3)", man = "get_robust_list(2)")]
fn lock_returns_eownerdead_after_a_thread_ends(kind: Kind) -> Outcome {
    ends(Ending::Thread, kind)
}

fn ends(ending: Ending, kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    let owner = Participant::spawn("owner", (), |(), link| match ending {
        Ending::Thread => {
            std::thread::scope(|scope| scope.spawn(|| mutex.lock()).join().expect("the mutex is free")).expect("the mutex is free");
            link.reached("locked");
            link.park()
        }
        Ending::Exit => mutex.lock().expect("the mutex is free"),
        Ending::Exec => {
            mutex.lock().expect("the mutex is free");
            let program = if cfg!(linux) {
                // It works even if the executable has been renamed.
                PathBuf::from("/proc/self/exe")
            } else {
                std::env::current_exe().expect("this executable has a path")
            };
            // Prints its version and ends; what counts is that it is started.
            let error = std::os::unix::process::CommandExt::exec(
                std::process::Command::new(program).arg("--version").stdout(std::process::Stdio::null()),
            );
            panic!("cannot start this executable: {error}");
        }
        Ending::Signal(_) => {
            mutex.lock().expect("the mutex is free");
            link.reached("locked");
            link.park()
        }
    })?;
    match ending {
        Ending::Thread => owner.until_reached("locked")?,
        Ending::Exit => owner.join()?,
        Ending::Exec => expect_eq!(owner.end()?, End::Exited(0)),
        Ending::Signal(signal) => {
            owner.until_reached("locked")?;
            owner.signal(signal)?;
            expect_eq!(owner.end()?, End::Killed(signal));
        }
    }
    let next = Participant::spawn("new owner", (), |(), _| (recover(&mutex), lock_unlock(&mutex)))?;
    expect_eq!((next.join()?, lock_unlock(&mutex)), ((RECOVERED, BOTH_OK), BOTH_OK));
    Ok(())
}

/// After the owner of a robust mutex was killed, `pthread_mutex_trylock` returns `EOWNERDEAD`. Until its caller calls
/// `pthread_mutex_unlock`, `pthread_mutex_trylock` by another process fails with `EBUSY`.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_trylock", man = "pthread_mutexattr_setrobust(3)")]
fn trylock_returns_eownerdead_once(kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    owner(&mutex)?.kill()?;
    expect_eq!(mutex.try_lock(), Err(EOWNERDEAD));
    let other = Participant::spawn("other", (), |(), _| [mutex.try_lock(), mutex.unlock()])?;
    expect_eq!(other.join()?, [Err(EBUSY), Err(EPERM)]);
    expect_eq!([mutex.consistent(), mutex.unlock()], [Ok(()); 2]);
    let next = Participant::spawn("next owner", (), |(), _| lock_unlock(&mutex))?;
    expect_eq!(next.join()?, BOTH_OK);
    Ok(())
}

/// If the owner of a robust mutex is killed, while it runs or is stopped, `pthread_mutex_lock` returns `EOWNERDEAD` in one of
/// three processes blocked in it. After `pthread_mutex_consistent` and `pthread_mutex_unlock` by this process,
/// `pthread_mutex_lock` returns 0 in the other two, one after the other.
#[apply(every_kind)]
#[conformance::test(
    posix = "pthread_mutex_lock",
    man = "pthread_mutexattr_setrobust(3)",
    fixed_in = "glibc 2.25 (353683a22e, 65810f0ef0)"
)]
fn exactly_one_waiter_gets_eownerdead(kind: Kind, #[values(false, true)] stopped: bool) -> Outcome {
    let mutex = kind.robust()?;
    let owner = owner(&mutex)?;
    let mut waiters = Vec::new();
    for name in ["waiter 1", "waiter 2", "waiter 3"] {
        let waiter = Participant::spawn(name, (), |(), _| match mutex.lock() {
            Err(EOWNERDEAD) => (Err(EOWNERDEAD), mutex.consistent(), mutex.unlock()),
            other => (other, Ok(()), mutex.unlock()),
        })?;
        waiter.until_blocked()?;
        waiters.push(waiter);
    }
    if stopped {
        owner.stop()?;
    }
    owner.kill()?;
    let mut seen = waiters.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
    seen.sort_unstable();
    let consistent = (Ok(()), Ok(()), Ok(()));
    expect_eq!((seen, lock_unlock(&mutex)), (vec![consistent, consistent, RECOVERED], BOTH_OK));
    Ok(())
}

/// If two processes are blocked in `pthread_mutex_lock` on a robust mutex, and first one of them is killed and then the owner,
/// `pthread_mutex_lock` returns `EOWNERDEAD` in the remaining process.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)")]
fn killed_waiter_does_not_take_eownerdead(kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    let owner = owner(&mutex)?;
    let [first, second] = ["first", "second"].map(|name| Participant::spawn(name, (), |(), _| recover(&mutex)));
    let (first, second) = (first?, second?);
    first.until_blocked()?;
    second.until_blocked()?;
    first.kill()?;
    second.expect_still_blocked()?;
    owner.kill()?;
    expect_eq!((second.join()?, lock_unlock(&mutex)), (RECOVERED, BOTH_OK));
    Ok(())
}

/// If a process blocked in `pthread_mutex_lock` on a robust mutex is killed, `pthread_mutex_trylock` by another process still
/// fails with `EBUSY`. After `pthread_mutex_unlock` by the owner, which returns 0, `pthread_mutex_lock` returns 0.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn killed_waiter_leaves_the_mutex_consistent(kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    let owner = owner(&mutex)?;
    let waiter = Participant::spawn("waiter", (), |(), _| mutex.lock())?;
    waiter.until_blocked()?;
    waiter.kill()?;
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, lock_unlock(&mutex)), (Ok(()), BOTH_OK));
    Ok(())
}

/// If a process locks three robust mutexes, unlocks the second, the first and the third, and is then killed, `pthread_mutex_lock`
/// by another process returns 0 on each of them.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn killed_former_owner_leaves_mutexes_consistent(kind: Kind) -> Outcome {
    let mutexes = [kind.robust()?, kind.robust()?, kind.robust()?];
    let former = Participant::spawn("former owner", (), |(), link| -> () {
        let [first, second, third] = &mutexes;
        let mut done = [first, second, third].map(SharedMutex::lock).to_vec();
        done.extend([second, first, third].map(SharedMutex::unlock));
        done.extend([second.lock(), first.lock(), second.unlock(), first.unlock()]);
        assert_eq!(done, vec![Ok(()); 10]);
        link.reached("unlocked");
        link.park()
    })?;
    former.until_reached("unlocked")?;
    former.kill()?;
    expect_eq!(mutexes.each_ref().map(lock_unlock), [BOTH_OK; 3]);
    Ok(())
}

/// If a child forked by the owner of a robust mutex exits or is killed, `pthread_mutex_trylock` by a third process fails with
/// `EBUSY`, and `pthread_mutex_unlock` by the parent returns 0. On another robust mutex, which the child had locked,
/// `pthread_mutex_trylock` returns `EOWNERDEAD`.
#[apply(every_kind)]
#[conformance::test(posix = "fork", man = "pthread_mutexattr_setrobust(3)", fixed_in = "glibc 2.25 (8e31cafb26)")]
fn child_death_leaves_parent_mutex_locked(kind: Kind, #[values(false, true)] killed: bool) -> Outcome {
    let (mutex, of_child) = (kind.robust()?, [kind.robust()?, kind.robust()?]);
    expect_eq!(mutex.lock(), Ok(()));
    let child = Participant::spawn("child", (), |(), link| {
        assert_eq!([of_child[0].lock(), of_child[1].lock(), of_child[0].unlock()], [Ok(()); 3]);
        if killed {
            link.reached("locked");
            link.park();
        }
    })?;
    if killed {
        child.until_reached("locked")?;
        child.kill()?;
    } else {
        child.join()?;
    }
    let other = || Participant::spawn("other", (), |(), _| (mutex.try_lock(), mutex.unlock()));
    expect_eq!(other()?.join()?, (Err(EBUSY), Err(EPERM)));
    expect_eq!((mutex.unlock(), other()?.join()?), (Ok(()), BOTH_OK));
    expect_eq!(of_child.each_ref().map(SharedMutex::try_lock), [Ok(()), Err(EOWNERDEAD)]);
    Ok(())
}

/// If a process is killed that owns four robust mutexes, two of them with the protocol `PTHREAD_PRIO_INHERIT`,
/// `pthread_mutex_lock` returns `EOWNERDEAD` in each of four processes, one of which is blocked in it on each mutex.
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn waiters_of_each_owned_mutex_get_eownerdead() -> Outcome {
    let mutexes = [Kind::Normal.robust()?, Kind::PrioInherit.robust()?, Kind::Recursive.robust()?, Kind::PrioInherit.robust()?];
    let owner = Participant::spawn("owner", (), |(), link| -> () {
        mutexes.iter().try_for_each(SharedMutex::lock).expect("each is free");
        link.reached("locked");
        link.park()
    })?;
    owner.until_reached("locked")?;
    let waiters = mutexes.each_ref().map(|mutex| Participant::spawn("waiter", (), |(), _| recover(mutex)));
    let mut blocked = Vec::new();
    for waiter in waiters {
        let waiter = waiter?;
        waiter.until_blocked()?;
        blocked.push(waiter);
    }
    owner.kill()?;
    let seen = blocked.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
    expect_eq!((seen, mutexes.each_ref().map(lock_unlock)), (vec![RECOVERED; 4], [BOTH_OK; 4]));
    Ok(())
}

/// If a process exits while it owns 100 robust mutexes, `pthread_mutex_trylock` by another process returns `EOWNERDEAD` on each
/// of them.
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "get_robust_list(2)")]
fn a_hundred_mutexes_return_eownerdead() -> Outcome {
    let mutexes = (0..100).map(|_| Kind::Normal.robust()).collect::<Result<Vec<_>, _>>()?;
    let owner = Participant::spawn("owner", (), |(), _| mutexes.iter().filter(|mutex| mutex.lock() == Ok(())).count())?;
    expect_eq!(owner.join()?, 100);
    expect_eq!(mutexes.iter().filter(|mutex| mutex.try_lock() == Err(EOWNERDEAD)).count(), 100);
    expect_eq!(mutexes.iter().filter(|mutex| mutex.consistent().and_then(|()| mutex.unlock()) == Ok(())).count(), 100);
    Ok(())
}

/// If two processes each own a robust mutex and are blocked in `pthread_mutex_lock` on the mutex of the other, and one process is
/// killed, the call of the other process returns `EOWNERDEAD`.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn ends_a_deadlock_of_two_owners(#[values(Kind::Normal)] kind: Kind) -> Outcome {
    let mutexes = [kind.robust()?, kind.robust()?];
    let cross = |first: usize| {
        let mutexes = &mutexes;
        move |(), link: &Link| {
            let own = mutexes[first].lock();
            link.meet("cross");
            (own, mutexes[1 - first].lock(), mutexes[1 - first].consistent())
        }
    };
    let (one, other) = (Participant::spawn("victim", (), cross(0))?, Participant::spawn("waiter", (), cross(1))?);
    for each in [&one, &other] {
        each.until_reached("cross")?;
    }
    one.open("cross")?;
    one.until_blocked()?;
    other.open("cross")?;
    other.until_blocked()?;
    one.kill()?;
    expect_eq!(other.join()?, (Ok(()), Err(EOWNERDEAD), Ok(())));
    expect_eq!(mutexes.each_ref().map(SharedMutex::try_lock), [Err(EOWNERDEAD); 2]);
    Ok(())
}

/// If a thread ends while it owns a robust mutex that is private to its process (`PTHREAD_PROCESS_PRIVATE`), the next
/// `pthread_mutex_lock` in another thread of the process returns `EOWNERDEAD`.
#[conformance::test(man = "pthread_mutexattr_setrobust(3)", man = "get_robust_list(2)")]
fn private_mutex_returns_eownerdead_after_a_thread_ends() -> Outcome {
    let mutex = SharedMutex::create_with(Mapping::anonymous(page_size())?, |attributes| {
        attributes.set_shared(attributes::PRIVATE)?;
        attributes.set_robust(attributes::ROBUST)
    })?;
    let process = Participant::spawn("process", (), |(), _| {
        let locked = std::thread::scope(|scope| scope.spawn(|| mutex.lock()).join().expect("no panic"));
        (locked, recover(&mutex), lock_unlock(&mutex))
    })?;
    expect_eq!(process.join()?, (Ok(()), RECOVERED, BOTH_OK));
    Ok(())
}
