//! Seals and mappings: memory that can be written cannot be sealed, and what is sealed cannot be mapped for writing.

use conformance::prelude::*;
use conformance::sys::fd::size::{PUNCH, fallocate};
use conformance::sys::memory::memfd::{SEAL_FUTURE_WRITE, Seals, add_seals, seals};
use conformance::sys::path::open::reopen;
use rstest::rstest;

use common::memory_file::{UNSEALED, content, holding, size};

const WRITE: Seals = Seals::F_SEAL_WRITE;
const BUSY: Result<(), Errno> = Err(EBUSY);

/// A page that holds the pattern.
fn page() -> Result<OwnedFd, Failure> {
    holding(&pattern(page_size()))
}

fn shared(file: &OwnedFd, access: Access) -> Result<Mapping, Errno> {
    Mapping::new(file, page_size(), access)
}

fn sealed_for_the_future(file: &OwnedFd) -> Outcome {
    match add_seals(file, SEAL_FUTURE_WRITE) {
        Err(EINVAL) => unsupported!("F_SEAL_FUTURE_WRITE", EINVAL),
        other => Ok(other?),
    }
}

/// While somebody has a shared mapping that can be written the seal against writing is refused, and with it every seal of the same
/// call; the mapping stays as it is. Once it is gone the seal can be set.
#[conformance::test(man = "fcntl(2)")]
fn writable_ones_keep_the_seal_away() -> Outcome {
    let file = page()?;
    let mapping = shared(&file, Access::ReadWrite)?;
    for _ in 0..3 {
        expect_eq!((add_seals(&file, WRITE | Seals::F_SEAL_GROW), seals(&file)), (BUSY, Ok(UNSEALED)));
    }
    mapping.write(0, b"still written");
    expect_eq!((pwrite(&file, b"S", 0), mapping.read(0, 5)), (Ok(1), b"Still".to_vec()));
    drop(mapping);
    expect_eq!((add_seals(&file, WRITE), seals(&file)), (Ok(()), Ok(WRITE)));
    expect_eq!((pwrite(&file, b"x", 0), content(&file)?[..5].to_vec()), (Err(EPERM), b"Still".to_vec()));
    Ok(())
}

/// Each mapping counts: the seal is refused up to the last of several, and other seals are not.
#[conformance::test(man = "fcntl(2)")]
fn writable_ones_count_each() -> Outcome {
    let file = page()?;
    let mut mappings = [(); 3].map(|()| shared(&file, Access::ReadWrite)).into_iter().collect::<Result<Vec<_>, _>>()?;
    expect_eq!(add_seals(&file, Seals::F_SEAL_SHRINK), Ok(()));
    while let Some(mapping) = mappings.pop() {
        expect_eq!(add_seals(&file, WRITE), BUSY);
        drop(mapping);
    }
    expect_eq!((add_seals(&file, WRITE), seals(&file)), (Ok(()), Ok(WRITE | Seals::F_SEAL_SHRINK)));
    Ok(())
}

/// A mapping that was made writable and may only be read now can be made writable again, and so still counts.
#[conformance::test(man = "fcntl(2)")]
fn count_while_they_could_become_writable_again() -> Outcome {
    let file = page()?;
    let mapping = shared(&file, Access::ReadWrite)?;
    mapping.allow(Access::Read)?;
    expect_eq!(add_seals(&file, WRITE), BUSY);
    expect_eq!(mapping.allow(Access::ReadWrite), Ok(()));
    mapping.write(0, b"x");
    expect_eq!(content(&file)?[0], b'x');
    Ok(())
}

/// How another process gives up a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Release {
    Unmap,
    Exit,
    Kill,
}

