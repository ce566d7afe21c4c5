//! Which addresses are the same futex word: the same offset in the same object, at whatever address a process has mapped it. And
//! which mappings can hold one: read-only, untouched, truncated, unlinked.

use std::fs::File;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{lock_pi, wait, wake, wake_op};
use conformance::sys::memory::shm::SharedMemory;
use rstest::rstest;

use super::fixture::{ALL, blocked_in};

/// Objects that a futex word can be mapped from.
#[derive(Clone, Copy, Debug)]
enum Backing {
    File,
    SharedMemory,
}

/// An object of three pages, and the owner of its name.
struct Object {
    file: OwnedFd,
    _name: Result<SharedMemory, Scratch>,
}

impl Backing {
    fn create(self) -> Result<Object, Failure> {
        let size = 3 * page_size();
        Ok(match self {
            Backing::File => {
                let scratch = Scratch::new()?;
                let path = scratch.join("words");
                std::fs::write(&path, vec![0; size])?;
                let file = File::options().read(true).write(true).open(path)?.into();
                Object { file, _name: Err(scratch) }
            }
            Backing::SharedMemory => {
                let memory = SharedMemory::create(&unique_name("words"))?;
                memory.set_size(size)?;
                Object { file: memory.as_fd().try_clone_to_owned()?, _name: Ok(memory) }
            }
        })
    }
}

impl Object {
    fn map(&self) -> Result<Mapping, Errno> {
        Mapping::new(&self.file, 3 * page_size(), Access::ReadWrite)
    }
}

