//! `fcntl(F_SETPIPE_SZ)` and `fcntl(F_GETPIPE_SZ)` (Linux): changing the size of a pipe that is in use.
//!
//! The size is counted in buffers of a page. Each page or packet with unread bytes takes one buffer, however few bytes it has.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::process::identity::become_user;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, every_pipe, pipe_and_fifo};

/// `fcntl(F_SETPIPE_SZ)` on an empty pipe, for 0 bytes to 16 pages and 1 byte, rounds the size up to 1, 2, 4, 8, 16 or 32 pages,
/// and 0 bytes to 1 page, and returns that size. `F_GETPIPE_SZ` returns the same size at both ends, and `write` adds exactly that
/// many bytes until the pipe is full.
#[rstest]
#[case::zero(0, 1)]
#[case::one_byte(1, 1)]
#[case::one_page_less_a_byte(4095, 1)]
#[case::one_page(4096, 1)]
#[case::one_page_and_a_byte(4097, 2)]
#[case::two_pages(8192, 2)]
#[case::three_pages(3 * 4096, 4)]
#[case::five_pages(5 * 4096, 8)]
#[case::sixteen_pages_and_a_byte(16 * 4096 + 1, 32)]
#[conformance::test(man = "fcntl(2)", level = customary)]
fn rounds_up_to_a_power_of_two_pages(#[case] asked: usize, #[case] pages: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    let page = page_size();
    // The table is written for pages of 4096 bytes.
    let asked = i32::try_from(asked / 4096 * page + asked % 4096).unwrap_or(i32::MAX);
    let pages = if page > 4096 && asked % 4096 == 4095 { 1 } else { pages };
    expect_eq!(set_pipe_size(&writer, asked), Ok(pages * page));
    expect_eq!((pipe_size(&reader), pipe_size(&writer)), (Ok(pages * page), Ok(pages * page)));
    expect_eq!(fill(&writer), Ok(pages * page));
    Ok(())
}

/// `fcntl(F_SETPIPE_SZ)` with the argument `-1` or `INT_MIN + 4096`, which is above 2 GiB as an unsigned number, fails with
/// `EINVAL`. `F_GETPIPE_SZ` then returns the same size as before, and `read` returns all unread bytes.
#[rstest]
#[case::minus_one(-1)]
#[case::above_2_gib(i32::MIN + 4096)]
#[conformance::test(man = "fcntl(2)", level = customary, fixed_in = "Linux 2.6.35 (cc967be54710)")]
fn rejects_impossible_sizes(#[case] asked: i32) -> Outcome {
    let (reader, writer) = pipe()?;
    let before = pipe_size(&writer)?;
    write(&writer, b"kept")?;
    expect_eq!(set_pipe_size(&writer, asked), Err(EINVAL));
    expect_eq!((pipe_size(&reader), unread(&reader)), (Ok(before), Ok(4)));
    expect_eq!(write(&writer, b"more"), Ok(4));
    expect_eq!(read_some(&reader, 9), Ok(b"keptmore".to_vec()));
    Ok(())
}

/// `fcntl(F_SETPIPE_SZ)` by an unprivileged user fails with `EPERM` for 1 GiB and for 1 GiB and 1 byte, which are above the value
/// of `/proc/sys/fs/pipe-max-size`. `F_GETPIPE_SZ` then returns the same size as before, and `read` returns all unread bytes.
#[rstest]
#[case::one_gib(1 << 30)]
#[case::one_gib_and_a_byte(1 + (1 << 30))]
#[conformance::test(man = "fcntl(2)", needs(second_user), fixed_in = "Linux 4.9 (d3f14c485867)")]
fn rejects_huge_sizes_for_unprivileged_users(#[case] asked: i32) -> Outcome {
    fails_for_an_unprivileged_user(asked, EPERM)
}