/// A mapping in another process counts like one's own, inherited ones too, until that process unmaps it, exits or is killed.
#[rstest]
#[conformance::test(man = "fcntl(2)")]
fn of_other_processes_count(#[values(Release::Unmap, Release::Exit, Release::Kill)] release: Release) -> Outcome {
    let file = page()?;
    let mapping = shared(&file, Access::ReadWrite)?;
    let child = Participant::spawn("child", (), |(), link| {
        // The mapping, inherited, is all that this process has of the file.
        let inherited = mapping;
        link.meet("inherited");
        if release == Release::Unmap {
            drop(inherited);
            link.meet("unmapped");
        } else {
            std::mem::forget(inherited);
        }
    })?;
    child.until_reached("inherited")?;
    // The parent's own is gone already: it moved into the closure, which a forked process has a copy of.
    expect_eq!(add_seals(&file, WRITE), BUSY);
    match release {
        Release::Unmap => {
            child.open("inherited")?;
            child.until_reached("unmapped")?;
            expect_eq!(add_seals(&file, WRITE), Ok(()));
            child.open("unmapped")?;
            child.join()?;
        }
        Release::Exit => {
            child.open("inherited")?;
            child.join()?;
        }
        Release::Kill => child.kill()?,
    }
    expect_eq!(comes_to(&Ok(()), || add_seals(&file, WRITE)), Ok(()));
    expect_eq!(pwrite(&file, b"x", 0), Err(EPERM));
    Ok(())
}

/// Mappings that can never change the file do not count: private ones, and shared ones made through a descriptor that may only read.
#[conformance::test(man = "fcntl(2)", man = "mmap(2)", needs(procfs))]
fn that_never_change_the_file_do_not_count() -> Outcome {
    let file = page()?;
    let private = Mapping::copy_on_write(&file, page_size(), Access::ReadWrite)?;
    private.write(0, b"private");
    let reader = shared(&reopen(&file, OFlag::O_RDONLY)?, Access::Read)?;
    expect_eq!((add_seals(&file, WRITE), seals(&file)), (Ok(()), Ok(WRITE)));
    private.write(7, b" still");
    expect_eq!((private.read(0, 13), reader.read(0, page_size())), (b"private still".to_vec(), pattern(page_size())));
    expect_eq!(content(&file), Ok(pattern(page_size())));
    Ok(())
}

/// Whether a shared mapping that may only be read, but was made through a descriptor that may write, counts as writable.
#[conformance::test(man = "fcntl(2)", level = observed)]
fn that_are_only_read_may_count() -> Outcome {
    let file = page()?;
    let reader = shared(&file, Access::Read)?;
    let added = add_seals(&file, WRITE);
    observe!("posix_shm.sealing-beside-a-reading-mapping", format!("{added:?}"));
    expect_matches!(added, Ok(()) | BUSY);
    // Either it is sealed, and stays as it is, or it is not.
    let allowed = reader.allow(Access::ReadWrite);
    expect_eq!(allowed.is_ok(), added.is_err());
    Ok(())
}

/// A file that is sealed against writing, at all or from now on, is not mapped shared for writing; privately and for reading it is.
#[rstest]
#[case::writing(WRITE)]
#[case::writing_from_now_on(SEAL_FUTURE_WRITE)]
#[conformance::test(man = "fcntl(2)", man = "mmap(2)", fixed_in = "Linux 6.13 (8ec396d05d1b)")]
fn of_sealed_files_are_read_only_or_private(#[case] added: Seals) -> Outcome {
    let file = page()?;
    if added == SEAL_FUTURE_WRITE {
        sealed_for_the_future(&file)?;
    } else {
        add_seals(&file, added)?;
    }
    expect_eq!(shared(&file, Access::ReadWrite).map(drop), Err(EPERM));
    let reader = shared(&file, Access::Read);
    expect_matches!(reader, Ok(_));
    let reader = reader?;
    expect_eq!((reader.read(0, page_size()), reader.allow(Access::ReadWrite)), (pattern(page_size()), Err(EACCES)));
    expect_eq!(reader.read(0, 10), pattern(10));
    let private = Mapping::copy_on_write(&file, page_size(), Access::Read)?;
    expect_eq!(private.allow(Access::ReadWrite), Ok(()));
    private.write(0, b"private");
    expect_eq!(
        (private.read(0, 7), reader.read(0, 7), content(&file)),
        (b"private".to_vec(), pattern(7), Ok(pattern(page_size())))
    );
    Ok(())
}

