//! Packet mode (`O_DIRECT`, Linux): each `write` is a packet, and each `read` returns one packet.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use proptest::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, pipe_and_fifo};
use common::transfer::{NO_FLAGS, SPLICE_F_NONBLOCK, content, drain, file, pages};

/// A non-blocking pipe in packet mode.
fn packets() -> Result<(OwnedFd, OwnedFd), Errno> {
    pipe2(OFlag::O_DIRECT | OFlag::O_NONBLOCK)
}

/// A non-blocking pipe that holds these packets.
fn holding(packets_held: &[&[u8]]) -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = packets()?;
    for packet in packets_held {
        write_all(&writer, packet)?;
    }
    Ok((reader, writer))
}

/// Reads until the pipe is empty: the bytes of each `read`.
fn reads(reader: &OwnedFd, size: usize) -> Result<Vec<Vec<u8>>, Errno> {
    let mut all = Vec::new();
    loop {
        match read_some(reader, size) {
            Ok(bytes) if bytes.is_empty() => return Ok(all),
            Ok(bytes) => all.push(bytes),
            Err(EAGAIN) => return Ok(all),
            Err(other) => return Err(other),
        }
    }
}

/// On a pipe with `O_DIRECT`, each `read` returns the bytes of one `write`, even if `read` asks for more. `ioctl(FIONREAD)` gives
/// the number of bytes of all unread packets.
#[conformance::test(man = "pipe(2)")]
fn read_returns_one_packet() -> Outcome {
    let (reader, _writer) = holding(&[b"aa", b"bbb", b"c"])?;
    expect_eq!(unread(&reader)?, 6);
    expect_eq!(read_some(&reader, 100), Ok(b"aa".to_vec()));
    expect_eq!(unread(&reader)?, 4);
    expect_eq!((read_some(&reader, 3), read_some(&reader, 100)), (Ok(b"bbb".to_vec()), Ok(b"c".to_vec())));
    expect_eq!(read_some(&reader, 100), Err(EAGAIN));
    Ok(())
}

/// On a pipe with `O_DIRECT`, a `read` of n bytes from a longer packet returns its first n bytes and discards the others. The
/// next `read` returns the next packet.
#[rstest]
#[case::one_of_five_bytes(1)]
#[case::four_of_five_bytes(4)]
#[conformance::test(man = "pipe(2)")]
fn short_read_discards_the_rest(#[case] size: usize) -> Outcome {
    let (reader, _writer) = holding(&[b"abcde", b"fg"])?;
    expect_eq!(read_some(&reader, size), Ok(b"abcde"[..size].to_vec()));
    expect_eq!(unread(&reader)?, 2);
    expect_eq!(reads(&reader, 100)?, [b"fg"]);
    Ok(())
}

/// On a pipe with `O_DIRECT` and an unread packet, a `read` of 0 bytes returns 0, and the next `read` returns the whole packet.
#[conformance::test(man = "pipe(2)")]
fn read_of_0_bytes_keeps_the_packet() -> Outcome {
    let (reader, _writer) = holding(&[b"abc"])?;
    expect_eq!(read(&reader, &mut []), Ok(0));
    expect_eq!(reads(&reader, 100)?, [b"abc"]);
    Ok(())
}

/// On a pipe with `O_DIRECT`, a `write` of 0 bytes returns 0 and adds no packet: `poll` reports no `POLLIN` at the read end, and
/// a non-blocking `read` fails with `EAGAIN`.
#[conformance::test(man = "pipe(2)")]
fn write_of_0_bytes_adds_no_packet() -> Outcome {
    let (reader, writer) = packets()?;
    expect_eq!(write(&writer, b""), Ok(0));
    expect_eq!((ready(&reader, PollFlags::POLLIN)?, unread(&reader)?), (PollFlags::empty(), 0));
    expect_eq!(read_some(&reader, 5), Err(EAGAIN));
    write_all(&writer, b"a")?;
    expect_eq!((write(&writer, b""), reads(&reader, 9)?), (Ok(0), vec![b"a".to_vec()]));
    Ok(())
}

