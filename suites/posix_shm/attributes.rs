//! What `fstat` shows of an object, and when its time stamps are set.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::fd::size::ftruncate;
use conformance::sys::memory::shm::{SharedMemory, shm_open};
use conformance::sys::path::attributes::{fchmod, fchown, set_times_through};
use conformance::sys::path::status::{permissions, times};
use nix::sys::stat::SFlag;

use super::fixture::{CREATE_NEW, Name, pages};

/// Access, modification and change that lie far back, as far as they can be set.
const LONG_AGO: (i64, i64) = (1_000_000, 0);

/// An object of a page whose access and modification were long ago.
fn old_object() -> Result<SharedMemory, Errno> {
    let object = pages(1)?;
    set_times_through(&object, LONG_AGO.0, LONG_AGO.0)?;
    Ok(object)
}

/// Whether access, modification and change of status have been marked since the times were set long ago; the last, which cannot
/// be set, since `before`.
fn marked(object: &SharedMemory, before: (i64, i64)) -> Result<[bool; 3], Errno> {
    let [accessed, modified, changed] = times(&fstat(object)?);
    Ok([accessed != LONG_AGO, modified != LONG_AGO, changed != before])
}

/// Lets the clock that time stamps are taken from go on: at most a few ticks.
fn let_the_clock_tick() -> Result<(), Errno> {
    let name = Name::new("clock");
    let object = name.open(CREATE_NEW, 0o600)?;
    let first = times(&fstat(&object)?)[2];
    while times(&fstat(&object)?)[2] == first {
        fchmod(&object, 0o600)?;
    }
    Ok(())
}

/// An object shows its permissions, its owner and its size, the same through every descriptor.
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

/// The type of an object is left open.
#[conformance::test(posix = "fstat", level = observed)]
fn may_be_those_of_a_file() -> Outcome {
    let status = fstat(&pages(1)?)?;
    let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
    observe!("posix_shm.is-a-regular-file", kind == SFlag::S_IFREG);
    observe!("posix_shm.links", status.st_nlink.to_string());
    Ok(())
}

/// An object has one link, its name; none once that is unlinked, as whoever still has it open can see. Its number stays.
#[cfg(linux)]
#[conformance::test(posix = "shm_unlink", man = "tmpfs(5)")]
fn tell_whether_there_is_a_name() -> Outcome {
    let object = pages(1)?;
    let before = fstat(&object)?;
    conformance::sys::memory::shm::shm_unlink(object.name())?;
    let after = fstat(&object)?;
    expect_eq!((before.st_nlink, after.st_nlink), (1, 0));
    expect_eq!((after.st_ino, after.st_size, permissions(&after)), (before.st_ino, before.st_size, 0o600));
    Ok(())
}

