//! Seals and mappings: writable shared mappings make `F_ADD_SEALS` with `F_SEAL_WRITE` fail, and sealed files cannot be mapped
//! writable and shared.

use conformance::prelude::*;
use conformance::sys::fd::size::{PUNCH, fallocate};
use conformance::sys::memory::memfd::{SEAL_FUTURE_WRITE, Seals, add_seals, seals};
use conformance::sys::path::open::reopen;
use rstest::rstest;

use common::memory_file::{UNSEALED, content, holding, size};

const WRITE: Seals = Seals::F_SEAL_WRITE;
const BUSY: Result<(), Errno> = Err(EBUSY);

/// A file of one page that contains the pattern.
fn page() -> Result<OwnedFd, Failure> {
    holding(&pattern(page_size()))
}

fn shared(file: &OwnedFd, access: Access) -> Result<Mapping, Errno> {
    Mapping::new(file, page_size(), access)
}

/// Adds `F_SEAL_FUTURE_WRITE`.
fn add_future_write_seal(file: &OwnedFd) -> Outcome {
    match add_seals(file, SEAL_FUTURE_WRITE) {
        Err(EINVAL) => unsupported!("F_SEAL_FUTURE_WRITE", EINVAL),
        other => Ok(other?),
    }
}

/// While a `MAP_SHARED` mapping with `PROT_WRITE` of the file exists, `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE | F_SEAL_GROW`
/// fails with `EBUSY` and adds neither seal. After `munmap`, `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE` returns 0.
#[conformance::test(man = "fcntl(2)")]
fn writable_mapping_makes_f_seal_write_fail() -> Outcome {
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

/// `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE` fails with `EBUSY` while three, two or one `MAP_SHARED` mappings with `PROT_WRITE`
/// exist, and returns 0 after `munmap` of the last one. `fcntl(F_ADD_SEALS)` with `F_SEAL_SHRINK` returns 0 while these mappings
/// exist.
#[conformance::test(man = "fcntl(2)")]
fn each_writable_mapping_counts() -> Outcome {
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

/// `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE` fails with `EBUSY` while a `MAP_SHARED` mapping exists that was made with
/// `PROT_WRITE` and changed with `mprotect` to `PROT_READ`. `mprotect` of this mapping with `PROT_READ | PROT_WRITE` then
/// returns 0.
#[conformance::test(man = "fcntl(2)")]
fn mapping_made_read_only_still_counts() -> Outcome {
    let file = page()?;
    let mapping = shared(&file, Access::ReadWrite)?;
    mapping.allow(Access::Read)?;
    expect_eq!(add_seals(&file, WRITE), BUSY);
    expect_eq!(mapping.allow(Access::ReadWrite), Ok(()));
    mapping.write(0, b"x");
    expect_eq!(content(&file)?[0], b'x');
    Ok(())
}

/// How the mapping of another process is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Release {
    Unmap,
    Exit,
    Kill,
}

/// `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE` fails with `EBUSY` while a child has an inherited `MAP_SHARED` mapping with
/// `PROT_WRITE`. After the child has called `munmap`, has exited or was killed, `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE`
/// returns 0.
#[rstest]
#[conformance::test(man = "fcntl(2)")]
fn mapping_of_another_process_counts(#[values(Release::Unmap, Release::Exit, Release::Kill)] release: Release) -> Outcome {
    let file = page()?;
    let mapping = shared(&file, Access::ReadWrite)?;
    let child = Participant::spawn("child", (), |(), link| {
        // The inherited mapping is the only reference of this process to the file.
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
    // The mapping of the parent is unmapped already: it moved into the closure, of which the child has a copy.
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

/// `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE` returns 0 while a `MAP_PRIVATE` mapping with `PROT_WRITE`, and a `MAP_SHARED` mapping
/// of a descriptor opened with `O_RDONLY`, exist. Stores into the `MAP_PRIVATE` mapping leave the bytes of the file as they were.
#[conformance::test(man = "fcntl(2)", man = "mmap(2)", needs(procfs))]
fn private_and_read_only_mappings_do_not_count() -> Outcome {
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

/// `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE`, while a `MAP_SHARED` mapping with `PROT_READ` of a descriptor opened with `O_RDWR`
/// exists, returns 0 or fails with `EBUSY`; both are accepted and recorded. `mprotect` of this mapping with `PROT_READ |
/// PROT_WRITE` then fails with any error if the seal was added, and returns 0 if not.
#[conformance::test(man = "fcntl(2)", level = observed)]
fn read_only_mapping_of_a_writable_descriptor() -> Outcome {
    let file = page()?;
    let reader = shared(&file, Access::Read)?;
    let added = add_seals(&file, WRITE);
    observe!("memfd.f_seal_write-with-read-only-mapping", format!("{added:?}"));
    expect_matches!(added, Ok(()) | BUSY);
    // A sealed file must not become writable through the mapping.
    let allowed = reader.allow(Access::ReadWrite);
    expect_eq!(allowed.is_ok(), added.is_err());
    Ok(())
}

/// On a file with `F_SEAL_WRITE` or `F_SEAL_FUTURE_WRITE`, `mmap` with `MAP_SHARED` and `PROT_WRITE` fails with `EPERM`, and with
/// `MAP_SHARED` or `MAP_PRIVATE` and `PROT_READ` returns a mapping. `mprotect` with `PROT_WRITE` fails with `EACCES` on the
/// `MAP_SHARED` mapping, and returns 0 on the `MAP_PRIVATE` one.
#[rstest]
#[case::f_seal_write(WRITE)]
#[case::f_seal_future_write(SEAL_FUTURE_WRITE)]
#[conformance::test(man = "fcntl(2)", man = "mmap(2)", fixed_in = "Linux 6.13 (8ec396d05d1b)")]
fn sealed_file_allows_only_read_only_or_private(#[case] added: Seals) -> Outcome {
    let file = page()?;
    if added == SEAL_FUTURE_WRITE {
        add_future_write_seal(&file)?;
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

/// After `F_SEAL_FUTURE_WRITE` is added, stores through a `MAP_SHARED` mapping with `PROT_WRITE` that was made before still
/// change the file. `pwrite`, `fallocate` with `FALLOC_FL_PUNCH_HOLE`, and `mmap` of a new `MAP_SHARED` mapping with `PROT_WRITE`
/// fail with `EPERM`.
#[conformance::test(man = "fcntl(2)", fixed_in = "Linux 5.1 (ab3948f58ff8)")]
fn future_write_seal_keeps_existing_mappings() -> Outcome {
    let file = page()?;
    let writer = shared(&file, Access::ReadWrite)?;
    add_future_write_seal(&file)?;
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

/// On a file with `F_SEAL_FUTURE_WRITE`, `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE` fails with `EBUSY` while a `MAP_SHARED` mapping
/// with `PROT_WRITE` exists that was made before `F_SEAL_FUTURE_WRITE` was added. After `munmap`, `fcntl(F_ADD_SEALS)` with
/// `F_SEAL_WRITE` returns 0.
#[conformance::test(man = "fcntl(2)")]
fn existing_mapping_delays_f_seal_write() -> Outcome {
    let file = page()?;
    let writer = shared(&file, Access::ReadWrite)?;
    add_future_write_seal(&file)?;
    expect_eq!((add_seals(&file, WRITE), seals(&file)), (BUSY, Ok(SEAL_FUTURE_WRITE)));
    drop(writer);
    expect_eq!((add_seals(&file, WRITE), seals(&file)), (Ok(()), Ok(WRITE | SEAL_FUTURE_WRITE)));
    Ok(())
}

/// On a file with `F_SEAL_FUTURE_WRITE`, `madvise` with `MADV_REMOVE` on a `MAP_SHARED` mapping with `PROT_WRITE` that was made
/// before the seal was added fails with `EPERM`. The bytes of the file stay as they were.
#[conformance::test(man = "fcntl(2)", man = "madvise(2)")]
fn future_write_seal_forbids_madv_remove() -> Outcome {
    let file = page()?;
    let writer = shared(&file, Access::ReadWrite)?;
    add_future_write_seal(&file)?;
    expect_eq!((writer.remove(0, page_size()), content(&file)), (Err(EPERM), Ok(pattern(page_size()))));
    Ok(())
}

/// On a file with `F_SEAL_SHRINK`, `ftruncate` to a smaller size by another process fails with `EPERM`. Loads from every page of
/// a mapping of the whole file then return its bytes and raise no `SIGBUS`.
#[conformance::test(man = "fcntl(2)", man = "memfd_create(2)")]
fn shrink_seal_prevents_sigbus() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(3 * page))?;
    add_seals(&file, Seals::F_SEAL_SHRINK)?;
    let writer = Participant::spawn("writer", dup(&file)?, move |file, _| {
        [0, page - 1, 2 * page].map(|size| ftruncate(&file, i64::try_from(size).unwrap_or(0))).to_vec()
    })?;
    expect_eq!(writer.join()?, vec![Err(EPERM); 3]);
    let reader = Mapping::new(&file, 3 * page, Access::Read)?;
    expect_eq!((size(&file), reader.read(0, 3 * page)), (Ok(3 * page), pattern(3 * page)));
    Ok(())
}

/// `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE`, while a page of the file is in a pipe after `splice`, returns 0 or fails with
/// `EBUSY`; both are accepted and recorded. After the page is read from the pipe, `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE`
/// returns 0.
#[conformance::test(man = "fcntl(2)", level = observed)]
fn pages_in_a_pipe_may_delay_f_seal_write() -> Outcome {
    let file = page()?;
    let (reader, writer) = pipe()?;
    let mut from = 0;
    splice_at((&file, Some(&mut from)), (&writer, None), page_size(), SpliceFlags::empty())?;
    let added = add_seals(&file, WRITE);
    observe!("memfd.f_seal_write-with-page-in-pipe", format!("{added:?}"));
    expect_matches!(added, Ok(()) | BUSY);
    expect_eq!(seals(&file), Ok(if added.is_ok() { WRITE } else { UNSEALED }));
    // After `EBUSY` the file can still be mapped writable.
    let mapped = shared(&file, Access::ReadWrite).map(drop);
    expect_eq!(mapped, if added.is_ok() { Err(EPERM) } else { Ok(()) });
    expect_eq!(read_exactly(&reader, page_size()), Ok(pattern(page_size())));
    expect_eq!((add_seals(&file, WRITE), seals(&file)), (Ok(()), Ok(WRITE)));
    Ok(())
}

/// After `munmap` of all `MAP_SHARED` and `MAP_PRIVATE` mappings with `PROT_WRITE` of a file, of which one was changed with
/// `mprotect` and inherited by children that have exited, and after `mmap` calls with `MAP_SHARED` and `PROT_WRITE` that failed
/// with `EACCES` on a descriptor opened with `O_RDONLY`, `fcntl(F_ADD_SEALS)` with `F_SEAL_WRITE` returns 0.
#[conformance::test(man = "fcntl(2)")]
fn removed_mappings_do_not_count() -> Outcome {
    let file = page()?;
    let mapping = shared(&file, Access::ReadWrite)?;
    for _ in 0..3 {
        mapping.allow(Access::Read)?;
        mapping.allow(Access::ReadWrite)?;
        // A failed attempt must not change the count of writable mappings.
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

/// After `F_SEAL_FUTURE_WRITE` is added, `mprotect` with `PROT_READ | PROT_WRITE` on a `MAP_SHARED` mapping that was made with
/// `PROT_READ` before returns 0 or fails with `EACCES`. Both results are accepted and recorded.
#[conformance::test(man = "fcntl(2)", level = observed)]
fn read_only_mapping_before_future_write_seal() -> Outcome {
    let file = page()?;
    let mapping = shared(&file, Access::Read)?;
    add_future_write_seal(&file)?;
    let allowed = mapping.allow(Access::ReadWrite);
    observe!("memfd.mprotect-write-after-f_seal_future_write", format!("{allowed:?}"));
    expect_matches!(allowed, Ok(()) | Err(EACCES));
    Ok(())
}

/// While a `MAP_SHARED` mapping with `PROT_WRITE` of a file with execute bits exists, `fcntl(F_ADD_SEALS)` with `F_SEAL_EXEC`
/// fails with `EBUSY` and adds no seal, or returns 0 and adds `F_SEAL_EXEC`, `F_SEAL_SHRINK`, `F_SEAL_GROW`, `F_SEAL_WRITE` and
/// `F_SEAL_FUTURE_WRITE`; both are accepted and recorded. After `munmap`, `fcntl(F_ADD_SEALS)` with `F_SEAL_EXEC` returns 0 and
/// `pwrite` fails with `EPERM`.
#[conformance::test(man = "memfd_create(2)", level = customary)]
fn writable_mapping_of_an_executable() -> Outcome {
    use conformance::sys::memory::memfd::{EXEC, MemoryFlags, SEAL_EXEC};
    let file = common::memory_file::with_flags(EXEC | MemoryFlags::MFD_ALLOW_SEALING)?;
    ftruncate(&file, 10)?;
    let mapping = shared(&file, Access::ReadWrite)?;
    let added = (add_seals(&file, SEAL_EXEC), seals(&file)?);
    observe!("memfd.f_seal_exec-with-writable-mapping", format!("{:?}, {:#x}", added.0, added.1.bits()));
    let all = SEAL_EXEC | Seals::F_SEAL_SHRINK | Seals::F_SEAL_GROW | WRITE | SEAL_FUTURE_WRITE;
    expect!(added == (BUSY, Seals::empty()) || added == (Ok(()), all), "{added:?}");
    drop(mapping);
    expect_eq!((add_seals(&file, SEAL_EXEC), pwrite(&file, b"x", 0)), (Ok(()), Err(EPERM)));
    Ok(())
}

/// `write` to `/proc/self/mem` at the address of a `MAP_SHARED` mapping with `PROT_READ` of a file with `F_SEAL_WRITE` fails with
/// `EIO` and leaves the bytes of the file as they were. At the address of a `MAP_PRIVATE` mapping with `PROT_READ`, `write`
/// returns its count and changes only this mapping, or fails with `EIO`; both are accepted.
#[conformance::test(man = "fcntl(2)", man = "proc(5)", needs(procfs), fixed_in = "Linux 6.13 (8ec396d05d1b)")]
fn proc_mem_cannot_write_a_sealed_file() -> Outcome {
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
