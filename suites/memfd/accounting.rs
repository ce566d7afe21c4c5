//! Accounting: the memory that a file is said to take up, and the times that it is said to have been used, after each operation.

use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate, pages_of};
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::path::attributes::set_times_through;
use conformance::sys::path::status::times;
use rstest::rstest;

use common::memory_file::{holding, offset, sealable, size};

/// Where the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nowhere: `memfd_create`.
    Nameless,
    /// A shared memory object: `shm_open`.
    Object,
    /// A file in the temporary directory, opened without a name.
    Removed,
}

impl Kind {
    /// An empty file; names are gone already.
    fn file(self) -> Result<OwnedFd, Failure> {
        Ok(match self {
            Kind::Nameless => sealable()?,
            Kind::Object => dup(&SharedMemory::create(&unique_name("counted"))?)?,
            Kind::Removed => {
                let scratch = Scratch::new()?;
                create(&scratch.join("file"), OFlag::O_RDWR, 0o600)?
            }
        })
    }
}

/// `st_blocks` counts whole pages, those that are there and no others, after every kind of change; rewriting, reading and resizing
/// take none.
#[rstest]
#[conformance::test(man = "tmpfs(5)", man = "stat(2)")]
fn counts_each_page_once(#[values(Kind::Nameless, Kind::Object)] kind: Kind) -> Outcome {
    let page = page_size();
    let file = kind.file()?;
    let at_once = usize::try_from(fstat(&file)?.st_blksize);
    expect_eq!((fstat(&file)?.st_blocks, at_once.is_ok_and(|size| size >= page)), (0, true));
    let after = |step: Result<usize, Errno>| step.and_then(|_| pages_of(&file));
    expect_eq!(after(pwrite(&file, b"x", 0)), Ok(1));
    expect_eq!(after(pwrite(&file, &pattern(page), 0)), Ok(1));
    expect_eq!(after(pwrite(&file, b"ab", offset(3 * page) - 1)), Ok(3));
    expect_eq!(after(ftruncate(&file, offset(10 * page)).map(|()| 0)), Ok(3));
    expect_eq!(after(pread(&file, &mut vec![0; 4 * page], offset(5 * page))), Ok(3));
    let mapping = Mapping::new(&file, 10 * page, Access::ReadWrite)?;
    expect_eq!(pages_of(&file), Ok(3));
    mapping.write(7 * page - 1, b"ab");
    expect_eq!(pages_of(&file), Ok(5));
    expect_eq!(after(fallocate(&file, Allocate::empty(), offset(7 * page), offset(2 * page)).map(|()| 0)), Ok(6));
    expect_eq!(after(fallocate(&file, PUNCH, 0, offset(3 * page)).map(|()| 0)), Ok(4));
    expect_eq!(after(ftruncate(&file, offset(6 * page) + 1).map(|()| 0)), Ok(2));
    expect_eq!(after(ftruncate(&file, 0).map(|()| 0)), Ok(0));
    expect_eq!(size(&file), Ok(0));
    Ok(())
}

/// What is left when a process is killed is counted like anything else, and no page is held for the process.
#[conformance::test(man = "tmpfs(5)")]
fn counts_pages_and_not_processes() -> Outcome {
    let page = page_size();
    let file = sealable()?;
    ftruncate(&file, offset(4 * page))?;
    let victim = Participant::spawn("victim", dup(&file)?, move |file, link| -> () {
        let mapping = Mapping::new(&file, 4 * page, Access::ReadWrite).expect("a mapping");
        mapping.write(page, &vec![1; 2 * page]);
        link.reached("touched");
        link.park()
    })?;
    victim.until_reached("touched")?;
    expect_eq!(pages_of(&file), Ok(2));
    victim.kill()?;
    expect_eq!(pages_of(&file), Ok(2));
    ftruncate(&file, 0)?;
    expect_eq!(pages_of(&file), Ok(0));
    Ok(())
}

/// Something that may or may not mark a file as modified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Write,
    WriteNothing,
    Truncate,
    TruncateToTheSameSize,
    Allocate,
    Punch,
    Read,
    Map,
    Chmod,
}

