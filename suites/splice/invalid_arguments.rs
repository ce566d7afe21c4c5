//! Arguments that `splice` and `copy_file_range` reject. A rejected call transfers no bytes and changes no offset and no file
//! position.

use conformance::prelude::*;
use nix::unistd::Whence;
use rstest::rstest;

use common::transfer::{NO_FLAGS, content, drain, file, file_with, holding, position};

/// An undefined flag.
const UNKNOWN: u32 = 0x10;

/// `splice` from the write end of a pipe, or into the read end of a pipe, fails with `EBADF`, and both pipes keep their bytes.
#[rstest]
#[case::write_end_as_source(true, false)]
#[case::read_end_as_target(false, true)]
#[conformance::test(man = "splice(2)")]
fn rejects_a_pipe_end_of_the_wrong_direction(#[case] writing_source: bool, #[case] reading_target: bool) -> Outcome {
    let (source, feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let from = if writing_source { &feed } else { &source };
    let to = if reading_target { &sink } else { &target };
    expect_eq!(splice(from, to, 3, NO_FLAGS), Err(EBADF));
    expect_eq!((unread(&source)?, unread(&sink)?), (3, 0));
    Ok(())
}

/// `splice` from a file opened with `O_WRONLY` or `O_PATH`, or into a file opened with `O_RDONLY` or `O_PATH`, fails with
/// `EBADF`. The pipe keeps its bytes.
#[rstest]
#[case::write_only_source(OFlag::O_WRONLY, true)]
#[case::o_path_source(OFlag::O_PATH, true)]
#[case::read_only_target(OFlag::O_RDONLY, false)]
#[case::o_path_target(OFlag::O_PATH, false)]
#[conformance::test(man = "splice(2)")]
fn rejects_a_file_of_the_wrong_access_mode(#[case] flags: OFlag, #[case] as_source: bool) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let file = file_with(b"xyz", flags)?;
    let seen = if as_source { splice(&file, &writer, 3, NO_FLAGS) } else { splice(&reader, &file, 3, NO_FLAGS) };
    expect_eq!(seen, Err(EBADF));
    expect_eq!(drain(&reader)?, b"abc");
    Ok(())
}

/// `splice` between two regular files fails with `EINVAL`. The position of the source and the content of the target stay as they
/// were.
#[conformance::test(man = "splice(2)")]
fn rejects_two_regular_files() -> Outcome {
    let (from, to) = (file(b"abc")?, file(b"")?);
    expect_eq!(splice(&from, &to, 3, NO_FLAGS), Err(EINVAL));
    expect_eq!((position(&from)?, content(&to)?), (0, Vec::new()));
    Ok(())
}

/// A second descriptor of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    WriteEnd,
    Duplicate,
    Reopened,
}

/// `splice` from the read end of a pipe into the same pipe fails with `EINVAL`, and the pipe keeps its bytes. The target is the
/// write end, a duplicate of it, or the pipe reopened through `/proc/self/fd`.
#[rstest]
#[conformance::test(man = "splice(2)", needs(file("/proc/self/fd")))]
fn rejects_one_pipe_as_source_and_target(
    #[values(Target::WriteEnd, Target::Duplicate, Target::Reopened)] target: Target,
) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let to = match target {
        Target::WriteEnd => writer,
        Target::Duplicate => dup(&writer)?,
        Target::Reopened => open(&PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd())), OFlag::O_WRONLY)?,
    };
    expect_eq!(splice(&reader, &to, 3, NO_FLAGS), Err(EINVAL));
    expect_eq!(drain(&reader)?, b"abc");
    Ok(())
}