/// On a pipe with `O_DIRECT`, a `write` of n ≥ `PIPE_BUF` bytes returns n. Each `read` of 2 × `PIPE_BUF` bytes then returns
/// `PIPE_BUF` bytes, and the last one the remaining bytes if n is no multiple of `PIPE_BUF`.
#[rstest]
#[case::pipe_buf_bytes(1, 0)]
#[case::pipe_buf_plus_1_bytes(1, 1)]
#[case::three_times_pipe_buf_plus_17_bytes(3, 17)]
#[conformance::test(man = "pipe(2)")]
fn long_write_is_split_at_pipe_buf(#[case] whole: usize, #[case] rest: usize) -> Outcome {
    let (reader, writer) = packets()?;
    let limit = pipe_buf(&writer)?;
    let bytes = pattern(whole * limit + rest);
    expect_eq!(write(&writer, &bytes), Ok(bytes.len()));
    let expected: Vec<Vec<u8>> = bytes.chunks(limit).map(<[u8]>::to_vec).collect();
    expect_eq!(reads(&reader, 2 * limit)?, expected);
    Ok(())
}

/// On a pipe with `O_DIRECT`, each `read` of `PIPE_BUF` bytes returns one packet, in order. A `write` of n ≤ `PIPE_BUF` bytes
/// adds one packet of n bytes, and a longer `write` adds packets of `PIPE_BUF` bytes and one of the remaining bytes, if there are
/// any.
#[conformance::test(man = "pipe(2)")]
fn packets_are_those_of_the_writes() -> Outcome {
    property(&prop::collection::vec(1_usize..9000, 1..5), |sizes| {
        let (reader, writer) = packets()?;
        let limit = pipe_buf(&writer)?;
        let mut expected = Vec::new();
        for size in sizes {
            let bytes = pattern(size);
            expect_eq!(write(&writer, &bytes), Ok(size));
            expected.extend(bytes.chunks(limit).map(<[u8]>::to_vec));
        }
        expect_eq!(unread(&reader)?, expected.iter().map(Vec::len).sum::<usize>());
        expect_eq!(reads(&reader, limit)?, expected);
        Ok(())
    })
}

/// On a pipe with `O_DIRECT`, one `writev` adds the bytes of all its segments as one packet. `readv` stores the bytes of one
/// packet in its segments in order and discards those bytes of the packet for which there is no place.
#[conformance::test(man = "pipe(2)")]
fn writev_and_readv_transfer_one_packet() -> Outcome {
    let (reader, writer) = packets()?;
    let gathered = [IoSlice::new(b"abc"), IoSlice::new(b""), IoSlice::new(b"defgh")];
    expect_eq!(writev(&writer, &gathered), Ok(8));
    write_all(&writer, b"next")?;
    let (mut first, mut second) = ([0; 2], [0; 4]);
    expect_eq!(readv(&reader, &mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)]), Ok(6));
    expect_eq!((&first, &second), (b"ab", b"cdef"));
    expect_eq!(reads(&reader, 100)?, [b"next"]);
    Ok(())
}

/// On a pipe with `O_DIRECT`, as many `write` calls of 1 byte as the pipe has pages return 1, and the next `write` fails with
/// `EAGAIN`. After one packet has been read, a `write` of 2 bytes returns 2, and the next `write` fails with `EAGAIN`.
#[conformance::test(man = "pipe(2)", level = customary)]
fn each_packet_uses_one_page() -> Outcome {
    let (reader, writer) = packets()?;
    let most = pages(&writer)?;
    let mut held = 0;
    while write(&writer, b"x") == Ok(1) {
        held += 1;
    }
    expect_eq!((held, write(&writer, b"x"), ready(&writer, PollFlags::POLLOUT)?), (most, Err(EAGAIN), PollFlags::empty()));
    expect_eq!(read_some(&reader, 100), Ok(b"x".to_vec()));
    expect_eq!((write(&writer, b"yy"), write(&writer, b"z")), (Ok(2), Err(EAGAIN)));
    expect_eq!(unread(&reader)?, most + 1);
    Ok(())
}

/// On a pipe with `O_DIRECT` and space for one packet, a non-blocking `write` of `PIPE_BUF` + 1 bytes returns `PIPE_BUF`. `read`
/// returns these bytes as one packet.
#[conformance::test(man = "pipe(2)", man = "pipe(7)")]
fn partial_write_adds_whole_packets() -> Outcome {
    let (reader, writer) = packets()?;
    let limit = pipe_buf(&writer)?;
    for _ in 1..pages(&writer)? {
        write_all(&writer, b"x")?;
    }
    expect_eq!(write(&writer, &pattern(limit + 1)), Ok(limit));
    let all = reads(&reader, limit)?;
    expect_eq!(all.last(), Some(&pattern(limit)));
    Ok(())
}

