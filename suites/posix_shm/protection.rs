//! Protection of mappings: what the access mode of the descriptor allows `mmap` and `mprotect`, and the signal for a forbidden
//! access.

use conformance::prelude::*;
use conformance::sys::memory::mapping::{self, Faults, SEGV_ACCERR, SEGV_MAPERR};
use conformance::sys::memory::region::{MapFlags, ProtFlags, Region};
use conformance::sys::memory::shm::{SharedMemory, shm_open};
use rstest::rstest;

use super::fixture::{PRIVATE, R, RW, SHARED, contents, pages};

/// `PROT_WRITE`.
const W: ProtFlags = ProtFlags::PROT_WRITE;

/// `PROT_NONE`.
const NONE: ProtFlags = ProtFlags::PROT_NONE;

/// On a descriptor opened with `O_RDONLY`, `mmap` with `MAP_SHARED` and `PROT_WRITE` fails with `EACCES`, and `mmap` with
/// `MAP_SHARED` and `PROT_READ` or `PROT_NONE`, or with `MAP_PRIVATE` and `PROT_WRITE`, returns a mapping. On a descriptor opened
/// with `O_RDWR`, `mmap` with each of these arguments returns a mapping.
#[rstest]
#[case::rdonly_shared_read(OFlag::O_RDONLY, R, SHARED, Ok(()))]
#[case::rdonly_shared_none(OFlag::O_RDONLY, NONE, SHARED, Ok(()))]
#[case::rdonly_shared_read_write(OFlag::O_RDONLY, RW, SHARED, Err(EACCES))]
#[case::rdonly_shared_write(OFlag::O_RDONLY, W, SHARED, Err(EACCES))]
#[case::rdonly_private_read_write(OFlag::O_RDONLY, RW, PRIVATE, Ok(()))]
#[case::rdwr_shared_read(OFlag::O_RDWR, R, SHARED, Ok(()))]
#[case::rdwr_shared_read_write(OFlag::O_RDWR, RW, SHARED, Ok(()))]
#[case::rdwr_shared_write(OFlag::O_RDWR, W, SHARED, Ok(()))]
#[case::rdwr_private_read_write(OFlag::O_RDWR, RW, PRIVATE, Ok(()))]
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn mmap_is_bounded_by_the_access_mode(
    #[case] flags: OFlag,
    #[case] protection: ProtFlags,
    #[case] kind: MapFlags,
    #[case] expected: Result<(), Errno>,
) -> Outcome {
    let object = pages(1)?;
    let opened = shm_open(object.name(), flags, 0)?;
    expect_eq!(Region::map(&opened, page_size(), protection, kind, 0).map(drop), expected);
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// `mmap` with `MAP_SHARED` or `MAP_PRIVATE` on a descriptor opened with `O_WRONLY` fails with `EACCES` for `PROT_READ`,
/// `PROT_WRITE` and `PROT_NONE`.
#[cfg(linux)]
#[rstest]
#[case::prot_write(W)]
#[case::prot_read(R)]
#[case::prot_none(NONE)]
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn mmap_rejects_write_only_descriptors(#[case] protection: ProtFlags) -> Outcome {
    let object = pages(1)?;
    let writer = shm_open(object.name(), OFlag::O_WRONLY, 0)?;
    let seen = [SHARED, PRIVATE].map(|kind| Region::map(&writer, page_size(), protection, kind, 0).map(drop));
    expect_eq!(seen, [Err(EACCES); 2]);
    Ok(())
}

/// `mprotect` with `PROT_WRITE` on a `MAP_SHARED` mapping of a descriptor opened with `O_RDONLY` fails with `EACCES`, also after
/// `close` of the descriptor. On a `MAP_PRIVATE` mapping of the same descriptor, `mprotect` with `PROT_READ | PROT_WRITE`
/// returns 0.
#[conformance::test(posix = "mprotect", man = "mprotect(2)")]
fn mprotect_is_bounded_by_the_access_mode() -> Outcome {
    let object = pages(1)?;
    let reader = shm_open(object.name(), OFlag::O_RDONLY, 0)?;
    let (shared, private) = (Region::map(&reader, page_size(), R, SHARED, 0)?, Region::map(&reader, page_size(), R, PRIVATE, 0)?);
    drop(reader);
    expect_eq!((shared.protect(0, page_size(), RW), shared.protect(0, page_size(), W)), (Err(EACCES), Err(EACCES)));
    expect_eq!(shared.read(0, page_size()), pattern(page_size()));
    expect_eq!(private.protect(0, page_size(), RW), Ok(()));
    private.write(0, b"mine");
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// `mprotect` with `PROT_READ | PROT_WRITE` on a `MAP_SHARED` mapping made with `PROT_NONE` of a descriptor opened with `O_RDWR`
/// returns 0, also after `close` of the descriptor. A store through the mapping then changes the object.
#[conformance::test(posix = "mprotect", man = "mprotect(2)")]
fn mprotect_allows_the_access_mode() -> Outcome {
    let object = pages(1)?;
    let region = {
        let opened = shm_open(object.name(), OFlag::O_RDWR, 0)?;
        Region::map(&opened, page_size(), NONE, SHARED, 0)?
    };
    expect_eq!(region.protect(0, page_size(), RW), Ok(()));
    region.write(0, b"stored");
    expect_eq!((region.protect(0, page_size(), R), contents(&object)?[..6].to_vec()), (Ok(()), b"stored".to_vec()));
    Ok(())
}

/// Runs `using` in a process that survives `SIGSEGV`, and returns the signals received.
fn signals_of(region: &Region, using: impl Fn(&Region)) -> Result<Faults, Failure> {
    let user = Participant::spawn("owner of the mapping", (), |(), _| {
        region.outlive(Signal::SIGSEGV)?;
        using(region);
        Ok::<_, Errno>(mapping::faults())
    })?;
    Ok(user.join()??)
}

/// A store into a `PROT_READ` or `PROT_NONE` mapping, or a load from a `PROT_NONE` mapping, raises one `SIGSEGV` with
/// `SEGV_ACCERR` and the address of the access. The bytes of the shared memory object stay as they were.
#[rstest]
#[case::store_into_prot_read(R, true)]
#[case::store_into_prot_none(NONE, true)]
#[case::load_from_prot_none(NONE, false)]
#[conformance::test(posix = "mmap", man = "sigaction(2)")]
fn forbidden_access_raises_sigsegv(#[case] protection: ProtFlags, #[case] store: bool) -> Outcome {
    let object = pages(2)?;
    let region = Region::map(&object, 2 * page_size(), protection, SHARED, 0)?;
    let at = page_size() + 33;
    let faults = signals_of(&region, |region| {
        if store {
            region.write(at, b"!");
        } else {
            region.read(at, 1);
        }
    })?;
    expect_eq!(faults, Faults { count: 1, code: SEGV_ACCERR, offset: at });
    expect_eq!(contents(&object), Ok(pattern(2 * page_size())));
    Ok(())
}

/// A process without a `SIGSEGV` handler is killed by `SIGSEGV` when it stores into a `PROT_READ` mapping of a shared memory
/// object. The bytes of the object stay as they were.
#[conformance::test(posix = "mmap", man = "signal(7)")]
fn sigsegv_without_handler_kills() -> Outcome {
    let object = pages(1)?;
    let mapping = object.map(page_size(), Access::Read)?;
    let writer = Participant::spawn("writer", (), |(), _| mapping.write(0, b"!"))?;
    expect_eq!(writer.end()?, End::Killed(Signal::SIGSEGV));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// `read` from a pipe into a `PROT_READ` mapping fails with `EFAULT`. The number of unread bytes in the pipe and the bytes of the
/// shared memory object stay as they were.
#[conformance::test(man = "read(2)")]
fn read_into_a_read_only_mapping_fails() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), R, SHARED, 0)?;
    let (reader, writer) = pipe()?;
    write_all(&writer, b"kept")?;
    expect_eq!((region.read_in(0, 4, &reader), unread(&reader)), (Err(EFAULT), Ok(4)));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// After `mprotect` with `PROT_READ` on the middle page of a mapping, a store into this page raises `SIGSEGV` with `SEGV_ACCERR`,
/// and stores into the neighbouring pages change the object. After `mprotect` with `PROT_READ | PROT_WRITE` on the middle page, a
/// store into this page changes the object.
#[conformance::test(posix = "mprotect", man = "mprotect(2)")]
fn mprotect_changes_only_its_page() -> Outcome {
    let object = pages(3)?;
    let page = page_size();
    let region = Region::map(&object, 3 * page, RW, SHARED, 0)?;
    expect_eq!(region.protect(page, page, R), Ok(()));
    region.write(page - 1, b"<");
    region.write(2 * page, b">");
    let faults = signals_of(&region, |region| region.write(page, b"!"))?;
    expect_eq!(faults, Faults { count: 1, code: SEGV_ACCERR, offset: page });
    let faults = signals_of(&region, |region| region.write(2 * page - 1, b"!"))?;
    expect_eq!(faults, Faults { count: 1, code: SEGV_ACCERR, offset: 2 * page - 1 });
    expect_eq!(region.protect(page, page, RW), Ok(()));
    region.write(page, b"[");
    let mut expected = pattern(3 * page);
    (expected[page - 1], expected[page], expected[2 * page]) = (b'<', b'[', b'>');
    expect_eq!(contents(&object), Ok(expected));
    Ok(())
}

/// `mprotect` fails with `ENOMEM` if the range contains an unmapped page, and with `EINVAL` if the address is not a multiple of
/// the page size.
#[conformance::test(posix = "mprotect", man = "mprotect(2)", level = documented)]
fn mprotect_rejects_unmapped_and_unaligned_ranges() -> Outcome {
    let object = pages(2)?;
    let region = Region::map(&object, 2 * page_size(), RW, SHARED, 0)?;
    region.unmap(page_size(), page_size())?;
    expect_eq!((region.protect(0, 2 * page_size(), R), region.protect(1, 1, R)), (Err(ENOMEM), Err(EINVAL)));
    Ok(())
}

/// After a child calls `mprotect` with `PROT_READ` on an inherited mapping, a store by the child raises `SIGSEGV`. A store by the
/// parent into the same page raises no signal and is read by the child.
#[conformance::test(posix = "mprotect", posix = "fork")]
fn mprotect_in_the_child_leaves_the_parent() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, SHARED, 0)?;
    let child = Participant::spawn("child", (), |(), link| {
        region.protect(0, page_size(), R)?;
        link.meet("protected");
        region.outlive(Signal::SIGSEGV)?;
        let seen = region.read(0, 6);
        region.write(0, b"!");
        Ok::<_, Errno>((seen, mapping::faults().count))
    })?;
    child.until_reached("protected")?;
    region.write(0, b"parent");
    child.open("protected")?;
    expect_eq!((child.join()?, region.read(0, 6)), (Ok((b"parent".to_vec(), 1)), b"parent".to_vec()));
    Ok(())
}

