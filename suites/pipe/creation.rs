//! `pipe` and `pipe2`: the two file descriptors, their flags, and errors. A call that fails leaves no descriptor open.

use std::os::fd::AsRawFd;

use conformance::prelude::*;
use rstest::rstest;

use common::ends::next;

/// `pipe` returns the two lowest free file descriptors, even if these are not adjacent.
#[conformance::test(posix = "pipe")]
fn takes_the_two_lowest_free_descriptors() -> Outcome {
    let (spare, _writer) = pipe()?;
    let mut copies = (0..6).map(|_| dup(&spare)).collect::<Result<Vec<_>, _>>()?;
    let holes = [copies.remove(3).as_raw_fd(), copies.remove(1).as_raw_fd()];
    let (reader, writer) = pipe()?;
    let mut numbers = [reader.as_raw_fd(), writer.as_raw_fd()];
    numbers.sort_unstable();
    expect_eq!(numbers, [holes[1], holes[0]]);
    expect_eq!((write(&writer, b"x"), next(&reader)), (Ok(1), Ok(b"x".to_vec())));
    Ok(())
}

/// Whether `pipe` gives the lower of its two file descriptor numbers to the read end or to the write end is recorded; both are
/// allowed.
#[conformance::test(posix = "pipe", level = observed)]
fn order_of_the_two_descriptors() -> Outcome {
    let (reader, writer) = pipe()?;
    observe!("pipe.end-with-the-lower-descriptor", if reader.as_raw_fd() < writer.as_raw_fd() { "reader" } else { "writer" });
    Ok(())
}

/// After `pipe`, `fcntl(F_GETFL)` shows no status flag set on either end, and `fcntl(F_GETFD)` shows close-on-exec clear on both
/// file descriptors.
#[conformance::test(posix = "pipe")]
fn pipe_sets_no_flags() -> Outcome {
    let (reader, writer) = pipe()?;
    let flags = |end: &OwnedFd| Ok::<_, Errno>((status_flags(end)? - OFlag::O_ACCMODE, close_on_exec(end)?));
    expect_eq!((flags(&reader), flags(&writer)), (Ok((OFlag::empty(), false)), Ok((OFlag::empty(), false))));
    Ok(())
}

/// `fcntl(F_GETFL)` shows `O_RDONLY` for the first descriptor of `pipe` and `O_WRONLY` for the second.
#[conformance::test(man = "pipe(2)")]
fn access_modes_of_the_ends() -> Outcome {
    let (reader, writer) = pipe()?;
    let mode = |end: &OwnedFd| status_flags(end).map(|flags| flags & OFlag::O_ACCMODE);
    expect_eq!((mode(&reader), mode(&writer)), (Ok(OFlag::O_RDONLY), Ok(OFlag::O_WRONLY)));
    Ok(())
}

/// A new pipe that takes the descriptors of a full pipe just closed is empty: a non-blocking `read` fails with `EAGAIN`, and
/// `poll` reports `POLLOUT` at the write end.
#[conformance::test(posix = "pipe")]
fn new_pipe_is_empty() -> Outcome {
    let (old_reader, old_writer) = pipe()?;
    fill(&old_writer)?;
    let numbers = (old_reader.as_raw_fd(), old_writer.as_raw_fd());
    drop((old_reader, old_writer));
    let (reader, writer) = pipe()?;
    expect_eq!((reader.as_raw_fd(), writer.as_raw_fd()), numbers);
    set_nonblocking(&reader, true)?;
    expect_eq!((unread(&reader), next(&reader)), (Ok(0), Err(EAGAIN)));
    expect_eq!((ready(&reader, PollFlags::POLLIN)?, ready(&writer, PollFlags::POLLOUT)?), (PollFlags::empty(), PollFlags::POLLOUT));
    Ok(())
}

/// If no or only one file descriptor is free, `pipe` fails with `EMFILE` and opens none. `dup` then returns the one free
/// descriptor, if there is one, and the next `dup` fails with `EMFILE`.
#[rstest]
#[case::no_descriptor_free(0)]
#[case::one_descriptor_free(1)]
#[conformance::test(posix = "pipe")]
fn emfile_opens_no_descriptor(#[case] free: usize) -> Outcome {
    let (spare, _writer) = pipe()?;
    leave_room(&spare, free)?;
    let before = open_descriptors();
    expect_eq!(pipe().map(drop), Err(EMFILE));
    expect_eq!(open_descriptors(), before);
    let copies: Vec<_> = (0..=free).map(|_| dup(&spare)).collect();
    expect_eq!(copies.iter().filter(|copy| copy.is_ok()).count(), free);
    expect_eq!(copies[free].as_ref().err(), Some(&EMFILE));
    Ok(())
}

