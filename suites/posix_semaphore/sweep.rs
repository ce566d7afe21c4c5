//! Kill sweeps: processes that are killed at every system call of posting, waiting, creating and unlinking.
//!
//! Counting up and down makes no system call, so that marks stand between the calls of a victim. The wake-up is a system call of its
//! own: a poster that is killed at its entry has incremented the value and woken no waiter. That is the design of the library, and the
//! next post makes up for it.

use conformance::fault::sweep::Victim;
use conformance::prelude::*;
#[cfg(linux)]
use conformance::sys::path::tmpfs::{Tmpfs, own_mounts};
use conformance::sys::semaphore::{Semaphore, sem_unlink};
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{Kind, Name, Waiters, create_named, named_and_unnamed, one_blocked};

/// The number of marks that the victim has reached.
fn marks<T>(victim: &Victim<T>) -> usize {
    victim.returned("getppid").len() + usize::from(victim.entered.as_deref() == Some("getppid"))
}

/// Whether the victim has reached a futex call since its last mark.
fn woke_since_mark<T>(victim: &Victim<T>) -> bool {
    let since = victim.completed.iter().rev().take_while(|call| call.name != "getppid");
    victim.entered.as_deref() != Some("getppid")
        && (victim.entered.as_deref() == Some("futex") || since.into_iter().any(|call| call.name == "futex"))
}

/// If a process that calls `sem_post` three times, while two processes are blocked in `sem_wait` at value 0, is killed at the
/// entry or the exit of each of its system calls, the number of woken processes plus the value equals the number of `sem_post`
/// calls that had returned or had entered the `futex` system call. Unless the kill came at the entry of the `futex` system call,
/// no process stays blocked in `sem_wait` at a value above 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", posix = "_Exit", needs(ptrace))]
fn killed_poster_loses_no_post(kind: Kind) -> Outcome {
    const POSTS: usize = 3;
    sweep(|run| {
        let semaphore = kind.create(0)?;
        let waiters = Waiters::blocked(&semaphore, 2)?;
        let victim = run.victim("poster", (), |(), _| {
            mark();
            [(); POSTS].map(|()| {
                let posted = semaphore.post();
                mark();
                posted
            })
        })?;
        expect_matches!(victim.value, None | Some([Ok(()), Ok(()), Ok(())]));
        let posted = marks(&victim).saturating_sub(1) + usize::from(woke_since_mark(&victim));
        let blocked = waiters.still_blocked()?;
        let left = semaphore.drain()? as usize;
        expect_eq!((2 - blocked) + left, posted);
        let before_wake_up = victim.entered.as_deref() == Some("futex");
        expect!(before_wake_up || blocked == 0 || left == 0, "{blocked} waiters are blocked at value {left}");
        for _ in 0..blocked {
            expect_eq!(semaphore.post(), Ok(()));
        }
        expect_eq!((waiters.next_woken(2), semaphore.drain()), (Ok(vec![0, 1]), Ok(0)));
        Ok(())
    })
}

/// If a process that calls `sem_wait`, `sem_trywait` and `sem_wait` on a semaphore of value 5, and `getppid` before and after
/// each of them, is killed at the entry or the exit of each of its system calls, the value is 5 minus the number of those three
/// calls that had returned 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "_Exit", needs(ptrace))]
fn killed_process_has_decremented_once_per_returned_wait(kind: Kind) -> Outcome {
    sweep(|run| {
        let semaphore = kind.create(5)?;
        let victim = run.victim("process that waits", (), |(), _| {
            mark();
            let take = |wait: fn(&Semaphore) -> Result<(), Errno>| {
                let taken = wait(&semaphore);
                mark();
                taken
            };
            [take(Semaphore::wait), take(Semaphore::try_wait), take(Semaphore::wait)]
        })?;
        expect_matches!(victim.value, None | Some([Ok(()), Ok(()), Ok(())]));
        let taken = marks(&victim).saturating_sub(1);
        expect_eq!(semaphore.drain().map(|left| left as usize), Ok(5 - taken));
        Ok(())
    })
}

