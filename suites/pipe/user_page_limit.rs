//! `/proc/sys/fs/pipe-user-pages-soft` (Linux): how many pages one unprivileged user may use in all pipes. Pages are charged when
//! a pipe is created or enlarged, and released when it is shrunk or closed.
//!
//! The charge belongs to a user of the whole system, so these cases run one after the other and outside of the sandbox's own user
//! namespace.

use std::fmt::Debug;

use conformance::prelude::*;
use conformance::process::context::restart_deadline;
use conformance::sys::process::capability::become_user_with;
use conformance::sys::process::identity::become_user;
use nix::unistd::{Gid, Uid};
use rstest::rstest;
use serde::{Serialize, de::DeserializeOwned};
use serial_test::file_serial;

/// The limits, in pages.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Of all pipes of one user.
    pub(super) user: usize,
    /// Of one pipe.
    pub(super) pipe: usize,
}

/// Reads the limits. The cases are untested if there is no limit, if it is too large to be reached, or if no process can become the
/// user of these cases.
pub(super) fn limits() -> Result<Limits, Failure> {
    let (id, group) = account();
    if let Err(errno) = Participant::spawn("probe", (), move |(), _| become_user(id, group))?.join()? {
        let why = format!("a user {id}, which a process cannot become here: {errno:?}");
        return Err(Failure::untested(why));
    }
    let number =
        |path: &str| -> Result<usize, Failure> { std::fs::read_to_string(path)?.trim().parse().map_err(|_| Failure::from(ERANGE)) };
    let user = number("/proc/sys/fs/pipe-user-pages-soft")?;
    let pipe = number("/proc/sys/fs/pipe-max-size")? / page_size();
    if user == 0 || pipe == 0 || !user.is_multiple_of(pipe) || user / pipe > 400 {
        let why = format!("a limit of pages for a user that can be reached; it is {user} with pipes of {pipe}");
        return Err(Failure::untested(why));
    }
    Ok(Limits { user, pipe })
}

/// The user of these cases. No other case becomes this user, because the charge is one for the whole system.
pub(super) fn account() -> (Uid, Gid) {
    (Uid::from_raw(48_123), Gid::from_raw(48_123))
}

/// Creates large pipes that use exactly all pages of the limit.
pub(super) fn use_all_pages(limits: Limits) -> Vec<(OwnedFd, OwnedFd)> {
    let largest = i32::try_from(limits.pipe * page_size()).expect("a size");
    let mut large: Vec<(OwnedFd, OwnedFd)> = Vec::new();
    // Each pipe is shrunk first: enlarging it charges only the difference.
    while large.len() < limits.user / limits.pipe {
        let (reader, writer) = pipe().expect("a pipe within the limit");
        set_pipe_size(&writer, 1).expect("shrinking succeeds");
        set_pipe_size(&writer, largest).expect("growing up to the limit succeeds");
        large.push((reader, writer));
    }
    large
}

/// Spawns a process of the user of these cases, with these capabilities, that has used all pages of the limit. The body gets the
/// limits and the pipes. The deadline starts again, because the case may have waited for others of this file.
pub(super) fn with_all_pages_used<T: Debug + Serialize + DeserializeOwned>(
    capabilities: &'static [&'static str],
    body: impl FnOnce(Limits, Vec<(OwnedFd, OwnedFd)>, &Link) -> Result<T, Errno>,
) -> Result<Participant<Result<T, Errno>>, Failure> {
    restart_deadline();
    let limits = limits()?;
    Ok(Participant::spawn("user", (), move |(), link| {
        let (user, group) = account();
        become_user_with(user, group, capabilities)?;
        body(limits, use_all_pages(limits), link)
    })?)
}

/// The size in pages of a pipe that another process of the same user creates.
pub(super) fn pages_of_another() -> Result<Result<usize, Errno>, Failure> {
    let another = Participant::spawn("another", (), |(), _| {
        let (user, group) = account();
        become_user(user, group)?;
        let (reader, _writer) = pipe()?;
        pages_of(&reader)
    })?;
    another.join()
}

