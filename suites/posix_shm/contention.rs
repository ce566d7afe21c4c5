//! Several processes use one shared memory object or one name at the same time: first stores to a page, `shm_open` and
//! `shm_unlink`, appended records, and `ftruncate`.

use conformance::prelude::*;
use conformance::sys::memory::mapping::Mapping;
use conformance::sys::memory::region::Region;
use conformance::sys::memory::shm::SharedMemory;

use super::fixture::{CREATE_NEW, Name, RW, SHARED, contents};

/// Number of processes.
const COUNT: u8 = 4;
const PROCESSES: usize = COUNT as usize;

/// If four processes each store one byte at a place of their own into every page of an object that has no allocated page, through
/// separate `MAP_SHARED` mappings at the same time, every page contains all four bytes afterwards.
#[conformance::test(posix = "mmap")]
fn first_stores_to_a_page_all_count() -> Outcome {
    const PAGES: usize = 48;
    let object = SharedMemory::create(&unique_name("first"))?;
    object.set_size(PAGES * page_size())?;
    together("process", COUNT, |number| {
        let number = usize::from(number);
        let mapping = Mapping::new(&object, PAGES * page_size(), Access::ReadWrite)?;
        for page in 0..PAGES {
            mapping.write(page * page_size() + number, &[b'a' + u8::try_from(number).unwrap_or(0)]);
        }
        Ok(())
    })?;
    let mapping = object.map(PAGES * page_size(), Access::Read)?;
    for page in 0..PAGES {
        expect_eq!(mapping.read(page * page_size(), 6), b"abcd\0\0".to_vec(), "page {page}");
    }
    Ok(())
}

/// If four processes each call `shm_open` with `O_CREAT | O_EXCL` and then `shm_unlink` on one name 60 times at the same time,
/// `shm_open` returns a descriptor or fails with `EEXIST`, `shm_unlink` returns 0 or fails with `ENOENT`, and as many
/// `shm_unlink` calls return 0 as `shm_open` calls return a descriptor. Afterwards `shm_open` without `O_CREAT` fails with
/// `ENOENT`.
#[conformance::test(posix = "shm_open", posix = "shm_unlink")]
fn each_creation_is_unlinked_once() -> Outcome {
    let name = Name::new("turns");
    let counts = together("process", COUNT, |_| {
        let (mut created, mut unlinked) = (0, 0);
        for _ in 0..60 {
            match name.open(CREATE_NEW, 0o600) {
                Ok(_) => created += 1,
                Err(EEXIST) => {}
                Err(other) => return Err(other),
            }
            match name.unlink() {
                Ok(()) => unlinked += 1,
                Err(ENOENT) => {}
                Err(other) => return Err(other),
            }
        }
        Ok((created, unlinked))
    })?;
    let created: usize = counts.iter().map(|&(created, _)| created).sum();
    let unlinked: usize = counts.iter().map(|&(_, unlinked)| unlinked).sum();
    // The last call of each process is `shm_unlink`, so that no name is left.
    expect_eq!((created - unlinked, name.visit(OFlag::O_RDONLY)), (0, Err(ENOENT)));
    Ok(())
}

