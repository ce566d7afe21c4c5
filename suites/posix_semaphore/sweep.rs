//! Kill sweeps: whoever is killed, wherever in its calls, what was posted is in the value or with those who were let go.
//!
//! Counting up and down makes no system call, so that marks stand between the calls of a victim. Waking is a call of its own: a
//! poster that is killed on the threshold of it has counted its post, and has woken nobody; that much is the library's design, and
//! the next post makes up for it.

use conformance::fault::sweep::Victim;
use conformance::prelude::*;
#[cfg(linux)]
use conformance::sys::path::tmpfs::{Tmpfs, own_mounts};
use conformance::sys::semaphore::{Semaphore, sem_unlink};
use rstest::rstest;

use super::fixture::Kind;
use super::name::{Name, new_only};
use super::waiters::{Waiters, one_blocked};

/// Marks that the victim has come to.
fn marks<T>(victim: &Victim<T>) -> usize {
    victim.returned("getppid").len() + usize::from(victim.entered.as_deref() == Some("getppid"))
}

/// Whether the victim has come to a futex call since its last mark.
fn woke_since_mark<T>(victim: &Victim<T>) -> bool {
    let since = victim.completed.iter().rev().take_while(|call| call.name != "getppid");
    victim.entered.as_deref() != Some("getppid")
        && (victim.entered.as_deref() == Some("futex") || since.into_iter().any(|call| call.name == "futex"))
}

/// Of two waiters and a value, the posts of a poster that is killed anywhere are all in one or the other; and nobody sleeps while
/// there is something to take, unless the poster died on the threshold of waking.
#[rstest]
#[conformance::test(posix = "sem_post", posix = "_Exit", needs(ptrace))]
fn over_a_poster_loses_no_post(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
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
        let asleep = waiters.asleep()?;
        let left = semaphore.drain()? as usize;
        expect_eq!((2 - asleep) + left, posted);
        let on_the_threshold = victim.entered.as_deref() == Some("futex");
        expect!(on_the_threshold || asleep == 0 || left == 0, "{asleep} sleep while {left} can be taken");
        for _ in 0..asleep {
            expect_eq!(semaphore.post(), Ok(()));
        }
        expect_eq!((waiters.next(2), semaphore.drain()), (Ok(vec![0, 1]), Ok(0)));
        Ok(())
    })
}

/// A process that takes, killed anywhere, has taken as often as its waits returned.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "_Exit", needs(ptrace))]
fn over_a_taker_counts_each_wait_that_returned(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    sweep(|run| {
        let semaphore = kind.create(5)?;
        let victim = run.victim("taker", (), |(), _| {
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

/// A process that sleeps and is woken again and again, killed anywhere: what was posted for it and not taken is left.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "_Exit", needs(ptrace))]
fn over_a_sleeper_leaves_what_it_had_not_taken(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    sweep(|run| {
        let semaphore = kind.create(0)?;
        let (asked, ask) = pipe()?;
        let poster = Participant::spawn("poster", asked, |asked, _| {
            let mut posts = 0_usize;
            while read(&asked, &mut [0; 1])? == 1 {
                semaphore.post()?;
                posts += 1;
            }
            Ok::<_, Errno>(posts)
        })?;
        let victim = run.victim("sleeper", ask, |ask, _| {
            mark();
            for _ in 0..3 {
                write(&ask, b"?")?;
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

/// A process that is killed while it holds gives nothing back: a waiter sleeps on until another posts for the dead one. Killed before
/// it took, or after it gave back, it is as if it had not been there.
#[rstest]
#[conformance::test(posix = "sem_wait", man = "sem_overview(7)", needs(ptrace))]
fn over_a_holder_gives_nothing_back(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
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

/// A name that a killed maker leaves behind leads to a whole semaphore with its value, or to nothing: nobody ever opens half of one.
#[cfg(linux)]
#[conformance::test(posix = "sem_open", needs(ptrace, CAP_SYS_ADMIN, file("/dev/shm")))]
fn over_a_maker_leaves_all_or_nothing() -> Outcome {
    let value = 0x2a00_0000;
    // What a killed maker leaves under a name of the library's own goes with the file system, which nobody else uses.
    own_mounts()?;
    let _fresh = Tmpfs::mount(Path::new("/dev/shm"), "size=1m")?;
    sweep(|run| {
        let name = Name::new();
        let victim = run.victim("maker", (), |(), _| Semaphore::open_with(&name, new_only(), 0o600, value).map(drop))?;
        expect_matches!(victim.value, None | Some(Ok(())));
        let found = Semaphore::open(&name).and_then(|semaphore| Ok((semaphore.value()?, semaphore.post(), semaphore.value()?)));
        let whole = i32::try_from(value).unwrap_or(0);
        expect_matches!(found, Err(ENOENT) | Ok((_, Ok(()), _)));
        if let Ok((first, _, second)) = found {
            expect_eq!((first, second), (whole, whole + 1));
        }
        expect!(victim.value.is_none() || found.is_ok());
        Ok(())
    })
}

/// A name is gone exactly if the call that takes it away has been made; who has the semaphore open goes on either way.
#[conformance::test(posix = "sem_unlink", needs(ptrace))]
fn over_unlinking_takes_the_name_or_leaves_it() -> Outcome {
    sweep(|run| {
        let name = Name::new();
        let semaphore = Semaphore::open_with(&name, new_only(), 0o600, 2)?;
        let victim = run.victim("unlinker", (), |(), _| sem_unlink(&name))?;
        expect_matches!(victim.value, None | Some(Ok(())));
        let unlinked = victim.completed.iter().any(|call| call.name.starts_with("unlink") && call.returned == 0);
        let expected = if unlinked { Err(ENOENT) } else { Ok(()) };
        expect_eq!((Semaphore::open(&name).map(drop), semaphore.post(), semaphore.drain()), (expected, Ok(()), Ok(3)));
        Ok(())
    })
}