/// The size of a pipe in pages.
pub(super) fn pages_of(end: &OwnedFd) -> Result<usize, Errno> {
    Ok(pipe_size(end)? / page_size())
}

/// Sets the size to this many pages: the size in pages that the call returns.
pub(super) fn resized(writer: &OwnedFd, pages: usize) -> Result<usize, Errno> {
    set_pipe_size(writer, i32::try_from(pages * page_size()).unwrap_or(1)).map(|size| size / page_size())
}

/// If the pipes of an unprivileged user have exactly `/proc/sys/fs/pipe-user-pages-soft` pages together, and
/// `fcntl(F_SETPIPE_SZ)` shrinks one of them from 2m to m pages, `F_SETPIPE_SZ` on a new pipe fails with `EPERM` for 2m pages and
/// returns the size of m pages for m pages. `F_SETPIPE_SZ` on the first pipe back to 2m pages then fails with `EPERM`.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient,
    fixed_in = "Linux 4.16 (9903a91c763e)"
)]
fn can_be_used_to_the_last_page() -> Outcome {
    let half = limits()?.pipe / 2;
    let user = with_all_pages_used(&[], |limits, large, _| {
        // Pages that one pipe releases can be used by another.
        let shrunk = resized(&large[0].1, half);
        let (_reader, next) = pipe()?;
        let small = resized(&next, 1);
        Ok((shrunk, small, resized(&next, limits.pipe), resized(&next, half), resized(&large[0].1, limits.pipe)))
    })?;
    expect_eq!(user.join()?, Ok((Ok(half), Ok(1), Err(EPERM), Ok(half), Err(EPERM))));
    Ok(())
}

/// If an unprivileged user has used all pages of `/proc/sys/fs/pipe-user-pages-soft`, `pipe` still returns 0, and
/// `fcntl(F_GETPIPE_SZ)` on the new pipe returns 2 pages. `fcntl(F_SETPIPE_SZ)` to 4 pages on that pipe fails with `EPERM`.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient,
    fixed_in = "Linux 5.14 (46c4c9d1beb7)"
)]
fn new_pipes_beyond_the_limit_have_two_pages() -> Outcome {
    let user = with_all_pages_used(&[], |_, _large, _| {
        let (reader, writer) = pipe()?;
        let size = pages_of(&reader);
        let refused = resized(&writer, 4);
        let filled = fill(&writer).map(|bytes| bytes / page_size());
        // Only when the last byte of the first page has been read a page is free.
        set_nonblocking(&writer, true)?;
        read_exactly(&reader, page_size() - 1)?;
        let not_yet = write(&writer, b"x");
        read_exactly(&reader, 1)?;
        Ok((size, refused, filled, not_yet, write(&writer, b"x")))
    })?;
    expect_eq!(user.join()?, Ok((Ok(2), Err(EPERM), Ok(2), Err(EAGAIN), Ok(1))));
    Ok(())
}

/// If an unprivileged user has used all pages of `/proc/sys/fs/pipe-user-pages-soft`, and `fcntl(F_SETPIPE_SZ)` shrinks a large
/// pipe to 1 page, `F_SETPIPE_SZ` to 32 pages on a new pipe returns that size. After the large pipes are closed, `F_GETPIPE_SZ`
/// on a new pipe returns 16 pages.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient,
    fixed_in = "Linux 4.9 (9c87bcf0a31b)"
)]
fn shrinking_and_closing_release_pages() -> Outcome {
    let user = with_all_pages_used(&[], |_, large, _| {
        let reduced = resized(&large[0].1, 1);
        let (_reader, next) = pipe()?;
        let enlarged = resized(&next, 32);
        drop(large);
        let (reader, _writer) = pipe()?;
        Ok((reduced, enlarged, pages_of(&reader)))
    })?;
    expect_eq!(user.join()?, Ok((Ok(1), Ok(32), Ok(16))));
    Ok(())
}

