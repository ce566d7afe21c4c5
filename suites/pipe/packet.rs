//! Packet mode (`O_DIRECT`): each write is a packet, each read takes one.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use proptest::prelude::*;
use rstest::rstest;

use common::pipe::Kind;
use common::transfer::{NO_FLAGS, SPLICE_F_NONBLOCK, content, drain, file, pages};

/// A pipe in packet mode whose ends do not wait.
fn packets() -> Result<(OwnedFd, OwnedFd), Errno> {
    pipe2(OFlag::O_DIRECT | OFlag::O_NONBLOCK)
}

/// A pipe in packet mode that holds some packets.
fn holding(packets_held: &[&[u8]]) -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = packets()?;
    for packet in packets_held {
        write_all(&writer, packet)?;
    }
    Ok((reader, writer))
}

/// Reads until there is nothing: what each read gave.
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

/// A read takes one packet, however much it asks for; all packets together are what is unread.
#[conformance::test(man = "pipe(2)")]
fn is_what_one_read_takes() -> Outcome {
    let (reader, _writer) = holding(&[b"aa", b"bbb", b"c"])?;
    expect_eq!(unread(&reader)?, 6);
    expect_eq!(read_some(&reader, 100), Ok(b"aa".to_vec()));
    expect_eq!(unread(&reader)?, 4);
    expect_eq!((read_some(&reader, 3), read_some(&reader, 100)), (Ok(b"bbb".to_vec()), Ok(b"c".to_vec())));
    expect_eq!(read_some(&reader, 100), Err(EAGAIN));
    Ok(())
}

/// What a read has no room for is gone, and the next read takes the next packet.
#[rstest]
#[case::all_but_one(1)]
#[case::one(4)]
#[conformance::test(man = "pipe(2)")]
fn loses_what_a_read_has_no_room_for(#[case] size: usize) -> Outcome {
    let (reader, _writer) = holding(&[b"abcde", b"fg"])?;
    expect_eq!(read_some(&reader, size), Ok(b"abcde"[..size].to_vec()));
    expect_eq!(unread(&reader)?, 2);
    expect_eq!(reads(&reader, 100)?, [b"fg"]);
    Ok(())
}

/// A read of no bytes takes no packet and no part of one.
#[conformance::test(man = "pipe(2)")]
fn survives_a_read_of_no_bytes() -> Outcome {
    let (reader, _writer) = holding(&[b"abc"])?;
    expect_eq!(read(&reader, &mut []), Ok(0));
    expect_eq!(reads(&reader, 100)?, [b"abc"]);
    Ok(())
}

/// There are no packets of no bytes: such a write leaves the pipe as it was.
#[conformance::test(man = "pipe(2)")]
fn is_never_empty() -> Outcome {
    let (reader, writer) = packets()?;
    expect_eq!(write(&writer, b""), Ok(0));
    expect_eq!((ready(&reader, PollFlags::POLLIN)?, unread(&reader)?), (PollFlags::empty(), 0));
    expect_eq!(read_some(&reader, 5), Err(EAGAIN));
    write_all(&writer, b"a")?;
    expect_eq!((write(&writer, b""), reads(&reader, 9)?), (Ok(0), vec![b"a".to_vec()]));
    Ok(())
}

/// A write of `PIPE_BUF` bytes is one packet; one byte more makes another.
#[rstest]
#[case::exactly_the_limit(1, 0)]
#[case::one_byte_more(1, 1)]
#[case::three_times_the_limit_and_a_rest(3, 17)]
#[conformance::test(man = "pipe(2)")]
fn has_at_most_pipe_buf_bytes(#[case] whole: usize, #[case] rest: usize) -> Outcome {
    let (reader, writer) = packets()?;
    let limit = pipe_buf(&writer)?;
    let bytes = pattern(whole * limit + rest);
    expect_eq!(write(&writer, &bytes), Ok(bytes.len()));
    let expected: Vec<Vec<u8>> = bytes.chunks(limit).map(<[u8]>::to_vec).collect();
    expect!(reads(&reader, 2 * limit)? == expected);
    Ok(())
}

