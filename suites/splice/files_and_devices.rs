//! `splice` between a pipe and another file: regular files, devices, files of procfs, terminals and sockets; file positions,
//! offsets, end-of-file and limits.

use conformance::prelude::*;
use nix::unistd::Whence;
use rstest::rstest;
use rstest_reuse::apply;

use common::transfer::{
    Backing, NO_FLAGS, SPLICE_F_NONBLOCK, content, drain, every_backing, file, full, holding, null, pages, position,
};

/// A connected pair of stream sockets.
pub fn socket_pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    Ok(socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::empty())?)
}

/// `splice` from a file without an offset into an empty pipe starts at the file position and returns the smaller of its length
/// and the number of bytes from there to end-of-file. The call advances the file position by the returned count.
#[apply(every_backing)]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 2.6.23 (bcd4f3acbaec)")]
fn reads_at_the_file_position(file_type: Backing) -> Outcome {
    let bytes = pattern(2 * page_size() + 9);
    let source = file_type.file(&bytes)?;
    let (reader, writer) = pipe()?;
    lseek(&source, 5, Whence::SeekSet)?;
    for (length, expected, position_after) in
        [(3, 3, 8), (page_size(), page_size(), 8 + page_size()), (bytes.len(), page_size() + 1, bytes.len())]
    {
        expect_eq!(splice(&source, &writer, length, NO_FLAGS), Ok(expected));
        expect_eq!(position(&source)?, position_after);
    }
    expect_eq!(drain(&reader)?, bytes[5..].to_vec());
    Ok(())
}

/// `splice` from a file with an offset starts at the offset, returns the smaller of its length and the number of bytes from there
/// to end-of-file, and advances the offset by that count. The file position stays as it was.
#[conformance::test(man = "splice(2)")]
fn reads_at_an_offset() -> Outcome {
    let bytes = pattern(100);
    let source = file(&bytes)?;
    let (reader, writer) = pipe()?;
    lseek(&source, 3, Whence::SeekSet)?;
    let mut offset = 90;
    expect_eq!(splice_at((&source, Some(&mut offset)), (&writer, None), 4, NO_FLAGS), Ok(4));
    expect_eq!((offset, position(&source)?), (94, 3));
    expect_eq!(splice_at((&source, Some(&mut offset)), (&writer, None), 50, NO_FLAGS), Ok(6));
    expect_eq!((offset, position(&source)?), (100, 3));
    expect_eq!(splice_at((&source, Some(&mut offset)), (&writer, None), 50, NO_FLAGS), Ok(0));
    expect_eq!((offset, drain(&reader)?), (100, bytes[90..].to_vec()));
    Ok(())
}

/// `splice` from a file whose position is at or beyond end-of-file returns 0 without blocking, and the file position stays as it
/// was.
#[rstest]
#[case::empty_file(b"", 0)]
#[case::at_the_end(b"abc", 3)]
#[case::beyond_the_end(b"abc", 1_000_000)]
#[conformance::test(man = "splice(2)")]
fn returns_zero_at_end_of_file(#[case] bytes: &[u8], #[case] at: i64) -> Outcome {
    let source = file(bytes)?;
    let (reader, writer) = pipe()?;
    lseek(&source, at, Whence::SeekSet)?;
    expect_eq!(splice(&source, &writer, 5, NO_FLAGS), Ok(0));
    expect_eq!((i64::try_from(position(&source)?), unread(&reader)?), (Ok(at), 0));
    expect_eq!(ready(&reader, PollFlags::POLLIN)?, PollFlags::empty());
    Ok(())
}

