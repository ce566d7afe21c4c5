//! Opening, closing and unlinking of named semaphores: one address in a process, children and `execve`, and semaphores whose name is gone.

use conformance::prelude::*;
use conformance::sys::semaphore::{Semaphore, sem_unlink};

use super::fixture::{Name, create_named, one_blocked};

/// A second `sem_open` of a name in the same process, without `O_EXCL`, with or without `O_CREAT`, returns the address that the
/// first `sem_open` returned. `sem_open` of another name returns another address.
#[conformance::test(posix = "sem_open", man = "sem_open(3)")]
fn second_open_gives_the_same_address() -> Outcome {
    let (name, other) = (Name::new(), Name::new());
    let first = create_named(&name, 0)?;
    let second = create_named(&other, 0)?;
    let again = Semaphore::open(&name)?;
    let created = Semaphore::open_with(&name, OFlag::O_CREAT, 0o600, 1)?;
    expect_eq!([again.address(), created.address()], [first.address(); 2]);
    expect!(second.address() != first.address(), "both semaphores are at {:#x}", first.address());
    Ok(())
}

/// If a process has called `sem_open` three times for one name, each of three `sem_close` calls returns 0. `sem_post` after the
/// first and after the second `sem_close` returns 0 and increments the value.
#[conformance::test(posix = "sem_close", man = "sem_close(3)")]
fn stays_open_until_closed_as_often() -> Outcome {
    let name = Name::new();
    let (first, second, third) = (create_named(&name, 0)?, Semaphore::open(&name)?, Semaphore::open(&name)?);
    expect_eq!((first.close(), third.post(), second.close()), (Ok(()), Ok(()), Ok(())));
    expect_eq!((third.post(), third.drain(), third.close()), (Ok(()), Ok(2), Ok(())));
    expect_eq!(Semaphore::open(&name)?.drain(), Ok(0));
    Ok(())
}

/// After `sem_close` by the only process that had a named semaphore open, `sem_open` of the name returns a semaphore with the
/// value before `sem_close`.
#[conformance::test(posix = "sem_close", man = "sem_close(3)")]
fn reopening_finds_the_value() -> Outcome {
    let name = Name::new();
    let semaphore = create_named(&name, 3)?;
    semaphore.wait()?;
    expect_eq!(semaphore.close(), Ok(()));
    let again = Semaphore::open(&name)?;
    expect_eq!((again.post(), again.post(), again.drain()), (Ok(()), Ok(()), Ok(4)));
    Ok(())
}

/// In a child created by `fork`, `sem_trywait`, `sem_wait` and `sem_post` on a named semaphore that its parent has open return 0,
/// and the parent has the same value. After the child has called `sem_open` and `sem_close` for the name and ended, `sem_post` in
/// the parent returns 0 and wakes a process blocked in `sem_wait`.
#[conformance::test(posix = "sem_open", posix = "fork")]
fn child_can_use_an_open_semaphore() -> Outcome {
    let name = Name::new();
    let semaphore = create_named(&name, 1)?;
    let child = Participant::spawn_inheriting("child", |_| {
        let taken = semaphore.try_wait();
        let again = Semaphore::open(&name)?;
        let own = again.post();
        Ok::<_, Errno>((taken, own, again.post(), again.close()))
    })?;
    expect_eq!(child.join()?, Ok((Ok(()), Ok(()), Ok(()), Ok(()))));
    let waiter = Participant::spawn_inheriting("waiter", |_| (semaphore.wait(), semaphore.wait(), semaphore.wait()))?;
    waiter.until_blocked()?;
    expect_eq!((semaphore.post(), waiter.join()?, semaphore.drain()), (Ok(()), (Ok(()), Ok(()), Ok(())), Ok(0)));
    Ok(())
}

/// If a process calls `sem_open`, decrements the value from 5 to 3 with two `sem_wait` calls, and exits without `sem_close`, the
/// value is 3 afterwards.
#[conformance::test(posix = "sem_close", posix = "_Exit")]
fn exit_leaves_the_value() -> Outcome {
    let name = Name::new();
    let _semaphore = create_named(&name, 5)?;
    let process = Participant::spawn("process that exits", (), |(), _| {
        let semaphore = Semaphore::open(&name)?;
        let taken = (semaphore.wait(), semaphore.wait());
        std::mem::forget(semaphore);
        Ok::<_, Errno>(taken)
    })?;
    expect_eq!((process.join()?, Semaphore::open(&name)?.drain()), (Ok((Ok(()), Ok(()))), Ok(3)));
    Ok(())
}

/// After `execve`, `/proc/self/maps` does not contain the named semaphore that the process had open. `sem_open` of its name by
/// the new program returns a semaphore with the value before `execve`.
#[cfg(linux)]
#[conformance::test(posix = "exec", man = "sem_overview(7)", needs(procfs))]
fn exec_closes_the_semaphore() -> Outcome {
    let name = Name::new();
    create_named(&name, 2)?.close()?;
    // Closed and opened again: the library maps a semaphore that it creates under another name.
    let semaphore = Semaphore::open(&name)?;
    semaphore.wait()?;
    let bare = name[1..].to_owned();
    let mapped_here = std::fs::read_to_string("/proc/self/maps")?.contains(&bare);
    let executed = Participant::exec_inheriting("executed program", &bare, |(), bare: String, _| {
        Ok::<_, Errno>((std::fs::read_to_string("/proc/self/maps")?.contains(&bare), Semaphore::open(&format!("/{bare}"))?.drain()))
    })?;
    expect_eq!((mapped_here, executed.join()?), (true, Ok((false, Ok(1)))));
    Ok(())
}

