//! Storms: several processes store into, create and unlink shared memory objects while some of them are killed at random instants
//! and started again.

use std::sync::atomic::Ordering::SeqCst;

use conformance::fault::storm::{Crowd, Nemesis};
use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::memory::mapping::Mapping;
use conformance::sys::memory::shm::{SharedMemory, shm_open};

use super::fixture::{CREATE, Name, contents};

/// Number of words that each step stores, in order.
const WORDS: usize = 16;

/// The steps that a page shows as begun (first word) and finished (last word). `None` if no order of stores results in these words.
fn steps(page: &Mapping, number: usize) -> Option<(u32, u32)> {
    let first = number * page_size() / 4;
    let words: Vec<u32> = (first..first + WORDS).map(|word| page.word(word).load(SeqCst)).collect();
    let (begun, finished) = (words[0], words[WORDS - 1]);
    let in_order = words.windows(2).all(|pair| pair[0] >= pair[1]);
    (in_order && begun - finished <= 1).then_some((begun, finished))
}

/// Stores steps without end into its own page of the named object, continuing with the last step found there.
fn work(name: &str, number: usize) -> Result<(), Errno> {
    let object = SharedMemory::open(name, Access::ReadWrite)?;
    let mapping = object.map(object.size()?, Access::ReadWrite)?;
    drop(object);
    let (_, mut step) = steps(&mapping, number).ok_or(EIO)?;
    loop {
        step += 1;
        for word in 0..WORDS {
            mapping.word(number * page_size() / 4 + word).store(step, SeqCst);
        }
        // Not a wait: the stores continue at full speed, and other processes get their turn on one processor.
        if step.is_multiple_of(16) {
            std::thread::yield_now();
        }
    }
}

/// If three processes store the numbers 1, 2, 3 and so on, each first into word 1, then into word 2, up to word 16 of a page of
/// their own, through `MAP_SHARED` mappings, and are killed at random instants and started again, continuing after the number in
/// word 16, the number in word 16 never decreases. At the end, no word of a page is greater than the word before, and word 1 is
/// equal to word 16 or greater by 1. All other bytes stay 0.
#[conformance::test(posix = "mmap", man = "shm_overview(7)")]
fn stores_stay_in_order_across_kills() -> Outcome {
    const MEMBERS: u8 = 3;
    let object = SharedMemory::create(&unique_name("storm"))?;
    object.set_size(usize::from(MEMBERS) * page_size())?;
    let mapping = object.map(usize::from(MEMBERS) * page_size(), Access::Read)?;
    let name = object.name();
    let mut nemesis = Nemesis::of_this_case();
    let mut crowd =
        Crowd::gather(MEMBERS, |number, _| Participant::spawn("writer", (), move |(), _| work(name, usize::from(number))))?;
    let mut known = [0; MEMBERS as usize];
    for _ in 0..10 {
        let goal = known.iter().sum::<u32>() + 1 + u32::try_from(nemesis.below(500)).unwrap_or(0);
        let mut pause = Pause::default();
        loop {
            let mut done = 0;
            for (number, known) in known.iter_mut().enumerate() {
                let finished = mapping.word(number * page_size() / 4 + WORDS - 1).load(SeqCst);
                expect!(finished >= *known, "writer {number} has finished {finished} steps, and had finished {known}");
                *known = finished;
                done += finished;
            }
            if done >= goal {
                break;
            }
            pause.sleep();
        }
        crowd.strike(&mut nemesis)?;
    }
    crowd.kill_all()?;
    for (number, known) in known.into_iter().enumerate() {
        expect_matches!(steps(&mapping, number), Some((_, finished)) if finished >= known);
        let rest = page_size() - 4 * WORDS;
        expect_eq!(mapping.read(number * page_size() + 4 * WORDS, rest), vec![0; rest]);
    }
    Ok(())
}

/// While two processes that call `shm_open` with `O_CREAT | O_EXCL`, `ftruncate` to 16 and `shm_unlink` on one name in a loop,
/// and store 16 bytes into each object, are killed at random instants and started again, `shm_open` without `O_CREAT` by another
/// process fails with `ENOENT` or opens an object of size 0 or 16. After both are killed, `shm_unlink` returns 0 or fails with
/// `ENOENT`, and `shm_open` with `O_CREAT | O_EXCL` then creates an object of size 0.
#[conformance::test(posix = "shm_open", posix = "shm_unlink")]
fn name_stays_usable_across_kills() -> Outcome {
    let name = Name::new("storm");
    let text = name.text();
    let mut nemesis = Nemesis::of_this_case();
    let mut crowd = Crowd::gather(2, |_, _| {
        Participant::spawn("creator", (), move |(), _| -> Result<(), Errno> {
            loop {
                match shm_open(text, CREATE | OFlag::O_EXCL, 0o600) {
                    Ok(object) => {
                        conformance::sys::fd::size::ftruncate(&object, 16)?;
                        Mapping::new(&object, 16, Access::ReadWrite)?.write(0, &[b'm'; 16]);
                    }
                    Err(EEXIST) => {}
                    Err(other) => return Err(other),
                }
                match conformance::sys::memory::shm::shm_unlink(text) {
                    Ok(()) | Err(ENOENT) => {}
                    Err(other) => return Err(other),
                }
            }
        })
    })?;
    let mut found = Vec::new();
    for _ in 0..12 {
        let mut last = None;
        for _ in 0..nemesis.below(30) {
            match name.open(OFlag::O_RDONLY, 0) {
                Ok(object) => {
                    // The order is not checked: another process may store while the bytes are read.
                    let bytes = contents(&object)?;
                    expect!([0, 16].contains(&bytes.len()) && bytes.iter().all(|byte| [0, b'm'].contains(byte)), "{bytes:?}");
                    last = Some(object);
                }
                Err(errno) => expect_eq!(errno, ENOENT),
            }
        }
        found.extend(last);
        crowd.strike(&mut nemesis)?;
    }
    crowd.kill_all()?;
    for object in found {
        let bytes = contents(&object)?;
        let filled = bytes.iter().take_while(|&&byte| byte == b'm').count();
        expect!([0, 16].contains(&bytes.len()) && bytes[filled..].iter().all(|&byte| byte == 0), "{bytes:?}");
    }
    expect_matches!(name.unlink(), Ok(()) | Err(ENOENT));
    expect_eq!(name.open(CREATE | OFlag::O_EXCL, 0o600).and_then(contents), Ok(vec![]));
    Ok(())
}
