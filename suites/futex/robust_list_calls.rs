//! `set_robust_list` and `get_robust_list`: whose list they set and return, and their errors.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::futex::robust_list::{HEAD_SIZE, Misplaced, RobustList, registered, registered_nowhere};
use conformance::sys::process::fork::{Forked, exit_now, fork_into};
use conformance::sys::process::identity::become_user;
use conformance::sys::process::wait::wait;
use nix::sched::CloneFlags;
use nix::sys::wait::WaitStatus;
use rstest::rstest;

/// `get_robust_list` for thread id 0 and for the caller's own thread id gives the head that the caller has registered last with
/// `set_robust_list`, and `sizeof(struct robust_list_head)`.
#[conformance::test(man = "get_robust_list(2)")]
fn get_returns_the_registered_list() -> Outcome {
    let (first, second) = (RobustList::new(1)?, RobustList::new(1)?);
    let own = nix::unistd::getpid().as_raw();
    for list in [first, second] {
        expect_eq!(list.register(), Ok(()));
        expect_eq!((registered(0), registered(own)), (Ok((list.head(), HEAD_SIZE)), Ok((list.head(), HEAD_SIZE))));
    }
    Ok(())
}

/// `set_robust_list` fails with `EINVAL` if its size is not `sizeof(struct robust_list_head)`, and `get_robust_list` still gives
/// the head registered before.
#[rstest]
#[case::zero(0)]
#[case::one_byte_less(HEAD_SIZE - 1)]
#[case::one_byte_more(HEAD_SIZE + 1)]
#[case::double(2 * HEAD_SIZE)]
#[case::size_max(usize::MAX)]
#[conformance::test(man = "set_robust_list(2)")]
fn set_with_another_size_fails(#[case] size: usize) -> Outcome {
    let (list, other) = (RobustList::new(1)?, RobustList::new(1)?);
    expect_eq!((list.register(), other.register_as(size)), (Ok(()), Err(EINVAL)));
    expect_eq!(registered(0), Ok((list.head(), HEAD_SIZE)));
    Ok(())
}

/// `get_robust_list` with the thread id of a child process gives the head that the child has registered with `set_robust_list`.
/// After the child was killed and reaped, `get_robust_list` with that id fails with `ESRCH`.
#[conformance::test(man = "get_robust_list(2)")]
fn get_returns_the_list_of_a_child() -> Outcome {
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

/// `get_robust_list` by an unprivileged process for the thread id of a process of another user fails with `EPERM`.
#[conformance::test(man = "get_robust_list(2)", needs(second_user))]
fn get_by_another_user_fails() -> Outcome {
    let asked = nix::unistd::getpid().as_raw();
    let other_user = Participant::spawn("other user", (), |(), _| {
        let (user, group) = second_user();
        become_user(user, group)?;
        Ok::<_, Errno>((registered(asked), registered(0).is_ok()))
    })?;
    expect_eq!(other_user.join()?, Ok((Err(EPERM), true)));
    Ok(())
}

/// `get_robust_list` fails with `EFAULT` if the pointer at which it stores the head, or the one at which it stores the size, is
/// invalid.
#[rstest]
#[conformance::test(man = "get_robust_list(2)")]
fn get_with_an_invalid_pointer_fails(#[values(Misplaced::Head, Misplaced::Size)] invalid_pointer: Misplaced) -> Outcome {
    expect_eq!(registered_nowhere(invalid_pointer), Err(EFAULT));
    Ok(())
}

/// In a child created by the fork system call itself, without the C library, `get_robust_list` for thread id 0 gives a NULL head.
/// In the parent, it still gives the head that the parent has registered.
#[conformance::test(man = "set_robust_list(2)", level = customary)]
fn forked_child_has_no_list() -> Outcome {
    let list = RobustList::new(1)?;
    expect_eq!(list.register(), Ok(()));
    // By the system call itself, since a C library registers a list of its own after its `fork`.
    match fork_into(CloneFlags::empty())? {
        Forked::Child => exit_now(i32::from(registered(0) != Ok((0, HEAD_SIZE)))),
        Forked::Parent(child) => expect_eq!(wait(child)?, WaitStatus::Exited(child, 0)),
    }
    expect_eq!(registered(0), Ok((list.head(), HEAD_SIZE)));
    Ok(())
}

/// If two threads of a process have called `set_robust_list` with different heads, `get_robust_list` for thread id 0 gives each
/// thread the head that this thread has registered.
#[conformance::test(man = "get_robust_list(2)")]
fn each_thread_has_its_own_list() -> Outcome {
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
