//! Memory allocation failures: each kernel allocation of a call is made to fail in turn (Linux with fault injection). Every case
//! checks that the call fails as documented or does its work, and that the pipe can be used afterwards.

use conformance::prelude::*;
use conformance::process::context::restart_deadline;
use conformance::sandbox::second_user;
use conformance::sys::fd::async_io::{block_number, realtime_signal, set_io_owner, set_io_signal};
use conformance::sys::process::fail_nth::{FailNth, keep_memory_present};
use conformance::sys::process::identity::become_user;
use nix::unistd::{Gid, Uid};
use rstest::rstest;
use rstest_reuse::apply;

use serial_test::file_serial;

use super::o_async::{input, queued_signals};
use common::ends::open_nonblocking;
use common::pipe::{Kind, every_pipe, pipe_and_fifo};

/// The two descriptor numbers that the next pipe gets.
fn next_numbers() -> Result<[i32; 2], Errno> {
    let (reader, writer) = pipe()?;
    Ok([reader.as_raw_fd(), writer.as_raw_fd()])
}

fn pages(count: usize) -> i32 {
    i32::try_from(count * page_size()).unwrap_or(i32::MAX)
}

/// If a memory allocation inside `pipe2` fails, the call returns the two lowest free descriptor numbers or fails with `ENOMEM` or
/// `ENFILE`. After a failure these two numbers are still free: the next `pipe` returns them.
#[rstest]
#[case::no_flags(OFlag::empty())]
#[case::o_cloexec_and_o_nonblock(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)]
#[case::o_direct(OFlag::O_DIRECT)]
#[conformance::test(man = "pipe(2)", needs(fault_injection))]
fn pipe2_leaks_no_descriptor(#[case] flags: OFlag) -> Outcome {
    failing_allocations(|faults| {
        let numbers = next_numbers()?;
        let created = faults.during(|| pipe2(flags))?;
        match &created {
            Ok((reader, writer)) => expect_eq!([reader.as_raw_fd(), writer.as_raw_fd()], numbers),
            Err(errno) => expect_matches!(*errno, ENOMEM | ENFILE),
        }
        drop(created);
        expect_eq!(next_numbers(), Ok(numbers));
        Ok(())
    })
}

/// `pipe` and `fcntl(F_SETPIPE_SZ)` calls that fail with `ENOMEM` or `ENFILE` because a memory allocation fails charge no pages
/// to the user. After more than n / 16 failures of `pipe` and more than n / 63 failures of `fcntl(F_SETPIPE_SZ)` from 1 to 64
/// pages, with n = `pipe-user-pages-soft`, `fcntl(F_GETPIPE_SZ)` on a new pipe of this unprivileged user returns the size of 16
/// pages.
#[file_serial(pages_of_a_user)]
#[conformance::test(man = "pipe(7)", needs(fault_injection, second_user, file("/proc/sys/fs/pipe-user-pages-soft")), ambient)]
fn failed_calls_charge_no_pages() -> Outcome {
    restart_deadline();
    let soft: usize =
        std::fs::read_to_string("/proc/sys/fs/pipe-user-pages-soft")?.trim().parse().map_err(|_| Failure::from(ERANGE))?;
    if !(16..=65_536).contains(&soft) {
        return Err(Failure::untested("a pipe-user-pages-soft of 16 to 65536 pages"));
    }
    let user = Participant::spawn("user", (), move |(), _| -> Result<_, Errno> {
        let (user, group) = second_user();
        let (root, root_group) = (Uid::from_raw(0), Gid::from_raw(0));
        // Pages are charged to the real user; fault injection needs the privilege of the effective user.
        nix::unistd::setresgid(group, root_group, root_group)?;
        nix::unistd::setresuid(user, root, root)?;
        let file = FailNth::open()?;
        keep_memory_present()?;
        let (_reader, writer) = pipe()?;
        // How many of the calls failed with that allocation, until enough did. An allocation may succeed at a second attempt of the
        // kernel, so twice as many calls are made at most.
        let failures = |allocation: u32, enough: usize, call: &dyn Fn() -> Result<(), Errno>| {
            let mut count = 0;
            for _ in 0..2 * enough {
                file.arm(allocation)?;
                let result = call();
                file.disarm()?;
                match result {
                    Ok(()) => drop(set_pipe_size(&writer, pages(1))?),
                    Err(ENOMEM | ENFILE) => count += 1,
                    Err(other) => return Err(other),
                }
                if count == enough {
                    break;
                }
            }
            Ok::<usize, Errno>(count)
        };
        set_pipe_size(&writer, pages(1))?;
        // If each failure of one of these allocations charged the 16 pages of a pipe, or the 63 more pages of the larger size, the user
        // would be over the limit.
        let (pipes, sizes) = (soft / 16 + 1, soft / 63 + 1);
        let mut missing = Vec::new();
        for allocation in 1..=4 {
            missing.push(pipes - failures(allocation, pipes, &|| pipe().map(drop))?);
        }
        missing.push(sizes - failures(1, sizes, &|| set_pipe_size(&writer, pages(64)).map(drop))?);
        drop(file);
        become_user(user, group)?;
        let (reader, _writer) = pipe()?;
        Ok((missing, pipe_size(&reader)?))
    })?;
    expect_eq!(user.join()?, Ok((vec![0; 5], 16 * page_size())), "failures that are missing for each allocation, and the size");
    Ok(())
}

