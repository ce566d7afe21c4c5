//! What makes two words one futex: the object in memory and the place in it, not the address at which a process has it.

use std::fs::File;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{Fourth, Place, TID, WAITERS, futex, lock_pi, op, own_id, wait, wake, wake_op};
use conformance::sys::memory::shm::SharedMemory;
use rstest::rstest;

use super::fixture::{ALL, sleeper, words};

/// Kinds of object that a word can be in.
#[derive(Clone, Copy, Debug)]
enum Kind {
    File,
    SharedMemory,
}

/// An object of three pages, and what keeps it.
struct Object {
    file: OwnedFd,
    _name: Result<SharedMemory, Scratch>,
}

impl Kind {
    fn make(self) -> Result<Object, Failure> {
        let size = 3 * page_size();
        Ok(match self {
            Kind::File => {
                let scratch = Scratch::new()?;
                let path = scratch.join("words");
                std::fs::write(&path, vec![0; size])?;
                let file = File::options().read(true).write(true).open(path)?.into();
                Object { file, _name: Err(scratch) }
            }
            Kind::SharedMemory => {
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

/// A waiter is woken by a process that has the word's object at another address.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn is_the_object_wherever_it_is_mapped(#[values(Kind::File, Kind::SharedMemory)] kind: Kind) -> Outcome {
    let object = kind.make()?;
    let (here, there) = (object.map()?, object.map()?);
    let index = page_size() / 4 + 3;
    expect!(!std::ptr::eq(here.word(index), there.word(index)));
    let sleeper = sleeper("sleeper", || wait(there.word(index), 0))?;
    expect_eq!((wake(here.word(index), 1), sleeper.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// A waiter hears nothing from the same place in another object of the same kind, nor from another place of its own.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn tells_objects_and_places_apart(#[values(Kind::File, Kind::SharedMemory)] kind: Kind) -> Outcome {
    let (object, other) = (kind.make()?, kind.make()?);
    let (own, foreign) = (object.map()?, other.map()?);
    let page = page_size() / 4;
    let sleeper = sleeper("sleeper", || wait(own.word(page + 3), 0))?;
    let deaf = [wake(foreign.word(page + 3), ALL), wake(own.word(3), ALL), wake(own.word(2 * page + 3), ALL)];
    expect_eq!((deaf, wake(own.word(page + 2), ALL)), ([Ok(0); 3], Ok(0)));
    sleeper.expect_still_blocked()?;
    expect_eq!((wake(own.word(page + 3), ALL), sleeper.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// A process that is unrelated to the waiter but for the object's name wakes it, and is woken by it.
#[conformance::test(man = "futex(2)")]
fn is_the_object_for_strangers_too() -> Outcome {
    let memory = SharedMemory::create(&unique_name("words"))?;
    memory.set_size(page_size())?;
    let words = memory.map(page_size(), Access::ReadWrite)?;
    let name = memory.name().to_owned();
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, link| {
        let memory = SharedMemory::open(&name, Access::ReadWrite)?;
        let _room = Mapping::anonymous(7 * page_size())?;
        let words = memory.map(page_size(), Access::ReadWrite)?;
        link.reached("mapped");
        Ok::<_, Errno>((wait(words.word(8), 0), wake(words.word(9), 1)))
    })?;
    stranger.until_reached("mapped")?;
    stranger.until_blocked()?;
    let sleeper = sleeper("sleeper", || wait(words.word(9), 0))?;
    expect_eq!((wake(words.word(8), 1), stranger.join()?), (Ok(1), Ok((Ok(()), Ok(1)))));
    expect_eq!(sleeper.join()?, Ok(()));
    Ok(())
}

/// The copy that a forked process has of private memory is another futex: whoever waits on it is not woken through the original.
#[conformance::test(man = "futex(2)", man = "mmap(2)")]
fn tells_private_copies_apart() -> Outcome {
    let words = Mapping::private(page_size())?;
    words.word(0).store(1, SeqCst);
    let child = sleeper("child", || wait(words.word(0), 1))?;
    let untouched = sleeper("child that writes", || {
        words.word(0).store(2, SeqCst);
        wait(words.word(0), 2)
    })?;
    expect_eq!((wake(words.word(0), ALL), words.word(0).load(SeqCst)), (Ok(0), 1));
    child.expect_still_blocked()?;
    untouched.expect_still_blocked()?;
    Ok(())
}

/// A file that is mapped privately is another futex than the file itself: a waiter there is not woken through the file.
#[conformance::test(man = "futex(2)", man = "mmap(2)")]
fn tells_a_private_mapping_from_its_file() -> Outcome {
    let object = Kind::File.make()?;
    let (shared, private) = (object.map()?, Mapping::copy_on_write(&object.file, page_size(), Access::ReadWrite)?);
    let child = sleeper("child", || wait(private.word(3), 0))?;
    expect_eq!((wake(shared.word(3), ALL), shared.word(3).load(SeqCst)), (Ok(0), 0));
    child.expect_still_blocked()?;
    Ok(())
}

/// A waiter whose page is taken out of the object, and comes back as another, is still the waiter of that place.
#[conformance::test(man = "futex(2)", man = "fallocate(2)")]
fn is_the_place_and_not_the_page() -> Outcome {
    let object = Kind::SharedMemory.make()?;
    let words = object.map()?;
    words.word(2).store(7, SeqCst);
    let sleeper = sleeper("sleeper", || wait(words.word(2), 7))?;
    ftruncate(&object.file, 0)?;
    expect_eq!((wait(words.word(2), 7), wake(words.word(2), 1)), (Err(EFAULT), Err(EFAULT)));
    sleeper.expect_still_blocked()?;
    ftruncate(&object.file, i64::try_from(page_size()).map_err(|_| EINVAL)?)?;
    expect_eq!((words.word(2).load(SeqCst), wake(words.word(2), 1), sleeper.join()?), (0, Ok(1), Ok(())));
    Ok(())
}

/// Waits and wakes within a process do not need the memory to be there, as far as they do not look at it; others do.
#[conformance::test(man = "futex(2)", level = observed)]
fn within_a_process_may_do_without_memory() -> Outcome {
    let guarded = Guarded::new()?;
    let place = Place::forbidden(&guarded);
    let woken = futex(place, op::WAKE | op::PRIVATE, 1, Fourth::None, Place::NULL, 0);
    expect!(woken == Ok(0) || woken == Err(EFAULT), "{woken:?}");
    observe!("futex.private-wake-without-memory", format!("{woken:?}"));
    Ok(())
}

/// A wait or a wake that is said to be within the process (`FUTEX_PRIVATE_FLAG`) does not meet that of another process, though the
/// memory is shared.
#[conformance::test(man = "futex(2)")]
fn within_a_process_does_not_reach_another() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let private = sleeper("private", || futex(word, op::WAIT | op::PRIVATE, 0, Fourth::None, Place::NULL, 0).map(drop))?;
    let shared = sleeper("shared", || wait(words.word(1), 0))?;
    expect_eq!(futex(word, op::WAKE | op::PRIVATE, ALL, Fourth::None, Place::NULL, 0), Ok(0));
    expect_eq!(futex(words.word(1), op::WAKE | op::PRIVATE, ALL, Fourth::None, Place::NULL, 0), Ok(0));
    private.expect_still_blocked()?;
    shared.expect_still_blocked()?;
    expect_eq!((wake(words.word(1), ALL), shared.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// Within one process a private wait of one thread is ended by a private wake of another, in shared memory and in memory that
/// nobody had touched before.
#[rstest]
#[case::shared_memory(true)]
#[case::private_memory(false)]
#[conformance::test(man = "futex(2)")]
fn within_a_process_joins_its_threads(#[case] shared: bool) -> Outcome {
    let process = Participant::spawn("process", (), |(), link| {
        let words = if shared { Mapping::anonymous(page_size())? } else { Mapping::private(page_size())? };
        let word = words.word(0);
        std::thread::scope(|scope| {
            let waker = scope.spawn(|| {
                link.meet("wake");
                word.store(1, SeqCst);
                let shared = wake(word, ALL);
                (shared, futex(word, op::WAKE | op::PRIVATE, ALL, Fourth::None, Place::NULL, 0))
            });
            let waited = futex(word, op::WAIT | op::PRIVATE, 0, Fourth::None, Place::NULL, 0);
            Ok::<_, Errno>((waited, waker.join().map_err(|_| EIO)?))
        })
    })?;
    process.until_reached("wake")?;
    process.until_blocked()?;
    process.open("wake")?;
    expect_eq!(process.join()?, Ok((Ok(0), (Ok(0), Ok(1)))));
    Ok(())
}

/// Within one process a private lock is handed from one thread to another.
#[rstest]
#[case::shared_memory(true)]
#[case::private_memory(false)]
#[conformance::test(man = "futex(2)")]
fn within_a_process_hands_a_lock_over(#[case] shared: bool) -> Outcome {
    let process = Participant::spawn("process", (), |(), link| {
        let words = if shared { Mapping::anonymous(page_size())? } else { Mapping::private(page_size())? };
        let word = words.word(0);
        let private = |operation| futex(word, operation | op::PRIVATE, 0, Fourth::None, Place::NULL, 0);
        std::thread::scope(|scope| {
            let owner = scope.spawn(|| {
                let locked = private(op::LOCK_PI);
                link.meet("unlock");
                let contended = word.load(SeqCst) == WAITERS | own_id();
                (locked, contended, private(op::UNLOCK_PI))
            });
            while word.load(SeqCst) == 0 {
                std::thread::yield_now();
            }
            let locked = private(op::LOCK_PI);
            let owned = word.load(SeqCst) & TID == own_id();
            let unlocked = private(op::UNLOCK_PI);
            Ok::<_, Errno>((locked, owned, unlocked, word.load(SeqCst), owner.join().map_err(|_| EIO)?))
        })
    })?;
    process.until_reached("unlock")?;
    process.until_blocked()?;
    process.open("unlock")?;
    expect_eq!(process.join()?, Ok((Ok(0), true, Ok(0), 0, (Ok(0), true, Ok(0)))));
    Ok(())
}

/// A process that may only read the object's memory can wait there and wake others.
#[conformance::test(man = "futex(2)")]
fn needs_no_right_to_write() -> Outcome {
    let object = Kind::SharedMemory.make()?;
    let (all, read_only) = (object.map()?, Mapping::new(&object.file, page_size(), Access::Read)?);
    let reader = sleeper("reader", || wait(read_only.word(0), 0))?;
    expect_eq!((wake(all.word(0), 1), reader.join()?), (Ok(1), Ok(())));
    let writer = sleeper("writer", || wait(all.word(0), 0))?;
    expect_eq!((wake(read_only.word(0), 1), writer.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// Calls that have to write to the word fail with `EFAULT` where it may only be read, and wake nobody.
#[conformance::test(man = "futex(2)")]
fn needs_the_right_to_write_where_the_word_is_written() -> Outcome {
    let object = Kind::SharedMemory.make()?;
    let (all, read_only) = (object.map()?, Mapping::new(&object.file, page_size(), Access::Read)?);
    let sleeper = sleeper("sleeper", || wait(all.word(1), 0))?;
    expect_eq!(lock_pi(read_only.word(0)), Err(EFAULT));
    expect_eq!(wake_op(read_only.word(1), 1, read_only.word(0), 1, 0x0000_1000), Err(EFAULT));
    sleeper.expect_still_blocked()?;
    expect_eq!(all.word(0).load(SeqCst), 0);
    Ok(())
}

/// A page that nobody has touched yet holds words like any other, of value 0; what somebody else puts there afterwards is the same
/// word.
#[conformance::test(man = "futex(2)")]
fn is_there_before_the_memory_is_touched() -> Outcome {
    let memory = SharedMemory::create(&unique_name("words"))?;
    memory.set_size(2 * page_size())?;
    let words = memory.map(2 * page_size(), Access::ReadWrite)?;
    let index = page_size() / 4;
    let sleeper = sleeper("sleeper", || wait(words.word(index), 0))?;
    words.word(index).store(1, SeqCst);
    expect_eq!((wake(words.word(index), 1), sleeper.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// Behind the end of the object there is no word: the calls fail with `EFAULT`, and raise no signal.
#[conformance::test(man = "futex(2)")]
fn ends_with_the_object() -> Outcome {
    let memory = SharedMemory::create(&unique_name("words"))?;
    memory.set_size(page_size())?;
    let words = memory.map(2 * page_size(), Access::ReadWrite)?;
    let (last, behind) = (words.word(page_size() / 4 - 1), words.word(page_size() / 4));
    expect_eq!((wait(behind, 0), wake(behind, 1), lock_pi(behind)), (Err(EFAULT), Err(EFAULT), Err(EFAULT)));
    expect_eq!((wait(last, 1), wake(last, 1)), (Err(EAGAIN), Ok(0)));
    Ok(())
}

/// A waiter is found by whoever maps the object anew, after the name is gone and the waker's first mapping too.
#[conformance::test(man = "futex(2)", man = "shm_unlink(3)")]
fn outlives_name_and_mapping() -> Outcome {
    let object = Kind::SharedMemory.make()?;
    let first = object.map()?;
    let sleeper = sleeper("sleeper", || wait(first.word(6), 0))?;
    let Object { file, _name: name } = object;
    drop((first, name));
    let again = Mapping::new(&file, page_size(), Access::ReadWrite)?;
    expect_eq!((wake(again.word(6), 1), sleeper.join()?), (Ok(1), Ok(())));
    Ok(())
}