/// If a file or shared memory object is mapped shared at two addresses, `FUTEX_WAKE` at one address wakes a process blocked in
/// `FUTEX_WAIT` on the same offset of the object at the other address, and returns 1.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn same_object_at_two_addresses_is_one_futex(#[values(Backing::File, Backing::SharedMemory)] backing: Backing) -> Outcome {
    let object = backing.create()?;
    let (here, there) = (object.map()?, object.map()?);
    let index = page_size() / 4 + 3;
    expect!(!std::ptr::eq(here.word(index), there.word(index)));
    let waiter = blocked_in("waiter", || wait(there.word(index), 0))?;
    expect_eq!((wake(here.word(index), 1), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// While a process is blocked in `FUTEX_WAIT` on a word of a shared mapping of a file or shared memory object, `FUTEX_WAKE` on
/// another offset of that object, or on the same offset of another object, returns 0 and the process stays blocked.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn other_object_or_offset_is_another_futex(#[values(Backing::File, Backing::SharedMemory)] backing: Backing) -> Outcome {
    let (object, other) = (backing.create()?, backing.create()?);
    let (own, other) = (object.map()?, other.map()?);
    let page = page_size() / 4;
    let waiter = blocked_in("waiter", || wait(own.word(page + 3), 0))?;
    let woken = [wake(other.word(page + 3), ALL), wake(own.word(3), ALL), wake(own.word(2 * page + 3), ALL)];
    expect_eq!((woken, wake(own.word(page + 2), ALL)), ([Ok(0); 3], Ok(0)));
    waiter.expect_still_blocked()?;
    expect_eq!((wake(own.word(page + 3), ALL), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// If two programs have opened one shared memory object by its name and mapped it, `FUTEX_WAKE` by each program wakes a process
/// of the other that is blocked in `FUTEX_WAIT` on the same offset, and returns 1.
#[conformance::test(man = "futex(2)")]
fn shared_memory_object_connects_unrelated_programs() -> Outcome {
    let memory = SharedMemory::create(&unique_name("words"))?;
    memory.set_size(page_size())?;
    let words = memory.map(page_size(), Access::ReadWrite)?;
    let name = memory.name().to_owned();
    let program = Participant::exec("other program", (), &name, |(), name: String, link| {
        let memory = SharedMemory::open(&name, Access::ReadWrite)?;
        let _other_address = Mapping::anonymous(7 * page_size())?;
        let words = memory.map(page_size(), Access::ReadWrite)?;
        link.reached("mapped");
        Ok::<_, Errno>((wait(words.word(8), 0), wake(words.word(9), 1)))
    })?;
    program.until_reached("mapped")?;
    program.until_blocked()?;
    let waiter = blocked_in("waiter", || wait(words.word(9), 0))?;
    expect_eq!((wake(words.word(8), 1), program.join()?), (Ok(1), Ok((Ok(()), Ok(1)))));
    expect_eq!(waiter.join()?, Ok(()));
    Ok(())
}

/// While a forked child is blocked in `FUTEX_WAIT` on a word of `MAP_PRIVATE` memory, `FUTEX_WAKE` by its parent on that word
/// returns 0 and the child stays blocked.
#[conformance::test(man = "futex(2)", man = "mmap(2)", level = customary)]
fn private_copy_after_fork_is_another_futex() -> Outcome {
    let words = Mapping::private(page_size())?;
    words.word(0).store(1, SeqCst);
    let child = blocked_in("child", || wait(words.word(0), 1))?;
    let untouched = blocked_in("child that writes", || {
        words.word(0).store(2, SeqCst);
        wait(words.word(0), 2)
    })?;
    expect_eq!((wake(words.word(0), ALL), words.word(0).load(SeqCst)), (Ok(0), 1));
    child.expect_still_blocked()?;
    untouched.expect_still_blocked()?;
    Ok(())
}

/// While a process is blocked in `FUTEX_WAIT` on a word of a `MAP_PRIVATE` mapping of a file, `FUTEX_WAKE` on the same offset of
/// a shared mapping of the file returns 0 and the waiter stays blocked.
#[conformance::test(man = "futex(2)", man = "mmap(2)", level = customary)]
fn private_mapping_of_a_file_is_another_futex() -> Outcome {
    let object = Backing::File.create()?;
    let (shared, private) = (object.map()?, Mapping::copy_on_write(&object.file, page_size(), Access::ReadWrite)?);
    let child = blocked_in("child", || wait(private.word(3), 0))?;
    expect_eq!((wake(shared.word(3), ALL), shared.word(3).load(SeqCst)), (Ok(0), 0));
    child.expect_still_blocked()?;
    Ok(())
}

/// A process blocked in `FUTEX_WAIT` on a word of a shared memory object stays blocked when `ftruncate` to 0 removes the page of
/// the word, and `FUTEX_WAKE` on the word fails with `EFAULT`. After `ftruncate` back to one page, `FUTEX_WAKE` on the word
/// returns 1 and `FUTEX_WAIT` returns 0.
#[conformance::test(man = "futex(2)", man = "ftruncate(2)", level = customary)]
fn waiter_survives_truncation() -> Outcome {
    let object = Backing::SharedMemory.create()?;
    let words = object.map()?;
    words.word(2).store(7, SeqCst);
    let waiter = blocked_in("waiter", || wait(words.word(2), 7))?;
    ftruncate(&object.file, 0)?;
    expect_eq!((wait(words.word(2), 7), wake(words.word(2), 1)), (Err(EFAULT), Err(EFAULT)));
    waiter.expect_still_blocked()?;
    ftruncate(&object.file, i64::try_from(page_size()).map_err(|_| EINVAL)?)?;
    expect_eq!((words.word(2).load(SeqCst), wake(words.word(2), 1), waiter.join()?), (0, Ok(1), Ok(())));
    Ok(())
}

/// `FUTEX_WAIT` on a word of a read-only shared mapping blocks, and returns 0 after `FUTEX_WAKE` through a writable mapping.
/// `FUTEX_WAKE` through the read-only mapping wakes a process blocked in `FUTEX_WAIT` through the writable one and returns 1.
#[conformance::test(man = "futex(2)")]
fn read_only_mapping_is_enough_to_wait_and_wake() -> Outcome {
    let object = Backing::SharedMemory.create()?;
    let (all, read_only) = (object.map()?, Mapping::new(&object.file, page_size(), Access::Read)?);
    let reader = blocked_in("reader", || wait(read_only.word(0), 0))?;
    expect_eq!((wake(all.word(0), 1), reader.join()?), (Ok(1), Ok(())));
    let writer = blocked_in("writer", || wait(all.word(0), 0))?;
    expect_eq!((wake(read_only.word(0), 1), writer.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// `FUTEX_LOCK_PI` on a word of a read-only mapping, and `FUTEX_WAKE_OP` whose second word is in such a mapping, fail with
/// `EFAULT`. That word stays 0, and a process blocked in `FUTEX_WAIT` on the first word of `FUTEX_WAKE_OP` stays blocked.
#[conformance::test(man = "futex(2)")]
fn changing_a_word_in_a_read_only_mapping_fails() -> Outcome {
    let object = Backing::SharedMemory.create()?;
    let (all, read_only) = (object.map()?, Mapping::new(&object.file, page_size(), Access::Read)?);
    let waiter = blocked_in("waiter", || wait(all.word(1), 0))?;
    expect_eq!(lock_pi(read_only.word(0)), Err(EFAULT));
    expect_eq!(wake_op(read_only.word(1), 1, read_only.word(0), 1, 0x0000_1000), Err(EFAULT));
    waiter.expect_still_blocked()?;
    expect_eq!(all.word(0).load(SeqCst), 0);
    Ok(())
}

/// `FUTEX_WAIT` with the expected value 0 blocks on a word of a shared memory page that no process has accessed yet. After
/// another process has stored 1 in the word, its `FUTEX_WAKE` returns 1 and `FUTEX_WAIT` returns 0.
#[conformance::test(man = "futex(2)")]
fn untouched_page_can_be_waited_on() -> Outcome {
    let memory = SharedMemory::create(&unique_name("words"))?;
    memory.set_size(2 * page_size())?;
    let words = memory.map(2 * page_size(), Access::ReadWrite)?;
    let index = page_size() / 4;
    let waiter = blocked_in("waiter", || wait(words.word(index), 0))?;
    words.word(index).store(1, SeqCst);
    expect_eq!((wake(words.word(index), 1), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// `FUTEX_WAIT`, `FUTEX_WAKE` and `FUTEX_LOCK_PI` on a mapped address in the first page beyond the end of the shared memory
/// object fail with `EFAULT`, and the calling process is not killed by `SIGBUS`.
#[conformance::test(man = "futex(2)")]
fn address_beyond_the_object_fails() -> Outcome {
    let memory = SharedMemory::create(&unique_name("words"))?;
    memory.set_size(page_size())?;
    let words = memory.map(2 * page_size(), Access::ReadWrite)?;
    let (last, beyond) = (words.word(page_size() / 4 - 1), words.word(page_size() / 4));
    expect_eq!((wait(beyond, 0), wake(beyond, 1), lock_pi(beyond)), (Err(EFAULT), Err(EFAULT), Err(EFAULT)));
    expect_eq!((wait(last, 1), wake(last, 1)), (Err(EAGAIN), Ok(0)));
    Ok(())
}

/// If a process is blocked in `FUTEX_WAIT` on a word of a shared memory object, and another process calls `shm_unlink` and
/// `munmap` and then maps the still open object again, its `FUTEX_WAKE` on the word in the new mapping returns 1 and `FUTEX_WAIT`
/// returns 0.
#[conformance::test(man = "futex(2)", man = "shm_unlink(3)")]
fn waiter_survives_unlink_and_unmapping() -> Outcome {
    let object = Backing::SharedMemory.create()?;
    let first = object.map()?;
    let waiter = blocked_in("waiter", || wait(first.word(6), 0))?;
    let Object { file, _name: name } = object;
    drop((first, name));
    let again = Mapping::new(&file, page_size(), Access::ReadWrite)?;
    expect_eq!((wake(again.word(6), 1), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}
