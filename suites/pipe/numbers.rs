//! Numbers: a `pipe` that fails keeps no number reserved, so that the next one gets the same two that this one would have had.

use conformance::prelude::*;
use nix::sys::resource::{Resource, getrlimit};
#[cfg(linux)]
use rstest::rstest;

#[cfg(has_old_pipe)]
use common::ends::{flags, next};

fn numbers(ends: &(OwnedFd, OwnedFd)) -> [i32; 2] {
    [ends.0.as_raw_fd(), ends.1.as_raw_fd()]
}

/// The numbers that the next pipe gets; it is gone again.
fn next_numbers() -> Result<[i32; 2], Errno> {
    pipe().map(|ends| numbers(&ends))
}

/// Descriptors that may be had by the present limit, for a case that lowers it and raises it again.
fn limit() -> Result<u32, Failure> {
    u32::try_from(getrlimit(Resource::RLIMIT_NOFILE)?.0).map_err(|_| Failure::from(ERANGE))
}

/// A pipe refused for want of a second number gives the first one back: the next has both when there is room again.
#[conformance::test(posix = "pipe")]
fn are_given_back_where_there_is_one_only() -> Outcome {
    let (spare, _writer) = pipe()?;
    let (limit, expected) = (limit()?, next_numbers()?);
    for _ in 0..3 {
        leave_room(&spare, 1)?;
        expect_eq!((pipe().map(drop), pipe().map(drop)), (Err(EMFILE), Err(EMFILE)));
        limit_descriptors(limit)?;
        expect_eq!(next_numbers(), Ok(expected));
    }
    Ok(())
}

/// Holes are found again after refusals: the next pipe fills the lowest two.
#[conformance::test(posix = "pipe")]
fn that_are_holes_stay_holes() -> Outcome {
    let (spare, _writer) = pipe()?;
    let limit = limit()?;
    let mut copies = (0..6).map(|_| dup(&spare)).collect::<Result<Vec<_>, _>>()?;
    let hole = copies.remove(2).as_raw_fd();
    // One number is free below the limit, and the limit is just above the last copy.
    limit_descriptors(copies[4].as_raw_fd().unsigned_abs() + 1)?;
    expect_eq!(pipe().map(drop), Err(EMFILE));
    expect_eq!(dup(&spare).map(|copy| copy.as_raw_fd()), Ok(hole));
    limit_descriptors(limit)?;
    expect_eq!(next_numbers(), Ok([hole, copies[4].as_raw_fd() + 1]));
    Ok(())
}

/// Where the numbers could not be stored they are free again, also after refusals for want of numbers.
#[cfg(linux)]
#[rstest]
#[case::nowhere(0)]
#[case::the_first_alone(4)]
#[conformance::test(man = "pipe(2)")]
fn are_given_back_where_they_cannot_be_stored(#[case] room: usize) -> Outcome {
    let mut guarded = Guarded::new()?;
    let (spare, _writer) = pipe()?;
    let (limit, expected) = (limit()?, next_numbers()?);
    for flags in [OFlag::empty(), OFlag::O_CLOEXEC, OFlag::O_NONBLOCK, OFlag::O_DIRECT] {
        expect_eq!((guarded.pipe2_into(room, flags), next_numbers()), (Err(EFAULT), Ok(expected)));
        leave_room(&spare, 1)?;
        expect_eq!((guarded.pipe2_into(room, flags), pipe2(flags).map(drop)), (Err(EMFILE), Err(EMFILE)));
        limit_descriptors(limit)?;
        expect_eq!((guarded.pipe2_into(room, flags), next_numbers()), (Err(EFAULT), Ok(expected)));
    }
    Ok(())
}

/// The last two numbers below the limit can be had after any number of pipes that could not be stored.
#[cfg(linux)]
#[conformance::test(man = "pipe(2)")]
fn that_are_the_last_are_not_used_up() -> Outcome {
    let mut guarded = Guarded::new()?;
    let (spare, _writer) = pipe()?;
    let expected = next_numbers()?;
    leave_room(&spare, 2)?;
    for _ in 0..10 {
        expect_eq!((guarded.pipe_into(4), guarded.pipe2_into(0, OFlag::O_CLOEXEC)), (Err(EFAULT), Err(EFAULT)));
    }
    let ends = pipe();
    expect_eq!((ends.as_ref().map(numbers), dup(&spare).map(drop)), (Ok(expected), Err(EMFILE)));
    Ok(())
}

/// Unknown flags cost no number.
#[cfg(linux)]
#[conformance::test(man = "pipe(2)")]
fn are_not_touched_by_unknown_flags() -> Outcome {
    let expected = next_numbers()?;
    for _ in 0..3 {
        expect_eq!((pipe2(OFlag::O_APPEND).map(drop), next_numbers()), (Err(EINVAL), Ok(expected)));
    }
    Ok(())
}

/// The oldest form of the call, without flags, takes the lowest numbers and sets nothing.
#[cfg(has_old_pipe)]
#[conformance::test(man = "pipe(2)")]
fn of_the_old_call_are_the_lowest() -> Outcome {
    let expected = next_numbers()?;
    let ends = old_pipe();
    expect_eq!(ends.as_ref().map(numbers), Ok(expected));
    let (reader, writer) = ends?;
    expect_eq!((status_flags(&reader), status_flags(&writer)), (Ok(OFlag::O_RDONLY), Ok(OFlag::O_WRONLY)));
    expect_eq!((flags(&reader), flags(&writer)), (Ok(OFlag::O_RDONLY), Ok(OFlag::O_WRONLY)));
    expect_eq!((close_on_exec(&reader), close_on_exec(&writer)), (Ok(false), Ok(false)));
    expect_eq!((pipe_size(&reader), pipe_size(&writer)), (Ok(16 * page_size()), Ok(16 * page_size())));
    expect_eq!((write(&writer, b"x"), next(&reader)), (Ok(1), Ok(b"x".to_vec())));
    expect_eq!((close(writer), next(&reader)), (Ok(()), Ok(vec![])));
    Ok(())
}

/// The oldest form of the call is refused as the others are, and takes nothing.
#[cfg(has_old_pipe)]
#[rstest]
#[case::none(0)]
#[case::one(1)]
#[conformance::test(man = "pipe(2)")]
fn are_too_few_for_the_old_call(#[case] room: usize) -> Outcome {
    let (spare, _writer) = pipe()?;
    let (limit, expected) = (limit()?, next_numbers()?);
    leave_room(&spare, room)?;
    let before = open_descriptors();
    expect_eq!((old_pipe().map(drop), open_descriptors()), (Err(EMFILE), before));
    limit_descriptors(limit)?;
    expect_eq!(next_numbers(), Ok(expected));
    Ok(())
}

/// The oldest form of the call, where it cannot store the numbers, leaves nothing open and no number taken.
#[cfg(has_old_pipe)]
#[rstest]
#[case::nowhere(0)]
#[case::half_of_the_first(2)]
#[case::the_first_alone(4)]
#[case::all_but_a_byte(7)]
#[conformance::test(man = "pipe(2)")]
fn are_given_back_by_the_old_call(#[case] room: usize) -> Outcome {
    let mut guarded = Guarded::new()?;
    let (before, expected) = (open_descriptors(), next_numbers()?);
    for _ in 0..3 {
        expect_eq!((guarded.old_pipe_into(room), open_descriptors()), (Err(EFAULT), before.clone()));
        expect_eq!(next_numbers(), Ok(expected));
    }
    Ok(())
}
