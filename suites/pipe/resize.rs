//! `F_SETPIPE_SZ` and `F_GETPIPE_SZ` (Linux): a pipe's room is changed while it is in use, and nothing in it is.
//!
//! Room is counted in slots: one for each page or packet that is held, however few bytes are in it.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::process::identity::become_user;
use rstest::rstest;

use common::pipe::Kind;

/// A size is rounded up to a page times a power of two; the call returns it, and so do both ends afterwards.
#[rstest]
#[case::nothing(0, 1)]
#[case::one_byte(1, 1)]
#[case::one_page_less_one(4095, 1)]
#[case::one_page(4096, 1)]
#[case::one_page_and_a_byte(4097, 2)]
#[case::two_pages(8192, 2)]
#[case::three_pages(3 * 4096, 4)]
#[case::five_pages(5 * 4096, 8)]
#[case::sixteen_pages_and_a_byte(16 * 4096 + 1, 32)]
#[conformance::test(man = "fcntl(2)")]
fn rounds_up(#[case] asked: usize, #[case] pages: usize) -> Outcome {
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

/// A negative size, or taken as unsigned one that cannot be rounded up, is refused, and leaves size, content and usability as they were.
#[rstest]
#[case::minus_one(-1)]
#[case::beyond_the_largest_power_of_two(i32::MIN + 4096)]
#[conformance::test(man = "fcntl(2)", fixed_in = "Linux 2.6.35 (cc967be54710)")]
fn is_refused_for_an_impossible_size(#[case] asked: i32) -> Outcome {
    let (reader, writer) = pipe()?;
    let before = pipe_size(&writer)?;
    write(&writer, b"kept")?;
    expect_eq!(set_pipe_size(&writer, asked), Err(EINVAL));
    expect_eq!((pipe_size(&reader), unread(&reader)), (Ok(before), Ok(4)));
    expect_eq!(write(&writer, b"more"), Ok(4));
    expect_eq!(read_some(&reader, 9), Ok(b"keptmore".to_vec()));
    Ok(())
}

/// As an unsigned number the size may be up to the largest power of two. An unprivileged user may not have that much, and is told so;
/// what is larger still is no size for anybody.
#[rstest]
#[case::the_largest_power_of_two(i32::MIN, EPERM)]
#[case::half_of_it(1 << 30, EPERM)]
#[case::one_byte_more_than_half(1 + (1 << 30), EPERM)]
#[case::one_byte_more(i32::MIN + 1, EINVAL)]
#[case::the_largest_number(-1, EINVAL)]
#[conformance::test(man = "fcntl(2)", needs(second_user), fixed_in = "Linux 4.9 (d3f14c485867)")]
fn to_the_extreme_is_refused_to_the_unprivileged(#[case] asked: i32, #[case] refusal: Errno) -> Outcome {
    let (reader, writer) = pipe()?;
    let before = pipe_size(&writer)?;
    let user = Participant::spawn("user", dup(&writer)?, move |end, _| {
        let (user, group) = second_user();
        become_user(user, group).expect("a second user");
        (write(&end, b"kept"), set_pipe_size(&end, asked), pipe_size(&end), write(&end, b"more"))
    })?;
    expect_eq!(user.join()?, (Ok(4), Err(refusal), Ok(before), Ok(4)));
    expect_eq!((unread(&reader), read_some(&reader, 9)), (Ok(8), Ok(b"keptmore".to_vec())));
    expect_eq!(fill(&writer), Ok(before));
    Ok(())
}

/// Either end changes the size of both, under whatever name the pipe was opened.
#[rstest]
#[conformance::test(man = "fcntl(2)")]
fn counts_for_both_ends(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let page = page_size();
    expect_eq!(set_pipe_size(&reader, i32::try_from(2 * page).unwrap_or(1)), Ok(2 * page));
    expect_eq!(pipe_size(&writer), Ok(2 * page));
    expect_eq!(set_pipe_size(&writer, i32::try_from(32 * page).unwrap_or(1)), Ok(32 * page));
    expect_eq!((pipe_size(&reader), fill(&writer), unread(&reader)), (Ok(32 * page), Ok(32 * page), Ok(32 * page)));
    Ok(())
}

/// The size belongs to the pipe and not to a process: another process that holds an end sees a change at once.
#[conformance::test(man = "fcntl(2)")]
fn is_seen_by_another_process() -> Outcome {
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

/// The size of a FIFO lasts as long as somebody has it open, and no longer: the next to open it finds the default.
#[conformance::test(man = "fcntl(2)", man = "pipe(7)", level = observed)]
fn ends_with_the_last_descriptor_of_a_fifo() -> Outcome {
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

/// Where the content stands in the buffer makes no difference: after any change of size all of it is there, in order, the count of
/// unread bytes is right, and exactly the new room is left. A size below the content is refused and changes nothing.
#[rstest]
#[conformance::test(man = "fcntl(2)", fixed_in = "Linux 2.6.36 (1d862f412275)")]
fn keeps_content_and_order_at_every_position(#[values(1, 2, 4, 8, 16, 32)] pages: usize) -> Outcome {
    let asked = i32::try_from(pages * page_size()).unwrap_or(1);
    for position in 0..16 {
        for held in [0, 1, 2, 3, 4, 5, 8, 9, 15, 16] {
            // Packets, so that each byte takes a slot of its own.
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
            let (expected, slots) = if held > pages { (Err(EBUSY), 16) } else { (Ok(pages * page_size()), pages) };
            let before = (set_pipe_size(&writer, asked), pipe_size(&reader), unread(&reader));
            expect_eq!(before, (expected, Ok(slots * page_size()), Ok(held)), "{held} slots held from position {position}");
            let writable = ready(&writer, PollFlags::POLLOUT)? == PollFlags::POLLOUT;
            expect_eq!(writable, held < slots, "{held} slots held from position {position}");
            let more = (0..40).take_while(|_| write(&writer, b"+") == Ok(1)).count();
            expect_eq!(more, slots - held, "{held} slots held from position {position}");
            let mut seen = vec![0; held];
            for place in seen.chunks_mut(1) {
                expect_eq!(read(&reader, place), Ok(1));
            }
            expect_eq!(seen, content, "{held} slots held from position {position}");
            expect_eq!(unread(&reader), Ok(more));
        }
    }
    Ok(())
}

/// A size is refused while more pages are in use than it has, even if the bytes in them would fit; and given as soon as enough of
/// them are read.
#[conformance::test(man = "fcntl(2)")]
fn is_refused_while_too_many_pages_are_in_use() -> Outcome {
    let (reader, writer) = pipe()?;
    let page = page_size();
    let one = i32::try_from(page).unwrap_or(1);
    let (before, first) = (pipe_size(&writer)?, pattern(page));
    write_all(&writer, &[&first[..], b"z"].concat())?;
    expect_eq!((set_pipe_size(&writer, one), pipe_size(&reader)), (Err(EBUSY), Ok(before)));
    expect_eq!(set_pipe_size(&writer, 2 * one), Ok(2 * page));
    expect_eq!(read_some(&reader, page - 1), Ok(first[..page - 1].to_vec()));
    // Two bytes are left, in two pages.
    expect_eq!((set_pipe_size(&writer, one), pipe_size(&reader), unread(&reader)), (Err(EBUSY), Ok(2 * page), Ok(2)));
    expect_eq!(read_some(&reader, 1), Ok(first[page - 1..].to_vec()));
    expect_eq!((set_pipe_size(&writer, one), unread(&reader)), (Ok(page), Ok(1)));
    expect_eq!(read_some(&reader, 2), Ok(b"z".to_vec()));
    Ok(())
}

/// A pipe that is full to the last byte can have the size that it has, or more, and not less; it stays full or gets room, exactly.
#[conformance::test(man = "fcntl(2)")]
fn of_a_full_pipe_can_only_grow() -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_NONBLOCK)?;
    let (page, size) = (page_size(), pipe_size(&reader)?);
    let content = pattern(size);
    write_all(&writer, &content)?;
    let sized = |size: usize| set_pipe_size(&reader, i32::try_from(size).unwrap_or(1));
    expect_eq!(sized(size / 2), Err(EBUSY));
    // One byte below rounds up to the size.
    expect_eq!(sized(size - 1), Ok(size));
    expect_eq!(write(&writer, b"x"), Err(EAGAIN));
    expect_eq!(sized(2 * size), Ok(2 * size));
    expect_eq!(write(&writer, &pattern(2 * size)), Ok(size));
    expect_eq!(sized(size), Err(EBUSY));
    expect_eq!(read_some(&reader, size), Ok(content));
    expect_eq!((sized(size), write(&writer, &[0; 1])), (Ok(size), Err(EAGAIN)));
    expect_eq!(read_some(&reader, page), Ok(pattern(page)));
    expect_eq!(write(&writer, &vec![7; page]), Ok(page));
    Ok(())
}

/// A pipe that is half read and then shrunk and grown again gives out the rest of each page, not the whole.
#[conformance::test(man = "fcntl(2)")]
fn keeps_the_offset_into_a_partly_read_page() -> Outcome {
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

/// A writer that waits for room goes on when the pipe is made larger, without anybody reading.
#[rstest]
#[conformance::test(man = "fcntl(2)", fixed_in = "Linux 6.8 (e95aada4cb93)")]
fn lets_a_blocked_writer_go_on(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// Room for several makes all blocked writers go on that fit, not just the first.
#[conformance::test(man = "fcntl(2)", fixed_in = "Linux 6.8 (e95aada4cb93)")]
fn lets_all_blocked_writers_go_on() -> Outcome {
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

/// A reader that sleeps on an empty pipe sleeps on through changes of its size, and gets what is written then.
#[conformance::test(man = "fcntl(2)")]
fn leaves_a_blocked_reader_asleep() -> Outcome {
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

/// A long write that is half done keeps its place while the pipe is grown and shrunk under it.
#[conformance::test(man = "fcntl(2)", man = "pipe(7)")]
fn under_a_blocked_writer_mixes_nothing_up() -> Outcome {
    let (reader, writer_end) = pipe()?;
    // More than the pipe ever holds and the reader takes: the writer blocks each time.
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
    expect!(received == pattern(total), "{} bytes of {total} came", received.len());
    Ok(())
}

/// What is no pipe has no such size: the calls fail with `EBADF`.
#[conformance::test(man = "fcntl(2)")]
fn is_unknown_to_what_is_no_pipe() -> Outcome {
    let null = open(Path::new("/dev/null"), OFlag::O_RDWR)?;
    expect_eq!((pipe_size(&null), set_pipe_size(&null, 4096)), (Err(EBADF), Err(EBADF)));
    let scratch = Scratch::new()?;
    let file = create(&scratch.join("file"), OFlag::O_RDWR, 0o600)?;
    expect_eq!((pipe_size(&file), set_pipe_size(&file, 4096)), (Err(EBADF), Err(EBADF)));
    Ok(())
}
