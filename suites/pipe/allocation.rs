//! Kernels without memory: each allocation of a call is made to fail in turn (Linux with fault injection). The call fails as
//! documented and leaves no trace, or does what it says; and it works when there is memory again.

use conformance::prelude::*;
use conformance::process::context::restart_deadline;
use conformance::sandbox::second_user;
use conformance::sys::fd::async_io::{block_number, realtime_signal, set_io_owner, set_io_signal};
use conformance::sys::process::fail_nth::{FailNth, keep_memory_present};
use conformance::sys::process::identity::become_user;
use nix::unistd::{Gid, Uid};
use rstest::rstest;
use serial_test::file_serial;

use super::notification::{input, told};
use common::ends::not_waiting;
use common::pipe::Kind;

/// The numbers that the next pipe gets.
fn next_numbers() -> Result<[i32; 2], Errno> {
    let (reader, writer) = pipe()?;
    Ok([reader.as_raw_fd(), writer.as_raw_fd()])
}

fn pages(count: usize) -> i32 {
    i32::try_from(count * page_size()).unwrap_or(i32::MAX)
}

/// A pipe that cannot be made for want of memory leaves no descriptor and no number that is taken; then it can be made.
#[rstest]
#[case::without_flags(OFlag::empty())]
#[case::with_flags(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)]
#[case::for_packets(OFlag::O_DIRECT)]
#[conformance::test(man = "pipe(2)", needs(fault_injection))]
fn of_a_new_pipe_takes_no_number(#[case] flags: OFlag) -> Outcome {
    failing_allocations(|faults| {
        let numbers = next_numbers()?;
        let made = faults.during(|| pipe2(flags))?;
        match &made {
            Ok((reader, writer)) => expect_eq!([reader.as_raw_fd(), writer.as_raw_fd()], numbers),
            Err(errno) => expect_matches!(*errno, ENOMEM | ENFILE),
        }
        drop(made);
        expect_eq!(next_numbers(), Ok(numbers));
        Ok(())
    })
}

/// What a user failed to get is not put to the user's account: afterwards a pipe still has its usual size.
#[file_serial(pages_of_a_user)]
#[conformance::test(man = "pipe(7)", needs(fault_injection, second_user, file("/proc/sys/fs/pipe-user-pages-soft")), ambient)]
fn is_not_charged() -> Outcome {
    restart_deadline();
    let soft: usize =
        std::fs::read_to_string("/proc/sys/fs/pipe-user-pages-soft")?.trim().parse().map_err(|_| Failure::from(ERANGE))?;
    let user = Participant::spawn("user", (), move |(), _| -> Result<_, Errno> {
        let (user, group) = second_user();
        let (root, nobody_s) = (Uid::from_raw(0), Gid::from_raw(0));
        // The account is the real user's; the right to let allocations fail goes with the effective one.
        nix::unistd::setresgid(group, nobody_s, nobody_s)?;
        nix::unistd::setresuid(user, root, root)?;
        let file = FailNth::open()?;
        keep_memory_present()?;
        let (_reader, writer) = pipe()?;
        let mut failures = 0;
        // Were a failure charged with the sixteen pages of a pipe, the limit would be passed on the way.
        for round in 0..2 * u32::try_from(soft / 16).unwrap_or(0).min(2000) {
            file.arm(1 + round / 2 % 4)?;
            let result = if round % 2 == 0 { pipe().map(drop) } else { set_pipe_size(&writer, pages(64)).map(drop) };
            file.disarm()?;
            failures += u32::from(result.is_err());
            set_pipe_size(&writer, pages(1))?;
        }
        drop(file);
        become_user(user, group)?;
        let (reader, _writer) = pipe()?;
        Ok((failures > 0, pipe_size(&reader)?))
    })?;
    expect_eq!(user.join()?, Ok((true, 16 * page_size())));
    Ok(())
}

/// A change of size that has no memory fails, and size, content and usability stay; then it succeeds.
#[rstest]
#[case::growing(32)]
#[case::shrinking(4)]
#[conformance::test(man = "fcntl(2)", needs(fault_injection))]
fn of_a_new_size_leaves_the_old_one(#[case] wanted: usize, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let bytes = pattern(3 * page_size());
    failing_allocations(|faults| {
        let (reader, writer) = not_waiting(kind)?;
        write_all(&writer, &bytes)?;
        let before = pipe_size(&writer)?;
        let resized = faults.during(|| set_pipe_size(&writer, pages(wanted)))?;
        let size = if resized.is_ok() { wanted * page_size() } else { before };
        expect!(resized == Ok(size) || resized == Err(ENOMEM), "{resized:?}");
        expect_eq!((pipe_size(&reader), unread(&reader)), (Ok(size), Ok(bytes.len())));
        expect_eq!((read_exactly(&reader, bytes.len()), fill(&writer)), (Ok(bytes.clone()), Ok(size)));
        read_exactly(&reader, size)?;
        expect_eq!(set_pipe_size(&writer, pages(wanted)), Ok(wanted * page_size()));
        Ok(())
    })
}