/// If four processes each open one empty shared memory object, set `O_APPEND` with `fcntl(F_SETFL)` and `write` 60 records of 150
/// bytes at the same time, each `write` returns 150, and the object contains exactly the 240 records. Each record is contiguous,
/// and the records of each process are in the order of its `write` calls.
#[cfg(linux)]
#[conformance::test(man = "open(2)", man = "shm_overview(7)")]
fn appended_records_are_whole_and_ordered() -> Outcome {
    const RECORDS: usize = 60;
    /// Not a divisor of any page size: records lie across pages.
    const LENGTH: usize = 150;
    let object = SharedMemory::create(&unique_name("append"))?;
    let name = object.name();
    together("writer", COUNT, |number| {
        let number = usize::from(number);
        let own = conformance::sys::memory::shm::shm_open(name, OFlag::O_RDWR, 0)?;
        set_status_flags(&own, OFlag::O_APPEND)?;
        for record in 0..RECORDS {
            let mut bytes = [u8::try_from(number).unwrap_or(0); LENGTH];
            bytes[1] = u8::try_from(record).unwrap_or(0);
            if write(&own, &bytes)? != LENGTH {
                return Err(EIO);
            }
        }
        Ok(())
    })?;
    let bytes = contents(&object)?;
    expect_eq!(bytes.len(), PROCESSES * RECORDS * LENGTH);
    let mut next = [0; PROCESSES];
    for record in bytes.chunks(LENGTH) {
        let number = usize::from(record[0]);
        expect!(number < PROCESSES && record[2..].iter().all(|&byte| byte == record[0]), "a torn record: {record:?}");
        expect_eq!(usize::from(record[1]), next[number]);
        next[number] += 1;
    }
    expect_eq!(next, [RECORDS; PROCESSES]);
    Ok(())
}

/// While one process changes the size of a shared memory object of four pages with `ftruncate` again and again, each `read` of 5
/// bytes by three other processes, from a pipe with 5 unread bytes into a mapped page of the object, returns 0 to 5 or fails with
/// `EFAULT`. Afterwards `ftruncate` to 0 returns 0 and `fstat` returns `st_blocks` 0, and after `ftruncate` to four pages every
/// byte is 0.
#[conformance::test(posix = "ftruncate", man = "shm_overview(7)", level = customary)]
fn truncated_pages_are_freed() -> Outcome {
    let object = SharedMemory::create(&unique_name("cut"))?;
    let (page, whole) = (page_size(), 4 * page_size());
    object.set_size(whole)?;
    together("process", COUNT, |number| {
        let number = usize::from(number);
        let region = Region::map(&object, whole, RW, SHARED, 0)?;
        let (reader, writer) = pipe()?;
        for round in 0..40 {
            if number == 0 {
                object.set_size(if round % 2 == 0 { round % 3 * page + 1 } else { whole })?;
            } else {
                write_all(&writer, b"stale")?;
                // With `read`, which fails for a page beyond the end, in place of a signal.
                match region.read_in((round + number) % 4 * page + 100, 5, &reader) {
                    Ok(5) => {}
                    Ok(_) | Err(EFAULT) => drop(read_some(&reader, 5)?),
                    Err(other) => return Err(other),
                }
            }
        }
        Ok(())
    })?;
    expect_eq!((object.set_size(0), fstat(&object)?.st_blocks), (Ok(()), 0));
    expect_eq!((object.set_size(whole), contents(&object)), (Ok(()), Ok(vec![0; whole])));
    Ok(())
}

/// If four processes each call `ftruncate` 40 times with different sizes on one object of four pages at the same time, and each
/// process also sets sizes of at most one page, every call returns 0, and `fstat` then returns the size of the last call of one
/// of the four processes. After `ftruncate` to four pages, all bytes beyond the first page are 0.
#[conformance::test(posix = "ftruncate")]
fn concurrent_sizes_take_effect_in_turn() -> Outcome {
    let object = super::fixture::pages(4)?;
    together("process", COUNT, |number| {
        let number = usize::from(number);
        for round in 0..40 {
            object.set_size((1 + (round + number) % 4) * page_size() - number)?;
        }
        Ok(())
    })?;
    let size = object.size()?;
    let possible: Vec<usize> = (0..PROCESSES).map(|number| (1 + (39 + number) % 4) * page_size() - number).collect();
    expect!(possible.contains(&size), "{size} is none of the last sizes, {possible:?}");
    object.set_size(4 * page_size())?;
    let bytes = contents(&object)?;
    // Each process has set the size to one page less its number: at most the first page is left.
    let kept = bytes.iter().zip(pattern(4 * page_size())).take_while(|&(&seen, written)| seen == written).count();
    expect!(kept <= page_size() && bytes[page_size()..].iter().all(|&byte| byte == 0), "{kept} bytes are left");
    Ok(())
}
