//! What `splice` and `copy_file_range` refuse, and that a refused transfer moves nothing.

use conformance::prelude::*;
use nix::unistd::Whence;
use rstest::rstest;

use common::transfer::{NO_FLAGS, content, drain, file, file_with, holding, position};

/// A flag that means nothing.
const UNKNOWN: u32 = 0x10;

/// Each end of a pipe can only be used in its own direction.
#[rstest]
#[case::a_writing_end_as_the_source(true, false)]
#[case::a_reading_end_as_the_target(false, true)]
#[conformance::test(man = "splice(2)")]
fn of_an_end_in_the_wrong_direction(#[case] writing_source: bool, #[case] reading_target: bool) -> Outcome {
    let (source, feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let from = if writing_source { &feed } else { &source };
    let to = if reading_target { &sink } else { &target };
    expect_eq!(splice(from, to, 3, NO_FLAGS), Err(EBADF));
    expect_eq!((unread(&source)?, unread(&sink)?), (3, 0));
    Ok(())
}

/// A file has to be open for reading to be a source, and for writing to be a target; a mere location is neither.
#[rstest]
#[case::a_source_that_can_only_be_written(OFlag::O_WRONLY, true)]
#[case::a_source_that_is_only_a_location(OFlag::O_PATH, true)]
#[case::a_target_that_can_only_be_read(OFlag::O_RDONLY, false)]
#[case::a_target_that_is_only_a_location(OFlag::O_PATH, false)]
#[conformance::test(man = "splice(2)")]
fn of_a_file_opened_otherwise(#[case] flags: OFlag, #[case] as_source: bool) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let file = file_with(b"xyz", flags)?;
    let seen = if as_source { splice(&file, &writer, 3, NO_FLAGS) } else { splice(&reader, &file, 3, NO_FLAGS) };
    expect_eq!(seen, Err(EBADF));
    expect_eq!(drain(&reader)?, b"abc");
    Ok(())
}

/// At least one side has to be a pipe.
#[conformance::test(man = "splice(2)")]
fn of_two_files() -> Outcome {
    let (from, to) = (file(b"abc")?, file(b"")?);
    expect_eq!(splice(&from, &to, 3, NO_FLAGS), Err(EINVAL));
    expect_eq!((position(&from)?, content(&to)?), (0, Vec::new()));
    Ok(())
}

/// How a second descriptor of a pipe is come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alias {
    OtherEnd,
    Duplicate,
    Reopened,
}

/// A pipe cannot be moved into itself, by whatever descriptor it is named.
#[rstest]
#[conformance::test(man = "splice(2)", needs(file("/proc/self/fd")))]
fn of_a_pipe_into_itself(#[values(Alias::OtherEnd, Alias::Duplicate, Alias::Reopened)] alias: Alias) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let to = match alias {
        Alias::OtherEnd => writer,
        Alias::Duplicate => dup(&writer)?,
        Alias::Reopened => open(&PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd())), OFlag::O_WRONLY)?,
    };
    expect_eq!(splice(&reader, &to, 3, NO_FLAGS), Err(EINVAL));
    expect_eq!(drain(&reader)?, b"abc");
    Ok(())
}

/// A FIFO cannot be moved into itself either, though each end was opened for itself and under a name of its own.
#[conformance::test(man = "splice(2)")]
fn of_a_fifo_into_itself_by_another_name() -> Outcome {
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

/// An offset into a pipe is refused before anything moves, and keeps its value.
#[rstest]
#[case::at_the_source(true, false)]
#[case::at_the_target(false, true)]
#[case::at_both(true, true)]
#[conformance::test(man = "splice(2)")]
fn of_an_offset_into_a_pipe(#[case] at_source: bool, #[case] at_target: bool) -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let (mut from, mut to) = (1, 1);
    let offsets = (at_source.then_some(&mut from), at_target.then_some(&mut to));
    expect_eq!(splice_at((&source, offsets.0), (&target, offsets.1), 3, NO_FLAGS), Err(ESPIPE));
    expect_eq!((from, to, unread(&source)?, unread(&sink)?), (1, 1, 3, 0));
    Ok(())
}

/// An offset of the pipe's side is refused also where the other side is a file that could have one.
#[conformance::test(man = "splice(2)")]
fn of_an_offset_into_a_pipe_beside_a_file() -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let file = file(b"xyz")?;
    let (mut pipe_offset, mut file_offset) = (0, 1);
    let into_file = splice_at((&reader, Some(&mut pipe_offset)), (&file, Some(&mut file_offset)), 2, NO_FLAGS);
    let into_pipe = splice_at((&file, Some(&mut file_offset)), (&writer, Some(&mut pipe_offset)), 2, NO_FLAGS);
    expect_eq!((into_file, into_pipe), (Err(ESPIPE), Err(ESPIPE)));
    expect_eq!((file_offset, unread(&reader)?, content(&file)?), (1, 3, b"xyz".to_vec()));
    Ok(())
}