/// A write puts in what it says: nothing and `ENOMEM`, or a whole beginning; the reader finds exactly that, and nothing is lost of
/// the room.
#[rstest]
#[case::of_a_byte(0, |_| 1)]
#[case::of_a_page(0, |page| page)]
#[case::of_several_pages(0, |page| 5 * page + 17)]
#[case::that_joins_the_last_page(10, |_| 20)]
#[case::that_joins_and_goes_on(10, |page| 2 * page)]
#[conformance::test(man = "write(2)", needs(fault_injection))]
fn of_a_write_leaves_its_beginning(
    #[case] held: usize,
    #[case] size: fn(usize) -> usize,
    #[values(Kind::Pipe, Kind::Fifo)] kind: Kind,
) -> Outcome {
    let bytes = pattern(held + size(page_size()));
    failing_allocations(|faults| {
        let (reader, writer) = not_waiting(kind)?;
        let capacity = pipe_size(&writer)?;
        write_all(&writer, &bytes[..held])?;
        let written = faults.during(|| write(&writer, &bytes[held..]))?;
        let count = match written {
            Ok(count) => count,
            Err(errno) => {
                expect_eq!(errno, ENOMEM);
                0
            }
        };
        expect!(count > 0 || written.is_err(), "nothing was written, and no error told");
        expect!(faults.struck() || held + count == bytes.len(), "{count} bytes were written although no allocation failed");
        expect_eq!(unread(&reader), Ok(held + count));
        expect_eq!(read_exactly(&reader, held + count), Ok(bytes[..held + count].to_vec()));
        expect_eq!((read(&reader, &mut [0]), ready(&reader, PollFlags::POLLIN)), (Err(EAGAIN), Ok(PollFlags::empty())));
        expect_eq!(fill(&writer), Ok(capacity));
        Ok(())
    })
}

/// A write that puts nothing in wakes nobody who waits for data; the next one does.
#[conformance::test(man = "write(2)", needs(fault_injection))]
fn of_a_write_wakes_no_reader() -> Outcome {
    failing_allocations(|faults| {
        let (reader_end, writer) = pipe()?;
        let reader = Participant::spawn("reader", reader_end, |end, _| read_some(&end, 10))?;
        reader.until_blocked()?;
        match faults.during(|| write(&writer, b"abc"))? {
            Ok(count) => expect_eq!(count, 3),
            Err(errno) => {
                expect_eq!(errno, ENOMEM);
                reader.expect_still_blocked()?;
                expect_eq!(write(&writer, b"abc"), Ok(3));
            }
        }
        expect_eq!(reader.join()?, Ok(b"abc".to_vec()));
        Ok(())
    })
}

/// What is in a pipe can be read, and counted, without any memory.
#[rstest]
#[case::in_part(|page| page + 5)]
#[case::to_the_last_byte(|page| 3 * page)]
#[conformance::test(posix = "read", needs(fault_injection))]
fn does_not_matter_to_a_reader(#[case] size: fn(usize) -> usize, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (bytes, size) = (pattern(3 * page_size()), size(page_size()));
    failing_allocations(|faults| {
        let (reader, writer) = not_waiting(kind)?;
        write_all(&writer, &bytes)?;
        let mut buffer = vec![0; size];
        expect_eq!(faults.during(|| (read(&reader, &mut buffer), unread(&reader)))?, (Ok(size), Ok(bytes.len() - size)));
        expect!(buffer == bytes[..size], "other bytes came than were written");
        expect_eq!(read_exactly(&reader, bytes.len() - size), Ok(bytes[size..].to_vec()));
        Ok(())
    })
}

/// The last close of an end takes effect without any memory.
#[rstest]
#[conformance::test(posix = "close", needs(fault_injection))]
fn does_not_matter_to_the_last_close(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    failing_allocations(|faults| {
        let (reader, writer) = not_waiting(kind)?;
        expect_eq!(faults.during(move || close(writer))?, Ok(()));
        expect_eq!((read(&reader, &mut [0]), ready(&reader, PollFlags::POLLIN)), (Ok(0), Ok(PollFlags::POLLHUP)));
        let (reader, writer) = not_waiting(kind)?;
        drop(reader);
        expect_eq!(write(&writer, b"x"), Err(EPIPE));
        Ok(())
    })
}

