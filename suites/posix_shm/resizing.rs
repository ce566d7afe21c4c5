//! Resizing under live mappings: pages behind the end of an object are gone for everybody who has them mapped.

use conformance::prelude::*;
use conformance::sys::memory::mapping::{self, Faults};
use conformance::sys::memory::shm::SharedMemory;

/// An object of two pages, full of the pattern.
fn two_pages() -> Result<SharedMemory, Errno> {
    let object = SharedMemory::create(&unique_name("resized"))?;
    object.set_size(2 * page_size())?;
    object.map(2 * page_size(), Access::ReadWrite)?.write(0, &pattern(2 * page_size()));
    Ok(object)
}

/// Has a stranger, who knows the name only, give the object another size.
fn resized_by_another(object: &SharedMemory, size: usize) -> Result<Result<(), Errno>, Failure> {
    let argument = (object.name().to_owned(), size);
    let resizer = Participant::exec("resizer", (), &argument, |(), (name, size): (String, usize), _| {
        SharedMemory::open(&name, Access::ReadWrite)?.set_size(size)
    })?;
    resizer.join()
}

/// A process that reads a mapped page which another process has cut off is ended by `SIGBUS`, at that page and not before.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn ends_a_reader_of_a_page_that_was_cut_off() -> Outcome {
    let object = two_pages()?;
    let page = page_size();
    let mapping = object.map(2 * page, Access::Read)?;
    let reader = Participant::spawn("reader", (), |(), link| {
        // Present in this process's page tables: shrinking has to take it out of them.
        let before = mapping.read(page, 1);
        link.meet("cut off");
        assert_eq!((before, mapping.read(0, page)), (pattern(page + 1)[page..].to_vec(), pattern(page)));
        link.reached("end of the object");
        mapping.read(page, 1)
    })?;
    reader.until_reached("cut off")?;
    expect_eq!(resized_by_another(&object, page)?, Ok(()));
    reader.open("cut off")?;
    reader.until_reached("end of the object")?;
    expect_eq!(reader.end()?, End::Killed(Signal::SIGBUS));
    expect_eq!((object.size(), mapping.read(0, page)), (Ok(page), pattern(page)));
    Ok(())
}

/// The signal for a page that was cut off says `BUS_ADRERR` and which page it was, once for each access.
#[conformance::test(posix = "mmap", man = "sigaction(2)")]
fn tells_a_handler_the_page_that_was_cut_off() -> Outcome {
    let object = two_pages()?;
    let page = page_size();
    let mapping = object.map(2 * page, Access::ReadWrite)?;
    let reader = Participant::spawn("reader", (), |(), link| {
        mapping.outlive(Signal::SIGBUS)?;
        link.meet("cut off");
        let last = mapping.read(page - 1, 1);
        let untouched = mapping::faults().count;
        let first_beyond = mapping.read(page + 40, 1);
        Ok::<_, Errno>((last, untouched, first_beyond, mapping::faults()))
    })?;
    reader.until_reached("cut off")?;
    expect_eq!(resized_by_another(&object, page)?, Ok(()));
    reader.open("cut off")?;
    let last = pattern(page)[page - 1..].to_vec();
    // The zero is from the page that the handler puts in the place of the lost one.
    let fault = Faults { count: 1, code: mapping::BUS_ADRERR, offset: page + 40 };
    expect_eq!(reader.join()?, Ok((last, 0, vec![0], fault)));
    Ok(())
}

/// Pages that were cut off and added again are zeroes, also through a mapping that has been there all the time; the pages before
/// them are as they were.
#[conformance::test(posix = "ftruncate", man = "ftruncate(2)")]
fn brings_pages_back_as_zeroes() -> Outcome {
    let object = two_pages()?;
    let page = page_size();
    let mapping = object.map(2 * page, Access::Read)?;
    expect_eq!(mapping.read(0, 2 * page), pattern(2 * page));
    // The end falls into the first page: its rest is cleared too.
    expect_eq!(resized_by_another(&object, page - 1)?, Ok(()));
    expect_eq!(object.size(), Ok(page - 1));
    expect_eq!(resized_by_another(&object, 2 * page)?, Ok(()));
    let kept = [&pattern(page - 1)[..], &vec![0; page + 1]].concat();
    expect_eq!((object.size(), mapping.read(0, 2 * page)), (Ok(2 * page), kept));
    Ok(())
}
