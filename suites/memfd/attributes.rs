//! `fstat` on files in memory: `st_blocks` and timestamps after each operation, set-user-ID bits after changes by another user,
//! and extended attributes.

use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate, pages_of};
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::path::attributes::set_times_through;
use conformance::sys::path::status::times;
use conformance::sys::path::xattr::{attribute, remove_attribute, set_attribute};
use rstest::rstest;

use common::memory_file::{content, holding, sealable, size};

/// The kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// From `memfd_create`.
    Memfd,
    /// A shared memory object from `shm_open`.
    ShmObject,
    /// An unlinked file of the temporary directory.
    UnlinkedFile,
}

impl Kind {
    /// An empty file, without a name.
    fn file(self) -> Result<OwnedFd, Failure> {
        Ok(match self {
            Kind::Memfd => sealable()?,
            Kind::ShmObject => dup(&SharedMemory::create(&unique_name("counted"))?)?,
            Kind::UnlinkedFile => {
                let scratch = Scratch::new()?;
                create(&scratch.join("file"), OFlag::O_RDWR, 0o600)?
            }
        })
    }
}

/// After `pwrite`, stores through a mapping, `fallocate` with and without `FALLOC_FL_PUNCH_HOLE`, and `ftruncate` to a smaller
/// size, `fstat` returns in `st_blocks` the size of the allocated pages in units of 512 bytes. `pwrite` into an allocated page,
/// `pread` from a hole, and `ftruncate` to a greater size leave `st_blocks` as it was.
#[rstest]
#[conformance::test(man = "tmpfs(5)", man = "stat(2)")]
fn st_blocks_counts_allocated_pages(#[values(Kind::Memfd, Kind::ShmObject)] kind: Kind) -> Outcome {
    let page = page_size();
    let file = kind.file()?;
    let block_size = usize::try_from(fstat(&file)?.st_blksize);
    expect_eq!((fstat(&file)?.st_blocks, block_size.is_ok_and(|size| size >= page)), (0, true));
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

/// After a process that stored into two pages of a `MAP_SHARED` mapping of an empty hole is killed, `st_blocks` still counts
/// these two pages. After `ftruncate` to 0, `st_blocks` is 0.
#[conformance::test(man = "tmpfs(5)")]
fn st_blocks_keeps_pages_of_a_killed_process() -> Outcome {
    let page = page_size();
    let file = sealable()?;
    ftruncate(&file, offset(4 * page))?;
    let victim = Participant::spawn("victim", dup(&file)?, move |file, link| -> () {
        let mapping = Mapping::new(&file, 4 * page, Access::ReadWrite).expect("a mapping");
        mapping.write(page, &vec![1; 2 * page]);
        link.reached("stored");
        link.park()
    })?;
    victim.until_reached("stored")?;
    expect_eq!(pages_of(&file), Ok(2));
    victim.kill()?;
    expect_eq!(pages_of(&file), Ok(2));
    ftruncate(&file, 0)?;
    expect_eq!(pages_of(&file), Ok(0));
    Ok(())
}

/// An operation that may update `st_mtime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Write,
    WriteZeroBytes,
    Truncate,
    TruncateToSameSize,
    Allocate,
    Punch,
    Read,
    Map,
    Chmod,
}

impl Step {
    fn take(self, file: &OwnedFd) -> Result<(), Errno> {
        match self {
            Step::Write => pwrite(file, b"x", 0).map(drop),
            Step::WriteZeroBytes => pwrite(file, b"", 0).map(drop),
            Step::Truncate => ftruncate(file, 50),
            Step::TruncateToSameSize => ftruncate(file, 100),
            Step::Allocate => fallocate(file, Allocate::empty(), 0, 200),
            Step::Punch => fallocate(file, PUNCH, 0, 10),
            Step::Read => pread(file, &mut [0; 10], 0).map(drop),
            Step::Map => Mapping::new(file, 100, Access::ReadWrite).map(drop),
            Step::Chmod => fchmod(file, 0o640),
        }
    }
}

/// `pwrite` of one byte, `ftruncate` to another size, and `fallocate` with and without `FALLOC_FL_PUNCH_HOLE` update `st_mtime`
/// and `st_ctime` of a memfd, a shared memory object and an unlinked file. `pwrite` of 0 bytes, `pread`, `mmap` and `fchmod`
/// leave `st_mtime` as it was; for `ftruncate` to the current size, whether `st_mtime` is updated is recorded.
#[rstest]
#[case::write(Step::Write, Some(true))]
#[case::write_of_zero_bytes(Step::WriteZeroBytes, Some(false))]
#[case::ftruncate(Step::Truncate, Some(true))]
#[case::ftruncate_to_same_size(Step::TruncateToSameSize, None)]
#[case::fallocate(Step::Allocate, Some(true))]
#[case::punch_hole(Step::Punch, Some(true))]
#[case::read(Step::Read, Some(false))]
#[case::mmap(Step::Map, Some(false))]
#[case::fchmod(Step::Chmod, Some(false))]
#[conformance::test(posix = "write", posix = "ftruncate", man = "inode(7)", level = documented)]
fn mtime_is_updated_by_changes(
    #[case] step: Step,
    #[case] modifies: Option<bool>,
    #[values(Kind::Memfd, Kind::ShmObject, Kind::UnlinkedFile)] kind: Kind,
) -> Outcome {
    let file = kind.file()?;
    pwrite(&file, &pattern(100), 0)?;
    set_times_through(&file, 1000, 1000)?;
    let [_, _, before] = times(&fstat(&file)?);
    step.take(&file)?;
    let [_, modified, changed] = times(&fstat(&file)?);
    let is_updated = modified != (1000, 0);
    match modifies {
        Some(expected) => expect_eq!(is_updated, expected),
        None => observe!("memfd.ftruncate-to-same-size-updates-mtime", is_updated),
    }
    match (is_updated, step) {
        // A file system may read the clock once for each timestamp.
        (true, _) => {
            let in_order = before <= modified && modified <= changed;
            expect!(in_order, "st_ctime was {before:?} and is {changed:?}, and st_mtime is {modified:?}");
        }
        // The clock may not have advanced.
        (false, Step::Chmod) => expect!(changed >= before, "st_ctime is {changed:?}, and was {before:?}"),
        (false, _) => expect_eq!(changed, before),
    }
    Ok(())
}

