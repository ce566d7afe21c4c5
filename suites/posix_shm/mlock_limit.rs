//! `RLIMIT_MEMLOCK`: how many pages of a shared memory object an unprivileged process may lock with `mlock` or `MAP_LOCKED`, and
//! when a locked page stops counting.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::memory::region::{MapFlags, Region};
use conformance::sys::process::identity::become_user;
use nix::sys::resource::Resource;

use super::fixture::{RW, SHARED, pages};

/// Runs `body` as the second user, with `RLIMIT_MEMLOCK` set to `limit` pages.
fn with_limit<T>(limit: usize, body: impl FnOnce(Region) -> Result<T, Errno>) -> Result<T, Failure>
where
    T: serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let object = pages(4)?;
    let (user, group) = second_user();
    let process = Participant::spawn("unprivileged process", dup(&object)?, |object, _| {
        super::fixture::limit(Resource::RLIMIT_MEMLOCK, limit * page_size())?;
        become_user(user, group)?;
        body(Region::map(&object, 4 * page_size(), RW, SHARED, 0)?)
    })?;
    Ok(process.join()??)
}

/// `mlock` by an unprivileged process returns 0 for n pages if `RLIMIT_MEMLOCK` is n pages, and fails with `ENOMEM` for n + 1
/// pages. A page that is locked twice counts once, and after `munlock` of one page `mlock` of another page returns 0.
#[conformance::test(man = "mlock(2)", needs(second_user))]
fn mlock_allows_exactly_the_limit() -> Outcome {
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

/// `mlock` of one byte by an unprivileged process fails with `EPERM` if `RLIMIT_MEMLOCK` is 0. `munlock` of this byte returns 0.
#[conformance::test(man = "mlock(2)", needs(second_user))]
fn mlock_fails_with_limit_zero() -> Outcome {
    expect_eq!(with_limit(0, |region| Ok((region.lock(0, 1), region.unlock(0, 1))))?, (Err(EPERM), Ok(())));
    Ok(())
}

/// If an unprivileged process has locked as many pages as `RLIMIT_MEMLOCK` allows, `mlock` of another page fails with `ENOMEM`.
/// After `munmap` of one locked page, `mlock` of this other page returns 0.
#[conformance::test(posix = "munmap", man = "mlock(2)", needs(second_user))]
fn munmap_unlocks_the_pages() -> Outcome {
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

/// If an unprivileged process has locked as many pages as `RLIMIT_MEMLOCK` allows, `mlock` of the same number of pages by a child
/// created by `fork` returns 0. `mlock` of one more page by the child fails with `ENOMEM`.
#[conformance::test(posix = "fork", man = "mlock(2)", needs(second_user))]
fn child_inherits_no_locks() -> Outcome {
    let page = page_size();
    let seen = with_limit(2, |region| {
        region.lock(0, 2 * page)?;
        let child = Participant::spawn("child", (), |(), _| (region.lock(2 * page, 2 * page), region.lock(0, page)))?;
        child.join().map_err(|_| ECHILD)
    })?;
    expect_eq!(seen, (Ok(()), Err(ENOMEM)));
    Ok(())
}

/// If `RLIMIT_MEMLOCK` is three pages, `mmap` of four pages with `MAP_LOCKED` by an unprivileged process fails with `EAGAIN`, and
/// `mmap` of three pages returns a mapping. `mmap` of one page more with `MAP_LOCKED` then fails with `EAGAIN`, and after
/// `munmap` of the three pages, `mmap` of three pages returns a mapping again.
#[conformance::test(man = "mmap(2)", needs(second_user))]
fn map_locked_is_bounded_by_the_limit() -> Outcome {
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