/// Where `O_ASYNC` cannot be set for want of memory the flag stays off, and nobody is told anything; set, it tells.
#[rstest]
#[conformance::test(man = "fcntl(2)", needs(fault_injection))]
fn of_a_notification_tells_nobody(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    block_number(realtime_signal())?;
    failing_allocations(|faults| {
        let (reader, writer) = kind.open()?;
        set_io_owner(&reader, nix::unistd::getpid())?;
        set_io_signal(&reader, realtime_signal())?;
        let flags = status_flags(&reader)? | OFlag::O_ASYNC;
        if let Err(errno) = faults.during(|| set_status_flags(&reader, flags))? {
            expect_eq!(errno, ENOMEM);
            expect!(!status_flags(&reader)?.contains(OFlag::O_ASYNC));
            write_all(&writer, b"a")?;
            read_exactly(&reader, 1)?;
            expect_eq!(told(), Ok(vec![]));
            expect_eq!(set_status_flags(&reader, flags), Ok(()));
        }
        expect!(status_flags(&reader)?.contains(OFlag::O_ASYNC));
        write_all(&writer, b"b")?;
        expect!(told()?.contains(&input()));
        // What is closed while the flag is on tells nobody later.
        drop((reader, writer));
        told()?;
        Ok(())
    })
}

/// `poll` on many descriptors fails with `ENOMEM`, or sees what is ready; asked again it does.
#[rstest]
#[case::and_does_not_wait(Some(0))]
#[case::and_would_wait(None)]
#[conformance::test(man = "poll(2)", needs(fault_injection))]
fn of_a_poller_hides_nothing(#[case] timeout: Option<u16>) -> Outcome {
    let (silent, _silent_writer) = pipe()?;
    let (reader, writer) = pipe()?;
    write(&writer, b"x")?;
    let mut entries = vec![(silent.as_fd(), PollFlags::POLLIN); 300];
    entries.push((reader.as_fd(), PollFlags::POLLIN));
    let mut expected = vec![PollFlags::empty(); 300];
    expected.push(PollFlags::POLLIN);
    failing_allocations(|faults| {
        let seen = faults.during(|| poll(&entries, timeout))?;
        expect!(seen.as_ref() == Ok(&expected) || seen == Err(ENOMEM), "{seen:?}");
        expect_eq!((poll(&entries, timeout), unread(&reader)), (Ok(expected.clone()), Ok(1)));
        Ok(())
    })
}

/// `select` on a high number fails with `ENOMEM`, or sees what is ready.
#[conformance::test(man = "select(2)", needs(fault_injection))]
fn of_a_selector_hides_nothing() -> Outcome {
    let (reader, writer) = pipe()?;
    let reader = dup_from(600, reader)?;
    write(&writer, b"x")?;
    failing_allocations(|faults| {
        let seen = faults.during(|| select_to_read(&reader))?;
        expect!(seen == Ok(1) || seen == Err(ENOMEM), "{seen:?}");
        expect_eq!((select_to_read(&reader), unread(&reader)), (Ok(1), Ok(1)));
        Ok(())
    })
}

/// An end that could not be added to an epoll list is not in it, is not reported, and can be added.
#[rstest]
#[conformance::test(man = "epoll_ctl(2)", needs(fault_injection))]
fn of_an_entry_of_an_epoll_list_adds_none(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    failing_allocations(|faults| {
        let (reader, writer) = kind.open()?;
        write(&writer, b"x")?;
        let list = epoll()?;
        if let Err(errno) = faults.during(|| epoll_add(&list, &reader, EpollFlags::EPOLLIN, 7))? {
            expect_eq!(errno, ENOMEM);
            expect_eq!((epoll_wait(&list, Some(0)), epoll_remove(&list, &reader)), (Ok(vec![]), Err(ENOENT)));
            expect_eq!(epoll_add(&list, &reader, EpollFlags::EPOLLIN, 7), Ok(()));
        }
        expect_eq!(epoll_wait(&list, Some(0)), Ok(vec![(7, EpollFlags::EPOLLIN)]));
        expect_eq!(epoll_remove(&list, &reader), Ok(()));
        Ok(())
    })
}

/// A duplicate that would need a larger table of descriptors fails and takes no number; then it gets the one it asked for.
#[conformance::test(man = "dup(2)", needs(fault_injection))]
fn of_a_duplicate_takes_no_number() -> Outcome {
    let (reader, writer) = pipe()?;
    failing_allocations(|faults| {
        match faults.during(|| dup_from(900, &writer))? {
            Ok(copy) => expect_eq!(copy.as_raw_fd(), 900),
            Err(errno) => expect_matches!(errno, ENOMEM | EMFILE),
        }
        Ok(())
    })?;
    expect_eq!(dup_from(900, &writer).map(|copy| copy.as_raw_fd()), Ok(900));
    // No reference is left anywhere that would keep the end from being the last.
    drop(writer);
    expect_eq!(read(&reader, &mut [0]), Ok(0));
    Ok(())
}