/// After `splice` calls from a file with a hole into a pipe, `read` returns the bytes before the hole, a null byte for each byte
/// of the hole, and the bytes after the hole.
#[apply(every_backing)]
#[conformance::test(man = "splice(2)")]
fn reads_holes_as_zeros(file_type: Backing) -> Outcome {
    let hole = 2 * page_size() + 1;
    let source = file_type.file(b"ab")?;
    lseek(&source, i64::try_from(hole).map_err(|_| ERANGE)?, Whence::SeekSet)?;
    write_all(&source, b"yz")?;
    lseek(&source, 0, Whence::SeekSet)?;
    let (reader, writer) = pipe()?;
    while position(&source)? < hole + 2 {
        expect_matches!(splice(&source, &writer, hole + 2, NO_FLAGS), Ok(1..));
    }
    let mut expected = vec![0; hole + 2];
    expected[..2].copy_from_slice(b"ab");
    expected[hole..].copy_from_slice(b"yz");
    expect_eq!(drain(&reader)?, expected);
    Ok(())
}

/// `splice` of more bytes than the capacity of an empty pipe from a file into that pipe returns the capacity and advances the
/// file position by that count. The next `splice` with `SPLICE_F_NONBLOCK` fails with `EAGAIN`.
#[conformance::test(man = "splice(2)", level = customary)]
fn count_is_limited_by_the_pipe_capacity() -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = pipe_size(&writer)?;
    let bytes = pattern(2 * capacity);
    let source = file(&bytes)?;
    expect_eq!(splice(&source, &writer, 2 * capacity, NO_FLAGS), Ok(capacity));
    expect_eq!((position(&source)?, unread(&reader)?), (capacity, capacity));
    expect_eq!(splice(&source, &writer, 1, SPLICE_F_NONBLOCK), Err(EAGAIN));
    expect_eq!((position(&source)?, drain(&reader)?), (capacity, bytes[..capacity].to_vec()));
    Ok(())
}

/// Each of n `splice` calls of 1 byte from a file into an empty pipe with a capacity of n pages returns 1. The next `splice` of 1
/// byte with `SPLICE_F_NONBLOCK` fails with `EAGAIN`.
#[conformance::test(man = "splice(2)", level = customary)]
fn each_one_byte_splice_takes_a_page_slot() -> Outcome {
    let (reader, writer) = pipe()?;
    let slots = pages(&writer)?;
    let bytes = pattern(slots + 1);
    let source = file(&bytes)?;
    for _ in 0..slots {
        expect_eq!(splice(&source, &writer, 1, SPLICE_F_NONBLOCK), Ok(1));
    }
    expect_eq!((splice(&source, &writer, 1, SPLICE_F_NONBLOCK), position(&source)?), (Err(EAGAIN), slots));
    expect_eq!(drain(&reader)?, bytes[..slots].to_vec());
    Ok(())
}

/// `splice` of 3 bytes from a pipe to a terminal in raw mode returns 3, and `splice` of 3 bytes from the terminal to the pipe
/// returns 3. The bytes arrive unchanged.
#[conformance::test(man = "splice(2)", level = customary, needs(file("/dev/ptmx")), fixed_in = "Linux 5.11 (9bb48c82aced)")]
fn moves_bytes_to_and_from_a_terminal() -> Outcome {
    use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
    let terminal = nix::pty::openpty(None, None)?;
    let mut modes = tcgetattr(&terminal.slave)?;
    cfmakeraw(&mut modes);
    tcsetattr(&terminal.slave, SetArg::TCSANOW, &modes)?;
    let (reader, writer) = holding(b"abcde")?;
    expect_eq!(splice(&reader, &terminal.slave, 3, NO_FLAGS), Ok(3));
    expect_eq!(read_exactly(&terminal.master, 3)?, b"abc");
    write_all(&terminal.master, b"xyz")?;
    expect_eq!(splice(&terminal.slave, &writer, 3, NO_FLAGS), Ok(3));
    expect_eq!(drain(&reader)?, b"dexyz");
    Ok(())
}

/// `splice` from a file into a full pipe whose write end has `O_NONBLOCK` set fails with `EAGAIN`, and the file position stays 0.
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.1 (ee5e001196d1)")]
fn full_nonblocking_pipe_gives_eagain() -> Outcome {
    let source = file(b"abc")?;
    let ((reader, writer), count) = full()?;
    set_nonblocking(&writer, true)?;
    expect_eq!(splice(&source, &writer, 3, NO_FLAGS), Err(EAGAIN));
    expect_eq!((position(&source)?, unread(&reader)?), (0, count));
    Ok(())
}