/// The seal against writing from now on leaves those that are mapped writable: their writes reach everybody, while no other way
/// of writing is left, to their owner either.
#[conformance::test(man = "fcntl(2)", fixed_in = "Linux 5.1 (ab3948f58ff8)")]
fn from_before_go_on_writing() -> Outcome {
    let file = page()?;
    let writer = shared(&file, Access::ReadWrite)?;
    sealed_for_the_future(&file)?;
    let reader = shared(&file, Access::Read)?;
    writer.write(0, b"from before");
    expect_eq!((reader.read(0, 11), content(&file)?[..11].to_vec()), (b"from before".to_vec(), b"from before".to_vec()));
    expect_eq!((pwrite(&file, b"F", 0), fallocate(&file, PUNCH, 0, 5)), (Err(EPERM), Err(EPERM)));
    expect_eq!(shared(&file, Access::ReadWrite).map(drop), Err(EPERM));
    let child = Participant::spawn("child", (), |(), _| writer.write(5, b"BEFORE"))?;
    child.join()?;
    expect_eq!(reader.read(0, 11), b"from BEFORE".to_vec());
    expect_eq!((reader.allow(Access::ReadWrite), seals(&file)), (Err(EACCES), Ok(SEAL_FUTURE_WRITE)));
    Ok(())
}

/// The strong seal after the weak one waits for the mappings from before.
#[conformance::test(man = "fcntl(2)")]
fn from_before_keep_the_stronger_seal_away() -> Outcome {
    let file = page()?;
    let writer = shared(&file, Access::ReadWrite)?;
    sealed_for_the_future(&file)?;
    expect_eq!((add_seals(&file, WRITE), seals(&file)), (BUSY, Ok(SEAL_FUTURE_WRITE)));
    drop(writer);
    expect_eq!((add_seals(&file, WRITE), seals(&file)), (Ok(()), Ok(WRITE | SEAL_FUTURE_WRITE)));
    Ok(())
}

/// A mapping cannot be used to take pages away from a file that is sealed against writing from now on.
#[conformance::test(man = "fcntl(2)", man = "madvise(2)")]
fn from_before_punch_no_holes() -> Outcome {
    let file = page()?;
    let writer = shared(&file, Access::ReadWrite)?;
    sealed_for_the_future(&file)?;
    expect_eq!((writer.remove(0, page_size()), content(&file)), (Err(EPERM), Ok(pattern(page_size()))));
    Ok(())
}

/// A reader of a file that is sealed against shrinking can touch every page of its mapping, whatever the writer does.
#[conformance::test(man = "fcntl(2)", man = "memfd_create(2)")]
fn are_safe_from_the_signal_once_the_size_is_sealed() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(3 * page))?;
    add_seals(&file, Seals::F_SEAL_SHRINK)?;
    let truncater = Participant::spawn("truncater", dup(&file)?, move |file, _| {
        [0, page - 1, 2 * page].map(|size| ftruncate(&file, i64::try_from(size).unwrap_or(0))).to_vec()
    })?;
    expect_eq!(truncater.join()?, vec![Err(EPERM); 3]);
    let reader = Mapping::new(&file, 3 * page, Access::Read)?;
    expect_eq!((size(&file), reader.read(0, 3 * page)), (Ok(3 * page), pattern(3 * page)));
    Ok(())
}

/// Pages that are on their way through a pipe could still be changed by a device; the seal waits a while for them, is refused, and
/// is granted when they have been read.
#[conformance::test(man = "fcntl(2)", level = observed)]
fn and_pages_in_a_pipe_keep_the_seal_away() -> Outcome {
    let file = page()?;
    let (reader, writer) = pipe()?;
    let mut from = 0;
    splice_at((&file, Some(&mut from)), (&writer, None), page_size(), SpliceFlags::empty())?;
    let added = add_seals(&file, WRITE);
    observe!("posix_shm.sealing-beside-pages-in-a-pipe", format!("{added:?}"));
    expect_matches!(added, Ok(()) | BUSY);
    expect_eq!(seals(&file), Ok(if added.is_ok() { WRITE } else { UNSEALED }));
    // A refusal must not leave the file half sealed: it can be written, and mapped for writing.
    let mapped = shared(&file, Access::ReadWrite).map(drop);
    expect_eq!(mapped, if added.is_ok() { Err(EPERM) } else { Ok(()) });
    expect_eq!(read_exactly(&reader, page_size()), Ok(pattern(page_size())));
    expect_eq!((add_seals(&file, WRITE), seals(&file)), (Ok(()), Ok(WRITE)));
    Ok(())
}

