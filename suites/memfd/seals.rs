//! Seals of memory files (`F_ADD_SEALS`): which operations each seal forbids. How seals are added is in `adding_seals`, their
//! effect on mappings in `seals_and_mappings`.

use std::io::IoSlice;

use conformance::prelude::*;
use conformance::sys::fd::io::pwritev;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate};
use conformance::sys::memory::memfd::{SEAL_FUTURE_WRITE, Seals, add_seals, seals};
use conformance::sys::path::open::reopen;
use nix::unistd::Whence;
use rstest::rstest;

use common::memory_file::{UNSEALED, content, holding};

const SEAL: Seals = Seals::F_SEAL_SEAL;
const SHRINK: Seals = Seals::F_SEAL_SHRINK;
const GROW: Seals = Seals::F_SEAL_GROW;
const WRITE: Seals = Seals::F_SEAL_WRITE;

/// An operation that changes a file of 100 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Write,
    WriteSameBytes,
    Pwritev,
    WriteAtTheEnd,
    WriteInAppendMode,
    Splice,
    Sendfile,
    CopyFileRange,
    PunchHole,
    TruncateByOneByte,
    TruncateToZero,
    Lengthen,
    AllocateBeyondTheEnd,
    OpenTruncating,
}

use Change::{
    AllocateBeyondTheEnd, CopyFileRange, Lengthen, OpenTruncating, PunchHole, Pwritev, Sendfile, Splice, TruncateByOneByte,
    TruncateToZero, Write, WriteAtTheEnd, WriteInAppendMode, WriteSameBytes,
};

const BYTES: usize = 100;

impl Change {
    const ALL: [Change; 14] = [
        Write,
        WriteSameBytes,
        Pwritev,
        WriteAtTheEnd,
        WriteInAppendMode,
        Splice,
        Sendfile,
        CopyFileRange,
        PunchHole,
        TruncateByOneByte,
        TruncateToZero,
        Lengthen,
        AllocateBeyondTheEnd,
        OpenTruncating,
    ];

    /// Performs the operation, and returns the result of its call.
    fn make(self, file: &OwnedFd) -> Result<Result<usize, Errno>, Failure> {
        let done = |result: Result<(), Errno>| result.map(|()| 0);
        Ok(match self {
            Write => write(file, b"new"),
            WriteSameBytes => pwrite(file, &pattern(3), 0),
            Pwritev => pwritev(file, &[IoSlice::new(b"n"), IoSlice::new(b"ew")], 5),
            WriteAtTheEnd => pwrite(file, b"new", offset(BYTES)),
            WriteInAppendMode => {
                set_status_flags(file, OFlag::O_APPEND)?;
                let written = write(file, b"new");
                set_status_flags(file, OFlag::empty())?;
                lseek(file, 0, Whence::SeekSet)?;
                written
            }
            Splice => {
                let (reader, writer) = pipe()?;
                write_all(&writer, b"new")?;
                let moved = splice(&reader, file, 3, SpliceFlags::empty());
                // Bytes that were not moved are still in the pipe.
                assert_eq!(unread(&reader)?, 3 - moved.unwrap_or(0));
                moved
            }
            Sendfile => sendfile(file, holding(b"new")?, None, 3),
            CopyFileRange => copy_file_range(holding(b"new")?, file, 3),
            PunchHole => done(fallocate(file, PUNCH, 10, 5)),
            TruncateByOneByte => done(ftruncate(file, offset(BYTES) - 1)),
            TruncateToZero => done(ftruncate(file, 0)),
            Lengthen => done(ftruncate(file, offset(BYTES) + 1)),
            AllocateBeyondTheEnd => done(fallocate(file, Allocate::empty(), 0, offset(BYTES) + 1)),
            OpenTruncating => done(reopen(file, OFlag::O_RDWR | OFlag::O_TRUNC).map(drop)),
        })
    }

    /// The bytes of the file after the operation, if it is allowed.
    fn after(self) -> Vec<u8> {
        let mut bytes = pattern(BYTES);
        match self {
            Write | Splice | Sendfile | CopyFileRange => bytes[..3].copy_from_slice(b"new"),
            WriteSameBytes => {}
            Pwritev => bytes[5..8].copy_from_slice(b"new"),
            WriteAtTheEnd | WriteInAppendMode => bytes.extend_from_slice(b"new"),
            PunchHole => bytes[10..15].fill(0),
            TruncateByOneByte => bytes.truncate(BYTES - 1),
            TruncateToZero | OpenTruncating => bytes.clear(),
            Lengthen | AllocateBeyondTheEnd => bytes.push(0),
        }
        bytes
    }
}

