//! Storms: processes post and wait at full speed while some are killed, and processes create, open and unlink one name at the same time.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::fault::storm::{Crowd, Nemesis};
use conformance::prelude::*;
use conformance::sys::semaphore::{Semaphore, sem_unlink};
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{Kind, Name, create_named, named_and_unnamed};

/// If two processes that call `sem_post` and two that call `sem_wait` in a loop on one semaphore of initial value 0 are killed at
/// random instants and started again, the value at the end equals the number of `sem_post` calls minus the number of `sem_wait`
/// calls that returned 0. A `sem_post` or `sem_wait` during which its process was killed counts as one call or as none.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", posix = "sem_wait", posix = "_Exit")]
fn kills_keep_the_balance_of_posts_and_waits(kind: Kind) -> Outcome {
    const POSTERS: u8 = 2;
    const WAITERS: u8 = 2;
    const KILLS: usize = 10;
    let (items, free) = (kind.create(0)?, kind.create(4)?);
    let counters = Mapping::anonymous(page_size())?;
    let [begun, done, taken]: [&AtomicU32; 3] = [0, 1, 2].map(|index| counters.word(index));
    let (progress, report) = pipe()?;
    let mut nemesis = Nemesis::of_this_case();
    let mut crowd = Crowd::gather(POSTERS + WAITERS, |number, _| {
        let (items, free, report) = (&items, &free, &report);
        Participant::spawn_inheriting("worker", move |_| -> Result<(), Errno> {
            loop {
                if number < POSTERS {
                    free.wait()?;
                    begun.fetch_add(1, SeqCst);
                    items.post()?;
                    done.fetch_add(1, SeqCst);
                } else {
                    items.wait()?;
                    taken.fetch_add(1, SeqCst);
                    write_all(report, b".")?;
                    free.post()?;
                }
            }
        })
    })?;
    let (mut killed_posters, mut killed_waiters) = (0, 0);
    for _ in 0..KILLS {
        // Progress in place of a delay: the next kill comes after so many items.
        read_exactly(&progress, 1 + nemesis.below(30))?;
        let (number, _) = crowd.strike(&mut nemesis)?;
        // Replaces what the killed process may have taken, or the others would be blocked in the end.
        free.post()?;
        if number < POSTERS {
            killed_posters += 1;
        } else {
            items.post()?;
            killed_waiters += 1;
        }
    }
    crowd.kill_all()?;
    killed_posters += u32::from(POSTERS);
    killed_waiters += u32::from(WAITERS);
    let left = items.drain()?;
    let replaced = killed_waiters - u32::from(WAITERS);
    let [begun, done, taken] = [begun, done, taken].map(|number| number.load(SeqCst));
    expect!(begun - done <= killed_posters, "{begun} posts were begun and {done} done, {killed_posters} posters killed");
    expect!(left + taken <= begun + replaced, "value {left}, {taken} taken, {begun} posts begun, {replaced} replaced");
    expect!(
        left + taken + killed_waiters >= done + replaced,
        "value {left}, {taken} taken, {done} posts done, {replaced} replaced, {killed_waiters} waiters killed"
    );
    Ok(())
}

/// If three processes make 60 random calls of `sem_open` and `sem_unlink` each on one name at the same time, `sem_open` returns a
/// semaphore, on which `sem_post` returns 0, or fails with `EEXIST` (only with `O_CREAT | O_EXCL`) or `ENOENT` (only without
/// `O_CREAT`). `sem_unlink` returns 0 or fails with `ENOENT`.
#[conformance::test(posix = "sem_open", posix = "sem_unlink", fixed_in = "glibc 2.39 (f957f47df7)")]
fn concurrent_create_open_and_unlink_stay_consistent() -> Outcome {
    let name = Name::new();
    let unexpected = together("participant", 3, |number| {
        let mut choices = Nemesis::seeded(seed() ^ u64::from(number + 1));
        Ok((0..60).map(|_| random_call(&name, &mut choices)).filter(|&result| !is_allowed(result)).collect::<Vec<_>>())
    })?;
    expect_eq!(unexpected, vec![Vec::new(); 3]);
    let _ = sem_unlink(&name);
    expect_eq!((sem_unlink(&name), Semaphore::open(&name).map(drop)), (Err(ENOENT), Err(ENOENT)));
    Ok(())
}

/// A random call and its result: where it opened a semaphore, also the result of using it.
fn random_call(name: &Name, choices: &mut Nemesis) -> Call {
    let used = |opened: Result<Semaphore, Errno>| {
        opened.map(|semaphore| {
            let posted = semaphore.post();
            // Another process may have taken the post meanwhile.
            match semaphore.try_wait() {
                Ok(()) | Err(EAGAIN) => posted,
                other => other,
            }
        })
    };
    match choices.below(4) {
        0 => Call::Created(used(create_named(name, 0))),
        1 => Call::CreatedOrOpened(used(Semaphore::open_with(name, OFlag::O_CREAT, 0o600, 0))),
        2 => Call::Opened(used(Semaphore::open(name))),
        _ => Call::Unlinked(sem_unlink(name)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum Call {
    Created(Result<Result<(), Errno>, Errno>),
    CreatedOrOpened(Result<Result<(), Errno>, Errno>),
    Opened(Result<Result<(), Errno>, Errno>),
    Unlinked(Result<(), Errno>),
}

fn is_allowed(result: Call) -> bool {
    matches!(
        result,
        Call::Created(Ok(Ok(())) | Err(EEXIST))
            | Call::CreatedOrOpened(Ok(Ok(())))
            | Call::Opened(Ok(Ok(())) | Err(ENOENT))
            | Call::Unlinked(Ok(()) | Err(ENOENT))
    )
}
