//! Merging (Linux): a `write` may put its bytes into the free rest of the last page of a pipe. Bytes that must not be split, and
//! pages shared with a file, another pipe or memory, are left alone.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::open_nonblocking;
use common::pipe::{Kind, pipe_and_fifo};
use common::transfer::{Supply, content, drain, every_supply};

/// Writes until only `free` bytes of the last page are free: how many bytes were written.
fn all_but(writer: &OwnedFd, free: usize) -> Result<usize, Failure> {
    let size = pipe_size(writer)?;
    let bytes = pattern(size - free);
    for chunk in bytes.chunks(page_size()) {
        expect_eq!(write(writer, chunk), Ok(chunk.len()));
    }
    Ok(bytes.len())
}

/// If all free bytes of a pipe are in the last page, a non-blocking `write` of exactly that many bytes returns its whole count.
/// The next `write` of 1 byte fails with `EAGAIN`.
#[apply(pipe_and_fifo)]
#[case::one_byte_free(1)]
#[case::ten_bytes_free(10)]
#[case::most_of_the_page_free(4000)]
#[conformance::test(man = "pipe(7)", man = "write(2)", level = customary)]
fn write_of_the_free_bytes_fills_the_pipe(#[case] free: usize, kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    let held = all_but(&writer, free)?;
    let rest = vec![b'r'; free];
    expect_eq!((write(&writer, &rest), write(&writer, b"x")), (Ok(free), Err(EAGAIN)));
    expect_eq!((unread(&reader), pipe_size(&reader)), (Ok(held + free), Ok(held + free)));
    let all = read_exactly(&reader, held + free)?;
    expect!(all[..held] == pattern(held) && all[held..] == rest, "the bytes read differ from those written");
    Ok(())
}

/// If all free bytes of a pipe are in the last page, and these are fewer than n ≤ `PIPE_BUF`, a non-blocking `write` of n bytes
/// fails with `EAGAIN` and adds no byte.
#[apply(pipe_and_fifo)]
#[case::one_byte_free(1)]
#[case::ten_bytes_free(10)]
#[conformance::test(posix = "write")]
fn small_write_is_not_split(#[case] free: usize, kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    let held = all_but(&writer, free)?;
    for size in [free + 1, pipe_buf(&writer)?] {
        expect_eq!((write(&writer, &vec![b'r'; size]), unread(&reader)), (Err(EAGAIN), Ok(held)), "{size} bytes");
    }
    expect_eq!(write(&writer, &vec![b'r'; free]), Ok(free));
    expect!(read_exactly(&reader, held)? == pattern(held), "the bytes read differ from those written");
    expect_eq!(read_some(&reader, page_size()), Ok(vec![b'r'; free]));
    Ok(())
}

/// A non-blocking `write` of less than 3 pages to a pipe with less than a page of unread bytes returns its whole count. `read`
/// returns the earlier bytes first and then the new ones in order.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn second_write_keeps_the_order(kind: Kind) -> Outcome {
    let page = page_size();
    property(&(1..page, 1..page, 0..3_usize), |(held, more, pages)| {
        let (reader, writer) = open_nonblocking(kind)?;
        let (first, second) = (vec![b'a'; held], pattern(pages * page + more));
        write_all(&writer, &first)?;
        expect_eq!((write(&writer, &second), unread(&reader)), (Ok(second.len()), Ok(held + second.len())));
        expect!(read_exactly(&reader, held)? == first, "the bytes of the first write were changed");
        expect!(read_exactly(&reader, second.len())? == second, "the bytes of the second write were changed");
        expect_eq!((unread(&reader), read(&reader, &mut [0])), (Ok(0), Err(EAGAIN)));
        Ok(())
    })
}

/// After all bytes of a full pipe have been read, a `read` of 100 bytes blocks and returns exactly the 3 bytes of the next
/// `write`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read")]
fn page_read_empty_gets_no_bytes_back(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let held = all_but(&writer, 10)?;
    expect_eq!(write(&writer, &[b'r'; 10]), Ok(10));
    read_exactly(&reader, held + 10)?;
    let blocked = Participant::spawn("reader", dup(&reader)?, |end, _| read_some(&end, 100))?;
    blocked.until_blocked()?;
    expect_eq!(write(&writer, b"new"), Ok(3));
    expect_eq!((blocked.join()?, unread(&reader)), (Ok(b"new".to_vec()), Ok(0)));
    Ok(())
}

/// After `splice`, `tee`, `vmsplice` or `sendfile` into a pipe, `write` returns its whole count and `read` returns the
/// transferred bytes followed by the written ones. The source file, the source pipe of `tee` and the source memory of `vmsplice`
/// hold the same bytes as before.
#[apply(every_supply)]
#[conformance::test(posix = "write", man = "splice(2)", man = "tee(2)", man = "vmsplice(2)", level = documented, fixed_in = "Linux 5.16.11 (9d2231c5d74e)")]
fn write_after_a_transfer_keeps_the_source(call: Supply, #[values(false, true)] buffers_used_before: bool) -> Outcome {
    let (reader, writer) = pipe()?;
    if buffers_used_before {
        // Each buffer of the pipe has held bytes to which a `write` could be appended.
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

/// If all pages of a pipe are in use and the last one holds only 6 bytes from `splice`, `tee`, `vmsplice` or `sendfile`, a
/// non-blocking `write` of 8 bytes returns 8 or fails with `EAGAIN`; both are allowed. `read` returns exactly the bytes that were
/// added, in order.
#[apply(every_supply)]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)")]
fn small_write_after_a_transfer_is_all_or_nothing(call: Supply) -> Outcome {
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
    expect!(
        drain(&reader)? == [pattern(held), memory, b" written"[..more].to_vec()].concat(),
        "the bytes read differ from those written"
    );
    Ok(())
}

/// If a packet, written with `O_DIRECT` or copied by `tee` to another pipe, is unread in a pipe, and two `write` calls without
/// `O_DIRECT` follow, one `read` of 64 bytes returns only the bytes of the packet. The next `read` returns the bytes of both
/// `write` calls.
#[rstest]
#[conformance::test(man = "pipe(2)")]
fn write_does_not_join_a_packet(#[values(false, true)] copied_by_tee: bool) -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_DIRECT)?;
    write(&writer, b"packet")?;
    let (other_reader, other_writer) = pipe()?;
    let (from, to) = if copied_by_tee { (&other_reader, &other_writer) } else { (&reader, &writer) };
    if copied_by_tee {
        expect_eq!(tee(&reader, &other_writer, 6, SpliceFlags::empty()), Ok(6));
    } else {
        set_status_flags(&writer, OFlag::empty())?;
    }
    expect_eq!((write(to, b"stream"), write(to, b"more")), (Ok(6), Ok(4)));
    expect_eq!((read_some(from, 64), read_some(from, 64)), (Ok(b"packet".to_vec()), Ok(b"streammore".to_vec())));
    if copied_by_tee {
        expect_eq!(read_some(&reader, 64), Ok(b"packet".to_vec()));
    }
    Ok(())
}
