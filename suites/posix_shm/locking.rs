//! Locking into memory: how much of an object a process may hold there, when that counts and when it ends.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::memory::region::{MapFlags, MsFlags, Region};
use conformance::sys::process::identity::become_user;
use nix::sys::resource::Resource;

use super::fixture::{RW, SHARED, pages};

/// Pages that are locked cannot be invalidated; unlocked they can.
#[conformance::test(posix = "msync", man = "msync(2)")]
fn keeps_pages_from_being_invalidated() -> Outcome {
    let object = pages(2)?;
    let region = Region::map(&object, 2 * page_size(), RW, SHARED, 0)?;
    region.lock(page_size(), 1)?;
    let flags = MsFlags::MS_ASYNC | MsFlags::MS_INVALIDATE;
    expect_eq!((region.sync(0, 2 * page_size(), flags), region.sync(0, page_size(), flags)), (Err(EBUSY), Ok(())));
    region.unlock(page_size(), 1)?;
    expect_eq!(region.sync(0, 2 * page_size(), flags), Ok(()));
    Ok(())
}

/// Lets the second user try with a limit of so many pages that may be locked.
fn with_limit<T>(limit: usize, body: impl FnOnce(Region) -> Result<T, Errno>) -> Result<T, Failure>
where
    T: serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let object = pages(4)?;
    let (user, group) = second_user();
    let locker = Participant::spawn("locker", dup(&object)?, |object, _| {
        super::fixture::limit(Resource::RLIMIT_MEMLOCK, limit * page_size())?;
        become_user(user, group)?;
        body(Region::map(&object, 4 * page_size(), RW, SHARED, 0)?)
    })?;
    Ok(locker.join()??)
}

/// An unprivileged process locks as many pages as its limit allows and not one more; each page counts once however often it is
/// locked, and unlocked pages make room.
#[conformance::test(man = "mlock(2)", needs(second_user))]
fn reaches_up_to_the_limit() -> Outcome {
    let page = page_size();
    let seen = with_limit(2, |region| {
        let too_many = region.lock(0, 3 * page);
        let two = region.lock(page - 1, 2);
        let again = region.lock(0, 2 * page);
        let third = region.lock(2 * page, 1);
        region.unlock(0, 1)?;
        Ok((too_many, two, again, third, region.lock(2 * page, 1), region.read(0, 4 * page) == pattern(4 * page)))
    })?;
    expect_eq!(seen, (Err(ENOMEM), Ok(()), Ok(()), Err(ENOMEM), Ok(()), true));
    Ok(())
}

/// With a limit of nothing an unprivileged process may lock nothing at all.
#[conformance::test(man = "mlock(2)", needs(second_user))]
fn is_refused_without_a_limit() -> Outcome {
    expect_eq!(with_limit(0, |region| Ok((region.lock(0, 1), region.unlock(0, 1))))?, (Err(EPERM), Ok(())));
    Ok(())
}

/// Pages that are unmapped are unlocked by that.
#[conformance::test(posix = "munmap", man = "mlock(2)", needs(second_user))]
fn ends_with_the_mapping() -> Outcome {
    let page = page_size();
    let seen = with_limit(2, |region| {
        region.lock(0, 2 * page)?;
        let full = region.lock(3 * page, page);
        region.unmap(0, page)?;
        Ok((full, region.lock(3 * page, page)))
    })?;
    expect_eq!(seen, (Err(ENOMEM), Ok(())));
    Ok(())
}

/// A child inherits no lock: it has the whole of the limit before it.
#[conformance::test(posix = "fork", man = "mlock(2)", needs(second_user))]
fn is_not_inherited() -> Outcome {
    let page = page_size();
    let seen = with_limit(2, |region| {
        region.lock(0, 2 * page)?;
        let child = Participant::spawn("child", (), |(), _| (region.lock(2 * page, 2 * page), region.lock(0, page)))?;
        child.join().map_err(|_| ECHILD)
    })?;
    expect_eq!(seen, (Ok(()), Err(ENOMEM)));
    Ok(())
}

/// A mapping that is to be locked from the start is refused where the limit does not allow it; the limit is as it was then.
#[conformance::test(man = "mmap(2)", needs(second_user))]
fn from_the_start_keeps_to_the_limit() -> Outcome {
    let object = pages(4)?;
    let page = page_size();
    let again = object.name().to_owned();
    let (user, group) = second_user();
    conformance::sys::path::attributes::fchown(&object, user, group)?;
    let seen = with_limit(3, |_| {
        let opened = conformance::sys::memory::shm::shm_open(&again, OFlag::O_RDWR, 0)?;
        let map = |count: usize| Region::map(&opened, count * page, RW, SHARED | MapFlags::MAP_LOCKED, 0);
        let refused = map(4).map(drop);
        let locked = map(3)?;
        let more = map(1).map(drop);
        drop(locked);
        Ok((refused, more, map(3).map(drop)))
    })?;
    expect_eq!(seen, (Err(EAGAIN), Err(EAGAIN), Ok(())));
    Ok(())
}
