//! The memory that a mutex lies in: shared memory objects and files, mapped at two addresses, and two objects beside each other.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::pthread::SharedMutex;
use rstest::rstest;
use rstest_reuse::apply;

#[cfg(has_robust_mutexes)]
use super::fixture::owner;
use super::fixture::{BOTH_OK, Kind, lock_unlock, normal_and_prio_inherit};

/// What backs the memory of a mutex, and can be mapped twice.
#[derive(Clone, Copy, Debug)]
enum Backing {
    /// An object of `shm_open`.
    PosixShm,
    /// An object of `shm_open` after `shm_unlink`.
    UnlinkedPosixShm,
    /// A file.
    File,
    /// A file after `unlink`.
    UnlinkedFile,
}

impl Backing {
    /// Two mappings of the same memory, at two addresses.
    fn twice(self) -> Result<[Mapping; 2], Errno> {
        let page = page_size();
        let map = |of: &dyn Fn() -> Result<Mapping, Errno>| Ok::<_, Errno>([of()?, of()?]);
        match self {
            Backing::PosixShm | Backing::UnlinkedPosixShm => {
                let memory = SharedMemory::create(&unique_name("backing"))?;
                memory.set_size(page)?;
                if matches!(self, Backing::UnlinkedPosixShm) {
                    conformance::sys::memory::shm::shm_unlink(memory.name())?;
                }
                map(&|| memory.map(page, Access::ReadWrite))
            }
            Backing::File | Backing::UnlinkedFile => {
                let scratch = Scratch::new()?;
                let path = scratch.join("backing");
                std::fs::write(&path, vec![0; page])?;
                let file = open(&path, OFlag::O_RDWR)?;
                if matches!(self, Backing::UnlinkedFile) {
                    std::fs::remove_file(&path)?;
                }
                map(&|| Mapping::new(&file, page, Access::ReadWrite))
            }
        }
    }
}

/// If the memory of a process-shared mutex, in a shared memory object or a file, linked or unlinked, is mapped at two addresses,
/// `pthread_mutex_lock` at one address blocks until `pthread_mutex_unlock` by the owner at the other address, and then returns 0.
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_mutexattr_setpshared", man = "pthread_mutexattr_setpshared(3)")]
fn unlock_wakes_a_waiter_at_another_address(
    #[values(Backing::PosixShm, Backing::UnlinkedPosixShm, Backing::File, Backing::UnlinkedFile)] backing: Backing,
    kind: Kind,
) -> Outcome {
    let [here, there] = backing.twice()?;
    let here = SharedMutex::create_with(here, |attributes| kind.configure(attributes))?;
    let there = SharedMutex::attach(there)?;
    expect_eq!((here.lock(), there.try_lock()), (Ok(()), Err(EBUSY)));
    let waiter =
        Participant::spawn("waiter", (), |(), _| (there.word(0).load(SeqCst), lock_unlock(&there), there.word(0).load(SeqCst)))?;
    waiter.until_blocked()?;
    here.word(0).store(5, SeqCst);
    expect_eq!(here.unlock(), Ok(()));
    expect_eq!((waiter.join()?, here.try_lock()), ((0, BOTH_OK, 5), Ok(())));
    Ok(())
}

/// If the owner of a mutex calls `pthread_mutex_lock` at a second address of the same memory, the call fails with `EDEADLK` for
/// an errorcheck mutex and returns 0 for a recursive mutex. For the latter, two `pthread_mutex_unlock` calls, one at each
/// address, then return 0 and a third one fails with `EPERM`.
#[conformance::test(posix = "pthread_mutexattr_setpshared", man = "pthread_mutexattr_setpshared(3)")]
fn owner_is_recognised_at_another_address() -> Outcome {
    let [here, there] = Backing::PosixShm.twice()?;
    let here = SharedMutex::create_with(here, |attributes| Kind::Errorcheck.configure(attributes))?;
    let there = SharedMutex::attach(there)?;
    expect_eq!([here.lock(), there.lock(), there.unlock(), here.unlock()], [Ok(()), Err(EDEADLK), Ok(()), Err(EPERM)]);
    let [here, there] = Backing::File.twice()?;
    let here = SharedMutex::create_with(here, |attributes| Kind::Recursive.configure(attributes))?;
    let there = SharedMutex::attach(there)?;
    expect_eq!(
        [here.lock(), there.lock(), here.unlock(), there.unlock(), here.unlock()],
        [Ok(()), Ok(()), Ok(()), Ok(()), Err(EPERM)]
    );
    Ok(())
}

/// If the owner of a robust mutex is killed after it locked the mutex at one address, `pthread_mutex_lock` returns `EOWNERDEAD`
/// in a process that is blocked in it at another address of the same memory.
#[cfg(has_robust_mutexes)]
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn eownerdead_is_returned_at_another_address(#[values(Backing::PosixShm, Backing::File)] backing: Backing, kind: Kind) -> Outcome {
    let [here, there] = backing.twice()?;
    let here = SharedMutex::create_with(here, |attributes| {
        attributes.set_robust(conformance::sys::pthread::attributes::ROBUST)?;
        kind.configure(attributes)
    })?;
    let there = SharedMutex::attach(there)?;
    let owner = owner(&here)?;
    let waiter = Participant::spawn("waiter", (), |(), _| (there.lock(), there.consistent(), there.unlock()))?;
    waiter.until_blocked()?;
    owner.kill()?;
    expect_eq!((waiter.join()?, lock_unlock(&here)), ((Err(EOWNERDEAD), Ok(()), Ok(())), BOTH_OK));
    Ok(())
}

/// If two owned mutexes lie at the same offset of two shared memory objects or files, with one process blocked in
/// `pthread_mutex_lock` on each, `pthread_mutex_unlock` of one makes `pthread_mutex_lock` return 0 in its own waiter, and the
/// waiter of the other stays blocked.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setpshared", man = "pthread_mutexattr_setpshared(3)")]
fn objects_at_the_same_offset_are_separate(#[values(Backing::PosixShm, Backing::File)] backing: Backing) -> Outcome {
    let ([one, _], [other, _]) = (backing.twice()?, backing.twice()?);
    let (one, other) = (SharedMutex::create(one)?, SharedMutex::create(other)?);
    expect_eq!([one.lock(), other.lock()], [Ok(()), Ok(())]);
    let spawn = |name, mutex| Participant::spawn(name, (), |(), _| lock_unlock(mutex));
    let (of_one, of_other) = (spawn("waiter of the first", &one)?, spawn("waiter of the second", &other)?);
    of_one.until_blocked()?;
    of_other.until_blocked()?;
    expect_eq!(one.unlock(), Ok(()));
    expect_eq!(of_one.join()?, BOTH_OK);
    of_other.expect_still_blocked()?;
    expect_eq!((other.unlock(), of_other.join()?), (Ok(()), BOTH_OK));
    Ok(())
}