/// `fcntl(F_SETPIPE_SZ)` by an unprivileged user fails with `EPERM` for the argument `INT_MIN`, which is 2 GiB as an unsigned
/// number, and with `EINVAL` for `INT_MIN + 1` and `-1`, which are above. `F_GETPIPE_SZ` then returns the same size as before,
/// and `read` returns all unread bytes.
#[rstest]
#[case::two_gib(i32::MIN, EPERM)]
#[case::two_gib_and_a_byte(i32::MIN + 1, EINVAL)]
#[case::minus_1(-1, EINVAL)]
#[conformance::test(man = "fcntl(2)", level = customary, needs(second_user), fixed_in = "Linux 4.9 (d3f14c485867)")]
fn rejects_negative_sizes_for_unprivileged_users(#[case] asked: i32, #[case] expected: Errno) -> Outcome {
    fails_for_an_unprivileged_user(asked, expected)
}

/// Expects `fcntl(F_SETPIPE_SZ)` by an unprivileged user to fail with `expected`, and the pipe to stay as it was.
#[track_caller]
fn fails_for_an_unprivileged_user(asked: i32, expected: Errno) -> Outcome {
    let (reader, writer) = pipe()?;
    let before = pipe_size(&writer)?;
    let user = Participant::spawn("user", dup(&writer)?, move |end, _| {
        let (user, group) = second_user();
        become_user(user, group).expect("a second user");
        (write(&end, b"kept"), set_pipe_size(&end, asked), pipe_size(&end), write(&end, b"more"))
    })?;
    expect_eq!(user.join()?, (Ok(4), Err(expected), Ok(before), Ok(4)));
    expect_eq!((unread(&reader), read_some(&reader, 9)), (Ok(8), Ok(b"keptmore".to_vec())));
    expect_eq!(fill(&writer), Ok(before));
    Ok(())
}

/// After `fcntl(F_SETPIPE_SZ)` on one end of a pipe or FIFO, `F_GETPIPE_SZ` on the other end returns the new size. `write` adds
/// exactly that many bytes until the pipe is full.
#[apply(every_pipe)]
#[conformance::test(man = "fcntl(2)")]
fn applies_to_both_ends(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let page = page_size();
    expect_eq!(set_pipe_size(&reader, i32::try_from(2 * page).unwrap_or(1)), Ok(2 * page));
    expect_eq!(pipe_size(&writer), Ok(2 * page));
    expect_eq!(set_pipe_size(&writer, i32::try_from(32 * page).unwrap_or(1)), Ok(32 * page));
    expect_eq!((pipe_size(&reader), fill(&writer), unread(&reader)), (Ok(32 * page), Ok(32 * page), Ok(32 * page)));
    Ok(())
}

/// If `fcntl(F_SETPIPE_SZ)` on the write end sets 64 pages in one process, `F_GETPIPE_SZ` on the read end in another process
/// returns 64 pages. If that process then sets 1 page, `F_GETPIPE_SZ` in the first returns 1 page.
#[conformance::test(man = "fcntl(2)")]
fn shows_in_another_process() -> Outcome {
    let (reader, writer) = pipe()?;
    let other = Participant::spawn("other", reader, |end, link| {
        link.meet("changed");
        (pipe_size(&end), set_pipe_size(&end, 1))
    })?;
    other.until_reached("changed")?;
    let size = set_pipe_size(&writer, i32::try_from(64 * page_size()).unwrap_or(1))?;
    other.open("changed")?;
    expect_eq!(other.join()?, (Ok(size), Ok(page_size())));
    expect_eq!(pipe_size(&writer), Ok(page_size()));
    Ok(())
}

