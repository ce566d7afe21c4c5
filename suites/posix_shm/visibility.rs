//! Visibility of stores through `MAP_SHARED` mappings between processes: immediate, atomic by word, in order, and independent of
//! the name and of the process that stored.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use conformance::prelude::*;
use conformance::sys::memory::shm::SharedMemory;
use proptest::collection::vec;

use super::fixture::{contents, pages};

/// An object of `count` pages of zeros.
fn zeros(count: usize) -> Result<SharedMemory, Errno> {
    let object = SharedMemory::create(&unique_name("zeros"))?;
    object.set_size(count * page_size())?;
    Ok(object)
}

/// If two unrelated processes map a shared memory object that each opened by its name, with `MAP_SHARED`, and store in turn, each
/// load returns the last value that the other process stored.
#[conformance::test(posix = "mmap", man = "shm_overview(7)")]
fn is_mutual_between_unrelated_processes() -> Outcome {
    let object = zeros(2)?;
    let mapping = object.map(2 * page_size(), Access::ReadWrite)?;
    let name = object.name().to_owned();
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, link| {
        let mapping = SharedMemory::open(&name, Access::ReadWrite)?.map(2 * page_size(), Access::ReadWrite)?;
        let mut seen = Vec::new();
        for turn in 0..3_u32 {
            link.meet("turn");
            seen.push(mapping.word(0).load(SeqCst));
            mapping.word(page_size() / 4).store(100 + turn, SeqCst);
        }
        link.meet("last turn");
        Ok::<_, Errno>(seen)
    })?;
    let mut seen = Vec::new();
    for turn in 0..3 {
        unrelated.until_reached("turn")?;
        seen.push(mapping.word(page_size() / 4).load(SeqCst));
        mapping.word(0).store(turn + 1, SeqCst);
        unrelated.open("turn")?;
    }
    unrelated.until_reached("last turn")?;
    seen.push(mapping.word(page_size() / 4).load(SeqCst));
    unrelated.open("last turn")?;
    expect_eq!((unrelated.join()?, seen), (Ok(vec![1, 2, 3]), vec![0, 100, 101, 102]));
    Ok(())
}

