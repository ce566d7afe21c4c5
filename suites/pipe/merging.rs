//! Merging (Linux): bytes that still fit into the last page of a full pipe may go there; where they may not, or do not fit, nothing
//! goes in, and what the page is shared with never sees them.

use conformance::prelude::*;
use rstest::rstest;

use common::ends::not_waiting;
use common::pipe::Kind;
use common::transfer::{Supply, content, drain};

/// Puts in whole pages and then all but `free` bytes of the last one: how many bytes that is.
fn all_but(writer: &OwnedFd, free: usize) -> Result<usize, Failure> {
    let size = pipe_size(writer)?;
    let bytes = pattern(size - free);
    for chunk in bytes.chunks(page_size()) {
        expect_eq!(write(writer, chunk), Ok(chunk.len()));
    }
    Ok(bytes.len())
}

/// A write of exactly what is free in the last page fills the pipe to the last byte, and the next byte has no room.
#[rstest]
#[case::one_byte(1)]
#[case::some_bytes(10)]
#[case::most_of_the_page(4000)]
#[conformance::test(man = "pipe(7)", man = "write(2)")]
fn fills_the_last_page_exactly(#[case] free: usize, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    let held = all_but(&writer, free)?;
    let rest = vec![b'r'; free];
    expect_eq!((write(&writer, &rest), write(&writer, b"x")), (Ok(free), Err(EAGAIN)));
    expect_eq!((unread(&reader), pipe_size(&reader)), (Ok(held + free), Ok(held + free)));
    let all = read_exactly(&reader, held + free)?;
    expect!(all[..held] == pattern(held) && all[held..] == rest, "other bytes came than were written");
    Ok(())
}

/// A write of one byte more than is free in the last page, which must not be divided, puts in nothing.
#[rstest]
#[case::with_one_byte_free(1)]
#[case::with_some_bytes_free(10)]
#[conformance::test(posix = "write")]
fn is_not_for_a_part_of_a_small_write(#[case] free: usize, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    let held = all_but(&writer, free)?;
    for size in [free + 1, pipe_buf(&writer)?] {
        expect_eq!((write(&writer, &vec![b'r'; size]), unread(&reader)), (Err(EAGAIN), Ok(held)), "{size} bytes");
    }
    expect_eq!(write(&writer, &vec![b'r'; free]), Ok(free));
    expect!(read_exactly(&reader, held)? == pattern(held), "other bytes came than were written");
    expect_eq!(read_some(&reader, page_size()), Ok(vec![b'r'; free]));
    Ok(())
}

/// A write that may be divided puts in what there is room for, wherever its parts go, and they keep their order.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn keeps_the_order_of_a_large_write(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let page = page_size();
    property(&(1..page, 1..page, 0..3_usize), |(held, more, pages)| {
        let (reader, writer) = not_waiting(kind)?;
        let (first, second) = (vec![b'a'; held], pattern(pages * page + more));
        write_all(&writer, &first)?;
        expect_eq!((write(&writer, &second), unread(&reader)), (Ok(second.len()), Ok(held + second.len())));
        expect!(read_exactly(&reader, held)? == first, "the first write's bytes are others");
        expect!(read_exactly(&reader, second.len())? == second, "the second write's bytes are others");
        expect_eq!((unread(&reader), read(&reader, &mut [0])), (Ok(0), Err(EAGAIN)));
        Ok(())
    })
}

/// A blocked reader of a pipe whose last page was filled to the byte gets what comes next, and no byte of the old page.
#[rstest]
#[conformance::test(posix = "read")]
fn is_forgotten_when_the_page_is_read(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let held = all_but(&writer, 10)?;
    expect_eq!(write(&writer, &[b'r'; 10]), Ok(10));
    read_exactly(&reader, held + 10)?;
    let sleeper = Participant::spawn("reader", dup(&reader)?, |end, _| read_some(&end, 100))?;
    sleeper.until_blocked()?;
    expect_eq!(write(&writer, b"new"), Ok(3));
    expect_eq!((sleeper.join()?, unread(&reader)), (Ok(b"new".to_vec()), Ok(0)));
    Ok(())
}

/// After bytes that came another way than by `write`, a write keeps the order, and does not reach what those bytes are shared with: a
/// file, another pipe, or memory.
#[rstest]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)", fixed_in = "Linux 5.16.11 (9d2231c5d74e)")]
fn does_not_reach_the_source_of_the_page(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
    #[values(false, true)] used: bool,
) -> Outcome {
    let (reader, writer) = pipe()?;
    if used {
        // Each place of the buffer has held bytes that could be written behind.
        for _ in 0..40 {
            write(&writer, b"old")?;
            read_exactly(&reader, 3)?;
        }
    }
    let memory = b"shared".to_vec();
    let source = call.source(&memory)?;
    expect_eq!(call.once(&source, &memory, &writer), Ok(6));
    expect_eq!((write(&writer, b" written"), unread(&reader)), (Ok(8), Ok(14)));
    match call {
        Supply::SpliceFromPipe => expect_eq!(unread(&source[0]), Ok(0)),
        Supply::SpliceFromFile | Supply::Sendfile => expect_eq!(content(&source[0]), Ok(memory.clone())),
        Supply::Tee => expect_eq!(drain(&source[0]), Ok(memory.clone())),
        Supply::Vmsplice => expect_eq!(memory, b"shared"),
    }
    expect_eq!(drain(&reader), Ok(b"shared written".to_vec()));
    Ok(())
}

/// Where the last place of a full pipe holds bytes that came another way, a write either goes behind them or finds no room; nothing is
/// lost and nothing goes elsewhere.
#[rstest]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)")]
fn behind_a_transfer_is_all_or_nothing(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let (reader, writer) = pipe()?;
    set_nonblocking(&writer, true)?;
    let held = all_but(&writer, page_size())?;
    let memory = b"shared".to_vec();
    let source = call.source(&memory)?;
    expect_eq!(call.once(&source, &memory, &writer), Ok(6));
    let written = write(&writer, b" written");
    expect!(written == Ok(8) || written == Err(EAGAIN), "{written:?}");
    let more = written.unwrap_or(0);
    expect_eq!(unread(&reader), Ok(held + 6 + more));
    expect!(drain(&reader)? == [pattern(held), memory, b" written"[..more].to_vec()].concat(), "other bytes came than were put in");
    Ok(())
}

/// A packet is not continued by the write that comes when packet mode is off, nor by one in another pipe that the packet was
/// copied to; each is read by itself.
#[rstest]
#[conformance::test(man = "pipe(2)")]
fn joins_nothing_to_a_packet(#[values(false, true)] teed: bool) -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_DIRECT)?;
    write(&writer, b"packet")?;
    let (other_reader, other_writer) = pipe()?;
    let (from, to) = if teed { (&other_reader, &other_writer) } else { (&reader, &writer) };
    if teed {
        expect_eq!(tee(&reader, &other_writer, 6, SpliceFlags::empty()), Ok(6));
    } else {
        set_status_flags(&writer, OFlag::empty())?;
    }
    expect_eq!((write(to, b"stream"), write(to, b"more")), (Ok(6), Ok(4)));
    expect_eq!((read_some(from, 64), read_some(from, 64)), (Ok(b"packet".to_vec()), Ok(b"streammore".to_vec())));
    if teed {
        expect_eq!(read_some(&reader, 64), Ok(b"packet".to_vec()));
    }
    Ok(())
}