/// `F_GETPIPE_SZ` returns a size of one page set by `fcntl(F_SETPIPE_SZ)` on a FIFO while any descriptor of the FIFO is open.
/// After the last close and the next `open`, `F_GETPIPE_SZ` returns the size that the FIFO had before `F_SETPIPE_SZ`.
#[conformance::test(man = "fcntl(2)", man = "pipe(7)", level = customary)]
fn is_reset_after_the_last_close_of_a_fifo() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    let first = open(&path, OFlag::O_RDWR)?;
    let default = pipe_size(&first)?;
    expect_eq!(set_pipe_size(&first, 1), Ok(page_size()));
    let second = open(&path, OFlag::O_RDWR)?;
    drop(first);
    expect_eq!(pipe_size(&second), Ok(page_size()));
    drop(second);
    let third = open(&path, OFlag::O_RDWR)?;
    expect_eq!(pipe_size(&third), Ok(default));
    Ok(())
}

/// If n packets of 1 byte, n from 0 to 16, are unread on a pipe of 16 pages with `O_DIRECT` from which 0 to 15 packets have been
/// read before, `fcntl(F_SETPIPE_SZ)` to m pages, m a power of two from 1 to 32, fails with `EBUSY` if m < n and returns the size
/// of m pages otherwise. Non-blocking `write` calls of 1 byte then return 1 exactly m − n times, or 16 − n times after `EBUSY`.
/// `read` calls of 1 byte return the n packets in order.
#[rstest]
#[conformance::test(man = "fcntl(2)", fixed_in = "Linux 2.6.36 (1d862f412275)")]
fn keeps_bytes_at_every_buffer_position(#[values(1, 2, 4, 8, 16, 32)] pages: usize) -> Outcome {
    let asked = i32::try_from(pages * page_size()).unwrap_or(1);
    for position in 0..16 {
        for held in [0, 1, 2, 3, 4, 5, 8, 9, 15, 16] {
            // In packet mode each byte takes a buffer of its own.
            let (reader, writer) = pipe2(OFlag::O_NONBLOCK | OFlag::O_DIRECT)?;
            for _ in 0..position {
                write(&writer, b"-")?;
                read(&reader, &mut [0])?;
            }
            let content: Vec<u8> = (0..held).collect();
            for byte in &content {
                write(&writer, &[*byte])?;
            }
            let held = usize::from(held);
            let (expected, buffers) = if held > pages { (Err(EBUSY), 16) } else { (Ok(pages * page_size()), pages) };
            let before = (set_pipe_size(&writer, asked), pipe_size(&reader), unread(&reader));
            expect_eq!(before, (expected, Ok(buffers * page_size()), Ok(held)), "{held} buffers held from position {position}");
            let writable = ready(&writer, PollFlags::POLLOUT)? == PollFlags::POLLOUT;
            expect_eq!(writable, held < buffers, "{held} buffers held from position {position}");
            let more = (0..40).take_while(|_| write(&writer, b"+") == Ok(1)).count();
            expect_eq!(more, buffers - held, "{held} buffers held from position {position}");
            let mut seen = vec![0; held];
            for place in seen.chunks_mut(1) {
                expect_eq!(read(&reader, place), Ok(1));
            }
            expect_eq!(seen, content, "{held} buffers held from position {position}");
            expect_eq!(unread(&reader), Ok(more));
        }
    }
    Ok(())
}

/// `fcntl(F_SETPIPE_SZ)` to one page fails with `EBUSY` while unread bytes are in two pages, even if only 2 bytes are unread.
/// After `read` has removed the last byte of one of the two pages, the call returns the size of one page.
#[conformance::test(man = "fcntl(2)")]
fn fails_with_ebusy_while_more_pages_are_in_use() -> Outcome {
    let (reader, writer) = pipe()?;
    let page = page_size();
    let one = i32::try_from(page).unwrap_or(1);
    let (before, first) = (pipe_size(&writer)?, pattern(page));
    write_all(&writer, &[&first[..], b"z"].concat())?;
    expect_eq!((set_pipe_size(&writer, one), pipe_size(&reader)), (Err(EBUSY), Ok(before)));
    expect_eq!(set_pipe_size(&writer, 2 * one), Ok(2 * page));
    expect_eq!(read_some(&reader, page - 1), Ok(first[..page - 1].to_vec()));
    // Two bytes are unread, in two pages.
    expect_eq!((set_pipe_size(&writer, one), pipe_size(&reader), unread(&reader)), (Err(EBUSY), Ok(2 * page), Ok(2)));
    expect_eq!(read_some(&reader, 1), Ok(first[page - 1..].to_vec()));
    expect_eq!((set_pipe_size(&writer, one), unread(&reader)), (Ok(page), Ok(1)));
    expect_eq!(read_some(&reader, 2), Ok(b"z".to_vec()));
    Ok(())
}

