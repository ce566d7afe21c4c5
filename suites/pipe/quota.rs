//! What one user may take up in pipes (Linux): `pipe-user-pages-soft`, charged when a pipe is made or enlarged, and given back when
//! it is reduced or closed.
//!
//! The account belongs to a user of the whole system, so these cases take turns, in the ambient surroundings.

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
    /// Of one user in all pipes.
    pub(super) user: usize,
    /// Of one pipe.
    pub(super) pipe: usize,
}

/// Reads the limits; a system that sets none, or one that cannot be reached within reason, leaves these cases untested, and so does one
/// that lacks the account's user.
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

/// Whose account is used up: a user that no other case becomes, as the account is one for the whole system.
pub(super) fn account() -> (Uid, Gid) {
    (Uid::from_raw(48_123), Gid::from_raw(48_123))
}

/// Takes up the limit, to the page, in large pipes, which are returned.
pub(super) fn take_up(limits: Limits) -> Vec<(OwnedFd, OwnedFd)> {
    let largest = i32::try_from(limits.pipe * page_size()).expect("a size");
    let mut large: Vec<(OwnedFd, OwnedFd)> = Vec::new();
    // Each is made at a small size first, so that no pipe counts twice.
    while large.len() < limits.user / limits.pipe {
        let (reader, writer) = pipe().expect("a pipe within the limit");
        set_pipe_size(&writer, 1).expect("reducing is always allowed");
        set_pipe_size(&writer, largest).expect("growth up to the very limit");
        large.push((reader, writer));
    }
    large
}

/// What a process of the account's user comes to that has taken up all that it may, with these capabilities; it is handed the limits
/// and its pipes. These cases may have waited for their turn.
pub(super) fn with_all_taken_up<T: Debug + Serialize + DeserializeOwned>(
    capabilities: &'static [&'static str],
    body: impl FnOnce(Limits, Vec<(OwnedFd, OwnedFd)>, &Link) -> Result<T, Errno>,
) -> Result<Participant<Result<T, Errno>>, Failure> {
    restart_deadline();
    let limits = limits()?;
    Ok(Participant::spawn("user", (), move |(), link| {
        let (user, group) = account();
        become_user_with(user, group, capabilities)?;
        body(limits, take_up(limits), link)
    })?)
}

/// The pages of a pipe that another process of the account's user makes.
pub(super) fn pages_of_another() -> Result<Result<usize, Errno>, Failure> {
    let another = Participant::spawn("another", (), |(), _| {
        let (user, group) = account();
        become_user(user, group)?;
        let (reader, _writer) = pipe()?;
        pages_of(&reader)
    })?;
    another.join()
}

/// The pages that a pipe has.
pub(super) fn pages_of(end: &OwnedFd) -> Result<usize, Errno> {
    Ok(pipe_size(end)? / page_size())
}

/// Asks for so many pages: the pages that the pipe has then.
pub(super) fn grown(writer: &OwnedFd, pages: usize) -> Result<usize, Errno> {
    set_pipe_size(writer, i32::try_from(pages * page_size()).unwrap_or(1)).map(|size| size / page_size())
}

/// A user may take up exactly the limit: the pipe that reaches it can still be enlarged, and the next not even by a page.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient,
    fixed_in = "Linux 4.16 (9903a91c763e)"
)]
fn can_be_used_up_to_the_last_page() -> Outcome {
    let half = limits()?.pipe / 2;
    let user = with_all_taken_up(&[], |limits, large, _| {
        // Taken back from one and given to another, page for page.
        let taken_back = grown(&large[0].1, half);
        let (_reader, next) = pipe()?;
        let small = grown(&next, 1);
        Ok((taken_back, small, grown(&next, limits.pipe), grown(&next, half), grown(&large[0].1, limits.pipe)))
    })?;
    expect_eq!(user.join()?, Ok((Ok(half), Ok(1), Err(EPERM), Ok(half), Err(EPERM))));
    Ok(())
}

/// Beyond the limit a user still gets pipes, of two pages: enough for a writer and a reader that take turns by single bytes. They
/// cannot be enlarged.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient,
    fixed_in = "Linux 5.14 (46c4c9d1beb7)"
)]
fn leaves_two_pages_to_further_pipes() -> Outcome {
    let user = with_all_taken_up(&[], |_, _large, _| {
        let (reader, writer) = pipe()?;
        let size = pages_of(&reader);
        let refused = grown(&writer, 4);
        let room = fill(&writer).map(|bytes| bytes / page_size());
        // All but the last byte of the first page is read: no page is free yet. Then it is.
        set_nonblocking(&writer, true)?;
        read_exactly(&reader, page_size() - 1)?;
        let not_yet = write(&writer, b"x");
        read_exactly(&reader, 1)?;
        Ok((size, refused, room, not_yet, write(&writer, b"x")))
    })?;
    expect_eq!(user.join()?, Ok((Ok(2), Err(EPERM), Ok(2), Err(EAGAIN), Ok(1))));
    Ok(())
}

