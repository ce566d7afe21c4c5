//! Creation: `pipe` and `pipe2` hand over two descriptors, the lowest that are free, with the flags that were asked for; or they
//! fail and hand over nothing, whatever it was that failed.

use std::os::fd::AsRawFd;

use conformance::prelude::*;
use rstest::rstest;

use common::ends::next;

/// The two descriptors are the two lowest that are free, also where these are no neighbours.
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

/// Which of the two numbers goes to the reading end is not laid down.
#[conformance::test(posix = "pipe", level = observed)]
fn gives_one_end_the_lower_number() -> Outcome {
    let (reader, writer) = pipe()?;
    observe!("pipe.lower-number", if reader.as_raw_fd() < writer.as_raw_fd() { "reader" } else { "writer" });
    Ok(())
}

/// After `pipe` no status flag is set and no descriptor is closed by `exec`.
#[conformance::test(posix = "pipe")]
fn sets_no_flags_unasked() -> Outcome {
    let (reader, writer) = pipe()?;
    let flags = |end: &OwnedFd| Ok::<_, Errno>((status_flags(end)? - OFlag::O_ACCMODE, close_on_exec(end)?));
    expect_eq!((flags(&reader), flags(&writer)), (Ok((OFlag::empty(), false)), Ok((OFlag::empty(), false))));
    Ok(())
}

/// The first descriptor is open for reading only, the second for writing only.
#[conformance::test(man = "pipe(2)")]
fn opens_each_end_for_one_direction() -> Outcome {
    let (reader, writer) = pipe()?;
    let mode = |end: &OwnedFd| status_flags(end).map(|flags| flags & OFlag::O_ACCMODE);
    expect_eq!((mode(&reader), mode(&writer)), (Ok(OFlag::O_RDONLY), Ok(OFlag::O_WRONLY)));
    Ok(())
}

/// A new pipe is empty and has room, also where it takes the numbers, and perhaps the memory, of one that was closed full.
#[conformance::test(posix = "pipe")]
fn starts_empty() -> Outcome {
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

/// Without two free descriptors `pipe` fails with `EMFILE` and takes none: what was free before can still be had.
#[rstest]
#[case::no_descriptor_free(0)]
#[case::one_descriptor_free(1)]
#[conformance::test(posix = "pipe")]
fn takes_nothing_where_descriptors_are_short(#[case] room: usize) -> Outcome {
    let (spare, _writer) = pipe()?;
    leave_room(&spare, room)?;
    let before = open_descriptors();
    expect_eq!(pipe().map(drop), Err(EMFILE));
    expect_eq!(open_descriptors(), before);
    let copies: Vec<_> = (0..=room).map(|_| dup(&spare)).collect();
    expect_eq!(copies.iter().filter(|copy| copy.is_ok()).count(), room);
    expect_eq!(copies[room].as_ref().err(), Some(&EMFILE));
    Ok(())
}

/// Two free descriptors are enough.
#[conformance::test(posix = "pipe")]
fn needs_no_more_than_two_free_descriptors() -> Outcome {
    let (spare, _writer) = pipe()?;
    leave_room(&spare, 2)?;
    let made = pipe();
    expect_eq!((made.is_ok(), dup(&spare).map(drop)), (true, Err(EMFILE)));
    drop(made);
    expect_eq!(pipe().map(drop), Ok(()));
    Ok(())
}

/// `pipe2` sets exactly the flags that it is given: non-blocking on both ends, close-on-exec on both descriptors, neither through
/// the other.
#[cfg(has_pipe2)]
#[rstest]
#[case::none(OFlag::empty())]
#[case::close_on_exec(OFlag::O_CLOEXEC)]
#[case::nonblocking(OFlag::O_NONBLOCK)]
#[case::both(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)]
#[conformance::test(man = "pipe(2)")]
fn sets_the_flags_asked_for(#[case] flags: OFlag) -> Outcome {
    let (reader, writer) = pipe2(flags)?;
    let status = flags & OFlag::O_NONBLOCK;
    let close = flags.contains(OFlag::O_CLOEXEC);
    expect_eq!((status_flags(&reader), close_on_exec(&reader)), (Ok(OFlag::O_RDONLY | status), Ok(close)));
    expect_eq!((status_flags(&writer), close_on_exec(&writer)), (Ok(OFlag::O_WRONLY | status), Ok(close)));
    Ok(())
}

/// A pipe made non-blocking refuses to wait from its first call on, at both ends.
#[cfg(has_pipe2)]
#[conformance::test(man = "pipe(2)")]
fn makes_ends_that_do_not_wait() -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_NONBLOCK)?;
    expect_eq!(read(&reader, &mut [0; 1]), Err(EAGAIN));
    let page = pattern(page_size());
    let mut whole = 0;
    while write(&writer, &page) == Ok(page.len()) {
        whole += 1;
    }
    expect_eq!((write(&writer, &page), unread(&reader)), (Err(EAGAIN), Ok(whole * page.len())));
    Ok(())
}

/// `pipe2` without two free descriptors takes none either.
#[cfg(has_pipe2)]
#[conformance::test(man = "pipe(2)")]
fn takes_nothing_with_flags_where_descriptors_are_short() -> Outcome {
    let (spare, _writer) = pipe()?;
    leave_room(&spare, 1)?;
    let before = open_descriptors();
    for flags in [OFlag::empty(), OFlag::O_CLOEXEC, OFlag::O_NONBLOCK] {
        expect_eq!((pipe2(flags).map(drop), open_descriptors()), (Err(EMFILE), before.clone()));
    }
    expect_eq!(dup(&spare).map(drop), Ok(()));
    Ok(())
}

