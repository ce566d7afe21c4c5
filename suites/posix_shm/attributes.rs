//! `fstat` on a shared memory object: permissions, owner, size, link count, blocks and timestamps.

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sandbox::second_user;
use conformance::sys::fd::size::ftruncate;
use conformance::sys::memory::shm::{SharedMemory, shm_open};
use conformance::sys::path::attributes::{fchmod, fchown, set_times_through};
use conformance::sys::path::status::{permissions, times};
use nix::sys::stat::SFlag;

use super::fixture::{CREATE_NEW, Name, pages};

/// A timestamp far in the past, for access and modification.
const LONG_AGO: (i64, i64) = (1_000_000, 0);

/// An object of one page with `st_atime` and `st_mtime` far in the past.
fn old_object() -> Result<SharedMemory, Errno> {
    let object = pages(1)?;
    set_times_through(&object, LONG_AGO.0, LONG_AGO.0)?;
    Ok(object)
}

/// Whether `st_atime`, `st_mtime` and `st_ctime` have been updated: the first two since they were set to the past, `st_ctime`, which
/// cannot be set, since `before`.
fn updated(object: &SharedMemory, before: (i64, i64)) -> Result<[bool; 3], Errno> {
    let [accessed, modified, changed] = times(&fstat(object)?);
    Ok([accessed != LONG_AGO, modified != LONG_AGO, changed != before])
}

/// Waits until the clock for timestamps has advanced, at most a few ticks.
fn let_the_clock_tick() -> Result<(), Errno> {
    let name = Name::new("clock");
    let object = name.open(CREATE_NEW, 0o600)?;
    let first = times(&fstat(&object)?)[2];
    let mut pause = Pause::default();
    while times(&fstat(&object)?)[2] == first {
        pause.sleep();
        fchmod(&object, 0o600)?;
    }
    Ok(())
}

/// `fstat` on the descriptor from the creating `shm_open`, and on one from a later `shm_open` with `O_RDONLY`, returns the same
/// permission bits, the size in bytes, and the effective user and group of the creator.
#[conformance::test(posix = "shm_open", posix = "fstat")]
fn are_the_same_through_every_descriptor() -> Outcome {
    let name = Name::new("attributes");
    let made = name.open(CREATE_NEW, 0o640)?;
    ftruncate(&made, 77)?;
    let reader = name.open(OFlag::O_RDONLY, 0)?;
    for status in [fstat(&made)?, fstat(&reader)?] {
        let owner = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        expect_eq!((permissions(&status), status.st_size, (status.st_uid, status.st_gid)), (0o640, 77, owner));
    }
    Ok(())
}

/// `fstat` on a shared memory object returns any file type in `st_mode` and any `st_nlink`, as POSIX leaves both open. Whether
/// the type is `S_IFREG`, and the value of `st_nlink`, are recorded.
#[conformance::test(posix = "fstat", level = observed)]
fn may_show_a_regular_file() -> Outcome {
    let status = fstat(&pages(1)?)?;
    let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
    observe!("posix_shm.is-regular-file", kind == SFlag::S_IFREG);
    observe!("posix_shm.link-count", status.st_nlink.to_string());
    Ok(())
}

/// `fstat` on an open shared memory object returns `st_nlink` 1 before `shm_unlink` and `st_nlink` 0 after it. `st_ino`,
/// `st_size` and permission bits stay the same.
#[cfg(linux)]
#[conformance::test(posix = "shm_unlink", man = "tmpfs(5)", level = customary)]
fn link_count_drops_to_zero_on_unlink() -> Outcome {
    let object = pages(1)?;
    let before = fstat(&object)?;
    conformance::sys::memory::shm::shm_unlink(object.name())?;
    let after = fstat(&object)?;
    expect_eq!((before.st_nlink, after.st_nlink), (1, 0));
    expect_eq!((after.st_ino, after.st_size, permissions(&after)), (before.st_ino, before.st_size, 0o600));
    Ok(())
}

/// `fstat` on a shared memory object returns in `st_blocks` the size of the pages that were stored into, in units of 512 bytes.
/// `ftruncate` to a smaller size lowers `st_blocks` by the removed pages.
#[cfg(linux)]
#[conformance::test(man = "tmpfs(5)", man = "inode(7)")]
fn blocks_count_the_written_pages() -> Outcome {
    let object = SharedMemory::create(&unique_name("blocks"))?;
    let page = page_size();
    object.set_size(8 * page)?;
    let blocks = || Ok::<_, Errno>(usize::try_from(fstat(&object)?.st_blocks).unwrap_or(0) * 512 / page);
    let mapping = object.map(8 * page, Access::ReadWrite)?;
    expect_eq!(blocks(), Ok(0));
    mapping.write(3 * page - 1, b"xy");
    expect_eq!(blocks(), Ok(2));
    mapping.write(7 * page, b"z");
    expect_eq!(blocks(), Ok(3));
    object.set_size(3 * page + 1)?;
    expect_eq!(blocks(), Ok(2));
    object.set_size(3 * page)?;
    expect_eq!(blocks(), Ok(1));
    object.set_size(0)?;
    expect_eq!(blocks(), Ok(0));
    Ok(())
}