/// `pwrite` of one byte, `ftruncate` to another size, and `fallocate` with and without `FALLOC_FL_PUNCH_HOLE` each set `st_mtime`
/// and `st_ctime` of a memfd or shared memory object to the same time.
#[rstest]
#[case::write(Step::Write)]
#[case::ftruncate(Step::Truncate)]
#[case::fallocate(Step::Allocate)]
#[case::punch_hole(Step::Punch)]
#[conformance::test(man = "inode(7)", level = customary)]
fn changes_set_mtime_and_ctime_to_one_time(#[case] step: Step, #[values(Kind::Memfd, Kind::ShmObject)] kind: Kind) -> Outcome {
    let file = kind.file()?;
    pwrite(&file, &pattern(100), 0)?;
    set_times_through(&file, 1000, 1000)?;
    step.take(&file)?;
    let [_, modified, changed] = times(&fstat(&file)?);
    expect_eq!(modified, changed);
    Ok(())
}

/// A store through a `MAP_SHARED` mapping of a memory file, followed by `fsync`, updates `st_mtime` or leaves it as it was. Both
/// are accepted and recorded.
#[conformance::test(posix = "mmap", level = observed)]
fn mapped_store_may_update_mtime() -> Outcome {
    let file = holding(&pattern(page_size()))?;
    let mapping = Mapping::new(&file, page_size(), Access::ReadWrite)?;
    mapping.read(0, 1);
    set_times_through(&file, 1000, 1000)?;
    mapping.write(0, b"x");
    fsync(&file)?;
    let [_, modified, _] = times(&fstat(&file)?);
    observe!("memfd.mapped-store-updates-mtime", modified != (1000, 0));
    Ok(())
}

/// After `pwrite`, `ftruncate`, or `fallocate` with or without `FALLOC_FL_PUNCH_HOLE`, by an unprivileged user other than the
/// owner, a memory file of mode 6777 still has the mode bits 0777. Whether each of the set-user-ID and set-group-ID bits is still
/// set is recorded; either is accepted.
#[rstest]
#[case::write("write", |file: &OwnedFd| pwrite(file, b"x", 0).map(drop))]
#[case::ftruncate("ftruncate", |file: &OwnedFd| ftruncate(file, 1))]
#[case::fallocate("fallocate", |file: &OwnedFd| fallocate(file, Allocate::empty(), 0, 10_000))]
#[case::punch_hole("punch-hole", |file: &OwnedFd| fallocate(file, PUNCH, 0, 10))]
#[conformance::test(posix = "write", man = "inode(7)", level = observed, needs(second_user))]
fn changes_by_another_user_may_clear_set_id_bits(
    #[case] operation: &str,
    #[case] change: fn(&OwnedFd) -> Result<(), Errno>,
) -> Outcome {
    use conformance::sandbox::second_user;
    use conformance::sys::path::attributes::fchmod;
    use conformance::sys::path::status::permissions;
    use conformance::sys::process::identity::become_user;
    let file = holding(&pattern(100))?;
    fchmod(&file, 0o6777)?;
    let other = Participant::spawn("second user", dup(&file)?, move |file, _| {
        let (user, group) = second_user();
        become_user(user, group).expect("a second user");
        change(&file)
    })?;
    expect_eq!(other.join()?, Ok(()));
    let left = permissions(&fstat(&file)?);
    observe!(&format!("memfd.mode-6777-after-{operation}"), format!("{left:o}"));
    expect_eq!(left & 0o777, 0o777);
    Ok(())
}

/// `fsetxattr` of an attribute `user.name` on a memory file returns 0 or fails with `EOPNOTSUPP`; the result is recorded. If
/// `fsetxattr` returns 0, `fgetxattr` returns the value that was set, and after `fremovexattr` fails with `ENODATA`.
#[conformance::test(man = "xattr(7)", level = observed)]
fn may_support_user_extended_attributes() -> Outcome {
    const CREATE: i32 = 1;
    const REPLACE: i32 = 2;
    let file = holding(b"abc")?;
    let (name, other) = (c"user.name", c"user.other");
    let set = set_attribute(&file, name, b"value", CREATE);
    observe!("memfd.setting-user-attribute", format!("{set:?}"));
    if set == Err(EOPNOTSUPP) {
        return Ok(());
    }
    expect_eq!((set, attribute(&file, name, 100)), (Ok(()), Ok(b"value".to_vec())));
    let missing = Errno::from_raw(nix::errno::Errno::ENODATA as i32);
    expect_eq!((set_attribute(&file, name, b"x", CREATE), set_attribute(&file, other, b"x", REPLACE)), (Err(EEXIST), Err(missing)));
    expect_eq!((attribute(&file, name, 4), attribute(&file, name, 5)), (Err(ERANGE), Ok(b"value".to_vec())));
    expect_eq!((set_attribute(&file, name, b"", 0), attribute(&file, name, 5)), (Ok(()), Ok(vec![])));
    expect_eq!((remove_attribute(&file, name), remove_attribute(&file, name)), (Ok(()), Err(missing)));
    expect_eq!((attribute(&file, name, 5), content(&file)), (Err(missing), Ok(b"abc".to_vec())));
    Ok(())
}
