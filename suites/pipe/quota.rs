//! What one user may take up in pipes (Linux): `pipe-user-pages-soft`, charged when a pipe is made or enlarged, and given back when
//! it is reduced or closed.
//!
//! The account belongs to a user of the whole system, so these cases take turns, in the ambient surroundings.

use conformance::prelude::*;
use conformance::process::context::restart_deadline;
use conformance::sys::identity::become_user;
use nix::unistd::{Gid, Uid};
use serial_test::file_serial;

use conformance::outcome::{CaseResult, Cause};

/// The limits, in pages.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Of one user in all pipes.
    pub(super) user: usize,
    /// Of one pipe.
    pub(super) pipe: usize,
}

/// Reads the limits; a system that sets none, or one that cannot be reached within reason, leaves these cases untested.
pub(super) fn limits() -> Result<Limits, Failure> {
    let number =
        |path: &str| -> Result<usize, Failure> { std::fs::read_to_string(path)?.trim().parse().map_err(|_| Failure::from(ERANGE)) };
    let user = number("/proc/sys/fs/pipe-user-pages-soft")?;
    let pipe = number("/proc/sys/fs/pipe-max-size")? / page_size();
    if user == 0 || pipe == 0 || !user.is_multiple_of(pipe) || user / pipe > 400 {
        let why = format!("needs a limit of pages for a user that can be reached; it is {user} with pipes of {pipe}");
        return Err(Failure::new(CaseResult::Untested, Cause::Need, why));
    }
    Ok(Limits { user, pipe })
}

/// Whose account is used up: a user that no other case becomes, as the account is one for the whole system.
pub(super) fn account() -> (Uid, Gid) {
    (Uid::from_raw(65532), Gid::from_raw(65532))
}

/// Becomes the account's user and takes up all that it may in large pipes, which are returned.
fn exhaust(limits: Limits) -> Vec<(OwnedFd, OwnedFd)> {
    let (user, group) = account();
    become_user(user, group).expect("another user");
    take_up(limits)
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
    restart_deadline();
    let limits = limits()?;
    let user = Participant::spawn("user", (), move |(), _| {
        let large = exhaust(limits);
        // Taken back from one and given to another, page for page.
        let half = grown(&large[0].1, limits.pipe / 2);
        let (_reader, next) = pipe().expect("a pipe within the limit");
        let small = grown(&next, 1);
        let too_much = grown(&next, limits.pipe);
        let exact = grown(&next, limits.pipe / 2);
        (half, small, too_much, exact, grown(&large[0].1, limits.pipe))
    })?;
    let half = limits.pipe / 2;
    expect_eq!(user.join()?, (Ok(half), Ok(1), Err(EPERM), Ok(half), Err(EPERM)));
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
    restart_deadline();
    let limits = limits()?;
    let user = Participant::spawn("user", (), move |(), _| {
        let _large = exhaust(limits);
        let (reader, writer) = pipe().expect("a small pipe");
        let size = pipe_size(&reader).map(|size| size / page_size());
        let refused = grown(&writer, 4);
        let room = fill(&writer).map(|bytes| bytes / page_size());
        // All but the last byte of the first page is read: no page is free yet. Then it is.
        set_nonblocking(&writer, true).expect("a flag");
        read_exactly(&reader, page_size() - 1).expect("bytes");
        let not_yet = write(&writer, b"x");
        read_exactly(&reader, 1).expect("a byte");
        (size, refused, room, not_yet, write(&writer, b"x"))
    })?;
    expect_eq!(user.join()?, (Ok(2), Err(EPERM), Ok(2), Err(EAGAIN), Ok(1)));
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
    restart_deadline();
    let limits = limits()?;
    let user = Participant::spawn("user", (), move |(), _| {
        let mut large = exhaust(limits);
        let reduced = grown(&large[0].1, 1);
        let (_reader, next) = pipe().expect("a pipe");
        let enlarged = grown(&next, 32);
        large.clear();
        let (reader, _writer) = pipe().expect("a pipe");
        (reduced, enlarged, pipe_size(&reader).map(|size| size / page_size()))
    })?;
    expect_eq!(user.join()?, (Ok(1), Ok(32), Ok(16)));
    Ok(())
}

/// Changes of size that are refused cost nothing and give nothing back, however many: afterwards exactly the limit can be had.
#[file_serial(pages_of_a_user)]
#[conformance::test(man = "pipe(7)", needs(second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")), ambient)]
fn is_not_charged_for_what_is_refused() -> Outcome {
    restart_deadline();
    let limits = limits()?;
    let user = Participant::spawn("user", (), move |(), _| {
        let large = exhaust(limits);
        write_all(&large[0].1, &pattern(3 * page_size())).expect("room");
        let (small_reader, small) = pipe().expect("a small pipe");
        let refusals: Vec<_> = (0..200).flat_map(|_| [grown(&large[0].1, 2), grown(&small, limits.pipe)]).collect();
        let as_expected = refusals.chunks(2).all(|pair| pair == [Err(EBUSY), Err(EPERM)]);
        drop((small_reader, small));
        // Half of one pipe goes back and is had again, to the page.
        let half = grown(&large[1].1, limits.pipe / 2);
        let (_reader, next) = pipe().expect("a pipe");
        let (_, exact) = (grown(&next, 1), grown(&next, limits.pipe / 2));
        let (_reader, last) = pipe().expect("a small pipe");
        (as_expected, half, exact, grown(&last, 4))
    })?;
    let half = limits.pipe / 2;
    expect_eq!(user.join()?, (true, Ok(half), Ok(half), Err(EPERM)));
    Ok(())
}

/// The account is kept per user: what one has used up is no other's loss, and dies with its processes.
#[file_serial(pages_of_a_user)]
#[conformance::test(man = "pipe(7)", needs(second_user, descriptors(400), file("/proc/sys/fs/pipe-user-pages-soft")), ambient)]
fn is_each_users_own_and_ends_with_its_processes() -> Outcome {
    restart_deadline();
    let limits = limits()?;
    let hog = Participant::spawn("hog", (), move |(), link| -> () {
        let _large = exhaust(limits);
        link.reached("exhausted");
        link.park()
    })?;
    let late = || {
        Participant::spawn("late", (), |(), _| {
            let (user, group) = account();
            become_user(user, group).expect("another user");
            pipe().and_then(|(reader, _writer)| pipe_size(&reader))
        })
    };
    hog.until_reached("exhausted")?;
    let (other, _writer) = pipe()?;
    expect_eq!(pipe_size(&other), Ok(16 * page_size()));
    expect_eq!(late()?.join()?, Ok(2 * page_size()));
    hog.kill()?;
    expect_eq!(late()?.join()?, Ok(16 * page_size()));
    Ok(())
}