/// A pipe that is reduced gives its pages back at once, and a closed one all of them: the next pipe has its usual size again.
#[file_serial(pages_of_a_user)]
#[conformance::test(
    man = "pipe(7)",
    needs(second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")),
    ambient,
    fixed_in = "Linux 4.9 (9c87bcf0a31b)"
)]
fn is_given_back_by_reducing_and_closing() -> Outcome {
    let user = with_all_taken_up(&[], |_, large, _| {
        let reduced = grown(&large[0].1, 1);
        let (_reader, next) = pipe()?;
        let enlarged = grown(&next, 32);
        drop(large);
        let (reader, _writer) = pipe()?;
        Ok((reduced, enlarged, pages_of(&reader)))
    })?;
    expect_eq!(user.join()?, Ok((Ok(1), Ok(32), Ok(16))));
    Ok(())
}

/// Changes of size that are refused cost nothing and give nothing back, however many: afterwards exactly the limit can be had.
#[file_serial(pages_of_a_user)]
#[conformance::test(man = "pipe(7)", needs(second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")), ambient)]
fn is_not_charged_for_what_is_refused() -> Outcome {
    let half = limits()?.pipe / 2;
    let user = with_all_taken_up(&[], |limits, large, _| {
        write_all(&large[0].1, &pattern(3 * page_size()))?;
        let (small_reader, small) = pipe()?;
        let refusals: Vec<_> = (0..200).flat_map(|_| [grown(&large[0].1, 2), grown(&small, limits.pipe)]).collect();
        let as_expected = refusals.chunks(2).all(|pair| pair == [Err(EBUSY), Err(EPERM)]);
        drop((small_reader, small));
        // Half of one pipe goes back and is had again, to the page.
        let taken_back = grown(&large[1].1, half);
        let (_reader, next) = pipe()?;
        let (_, exact) = (grown(&next, 1), grown(&next, half));
        let (_reader, last) = pipe()?;
        Ok((as_expected, taken_back, exact, grown(&last, 4)))
    })?;
    expect_eq!(user.join()?, Ok((true, Ok(half), Ok(half), Err(EPERM))));
    Ok(())
}

/// A pipe for which there are no numbers costs nothing, whether both or only the second one is missing: however often one was refused,
/// the next has its usual size.
#[rstest]
#[case::both(0)]
#[case::the_second(1)]
#[file_serial(pages_of_a_user)]
#[conformance::test(man = "pipe(2)", man = "pipe(7)", needs(second_user, file("/proc/sys/fs/pipe-user-pages-soft")), ambient)]
fn is_not_charged_where_numbers_are_missing(#[case] room: usize) -> Outcome {
    restart_deadline();
    let limits = limits()?;
    let user = Participant::spawn("user", (), move |(), _| {
        let (user, group) = account();
        become_user(user, group)?;
        let spare = open(Path::new("/dev/null"), OFlag::O_RDONLY)?;
        leave_room(&spare, room)?;
        // Were they charged with the sixteen pages of a pipe, the limit would be passed on the way.
        let refused = (0..limits.user / 8).filter(|_| pipe().map(drop) == Err(EMFILE)).count();
        limit_descriptors(64)?;
        let (reader, _writer) = pipe()?;
        Ok::<_, Errno>((refused, pages_of(&reader)))
    })?;
    expect_eq!(user.join()?, Ok((limits.user / 8, Ok(16))));
    Ok(())
}

/// The account is kept per user: what one has used up is no other's loss, and dies with its processes.
#[file_serial(pages_of_a_user)]
#[conformance::test(man = "pipe(7)", needs(second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")), ambient)]
fn is_each_users_own_and_ends_with_its_processes() -> Outcome {
    let hog = with_all_taken_up(&[], |_, _large, link| -> Result<(), Errno> {
        link.reached("exhausted");
        link.park()
    })?;
    hog.until_reached("exhausted")?;
    let (other, _writer) = pipe()?;
    expect_eq!((pages_of(&other), pages_of_another()?), (Ok(16), Ok(2)));
    hog.kill()?;
    expect_eq!(pages_of_another()?, Ok(16));
    Ok(())
}