/// `splice` of 4 bytes from a pipe into a file of 10 bytes at file position 2, without an offset, returns 4, overwrites the bytes
/// 2 to 5 of the file, and advances the position to 6. The other bytes of the file and of the pipe stay as they were.
#[apply(every_backing)]
#[conformance::test(man = "splice(2)")]
fn writes_at_the_file_position(file_type: Backing) -> Outcome {
    let target = file_type.file(b"0123456789")?;
    let (reader, _writer) = holding(b"abcdef")?;
    lseek(&target, 2, Whence::SeekSet)?;
    expect_eq!(splice(&reader, &target, 4, NO_FLAGS), Ok(4));
    expect_eq!((position(&target)?, content(&target)?, unread(&reader)?), (6, b"01abcd6789".to_vec(), 2));
    Ok(())
}

/// `splice` of 3 bytes from a pipe into a file of 2 bytes at offset 7 returns 3 and advances the offset to 10. `read` of the file
/// returns the 2 bytes, 5 null bytes and the 3 bytes, and the file position stays 0.
#[apply(every_backing)]
#[conformance::test(man = "splice(2)")]
fn writes_at_an_offset_beyond_the_end(file_type: Backing) -> Outcome {
    let target = file_type.file(b"ab")?;
    let (reader, _writer) = holding(b"xyz")?;
    let mut offset = 7;
    expect_eq!(splice_at((&reader, None), (&target, Some(&mut offset)), 100, NO_FLAGS), Ok(3));
    expect_eq!((offset, position(&target)?, unread(&reader)?), (10, 0, 0));
    expect_eq!(content(&target)?, b"ab\0\0\0\0\0xyz");
    Ok(())
}

/// One `splice` from a full pipe into a file, with the capacity of the pipe as length, returns that capacity. The pipe is then
/// empty, and the file holds all its bytes in order.
#[apply(every_backing)]
#[conformance::test(man = "splice(2)", level = customary, fixed_in = "Linux 2.6.31 (bf40d3435caf)")]
fn moves_a_full_pipe_in_one_call(file_type: Backing) -> Outcome {
    let (reader, writer) = pipe()?;
    let bytes = pattern(pipe_size(&writer)?);
    write_all(&writer, &bytes)?;
    let target = file_type.file(b"")?;
    expect_eq!(splice(&reader, &target, bytes.len(), NO_FLAGS), Ok(bytes.len()));
    expect_eq!((unread(&reader)?, position(&target)?), (0, bytes.len()));
    expect_eq!(content(&target)?, bytes);
    Ok(())
}

/// `splice` of 1 byte into a file whose `st_mtime` was set to 1 by `futimens` updates `st_mtime` to a later time.
#[conformance::test(man = "splice(2)", level = customary, fixed_in = "Linux 2.6.31")]
fn updates_st_mtime_of_the_target() -> Outcome {
    use nix::sys::time::TimeSpec;
    let target = file(b"abc")?;
    let (reader, _writer) = holding(b"x")?;
    nix::sys::stat::futimens(&target, &TimeSpec::new(1, 0), &TimeSpec::new(1, 0))?;
    expect_eq!(splice(&reader, &target, 1, NO_FLAGS), Ok(1));
    let modified = fstat(&target)?.st_mtime;
    expect!(modified > 1, "st_mtime is {modified}");
    Ok(())
}