/// A `read` of 100 bytes that is blocked on an empty pipe with `O_DIRECT` returns 3 as soon as a `write` adds a packet of 3
/// bytes.
#[conformance::test(man = "pipe(2)")]
fn blocked_read_returns_one_packet() -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_DIRECT)?;
    let kept = dup(&reader)?;
    let waiting = Participant::spawn("reader", reader, |reader, _| read_some(&reader, 100))?;
    waiting.until_blocked()?;
    write_all(&writer, b"abc")?;
    expect_eq!(waiting.join()?, Ok(b"abc".to_vec()));
    write_all(&writer, b"de")?;
    expect_eq!((read_some(&kept, 1), unread(&kept)?), (Ok(b"d".to_vec()), 0));
    Ok(())
}

/// After the last writer of a pipe with `O_DIRECT` closes, each `read` returns one unread packet, and after the last packet
/// `read` returns 0.
#[conformance::test(man = "pipe(2)")]
fn end_of_file_follows_the_packets() -> Outcome {
    let (reader, writer) = holding(&[b"ab", b"c"])?;
    drop(writer);
    expect_eq!((read_some(&reader, 9), read_some(&reader, 9)), (Ok(b"ab".to_vec()), Ok(b"c".to_vec())));
    expect_eq!(read(&reader, &mut [0; 9]), Ok(0));
    Ok(())
}

/// `fcntl(F_GETFL)` on the write end shows `O_DIRECT` set for a pipe created by `pipe2` with `O_DIRECT`, and clear for a pipe
/// created by `pipe`.
#[conformance::test(man = "pipe(2)", man = "fcntl(2)")]
fn f_getfl_shows_o_direct() -> Outcome {
    let (_reader, writer) = packets()?;
    let both = OFlag::O_DIRECT | OFlag::O_NONBLOCK;
    expect_eq!(status_flags(&writer)? & both, both);
    let (_reader, plain) = pipe()?;
    expect_eq!(status_flags(&plain)? & both, OFlag::empty());
    Ok(())
}

/// After `fcntl(F_SETFL)` sets `O_DIRECT` on the write end, the bytes of each later `write` are returned by one `read` of their
/// own. After `F_SETFL` clears `O_DIRECT`, one `read` returns the bytes of two later `write` calls.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "pipe(2)", man = "fcntl(2)", fixed_in = "Linux 4.5 (0dbf5f206521)")]
fn f_setfl_switches_o_direct(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&reader, true)?;
    let plain = status_flags(&writer)?;
    expect_eq!(set_status_flags(&writer, plain | OFlag::O_DIRECT), Ok(()));
    write_all(&writer, b"ab")?;
    write_all(&writer, b"c")?;
    expect_eq!(set_status_flags(&writer, plain), Ok(()));
    write_all(&writer, b"de")?;
    write_all(&writer, b"f")?;
    expect_eq!(read_some(&reader, 9), Ok(b"ab".to_vec()));
    expect_eq!(read_some(&reader, 9), Ok(b"c".to_vec()));
    expect_eq!(reads(&reader, 9)?, [b"def"]);
    Ok(())
}

/// After `splice` or `tee` of two packets from a pipe with `O_DIRECT` to a pipe without `O_DIRECT`, each `read` of 100 bytes on
/// the target pipe returns one packet.
#[rstest]
#[case::splice(false)]
#[case::tee(true)]
#[conformance::test(man = "pipe(2)", level = customary)]
fn splice_and_tee_keep_packets(#[case] copied: bool) -> Outcome {
    let (source, _feed) = holding(&[b"abcdef", b"gh"])?;
    let (sink, target) = pipe2(OFlag::O_NONBLOCK)?;
    let transfer = if copied { tee } else { splice };
    expect_eq!(transfer(&source, &target, 100, NO_FLAGS), Ok(8));
    expect_eq!(reads(&sink, 100)?, [&b"abcdef"[..], b"gh"]);
    expect_eq!(unread(&source)?, if copied { 8 } else { 0 });
    Ok(())
}

/// After `splice` of 2 bytes from a packet of 6 bytes in a pipe with `O_DIRECT` to a pipe without, one `read` on the target pipe
/// returns these 2 bytes. On the source pipe, one `read` of 100 bytes returns the other 4 bytes and the next one the next packet.
#[conformance::test(man = "pipe(2)", level = customary)]
fn splice_divides_a_packet() -> Outcome {
    let (source, _feed) = holding(&[b"abcdef", b"gh"])?;
    let (sink, target) = pipe2(OFlag::O_NONBLOCK)?;
    expect_eq!(splice(&source, &target, 2, NO_FLAGS), Ok(2));
    expect_eq!((reads(&sink, 100)?, unread(&source)?), (vec![b"ab".to_vec()], 6));
    expect_eq!(reads(&source, 100)?, [&b"cdef"[..], b"gh"]);
    Ok(())
}

