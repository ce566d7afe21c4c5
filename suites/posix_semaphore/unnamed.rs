//! Unnamed semaphores: one is where its memory is, for all who have that memory, under whichever address; its neighbours are others.

use std::rc::Rc;

use conformance::prelude::*;
use conformance::sys::memory::shm::{SharedMemory, shm_unlink};
use conformance::sys::semaphore::{ROOM, Semaphore, largest_value};
use conformance::sys::thread_id;
use rstest::rstest;

use super::waiters::{Waiters, one_blocked};

fn memory(pages: usize) -> Result<Rc<Mapping>, Errno> {
    Ok(Rc::new(Mapping::anonymous(pages * page_size())?))
}

/// A value beyond the largest is refused, and what is in that place is left alone.
#[rstest]
#[case::one_more(1)]
#[case::all_bits(u32::MAX - i32::MAX as u32)]
#[conformance::test(posix = "sem_init", man = "sem_init(3)")]
fn refuse_a_value_beyond_the_largest(#[case] beyond: u32, #[values(false, true)] shared: bool) -> Outcome {
    let memory = memory(1)?;
    let value = largest_value().saturating_add(beyond);
    expect_eq!(Semaphore::placed(&memory, 0, shared, value).map(drop), Err(EINVAL));
    expect_eq!(memory.read(0, ROOM), vec![0; ROOM]);
    Ok(())
}

/// A semaphore that is destroyed can be made anew in the same place, with a value of its own; it is a semaphore like any other.
#[rstest]
#[conformance::test(posix = "sem_destroy", posix = "sem_init", man = "sem_destroy(3)")]
fn can_be_made_again_in_the_same_place(#[values(false, true)] shared: bool) -> Outcome {
    let memory = memory(1)?;
    let first = Semaphore::placed(&memory, 0, shared, 5)?;
    expect_eq!((first.wait(), first.destroy().map(drop)), (Ok(()), Ok(())));
    let second = Semaphore::placed(&memory, 0, shared, 2);
    expect_eq!(second.as_ref().map(|second| (second.post(), second.drain(), second.try_wait())), Ok((Ok(()), Ok(3), Err(EAGAIN))));
    expect_eq!(second?.destroy().map(drop), Ok(()));
    Ok(())
}

/// Strangers that map an object for themselves, at other addresses, meet in the semaphore that is in it.
#[conformance::test(posix = "sem_init", man = "sem_overview(7)")]
fn are_shared_by_strangers_who_map_them_elsewhere() -> Outcome {
    let object = SharedMemory::create(&unique_name("memory"))?;
    object.set_size(page_size())?;
    let mapping = Rc::new(object.map(page_size(), Access::ReadWrite)?);
    let semaphore = Semaphore::placed(&mapping, 0, true, 1)?;
    let argument = (object.name().to_owned(), semaphore.address());
    let stranger = Participant::exec("stranger", (), &argument, |(), (name, address): (String, usize), link| {
        let object = SharedMemory::open(&name, Access::ReadWrite)?;
        let _room = Mapping::anonymous(5 * page_size())?;
        let first = Rc::new(object.map(page_size(), Access::ReadWrite)?);
        let second = Rc::new(object.map(page_size(), Access::ReadWrite)?);
        // Of two mappings one at least is elsewhere.
        let mapping = if Semaphore::attach(&first, 0)?.address() == address { second } else { first };
        let semaphore = Semaphore::attach(&mapping, 0)?;
        let first = semaphore.wait();
        link.reached("taken");
        Ok::<_, Errno>((semaphore.address() == address, first, semaphore.wait(), semaphore.post()))
    })?;
    stranger.until_reached("taken")?;
    stranger.until_blocked()?;
    expect_eq!((semaphore.try_wait(), semaphore.post()), (Err(EAGAIN), Ok(())));
    expect_eq!((stranger.join()?, semaphore.drain()), (Ok((false, Ok(()), Ok(()), Ok(()))), Ok(1)));
    Ok(())
}