/// On a full pipe, `fcntl(F_SETPIPE_SZ)` to half the size fails with `EBUSY`, and to the present size and to twice the size
/// returns that size. After the size has doubled, a non-blocking `write` of twice the old size returns the old size.
#[conformance::test(man = "fcntl(2)")]
fn full_pipe_can_only_grow() -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_NONBLOCK)?;
    let (page, size) = (page_size(), pipe_size(&reader)?);
    let content = pattern(size);
    write_all(&writer, &content)?;
    let resize = |size: usize| set_pipe_size(&reader, i32::try_from(size).unwrap_or(1));
    expect_eq!(resize(size / 2), Err(EBUSY));
    // A size of 1 byte less is rounded up to the present size.
    expect_eq!(resize(size - 1), Ok(size));
    expect_eq!(write(&writer, b"x"), Err(EAGAIN));
    expect_eq!(resize(2 * size), Ok(2 * size));
    expect_eq!(write(&writer, &pattern(2 * size)), Ok(size));
    expect_eq!(resize(size), Err(EBUSY));
    expect_eq!(read_some(&reader, size), Ok(content));
    expect_eq!((resize(size), write(&writer, &[0; 1])), (Ok(size), Err(EAGAIN)));
    expect_eq!(read_some(&reader, page), Ok(pattern(page)));
    expect_eq!(write(&writer, &vec![7; page]), Ok(page));
    Ok(())
}

/// If `read` has removed 100 of 2 pages of unread bytes, and `fcntl(F_SETPIPE_SZ)` then sets 2, 8, 4, 32 and 2 pages in turn,
/// `ioctl(FIONREAD)` gives 2 pages less 100 bytes after each call. `read` then returns exactly these bytes in order.
#[conformance::test(man = "fcntl(2)")]
fn keeps_the_rest_of_a_partly_read_page() -> Outcome {
    let (reader, writer) = pipe()?;
    let page = page_size();
    let content = pattern(2 * page);
    write_all(&writer, &content)?;
    expect_eq!(read_some(&reader, 100), Ok(content[..100].to_vec()));
    for pages in [2, 8, 4, 32, 2] {
        expect_eq!(set_pipe_size(&reader, i32::try_from(pages * page).unwrap_or(1)), Ok(pages * page));
        expect_eq!(unread(&reader), Ok(content.len() - 100));
    }
    expect_eq!(read_some(&reader, 3 * page), Ok(content[100..].to_vec()));
    Ok(())
}

/// A process blocked in `write` of 10 bytes on a full pipe is woken when `fcntl(F_SETPIPE_SZ)` doubles the size, and `write`
/// returns 10 without any `read`.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "fcntl(2)", level = customary, fixed_in = "Linux 6.8 (e95aada4cb93)")]
fn growing_wakes_a_blocked_writer(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let size = fill(&writer_end)?;
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, b"0123456789"))?;
    writer.until_blocked()?;
    expect_eq!(set_pipe_size(&reader, i32::try_from(2 * size).unwrap_or(1)), Ok(2 * size));
    expect_eq!(writer.join()?, Ok(10));
    expect_eq!(unread(&reader), Ok(size + 10));
    read_exactly(&reader, size)?;
    expect_eq!(read_some(&reader, 11), Ok(b"0123456789".to_vec()));
    Ok(())
}

