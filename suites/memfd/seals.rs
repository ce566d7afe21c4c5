//! Seals: promises about a memory file that are made once, hold for everybody, and are never taken back. Here: what each forbids.

use std::io::IoSlice;

use conformance::prelude::*;
use conformance::sys::fd::io::pwritev;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate};
use conformance::sys::memory::memfd::{SEAL_FUTURE_WRITE, Seals, add_seals, seals};
use conformance::sys::path::open::reopen;
use nix::unistd::Whence;
use rstest::rstest;

use common::memory_file::{UNSEALED, content, holding, offset};

const SEAL: Seals = Seals::F_SEAL_SEAL;
const SHRINK: Seals = Seals::F_SEAL_SHRINK;
const GROW: Seals = Seals::F_SEAL_GROW;
const WRITE: Seals = Seals::F_SEAL_WRITE;

/// Something that is done to a file of 100 bytes, each of which changes it in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Write,
    WriteBytesThatAreThere,
    WriteVector,
    Append,
    WriteInAppendMode,
    SpliceIn,
    SendIn,
    CopyIn,
    Punch,
    CutShort,
    CutToNothing,
    Lengthen,
    AllocateBehindTheEnd,
    OpenTruncating,
}

use Change::{
    AllocateBehindTheEnd, Append, CopyIn, CutShort, CutToNothing, Lengthen, OpenTruncating, Punch, SendIn, SpliceIn, Write,
    WriteBytesThatAreThere, WriteInAppendMode, WriteVector,
};

const BYTES: usize = 100;

impl Change {
    const ALL: [Change; 14] = [
        Write,
        WriteBytesThatAreThere,
        WriteVector,
        Append,
        WriteInAppendMode,
        SpliceIn,
        SendIn,
        CopyIn,
        Punch,
        CutShort,
        CutToNothing,
        Lengthen,
        AllocateBehindTheEnd,
        OpenTruncating,
    ];

    /// Does it: what the call says.
    fn make(self, file: &OwnedFd) -> Result<Result<usize, Errno>, Failure> {
        let done = |result: Result<(), Errno>| result.map(|()| 0);
        Ok(match self {
            Write => write(file, b"new"),
            WriteBytesThatAreThere => pwrite(file, &pattern(3), 0),
            WriteVector => pwritev(file, &[IoSlice::new(b"n"), IoSlice::new(b"ew")], 5),
            Append => pwrite(file, b"new", offset(BYTES)),
            WriteInAppendMode => {
                set_status_flags(file, OFlag::O_APPEND)?;
                let written = write(file, b"new");
                set_status_flags(file, OFlag::empty())?;
                lseek(file, 0, Whence::SeekSet)?;
                written
            }
            SpliceIn => {
                let (reader, writer) = pipe()?;
                write_all(&writer, b"new")?;
                let moved = splice(&reader, file, 3, SpliceFlags::empty());
                // What was not moved is still in the pipe.
                assert_eq!(unread(&reader)?, 3 - moved.unwrap_or(0));
                moved
            }
            SendIn => sendfile(file, holding(b"new")?, None, 3),
            CopyIn => copy_file_range(holding(b"new")?, file, 3),
            Punch => done(fallocate(file, PUNCH, 10, 5)),
            CutShort => done(ftruncate(file, offset(BYTES) - 1)),
            CutToNothing => done(ftruncate(file, 0)),
            Lengthen => done(ftruncate(file, offset(BYTES) + 1)),
            AllocateBehindTheEnd => done(fallocate(file, Allocate::empty(), 0, offset(BYTES) + 1)),
            OpenTruncating => done(reopen(file, OFlag::O_RDWR | OFlag::O_TRUNC).map(drop)),
        })
    }

    /// The content afterwards, where it is allowed.
    fn after(self) -> Vec<u8> {
        let mut bytes = pattern(BYTES);
        match self {
            Write | SpliceIn | SendIn | CopyIn => bytes[..3].copy_from_slice(b"new"),
            WriteBytesThatAreThere => {}
            WriteVector => bytes[5..8].copy_from_slice(b"new"),
            Append | WriteInAppendMode => bytes.extend_from_slice(b"new"),
            Punch => bytes[10..15].fill(0),
            CutShort => bytes.truncate(BYTES - 1),
            CutToNothing | OpenTruncating => bytes.clear(),
            Lengthen | AllocateBehindTheEnd => bytes.push(0),
        }
        bytes
    }
}

