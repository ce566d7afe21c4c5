//! Contention: several processes at one object or one name at the same time. Nothing is lost, doubled or left behind.

use conformance::prelude::*;
use conformance::sys::memory::mapping::Mapping;
use conformance::sys::memory::region::Region;
use conformance::sys::memory::shm::SharedMemory;

use super::fixture::{CREATE_NEW, Name, RW, SHARED, contents};

/// How many processes there are.
const CROWD: usize = 4;

/// Lets processes that were spawned begin together, and gives what they return.
fn together<T>(name: &str, body: impl Fn(usize) -> Result<T, Errno>) -> Result<Vec<T>, Failure>
where
    T: serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let crowd = (0..CROWD)
        .map(|number| {
            Participant::spawn_inheriting(&format!("{name} {number}"), |link| {
                link.meet("start");
                body(number)
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    for member in &crowd {
        member.until_reached("start")?;
    }
    for member in &crowd {
        member.open("start")?;
    }
    let mut values = Vec::new();
    for member in crowd {
        values.push(member.join()??);
    }
    Ok(values)
}

/// A page that several processes are the first to use is one page: the byte that each of them stores is there.
#[conformance::test(posix = "mmap")]
fn makes_one_page_of_several_first_uses() -> Outcome {
    const PAGES: usize = 48;
    let object = SharedMemory::create(&unique_name("first"))?;
    object.set_size(PAGES * page_size())?;
    together("first user", |number| {
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

/// Names come and go in pairs: of exclusive makings and of unlinkings as many succeed, but for the one that may be left.
#[conformance::test(posix = "shm_open", posix = "shm_unlink")]
fn gives_each_name_to_one_maker_and_one_unlinker() -> Outcome {
    let name = Name::new("turns");
    let counts = together("user", |_| {
        let (mut made, mut unlinked) = (0, 0);
        for _ in 0..60 {
            match name.open(CREATE_NEW, 0o600) {
                Ok(_) => made += 1,
                Err(EEXIST) => {}
                Err(other) => return Err(other),
            }
            match name.unlink() {
                Ok(()) => unlinked += 1,
                Err(ENOENT) => {}
                Err(other) => return Err(other),
            }
        }
        Ok((made, unlinked))
    })?;
    let made: usize = counts.iter().map(|&(made, _)| made).sum();
    let unlinked: usize = counts.iter().map(|&(_, unlinked)| unlinked).sum();
    // Everybody unlinks last, so that nothing is left.
    expect_eq!((made - unlinked, name.visit(OFlag::O_RDONLY)), (0, Err(ENOENT)));
    Ok(())
}

/// Records that several processes append are all there, each whole and each process's in its order.
#[cfg(linux)]
#[conformance::test(posix = "write", man = "open(2)")]
fn keeps_every_record_that_is_appended() -> Outcome {
    const RECORDS: usize = 60;
    /// Not a divisor of any page size: records lie across pages.
    const LENGTH: usize = 150;
    let object = SharedMemory::create(&unique_name("append"))?;
    let name = object.name();
    together("writer", |number| {
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
    expect_eq!(bytes.len(), CROWD * RECORDS * LENGTH);
    let mut next = [0; CROWD];
    for record in bytes.chunks(LENGTH) {
        let number = usize::from(record[0]);
        expect!(number < CROWD && record[2..].iter().all(|&byte| byte == record[0]), "a torn record: {record:?}");
        expect_eq!(usize::from(record[1]), next[number]);
        next[number] += 1;
    }
    expect_eq!(next, [RECORDS; CROWD]);
    Ok(())
}

/// While one process cuts an object off and gives it back, others who use its pages get pages or errors, and never old bytes
/// once it is over; no page is left behind.
#[conformance::test(posix = "ftruncate", posix = "mmap")]
fn leaves_no_page_of_what_was_cut_off() -> Outcome {
    let object = SharedMemory::create(&unique_name("cut"))?;
    let (page, whole) = (page_size(), 4 * page_size());
    object.set_size(whole)?;
    together("user", |number| {
        let region = Region::map(&object, whole, RW, SHARED, 0)?;
        let (reader, writer) = pipe()?;
        for round in 0..40 {
            if number == 0 {
                object.set_size(if round % 2 == 0 { round % 3 * page + 1 } else { whole })?;
            } else {
                write_all(&writer, b"stale")?;
                // Through calls, for which a page that is gone is an error.
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

/// Sizes that several processes set at the same time follow each other: the last one stands, with zeroes behind the smallest.
#[conformance::test(posix = "ftruncate")]
fn puts_sizes_one_after_the_other() -> Outcome {
    let object = super::fixture::pages(4)?;
    together("resizer", |number| {
        for round in 0..40 {
            object.set_size((1 + (round + number) % 4) * page_size() - number)?;
        }
        Ok(())
    })?;
    let size = object.size()?;
    let possible: Vec<usize> = (0..CROWD).map(|number| (1 + (39 + number) % 4) * page_size() - number).collect();
    expect!(possible.contains(&size), "{size} is none of the last sizes, {possible:?}");
    object.set_size(4 * page_size())?;
    let bytes = contents(&object)?;
    // Each process has set a size of one page less its number: no more than that is left.
    let kept = bytes.iter().zip(pattern(4 * page_size())).take_while(|&(&seen, written)| seen == written).count();
    expect!(kept <= page_size() && bytes[page_size()..].iter().all(|&byte| byte == 0), "{kept} bytes are left");
    Ok(())
}
