//! `ftruncate` by another process on a shared memory object that is mapped: access to pages beyond the new end, and pages added
//! again.

use conformance::prelude::*;
use conformance::sys::memory::mapping::{self, Faults};
use conformance::sys::memory::shm::SharedMemory;

/// An object of two pages that contain the pattern.
fn two_pages() -> Result<SharedMemory, Errno> {
    let object = SharedMemory::create(&unique_name("resized"))?;
    object.set_size(2 * page_size())?;
    object.map(2 * page_size(), Access::ReadWrite)?.write(0, &pattern(2 * page_size()));
    Ok(object)
}

/// An unrelated process opens the object by its name and sets its size.
fn resized_by_another(object: &SharedMemory, size: usize) -> Result<Result<(), Errno>, Failure> {
    let argument = (object.name().to_owned(), size);
    let resizer = Participant::exec("resizer", (), &argument, |(), (name, size): (String, usize), _| {
        SharedMemory::open(&name, Access::ReadWrite)?.set_size(size)
    })?;
    resizer.join()
}

/// After another process removes the second of two mapped pages of an object with `ftruncate`, a load from this page kills a
/// process without `SIGBUS` handler with `SIGBUS`. Loads from the first page still return the bytes of the object.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn truncated_page_kills_a_reader() -> Outcome {
    let object = two_pages()?;
    let page = page_size();
    let mapping = object.map(2 * page, Access::Read)?;
    let reader = Participant::spawn("reader", (), |(), link| {
        // The page is in the page tables of this process; `ftruncate` has to remove it.
        let before = mapping.read(page, 1);
        link.meet("truncated");
        assert_eq!((before, mapping.read(0, page)), (pattern(page + 1)[page..].to_vec(), pattern(page)));
        link.reached("last access");
        mapping.read(page, 1)
    })?;
    reader.until_reached("truncated")?;
    expect_eq!(resized_by_another(&object, page)?, Ok(()));
    reader.open("truncated")?;
    reader.until_reached("last access")?;
    expect_eq!(reader.end()?, End::Killed(Signal::SIGBUS));
    expect_eq!((object.size(), mapping.read(0, page)), (Ok(page), pattern(page)));
    Ok(())
}

/// After another process removes the second of two mapped pages of an object with `ftruncate`, a load from this page raises one
/// `SIGBUS` with `BUS_ADRERR` and the address of the load. A load from the first page raises no signal.
#[conformance::test(posix = "mmap", man = "sigaction(2)")]
fn truncated_page_raises_sigbus_with_address() -> Outcome {
    let object = two_pages()?;
    let page = page_size();
    let mapping = object.map(2 * page, Access::ReadWrite)?;
    let reader = Participant::spawn("reader", (), |(), link| {
        mapping.outlive(Signal::SIGBUS)?;
        link.meet("truncated");
        let last = mapping.read(page - 1, 1);
        let untouched = mapping::faults().count;
        let first_beyond = mapping.read(page + 40, 1);
        Ok::<_, Errno>((last, untouched, first_beyond, mapping::faults()))
    })?;
    reader.until_reached("truncated")?;
    expect_eq!(resized_by_another(&object, page)?, Ok(()));
    reader.open("truncated")?;
    let last = pattern(page)[page - 1..].to_vec();
    // The handler maps a page of zeros in place of the removed one.
    let fault = Faults { count: 1, code: mapping::BUS_ADRERR, offset: page + 40 };
    expect_eq!(reader.join()?, Ok((last, 0, vec![0], fault)));
    Ok(())
}

/// After another process shrinks a shared memory object with `ftruncate` and enlarges it to the former size, an existing mapping
/// shows 0 for every byte beyond the smaller size. All bytes before the smaller size stay as they were.
#[conformance::test(posix = "ftruncate", man = "ftruncate(2)", level = customary)]
fn added_pages_read_as_zeros() -> Outcome {
    let object = two_pages()?;
    let page = page_size();
    let mapping = object.map(2 * page, Access::Read)?;
    expect_eq!(mapping.read(0, 2 * page), pattern(2 * page));
    // The new end lies inside the first page, whose rest is cleared too.
    expect_eq!(resized_by_another(&object, page - 1)?, Ok(()));
    expect_eq!(object.size(), Ok(page - 1));
    expect_eq!(resized_by_another(&object, 2 * page)?, Ok(()));
    let kept = [&pattern(page - 1)[..], &vec![0; page + 1]].concat();
    expect_eq!((object.size(), mapping.read(0, 2 * page)), (Ok(2 * page), kept));
    Ok(())
}