/// `write`, `pwrite`, `pwritev`, `splice`, `sendfile`, `copy_file_range` and `fallocate` with `FALLOC_FL_PUNCH_HOLE` fail with
/// `EPERM` exactly if the file has `F_SEAL_WRITE` or `F_SEAL_FUTURE_WRITE`, or if the call would enlarge a file with
/// `F_SEAL_GROW`. `ftruncate` and `fallocate` with mode 0 that enlarge the file fail with `EPERM` exactly if the file has
/// `F_SEAL_GROW`, and `ftruncate` to a smaller size and `open` with `O_TRUNC` exactly if it has `F_SEAL_SHRINK`. A call that
/// fails leaves bytes, file offset and seals as they were.
#[rstest]
#[case::no_seals(UNSEALED, &[])]
#[case::f_seal_seal(SEAL, &[])]
#[case::f_seal_shrink(SHRINK, &[TruncateByOneByte, TruncateToZero, OpenTruncating])]
#[case::f_seal_grow(GROW, &[WriteAtTheEnd, WriteInAppendMode, Lengthen, AllocateBeyondTheEnd])]
#[case::f_seal_write(
    WRITE,
    &[Write, WriteSameBytes, Pwritev, WriteAtTheEnd, WriteInAppendMode, Splice, Sendfile, CopyFileRange, PunchHole]
)]
#[case::f_seal_future_write(
    SEAL_FUTURE_WRITE,
    &[Write, WriteSameBytes, Pwritev, WriteAtTheEnd, WriteInAppendMode, Splice, Sendfile, CopyFileRange, PunchHole]
)]
#[case::all_seals(SHRINK.union(GROW).union(WRITE).union(SEAL), &Change::ALL)]
#[conformance::test(man = "fcntl(2)", man = "memfd_create(2)", needs(procfs))]
fn forbid_exactly_their_operations(#[case] added: Seals, #[case] forbidden: &[Change]) -> Outcome {
    for change in Change::ALL {
        let file = holding(&pattern(BYTES))?;
        match add_seals(&file, added) {
            Err(EINVAL) if added == SEAL_FUTURE_WRITE => unsupported!("F_SEAL_FUTURE_WRITE", EINVAL),
            result => expect_eq!(result, Ok(())),
        }
        let made = change.make(&file)?;
        if forbidden.contains(&change) {
            expect_eq!((made, content(&file)), (Err(EPERM), Ok(pattern(BYTES))), "{change:?}");
            expect_eq!((seals(&file), lseek(&file, 0, Whence::SeekCur)), (Ok(added), Ok(0)), "{change:?}");
        } else {
            expect_matches!(made, Ok(_));
            expect_eq!((content(&file), seals(&file)), (Ok(change.after()), Ok(added)), "{change:?}");
        }
    }
    Ok(())
}

/// On a file with `F_SEAL_SHRINK`, `F_SEAL_GROW` and `F_SEAL_WRITE`, `write` of 0 bytes and `ftruncate` to the current size
/// return 0. `read` returns all bytes of the file.
#[conformance::test(man = "fcntl(2)")]
fn allow_calls_that_change_nothing() -> Outcome {
    let file = holding(&pattern(BYTES))?;
    add_seals(&file, SHRINK | GROW | WRITE)?;
    expect_eq!((write(&file, b""), ftruncate(&file, offset(BYTES))), (Ok(0), Ok(())));
    expect_eq!((read_some(&file, 200), content(&file)), (Ok(pattern(BYTES)), Ok(pattern(BYTES))));
    Ok(())
}

/// On a file with `F_SEAL_GROW`, `pwrite` inside one page that ends at or before the end of the file returns the full count.
/// `pwrite` that ends beyond the end of the file fails with `EPERM` and leaves the bytes as they were.
#[conformance::test(man = "fcntl(2)")]
fn grow_allows_writes_up_to_the_end() -> Outcome {
    property(&(1..3000_usize, 0..3000_usize, 1..64_usize), |(length, at, count)| {
        let file = holding(&pattern(length))?;
        add_seals(&file, GROW)?;
        let bytes = vec![0xee; count];
        let written = pwrite(&file, &bytes, offset(at));
        let mut expected = pattern(length);
        if at + count <= length {
            expected[at..at + count].copy_from_slice(&bytes);
            expect_eq!(written, Ok(count));
        } else {
            expect_eq!(written, Err(EPERM));
        }
        expect_eq!(content(&file), Ok(expected));
        Ok(())
    })
}

/// On a file of two pages and 5 bytes with `F_SEAL_GROW`, `pwrite` of three pages at offset 10 fails with `EPERM`, or returns a
/// count that ends at or before the end of the file; both are accepted. The size stays as it was, and only the counted bytes
/// change.
#[conformance::test(man = "fcntl(2)")]
fn grow_stops_a_crossing_write_at_the_end() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(2 * page + 5))?;
    add_seals(&file, GROW)?;
    let written = pwrite(&file, &vec![0xee; 3 * page], 10);
    let moved = match written {
        Err(EPERM) => 0,
        Ok(count) if count <= 2 * page - 5 => count,
        other => {
            return Err(conformance::outcome::mismatch("written", "to end before the end of the file", &other, &"EPERM or less"));
        }
    };
    let mut expected = pattern(2 * page + 5);
    expected[10..10 + moved].fill(0xee);
    expect_eq!(content(&file), Ok(expected));
    Ok(())
}