/// `fchown` on a shared memory object by a privileged process returns 0. `fstat` on another descriptor of the object returns the
/// new user and group and the same permission bits.
#[conformance::test(posix = "fchown", man = "shm_overview(7)", needs(second_user))]
fn fchown_sets_user_and_group() -> Outcome {
    let object = pages(1)?;
    let (user, group) = second_user();
    expect_eq!(fchown(&object, user, group), Ok(()));
    let status = fstat(&shm_open(object.name(), OFlag::O_RDONLY, 0)?)?;
    expect_eq!((status.st_uid, status.st_gid, permissions(&status)), (user.as_raw(), group.as_raw(), 0o600));
    Ok(())
}

/// `fstat` on an object that `shm_open` has just created returns one and the same time in `st_atime`, `st_mtime` and `st_ctime`.
/// This time is later than `st_ctime` of an object that was created before the clock advanced.
#[conformance::test(man = "inode(7)", man = "shm_overview(7)")]
fn creation_sets_all_timestamps() -> Outcome {
    let earlier = Name::new("earlier");
    let before = times(&fstat(&earlier.open(CREATE_NEW, 0o600)?)?);
    let_the_clock_tick()?;
    let name = Name::new("new");
    let [accessed, modified, changed] = times(&fstat(&name.open(CREATE_NEW, 0o600)?)?);
    expect_eq!((accessed, modified), (changed, changed));
    expect!(changed > before[2], "created at {changed:?}, and an earlier object at {before:?}");
    Ok(())
}

/// `ftruncate` of a shared memory object to a smaller or greater size updates `st_mtime` and `st_ctime`. `st_atime` stays as it
/// was.
#[conformance::test(man = "ftruncate(2)", man = "inode(7)")]
fn ftruncate_updates_mtime_and_ctime() -> Outcome {
    for size in [page_size() - 1, page_size() + 1] {
        let object = old_object()?;
        let before = times(&fstat(&object)?)[2];
        let_the_clock_tick()?;
        object.set_size(size)?;
        expect_eq!(updated(&object, before), Ok([false, true, true]), "a size of {size}");
    }
    Ok(())
}

/// `pwrite` of one byte to a shared memory object updates `st_mtime` and `st_ctime`. `write` of 0 bytes, and `pwrite` that fails
/// with `EBADF` on a descriptor opened with `O_RDONLY`, leave all timestamps as they were.
#[cfg(linux)]
#[conformance::test(man = "inode(7)", man = "shm_overview(7)")]
fn write_updates_mtime_and_ctime() -> Outcome {
    let object = old_object()?;
    let reader = shm_open(object.name(), OFlag::O_RDONLY, 0)?;
    let before = times(&fstat(&object)?)[2];
    let_the_clock_tick()?;
    expect_eq!((write(&object, b""), pwrite(&reader, b"x", 0)), (Ok(0), Err(EBADF)));
    expect_eq!(updated(&object, before), Ok([false, false, false]));
    pwrite(&object, b"x", 0)?;
    expect_eq!(updated(&object, before), Ok([false, true, true]));
    Ok(())
}

/// `fchmod` on a shared memory object updates `st_ctime`. `st_atime` and `st_mtime` stay as they were.
#[conformance::test(posix = "fchmod", man = "inode(7)")]
fn fchmod_updates_ctime() -> Outcome {
    let object = old_object()?;
    let before = times(&fstat(&object)?)[2];
    let_the_clock_tick()?;
    fchmod(&object, 0o640)?;
    expect_eq!(updated(&object, before), Ok([false, false, true]));
    Ok(())
}

/// `shm_unlink` updates `st_ctime` of a shared memory object that is still open. `st_atime` and `st_mtime` stay as they were.
#[cfg(linux)]
#[conformance::test(man = "shm_overview(7)", man = "inode(7)", level = customary)]
fn shm_unlink_updates_ctime() -> Outcome {
    let object = old_object()?;
    let before = times(&fstat(&object)?)[2];
    let_the_clock_tick()?;
    conformance::sys::memory::shm::shm_unlink(object.name())?;
    expect_eq!(updated(&object, before), Ok([false, false, true]));
    Ok(())
}

/// `shm_open` of an existing object with `O_RDWR`, `fstat`, `mmap` with `MAP_SHARED`, and a load through the mapping leave
/// `st_mtime` and `st_ctime` of the object as they were.
#[conformance::test(man = "inode(7)")]
fn reading_leaves_mtime_and_ctime() -> Outcome {
    let object = old_object()?;
    let before = times(&fstat(&object)?)[2];
    let_the_clock_tick()?;
    let again = shm_open(object.name(), OFlag::O_RDWR, 0)?;
    let bytes = SharedMemory::open(object.name(), Access::ReadWrite)?.map(page_size(), Access::ReadWrite)?.read(0, 3);
    expect_eq!((bytes, fstat(&again)?.st_size), (pattern(3), fstat(&object)?.st_size));
    let [_, modified, changed] = updated(&object, before)?;
    expect_eq!((modified, changed), (false, false));
    Ok(())
}

/// A store through a shared mapping followed by `msync` with `MS_SYNC` updates `st_mtime` of the shared memory object or leaves
/// it as it was. Both results are accepted and recorded.
#[conformance::test(posix = "mmap", level = observed)]
fn store_may_update_mtime() -> Outcome {
    let object = old_object()?;
    let region =
        conformance::sys::memory::region::Region::map(&object, page_size(), super::fixture::RW, super::fixture::SHARED, 0)?;
    region.write(0, b"stored");
    region.sync(0, page_size(), conformance::sys::memory::region::MsFlags::MS_SYNC)?;
    observe!("posix_shm.store-updates-mtime", times(&fstat(&object)?)[1] != LONG_AGO);
    Ok(())
}