/// `splice` of 1 byte into a file of mode 06777 by a process without `CAP_FSETID` changes the mode to 0777, as `write` does: the
/// set-user-ID and set-group-ID bits are cleared.
#[conformance::test(man = "splice(2)", level = customary, fixed_in = "Linux 2.6.19 (8c34e2d632)")]
fn clears_set_id_bits_as_write_does() -> Outcome {
    let set_id_file = || -> Result<OwnedFd, Errno> {
        let target = file(b"abc")?;
        nix::sys::stat::fchmod(&target, nix::sys::stat::Mode::from_bits_retain(0o6777))?;
        Ok(target)
    };
    let (written, spliced) = (set_id_file()?, set_id_file()?);
    let (reader, _writer) = holding(b"x")?;
    // With this capability the bits are kept. Dropping it fails for a process that does not have it, which is as well.
    let _ = caps::drop(None, caps::CapSet::Effective, caps::Capability::CAP_FSETID);
    write_all(&written, b"x")?;
    expect_eq!(splice(&reader, &spliced, 1, NO_FLAGS), Ok(1));
    expect_eq!((fstat(&written)?.st_mode & 0o7777, fstat(&spliced)?.st_mode & 0o7777), (0o777, 0o777));
    Ok(())
}

/// `splice` of 30 bytes from a pipe into an empty file with a soft limit `RLIMIT_FSIZE` of 10 bytes returns 10. The next `splice`
/// of 30 bytes fails with `EFBIG` and raises one `SIGXFSZ`, and `read` from the pipe returns all bytes but the first 10.
#[conformance::test(man = "splice(2)", man = "getrlimit(2)", fixed_in = "Linux 3.16 (8d0207652cbe)")]
fn stops_at_rlimit_fsize() -> Outcome {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let target = file(b"")?;
    let (reader, _writer) = holding(&pattern(100))?;
    signal::catch(Signal::SIGXFSZ, Restart::No)?;
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE)?;
    setrlimit(Resource::RLIMIT_FSIZE, 10, hard)?;
    expect_eq!(splice(&reader, &target, 30, NO_FLAGS), Ok(10));
    let before = signal::caught(Signal::SIGXFSZ);
    expect_eq!(splice(&reader, &target, 30, NO_FLAGS), Err(EFBIG));
    expect_eq!(signal::caught(Signal::SIGXFSZ) - before, 1);
    expect_eq!((content(&target)?, drain(&reader)?), (pattern(10), pattern(100)[10..].to_vec()));
    Ok(())
}

/// `splice` of n bytes from a pipe with more than n unread bytes to `/dev/null` or `/dev/zero`, with n = 1 and n = page size + 1,
/// returns n. `read` from the pipe returns the other bytes.
#[rstest]
#[case::dev_null("/dev/null")]
#[case::dev_zero("/dev/zero")]
#[conformance::test(man = "splice(2)", level = customary, fixed_in = "Linux 6.7 (1b057bd800c3)")]
fn to_dev_null_moves_the_exact_length(#[case] device: &str) -> Outcome {
    let device = open(Path::new(device), OFlag::O_WRONLY)?;
    let page = page_size();
    let bytes = pattern(3 * page);
    let (reader, _writer) = holding(&bytes)?;
    expect_eq!(splice(&reader, &device, page + 1, NO_FLAGS), Ok(page + 1));
    expect_eq!(splice(&reader, &device, 1, NO_FLAGS), Ok(1));
    expect_eq!(drain(&reader)?, bytes[page + 2..].to_vec());
    Ok(())
}

/// `splice` from an empty pipe with a writer to `/dev/null` fails with `EAGAIN` if `SPLICE_F_NONBLOCK` is given or the read end
/// has `O_NONBLOCK` set.
#[rstest]
#[case::splice_f_nonblock(true)]
#[case::o_nonblock(false)]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.1 (ee5e001196d1)")]
fn empty_pipe_to_dev_null_gives_eagain(#[case] by_flag: bool) -> Outcome {
    let (reader, _writer) = pipe()?;
    set_nonblocking(&reader, !by_flag)?;
    expect_eq!(splice(&reader, null()?, 5, if by_flag { SPLICE_F_NONBLOCK } else { NO_FLAGS }), Err(EAGAIN));
    Ok(())
}