/// On a file with `F_SEAL_SHRINK`, `ftruncate` to a greater size returns 0. Afterwards `ftruncate` to less than the new size
/// fails with `EPERM`.
#[conformance::test(man = "fcntl(2)")]
fn shrink_applies_to_each_new_size() -> Outcome {
    let file = holding(&pattern(BYTES))?;
    add_seals(&file, SHRINK)?;
    let sizes = [BYTES - 1, BYTES, BYTES + 7, BYTES + 6, BYTES + 7, 0].map(|size| ftruncate(&file, offset(size)));
    expect_eq!(sizes, [Err(EPERM), Ok(()), Ok(()), Err(EPERM), Ok(()), Err(EPERM)]);
    expect_eq!(content(&file), Ok([pattern(BYTES), vec![0; 7]].concat()));
    Ok(())
}

/// While another process calls `pwrite` in a loop, `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE` returns 0, and the first `pwrite`
/// after it fails with `EPERM`. The file contains the bytes of the last `pwrite` that returned its count.
#[conformance::test(man = "fcntl(2)")]
fn write_seal_stops_a_concurrent_writer() -> Outcome {
    let file = holding(&[0; 4])?;
    let writer = Participant::spawn("writer", dup(&file)?, |file, link| {
        for round in 1_u32.. {
            match pwrite(&file, &round.to_ne_bytes(), 0) {
                Ok(4) if round == 100 => link.reached("writing"),
                // Not a wait: the writes continue at full speed, and the other process gets its turn on one processor.
                Ok(4) => std::thread::yield_now(),
                other => return (round - 1, other),
            }
        }
        unreachable!("the seal comes sooner")
    })?;
    writer.until_reached("writing")?;
    expect_eq!(add_seals(&file, WRITE), Ok(()));
    let sealed = content(&file)?;
    let (last, end) = writer.join()?;
    expect_eq!((end, last.to_ne_bytes().to_vec()), (Err(EPERM), sealed.clone()));
    expect_eq!(content(&file), Ok(sealed));
    Ok(())
}

/// `fallocate` with mode 0 inside a file with `F_SEAL_WRITE`, `F_SEAL_GROW` and `F_SEAL_SHRINK`, and with `FALLOC_FL_KEEP_SIZE`
/// beyond its end, returns 0 or fails with any error; the results are recorded. The bytes of the file stay as they were.
#[conformance::test(man = "fcntl(2)", level = observed)]
fn write_seal_may_allow_fallocate() -> Outcome {
    let file = holding(&pattern(BYTES))?;
    add_seals(&file, WRITE | GROW | SHRINK)?;
    let inside = fallocate(&file, Allocate::empty(), 0, offset(BYTES));
    observe!("memfd.fallocate-inside-sealed-file", format!("{inside:?}"));
    let beyond = fallocate(&file, Allocate::FALLOC_FL_KEEP_SIZE, offset(BYTES), 10);
    observe!("memfd.fallocate-beyond-sealed-file", format!("{beyond:?}"));
    expect_eq!(content(&file), Ok(pattern(BYTES)));
    Ok(())
}

/// After `splice` of 10 bytes from a memory file into a pipe, `write` to the pipe appends after these bytes, and the bytes of the
/// file stay as they were. After all bytes are read from the pipe, `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE` returns 0.
#[rstest]
#[case::data(false)]
#[case::hole(true)]
#[conformance::test(man = "fcntl(2)", man = "splice(2)", fixed_in = "Linux 5.16.11 (9d2231c5d74e)")]
fn write_to_a_pipe_leaves_spliced_pages(#[case] hole: bool) -> Outcome {
    let file = if hole { common::memory_file::sparse(1, &[])? } else { holding(&pattern(page_size()))? };
    let original = content(&file)?;
    let (reader, writer) = pipe()?;
    // Every buffer of the pipe has been used before, with a page to which `write` may append.
    let full = fill(&writer)?;
    read_exactly(&reader, full)?;
    let mut from = 0;
    expect_eq!(splice_at((&file, Some(&mut from)), (&writer, None), 10, SpliceFlags::empty()), Ok(10));
    expect_eq!(write(&writer, b"written"), Ok(7));
    expect_eq!((read_exactly(&reader, 17), content(&file)), (Ok([&original[..10], b"written"].concat()), Ok(original.clone())));
    expect_eq!((add_seals(&file, WRITE), content(&file)), (Ok(()), Ok(original)));
    Ok(())
}