/// If `fcntl(F_SETPIPE_SZ)` fails with `ENOMEM` because a memory allocation fails, `F_GETPIPE_SZ` returns the same size as before
/// and `read` returns all unread bytes. When memory is available again, the same call returns the requested size.
#[apply(pipe_and_fifo)]
#[case::growing(32)]
#[case::shrinking(4)]
#[conformance::test(man = "fcntl(2)", needs(fault_injection))]
fn failed_resize_keeps_size_and_bytes(#[case] wanted: usize, kind: Kind) -> Outcome {
    let bytes = pattern(3 * page_size());
    failing_allocations(|faults| {
        let (reader, writer) = open_nonblocking(kind)?;
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

/// If a memory allocation inside `write` fails, `write` returns the count of the bytes that were added to the pipe, or fails with
/// `ENOMEM` and adds no byte. `read` returns exactly the added bytes, and the empty pipe then takes as many bytes as
/// `fcntl(F_GETPIPE_SZ)` returned before.
#[apply(pipe_and_fifo)]
#[case::one_byte(0, |_| 1)]
#[case::one_page(0, |page| page)]
#[case::several_pages(0, |page| 5 * page + 17)]
#[case::fits_into_the_last_page(10, |_| 20)]
#[case::fills_the_last_page_and_two_more(10, |page| 2 * page)]
#[conformance::test(man = "write(2)", needs(fault_injection))]
fn write_returns_the_count_it_added(#[case] held: usize, #[case] size: fn(usize) -> usize, kind: Kind) -> Outcome {
    let bytes = pattern(held + size(page_size()));
    failing_allocations(|faults| {
        let (reader, writer) = open_nonblocking(kind)?;
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
        expect!(count > 0 || written.is_err(), "write returned 0");
        expect!(faults.struck() || held + count == bytes.len(), "{count} bytes were written although no allocation failed");
        expect_eq!(unread(&reader), Ok(held + count));
        expect_eq!(read_exactly(&reader, held + count), Ok(bytes[..held + count].to_vec()));
        expect_eq!((read(&reader, &mut [0]), ready(&reader, PollFlags::POLLIN)), (Err(EAGAIN), Ok(PollFlags::empty())));
        expect_eq!(fill(&writer), Ok(capacity));
        Ok(())
    })
}

/// If `write` fails with `ENOMEM` because a memory allocation fails, a process blocked in `read` on the empty pipe stays blocked.
/// That `read` returns the bytes of the next successful `write`.
#[conformance::test(man = "write(2)", needs(fault_injection))]
fn failed_write_wakes_no_reader() -> Outcome {
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

/// If a memory allocation fails during `read` of n bytes from a pipe that holds m unread bytes (m is at least n), `read` still
/// returns n, and `ioctl(FIONREAD)` then gives m - n.
#[apply(pipe_and_fifo)]
#[case::part_of_the_bytes(|page| page + 5)]
#[case::all_bytes(|page| 3 * page)]
#[conformance::test(posix = "read", level = customary, needs(fault_injection))]
fn read_needs_no_memory(#[case] size: fn(usize) -> usize, kind: Kind) -> Outcome {
    let (bytes, size) = (pattern(3 * page_size()), size(page_size()));
    failing_allocations(|faults| {
        let (reader, writer) = open_nonblocking(kind)?;
        write_all(&writer, &bytes)?;
        let mut buffer = vec![0; size];
        expect_eq!(faults.during(|| (read(&reader, &mut buffer), unread(&reader)))?, (Ok(size), Ok(bytes.len() - size)));
        expect!(buffer == bytes[..size], "the bytes read differ from those written");
        expect_eq!(read_exactly(&reader, bytes.len() - size), Ok(bytes[size..].to_vec()));
        Ok(())
    })
}

/// `close` of the last write end returns 0 even if a memory allocation fails during the call. `read` then returns 0, and `poll`
/// on the read end reports `POLLHUP`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "close", level = customary, needs(fault_injection))]
fn last_close_needs_no_memory(kind: Kind) -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    failing_allocations(|faults| {
        let (reader, writer) = open_nonblocking(kind)?;
        expect_eq!(faults.during(move || close(writer))?, Ok(()));
        expect_eq!((read(&reader, &mut [0]), ready(&reader, PollFlags::POLLIN)), (Ok(0), Ok(PollFlags::POLLHUP)));
        let (reader, writer) = open_nonblocking(kind)?;
        drop(reader);
        expect_eq!(write(&writer, b"x"), Err(EPIPE));
        Ok(())
    })
}

/// If `fcntl(F_SETFL)` with `O_ASYNC` on the read end fails with `ENOMEM` because a memory allocation fails, `F_GETFL` shows
/// `O_ASYNC` clear and `write` queues no signal. When memory is available, the same call returns 0 and the next `write` queues a
/// signal with `si_code` `POLL_IN`.
#[apply(every_pipe)]
#[conformance::test(man = "fcntl(2)", needs(fault_injection))]
fn failed_o_async_sends_no_signal(kind: Kind) -> Outcome {
    block_number(realtime_signal())?;
    failing_allocations(|faults| {
        let (reader, writer) = kind.open()?;
        set_io_owner(&reader, nix::unistd::getpid())?;
        set_io_signal(&reader, realtime_signal())?;
        let flags = status_flags(&reader)? | OFlag::O_ASYNC;
        if let Err(errno) = faults.during(|| set_status_flags(&reader, flags))? {
            expect_eq!(errno, ENOMEM);
            expect_eq!(status_flags(&reader)? & OFlag::O_ASYNC, OFlag::empty());
            write_all(&writer, b"a")?;
            read_exactly(&reader, 1)?;
            expect_eq!(queued_signals(), Ok(vec![]));
            expect_eq!(set_status_flags(&reader, flags), Ok(()));
        }
        expect_eq!(status_flags(&reader)? & OFlag::O_ASYNC, OFlag::O_ASYNC);
        write_all(&writer, b"b")?;
        let signals = queued_signals()?;
        expect!(signals.contains(&input()), "{signals:?}");
        // The next round starts without queued signals.
        drop((reader, writer));
        queued_signals()?;
        Ok(())
    })
}

/// If a memory allocation inside `poll` on 301 read ends fails, `poll` fails with `ENOMEM`, or reports `POLLIN` for the one end
/// with unread bytes and no event for the others. The next `poll` reports exactly these events.
#[rstest]
#[case::timeout_0(Some(0))]
#[case::no_timeout(None)]
#[conformance::test(man = "poll(2)", needs(fault_injection))]
fn poll_fails_or_reports_the_ready_pipe(#[case] timeout: Option<u16>) -> Outcome {
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

/// If a memory allocation inside `select` fails, and `select` asks whether a read end with 1 unread byte and a descriptor number
/// of at least 600 is readable, `select` fails with `ENOMEM` or returns 1. The next `select` returns 1.
#[conformance::test(man = "select(2)", needs(fault_injection))]
fn select_fails_or_reports_the_ready_pipe() -> Outcome {
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

/// If `epoll_ctl(EPOLL_CTL_ADD)` for a read end with an unread byte fails with `ENOMEM` because a memory allocation fails,
/// `epoll_wait` reports no event and `EPOLL_CTL_DEL` fails with `ENOENT`. When memory is available, the same `EPOLL_CTL_ADD`
/// returns 0 and `epoll_wait` reports `EPOLLIN`.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "epoll_ctl(2)", needs(fault_injection))]
fn failed_epoll_ctl_adds_no_entry(kind: Kind) -> Outcome {
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

/// If `fcntl(F_DUPFD_CLOEXEC)` of a write end with 900 as the lowest number fails with `ENOMEM` or `EMFILE` because a memory
/// allocation fails, the next such call returns 900. After the last descriptor of the write end is closed, `read` returns 0.
#[conformance::test(man = "fcntl(2)", needs(fault_injection))]
fn failed_dup_leaks_no_descriptor() -> Outcome {
    let (reader, writer) = pipe()?;
    failing_allocations(|faults| {
        match faults.during(|| dup_from(900, &writer))? {
            Ok(copy) => expect_eq!(copy.as_raw_fd(), 900),
            Err(errno) => expect_matches!(errno, ENOMEM | EMFILE),
        }
        Ok(())
    })?;
    expect_eq!(dup_from(900, &writer).map(|copy| copy.as_raw_fd()), Ok(900));
    // `writer` is the last write end: no reference to the pipe was leaked.
    drop(writer);
    expect_eq!(read(&reader, &mut [0]), Ok(0));
    Ok(())
}