/// `splice` of 100 bytes from `/dev/zero`, `/dev/full` or `/dev/urandom` into a pipe returns 100. The bytes from `/dev/zero` and
/// `/dev/full` are null bytes.
#[rstest]
#[case::dev_zero("/dev/zero")]
#[case::dev_full("/dev/full")]
#[case::dev_urandom("/dev/urandom")]
#[conformance::test(man = "splice(2)", level = customary, fixed_in = "Linux 6.7 (1b057bd800c3)")]
fn reads_the_length_from_devices(#[case] device: &str) -> Outcome {
    let source = open(Path::new(device), OFlag::O_RDONLY)?;
    let (reader, writer) = pipe()?;
    expect_eq!(splice(&source, &writer, 100, NO_FLAGS), Ok(100));
    let bytes = drain(&reader)?;
    expect_eq!((bytes.len(), bytes.iter().all(|&byte| byte == 0)), (100, device != "/dev/urandom"));
    Ok(())
}

/// `splice` of a page from `/proc/version` or `/proc/sys/kernel/ostype` into a pipe returns the length of the file, and `read`
/// from the pipe returns the bytes that `read` of the file returns. The next `splice` returns 0.
#[rstest]
#[case::sysctl("/proc/sys/kernel/ostype")]
#[case::seq_file("/proc/version")]
#[conformance::test(man = "splice(2)", level = customary, needs(file("/proc/version")), fixed_in = "Linux 5.11")]
fn reads_procfs_files(#[case] name: &str) -> Outcome {
    let read_back = std::fs::read(name)?;
    let source = open(Path::new(name), OFlag::O_RDONLY)?;
    let (reader, writer) = pipe()?;
    expect_eq!(splice(&source, &writer, page_size(), NO_FLAGS), Ok(read_back.len()));
    expect_eq!(splice(&source, &writer, page_size(), NO_FLAGS), Ok(0));
    expect_eq!(drain(&reader)?, read_back);
    Ok(())
}

/// `splice` of 2 bytes from a stream socket with 6 unread bytes into a pipe returns 2, later calls return counts above 0 until
/// the socket is empty, and `read` from the pipe returns the 6 bytes in order. If the socket is empty and has `O_NONBLOCK` set,
/// `splice` fails with `EAGAIN` while the peer is open, and returns 0 after the peer closes.
#[conformance::test(man = "splice(2)")]
fn reads_from_a_stream_socket() -> Outcome {
    let (source, peer) = socket_pair()?;
    let (reader, writer) = pipe()?;
    write_all(&peer, b"abc")?;
    write_all(&peer, b"def")?;
    expect_eq!(splice(&source, &writer, 2, NO_FLAGS), Ok(2));
    expect_eq!((unread(&source)?, unread(&reader)?), (4, 2));
    while unread(&source)? > 0 {
        expect_matches!(splice(&source, &writer, 9, NO_FLAGS), Ok(1..));
    }
    set_nonblocking(&source, true)?;
    expect_eq!(splice(&source, &writer, 9, NO_FLAGS), Err(EAGAIN));
    drop(peer);
    expect_eq!(splice(&source, &writer, 9, NO_FLAGS), Ok(0));
    expect_eq!(drain(&reader)?, b"abcdef");
    Ok(())
}

/// `splice` from a pipe into a full stream socket with `O_NONBLOCK` set fails with `EAGAIN`, and the bytes stay in the pipe.
#[conformance::test(man = "splice(2)", fixed_in = "Linux 6.10")]
fn full_nonblocking_socket_gives_eagain() -> Outcome {
    let (socket, peer) = socket_pair()?;
    let (reader, writer) = holding(b"abc")?;
    expect_eq!(splice(&reader, &socket, 2, NO_FLAGS), Ok(2));
    expect_eq!((read_some(&peer, 9)?, unread(&reader)?), (b"ab".to_vec(), 1));
    fill(&socket)?;
    set_nonblocking(&socket, true)?;
    expect_eq!(splice(&reader, &socket, 1, NO_FLAGS), Err(EAGAIN));
    write_all(&writer, b"d")?;
    expect_eq!(drain(&reader)?, b"cd");
    Ok(())
}
