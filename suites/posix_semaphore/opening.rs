//! Opening, closing and unlinking: a process has a semaphore once, however often it opens it; the last close takes it away from this
//! process, and the name and the value are nobody's.

use conformance::prelude::*;
use conformance::sys::semaphore::{Semaphore, sem_unlink};

use super::name::{Name, new_only};
use super::waiters::one_blocked;

fn make(name: &Name, value: u32) -> Result<Semaphore, Errno> {
    Semaphore::open_with(name, new_only(), 0o600, value)
}

/// A process that opens a semaphore again gets the same address, which is not that of another semaphore.
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn again_gives_the_same_address() -> Outcome {
    let (name, other) = (Name::new(), Name::new());
    let first = make(&name, 0)?;
    let stranger = make(&other, 0)?;
    let again = Semaphore::open(&name)?;
    let created = Semaphore::open_with(&name, OFlag::O_CREAT, 0o600, 1)?;
    expect_eq!([again.address(), created.address()], [first.address(); 2]);
    expect!(stranger.address() != first.address());
    Ok(())
}

/// A semaphore that was opened three times can be used until it has been closed three times.
#[conformance::test(posix = "sem_close", man = "sem_close(3)")]
fn counts_against_closing() -> Outcome {
    let name = Name::new();
    let (first, second, third) = (make(&name, 0)?, Semaphore::open(&name)?, Semaphore::open(&name)?);
    expect_eq!((first.close(), third.post(), second.close()), (Ok(()), Ok(()), Ok(())));
    expect_eq!((third.post(), third.drain(), third.close()), (Ok(()), Ok(2), Ok(())));
    expect_eq!(Semaphore::open(&name)?.drain(), Ok(0));
    Ok(())
}

/// Closing leaves the value as it is: opened again it goes on from there.
#[conformance::test(posix = "sem_close", man = "sem_close(3)")]
fn after_closing_finds_the_value() -> Outcome {
    let name = Name::new();
    let semaphore = make(&name, 3)?;
    semaphore.wait()?;
    expect_eq!(semaphore.close(), Ok(()));
    let again = Semaphore::open(&name)?;
    expect_eq!((again.post(), again.post(), again.drain()), (Ok(()), Ok(()), Ok(4)));
    Ok(())
}

/// A child shares what its parent has open; that the child closes it, or ends, is nothing to the parent.
#[conformance::test(posix = "sem_open", posix = "fork")]
fn is_inherited_by_a_child() -> Outcome {
    let name = Name::new();
    let semaphore = make(&name, 1)?;
    let child = Participant::spawn_inheriting("child", |_| {
        let taken = semaphore.try_wait();
        let again = Semaphore::open(&name)?;
        let own = again.post();
        Ok::<_, Errno>((taken, own, again.post(), again.close()))
    })?;
    expect_eq!(child.join()?, Ok((Ok(()), Ok(()), Ok(()), Ok(()))));
    let waiter = Participant::spawn_inheriting("second child", |_| (semaphore.wait(), semaphore.wait(), semaphore.wait()))?;
    waiter.until_blocked()?;
    expect_eq!((semaphore.post(), waiter.join()?, semaphore.drain()), (Ok(()), (Ok(()), Ok(()), Ok(())), Ok(0)));
    Ok(())
}

/// A process that ends, with or without a word, takes nothing back: the value is as it left it.
#[conformance::test(posix = "sem_close", posix = "_Exit")]
fn ends_with_the_process_and_changes_nothing() -> Outcome {
    let name = Name::new();
    let _made = make(&name, 5)?;
    let leaver = Participant::spawn("leaver", (), |(), _| {
        let semaphore = Semaphore::open(&name)?;
        let taken = (semaphore.wait(), semaphore.wait());
        std::mem::forget(semaphore);
        Ok::<_, Errno>(taken)
    })?;
    expect_eq!((leaver.join()?, Semaphore::open(&name)?.drain()), (Ok((Ok(()), Ok(()))), Ok(3)));
    Ok(())
}

/// What a process had open is gone after `exec`, from its memory too, and the semaphore keeps its value.
#[cfg(linux)]
#[conformance::test(posix = "exec", man = "sem_overview(7)", needs(procfs))]
fn ends_with_exec() -> Outcome {
    let name = Name::new();
    make(&name, 2)?.close()?;
    // Opened, not made: the library maps what it makes under another name.
    let semaphore = Semaphore::open(&name)?;
    semaphore.wait()?;
    let bare = name[1..].to_owned();
    let mapped_here = std::fs::read_to_string("/proc/self/maps")?.contains(&bare);
    let anew = Participant::exec_inheriting("started afresh", &bare, |(), bare: String, _| {
        Ok::<_, Errno>((std::fs::read_to_string("/proc/self/maps")?.contains(&bare), Semaphore::open(&format!("/{bare}"))?.drain()))
    })?;
    expect_eq!((mapped_here, anew.join()?), (true, Ok((false, Ok(1)))));
    Ok(())
}