/// After `splice` of a packet of 3 bytes into an empty pipe without `O_DIRECT` and a `write` of 2 bytes to that pipe, one `read`
/// of 100 bytes returns the 3 bytes of the packet, and the next `read` the 2 written bytes.
#[conformance::test(man = "pipe(2)", level = customary)]
fn write_does_not_join_a_spliced_packet() -> Outcome {
    let (source, _feed) = holding(&[b"abc"])?;
    let (sink, target) = pipe2(OFlag::O_NONBLOCK)?;
    expect_eq!(splice(&source, &target, 100, NO_FLAGS), Ok(3));
    write_all(&target, b"ZZ")?;
    expect_eq!(reads(&sink, 100)?, [&b"abc"[..], b"ZZ"]);
    Ok(())
}

/// `splice` calls of 4 bytes each from a pipe with three packets to a file return 1 to 4 each until all bytes are transferred.
/// The file then holds the bytes of all packets in order, and `ioctl(FIONREAD)` on the pipe gives 0.
#[conformance::test(man = "splice(2)")]
fn splice_to_a_file_joins_packets() -> Outcome {
    let (source, _feed) = holding(&[b"abc", b"d", b"ef"])?;
    let kept = file(b"")?;
    let mut spliced = 0;
    while spliced < 6 {
        let count = splice(&source, &kept, 4, SPLICE_F_NONBLOCK);
        expect_matches!(count, Ok(1..=4));
        spliced += count.unwrap_or(0);
    }
    expect_eq!((content(&kept)?, unread(&source)?), (b"abcdef".to_vec(), 0));
    Ok(())
}

/// `vmsplice` from a pipe with packets into n bytes of memory returns n, even if the n bytes are parts of two packets. The
/// remaining bytes of the second packet stay unread.
#[conformance::test(man = "vmsplice(2)", level = customary)]
fn vmsplice_crosses_packets() -> Outcome {
    let (source, _feed) = holding(&[b"abcdef", b"gh"])?;
    let mut memory = [b'.'; 7];
    expect_eq!(vmsplice_out(&source, &mut [IoSliceMut::new(&mut memory[..3])], NO_FLAGS), Ok(3));
    expect_eq!(unread(&source)?, 5);
    expect_eq!(vmsplice_out(&source, &mut [IoSliceMut::new(&mut memory[3..])], NO_FLAGS), Ok(4));
    expect_eq!((&memory, drain(&source)?), (b"abcdefg", b"h".to_vec()));
    Ok(())
}

/// After `splice` of 10 bytes from a file into a pipe with `O_DIRECT`, `read` of 3 bytes returns the first 3. The next `read`
/// calls return the other 7 bytes or fail with `EAGAIN`; both are allowed, and which happens is recorded.
#[conformance::test(man = "pipe(2)", level = observed)]
fn splice_from_a_file_into_packet_mode() -> Outcome {
    let (reader, writer) = packets()?;
    let source = file(b"0123456789")?;
    expect_eq!(splice(&source, &writer, 10, NO_FLAGS), Ok(10));
    let first = read_some(&reader, 3)?;
    let rest = reads(&reader, 100)?.concat();
    observe!("pipe.packet-mode-short-read-keeps-bytes-spliced-from-a-file", rest.len() == 7);
    expect_eq!(first, b"012");
    expect!(rest.is_empty() || rest == b"3456789", "{rest:?}");
    Ok(())
}

/// On a pipe with `O_DIRECT`, a `read` into an invalid pointer fails with `EFAULT`, and the next `read` into a valid buffer
/// returns the whole packet.
#[conformance::test(man = "pipe(2)", level = customary)]
fn read_with_efault_keeps_the_packet() -> Outcome {
    let (reader, _writer) = holding(&[b"abcdef", b"gh"])?;
    let mut memory = Guarded::new()?;
    expect_eq!(memory.read_across(&reader, 0, 6), Err(EFAULT));
    expect_eq!(unread(&reader)?, 8);
    expect_eq!(reads(&reader, 100)?, [&b"abcdef"[..], b"gh"]);
    Ok(())
}