/// A read with room for a packet of the greatest length loses nothing, whatever was written.
#[conformance::test(man = "pipe(2)")]
fn boundaries_are_those_of_the_writes() -> Outcome {
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
        expect!(reads(&reader, limit)? == expected);
        Ok(())
    })
}

/// All that one vectored write gathers is one packet, and one vectored read scatters one.
#[conformance::test(man = "pipe(2)")]
fn is_gathered_and_scattered_whole() -> Outcome {
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

/// Packets are what a pipe's capacity counts: as many of one byte fit as pages, and taking one makes room for one.
#[conformance::test(man = "pipe(2)", level = observed)]
fn takes_the_room_of_a_page() -> Outcome {
    let (reader, writer) = packets()?;
    let room = pages(&writer)?;
    let mut held = 0;
    while write(&writer, b"x") == Ok(1) {
        held += 1;
    }
    expect_eq!((held, write(&writer, b"x"), ready(&writer, PollFlags::POLLOUT)?), (room, Err(EAGAIN), PollFlags::empty()));
    expect_eq!(read_some(&reader, 100), Ok(b"x".to_vec()));
    expect_eq!((write(&writer, b"yy"), write(&writer, b"z")), (Ok(2), Err(EAGAIN)));
    expect_eq!(unread(&reader)?, room + 1);
    Ok(())
}

/// A write that would need two packets where there is room for one puts in the first.
#[conformance::test(man = "pipe(2)", man = "pipe(7)")]
fn that_fits_goes_in_where_the_next_does_not() -> Outcome {
    let (reader, writer) = packets()?;
    let limit = pipe_buf(&writer)?;
    for _ in 1..pages(&writer)? {
        write_all(&writer, b"x")?;
    }
    expect_eq!(write(&writer, &pattern(limit + 1)), Ok(limit));
    let all = reads(&reader, limit)?;
    expect!(all.last() == Some(&pattern(limit)));
    Ok(())
}

/// A blocked reader takes the first packet only, though a second one comes at once; the second is the next read's.
#[conformance::test(man = "pipe(2)")]
fn wakes_a_blocked_reader() -> Outcome {
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

/// Packets that the last writer leaves are read one by one, and then comes end-of-file.
#[conformance::test(man = "pipe(2)")]
fn is_read_before_the_end_of_the_file() -> Outcome {
    let (reader, writer) = holding(&[b"ab", b"c"])?;
    drop(writer);
    expect_eq!((read_some(&reader, 9), read_some(&reader, 9)), (Ok(b"ab".to_vec()), Ok(b"c".to_vec())));
    expect_eq!(read(&reader, &mut [0; 9]), Ok(0));
    Ok(())
}

/// The mode can be read back, and is the writer's: it belongs to the open description that writes.
#[conformance::test(man = "pipe(2)", man = "fcntl(2)")]
fn mode_shows_in_the_flags_of_the_writing_end() -> Outcome {
    let (_reader, writer) = packets()?;
    let both = OFlag::O_DIRECT | OFlag::O_NONBLOCK;
    expect_eq!(status_flags(&writer)? & both, both);
    let (_reader, plain) = pipe()?;
    expect_eq!(status_flags(&plain)? & both, OFlag::empty());
    Ok(())
}

/// The mode can be switched on and off between writes; no write joins a packet that was there before.
#[rstest]
#[conformance::test(man = "pipe(2)", man = "fcntl(2)", fixed_in = "Linux 4.5 (0dbf5f206521)")]
fn mode_can_be_switched(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// Moved or copied into a pipe without the mode, packets stay packets.
#[rstest]
#[case::moved(false)]
#[case::copied(true)]
#[conformance::test(man = "pipe(2)", level = observed)]
fn stays_one_in_another_pipe(#[case] copied: bool) -> Outcome {
    let (source, _feed) = holding(&[b"abcdef", b"gh"])?;
    let (sink, target) = pipe2(OFlag::O_NONBLOCK)?;
    let transfer = if copied { tee } else { splice };
    expect_eq!(transfer(&source, &target, 100, NO_FLAGS), Ok(8));
    expect_eq!(reads(&sink, 100)?, [&b"abcdef"[..], b"gh"]);
    expect_eq!(unread(&source)?, if copied { 8 } else { 0 });
    Ok(())
}

/// A part that is moved is a packet, and so is what remains, unlike with a read.
#[conformance::test(man = "pipe(2)", level = observed)]
fn is_divided_by_a_transfer() -> Outcome {
    let (source, _feed) = holding(&[b"abcdef", b"gh"])?;
    let (sink, target) = pipe2(OFlag::O_NONBLOCK)?;
    expect_eq!(splice(&source, &target, 2, NO_FLAGS), Ok(2));
    expect_eq!((reads(&sink, 100)?, unread(&source)?), (vec![b"ab".to_vec()], 6));
    expect_eq!(reads(&source, 100)?, [&b"cdef"[..], b"gh"]);
    Ok(())
}

/// No later write joins a packet that came from another pipe.
#[conformance::test(man = "pipe(2)", level = observed)]
fn is_joined_by_no_write_in_another_pipe() -> Outcome {
    let (source, _feed) = holding(&[b"abc"])?;
    let (sink, target) = pipe2(OFlag::O_NONBLOCK)?;
    expect_eq!(splice(&source, &target, 100, NO_FLAGS), Ok(3));
    write_all(&target, b"ZZ")?;
    expect_eq!(reads(&sink, 100)?, [&b"abc"[..], b"ZZ"]);
    Ok(())
}

/// A file takes the bytes of packets, without their boundaries and without loss.
#[conformance::test(man = "splice(2)")]
fn goes_into_a_file_as_bytes() -> Outcome {
    let (source, _feed) = holding(&[b"abc", b"d", b"ef"])?;
    let kept = file(b"")?;
    let mut moved = 0;
    while moved < 6 {
        let count = splice(&source, &kept, 4, SPLICE_F_NONBLOCK);
        expect_matches!(count, Ok(1..=4));
        moved += count.unwrap_or(0);
    }
    expect_eq!((content(&kept)?, unread(&source)?), (b"abcdef".to_vec(), 0));
    Ok(())
}

/// What is taken out into memory by pages goes over packets, and what it has no room for stays.
#[conformance::test(man = "vmsplice(2)", level = observed)]
fn is_not_cut_by_a_transfer_into_memory() -> Outcome {
    let (source, _feed) = holding(&[b"abcdef", b"gh"])?;
    let mut memory = [b'.'; 7];
    expect_eq!(vmsplice_out(&source, &mut [IoSliceMut::new(&mut memory[..3])], NO_FLAGS), Ok(3));
    expect_eq!(unread(&source)?, 5);
    expect_eq!(vmsplice_out(&source, &mut [IoSliceMut::new(&mut memory[3..])], NO_FLAGS), Ok(4));
    expect_eq!((&memory, drain(&source)?), (b"abcdefg", b"h".to_vec()));
    Ok(())
}

/// What comes from a file in packet mode is bytes and no packet: a read that has room for a part leaves the rest.
#[conformance::test(man = "pipe(2)", level = observed)]
fn is_not_made_of_what_comes_from_a_file() -> Outcome {
    let (reader, writer) = packets()?;
    let source = file(b"0123456789")?;
    expect_eq!(splice(&source, &writer, 10, NO_FLAGS), Ok(10));
    let first = read_some(&reader, 3)?;
    let rest = reads(&reader, 100)?.concat();
    observe!("pipe.packet.keeps_what_comes_from_a_file", rest.len() == 7);
    expect_eq!(first, b"012");
    expect!(rest.is_empty() || rest == b"3456789", "{rest:?}");
    Ok(())
}

/// A packet whose bytes cannot be stored is not taken: the next read gets it whole.
#[conformance::test(man = "pipe(2)", level = observed)]
fn survives_a_read_into_bad_memory() -> Outcome {
    let (reader, _writer) = holding(&[b"abcdef", b"gh"])?;
    let mut memory = Guarded::new()?;
    expect_eq!(memory.read_across(&reader, 0, 6), Err(EFAULT));
    expect_eq!(unread(&reader)?, 8);
    expect_eq!(reads(&reader, 100)?, [&b"abcdef"[..], b"gh"]);
    Ok(())
}