/// Mappings that come and go, in whichever way, leave nothing behind that would keep the seal away.
#[conformance::test(man = "fcntl(2)")]
fn that_are_gone_keep_nothing_away() -> Outcome {
    let file = page()?;
    let mapping = shared(&file, Access::ReadWrite)?;
    for _ in 0..3 {
        mapping.allow(Access::Read)?;
        mapping.allow(Access::ReadWrite)?;
        // Refused after the object has been asked, or before.
        expect_eq!(add_seals(&file, WRITE), BUSY);
        let child = Participant::spawn("child", (), |(), _| mapping.write(0, b"c"))?;
        child.join()?;
        drop(shared(&file, Access::ReadWrite)?);
        drop(Mapping::copy_on_write(&file, page_size(), Access::ReadWrite)?);
    }
    let reader = reopen(&file, OFlag::O_RDONLY)?;
    for _ in 0..3 {
        expect_eq!(shared(&reader, Access::ReadWrite).map(drop), Err(EACCES));
    }
    drop(mapping);
    expect_eq!(comes_to(&Ok(()), || add_seals(&file, WRITE)), Ok(()));
    for _ in 0..3 {
        expect_eq!(shared(&file, Access::ReadWrite).map(drop), Err(EPERM));
    }
    expect_eq!((add_seals(&file, WRITE), seals(&file)), (Ok(()), Ok(WRITE)));
    Ok(())
}

/// Whether a mapping from before the weak seal that was only for reading may be made writable.
#[conformance::test(man = "fcntl(2)", level = observed)]
fn from_before_may_become_writable() -> Outcome {
    let file = page()?;
    let mapping = shared(&file, Access::Read)?;
    sealed_for_the_future(&file)?;
    let allowed = mapping.allow(Access::ReadWrite);
    observe!("posix_shm.reading-mapping-from-before-the-seal-becomes-writable", format!("{allowed:?}"));
    expect_matches!(allowed, Ok(()) | Err(EACCES));
    Ok(())
}

/// A program that somebody has mapped for writing cannot be sealed as a program.
#[conformance::test(man = "memfd_create(2)", level = observed)]
fn of_a_program_keep_its_seal_away() -> Outcome {
    use conformance::sys::memory::memfd::{EXEC, MemoryFlags, SEAL_EXEC};
    let file = common::memory_file::with_flags(EXEC | MemoryFlags::MFD_ALLOW_SEALING)?;
    ftruncate(&file, 10)?;
    let mapping = shared(&file, Access::ReadWrite)?;
    let added = add_seals(&file, SEAL_EXEC);
    observe!("posix_shm.sealing-a-program-that-is-mapped", format!("{added:?}, {:#x}", seals(&file)?.bits()));
    drop(mapping);
    expect_eq!((add_seals(&file, SEAL_EXEC), pwrite(&file, b"x", 0)), (Ok(()), Err(EPERM)));
    Ok(())
}

/// Nor can a sealed file be changed by force through `/proc`, as a debugger changes memory that may only be read; a private mapping
/// can be, which changes nobody else's.
#[conformance::test(man = "fcntl(2)", man = "proc(5)", needs(procfs), fixed_in = "Linux 6.13 (8ec396d05d1b)")]
fn of_sealed_files_withstand_force() -> Outcome {
    let file = page()?;
    add_seals(&file, WRITE)?;
    let mapped = shared(&file, Access::Read);
    expect_matches!(mapped, Ok(_));
    let mapped = mapped?;
    expect_eq!((mapped.write_by_force(3, b"forced"), mapped.read(0, 10)), (Err(EIO), pattern(10)));
    let private = Mapping::copy_on_write(&file, page_size(), Access::Read)?;
    let forced = private.write_by_force(3, b"forced");
    expect_matches!(forced, Ok(6) | Err(EIO));
    expect_eq!(private.read(3, 6) == b"forced", forced.is_ok());
    expect_eq!((mapped.read(0, page_size()), content(&file)), (pattern(page_size()), Ok(pattern(page_size()))));
    Ok(())
}
