//! The end of a shared memory object inside a longer mapping: which page is the first that cannot be accessed, and what loads,
//! stores and system calls on this page result in.

use conformance::prelude::*;
use conformance::sys::memory::mapping::{self, Faults};
use conformance::sys::memory::region::{MapFlags, Region};
use conformance::sys::memory::shm::SharedMemory;
use rstest::rstest;

use super::fixture::{PRIVATE, R, RW, SHARED, contents, page_of, pages, sized};

/// Runs `using` on a mapping of `length` bytes in a process that survives `SIGBUS`; returns its value and the signals received.
fn faults_of(
    object: &SharedMemory,
    length: usize,
    flags: MapFlags,
    using: impl Fn(&Region) -> Vec<u8>,
) -> Result<(Vec<u8>, Faults), Failure> {
    let region = Region::map(object, length, RW, flags, 0)?;
    let user = Participant::spawn("owner of the mapping", (), |(), _| {
        region.outlive(Signal::SIGBUS)?;
        Ok::<_, Errno>((using(&region), mapping::faults()))
    })?;
    Ok(user.join()??)
}

/// No signal.
const NONE: Faults = Faults { count: 0, code: 0, offset: 0 };

fn bus_error_at(offset: usize) -> Faults {
    Faults { count: 1, code: mapping::BUS_ADRERR, offset }
}

/// In a `MAP_SHARED` mapping longer than its object, the bytes between the end of the object and the end of its last page read
/// as 0. A load from any later page raises `SIGBUS` with `BUS_ADRERR` and the address of the load.
#[rstest]
#[case::one_byte(0, 1)]
#[case::byte_less_than_a_page(1, -1)]
#[case::a_page(1, 0)]
#[case::byte_more_than_a_page(1, 1)]
#[case::byte_less_than_two_pages(2, -1)]
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn access_after_the_last_page_raises_sigbus(#[case] whole_pages: usize, #[case] bytes: isize) -> Outcome {
    let page = page_size();
    let size = (whole_pages * page).saturating_add_signed(bytes);
    let object = sized(size)?;
    let there = size.div_ceil(page) * page;
    let (seen, faults) = faults_of(&object, 4 * page, SHARED, |region| region.read(0, there))?;
    expect_eq!((seen, faults), ([&pattern(size)[..], &vec![0; there - size]].concat(), NONE));
    let (_, faults) = faults_of(&object, 4 * page, SHARED, |region| region.read(there, 1))?;
    expect_eq!(faults, bus_error_at(there));
    let (_, faults) = faults_of(&object, 4 * page, SHARED, |region| region.read(4 * page - 1, 1))?;
    expect_eq!(faults, bus_error_at(4 * page - 1));
    Ok(())
}

/// `mmap` of one page of a shared memory object of size 0 returns a mapping. A load from the first byte of the mapping raises
/// `SIGBUS` with `BUS_ADRERR`.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn access_to_an_empty_object_raises_sigbus() -> Outcome {
    let object = SharedMemory::create(&unique_name("empty"))?;
    let (_, faults) = faults_of(&object, page_size(), SHARED, |region| region.read(0, 1))?;
    expect_eq!((faults, object.size()), (bus_error_at(0), Ok(0)));
    Ok(())
}

/// A store beyond the last page of a shared memory object, through a shared or private mapping, raises `SIGBUS` with `BUS_ADRERR`
/// and the address of the store. Size and bytes of the object stay as they were.
#[rstest]
#[case::shared(SHARED)]
#[case::private(PRIVATE)]
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn store_after_the_last_page_raises_sigbus(#[case] flags: MapFlags) -> Outcome {
    let object = pages(1)?;
    let store = |region: &Region| {
        region.write(page_size() + 8, b"!");
        vec![]
    };
    let (_, faults) = faults_of(&object, 2 * page_size(), flags, store)?;
    expect_eq!((faults, contents(&object)), (bus_error_at(page_size() + 8), Ok(pattern(page_size()))));
    Ok(())
}

/// A process without a `SIGBUS` handler is killed by `SIGBUS` when it loads from a mapped page that lies beyond the last page of
/// a shared memory object.
#[conformance::test(posix = "mmap", man = "signal(7)")]
fn sigbus_without_handler_kills() -> Outcome {
    let object = pages(1)?;
    let mapping = object.map(2 * page_size(), Access::Read)?;
    let reader = Participant::spawn("reader", (), |(), _| mapping.read(page_size(), 1))?;
    expect_eq!(reader.end()?, End::Killed(Signal::SIGBUS));
    expect_eq!(mapping.read(0, page_size()), pattern(page_size()));
    Ok(())
}