/// If four processes add 1 to one word 2000 times each with atomic operations, through separate shared mappings at the same time,
/// the word is 8000 afterwards.
#[conformance::test(posix = "mmap")]
fn counts_every_atomic_addition() -> Outcome {
    const EACH: u32 = 2000;
    let object = zeros(1)?;
    let processes = (0..4)
        .map(|number| {
            Participant::spawn(&format!("process {number}"), dup(&object)?, |own, link| {
                let mapping = conformance::sys::memory::mapping::Mapping::new(&own, page_size(), Access::ReadWrite)?;
                link.meet("start");
                for _ in 0..EACH {
                    mapping.word(3).fetch_add(1, Relaxed);
                }
                Ok::<_, Errno>(())
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let_go(&processes, "start")?;
    for process in processes {
        process.join()??;
    }
    expect_eq!(object.map(page_size(), Access::Read)?.word(3).load(SeqCst), 4 * EACH);
    Ok(())
}

/// If four processes each call atomic compare-exchange from 0 to a number of their own on every word of a page, through separate
/// shared mappings at the same time, exactly one of the four calls on each word exchanges the value. Each word then contains the
/// number of the process whose call exchanged it.
#[conformance::test(posix = "mmap")]
fn compare_exchange_succeeds_once_per_word() -> Outcome {
    let object = zeros(1)?;
    let processes = (1..=4_u32)
        .map(|number| {
            Participant::spawn(&format!("process {number}"), dup(&object)?, move |own, link| {
                let mapping = conformance::sys::memory::mapping::Mapping::new(&own, page_size(), Access::ReadWrite)?;
                link.meet("start");
                let words = u32::try_from(page_size() / 4).unwrap_or(0);
                Ok::<_, Errno>(
                    (0..words)
                        .filter(|&word| mapping.word(word as usize).compare_exchange(0, number, SeqCst, SeqCst).is_ok())
                        .count(),
                )
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let_go(&processes, "start")?;
    let mut taken = Vec::new();
    for process in processes {
        taken.push(process.join()??);
    }
    expect_eq!(taken.iter().sum::<usize>(), page_size() / 4);
    let mapping = object.map(page_size(), Access::Read)?;
    let held = |number| (0..page_size() / 4).filter(|&word| mapping.word(word).load(SeqCst) == number).count();
    expect_eq!((1..=4).map(held).collect::<Vec<_>>(), taken);
    Ok(())
}

/// If a process stores a number to one page of a shared mapping and then, with release ordering, to another page, a second
/// process that loads this number from the other page with acquire ordering then loads the same or a later number from the first
/// page.
#[conformance::test(posix = "mmap")]
fn release_store_orders_earlier_stores() -> Outcome {
    const LAST: u32 = 3000;
    let object = zeros(2)?;
    let writer = Participant::spawn("writer", dup(&object)?, |own, _| {
        let mapping = conformance::sys::memory::mapping::Mapping::new(&own, 2 * page_size(), Access::ReadWrite)?;
        for number in 1..=LAST {
            mapping.word(page_size() / 4).store(number, Relaxed);
            mapping.word(0).store(number, Release);
            // Not a wait: the stores continue at full speed, and the reader gets its turn on one processor.
            if number % 64 == 0 {
                std::thread::yield_now();
            }
        }
        Ok::<_, Errno>(())
    })?;
    let mapping = object.map(2 * page_size(), Access::Read)?;
    loop {
        let second = mapping.word(0).load(Acquire);
        let first = mapping.word(page_size() / 4).load(Relaxed);
        expect!(first >= second, "{second} was seen, and then {first}, which was stored before");
        if second == LAST {
            break;
        }
        // Not a wait: a sleep would skip the instants between two stores.
        std::thread::yield_now();
    }
    expect_eq!(writer.join()?, Ok(()));
    Ok(())
}

/// After a process that stored random bytes at random offsets of a `MAP_SHARED` mapping is killed, the shared memory object
/// contains the stored bytes. All other bytes stay as they were.
#[conformance::test(posix = "mmap", man = "shm_overview(7)")]
fn stores_stay_after_the_writer_is_killed() -> Outcome {
    let object = pages(4)?;
    let stores = vec((0..4 * page_size() - 16, vec(0..=255_u8, 1..16)), 1..6);
    property(&stores, |stores| {
        let mut expected = contents(&object)?;
        for (at, bytes) in &stores {
            expected[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        let writer = Participant::spawn("writer", dup(&object)?, |own, link| -> () {
            let mapping =
                conformance::sys::memory::mapping::Mapping::new(&own, 4 * page_size(), Access::ReadWrite).expect("a mapping");
            for (at, bytes) in &stores {
                mapping.write(*at, bytes);
            }
            link.reached("stored");
            link.park()
        })?;
        writer.until_reached("stored")?;
        writer.kill()?;
        expect_eq!(contents(&object), Ok(expected));
        Ok(())
    })
}

/// After `shm_unlink` and creation of a new object of the same name, a store through a mapping of the unlinked object is read
/// through another mapping of this object. Every byte of the new object stays 0.
#[conformance::test(posix = "shm_unlink", posix = "mmap")]
fn stores_reach_the_unlinked_object() -> Outcome {
    let old = pages(1)?;
    let mapping = old.map(page_size(), Access::Read)?;
    conformance::sys::memory::shm::shm_unlink(old.name())?;
    let new = SharedMemory::create(old.name())?;
    new.set_size(page_size())?;
    let writer = Participant::spawn("writer", dup(&old)?, |old, _| {
        let mapping = conformance::sys::memory::mapping::Mapping::new(&old, page_size(), Access::ReadWrite)?;
        mapping.write(0, b"old");
        Ok::<_, Errno>(())
    })?;
    expect_eq!((writer.join()?, mapping.read(0, 3)), (Ok(()), b"old".to_vec()));
    expect_eq!(contents(&new), Ok(vec![0; page_size()]));
    Ok(())
}