/// The space that an object takes is that of the pages that were written to, and is given back when they are cut off.
#[cfg(linux)]
#[conformance::test(man = "tmpfs(5)", man = "inode(7)")]
fn count_the_pages_written_to() -> Outcome {
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

/// Another owner and group are given by a privileged process, and show everywhere.
#[conformance::test(posix = "fchown", man = "shm_overview(7)", needs(second_user))]
fn can_be_given_another_owner() -> Outcome {
    let object = pages(1)?;
    let (user, group) = second_user();
    expect_eq!(fchown(&object, user, group), Ok(()));
    let status = fstat(&shm_open(object.name(), OFlag::O_RDONLY, 0)?)?;
    expect_eq!((status.st_uid, status.st_gid, permissions(&status)), (user.as_raw(), group.as_raw(), 0o600));
    Ok(())
}

/// A new object is dated by its making, in all three time stamps alike.
#[conformance::test(man = "inode(7)", man = "shm_overview(7)")]
fn are_dated_by_the_making() -> Outcome {
    let earlier = Name::new("earlier");
    let before = times(&fstat(&earlier.open(CREATE_NEW, 0o600)?)?);
    let_the_clock_tick()?;
    let name = Name::new("new");
    let [accessed, modified, changed] = times(&fstat(&name.open(CREATE_NEW, 0o600)?)?);
    expect_eq!((accessed, modified), (changed, changed));
    expect!(changed > before[2], "made at {changed:?}, and another before it at {before:?}");
    Ok(())
}

/// Another size dates modification and change of status, and no access; both when it grows and when it shrinks.
#[conformance::test(man = "ftruncate(2)", man = "inode(7)")]
fn are_dated_by_another_size() -> Outcome {
    for size in [page_size() - 1, page_size() + 1] {
        let object = old_object()?;
        let before = times(&fstat(&object)?)[2];
        let_the_clock_tick()?;
        object.set_size(size)?;
        expect_eq!(marked(&object, before), Ok([false, true, true]), "a size of {size}");
    }
    Ok(())
}

/// A write dates modification and change of status; one of nothing, or one that fails, dates neither.
#[cfg(linux)]
#[conformance::test(posix = "write", man = "inode(7)")]
fn are_dated_by_a_write() -> Outcome {
    let object = old_object()?;
    let reader = shm_open(object.name(), OFlag::O_RDONLY, 0)?;
    let before = times(&fstat(&object)?)[2];
    let_the_clock_tick()?;
    expect_eq!((write(&object, b""), pwrite(&reader, b"x", 0)), (Ok(0), Err(EBADF)));
    expect_eq!(marked(&object, before), Ok([false, false, false]));
    pwrite(&object, b"x", 0)?;
    expect_eq!(marked(&object, before), Ok([false, true, true]));
    Ok(())
}

/// Another mode dates the change of status alone.
#[conformance::test(posix = "fchmod", man = "inode(7)")]
fn are_dated_by_another_mode() -> Outcome {
    let object = old_object()?;
    let before = times(&fstat(&object)?)[2];
    let_the_clock_tick()?;
    fchmod(&object, 0o640)?;
    expect_eq!(marked(&object, before), Ok([false, false, true]));
    Ok(())
}

/// The loss of its name dates the change of status alone.
#[cfg(linux)]
#[conformance::test(posix = "unlink", man = "inode(7)")]
fn are_dated_by_the_loss_of_the_name() -> Outcome {
    let object = old_object()?;
    let before = times(&fstat(&object)?)[2];
    let_the_clock_tick()?;
    conformance::sys::memory::shm::shm_unlink(object.name())?;
    expect_eq!(marked(&object, before), Ok([false, false, true]));
    Ok(())
}

/// Neither looking at an object, nor opening, nor mapping it without a store modifies it.
#[conformance::test(man = "inode(7)")]
fn are_not_dated_by_a_look() -> Outcome {
    let object = old_object()?;
    let before = times(&fstat(&object)?)[2];
    let_the_clock_tick()?;
    let again = shm_open(object.name(), OFlag::O_RDWR, 0)?;
    let bytes = SharedMemory::open(object.name(), Access::ReadWrite)?.map(page_size(), Access::ReadWrite)?.read(0, 3);
    expect_eq!((bytes, fstat(&again)?.st_size), (pattern(3), fstat(&object)?.st_size));
    let [_, modified, changed] = marked(&object, before)?;
    expect_eq!((modified, changed), (false, false));
    Ok(())
}

/// Whether a store through a shared mapping dates the object is left open for what is no file.
#[conformance::test(posix = "mmap", level = observed)]
fn may_be_dated_by_a_store() -> Outcome {
    let object = old_object()?;
    let region =
        conformance::sys::memory::region::Region::map(&object, page_size(), super::fixture::RW, super::fixture::SHARED, 0)?;
    region.write(0, b"stored");
    region.sync(0, page_size(), conformance::sys::memory::region::MsFlags::MS_SYNC)?;
    observe!("posix_shm.dated-by-a-store", times(&fstat(&object)?)[1] != LONG_AGO);
    Ok(())
}