/// Three processes blocked in `write` of a page on a full pipe are all woken when `fcntl(F_SETPIPE_SZ)` doubles the size, and
/// each `write` returns its whole count.
#[conformance::test(man = "fcntl(2)", level = customary, fixed_in = "Linux 6.8 (e95aada4cb93)")]
fn growing_wakes_all_blocked_writers() -> Outcome {
    let (reader, writer_end) = pipe()?;
    let size = fill(&writer_end)?;
    let mut writers = Vec::new();
    for _ in 0..3 {
        writers.push(Participant::spawn("writer", writer_end.try_clone()?, |end, _| write(&end, &vec![9; page_size()]))?);
    }
    for writer in &writers {
        writer.until_blocked()?;
    }
    expect_eq!(set_pipe_size(&reader, i32::try_from(2 * size).unwrap_or(1)), Ok(2 * size));
    for writer in writers {
        expect_eq!(writer.join()?, Ok(page_size()));
    }
    expect_eq!(unread(&reader), Ok(size + 3 * page_size()));
    Ok(())
}

/// A process blocked in `read` on an empty pipe stays blocked when `fcntl(F_SETPIPE_SZ)` sets 1, 64 and 2 pages in turn. That
/// `read` returns the bytes of the next `write`.
#[conformance::test(man = "fcntl(2)")]
fn keeps_a_blocked_reader_blocked() -> Outcome {
    let (reader_end, writer) = pipe()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| read_some(&end, 100))?;
    reader.until_blocked()?;
    for pages in [1, 64, 2] {
        set_pipe_size(&writer, i32::try_from(pages * page_size()).unwrap_or(1))?;
        reader.expect_still_blocked()?;
    }
    write(&writer, b"at last")?;
    expect_eq!(reader.join()?, Ok(b"at last".to_vec()));
    Ok(())
}

/// If `fcntl(F_SETPIPE_SZ)` with 16, 32 or 64 pages is called six times while a process is blocked in one `write` of 100 pages,
/// each call returns that size or fails with `EBUSY`; both are allowed. `read` returns all bytes in order, and `write` returns
/// the size of 100 pages.
#[conformance::test(man = "fcntl(2)", man = "pipe(7)")]
fn during_a_blocked_write_keeps_order() -> Outcome {
    let (reader, writer_end) = pipe()?;
    // More than the pipe can hold and the reader takes in between, so that the writer blocks each time.
    let total = 100 * page_size();
    let writer = Participant::spawn("writer", writer_end, move |end, _| write(&end, &pattern(total)))?;
    let mut received = Vec::new();
    for (pages, odd) in [(32, 1), (32, 4095), (64, 100), (32, 8193), (64, 70_001), (16, 1)] {
        writer.until_blocked()?;
        match set_pipe_size(&reader, i32::try_from(pages * page_size()).unwrap_or(1)) {
            Ok(_) | Err(EBUSY) => received.extend(read_exactly(&reader, odd)?),
            other => expect_eq!(other, Ok(pages * page_size())),
        }
    }
    received.extend(read_to_end(&reader)?);
    expect_eq!(writer.join()?, Ok(total));
    expect!(received == pattern(total), "{} of {total} bytes were read, or not in order", received.len());
    Ok(())
}

/// `fcntl(F_SETPIPE_SZ)` and `fcntl(F_GETPIPE_SZ)` on a regular file and on `/dev/null` fail with `EBADF`.
#[conformance::test(man = "fcntl(2)")]
fn fails_with_ebadf_on_other_files() -> Outcome {
    let null = open(Path::new("/dev/null"), OFlag::O_RDWR)?;
    expect_eq!((pipe_size(&null), set_pipe_size(&null, 4096)), (Err(EBADF), Err(EBADF)));
    let scratch = Scratch::new()?;
    let file = create(&scratch.join("file"), OFlag::O_RDWR, 0o600)?;
    expect_eq!((pipe_size(&file), set_pipe_size(&file, 4096)), (Err(EBADF), Err(EBADF)));
    Ok(())
}
