//! Unnamed semaphores (`sem_init`, `sem_destroy`): the memory they lie in, several mappings of it, neighbours, threads, destruction.

use std::rc::Rc;

use conformance::prelude::*;
use conformance::sys::memory::shm::{SharedMemory, shm_unlink};
use conformance::sys::semaphore::{ROOM, Semaphore, largest_value};
use conformance::sys::thread_id;
use rstest::rstest;

use super::fixture::{Waiters, one_blocked};

fn memory(pages: usize) -> Result<Rc<Mapping>, Errno> {
    Ok(Rc::new(Mapping::anonymous(pages * page_size())?))
}

/// `sem_init` with a value above `SEM_VALUE_MAX` fails with `EINVAL`, for `pshared` 0 and 1, and leaves the bytes of the `sem_t`
/// as they were.
#[rstest]
#[case::one_above(1)]
#[case::all_bits(u32::MAX - i32::MAX as u32)]
#[conformance::test(posix = "sem_init", man = "sem_init(3)")]
fn init_rejects_a_value_above_sem_value_max(#[case] beyond: u32, #[values(false, true)] shared: bool) -> Outcome {
    let memory = memory(1)?;
    let value = largest_value().saturating_add(beyond);
    expect_eq!(Semaphore::placed(&memory, 0, shared, value).map(drop), Err(EINVAL));
    expect_eq!(memory.read(0, ROOM), vec![0; ROOM]);
    Ok(())
}

/// After `sem_destroy`, `sem_init` with value 2 in the same memory returns 0, and the new semaphore has the value 2. `sem_post`,
/// `sem_trywait` and `sem_destroy` on the new semaphore return 0.
#[rstest]
#[conformance::test(posix = "sem_destroy", posix = "sem_init", man = "sem_destroy(3)")]
fn can_be_destroyed_and_initialised_again(#[values(false, true)] shared: bool) -> Outcome {
    let memory = memory(1)?;
    let first = Semaphore::placed(&memory, 0, shared, 5)?;
    expect_eq!((first.wait(), first.destroy().map(drop)), (Ok(()), Ok(())));
    let second = Semaphore::placed(&memory, 0, shared, 2);
    expect_eq!(second.as_ref().map(|second| (second.post(), second.drain(), second.try_wait())), Ok((Ok(()), Ok(3), Err(EAGAIN))));
    expect_eq!(second?.destroy().map(drop), Ok(()));
    Ok(())
}

/// An unrelated process that maps the memory of a process-shared semaphore at another address blocks in `sem_wait` at value 0.
/// After `sem_post` by the process that called `sem_init`, `sem_wait` returns 0.
#[conformance::test(posix = "sem_init", man = "sem_overview(7)")]
fn is_shared_at_different_addresses() -> Outcome {
    let object = SharedMemory::create(&unique_name("memory"))?;
    object.set_size(page_size())?;
    let mapping = Rc::new(object.map(page_size(), Access::ReadWrite)?);
    let semaphore = Semaphore::placed(&mapping, 0, true, 1)?;
    let argument = (object.name().to_owned(), semaphore.address());
    let unrelated = Participant::exec("unrelated process", (), &argument, |(), (name, address): (String, usize), link| {
        let object = SharedMemory::open(&name, Access::ReadWrite)?;
        let _other = Mapping::anonymous(5 * page_size())?;
        let first = Rc::new(object.map(page_size(), Access::ReadWrite)?);
        let second = Rc::new(object.map(page_size(), Access::ReadWrite)?);
        // At least one of two mappings has another address.
        let mapping = if Semaphore::attach(&first, 0)?.address() == address { second } else { first };
        let semaphore = Semaphore::attach(&mapping, 0)?;
        let first = semaphore.wait();
        link.reached("taken");
        Ok::<_, Errno>((semaphore.address() == address, first, semaphore.wait(), semaphore.post()))
    })?;
    unrelated.until_reached("taken")?;
    unrelated.until_blocked()?;
    expect_eq!((semaphore.try_wait(), semaphore.post()), (Err(EAGAIN), Ok(())));
    expect_eq!((unrelated.join()?, semaphore.drain()), (Ok((false, Ok(()), Ok(()), Ok(()))), Ok(1)));
    Ok(())
}