/// If an unprivileged user has used all pages of `/proc/sys/fs/pipe-user-pages-soft`, 400 calls of `fcntl(F_SETPIPE_SZ)` that
/// fail with `EBUSY` or `EPERM` neither charge nor release pages. After another pipe is then shrunk from 2n to n pages,
/// `F_SETPIPE_SZ` on a new pipe to n pages returns that size, and to 4 pages on the next new pipe fails with `EPERM`.
#[file_serial(pages_of_a_user)]
#[conformance::test(man = "pipe(7)", needs(second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")), ambient)]
fn failed_resizes_charge_no_page() -> Outcome {
    let half = limits()?.pipe / 2;
    let user = with_all_pages_used(&[], |limits, large, _| {
        write_all(&large[0].1, &pattern(3 * page_size()))?;
        let (small_reader, small) = pipe()?;
        let failures: Vec<_> = (0..200).flat_map(|_| [resized(&large[0].1, 2), resized(&small, limits.pipe)]).collect();
        let as_expected = failures.chunks(2).all(|pair| pair == [Err(EBUSY), Err(EPERM)]);
        drop((small_reader, small));
        // The pages that one pipe releases are exactly the pages that another can use.
        let shrunk = resized(&large[1].1, half);
        let (_reader, next) = pipe()?;
        let (_, exact) = (resized(&next, 1), resized(&next, half));
        let (_reader, last) = pipe()?;
        Ok((as_expected, shrunk, exact, resized(&last, 4)))
    })?;
    expect_eq!(user.join()?, Ok((true, Ok(half), Ok(half), Err(EPERM))));
    Ok(())
}

/// `pipe` calls of an unprivileged user that fail with `EMFILE`, with no or one descriptor number free, charge no pages of
/// `/proc/sys/fs/pipe-user-pages-soft`. After n / 8 such failures, where n is this limit, `fcntl(F_GETPIPE_SZ)` on a new pipe
/// returns 16 pages.
#[rstest]
#[case::no_descriptor_free(0)]
#[case::one_descriptor_free(1)]
#[file_serial(pages_of_a_user)]
#[conformance::test(man = "pipe(2)", man = "pipe(7)", needs(second_user, file("/proc/sys/fs/pipe-user-pages-soft")), ambient)]
fn emfile_charges_no_page(#[case] free: usize) -> Outcome {
    restart_deadline();
    let limits = limits()?;
    let user = Participant::spawn("user", (), move |(), _| {
        let (user, group) = account();
        become_user(user, group)?;
        let spare = open(Path::new("/dev/null"), OFlag::O_RDONLY)?;
        leave_room(&spare, free)?;
        // If each failure were charged with the 16 pages of a pipe, the user would go over the limit here.
        let failed = (0..limits.user / 8).filter(|_| pipe().map(drop) == Err(EMFILE)).count();
        limit_descriptors(64)?;
        let (reader, _writer) = pipe()?;
        Ok::<_, Errno>((failed, pages_of(&reader)))
    })?;
    expect_eq!(user.join()?, Ok((limits.user / 8, Ok(16))));
    Ok(())
}

/// If one unprivileged user has used all pages of `/proc/sys/fs/pipe-user-pages-soft`, `fcntl(F_GETPIPE_SZ)` returns 2 pages on a
/// new pipe of that user and 16 on a new pipe of another user. After the process that holds the pipes of the first user is
/// killed, `F_GETPIPE_SZ` returns 16 pages on a new pipe of the first user.
#[file_serial(pages_of_a_user)]
#[conformance::test(man = "pipe(7)", needs(second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")), ambient)]
fn is_counted_per_user() -> Outcome {
    let user = with_all_pages_used(&[], |_, _large, link| -> Result<(), Errno> {
        link.reached("all pages used");
        link.park()
    })?;
    user.until_reached("all pages used")?;
    let (other, _writer) = pipe()?;
    expect_eq!((pages_of(&other), pages_of_another()?), (Ok(16), Ok(2)));
    user.kill()?;
    expect_eq!(pages_of_another()?, Ok(16));
    Ok(())
}