/// If exactly two file descriptors are free, `pipe` returns 0 and uses both: the next `dup` fails with `EMFILE`.
#[conformance::test(posix = "pipe")]
fn succeeds_with_two_free_descriptors() -> Outcome {
    let (spare, _writer) = pipe()?;
    leave_room(&spare, 2)?;
    let created = pipe();
    expect_eq!((created.is_ok(), dup(&spare).map(drop)), (true, Err(EMFILE)));
    drop(created);
    expect_eq!(pipe().map(drop), Ok(()));
    Ok(())
}

/// After `pipe2`, `fcntl(F_GETFL)` shows `O_NONBLOCK` set on both ends exactly if `O_NONBLOCK` is given, and `fcntl(F_GETFD)`
/// shows close-on-exec set on both ends exactly if `O_CLOEXEC` is given.
#[cfg(has_pipe2)]
#[rstest]
#[case::no_flags(OFlag::empty())]
#[case::o_cloexec(OFlag::O_CLOEXEC)]
#[case::o_nonblock(OFlag::O_NONBLOCK)]
#[case::o_cloexec_and_o_nonblock(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)]
#[conformance::test(posix = "pipe2", man = "pipe(2)")]
fn pipe2_sets_exactly_the_given_flags(#[case] flags: OFlag) -> Outcome {
    let (reader, writer) = pipe2(flags)?;
    let status = flags & OFlag::O_NONBLOCK;
    let close = flags.contains(OFlag::O_CLOEXEC);
    expect_eq!((status_flags(&reader), close_on_exec(&reader)), (Ok(OFlag::O_RDONLY | status), Ok(close)));
    expect_eq!((status_flags(&writer), close_on_exec(&writer)), (Ok(OFlag::O_WRONLY | status), Ok(close)));
    Ok(())
}

/// On a pipe created by `pipe2` with `O_NONBLOCK`, `read` on the empty pipe and `write` on the full pipe fail with `EAGAIN`.
#[cfg(has_pipe2)]
#[conformance::test(posix = "pipe2", man = "pipe(2)")]
fn pipe2_with_o_nonblock_does_not_block() -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_NONBLOCK)?;
    expect_eq!(read(&reader, &mut [0; 1]), Err(EAGAIN));
    let page = pattern(page_size());
    let mut pages = 0;
    while write(&writer, &page) == Ok(page.len()) {
        pages += 1;
    }
    expect_eq!((write(&writer, &page), unread(&reader)), (Err(EAGAIN), Ok(pages * page.len())));
    Ok(())
}

/// If only one file descriptor is free, `pipe2` with the flags 0, `O_CLOEXEC` or `O_NONBLOCK` fails with `EMFILE` and opens no
/// descriptor. The next `dup` returns the free descriptor.
#[cfg(has_pipe2)]
#[conformance::test(posix = "pipe2", man = "pipe(2)")]
fn pipe2_emfile_opens_no_descriptor() -> Outcome {
    let (spare, _writer) = pipe()?;
    leave_room(&spare, 1)?;
    let before = open_descriptors();
    for flags in [OFlag::empty(), OFlag::O_CLOEXEC, OFlag::O_NONBLOCK] {
        expect_eq!((pipe2(flags).map(drop), open_descriptors()), (Err(EMFILE), before.clone()));
    }
    expect_eq!(dup(&spare).map(drop), Ok(()));
    Ok(())
}

