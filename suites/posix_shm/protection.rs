//! Protection: what a descriptor's access allows a mapping to be, what `mprotect` makes of it, and what a forbidden access costs.

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

/// A shared mapping may be writable only where the descriptor is; everything else a descriptor for reading allows too.
#[rstest]
#[case::reader_reads(OFlag::O_RDONLY, R, SHARED, Ok(()))]
#[case::reader_does_nothing(OFlag::O_RDONLY, NONE, SHARED, Ok(()))]
#[case::reader_writes(OFlag::O_RDONLY, RW, SHARED, Err(EACCES))]
#[case::reader_writes_only(OFlag::O_RDONLY, W, SHARED, Err(EACCES))]
#[case::reader_writes_in_private(OFlag::O_RDONLY, RW, PRIVATE, Ok(()))]
#[case::owner_reads(OFlag::O_RDWR, R, SHARED, Ok(()))]
#[case::owner_writes(OFlag::O_RDWR, RW, SHARED, Ok(()))]
#[case::owner_writes_only(OFlag::O_RDWR, W, SHARED, Ok(()))]
#[case::owner_writes_in_private(OFlag::O_RDWR, RW, PRIVATE, Ok(()))]
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn is_bounded_by_the_descriptor(
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

/// Who may write only may map nothing: every mapping needs the right to read.
#[cfg(linux)]
#[rstest]
#[case::to_write(W)]
#[case::to_read(R)]
#[case::for_nothing(NONE)]
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn needs_a_descriptor_that_reads(#[case] protection: ProtFlags) -> Outcome {
    let object = pages(1)?;
    let writer = shm_open(object.name(), OFlag::O_WRONLY, 0)?;
    let seen = [SHARED, PRIVATE].map(|kind| Region::map(&writer, page_size(), protection, kind, 0).map(drop));
    expect_eq!(seen, [Err(EACCES); 2]);
    Ok(())
}

/// The shared mapping of a reader cannot be made writable later, and stays as it was; a private one can.
#[conformance::test(posix = "mprotect", man = "mprotect(2)")]
fn is_not_raised_above_the_descriptor() -> Outcome {
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

/// Taken away and given back, the right to write is there again: the descriptor, even closed, counts and not what was mapped first.
#[conformance::test(posix = "mprotect", man = "mprotect(2)")]
fn can_be_raised_to_that_of_the_descriptor() -> Outcome {
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

/// What happens to one that uses a region in a way that its protection forbids, and outlives that.
fn outlived(region: &Region, using: impl Fn(&Region)) -> Result<Faults, Failure> {
    let user = Participant::spawn("user", (), |(), _| {
        region.outlive(Signal::SIGSEGV)?;
        using(region);
        Ok::<_, Errno>(mapping::faults())
    })?;
    Ok(user.join()??)
}

/// A forbidden access is answered by one `SIGSEGV` that says `SEGV_ACCERR` and the address; the object does not change.
#[rstest]
#[case::store_into_what_may_be_read(R, true)]
#[case::store_into_what_may_not_be_used(NONE, true)]
#[case::load_from_what_may_not_be_used(NONE, false)]
#[conformance::test(posix = "mmap", man = "sigaction(2)")]
fn is_defended_by_a_signal(#[case] protection: ProtFlags, #[case] store: bool) -> Outcome {
    let object = pages(2)?;
    let region = Region::map(&object, 2 * page_size(), protection, SHARED, 0)?;
    let at = page_size() + 33;
    let faults = outlived(&region, |region| {
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

/// Without a handler it ends the process.
#[conformance::test(posix = "mmap", man = "signal(7)")]
fn kills_one_that_does_not_catch() -> Outcome {
    let object = pages(1)?;
    let mapping = object.map(page_size(), Access::Read)?;
    let writer = Participant::spawn("writer", (), |(), _| mapping.write(0, b"!"))?;
    expect_eq!(writer.end()?, End::Killed(Signal::SIGSEGV));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// A call that is to write where the mapping may only be read fails with `EFAULT`, and takes nothing.
#[conformance::test(man = "read(2)")]
fn holds_for_calls_too() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), R, SHARED, 0)?;
    let (reader, writer) = pipe()?;
    write_all(&writer, b"kept")?;
    expect_eq!((region.read_in(0, 4, &reader), unread(&reader)), (Err(EFAULT), Ok(4)));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// A page in the midst can be protected alone: its neighbours can be written as before, and so can it once it is given back.
#[conformance::test(posix = "mprotect", man = "mprotect(2)")]
fn can_be_that_of_a_page_in_the_midst() -> Outcome {
    let object = pages(3)?;
    let page = page_size();
    let region = Region::map(&object, 3 * page, RW, SHARED, 0)?;
    expect_eq!(region.protect(page, page, R), Ok(()));
    region.write(page - 1, b"<");
    region.write(2 * page, b">");
    let faults = outlived(&region, |region| region.write(page, b"!"))?;
    expect_eq!(faults, Faults { count: 1, code: SEGV_ACCERR, offset: page });
    let faults = outlived(&region, |region| region.write(2 * page - 1, b"!"))?;
    expect_eq!(faults, Faults { count: 1, code: SEGV_ACCERR, offset: 2 * page - 1 });
    expect_eq!(region.protect(page, page, RW), Ok(()));
    region.write(page, b"[");
    let mut expected = pattern(3 * page);
    (expected[page - 1], expected[page], expected[2 * page]) = (b'<', b'[', b'>');
    expect_eq!(contents(&object), Ok(expected));
    Ok(())
}

/// A change that runs into a hole is refused with `ENOMEM`; one from within a page with `EINVAL`.
#[conformance::test(posix = "mprotect", man = "mprotect(2)")]
fn is_that_of_mapped_pages() -> Outcome {
    let object = pages(2)?;
    let region = Region::map(&object, 2 * page_size(), RW, SHARED, 0)?;
    region.unmap(page_size(), page_size())?;
    expect_eq!((region.protect(0, 2 * page_size(), R), region.protect(1, 1, R)), (Err(ENOMEM), Err(EINVAL)));
    Ok(())
}

/// It is each process's own: what a child forbids itself its parent may still do, on the same pages.
#[conformance::test(posix = "mprotect", posix = "fork")]
fn is_each_processs_own() -> Outcome {
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

/// Where nothing is mapped any more the signal says `SEGV_MAPERR`.
#[conformance::test(posix = "munmap", man = "sigaction(2)")]
fn is_another_thing_than_a_hole() -> Outcome {
    let object = pages(3)?;
    let region = Region::map(&object, 3 * page_size(), RW, SHARED, 0)?;
    let user = Participant::spawn("user", (), |(), _| {
        region.unmap(page_size(), page_size())?;
        region.outlive(Signal::SIGSEGV)?;
        region.read(page_size() + 5, 1);
        Ok::<_, Errno>(mapping::faults())
    })?;
    expect_eq!(user.join()?, Ok(Faults { count: 1, code: SEGV_MAPERR, offset: page_size() + 5 }));
    Ok(())
}

/// A reader's mapping is no copy: it shows what others store later, who may.
#[conformance::test(posix = "mmap")]
fn from_stores_is_none_from_those_of_others() -> Outcome {
    let object = pages(1)?;
    let reader = SharedMemory::open(object.name(), Access::Read)?.map(page_size(), Access::Read)?;
    expect_eq!(reader.read(0, 3), pattern(3));
    let name = object.name().to_owned();
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, _| {
        let mapping = SharedMemory::open(&name, Access::ReadWrite)?.map(page_size(), Access::ReadWrite)?;
        mapping.write(0, b"new");
        Ok::<_, Errno>(())
    })?;
    expect_eq!((stranger.join()?, reader.read(0, 3)), (Ok(()), b"new".to_vec()));
    Ok(())
}