/// Mapped twice by one process, a semaphore is the same through both: a post to one lets go who waits at the other.
#[conformance::test(posix = "sem_init", posix = "mmap")]
fn are_the_same_through_two_mappings() -> Outcome {
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

/// In a mapped file they work like in shared memory.
#[conformance::test(posix = "sem_init", posix = "mmap")]
fn can_be_in_a_file() -> Outcome {
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

/// The name of the memory that a semaphore is in can go, and its maker can be killed: who has it mapped goes on.
#[conformance::test(posix = "sem_init", posix = "shm_unlink")]
fn outlive_maker_and_name_of_their_memory() -> Outcome {
    let object = SharedMemory::create(&unique_name("memory"))?;
    object.set_size(page_size())?;
    let mapping = Rc::new(object.map(page_size(), Access::ReadWrite)?);
    let maker = Participant::spawn("maker", (), |(), link| -> () {
        let semaphore = Semaphore::placed(&mapping, 0, true, 1).expect("room for a semaphore");
        assert_eq!(semaphore.post(), Ok(()));
        link.reached("made");
        link.park()
    })?;
    maker.until_reached("made")?;
    maker.kill()?;
    expect_eq!(shm_unlink(object.name()), Ok(()));
    let semaphore = Semaphore::attach(&mapping, 0)?;
    expect_eq!(semaphore.drain(), Ok(2));
    let waiter = one_blocked(&semaphore)?;
    expect_eq!((semaphore.post(), waiter.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// Semaphores side by side in one page are each their own: a post lets nobody go who waits at a neighbour.
#[conformance::test(posix = "sem_init", posix = "sem_post")]
fn are_told_from_their_neighbours() -> Outcome {
    const COUNT: u8 = 5;
    let memory = memory(1)?;
    let row =
        (0..usize::from(COUNT)).map(|index| Semaphore::placed(&memory, index * ROOM, true, 0)).collect::<Result<Vec<_>, _>>()?;
    let waiters = row.iter().map(one_blocked).collect::<Result<Vec<_>, _>>()?;
    let mut asleep: Vec<usize> = (0..usize::from(COUNT)).collect();
    for index in [2, 4, 0, 3, 1] {
        asleep.retain(|&other| other != index);
        expect_eq!((row[index].post(), waiters[index].until_settled()), (Ok(()), Ok(Settled::Ended)));
        for &other in &asleep {
            expect_eq!(waiters[other].until_settled(), Ok(Settled::Blocked));
        }
        expect_eq!(row.iter().map(Semaphore::value).collect::<Vec<_>>(), vec![Ok(0); usize::from(COUNT)]);
    }
    Ok(())
}

/// Semaphores at the same place of two pages are each their own.
#[conformance::test(posix = "sem_init", posix = "sem_post")]
fn are_told_from_those_of_another_page() -> Outcome {
    let memory = memory(2)?;
    let low = Semaphore::placed(&memory, ROOM, true, 0)?;
    let high = Semaphore::placed(&memory, page_size() + ROOM, true, 0)?;
    let (at_low, at_high) = (one_blocked(&low)?, one_blocked(&high)?);
    expect_eq!((high.post(), at_high.join()?, at_low.until_settled()), (Ok(()), Ok(()), Ok(Settled::Blocked)));
    expect_eq!((low.post(), at_low.join()?, low.drain(), high.drain()), (Ok(()), Ok(()), Ok(0), Ok(0)));
    Ok(())
}

/// Semaphores at the same place of two objects are each their own.
#[conformance::test(posix = "sem_init", posix = "sem_post")]
fn are_told_from_those_of_another_object() -> Outcome {
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

/// One that is not shared serves the threads of its process: a post lets a thread go that waits.
#[conformance::test(posix = "sem_init", man = "sem_init(3)")]
fn serve_the_threads_of_one_process() -> Outcome {
    let (told, tell) = pipe()?;
    let process = Participant::spawn("process", tell, |tell, link| {
        let semaphore = Semaphore::placed(&Rc::new(Mapping::anonymous(page_size())?), 0, false, 1)?;
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                write_all(&tell, &thread_id().to_ne_bytes())?;
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
    let thread = read_exactly(&told, 4)?.try_into().map_or(0, i32::from_ne_bytes);
    process.until_thread_blocked(thread)?;
    process.open("blocked")?;
    expect_eq!(process.join()?, Ok((Err(EAGAIN), Ok(()), (Ok(()), Ok(())), Ok(0))));
    Ok(())
}

/// A thread of one process and another process that wait for one semaphore are owed one post each.
#[conformance::test(posix = "sem_init", posix = "sem_post")]
fn serve_threads_and_processes_alike() -> Outcome {
    let semaphore = Semaphore::placed(&memory(1)?, 0, true, 0)?;
    let waiters = Waiters::blocked(&semaphore, 1)?;
    let (told, tell) = pipe()?;
    let process = Participant::spawn("process with a thread", tell, |tell, link| {
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                write_all(&tell, &thread_id().to_ne_bytes())?;
                semaphore.wait()
            });
            link.reached("started");
            waiter.join().map_err(|_| EIO)?
        })
    })?;
    process.until_reached("started")?;
    let thread = read_exactly(&told, 4)?.try_into().map_or(0, i32::from_ne_bytes);
    process.until_thread_blocked(thread)?;
    expect_eq!((semaphore.post(), semaphore.post()), (Ok(()), Ok(())));
    expect_eq!((process.join()?, waiters.next(1), semaphore.drain()), (Ok(()), Ok(vec![0]), Ok(0)));
    Ok(())
}

/// The memory around a semaphore is not its own: making, using and destroying it leave every other byte.
#[conformance::test(posix = "sem_init", posix = "sem_destroy")]
fn keep_to_their_room() -> Outcome {
    let memory = memory(1)?;
    memory.write(0, &vec![0xa5; page_size()]);
    let semaphore = Semaphore::placed(&memory, 8 * ROOM, true, 1)?;
    let used = (semaphore.wait(), semaphore.post(), semaphore.value(), semaphore.destroy().map(drop));
    expect_eq!(used, (Ok(()), Ok(()), Ok(1), Ok(())));
    let around = [memory.read(0, 8 * ROOM), memory.read(9 * ROOM, page_size() - 9 * ROOM)];
    expect!(around.iter().flatten().all(|&byte| byte == 0xa5));
    Ok(())
}

/// Whoever has been let go may do with the memory what it likes: the post that let it go does not touch it any more.
#[conformance::test(posix = "sem_destroy", man = "sem_destroy(3)", fixed_in = "glibc 2.21 (sourceware 12674)")]
fn are_not_touched_by_a_post_that_is_over_for_the_waiter() -> Outcome {
    let memory = memory(1)?;
    let (ready, tell) = pipe()?;
    let waiter = Participant::spawn("waiter", tell, |tell, link| {
        for round in 0..40_u8 {
            let semaphore = Semaphore::placed(&memory, 0, true, 0)?;
            write_all(&tell, &[round])?;
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
