//! Memory: a mutex is one by the object that is mapped, whichever that is and wherever it is mapped.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::pthread::SharedMutex;
use rstest::rstest;

use super::fixture::{Kind, WELL, turn};

/// What a mutex can live in, and be mapped from twice.
#[derive(Clone, Copy, Debug)]
enum Home {
    /// An object of `shm_open`.
    PosixMemory,
    /// The same after `shm_unlink`.
    UnlinkedMemory,
    /// A file.
    File,
    /// A file without a name.
    UnlinkedFile,
}

impl Home {
    /// The same memory mapped twice, at two addresses.
    fn twice(self) -> Result<[Mapping; 2], Errno> {
        let page = page_size();
        let map = |of: &dyn Fn() -> Result<Mapping, Errno>| Ok::<_, Errno>([of()?, of()?]);
        match self {
            Home::PosixMemory | Home::UnlinkedMemory => {
                let memory = SharedMemory::create(&unique_name("home"))?;
                memory.set_size(page)?;
                if matches!(self, Home::UnlinkedMemory) {
                    conformance::sys::memory::shm::shm_unlink(memory.name())?;
                }
                map(&|| memory.map(page, Access::ReadWrite))
            }
            Home::File | Home::UnlinkedFile => {
                let scratch = Scratch::new()?;
                let path = scratch.join("home");
                std::fs::write(&path, vec![0; page])?;
                let file = open(&path, OFlag::O_RDWR)?;
                if matches!(self, Home::UnlinkedFile) {
                    std::fs::remove_file(&path)?;
                }
                map(&|| Mapping::new(&file, page, Access::ReadWrite))
            }
        }
    }
}

/// A process that sleeps on a mutex by one address is woken by an unlock by another, in each kind of memory.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setpshared", man = "pthread_mutexattr_setpshared(3)")]
fn is_shared_by_the_object(
    #[values(Home::PosixMemory, Home::UnlinkedMemory, Home::File, Home::UnlinkedFile)] home: Home,
    #[values(Kind::Normal, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let [here, there] = home.twice()?;
    let here = SharedMutex::create_with(here, |attributes| kind.configure(attributes))?;
    let there = SharedMutex::attach(there)?;
    expect_eq!((here.lock(), there.try_lock()), (Ok(()), Err(EBUSY)));
    let waiter = Participant::spawn("waiter", (), |(), _| (there.word(0).load(SeqCst), turn(&there), there.word(0).load(SeqCst)))?;
    waiter.until_blocked()?;
    here.word(0).store(5, SeqCst);
    expect_eq!(here.unlock(), Ok(()));
    expect_eq!((waiter.join()?, here.try_lock()), ((0, WELL, 5), Ok(())));
    Ok(())
}

/// The owner of a mutex is known by whichever address it comes: locking twice by two addresses is locking twice.
#[conformance::test(posix = "pthread_mutexattr_setpshared", man = "pthread_mutexattr_setpshared(3)")]
fn is_the_same_by_two_addresses() -> Outcome {
    let [here, there] = Home::PosixMemory.twice()?;
    let here = SharedMutex::create_with(here, |attributes| Kind::ErrorChecking.configure(attributes))?;
    let there = SharedMutex::attach(there)?;
    expect_eq!([here.lock(), there.lock(), there.unlock(), here.unlock()], [Ok(()), Err(EDEADLK), Ok(()), Err(EPERM)]);
    let [here, there] = Home::File.twice()?;
    let here = SharedMutex::create_with(here, |attributes| Kind::Recursive.configure(attributes))?;
    let there = SharedMutex::attach(there)?;
    expect_eq!(
        [here.lock(), there.lock(), here.unlock(), there.unlock(), here.unlock()],
        [Ok(()), Ok(()), Ok(()), Ok(()), Err(EPERM)]
    );
    Ok(())
}

/// A robust mutex that its owner locked by one address is reported to those who sleep on it by another.
#[cfg(has_robust_mutexes)]
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn tells_of_a_death_by_the_other_address(
    #[values(Home::PosixMemory, Home::File)] home: Home,
    #[values(Kind::Normal, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let [here, there] = home.twice()?;
    let here = SharedMutex::create_with(here, |attributes| {
        attributes.set_robust(conformance::sys::pthread::attributes::ROBUST)?;
        kind.configure(attributes)
    })?;
    let there = SharedMutex::attach(there)?;
    let owner = super::fixture::holder(&here)?;
    let waiter = Participant::spawn("waiter", (), |(), _| (there.lock(), there.consistent(), there.unlock()))?;
    waiter.until_blocked()?;
    owner.kill()?;
    expect_eq!((waiter.join()?, turn(&here)), ((Err(EOWNERDEAD), Ok(()), Ok(())), WELL));
    Ok(())
}

/// Mutexes at the same place of two objects have nothing to do with each other: unlocking one wakes nobody who waits for the other.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setpshared", man = "pthread_mutexattr_setpshared(3)")]
fn keeps_two_objects_apart(#[values(Home::PosixMemory, Home::File)] home: Home) -> Outcome {
    let ([one, _], [other, _]) = (home.twice()?, home.twice()?);
    let (one, other) = (SharedMutex::create(one)?, SharedMutex::create(other)?);
    expect_eq!([one.lock(), other.lock()], [Ok(()), Ok(())]);
    let spawn = |name, mutex| Participant::spawn(name, (), |(), _| turn(mutex));
    let (at_one, at_other) = (spawn("at one", &one)?, spawn("at the other", &other)?);
    at_one.until_blocked()?;
    at_other.until_blocked()?;
    expect_eq!(one.unlock(), Ok(()));
    expect_eq!(at_one.join()?, WELL);
    at_other.expect_still_blocked()?;
    expect_eq!((other.unlock(), at_other.join()?), (Ok(()), WELL));
    Ok(())
}