/// An offset into something else that has no positions is an invalid argument.
#[rstest]
#[case::as_the_source(true)]
#[case::as_the_target(false)]
#[conformance::test(man = "splice(2)")]
fn of_an_offset_into_a_socket(#[case] as_source: bool) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let (socket, peer) = super::file::socket_pair()?;
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

/// A file that is open for appending is no target, neither at its position nor at an offset: what is in it could be overwritten.
#[rstest]
#[case::at_its_position(None)]
#[case::at_an_offset(Some(0))]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 2.6.27 (efc968d450e0)")]
fn of_a_target_open_for_appending(#[case] mut offset: Option<i64>) -> Outcome {
    let (reader, _writer) = holding(b"abc")?;
    let file = file_with(b"xyz", OFlag::O_RDWR | OFlag::O_APPEND)?;
    expect_eq!(splice_at((&reader, None), (&file, offset.as_mut()), 3, NO_FLAGS), Err(EINVAL));
    expect_eq!((drain(&reader)?, content(&file)?), (b"abc".to_vec(), b"xyz".to_vec()));
    Ok(())
}

/// Offsets that no file has are invalid arguments, and nothing moves.
#[rstest]
#[case::negative(-1)]
#[case::whose_end_is_too_large(i64::MAX)]
#[conformance::test(man = "splice(2)", level = observed)]
fn of_an_offset_that_no_file_has(#[case] offset: i64) -> Outcome {
    let (reader, _writer) = holding(b"abc")?;
    let file = file(b"xyz")?;
    let mut given = offset;
    expect_eq!(splice_at((&reader, None), (&file, Some(&mut given)), 2, NO_FLAGS), Err(EINVAL));
    expect_eq!((given, drain(&reader)?, content(&file)?), (offset, b"abc".to_vec(), b"xyz".to_vec()));
    Ok(())
}

/// A source offset below zero is refused too.
#[conformance::test(man = "splice(2)", level = observed)]
fn of_a_negative_offset_at_the_source() -> Outcome {
    let (reader, writer) = pipe()?;
    let file = file(b"xyz")?;
    let mut given = -1;
    expect_eq!(splice_at((&file, Some(&mut given)), (&writer, None), 2, NO_FLAGS), Err(EINVAL));
    expect_eq!((given, unread(&reader)?, position(&file)?), (-1, 0, 0));
    Ok(())
}

/// An offset that cannot be read is found out before anything moves.
#[rstest]
#[case::of_the_source(Side::From)]
#[case::of_the_target(Side::To)]
#[conformance::test(man = "splice(2)", level = observed)]
fn of_an_offset_that_cannot_be_read(#[case] side: Side) -> Outcome {
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

/// The three calls that take flags refuse one that means nothing, and leave the pipes alone.
#[rstest]
#[case::the_lowest(UNKNOWN)]
#[case::the_highest(1 << 31)]
#[case::beside_a_known_one(UNKNOWN | 2)]
#[conformance::test(man = "splice(2)", man = "tee(2)", level = observed, fixed_in = "Linux 4.11 (3d6ea290f337)")]
fn of_an_unknown_flag(#[case] flags: u32) -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let flags = SpliceFlags::from_bits_retain(flags);
    expect_eq!((splice(&source, &target, 3, flags), tee(&source, &target, 3, flags)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((drain(&source)?, unread(&sink)?), (b"abc".to_vec(), 0));
    Ok(())
}

/// A pipe is not a file from or to which `copy_file_range` copies.
#[rstest]
#[case::from_a_pipe(true)]
#[case::into_a_pipe(false)]
#[conformance::test(man = "copy_file_range(2)")]
fn of_a_pipe_as_a_file_range(#[case] from_pipe: bool) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let file = file(b"xyz")?;
    lseek(&file, 1, Whence::SeekSet)?;
    let seen = if from_pipe { copy_file_range(&reader, &file, 2) } else { copy_file_range(&file, &writer, 2) };
    expect_eq!(seen, Err(EINVAL));
    expect_eq!((drain(&reader)?, content(&file)?, position(&file)?), (b"abc".to_vec(), b"xyz".to_vec(), 1));
    Ok(())
}