/// What changes the bytes or the size marks a file as modified and changed; what does not leaves its modification time alone.
#[rstest]
#[case::written(Step::Write, Some(true))]
#[case::written_without_bytes(Step::WriteNothing, Some(false))]
#[case::given_another_size(Step::Truncate, Some(true))]
#[case::given_its_size(Step::TruncateToTheSameSize, None)]
#[case::lengthened_by_allocation(Step::Allocate, Some(true))]
#[case::punched(Step::Punch, Some(true))]
#[case::read(Step::Read, Some(false))]
#[case::mapped(Step::Map, Some(false))]
#[case::given_a_mode(Step::Chmod, Some(false))]
#[conformance::test(posix = "write", posix = "ftruncate", man = "inode(7)")]
fn dates_a_file_that_was(
    #[case] step: Step,
    #[case] modifies: Option<bool>,
    #[values(Kind::Nameless, Kind::Object, Kind::Removed)] kind: Kind,
) -> Outcome {
    let file = kind.file()?;
    pwrite(&file, &pattern(100), 0)?;
    set_times_through(&file, 1000, 1000)?;
    let [_, _, before] = times(&fstat(&file)?);
    match step {
        Step::Write => pwrite(&file, b"x", 0).map(drop)?,
        Step::WriteNothing => pwrite(&file, b"", 0).map(drop)?,
        Step::Truncate => ftruncate(&file, 50)?,
        Step::TruncateToTheSameSize => ftruncate(&file, 100)?,
        Step::Allocate => fallocate(&file, Allocate::empty(), 0, 200)?,
        Step::Punch => fallocate(&file, PUNCH, 0, 10)?,
        Step::Read => pread(&file, &mut [0; 10], 0).map(drop)?,
        Step::Map => drop(Mapping::new(&file, 100, Access::ReadWrite)?),
        Step::Chmod => conformance::sys::path::attributes::fchmod(&file, 0o640)?,
    }
    let [_, modified, changed] = times(&fstat(&file)?);
    let is_marked = modified != (1000, 0);
    match modifies {
        Some(expected) => expect_eq!(is_marked, expected),
        None => observe!("posix_shm.truncation-to-the-same-size-modifies", is_marked),
    }
    match (is_marked, step) {
        // Another file system may take the two times one after the other.
        (true, _) if kind == Kind::Removed => expect!(changed >= modified),
        (true, _) => expect_eq!(modified, changed),
        // A clock that has not moved on gives the same time again.
        (false, Step::Chmod) => expect!(changed >= before),
        (false, _) => expect_eq!(changed, before),
    }
    Ok(())
}

/// Whether a write through a mapping marks a file in memory as modified; the standard wants it by the next synchronisation.
#[conformance::test(posix = "mmap", level = observed)]
fn may_date_a_file_that_was_written_through_a_mapping() -> Outcome {
    let file = holding(&pattern(page_size()))?;
    let mapping = Mapping::new(&file, page_size(), Access::ReadWrite)?;
    mapping.read(0, 1);
    set_times_through(&file, 1000, 1000)?;
    mapping.write(0, b"x");
    fsync(&file)?;
    let [_, modified, _] = times(&fstat(&file)?);
    observe!("posix_shm.mapped-write-modifies", modified != (1000, 0));
    Ok(())
}

/// Whether changes by somebody who is not the owner take the set-id bits away; they are never added, and other bits stay.
#[rstest]
#[case::written("written", |file: &OwnedFd| pwrite(file, b"x", 0).map(drop))]
#[case::truncated("truncated", |file: &OwnedFd| ftruncate(file, 1))]
#[case::allocated("allocated", |file: &OwnedFd| fallocate(file, Allocate::empty(), 0, 10_000))]
#[case::punched("punched", |file: &OwnedFd| fallocate(file, PUNCH, 0, 10))]
#[conformance::test(posix = "write", man = "inode(7)", level = observed, needs(second_user))]
fn may_end_privileges_of_a_file_that_was(#[case] how: &str, #[case] change: fn(&OwnedFd) -> Result<(), Errno>) -> Outcome {
    use conformance::sandbox::second_user;
    use conformance::sys::path::attributes::fchmod;
    use conformance::sys::path::status::permissions;
    use conformance::sys::process::identity::become_user;
    let file = holding(&pattern(100))?;
    fchmod(&file, 0o6777)?;
    let other = Participant::spawn("other", dup(&file)?, move |file, _| {
        let (user, group) = second_user();
        become_user(user, group).expect("a second user");
        change(&file)
    })?;
    expect_eq!(other.join()?, Ok(()));
    let left = permissions(&fstat(&file)?);
    observe!(&format!("posix_shm.mode-6777-after-being-{how}"), format!("{left:o}"));
    expect_eq!(left & 0o777, 0o777);
    Ok(())
}