/// If a process maps the shared memory object that contains a process-shared semaphore twice, `sem_post` at the address in one
/// mapping wakes a process that is blocked in `sem_wait` at the address in the other mapping.
#[conformance::test(posix = "sem_init", posix = "mmap")]
fn is_one_semaphore_through_two_mappings() -> Outcome {
    let object = SharedMemory::create(&unique_name("memory"))?;
    object.set_size(page_size())?;
    let mappings = [object.map(page_size(), Access::ReadWrite)?, object.map(page_size(), Access::ReadWrite)?].map(Rc::new);
    let one = Semaphore::placed(&mappings[0], 0, true, 0)?;
    let other = Semaphore::attach(&mappings[1], 0)?;
    let waiter = one_blocked(&one)?;
    expect_eq!((other.post(), waiter.join()?), (Ok(()), Ok(())));
    let waiter = one_blocked(&other)?;
    expect_eq!((one.post(), waiter.join()?, other.drain(), one.drain()), (Ok(()), Ok(()), Ok(0), Ok(0)));
    Ok(())
}

/// If a process-shared semaphore lies in a `MAP_SHARED` mapping of a regular file, `sem_post` wakes a process that is blocked in
/// `sem_wait` in its own mapping of this file.
#[conformance::test(posix = "sem_init", posix = "mmap")]
fn works_in_a_mapped_file() -> Outcome {
    let scratch = Scratch::new()?;
    let file = create(&scratch.join("file"), OFlag::O_RDWR, 0o600)?;
    ftruncate(&file, i64::try_from(page_size()).unwrap_or(0))?;
    let mapping = Rc::new(Mapping::new(&file, page_size(), Access::ReadWrite)?);
    let semaphore = Semaphore::placed(&mapping, 0, true, 0)?;
    let waiter = Participant::spawn("waiter", file, |file, _| {
        let own = Rc::new(Mapping::new(&file, page_size(), Access::ReadWrite)?);
        Semaphore::attach(&own, 0)?.wait()
    })?;
    waiter.until_blocked()?;
    expect_eq!((semaphore.post(), waiter.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// After the process that called `sem_init` in a shared memory object is killed and the name of the object is unlinked, the
/// semaphore has the same value in a process that still has the object mapped. `sem_post` by this process wakes another process
/// that is blocked in `sem_wait`.
#[conformance::test(posix = "sem_init", posix = "shm_unlink")]
fn outlives_creator_and_name_of_its_memory() -> Outcome {
    let object = SharedMemory::create(&unique_name("memory"))?;
    object.set_size(page_size())?;
    let mapping = Rc::new(object.map(page_size(), Access::ReadWrite)?);
    let creator = Participant::spawn("creator", (), |(), link| -> () {
        let semaphore = Semaphore::placed(&mapping, 0, true, 1).expect("the page is large enough");
        assert_eq!(semaphore.post(), Ok(()));
        link.reached("created");
        link.park()
    })?;
    creator.until_reached("created")?;
    creator.kill()?;
    expect_eq!(shm_unlink(object.name()), Ok(()));
    let semaphore = Semaphore::attach(&mapping, 0)?;
    expect_eq!(semaphore.drain(), Ok(2));
    let waiter = one_blocked(&semaphore)?;
    expect_eq!((semaphore.post(), waiter.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// If five adjacent semaphores in one page have one process each blocked in `sem_wait`, `sem_post` on one semaphore wakes the
/// process blocked on this semaphore. The processes blocked on the other semaphores stay blocked.
#[conformance::test(posix = "sem_init", posix = "sem_post")]
fn semaphores_side_by_side_are_separate() -> Outcome {
    const COUNT: u8 = 5;
    let memory = memory(1)?;
    let row =
        (0..usize::from(COUNT)).map(|index| Semaphore::placed(&memory, index * ROOM, true, 0)).collect::<Result<Vec<_>, _>>()?;
    let waiters = row.iter().map(one_blocked).collect::<Result<Vec<_>, _>>()?;
    let mut blocked: Vec<usize> = (0..usize::from(COUNT)).collect();
    for index in [2, 4, 0, 3, 1] {
        blocked.retain(|&other| other != index);
        expect_eq!((row[index].post(), waiters[index].until_settled()), (Ok(()), Ok(Settled::Ended)));
        for &other in &blocked {
            expect_eq!(waiters[other].until_settled(), Ok(Settled::Blocked));
        }
        expect_eq!(row.iter().map(Semaphore::value).collect::<Vec<_>>(), vec![Ok(0); usize::from(COUNT)]);
    }
    Ok(())
}

/// If two semaphores at the same offset of two pages have one process each blocked in `sem_wait`, `sem_post` on one semaphore
/// wakes the process blocked on this semaphore, and the other process stays blocked.
#[conformance::test(posix = "sem_init", posix = "sem_post")]
fn semaphores_in_two_pages_are_separate() -> Outcome {
    let memory = memory(2)?;
    let low = Semaphore::placed(&memory, ROOM, true, 0)?;
    let high = Semaphore::placed(&memory, page_size() + ROOM, true, 0)?;
    let (at_low, at_high) = (one_blocked(&low)?, one_blocked(&high)?);
    expect_eq!((high.post(), at_high.join()?, at_low.until_settled()), (Ok(()), Ok(()), Ok(Settled::Blocked)));
    expect_eq!((low.post(), at_low.join()?, low.drain(), high.drain()), (Ok(()), Ok(()), Ok(0), Ok(0)));
    Ok(())
}

/// If two semaphores at the same offset of two shared memory objects have one process each blocked in `sem_wait`, `sem_post` on
/// one semaphore wakes the process blocked on this semaphore, and the other process stays blocked.
#[conformance::test(posix = "sem_init", posix = "sem_post")]
fn semaphores_in_two_objects_are_separate() -> Outcome {
    let objects = [SharedMemory::create(&unique_name("one"))?, SharedMemory::create(&unique_name("other"))?];
    let mut row = Vec::new();
    for object in &objects {
        object.set_size(page_size())?;
        row.push(Semaphore::placed(&Rc::new(object.map(page_size(), Access::ReadWrite)?), 0, true, 0)?);
    }
    let waiters = row.iter().map(one_blocked).collect::<Result<Vec<_>, _>>()?;
    expect_eq!((row[1].post(), waiters[1].until_settled()), (Ok(()), Ok(Settled::Ended)));
    expect_eq!((waiters[0].until_settled(), row[0].value(), row[1].value()), (Ok(Settled::Blocked), Ok(0), Ok(0)));
    expect_eq!((row[0].post(), waiters[0].until_settled(), row[0].value()), (Ok(()), Ok(Settled::Ended), Ok(0)));
    Ok(())
}

/// If a thread is blocked in `sem_wait` on a semaphore from `sem_init` with `pshared` 0, `sem_wait` returns 0 after `sem_post` by
/// another thread of the same process.
#[conformance::test(posix = "sem_init", man = "sem_init(3)")]
fn private_semaphore_wakes_a_thread() -> Outcome {
    let (threads, report) = pipe()?;
    let process = Participant::spawn("process", report, |report, link| {
        let semaphore = Semaphore::placed(&Rc::new(Mapping::anonymous(page_size())?), 0, false, 1)?;
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                write_all(&report, &thread_id().to_ne_bytes())?;
                Ok::<_, Errno>((semaphore.wait(), semaphore.wait()))
            });
            link.meet("blocked");
            let before = semaphore.try_wait();
            let posted = semaphore.post();
            let waited = waiter.join().map_err(|_| EIO)?;
            Ok::<_, Errno>((before, posted, waited?, semaphore.drain()))
        })
    })?;
    process.until_reached("blocked")?;
    let thread = read_exactly(&threads, 4)?.try_into().map_or(0, i32::from_ne_bytes);
    process.until_thread_blocked(thread)?;
    process.open("blocked")?;
    expect_eq!(process.join()?, Ok((Err(EAGAIN), Ok(()), (Ok(()), Ok(())), Ok(0))));
    Ok(())
}

/// If a thread of one process and another process are blocked in `sem_wait` on one process-shared semaphore, two `sem_post` calls
/// wake both, and the value is 0.
#[conformance::test(posix = "sem_init", posix = "sem_post")]
fn wakes_a_thread_and_another_process() -> Outcome {
    let semaphore = Semaphore::placed(&memory(1)?, 0, true, 0)?;
    let waiters = Waiters::blocked(&semaphore, 1)?;
    let (threads, report) = pipe()?;
    let process = Participant::spawn("process with a thread", report, |report, link| {
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                write_all(&report, &thread_id().to_ne_bytes())?;
                semaphore.wait()
            });
            link.reached("started");
            waiter.join().map_err(|_| EIO)?
        })
    })?;
    process.until_reached("started")?;
    let thread = read_exactly(&threads, 4)?.try_into().map_or(0, i32::from_ne_bytes);
    process.until_thread_blocked(thread)?;
    expect_eq!((semaphore.post(), semaphore.post()), (Ok(()), Ok(())));
    expect_eq!((process.join()?, waiters.next_woken(1), semaphore.drain()), (Ok(()), Ok(vec![0]), Ok(0)));
    Ok(())
}