/// Flags of `open` that mean nothing for a pipe are refused, alone and beside valid ones, and no descriptor is left open.
#[cfg(has_pipe2)]
#[rstest]
#[case::write_only(OFlag::O_WRONLY)]
#[case::read_write(OFlag::O_RDWR)]
#[case::create(OFlag::O_CREAT)]
#[case::truncate(OFlag::O_TRUNC)]
#[case::append(OFlag::O_APPEND)]
#[case::directory(OFlag::O_DIRECTORY)]
#[conformance::test(man = "pipe(2)")]
fn refuses_flags_that_are_for_files(#[case] flag: OFlag) -> Outcome {
    let before = open_descriptors();
    expect_eq!((pipe2(flag).map(drop), open_descriptors()), (Err(EINVAL), before.clone()));
    expect_eq!((pipe2(flag | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map(drop), open_descriptors()), (Err(EINVAL), before));
    Ok(())
}

/// Every other bit is refused as well.
#[cfg(linux)]
#[conformance::test(man = "pipe(2)")]
fn refuses_unknown_flags() -> Outcome {
    // `O_EXCL` asks for a notification pipe, and is answered elsewhere.
    let known = OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_DIRECT | OFlag::O_EXCL;
    let before = open_descriptors();
    for flag in (0..32).map(|bit| OFlag::from_bits_retain(1 << bit)).filter(|&flag| !known.contains(flag)) {
        expect_eq!((pipe2(flag).map(drop), open_descriptors()), (Err(EINVAL), before.clone()), "flag {:#x}", flag.bits());
        let among_valid = pipe2(flag | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_DIRECT).map(drop);
        expect_eq!((among_valid, open_descriptors()), (Err(EINVAL), before.clone()), "flag {:#x}", flag.bits());
    }
    Ok(())
}

/// Packet mode can be asked for together with the other flags; it is a matter of the writing end.
#[cfg(linux)]
#[rstest]
#[case::alone(OFlag::empty())]
#[case::nonblocking(OFlag::O_NONBLOCK)]
#[case::with_all(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)]
#[conformance::test(man = "pipe(2)")]
fn offers_packet_mode(#[case] others: OFlag) -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_DIRECT | others)?;
    let status = others & OFlag::O_NONBLOCK;
    expect_eq!(status_flags(&writer), Ok(OFlag::O_WRONLY | OFlag::O_DIRECT | status));
    expect_eq!(status_flags(&reader).map(|flags| flags - OFlag::O_DIRECT), Ok(OFlag::O_RDONLY | status));
    let close = others.contains(OFlag::O_CLOEXEC);
    expect_eq!((close_on_exec(&reader), close_on_exec(&writer)), (Ok(close), Ok(close)));
    Ok(())
}

/// A notification pipe is either refused, for the kernel was built without, or takes no bytes from a writer.
#[cfg(linux)]
#[conformance::test(man = "pipe(2)", level = observed)]
fn keeps_writers_out_of_a_notification_pipe() -> Outcome {
    let before = open_descriptors();
    let notified = pipe2(OFlag::O_EXCL | OFlag::O_NONBLOCK);
    observe!("pipe.notification", notified.as_ref().err().map_or("offered".to_owned(), |errno| format!("{errno:?}")));
    let Ok((reader, writer)) = notified else {
        expect_eq!(open_descriptors(), before);
        return Ok(());
    };
    expect_matches!(write(&writer, b"x"), Err(_));
    expect_eq!((unread(&reader), next(&reader)), (Ok(0), Err(EAGAIN)));
    Ok(())
}

/// Where the two numbers cannot be stored, not even the second alone, the call fails with `EFAULT` and nothing stays open.
#[cfg(linux)]
#[rstest]
#[case::nowhere(0)]
#[case::half_of_the_first(2)]
#[case::the_first_alone(4)]
#[case::all_but_a_byte(7)]
#[conformance::test(man = "pipe(2)")]
fn takes_nothing_where_it_cannot_store_the_numbers(#[case] room: usize) -> Outcome {
    let mut guarded = Guarded::new()?;
    let before = open_descriptors();
    expect_eq!((guarded.pipe_into(room), open_descriptors()), (Err(EFAULT), before.clone()));
    for flags in [OFlag::empty(), OFlag::O_CLOEXEC, OFlag::O_NONBLOCK | OFlag::O_DIRECT] {
        expect_eq!((guarded.pipe2_into(room, flags), open_descriptors()), (Err(EFAULT), before.clone()));
    }
    Ok(())
}

/// Unknown flags are refused before anything is stored or opened.
#[cfg(linux)]
#[conformance::test(man = "pipe(2)")]
fn looks_at_the_flags_first() -> Outcome {
    let mut guarded = Guarded::new()?;
    let (spare, _writer) = pipe()?;
    expect_eq!(guarded.pipe2_into(0, OFlag::O_APPEND), Err(EINVAL));
    leave_room(&spare, 0)?;
    expect_eq!(pipe2(OFlag::O_APPEND).map(drop), Err(EINVAL));
    Ok(())
}
