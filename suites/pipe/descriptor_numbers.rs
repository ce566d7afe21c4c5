//! Descriptor numbers: a `pipe`, `pipe2` or old `pipe` system call that fails keeps no number in use, so that the next call
//! returns the same two numbers.

use conformance::prelude::*;
use nix::sys::resource::{Resource, getrlimit};
#[cfg(linux)]
use rstest::rstest;

#[cfg(has_old_pipe)]
use common::ends::{flags, next};

fn numbers(ends: &(OwnedFd, OwnedFd)) -> [i32; 2] {
    [ends.0.as_raw_fd(), ends.1.as_raw_fd()]
}

/// The two descriptor numbers that the next `pipe` returns.
fn next_numbers() -> Result<[i32; 2], Errno> {
    pipe().map(|ends| numbers(&ends))
}

/// The present descriptor limit, for a case that lowers and restores it.
fn limit() -> Result<u32, Failure> {
    u32::try_from(getrlimit(Resource::RLIMIT_NOFILE)?.0).map_err(|_| Failure::from(ERANGE))
}

/// If `pipe` fails with `EMFILE` because only one descriptor number below `RLIMIT_NOFILE` is free, that number stays free. After
/// the limit is raised, `pipe` returns the two numbers that it would have returned before the failure.
#[conformance::test(posix = "pipe")]
fn emfile_releases_the_first_number() -> Outcome {
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

/// After `pipe` has failed with `EMFILE` because only one number below `RLIMIT_NOFILE` is free, `dup` returns that number. After
/// that duplicate is closed and the limit is raised, `pipe` returns that number and the next free one.
#[conformance::test(posix = "pipe")]
fn pipe_fills_the_lowest_hole_after_emfile() -> Outcome {
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

/// After `pipe2` has failed with `EFAULT` because the array for the two descriptors is not fully writable, the next `pipe`
/// returns the two numbers that it would have returned before. If `pipe2` has also failed with `EMFILE`, because `RLIMIT_NOFILE`
/// left only one number free, and the limit is then raised, `pipe` returns these two numbers too.
#[cfg(linux)]
#[rstest]
#[case::no_byte_writable(0)]
#[case::four_bytes_writable(4)]
#[conformance::test(man = "pipe(2)")]
fn efault_releases_both_numbers(#[case] writable: usize) -> Outcome {
    let mut guarded = Guarded::new()?;
    let (spare, _writer) = pipe()?;
    let (limit, expected) = (limit()?, next_numbers()?);
    for flags in [OFlag::empty(), OFlag::O_CLOEXEC, OFlag::O_NONBLOCK, OFlag::O_DIRECT] {
        expect_eq!((guarded.pipe2_into(writable, flags), next_numbers()), (Err(EFAULT), Ok(expected)));
        leave_room(&spare, 1)?;
        expect_eq!((guarded.pipe2_into(writable, flags), pipe2(flags).map(drop)), (Err(EMFILE), Err(EMFILE)));
        limit_descriptors(limit)?;
        expect_eq!((guarded.pipe2_into(writable, flags), next_numbers()), (Err(EFAULT), Ok(expected)));
    }
    Ok(())
}

/// If exactly two descriptor numbers are free, and `pipe` and `pipe2` have failed with `EFAULT` ten times each, the next `pipe`
/// returns these two numbers.
#[cfg(linux)]
#[conformance::test(man = "pipe(2)")]
fn efault_keeps_the_last_two_numbers_free() -> Outcome {
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

/// After `pipe2` has failed with `EINVAL` for the invalid flag `O_APPEND`, the next `pipe` returns the two numbers that it would
/// have returned before.
#[cfg(linux)]
#[conformance::test(man = "pipe(2)")]
fn einval_releases_both_numbers() -> Outcome {
    let expected = next_numbers()?;
    for _ in 0..3 {
        expect_eq!((pipe2(OFlag::O_APPEND).map(drop), next_numbers()), (Err(EINVAL), Ok(expected)));
    }
    Ok(())
}

/// The system call `pipe`, which C libraries replace by `pipe2`, returns the two lowest free descriptor numbers. `fcntl` shows no
/// status flag set and close-on-exec clear on both.
#[cfg(has_old_pipe)]
#[conformance::test(man = "pipe(2)")]
fn pipe_system_call_returns_the_lowest_numbers() -> Outcome {
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

/// If fewer than two descriptor numbers are free, the system call `pipe` fails with `EMFILE` and opens no descriptor.
#[cfg(has_old_pipe)]
#[rstest]
#[case::none_free(0)]
#[case::one_free(1)]
#[conformance::test(man = "pipe(2)")]
fn pipe_system_call_fails_with_emfile(#[case] room: usize) -> Outcome {
    let (spare, _writer) = pipe()?;
    let (limit, expected) = (limit()?, next_numbers()?);
    leave_room(&spare, room)?;
    let before = open_descriptors();
    expect_eq!((old_pipe().map(drop), open_descriptors()), (Err(EMFILE), before));
    limit_descriptors(limit)?;
    expect_eq!(next_numbers(), Ok(expected));
    Ok(())
}

/// If the array for the two descriptors is not fully writable, the system call `pipe` fails with `EFAULT` and opens no
/// descriptor. The next successful `pipe` returns the two numbers that it would have returned before the failure.
#[cfg(has_old_pipe)]
#[rstest]
#[case::no_byte_writable(0)]
#[case::two_bytes_writable(2)]
#[case::four_bytes_writable(4)]
#[case::seven_bytes_writable(7)]
#[conformance::test(man = "pipe(2)")]
fn pipe_system_call_releases_numbers_on_efault(#[case] writable: usize) -> Outcome {
    let mut guarded = Guarded::new()?;
    let (before, expected) = (open_descriptors(), next_numbers()?);
    for _ in 0..3 {
        expect_eq!((guarded.old_pipe_into(writable), open_descriptors()), (Err(EFAULT), before.clone()));
        expect_eq!(next_numbers(), Ok(expected));
    }
    Ok(())
}