/// `sem_init`, `sem_wait`, `sem_post`, `sem_getvalue` and `sem_destroy` change no byte outside of the `sem_t`.
#[conformance::test(posix = "sem_init", posix = "sem_destroy")]
fn leaves_the_memory_around_it_alone() -> Outcome {
    let memory = memory(1)?;
    memory.write(0, &vec![0xa5; page_size()]);
    let semaphore = Semaphore::placed(&memory, 8 * ROOM, true, 1)?;
    let used = (semaphore.wait(), semaphore.post(), semaphore.value(), semaphore.destroy().map(drop));
    expect_eq!(used, (Ok(()), Ok(()), Ok(1), Ok(())));
    let around = [memory.read(0, 8 * ROOM), memory.read(9 * ROOM, page_size() - 9 * ROOM)];
    expect_eq!(around.concat(), vec![0xa5; page_size() - ROOM]);
    Ok(())
}

/// If a process blocked in `sem_wait` calls `sem_destroy` and overwrites the memory of the semaphore as soon as `sem_wait` has
/// returned, the `sem_post` call that woke it leaves the overwritten bytes as they are.
#[conformance::test(posix = "sem_destroy", man = "sem_destroy(3)", fixed_in = "glibc 2.21 (sourceware 12674)")]
fn post_touches_no_memory_after_the_wait() -> Outcome {
    let memory = memory(1)?;
    let (ready, report) = pipe()?;
    let waiter = Participant::spawn("waiter", report, |report, link| {
        for round in 0..40_u8 {
            let semaphore = Semaphore::placed(&memory, 0, true, 0)?;
            write_all(&report, &[round])?;
            semaphore.wait()?;
            semaphore.destroy()?;
            memory.write(0, &[0xff; ROOM]);
            link.meet("next");
            if memory.read(0, ROOM) != vec![0xff; ROOM] {
                return Ok::<_, Errno>(Some(round));
            }
        }
        Ok(None)
    })?;
    for round in 0..40 {
        expect_eq!(read_some(&ready, 1), Ok(vec![round]));
        expect_eq!(Semaphore::attach(&memory, 0)?.post(), Ok(()));
        waiter.until_reached("next")?;
        waiter.open("next")?;
    }
    expect_eq!(waiter.join()?, Ok(None));
    Ok(())
}