/// If a process that calls `write` to a pipe and then `sem_wait` at value 0, three times, is killed at the entry or the exit of
/// each of its system calls, and another process calls `sem_post` once for each `write` that returned, the value is the number of
/// these `write` calls minus the number of `sem_wait` calls that had returned 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "_Exit", needs(ptrace))]
fn killed_waiter_leaves_untaken_posts(kind: Kind) -> Outcome {
    sweep(|run| {
        let semaphore = kind.create(0)?;
        let (requests, request) = pipe()?;
        let poster = Participant::spawn("poster", requests, |requests, _| {
            let mut posts = 0_usize;
            while read(&requests, &mut [0; 1])? == 1 {
                semaphore.post()?;
                posts += 1;
            }
            Ok::<_, Errno>(posts)
        })?;
        let victim = run.victim("waiter", request, |request, _| {
            mark();
            for _ in 0..3 {
                write(&request, b"?")?;
                semaphore.wait()?;
                mark();
            }
            Ok::<_, Errno>(())
        })?;
        expect_matches!(victim.value, None | Some(Ok(())));
        let posted = poster.join()??;
        let taken = marks(&victim).saturating_sub(1);
        expect_eq!((posted, semaphore.drain()), (victim.returned("write").len(), Ok(u32::try_from(posted - taken).unwrap_or(0))));
        Ok(())
    })
}

/// If a process is killed at the entry or the exit of each of its system calls between the return of its `sem_wait`, which took
/// the value from 1 to 0, and its `sem_post`, `sem_wait` by another process blocks. After `sem_post` by a third process, this
/// `sem_wait` returns 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", man = "sem_overview(7)", needs(ptrace))]
fn killed_holder_does_not_post(kind: Kind) -> Outcome {
    sweep(|run| {
        let lock = kind.create(1)?;
        let victim = run.victim("holder", (), |(), _| {
            mark();
            let taken = lock.wait();
            mark();
            mark();
            let given = lock.post();
            mark();
            (taken, given)
        })?;
        expect_matches!(victim.value, None | Some((Ok(()), Ok(()))));
        let held = (2..=3).contains(&marks(&victim));
        if held {
            let waiter = one_blocked(&lock)?;
            expect_eq!((lock.post(), waiter.join()?, lock.post()), (Ok(()), Ok(()), Ok(())));
        }
        expect_eq!(lock.drain(), Ok(1));
        Ok(())
    })
}

/// If a process that calls `sem_open` with `O_CREAT | O_EXCL` is killed at the entry or the exit of each of the system calls of
/// `sem_open`, `sem_open` of the name without `O_CREAT` by another process fails with `ENOENT`, or returns a semaphore whose
/// value (`sem_getvalue`) is the value argument of the killed call; both are accepted. `sem_post` on this semaphore returns 0 and
/// increments the value by 1.
#[cfg(linux)]
#[conformance::test(posix = "sem_open", needs(ptrace, CAP_SYS_ADMIN, file("/dev/shm")))]
fn killed_creator_leaves_a_whole_semaphore_or_none() -> Outcome {
    let value = 0x2a00_0000;
    // A killed creator may leave a file under a name of the library; it goes with this file system, which no other process uses.
    own_mounts()?;
    let _fresh = Tmpfs::mount(Path::new("/dev/shm"), "size=1m")?;
    sweep(|run| {
        let name = Name::new();
        let victim = run.victim("creator", (), |(), _| create_named(&name, value).map(drop))?;
        expect_matches!(victim.value, None | Some(Ok(())));
        let found = Semaphore::open(&name).and_then(|semaphore| Ok((semaphore.value()?, semaphore.post(), semaphore.value()?)));
        let whole = i32::try_from(value).unwrap_or(0);
        expect_matches!(found, Err(ENOENT) | Ok((_, Ok(()), _)));
        if let Ok((first, _, second)) = found {
            expect_eq!((first, second), (whole, whole + 1));
        }
        expect!(victim.value.is_none() || found.is_ok(), "the creator finished, and opening the name gave {found:?}");
        Ok(())
    })
}

/// If a process that calls `sem_unlink` is killed at the entry or the exit of each of the system calls of `sem_unlink`,
/// `sem_open` of the name without `O_CREAT` by another process fails with `ENOENT` if the `unlink` or `unlinkat` system call had
/// returned 0, and returns the semaphore otherwise. `sem_post` by a process that opened the semaphore before returns 0.
#[conformance::test(posix = "sem_unlink", needs(ptrace))]
fn killed_unlinker_removes_the_name_or_leaves_it() -> Outcome {
    sweep(|run| {
        let name = Name::new();
        let semaphore = create_named(&name, 2)?;
        let victim = run.victim("unlinker", (), |(), _| sem_unlink(&name))?;
        expect_matches!(victim.value, None | Some(Ok(())));
        let unlinked = victim.completed.iter().any(|call| call.name.starts_with("unlink") && call.returned == 0);
        let expected = if unlinked { Err(ENOENT) } else { Ok(()) };
        expect_eq!((Semaphore::open(&name).map(drop), semaphore.post(), semaphore.drain()), (expected, Ok(()), Ok(3)));
        Ok(())
    })
}
