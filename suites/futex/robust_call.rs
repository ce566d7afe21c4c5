//! `set_robust_list` and `get_robust_list`: what they refuse, and whose list they tell.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::futex::robust_list::{HEAD_SIZE, Misplaced, RobustList, registered, registered_nowhere};
use conformance::sys::process::fork::{Forked, exit_now, fork_into};
use conformance::sys::process::identity::become_user;
use conformance::sys::process::wait::wait;
use nix::sched::CloneFlags;
use nix::sys::wait::WaitStatus;
use rstest::rstest;

/// A thread sees the list that it registered, under 0 and under its own id, and how large a head is.
#[conformance::test(man = "get_robust_list(2)")]
fn tells_a_thread_its_own_list() -> Outcome {
    let (first, second) = (RobustList::new(1)?, RobustList::new(1)?);
    let own = nix::unistd::getpid().as_raw();
    for list in [first, second] {
        expect_eq!(list.register(), Ok(()));
        expect_eq!((registered(0), registered(own)), (Ok((list.head(), HEAD_SIZE)), Ok((list.head(), HEAD_SIZE))));
    }
    Ok(())
}

/// A head of any other size is refused with `EINVAL`, and the list that was registered before stays.
#[rstest]
#[case::nothing(0)]
#[case::one_byte_less(HEAD_SIZE - 1)]
#[case::one_byte_more(HEAD_SIZE + 1)]
#[case::twice(2 * HEAD_SIZE)]
#[case::largest(usize::MAX)]
#[conformance::test(man = "set_robust_list(2)")]
fn refuses_another_size(#[case] size: usize) -> Outcome {
    let (list, other) = (RobustList::new(1)?, RobustList::new(1)?);
    expect_eq!((list.register(), other.register_as(size)), (Ok(()), Err(EINVAL)));
    expect_eq!(registered(0), Ok((list.head(), HEAD_SIZE)));
    Ok(())
}

/// The list of another process is told to one that may look into it, for as long as that process is there; then it is `ESRCH`.
#[conformance::test(man = "get_robust_list(2)")]
fn tells_the_list_of_a_child() -> Outcome {
    let (list, own) = (RobustList::new(1)?, RobustList::new(1)?);
    own.register()?;
    let child = Participant::spawn("child", (), |(), link| -> () {
        list.register().expect("a list can be registered");
        link.reached("registered");
        link.park()
    })?;
    child.until_reached("registered")?;
    let id = child.id().as_raw();
    expect_eq!((registered(id), registered(0)), (Ok((list.head(), HEAD_SIZE)), Ok((own.head(), HEAD_SIZE))));
    child.kill()?;
    expect_eq!((registered(id), registered(-1)), (Err(ESRCH), Err(ESRCH)));
    Ok(())
}

/// Another user's process may not ask for the list: `EPERM`.
#[conformance::test(man = "get_robust_list(2)", needs(second_user))]
fn is_not_told_to_another_user() -> Outcome {
    let asked = nix::unistd::getpid().as_raw();
    let stranger = Participant::spawn("stranger", (), |(), _| {
        let (user, group) = second_user();
        become_user(user, group)?;
        Ok::<_, Errno>((registered(asked), registered(0).is_ok()))
    })?;
    expect_eq!(stranger.join()?, Ok((Err(EPERM), true)));
    Ok(())
}

/// An answer that cannot be stored is `EFAULT`.
#[rstest]
#[conformance::test(man = "get_robust_list(2)")]
fn needs_a_place_for_the_answer(#[values(Misplaced::Head, Misplaced::Size)] part: Misplaced) -> Outcome {
    expect_eq!(registered_nowhere(part), Err(EFAULT));
    Ok(())
}

/// A process that is forked has no list until it registers one.
#[conformance::test(man = "set_robust_list(2)")]
fn starts_anew_in_a_forked_process() -> Outcome {
    let list = RobustList::new(1)?;
    expect_eq!(list.register(), Ok(()));
    // By the system call itself: a C library registers a list of its own in what it forks.
    match fork_into(CloneFlags::empty())? {
        Forked::Child => exit_now(i32::from(registered(0) != Ok((0, HEAD_SIZE)))),
        Forked::Parent(child) => expect_eq!(wait(child)?, WaitStatus::Exited(child, 0)),
    }
    expect_eq!(registered(0), Ok((list.head(), HEAD_SIZE)));
    Ok(())
}

/// Each thread has a list of its own.
#[conformance::test(man = "get_robust_list(2)")]
fn tells_threads_apart() -> Outcome {
    let (list, other) = (RobustList::new(1)?, RobustList::new(1)?);
    let process = Participant::spawn("process", (), |(), _| {
        list.register()?;
        let seen = std::thread::scope(|scope| {
            let thread = scope.spawn(|| other.register().and_then(|()| registered(0)));
            thread.join().unwrap_or(Err(EIO))
        })?;
        Ok::<_, Errno>((registered(0)?.0, seen.0))
    })?;
    expect_eq!(process.join()?, Ok((list.head(), other.head())));
    Ok(())
}
