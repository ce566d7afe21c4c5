//! The death of an owner: whatever ends it, whoever comes next is told, and who only seemed to own changes nothing.
//!
//! The C library keeps the list of what a thread holds, and the kernel walks it when the thread ends or its program is replaced.

use conformance::prelude::*;
use conformance::sys::pthread::{SharedMutex, attributes};
use rstest::rstest;

use super::fixture::{Kind, WELL, holder, turn};

/// An heir's answer, and that of repairing and unlocking.
type Inherited = (Result<(), Errno>, Result<(), Errno>, Result<(), Errno>);

const INHERITED: Inherited = (Err(EOWNERDEAD), Ok(()), Ok(()));

fn inherit(mutex: &SharedMutex) -> Inherited {
    (mutex.lock(), mutex.consistent(), mutex.unlock())
}

/// How a process can end.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Exit,
    Exec,
    Signal(Signal),
    Thread,
}

/// Whatever ends an owner, the next one is told once, and after the repair the mutex is as good as new.
#[rstest]
#[case::exit(Ending::Exit)]
#[case::killed(Ending::Signal(Signal::SIGKILL))]
#[case::terminated(Ending::Signal(Signal::SIGTERM))]
#[case::aborted(Ending::Signal(Signal::SIGABRT))]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn is_told_whatever_ended_it(
    #[case] ending: Ending,
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    ends(ending, kind)
}

/// A process that starts another program has not ended, but its memory has: POSIX leaves open what happens, Linux tells the next one.
#[rstest]
#[conformance::test(man = "get_robust_list(2)")]
fn is_told_when_it_becomes_another_program(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    ends(Ending::Exec, kind)
}

/// A thread that ends while it owns a mutex is reported although its process lives, which POSIX allows.
#[rstest]
#[conformance::test(man = "get_robust_list(2)")]
fn is_told_of_a_thread(#[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind) -> Outcome {
    ends(Ending::Thread, kind)
}

fn ends(ending: Ending, kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    let owner = Participant::spawn("owner", (), |(), link| match ending {
        Ending::Thread => {
            std::thread::scope(|scope| scope.spawn(|| mutex.lock()).join().expect("the mutex is free")).expect("the mutex is free");
            link.reached("over");
            link.park()
        }
        Ending::Exit => mutex.lock().expect("the mutex is free"),
        Ending::Exec => {
            mutex.lock().expect("the mutex is free");
            let program = if cfg!(linux) {
                // Whatever has become of its name meanwhile.
                PathBuf::from("/proc/self/exe")
            } else {
                std::env::current_exe().expect("this executable has a path")
            };
            // Lists nothing and ends; what counts is that it is started.
            let error = std::os::unix::process::CommandExt::exec(
                std::process::Command::new(program).arg("--version").stdout(std::process::Stdio::null()),
            );
            panic!("cannot start this executable: {error}");
        }
        Ending::Signal(_) => {
            mutex.lock().expect("the mutex is free");
            link.reached("over");
            link.park()
        }
    })?;
    match ending {
        Ending::Thread => owner.until_reached("over")?,
        Ending::Exit => owner.join()?,
        Ending::Exec => expect_eq!(owner.end()?, End::Exited(0)),
        Ending::Signal(signal) => {
            owner.until_reached("over")?;
            owner.signal(signal)?;
            expect_eq!(owner.end()?, End::Killed(signal));
        }
    }
    let heir = Participant::spawn("heir", (), |(), _| (inherit(&mutex), turn(&mutex)))?;
    expect_eq!((heir.join()?, turn(&mutex)), ((INHERITED, WELL), WELL));
    Ok(())
}

/// Trying tells of the death too, once, and holds the mutex from then on.
#[rstest]
#[conformance::test(posix = "pthread_mutex_trylock", man = "pthread_mutexattr_setrobust(3)")]
fn is_told_to_one_who_tries(#[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    holder(&mutex)?.kill()?;
    expect_eq!(mutex.try_lock(), Err(EOWNERDEAD));
    let other = Participant::spawn("other", (), |(), _| [mutex.try_lock(), mutex.unlock()])?;
    expect_eq!(other.join()?, [Err(EBUSY), Err(EPERM)]);
    expect_eq!([mutex.consistent(), mutex.unlock()], [Ok(()); 2]);
    let next = Participant::spawn("next", (), |(), _| turn(&mutex))?;
    expect_eq!(next.join()?, WELL);
    Ok(())
}

/// Of those who sleep on the mutex when its owner is killed, in whichever state that is, one is told and the others get it repaired.
#[rstest]
#[conformance::test(
    posix = "pthread_mutex_lock",
    man = "pthread_mutexattr_setrobust(3)",
    fixed_in = "glibc 2.25 (353683a22e, 65810f0ef0)"
)]
fn is_told_to_exactly_one_waiter(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
    #[values(false, true)] stopped: bool,
) -> Outcome {
    let mutex = kind.robust()?;
    let owner = holder(&mutex)?;
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
    let well = (Ok(()), Ok(()), Ok(()));
    expect_eq!((seen, turn(&mutex)), (vec![well, well, INHERITED], WELL));
    Ok(())
}

/// A waiter who was killed first is not the one who is told.
#[rstest]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)")]
fn is_not_told_to_a_dead_waiter(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let mutex = kind.robust()?;
    let owner = holder(&mutex)?;
    let [first, second] = ["first", "second"].map(|name| Participant::spawn(name, (), |(), _| inherit(&mutex)));
    let (first, second) = (first?, second?);
    first.until_blocked()?;
    second.until_blocked()?;
    first.kill()?;
    second.expect_still_blocked()?;
    owner.kill()?;
    expect_eq!((second.join()?, turn(&mutex)), (INHERITED, WELL));
    Ok(())
}

