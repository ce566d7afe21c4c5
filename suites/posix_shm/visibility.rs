//! Visibility: a store is there for everybody who has the object mapped, related or not, at once and whole.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use conformance::prelude::*;
use conformance::sys::memory::shm::SharedMemory;
use proptest::collection::vec;

use super::fixture::{contents, pages};

/// An object of so many pages of zeroes.
fn zeroes(count: usize) -> Result<SharedMemory, Errno> {
    let object = SharedMemory::create(&unique_name("zeroes"))?;
    object.set_size(count * page_size())?;
    Ok(object)
}

/// Two processes that know nothing of each other but the name see each other's stores, in turn.
#[conformance::test(posix = "mmap", man = "shm_overview(7)")]
fn is_mutual_between_strangers() -> Outcome {
    let object = zeroes(2)?;
    let mapping = object.map(2 * page_size(), Access::ReadWrite)?;
    let name = object.name().to_owned();
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, link| {
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
        stranger.until_reached("turn")?;
        seen.push(mapping.word(page_size() / 4).load(SeqCst));
        mapping.word(0).store(turn + 1, SeqCst);
        stranger.open("turn")?;
    }
    stranger.until_reached("last turn")?;
    seen.push(mapping.word(page_size() / 4).load(SeqCst));
    stranger.open("last turn")?;
    expect_eq!((stranger.join()?, seen), (Ok(vec![1, 2, 3]), vec![0, 100, 101, 102]));
    Ok(())
}

/// Additions that several processes make to one word, each through its own mapping, all count.
#[conformance::test(posix = "mmap")]
fn loses_no_atomic_addition() -> Outcome {
    const EACH: u32 = 2000;
    let object = zeroes(1)?;
    let adders = (0..4)
        .map(|number| {
            Participant::spawn(&format!("adder {number}"), dup(&object)?, |own, link| {
                let mapping = conformance::sys::memory::mapping::Mapping::new(&own, page_size(), Access::ReadWrite)?;
                link.meet("start");
                for _ in 0..EACH {
                    mapping.word(3).fetch_add(1, Relaxed);
                }
                Ok::<_, Errno>(())
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    for adder in &adders {
        adder.until_reached("start")?;
    }
    for adder in &adders {
        adder.open("start")?;
    }
    for adder in adders {
        adder.join()??;
    }
    expect_eq!(object.map(page_size(), Access::Read)?.word(3).load(SeqCst), 4 * EACH);
    Ok(())
}

/// Of several processes that try to take a word, each through its own mapping, one gets it.
#[conformance::test(posix = "mmap")]
fn gives_a_word_to_one_taker() -> Outcome {
    let object = zeroes(1)?;
    let takers = (1..=4_u32)
        .map(|number| {
            Participant::spawn(&format!("taker {number}"), dup(&object)?, move |own, link| {
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
    for taker in &takers {
        taker.until_reached("start")?;
    }
    for taker in &takers {
        taker.open("start")?;
    }
    let mut taken = Vec::new();
    for taker in takers {
        taken.push(taker.join()??);
    }
    expect_eq!(taken.iter().sum::<usize>(), page_size() / 4);
    let mapping = object.map(page_size(), Access::Read)?;
    let held = |number| (0..page_size() / 4).filter(|&word| mapping.word(word).load(SeqCst) == number).count();
    expect_eq!((1..=4).map(held).collect::<Vec<_>>(), taken);
    Ok(())
}

/// Who sees the later of two stores sees the earlier one, where they are ordered; on different pages too.
#[conformance::test(posix = "mmap")]
fn keeps_the_order_of_stores() -> Outcome {
    const LAST: u32 = 3000;
    let object = zeroes(2)?;
    let writer = Participant::spawn("writer", dup(&object)?, |own, _| {
        let mapping = conformance::sys::memory::mapping::Mapping::new(&own, 2 * page_size(), Access::ReadWrite)?;
        for number in 1..=LAST {
            mapping.word(page_size() / 4).store(number, Relaxed);
            mapping.word(0).store(number, Release);
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
        std::thread::yield_now();
    }
    expect_eq!(writer.join()?, Ok(()));
    Ok(())
}

/// Everything that a stranger stored before it was killed is there, wherever in the object, and nothing else.
#[conformance::test(posix = "mmap", man = "shm_overview(7)")]
fn does_not_end_with_the_one_who_stored() -> Outcome {
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

/// A store into an object whose name is gone reaches those who have it, and no object of that name made since.
#[conformance::test(posix = "shm_unlink", posix = "mmap")]
fn is_that_of_the_object_and_not_of_the_name() -> Outcome {
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
