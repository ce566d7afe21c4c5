//! The end of an object within a mapping: which page is the first that is not there, and how an access to it is answered.

use conformance::prelude::*;
use conformance::sys::memory::mapping::{self, Faults};
use conformance::sys::memory::region::{MapFlags, Region};
use conformance::sys::memory::shm::SharedMemory;
use rstest::rstest;

use super::fixture::{PRIVATE, R, RW, SHARED, contents, page_of, pages, sized};

/// The faults of the one who uses the mapping of `length` bytes in that way, having outlived them.
fn faults_of(
    object: &SharedMemory,
    length: usize,
    flags: MapFlags,
    using: impl Fn(&Region) -> Vec<u8>,
) -> Result<(Vec<u8>, Faults), Failure> {
    let region = Region::map(object, length, RW, flags, 0)?;
    let user = Participant::spawn("user", (), |(), _| {
        region.outlive(Signal::SIGBUS)?;
        Ok::<_, Errno>((using(&region), mapping::faults()))
    })?;
    Ok(user.join()??)
}

/// Nothing happened.
const NONE: Faults = Faults { count: 0, code: 0, offset: 0 };

fn bus_error_at(offset: usize) -> Faults {
    Faults { count: 1, code: mapping::BUS_ADRERR, offset }
}

/// Of a mapping that is longer than its object the whole of the last page of the object can be read, zeroes behind the end; the
/// first byte of the next page is answered by `SIGBUS`, which tells its address.
#[rstest]
#[case::one_byte(0, 1)]
#[case::byte_less_than_a_page(1, -1)]
#[case::a_page(1, 0)]
#[case::byte_more_than_a_page(1, 1)]
#[case::byte_less_than_two_pages(2, -1)]
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn is_at_the_end_of_the_last_page(#[case] whole_pages: usize, #[case] bytes: isize) -> Outcome {
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

/// An object without a size can be mapped, and not one byte of it used.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn is_at_once_without_a_size() -> Outcome {
    let object = SharedMemory::create(&unique_name("empty"))?;
    let (_, faults) = faults_of(&object, page_size(), SHARED, |region| region.read(0, 1))?;
    expect_eq!((faults, object.size()), (bus_error_at(0), Ok(0)));
    Ok(())
}

/// A store beyond the last page is answered as a load is, and makes the object no longer.
#[rstest]
#[case::shared(SHARED)]
#[case::private(PRIVATE)]
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn takes_no_store(#[case] flags: MapFlags) -> Outcome {
    let object = pages(1)?;
    let store = |region: &Region| {
        region.write(page_size() + 8, b"!");
        vec![]
    };
    let (_, faults) = faults_of(&object, 2 * page_size(), flags, store)?;
    expect_eq!((faults, contents(&object)), (bus_error_at(page_size() + 8), Ok(pattern(page_size()))));
    Ok(())
}

/// Without a handler the first access beyond it ends the process.
#[conformance::test(posix = "mmap", man = "signal(7)")]
fn ends_the_process() -> Outcome {
    let object = pages(1)?;
    let mapping = object.map(2 * page_size(), Access::Read)?;
    let reader = Participant::spawn("reader", (), |(), _| mapping.read(page_size(), 1))?;
    expect_eq!(reader.end()?, End::Killed(Signal::SIGBUS));
    expect_eq!(mapping.read(0, page_size()), pattern(page_size()));
    Ok(())
}

/// Private copies of pages that are cut off go too: the object ends for those who have written to their own copy as well.
#[conformance::test(man = "mmap(2)")]
fn comes_before_private_copies() -> Outcome {
    let object = pages(2)?;
    let page = page_size();
    let region = Region::map(&object, 2 * page, RW, PRIVATE, 0)?;
    let owner = Participant::spawn("owner of a copy", (), |(), link| {
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

/// A private copy that was cut off does not come back with the size: the page is one of zeroes then, as for everybody else; a copy
/// before the end is kept all the time.
#[conformance::test(posix = "ftruncate", man = "mmap(2)")]
fn takes_private_copies_for_good() -> Outcome {
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

/// A call that is to read or write there fails with `EFAULT`, and raises no signal.
#[conformance::test(man = "write(2)", man = "read(2)")]
fn is_a_bad_address_for_calls() -> Outcome {
    let object = pages(1)?;
    let page = page_size();
    let region = Region::map(&object, 2 * page, RW, SHARED, 0)?;
    let (reader, writer) = pipe()?;
    expect_eq!((region.write_out(page, 10, &writer), unread(&reader)), (Err(EFAULT), Ok(0)));
    write_all(&writer, b"kept")?;
    expect_eq!((region.read_in(page, 4, &reader), unread(&reader)), (Err(EFAULT), Ok(4)));
    // The last bytes of the object are as good as any.
    expect_eq!((region.read_in(page - 4, 4, &reader), region.read(page - 4, 4)), (Ok(4), b"kept".to_vec()));
    Ok(())
}

/// It moves with the size: a page that was not there can be used, by the same mapping, once another process has made the object
/// longer, and no more when it is cut off again.
#[conformance::test(posix = "mmap", posix = "ftruncate")]
fn moves_with_the_size() -> Outcome {
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

/// Each mapping has it where its own offset puts it.
#[conformance::test(posix = "mmap")]
fn counts_from_the_offset() -> Outcome {
    let object = pages(2)?;
    let page = page_size();
    let region = Region::map(&object, 2 * page, R, SHARED, i64::try_from(page).unwrap_or(0))?;
    let (reader, writer) = pipe()?;
    expect_eq!((region.write_out(0, page, &writer), region.write_out(page, 1, &writer)), (Ok(page), Err(EFAULT)));
    expect_eq!(read_some(&reader, page), Ok(pattern(2 * page)[page..].to_vec()));
    // Altogether beyond it.
    let beyond = Region::map(&object, page, R, SHARED, i64::try_from(2 * page).unwrap_or(0));
    expect_matches!(beyond, Ok(_));
    expect_eq!(beyond?.write_out(0, 1, &writer), Err(EFAULT));
    Ok(())
}
