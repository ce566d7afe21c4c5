//! `splice` between a pipe and something else: files with and without a disk, devices, kernel files and sockets; positions and
//! offsets, end-of-file, limits.

use conformance::prelude::*;
use nix::unistd::Whence;
use rstest::rstest;

use common::transfer::{Backing, NO_FLAGS, SPLICE_F_NONBLOCK, content, drain, file, full, holding, null, pages, position};

/// A connected pair of stream sockets.
pub fn socket_pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    Ok(socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::empty())?)
}

/// Without an offset the bytes come from the file's position, which moves on by exactly as many as were moved.
#[rstest]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 2.6.23 (bcd4f3acbaec)")]
fn takes_from_the_position_of_a_file(#[values(Backing::RegularFile, Backing::Memfd)] backing: Backing) -> Outcome {
    let bytes = pattern(2 * page_size() + 9);
    let source = backing.file(&bytes)?;
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

/// With an offset it is the offset that moves on, while the file's position stays.
#[conformance::test(man = "splice(2)")]
fn takes_from_an_offset_and_leaves_the_position() -> Outcome {
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

/// At the end of a file and beyond there is nothing to move: 0, even though the pipe could wait, and the position stays.
#[rstest]
#[case::empty(b"", 0)]
#[case::at_the_end(b"abc", 3)]
#[case::beyond_the_end(b"abc", 1_000_000)]
#[conformance::test(man = "splice(2)")]
fn returns_zero_at_the_end_of_a_file(#[case] bytes: &[u8], #[case] at: i64) -> Outcome {
    let source = file(bytes)?;
    let (reader, writer) = pipe()?;
    lseek(&source, at, Whence::SeekSet)?;
    expect_eq!(splice(&source, &writer, 5, NO_FLAGS), Ok(0));
    expect_eq!((i64::try_from(position(&source)?), unread(&reader)?), (Ok(at), 0));
    expect_eq!(ready(&reader, PollFlags::POLLIN)?, PollFlags::empty());
    Ok(())
}

/// Holes of a file are moved as zeros, and the bytes behind them in their places.
#[rstest]
#[conformance::test(man = "splice(2)")]
fn takes_holes_as_zeros(#[values(Backing::RegularFile, Backing::Memfd)] backing: Backing) -> Outcome {
    let hole = 2 * page_size() + 1;
    let source = backing.file(b"ab")?;
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

/// A file larger than the pipe fills it and no more; the position tells how far it came, and a second call would have to wait.
#[conformance::test(man = "splice(2)")]
fn takes_from_a_file_what_fits_into_the_pipe() -> Outcome {
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

/// Pieces of a file that are moved one byte at a time fill a pipe of n pages after n transfers, although they are of one page.
#[conformance::test(man = "splice(2)", level = observed)]
fn takes_pieces_of_a_file_that_need_a_buffer_each() -> Outcome {
    let (reader, writer) = pipe()?;
    let room = pages(&writer)?;
    let bytes = pattern(room + 1);
    let source = file(&bytes)?;
    for _ in 0..room {
        expect_eq!(splice(&source, &writer, 1, SPLICE_F_NONBLOCK), Ok(1));
    }
    expect_eq!((splice(&source, &writer, 1, SPLICE_F_NONBLOCK), position(&source)?), (Err(EAGAIN), room));
    expect_eq!(drain(&reader)?, bytes[..room].to_vec());
    Ok(())
}

/// A terminal that passes bytes on as they are is a source and a target like other devices.
#[conformance::test(man = "splice(2)", level = observed, needs(file("/dev/ptmx")), fixed_in = "Linux 5.11 (9bb48c82aced)")]
fn passes_through_a_terminal() -> Outcome {
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

/// A non-blocking pipe that is full makes a transfer out of a file EAGAIN as the flag does, and the file's position stays.
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.1 (ee5e001196d1)")]
fn from_a_file_does_not_wait_for_room_in_a_nonblocking_pipe() -> Outcome {
    let source = file(b"abc")?;
    let ((reader, writer), count) = full()?;
    set_nonblocking(&writer, true)?;
    expect_eq!(splice(&source, &writer, 3, NO_FLAGS), Err(EAGAIN));
    expect_eq!((position(&source)?, unread(&reader)?), (0, count));
    Ok(())
}

/// A file given as target is overwritten from its position on, which moves; what comes before and after stays.
#[rstest]
#[conformance::test(man = "splice(2)")]
fn writes_at_the_position_of_a_file(#[values(Backing::RegularFile, Backing::Memfd)] backing: Backing) -> Outcome {
    let target = backing.file(b"0123456789")?;
    let (reader, _writer) = holding(b"abcdef")?;
    lseek(&target, 2, Whence::SeekSet)?;
    expect_eq!(splice(&reader, &target, 4, NO_FLAGS), Ok(4));
    expect_eq!((position(&target)?, content(&target)?, unread(&reader)?), (6, b"01abcd6789".to_vec(), 2));
    Ok(())
}

/// Offsets of a target beyond its end leave a hole of zeros, and the position stays.
#[rstest]
#[conformance::test(man = "splice(2)")]
fn writes_at_an_offset_beyond_the_end(#[values(Backing::RegularFile, Backing::Memfd)] backing: Backing) -> Outcome {
    let target = backing.file(b"ab")?;
    let (reader, _writer) = holding(b"xyz")?;
    let mut offset = 7;
    expect_eq!(splice_at((&reader, None), (&target, Some(&mut offset)), 100, NO_FLAGS), Ok(3));
    expect_eq!((offset, position(&target)?, unread(&reader)?), (10, 0, 0));
    expect_eq!(content(&target)?, b"ab\0\0\0\0\0xyz");
    Ok(())
}

/// A full pipe goes into a file in one call.
#[rstest]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 2.6.31 (bf40d3435caf)")]
fn writes_a_full_pipe_into_a_file(#[values(Backing::RegularFile, Backing::Memfd)] backing: Backing) -> Outcome {
    let (reader, writer) = pipe()?;
    let bytes = pattern(pipe_size(&writer)?);
    write_all(&writer, &bytes)?;
    let target = backing.file(b"")?;
    expect_eq!(splice(&reader, &target, bytes.len(), NO_FLAGS), Ok(bytes.len()));
    expect_eq!((unread(&reader)?, position(&target)?), (0, bytes.len()));
    expect!(content(&target)? == bytes);
    Ok(())
}

/// A transfer into a file changes the time of its last modification, as a write does.
#[conformance::test(man = "splice(2)", level = observed, fixed_in = "Linux 2.6.31")]
fn into_a_file_changes_its_modification_time() -> Outcome {
    use nix::sys::time::TimeSpec;
    let target = file(b"abc")?;
    let (reader, _writer) = holding(b"x")?;
    nix::sys::stat::futimens(&target, &TimeSpec::new(1, 0), &TimeSpec::new(1, 0))?;
    expect_eq!(splice(&reader, &target, 1, NO_FLAGS), Ok(1));
    expect!(fstat(&target)?.st_mtime > 1);
    Ok(())
}

/// Whoever may not keep them takes the set-user-ID and set-group-ID bits off a file by a transfer into it, as by a write.
#[conformance::test(man = "splice(2)", level = observed, fixed_in = "Linux 2.6.19 (8c34e2d632)")]
fn into_a_file_takes_off_the_bits_that_a_write_takes_off() -> Outcome {
    let marked = || -> Result<OwnedFd, Errno> {
        let target = file(b"abc")?;
        nix::sys::stat::fchmod(&target, nix::sys::stat::Mode::from_bits_retain(0o6777))?;
        Ok(target)
    };
    let (written, spliced) = (marked()?, marked()?);
    let (reader, _writer) = holding(b"x")?;
    // Who has this capability keeps the bits; who does not have it has nothing to give up.
    let _ = caps::drop(None, caps::CapSet::Effective, caps::Capability::CAP_FSETID);
    write_all(&written, b"x")?;
    expect_eq!(splice(&reader, &spliced, 1, NO_FLAGS), Ok(1));
    expect_eq!((fstat(&written)?.st_mode & 0o7777, fstat(&spliced)?.st_mode & 0o7777), (0o777, 0o777));
    Ok(())
}

/// A transfer into a file ends at the limit on file sizes; the next one fails with a signal, and refused bytes stay in the pipe.
#[conformance::test(man = "splice(2)", man = "getrlimit(2)", fixed_in = "Linux 3.16 (8d0207652cbe)")]
fn into_a_file_stops_at_the_size_limit() -> Outcome {
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

/// A device that forgets takes exactly what it is given, and leaves the rest.
#[rstest]
#[case::null("/dev/null")]
#[case::zero("/dev/zero")]
#[conformance::test(man = "splice(2)", level = observed, fixed_in = "Linux 6.7 (1b057bd800c3)")]
fn into_a_device_takes_the_count_out(#[case] device: &str) -> Outcome {
    let device = open(Path::new(device), OFlag::O_WRONLY)?;
    let page = page_size();
    let bytes = pattern(3 * page);
    let (reader, _writer) = holding(&bytes)?;
    expect_eq!(splice(&reader, &device, page + 1, NO_FLAGS), Ok(page + 1));
    expect_eq!(splice(&reader, &device, 1, NO_FLAGS), Ok(1));
    expect_eq!(drain(&reader)?, bytes[page + 2..].to_vec());
    Ok(())
}

/// An empty pipe that has writers keeps nobody waiting for a device, where the flag or the descriptor says so.
#[rstest]
#[case::by_flag(true)]
#[case::by_descriptor(false)]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.1 (ee5e001196d1)")]
fn into_a_device_does_not_wait_for_bytes(#[case] by_flag: bool) -> Outcome {
    let (reader, _writer) = pipe()?;
    set_nonblocking(&reader, !by_flag)?;
    expect_eq!(splice(&reader, null()?, 5, if by_flag { SPLICE_F_NONBLOCK } else { NO_FLAGS }), Err(EAGAIN));
    Ok(())
}

/// Devices without end are sources of as many bytes as are asked for.
#[rstest]
#[case::zero("/dev/zero")]
#[case::full("/dev/full")]
#[case::random("/dev/urandom")]
#[conformance::test(man = "splice(2)", level = observed, fixed_in = "Linux 6.7 (1b057bd800c3)")]
fn takes_from_a_device(#[case] device: &str) -> Outcome {
    let source = open(Path::new(device), OFlag::O_RDONLY)?;
    let (reader, writer) = pipe()?;
    expect_eq!(splice(&source, &writer, 100, NO_FLAGS), Ok(100));
    let bytes = drain(&reader)?;
    expect_eq!((bytes.len(), bytes.iter().all(|&byte| byte == 0)), (100, device != "/dev/urandom"));
    Ok(())
}

/// A file that the kernel makes up as it is read gives through a pipe what a read of it gives.
#[rstest]
#[case::a_parameter("/proc/sys/kernel/ostype")]
#[case::a_sequence("/proc/version")]
#[conformance::test(man = "splice(2)", level = observed, needs(file("/proc/version")), fixed_in = "Linux 5.11")]
fn takes_from_a_file_of_the_kernel(#[case] name: &str) -> Outcome {
    let read_back = std::fs::read(name)?;
    let source = open(Path::new(name), OFlag::O_RDONLY)?;
    let (reader, writer) = pipe()?;
    expect_eq!(splice(&source, &writer, page_size(), NO_FLAGS), Ok(read_back.len()));
    expect_eq!(splice(&source, &writer, page_size(), NO_FLAGS), Ok(0));
    expect_eq!(drain(&reader)?, read_back);
    Ok(())
}

/// A stream socket is a source of what has arrived, in order; when its peer has closed, of nothing more.
#[conformance::test(man = "splice(2)")]
fn takes_from_a_socket() -> Outcome {
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

/// A stream socket is a target; a full one that is non-blocking refuses at once, and the byte stays in the pipe.
#[conformance::test(man = "splice(2)", fixed_in = "Linux 6.10")]
fn into_a_full_nonblocking_socket_keeps_the_byte() -> Outcome {
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