/// A waiter that is killed owned nothing: nobody is told of it.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn of_a_waiter_is_no_owners(#[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    let owner = holder(&mutex)?;
    let waiter = Participant::spawn("waiter", (), |(), _| mutex.lock())?;
    waiter.until_blocked()?;
    waiter.kill()?;
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, turn(&mutex)), (Ok(()), WELL));
    Ok(())
}

/// A process that has unlocked what it locked, in whichever order, leaves nothing to be told.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn of_a_former_owner_is_not_told(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
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
    expect_eq!(mutexes.each_ref().map(turn), [WELL; 3]);
    Ok(())
}

/// The end of an owner's child is not the end of the owner, though the child has a copy of all that its parent knows, and has mutexes
/// of its own meanwhile.
#[rstest]
#[conformance::test(posix = "fork", man = "pthread_mutexattr_setrobust(3)", fixed_in = "glibc 2.25 (8e31cafb26)")]
fn of_its_child_is_not_its_own(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
    #[values(false, true)] killed: bool,
) -> Outcome {
    let (mutex, its_own) = (kind.robust()?, [kind.robust()?, kind.robust()?]);
    expect_eq!(mutex.lock(), Ok(()));
    let child = Participant::spawn("child", (), |(), link| {
        assert_eq!([its_own[0].lock(), its_own[1].lock(), its_own[0].unlock()], [Ok(()); 3]);
        if killed {
            link.reached("here");
            link.park();
        }
    })?;
    if killed {
        child.until_reached("here")?;
        child.kill()?;
    } else {
        child.join()?;
    }
    let other = || Participant::spawn("other", (), |(), _| (mutex.try_lock(), mutex.unlock()));
    expect_eq!(other()?.join()?, (Err(EBUSY), Err(EPERM)));
    expect_eq!((mutex.unlock(), other()?.join()?), (Ok(()), WELL));
    expect_eq!(its_own.each_ref().map(SharedMutex::try_lock), [Ok(()), Err(EOWNERDEAD)]);
    Ok(())
}

/// One death wakes those who wait for each of the mutexes that the process held, of both kinds that the kernel tells apart.
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn is_told_at_each_mutex_that_it_held() -> Outcome {
    let mutexes = [Kind::Normal.robust()?, Kind::Inheriting.robust()?, Kind::Recursive.robust()?, Kind::Inheriting.robust()?];
    let owner = Participant::spawn("owner", (), |(), link| -> () {
        mutexes.iter().try_for_each(SharedMutex::lock).expect("each is free");
        link.reached("locked");
        link.park()
    })?;
    owner.until_reached("locked")?;
    let waiters = mutexes.each_ref().map(|mutex| Participant::spawn("waiter", (), |(), _| inherit(mutex)));
    let mut blocked = Vec::new();
    for waiter in waiters {
        let waiter = waiter?;
        waiter.until_blocked()?;
        blocked.push(waiter);
    }
    owner.kill()?;
    let seen = blocked.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
    expect_eq!((seen, mutexes.each_ref().map(turn)), (vec![INHERITED; 4], [WELL; 4]));
    Ok(())
}

/// A process can die with a hundred mutexes, and each one is reported.
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "get_robust_list(2)")]
fn is_told_at_a_hundred_mutexes() -> Outcome {
    let mutexes = (0..100).map(|_| Kind::Normal.robust()).collect::<Result<Vec<_>, _>>()?;
    let owner = Participant::spawn("owner", (), |(), _| mutexes.iter().filter(|mutex| mutex.lock() == Ok(())).count())?;
    expect_eq!(owner.join()?, 100);
    expect_eq!(mutexes.iter().filter(|mutex| mutex.try_lock() == Err(EOWNERDEAD)).count(), 100);
    expect_eq!(mutexes.iter().filter(|mutex| mutex.consistent().and_then(|()| mutex.unlock()) == Ok(())).count(), 100);
    Ok(())
}

/// Two that wait for each other's mutex are freed by the death of one: the other gets both.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn ends_a_deadlock(#[values(Kind::Normal)] kind: Kind) -> Outcome {
    let mutexes = [kind.robust()?, kind.robust()?];
    let cross = |first: usize| {
        let mutexes = &mutexes;
        move |(), link: &Link| {
            let own = mutexes[first].lock();
            link.meet("cross");
            (own, mutexes[1 - first].lock(), mutexes[1 - first].consistent())
        }
    };
    let (one, other) = (Participant::spawn("one", (), cross(0))?, Participant::spawn("other", (), cross(1))?);
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

/// A mutex that is private to its process is reported to another thread of it when its owner's thread ends.
#[conformance::test(man = "get_robust_list(2)")]
fn in_a_private_mutex_is_told_to_the_other_thread() -> Outcome {
    let mutex = SharedMutex::create_with(Mapping::anonymous(page_size())?, |attributes| {
        attributes.set_shared(attributes::PRIVATE)?;
        attributes.set_robust(attributes::ROBUST)
    })?;
    let process = Participant::spawn("process", (), |(), _| {
        let locked = std::thread::scope(|scope| scope.spawn(|| mutex.lock()).join().expect("no panic"));
        (locked, inherit(&mutex), turn(&mutex))
    })?;
    expect_eq!(process.join()?, (Ok(()), INHERITED, WELL));
    Ok(())
}