/// `splice` from a FIFO into the same FIFO, opened by another hard link, fails with `EINVAL`, and the FIFO keeps its bytes.
#[conformance::test(man = "splice(2)")]
fn rejects_one_fifo_by_two_names() -> Outcome {
    let scratch = Scratch::new()?;
    let (first, second) = (scratch.join("first"), scratch.join("second"));
    mkfifo(&first, 0o600)?;
    std::fs::hard_link(&first, &second)?;
    let reader = open(&first, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    let writer = open(&second, OFlag::O_WRONLY)?;
    write_all(&writer, b"abc")?;
    expect_eq!(splice(&reader, &writer, 3, NO_FLAGS), Err(EINVAL));
    expect_eq!(drain(&reader)?, b"abc");
    Ok(())
}

/// `splice` between two pipes with an offset for the source, for the target or for both fails with `ESPIPE`. The offsets and the
/// bytes of both pipes stay as they were.
#[rstest]
#[case::of_the_source(true, false)]
#[case::of_the_target(false, true)]
#[case::of_both(true, true)]
#[conformance::test(man = "splice(2)")]
fn rejects_an_offset_of_a_pipe(#[case] at_source: bool, #[case] at_target: bool) -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let (mut from, mut to) = (1, 1);
    let offsets = (at_source.then_some(&mut from), at_target.then_some(&mut to));
    expect_eq!(splice_at((&source, offsets.0), (&target, offsets.1), 3, NO_FLAGS), Err(ESPIPE));
    expect_eq!((from, to, unread(&source)?, unread(&sink)?), (1, 1, 3, 0));
    Ok(())
}

/// `splice` between a pipe and a file with an offset for each fails with `ESPIPE` in both directions. The offset, the content of
/// the file and the bytes of the pipe stay as they were.
#[conformance::test(man = "splice(2)")]
fn rejects_an_offset_of_the_pipe_beside_a_file() -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let file = file(b"xyz")?;
    let (mut pipe_offset, mut file_offset) = (0, 1);
    let into_file = splice_at((&reader, Some(&mut pipe_offset)), (&file, Some(&mut file_offset)), 2, NO_FLAGS);
    let into_pipe = splice_at((&file, Some(&mut file_offset)), (&writer, Some(&mut pipe_offset)), 2, NO_FLAGS);
    expect_eq!((into_file, into_pipe), (Err(ESPIPE), Err(ESPIPE)));
    expect_eq!((file_offset, unread(&reader)?, content(&file)?), (1, 3, b"xyz".to_vec()));
    Ok(())
}

/// `splice` between a pipe and a stream socket with an offset for the socket fails with `EINVAL` in both directions. The pipe and
/// the socket keep their bytes.
#[rstest]
#[case::as_source(true)]
#[case::as_target(false)]
#[conformance::test(man = "splice(2)")]
fn rejects_an_offset_of_a_socket(#[case] as_source: bool) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let (socket, peer) = super::files_and_devices::socket_pair()?;
    write_all(&peer, b"xyz")?;
    let mut offset = 0;
    let seen = if as_source {
        splice_at((&socket, Some(&mut offset)), (&writer, None), 3, NO_FLAGS)
    } else {
        splice_at((&reader, None), (&socket, Some(&mut offset)), 3, NO_FLAGS)
    };
    expect_eq!(seen, Err(EINVAL));
    expect_eq!((drain(&reader)?, unread(&socket)?, unread(&peer)?), (b"abc".to_vec(), 3, 0));
    Ok(())
}

/// `splice` into a file opened with `O_APPEND` fails with `EINVAL`, with and without an offset. The content of the file and the
/// bytes of the pipe stay as they were.
#[rstest]
#[case::without_offset(None)]
#[case::with_offset(Some(0))]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 2.6.27 (efc968d450e0)")]
fn rejects_a_target_opened_with_o_append(#[case] mut offset: Option<i64>) -> Outcome {
    let (reader, _writer) = holding(b"abc")?;
    let file = file_with(b"xyz", OFlag::O_RDWR | OFlag::O_APPEND)?;
    expect_eq!(splice_at((&reader, None), (&file, offset.as_mut()), 3, NO_FLAGS), Err(EINVAL));
    expect_eq!((drain(&reader)?, content(&file)?), (b"abc".to_vec(), b"xyz".to_vec()));
    Ok(())
}