/// If the process that created a named semaphore with value 4 has called `sem_close` and ended, `sem_open` of the name in an
/// unrelated process returns a semaphore with value 4.
#[conformance::test(posix = "sem_open", man = "sem_overview(7)")]
fn persists_while_no_process_has_it_open() -> Outcome {
    let name = Name::new();
    let creator = Participant::spawn("creator", (), |(), _| create_named(&name, 4)?.close())?;
    expect_eq!(creator.join()?, Ok(()));
    let text = (*name).to_owned();
    let unrelated = Participant::exec("unrelated process", (), &text, |(), name: String, _| Semaphore::open(&name)?.drain())?;
    expect_eq!(unrelated.join()?, Ok(4));
    Ok(())
}

/// After `sem_unlink` of a name and creation of a new semaphore of this name, `sem_open` returns the address of the new
/// semaphore, also in a process that has the unlinked one open. `sem_post` and `sem_trywait` at the address of the unlinked
/// semaphore return 0 and leave the value of the new one.
#[conformance::test(posix = "sem_unlink", posix = "sem_open", man = "sem_unlink(3)")]
fn opens_the_new_semaphore_after_unlink() -> Outcome {
    let name = Name::new();
    let old = create_named(&name, 1)?;
    expect_eq!(sem_unlink(&name), Ok(()));
    let new = create_named(&name, 7)?;
    let again = Semaphore::open(&name)?;
    expect_eq!((again.address() == new.address(), new.address() == old.address()), (true, false));
    expect_eq!((old.post(), again.drain(), old.drain()), (Ok(()), Ok(7), Ok(2)));
    // Closing the new one leaves the old one open.
    expect_eq!((new.close(), again.close(), old.post(), old.drain()), (Ok(()), Ok(()), Ok(()), Ok(1)));
    Ok(())
}

/// `sem_unlink` of a name that never existed, or that `sem_unlink` has removed before, fails with `ENOENT`. The value of a
/// semaphore whose name was removed, and that the process still has open, stays as it was.
#[conformance::test(posix = "sem_unlink", man = "sem_unlink(3)")]
fn unlink_of_a_missing_name_fails_with_enoent() -> Outcome {
    let name = Name::new();
    expect_eq!(sem_unlink(&name), Err(ENOENT));
    let semaphore = create_named(&name, 1)?;
    expect_eq!((sem_unlink(&name), sem_unlink(&name)), (Ok(()), Err(ENOENT)));
    expect_eq!((Semaphore::open(&name).map(drop), semaphore.drain()), (Err(ENOENT), Ok(1)));
    Ok(())
}

/// `sem_unlink` by a process that has not opened the named semaphore returns 0. A process that is blocked in `sem_wait` on this
/// semaphore stays blocked, and returns 0 from `sem_wait` after a `sem_post`.
#[conformance::test(posix = "sem_unlink", man = "sem_unlink(3)")]
fn unlink_needs_no_open_semaphore() -> Outcome {
    let name = Name::new();
    let semaphore = create_named(&name, 0)?;
    let waiter = one_blocked(&semaphore)?;
    let text = (*name).to_owned();
    let unlinker = Participant::exec("unlinker", (), &text, |(), name: String, _| sem_unlink(&name))?;
    expect_eq!((unlinker.join()?, Semaphore::open(&name).map(drop)), (Ok(()), Err(ENOENT)));
    waiter.expect_still_blocked()?;
    expect_eq!((semaphore.post(), waiter.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// After the creator of a named semaphore of value 0 has called `sem_unlink`, `sem_post` twice, and `sem_close`, `sem_trywait`,
/// `sem_wait` and `sem_post` by another process that has the semaphore open return 0. The value is then 1.
#[conformance::test(posix = "sem_unlink", posix = "sem_close")]
fn stays_usable_after_unlink_and_close_elsewhere() -> Outcome {
    let name = Name::new();
    let semaphore = create_named(&name, 0)?;
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

/// If four threads of a process that has a named semaphore open each call `sem_open`, `sem_post` and `sem_close` for its name 25
/// times at the same time, every `sem_open` returns the same address, and the calls increment the value by 100.
#[conformance::test(posix = "sem_open")]
fn concurrent_opens_by_threads_give_one_address() -> Outcome {
    let name = Name::new();
    let semaphore = create_named(&name, 0)?;
    let process = Participant::spawn("process with threads", (), |(), _| {
        let start = std::sync::Barrier::new(4);
        let open = || {
            start.wait();
            (0..25).map(|_| open_and_close(&name)).collect::<Result<Vec<usize>, Errno>>()
        };
        // Open all the time, so that the address stays.
        let held = Semaphore::open(&name)?;
        let addresses: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(Err(EIO))).collect()
        });
        let same = addresses.into_iter().all(|seen| seen.is_ok_and(|seen| seen.iter().all(|&address| address == held.address())));
        Ok::<_, Errno>((same, held.post()))
    })?;
    expect_eq!((process.join()?, semaphore.drain()), (Ok((true, Ok(()))), Ok(101)));
    Ok(())
}

/// Opens the semaphore, posts and closes it: its address.
fn open_and_close(name: &Name) -> Result<usize, Errno> {
    let semaphore = Semaphore::open(name)?;
    semaphore.post()?;
    let address = semaphore.address();
    semaphore.close()?;
    Ok(address)
}