/// What a seal forbids fails with `EPERM` and leaves bytes, size, position and seals as they were; what it does not forbid is done.
#[rstest]
#[case::without_seals(UNSEALED, &[])]
#[case::further_seals(SEAL, &[])]
#[case::shrinking(SHRINK, &[CutShort, CutToNothing, OpenTruncating])]
#[case::growing(GROW, &[Append, WriteInAppendMode, Lengthen, AllocateBehindTheEnd])]
#[case::writing(
    WRITE,
    &[Write, WriteBytesThatAreThere, WriteVector, Append, WriteInAppendMode, SpliceIn, SendIn, CopyIn, Punch]
)]
#[case::writing_from_now_on(
    SEAL_FUTURE_WRITE,
    &[Write, WriteBytesThatAreThere, WriteVector, Append, WriteInAppendMode, SpliceIn, SendIn, CopyIn, Punch]
)]
#[case::everything(SHRINK.union(GROW).union(WRITE).union(SEAL), &Change::ALL)]
#[conformance::test(man = "fcntl(2)", man = "memfd_create(2)", needs(procfs))]
fn forbid_exactly(#[case] added: Seals, #[case] forbidden: &[Change]) -> Outcome {
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

/// Changes that change nothing are allowed: a write of no bytes, and the size that a file has already.
#[conformance::test(man = "fcntl(2)")]
fn allow_what_changes_nothing() -> Outcome {
    let file = holding(&pattern(BYTES))?;
    add_seals(&file, SHRINK | GROW | WRITE)?;
    expect_eq!((write(&file, b""), ftruncate(&file, offset(BYTES))), (Ok(0), Ok(())));
    expect_eq!((read_some(&file, 200), content(&file)), (Ok(pattern(BYTES)), Ok(pattern(BYTES))));
    Ok(())
}

/// A file that must not grow takes writes that end at its end, to the byte, and none that end behind it.
#[conformance::test(man = "fcntl(2)")]
fn against_growing_let_writes_up_to_the_end() -> Outcome {
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

/// A write over many pages that crosses the end of a file that must not grow is cut at the end at the latest, or refused.
#[conformance::test(man = "fcntl(2)")]
fn against_growing_cut_no_byte_behind_the_end() -> Outcome {
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

/// A file that must not shrink can grow, and from then on must not shrink below the new size.
#[conformance::test(man = "fcntl(2)")]
fn against_shrinking_hold_at_every_size() -> Outcome {
    let file = holding(&pattern(BYTES))?;
    add_seals(&file, SHRINK)?;
    let sizes = [BYTES - 1, BYTES, BYTES + 7, BYTES + 6, BYTES + 7, 0].map(|size| ftruncate(&file, offset(size)));
    expect_eq!(sizes, [Err(EPERM), Ok(()), Ok(()), Err(EPERM), Ok(()), Err(EPERM)]);
    expect_eq!(content(&file), Ok([pattern(BYTES), vec![0; 7]].concat()));
    Ok(())
}

/// From the moment at which the seal against writing is there, no byte changes, whoever is writing at that time.
#[conformance::test(man = "fcntl(2)")]
fn against_writing_end_a_stream_of_writes() -> Outcome {
    let file = holding(&[0; 4])?;
    let writer = Participant::spawn("writer", dup(&file)?, |file, link| {
        for round in 1_u32.. {
            match pwrite(&file, &round.to_ne_bytes(), 0) {
                Ok(4) if round == 100 => link.reached("writing"),
                // On one processor the other side has to get its turn.
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

/// Space inside a sealed file may still be allocated: no byte changes.
#[conformance::test(man = "fcntl(2)", level = observed)]
fn against_writing_leave_allocation_without_effect() -> Outcome {
    let file = holding(&pattern(BYTES))?;
    add_seals(&file, WRITE | GROW | SHRINK)?;
    let inside = fallocate(&file, Allocate::empty(), 0, offset(BYTES));
    observe!("posix_shm.allocation-in-a-sealed-file", format!("{inside:?}"));
    let behind = fallocate(&file, Allocate::FALLOC_FL_KEEP_SIZE, offset(BYTES), 10);
    observe!("posix_shm.allocation-behind-a-sealed-file", format!("{behind:?}"));
    expect_eq!(content(&file), Ok(pattern(BYTES)));
    Ok(())
}

/// What is written to a pipe that holds pages of a sealed file goes behind those pages, and never into them.
#[rstest]
#[case::data(false)]
#[case::a_hole(true)]
#[conformance::test(man = "fcntl(2)", man = "splice(2)", fixed_in = "Linux 5.16.11 (9d2231c5d74e)")]
fn against_writing_hold_for_pages_in_a_pipe(#[case] hole: bool) -> Outcome {
    let file = if hole { common::memory_file::sparse(1, &[])? } else { holding(&pattern(page_size()))? };
    let original = content(&file)?;
    let (reader, writer) = pipe()?;
    // Each place of the pipe has held bytes before to which more could be added.
    let full = fill(&writer)?;
    read_exactly(&reader, full)?;
    let mut from = 0;
    expect_eq!(splice_at((&file, Some(&mut from)), (&writer, None), 10, SpliceFlags::empty()), Ok(10));
    expect_eq!(write(&writer, b"written"), Ok(7));
    expect_eq!((read_exactly(&reader, 17), content(&file)), (Ok([&original[..10], b"written"].concat()), Ok(original.clone())));
    expect_eq!((add_seals(&file, WRITE), content(&file)), (Ok(()), Ok(original)));
    Ok(())
}