/// A load from a page that was unmapped with `munmap` raises one `SIGSEGV` with `SEGV_MAPERR` and the address of the load.
#[conformance::test(posix = "munmap", man = "sigaction(2)")]
fn access_to_an_unmapped_page_raises_sigsegv() -> Outcome {
    let object = pages(3)?;
    let region = Region::map(&object, 3 * page_size(), RW, SHARED, 0)?;
    let user = Participant::spawn("owner of the mapping", (), |(), _| {
        region.unmap(page_size(), page_size())?;
        region.outlive(Signal::SIGSEGV)?;
        region.read(page_size() + 5, 1);
        Ok::<_, Errno>(mapping::faults())
    })?;
    expect_eq!(user.join()?, Ok(Faults { count: 1, code: SEGV_MAPERR, offset: page_size() + 5 }));
    Ok(())
}

/// A `PROT_READ` shared mapping of a descriptor opened with `O_RDONLY` shows the bytes that an unrelated process stores later
/// through a writable mapping.
#[conformance::test(posix = "mmap")]
fn read_only_mapping_shows_stores_of_others() -> Outcome {
    let object = pages(1)?;
    let reader = SharedMemory::open(object.name(), Access::Read)?.map(page_size(), Access::Read)?;
    expect_eq!(reader.read(0, 3), pattern(3));
    let name = object.name().to_owned();
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, _| {
        let mapping = SharedMemory::open(&name, Access::ReadWrite)?.map(page_size(), Access::ReadWrite)?;
        mapping.write(0, b"new");
        Ok::<_, Errno>(())
    })?;
    expect_eq!((unrelated.join()?, reader.read(0, 3)), (Ok(()), b"new".to_vec()));
    Ok(())
}