/// `pipe2` with `O_WRONLY`, `O_RDWR`, `O_CREAT`, `O_TRUNC`, `O_APPEND` or `O_DIRECTORY` fails with `EINVAL` and opens no
/// descriptor, also if `O_CLOEXEC` and `O_NONBLOCK` are given too.
#[cfg(has_pipe2)]
#[rstest]
#[case::o_wronly(OFlag::O_WRONLY)]
#[case::o_rdwr(OFlag::O_RDWR)]
#[case::o_creat(OFlag::O_CREAT)]
#[case::o_trunc(OFlag::O_TRUNC)]
#[case::o_append(OFlag::O_APPEND)]
#[case::o_directory(OFlag::O_DIRECTORY)]
#[conformance::test(man = "pipe(2)")]
fn pipe2_rejects_flags_of_open(#[case] flag: OFlag) -> Outcome {
    let before = open_descriptors();
    expect_eq!((pipe2(flag).map(drop), open_descriptors()), (Err(EINVAL), before.clone()));
    expect_eq!((pipe2(flag | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map(drop), open_descriptors()), (Err(EINVAL), before));
    Ok(())
}

/// `pipe2` with any of the 32 flag bits other than `O_CLOEXEC`, `O_NONBLOCK`, `O_DIRECT` and `O_EXCL` fails with `EINVAL` and
/// opens no descriptor, with or without valid flags in the same call.
#[cfg(linux)]
#[conformance::test(man = "pipe(2)")]
fn pipe2_rejects_unknown_flags() -> Outcome {
    // `O_EXCL` requests a notification pipe and has a case of its own.
    let known = OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_DIRECT | OFlag::O_EXCL;
    let before = open_descriptors();
    for flag in (0..32).map(|bit| OFlag::from_bits_retain(1 << bit)).filter(|&flag| !known.contains(flag)) {
        expect_eq!((pipe2(flag).map(drop), open_descriptors()), (Err(EINVAL), before.clone()), "flag {:#x}", flag.bits());
        let among_valid = pipe2(flag | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_DIRECT).map(drop);
        expect_eq!((among_valid, open_descriptors()), (Err(EINVAL), before.clone()), "flag {:#x}", flag.bits());
    }
    Ok(())
}

/// After `pipe2` with `O_DIRECT`, `fcntl(F_GETFL)` shows `O_DIRECT` set on the write end. `O_NONBLOCK` and close-on-exec are set
/// on both ends exactly if `O_NONBLOCK` and `O_CLOEXEC` are given together with `O_DIRECT`.
#[cfg(linux)]
#[rstest]
#[case::alone(OFlag::empty())]
#[case::with_o_nonblock(OFlag::O_NONBLOCK)]
#[case::with_o_nonblock_and_o_cloexec(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)]
#[conformance::test(man = "pipe(2)")]
fn pipe2_sets_o_direct(#[case] others: OFlag) -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_DIRECT | others)?;
    let status = others & OFlag::O_NONBLOCK;
    expect_eq!(status_flags(&writer), Ok(OFlag::O_WRONLY | OFlag::O_DIRECT | status));
    expect_eq!(status_flags(&reader).map(|flags| flags - OFlag::O_DIRECT), Ok(OFlag::O_RDONLY | status));
    let close = others.contains(OFlag::O_CLOEXEC);
    expect_eq!((close_on_exec(&reader), close_on_exec(&writer)), (Ok(close), Ok(close)));
    Ok(())
}

/// `pipe2` with `O_EXCL` (`O_NOTIFICATION_PIPE`) returns 0, or fails with `ENOPKG` or `EINVAL`; all three are allowed, and the
/// result is recorded. On a pipe created in this way, `write` fails with `EXDEV` and adds no byte.
#[cfg(linux)]
#[conformance::test(man = "pipe(2)", level = customary)]
fn write_to_a_notification_pipe_fails() -> Outcome {
    let before = open_descriptors();
    let notified = pipe2(OFlag::O_EXCL | OFlag::O_NONBLOCK);
    observe!("pipe.notification-pipe", notified.as_ref().err().map_or("created".to_owned(), |errno| format!("{errno:?}")));
    let (reader, writer) = match notified {
        Ok(ends) => ends,
        Err(errno) => {
            // A kernel without the feature (Linux since 5.8), or one that does not know the flag.
            let no_package = Errno::from(nix::errno::Errno::ENOPKG);
            expect!([no_package, EINVAL].contains(&errno), "pipe2 fails with {errno:?}");
            expect_eq!(open_descriptors(), before);
            return Ok(());
        }
    };
    expect_eq!((write(&writer, b"x"), unread(&reader), next(&reader)), (Err(EXDEV), Ok(0), Err(EAGAIN)));
    Ok(())
}

/// If the array for the two descriptors is not fully writable, `pipe` and `pipe2` fail with `EFAULT` and leave no descriptor
/// open.
#[cfg(linux)]
#[rstest]
#[case::no_byte_writable(0)]
#[case::two_bytes_writable(2)]
#[case::four_bytes_writable(4)]
#[case::seven_bytes_writable(7)]
#[conformance::test(man = "pipe(2)")]
fn efault_leaves_no_descriptor_open(#[case] writable: usize) -> Outcome {
    let mut guarded = Guarded::new()?;
    let before = open_descriptors();
    expect_eq!((guarded.pipe_into(writable), open_descriptors()), (Err(EFAULT), before.clone()));
    for flags in [OFlag::empty(), OFlag::O_CLOEXEC, OFlag::O_NONBLOCK | OFlag::O_DIRECT] {
        expect_eq!((guarded.pipe2_into(writable, flags), open_descriptors()), (Err(EFAULT), before.clone()));
    }
    Ok(())
}

/// `pipe2` with the invalid flag `O_APPEND` fails with `EINVAL` even if the array for the descriptors is not writable or no
/// descriptor is free.
#[cfg(linux)]
#[conformance::test(man = "pipe(2)", level = customary)]
fn pipe2_checks_flags_first() -> Outcome {
    let mut guarded = Guarded::new()?;
    let (spare, _writer) = pipe()?;
    expect_eq!(guarded.pipe2_into(0, OFlag::O_APPEND), Err(EINVAL));
    leave_room(&spare, 0)?;
    expect_eq!(pipe2(OFlag::O_APPEND).map(drop), Err(EINVAL));
    Ok(())
}