/// A semaphore that nobody has open lasts under its name.
#[conformance::test(posix = "sem_open", man = "sem_overview(7)")]
fn finds_what_nobody_has_open() -> Outcome {
    let name = Name::new();
    let maker = Participant::spawn("maker", (), |(), _| make(&name, 4)?.close())?;
    expect_eq!(maker.join()?, Ok(()));
    let stranger = (*name).to_owned();
    let stranger = Participant::exec("stranger", (), &stranger, |(), name: String, _| Semaphore::open(&name)?.drain())?;
    expect_eq!(stranger.join()?, Ok(4));
    Ok(())
}

/// With its name unlinked and made again, opening leads to the new semaphore, also in a process that has the old one open.
#[conformance::test(posix = "sem_unlink", posix = "sem_open", man = "sem_unlink(3)")]
fn leads_to_the_new_one_after_unlinking() -> Outcome {
    let name = Name::new();
    let old = make(&name, 1)?;
    expect_eq!(sem_unlink(&name), Ok(()));
    let new = make(&name, 7)?;
    let again = Semaphore::open(&name)?;
    expect_eq!((again.address() == new.address(), new.address() == old.address()), (true, false));
    expect_eq!((old.post(), again.drain(), old.drain()), (Ok(()), Ok(7), Ok(2)));
    // Closing the new one leaves the old one open.
    expect_eq!((new.close(), again.close(), old.post(), old.drain()), (Ok(()), Ok(()), Ok(()), Ok(1)));
    Ok(())
}

/// Unlinking what has no name fails, and what never had one and what has lost it are alike.
#[conformance::test(posix = "sem_unlink", man = "sem_unlink(3)")]
fn is_not_to_be_had_from_a_missing_name() -> Outcome {
    let name = Name::new();
    expect_eq!(sem_unlink(&name), Err(ENOENT));
    let semaphore = make(&name, 1)?;
    expect_eq!((sem_unlink(&name), sem_unlink(&name)), (Ok(()), Err(ENOENT)));
    expect_eq!((Semaphore::open(&name).map(drop), semaphore.drain()), (Err(ENOENT), Ok(1)));
    Ok(())
}

/// Whoever may unlink a semaphore need not have it open; a process that waits for it then goes on waiting, and can be let go.
#[conformance::test(posix = "sem_unlink", man = "sem_unlink(3)")]
fn is_no_condition_for_unlinking() -> Outcome {
    let name = Name::new();
    let semaphore = make(&name, 0)?;
    let waiter = one_blocked(&semaphore)?;
    let unlinker = (*name).to_owned();
    let unlinker = Participant::exec("unlinker", (), &unlinker, |(), name: String, _| sem_unlink(&name))?;
    expect_eq!((unlinker.join()?, Semaphore::open(&name).map(drop)), (Ok(()), Err(ENOENT)));
    waiter.expect_still_blocked()?;
    expect_eq!((semaphore.post(), waiter.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// Closed in one process after it was unlinked, a semaphore goes on in another that has it open.
#[conformance::test(posix = "sem_unlink", posix = "sem_close")]
fn outlives_name_and_maker() -> Outcome {
    let name = Name::new();
    let semaphore = make(&name, 0)?;
    let holder = Participant::spawn("holder", (), |(), link| {
        let own = Semaphore::open(&name)?;
        link.meet("open");
        Ok::<_, Errno>((own.try_wait(), own.wait(), own.post(), own.drain()))
    })?;
    holder.until_reached("open")?;
    expect_eq!((sem_unlink(&name), semaphore.post(), semaphore.post()), (Ok(()), Ok(()), Ok(())));
    expect_eq!(semaphore.close(), Ok(()));
    holder.open("open")?;
    expect_eq!(holder.join()?, Ok((Ok(()), Ok(()), Ok(()), Ok(1))));
    Ok(())
}

/// Threads of one process that open a name at the same time all get the one address, and the last close is the last of all.
#[conformance::test(posix = "sem_open")]
fn by_threads_at_once_gives_one_address() -> Outcome {
    let name = Name::new();
    let made = make(&name, 0)?;
    let process = Participant::spawn("process with threads", (), |(), _| {
        let start = std::sync::Barrier::new(4);
        let open = || {
            start.wait();
            (0..25).map(|_| open_and_close(&name)).collect::<Result<Vec<usize>, Errno>>()
        };
        // Held open throughout, so that the address stays.
        let held = Semaphore::open(&name)?;
        let addresses: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(Err(EIO))).collect()
        });
        let same = addresses.into_iter().all(|seen| seen.is_ok_and(|seen| seen.iter().all(|&one| one == held.address())));
        Ok::<_, Errno>((same, held.post()))
    })?;
    expect_eq!((process.join()?, made.drain()), (Ok((true, Ok(()))), Ok(101)));
    Ok(())
}

/// Opens, posts and closes: the address that it was at.
fn open_and_close(name: &Name) -> Result<usize, Errno> {
    let semaphore = Semaphore::open(name)?;
    semaphore.post()?;
    let address = semaphore.address();
    semaphore.close()?;
    Ok(address)
}