/// `splice` of 2 bytes into a file at offset -1 or at the largest `off64_t` fails with `EINVAL`. The offset, the content of the
/// file and the bytes of the pipe stay as they were.
#[rstest]
#[case::negative(-1)]
#[case::largest(i64::MAX)]
#[conformance::test(man = "splice(2)", level = customary)]
fn rejects_a_target_offset_out_of_range(#[case] offset: i64) -> Outcome {
    let (reader, _writer) = holding(b"abc")?;
    let file = file(b"xyz")?;
    let mut given = offset;
    expect_eq!(splice_at((&reader, None), (&file, Some(&mut given)), 2, NO_FLAGS), Err(EINVAL));
    expect_eq!((given, drain(&reader)?, content(&file)?), (offset, b"abc".to_vec(), b"xyz".to_vec()));
    Ok(())
}

/// `splice` from a file at offset -1 into a pipe fails with `EINVAL`. The offset and the file position stay as they were, and the
/// pipe stays empty.
#[conformance::test(man = "splice(2)", level = customary)]
fn rejects_a_negative_source_offset() -> Outcome {
    let (reader, writer) = pipe()?;
    let file = file(b"xyz")?;
    let mut given = -1;
    expect_eq!(splice_at((&file, Some(&mut given)), (&writer, None), 2, NO_FLAGS), Err(EINVAL));
    expect_eq!((given, unread(&reader)?, position(&file)?), (-1, 0, 0));
    Ok(())
}

/// `splice` with an invalid pointer to the offset of the source or of the target fails with `EFAULT`. The content and the
/// position of the file and the bytes of the pipe stay as they were.
#[rstest]
#[case::of_the_source(Side::From)]
#[case::of_the_target(Side::To)]
#[conformance::test(man = "splice(2)", level = customary)]
fn rejects_an_invalid_offset_pointer(#[case] side: Side) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let file = file(b"xyz")?;
    let seen = match side {
        Side::From => splice_with_bad_offset(side, &file, &writer, 3),
        Side::To => splice_with_bad_offset(side, &reader, &file, 3),
    };
    expect_eq!(seen, Err(EFAULT));
    expect_eq!((drain(&reader)?, content(&file)?, position(&file)?), (b"abc".to_vec(), b"xyz".to_vec(), 0));
    Ok(())
}

/// `splice` and `tee` between two pipes fail with `EINVAL` if the flags are 0x10, 0x80000000, or 0x10 with `SPLICE_F_NONBLOCK`,
/// of which the first two are undefined. Both pipes keep their bytes.
#[rstest]
#[case::lowest_undefined_bit(UNKNOWN)]
#[case::highest_bit(1 << 31)]
#[case::with_splice_f_nonblock(UNKNOWN | 2)]
#[conformance::test(man = "splice(2)", man = "tee(2)", level = customary, fixed_in = "Linux 4.11 (3d6ea290f337)")]
fn rejects_an_unknown_flag(#[case] flags: u32) -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let flags = SpliceFlags::from_bits_retain(flags);
    expect_eq!((splice(&source, &target, 3, flags), tee(&source, &target, 3, flags)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((drain(&source)?, unread(&sink)?), (b"abc".to_vec(), 0));
    Ok(())
}

/// `copy_file_range` from a pipe or into a pipe fails with `EINVAL`. The bytes of the pipe, and the content and the position of
/// the file, stay as they were.
#[rstest]
#[case::from_a_pipe(true)]
#[case::into_a_pipe(false)]
#[conformance::test(man = "copy_file_range(2)")]
fn copy_file_range_rejects_a_pipe(#[case] from_pipe: bool) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let file = file(b"xyz")?;
    lseek(&file, 1, Whence::SeekSet)?;
    let seen = if from_pipe { copy_file_range(&reader, &file, 2) } else { copy_file_range(&file, &writer, 2) };
    expect_eq!(seen, Err(EINVAL));
    expect_eq!((drain(&reader)?, content(&file)?, position(&file)?), (b"abc".to_vec(), b"xyz".to_vec(), 1));
    Ok(())
}