/// If another process removes the second page of an object with `ftruncate`, a load from this page of a `MAP_PRIVATE` mapping
/// raises `SIGBUS` with `BUS_ADRERR`, although the process had stored into the page before. A load from the first page returns
/// the bytes stored through the mapping.
#[conformance::test(man = "mmap(2)")]
fn truncated_private_copy_raises_sigbus() -> Outcome {
    let object = pages(2)?;
    let page = page_size();
    let region = Region::map(&object, 2 * page, RW, PRIVATE, 0)?;
    let owner = Participant::spawn("owner of the copies", (), |(), link| {
        region.outlive(Signal::SIGBUS)?;
        region.write(0, b"mine");
        region.write(page, b"mine");
        link.meet("cut off");
        Ok::<_, Errno>((region.read(0, 4), mapping::faults().count, region.read(page, 4), mapping::faults()))
    })?;
    owner.until_reached("cut off")?;
    object.set_size(page)?;
    owner.open("cut off")?;
    expect_eq!(owner.join()?, Ok((b"mine".to_vec(), 0, vec![0; 4], bus_error_at(page))));
    Ok(())
}

/// After `ftruncate` removes a page of the object and a second `ftruncate` adds it again, this page of a `MAP_PRIVATE` mapping
/// reads as 0, although it was stored into before. A page that was not removed still shows the bytes stored through the mapping.
#[conformance::test(posix = "ftruncate", man = "mmap(2)", level = customary)]
fn truncated_private_copy_is_lost() -> Outcome {
    let object = pages(2)?;
    let page = page_size();
    let region = Region::map(&object, 2 * page, RW, PRIVATE, 0)?;
    let (reader, writer) = pipe()?;
    region.write(0, b"kept");
    region.write(page, b"lost");
    object.set_size(page)?;
    expect_eq!((region.write_out(page, 1, &writer), region.read(0, 4)), (Err(EFAULT), b"kept".to_vec()));
    object.set_size(2 * page)?;
    expect_eq!((region.write_out(page, page, &writer), read_some(&reader, page)), (Ok(page), Ok(page_of(0))));
    expect_eq!(region.read(0, page), [b"kept", &pattern(page)[4..]].concat());
    Ok(())
}

/// `write` to a pipe from a mapped page beyond the end of a shared memory object, and `read` from a pipe into such a page, fail
/// with `EFAULT`. The number of unread bytes in the pipe stays as it was.
#[conformance::test(man = "write(2)", man = "read(2)")]
fn system_calls_fail_with_efault() -> Outcome {
    let object = pages(1)?;
    let page = page_size();
    let region = Region::map(&object, 2 * page, RW, SHARED, 0)?;
    let (reader, writer) = pipe()?;
    expect_eq!((region.write_out(page, 10, &writer), unread(&reader)), (Err(EFAULT), Ok(0)));
    write_all(&writer, b"kept")?;
    expect_eq!((region.read_in(page, 4, &reader), unread(&reader)), (Err(EFAULT), Ok(4)));
    // The last bytes of the object can be used.
    expect_eq!((region.read_in(page - 4, 4, &reader), region.read(page - 4, 4)), (Ok(4), b"kept".to_vec()));
    Ok(())
}

/// After another process has enlarged a shared memory object by a page with `ftruncate`, an existing mapping that is longer than
/// the object shows the added page as zeros. After `ftruncate` back to the old size, `write` to a pipe from this page fails with
/// `EFAULT`.
#[conformance::test(posix = "mmap", posix = "ftruncate", level = customary)]
fn follows_ftruncate_by_another_process() -> Outcome {
    let object = pages(1)?;
    let page = page_size();
    let region = Region::map(&object, 2 * page, RW, SHARED, 0)?;
    let (reader, writer) = pipe()?;
    expect_eq!(region.write_out(page, 1, &writer), Err(EFAULT));
    for round in 0..3 {
        let name = object.name().to_owned();
        let grower = Participant::exec("grower", (), &name, |(), name: String, _| {
            let object = SharedMemory::open(&name, Access::ReadWrite)?;
            object.set_size(page_size() + 1)
        })?;
        expect_eq!(grower.join()?, Ok(()));
        expect_eq!((region.write_out(page, page, &writer), read_some(&reader, page)), (Ok(page), Ok(page_of(0))), "round {round}");
        region.write(page, b"lost");
        object.set_size(page)?;
        expect_eq!(region.write_out(page, 1, &writer), Err(EFAULT), "round {round}");
    }
    expect_eq!(unread(&reader), Ok(0));
    Ok(())
}

/// In a mapping of two pages whose `mmap` offset is the last page of a shared memory object, `write` of the first mapped page to
/// a pipe returns the page size. `write` from the second mapped page, which lies beyond the end of the object, fails with
/// `EFAULT`.
#[conformance::test(posix = "mmap")]
fn depends_on_the_mapping_offset() -> Outcome {
    let object = pages(2)?;
    let page = page_size();
    let region = Region::map(&object, 2 * page, R, SHARED, i64::try_from(page).unwrap_or(0))?;
    let (reader, writer) = pipe()?;
    expect_eq!((region.write_out(0, page, &writer), region.write_out(page, 1, &writer)), (Ok(page), Err(EFAULT)));
    expect_eq!(read_some(&reader, page), Ok(pattern(2 * page)[page..].to_vec()));
    // A mapping that lies wholly beyond the end.
    let beyond = Region::map(&object, page, R, SHARED, i64::try_from(2 * page).unwrap_or(0));
    expect_matches!(beyond, Ok(_));
    expect_eq!(beyond?.write_out(0, 1, &writer), Err(EFAULT));
    Ok(())
}
