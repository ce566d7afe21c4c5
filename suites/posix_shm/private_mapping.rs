//! Private mappings: a copy of each page for the one who stores into it, which nobody else ever sees.

use conformance::prelude::*;
use conformance::sys::memory::region::Region;
use conformance::sys::memory::shm::SharedMemory;

use super::fixture::{PRIVATE, RW, contents, pages};

/// A store into a private mapping changes neither the object nor any other mapping of it, private ones included.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn keeps_its_stores_to_itself() -> Outcome {
    let object = pages(1)?;
    let (mine, other) = (Region::map(&object, page_size(), RW, PRIVATE, 0)?, Region::map(&object, page_size(), RW, PRIVATE, 0)?);
    let shared = object.map(page_size(), Access::Read)?;
    mine.write(0, b"mine");
    other.write(2, b"other");
    expect_eq!(
        (mine.read(0, 8), other.read(0, 8)),
        ([b"mine", &pattern(8)[4..]].concat(), [&pattern(2)[..], b"other", &pattern(8)[7..]].concat(),)
    );
    expect_eq!((shared.read(0, page_size()), contents(&object)), (pattern(page_size()), Ok(pattern(page_size()))));
    Ok(())
}

/// A page that was copied shows nothing that is stored into the object later; its neighbour, not copied, may.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn sees_no_store_after_its_copy() -> Outcome {
    let object = pages(2)?;
    let private = Region::map(&object, 2 * page_size(), RW, PRIVATE, 0)?;
    private.write(10, b"copied");
    let shared = object.map(2 * page_size(), Access::ReadWrite)?;
    shared.write(0, b"later");
    shared.write(page_size(), b"later");
    let expected = [&pattern(10)[..], b"copied", &pattern(page_size())[16..]].concat();
    expect_eq!(private.read(0, page_size()), expected);
    let neighbour = private.read(page_size(), 5);
    expect!(neighbour == b"later" || neighbour == pattern(page_size() + 5)[page_size()..]);
    observe!("posix_shm.private-page-follows-the-object", neighbour == b"later");
    Ok(())
}

/// One byte stored copies the one page: all other bytes of the page are those of the object at that moment.
#[conformance::test(posix = "mmap")]
fn copies_whole_pages_at_the_first_store() -> Outcome {
    let object = pages(1)?;
    let (private, shared) = (Region::map(&object, page_size(), RW, PRIVATE, 0)?, object.map(page_size(), Access::ReadWrite)?);
    shared.write(100, b"before");
    private.write(0, b"!");
    shared.write(200, b"after");
    expect_eq!((private.read(100, 6), private.read(200, 5)), (b"before".to_vec(), pattern(205)[200..].to_vec()));
    Ok(())
}

/// Stores need no right to write to the object: a descriptor for reading will do, and the object keeps every byte.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn is_writable_for_a_reader() -> Outcome {
    let object = pages(1)?;
    let reader = SharedMemory::open(object.name(), Access::Read)?;
    let private = Region::map(&reader, page_size(), RW, PRIVATE, 0);
    expect_matches!(private, Ok(_));
    let private = private?;
    private.write(0, b"mine");
    expect_eq!((private.read(0, 4), contents(&object)), (b"mine".to_vec(), Ok(pattern(page_size()))));
    Ok(())
}

/// A child has a copy of the copy: what either of them stores after `fork` is its own, page by page.
#[conformance::test(posix = "fork", posix = "mmap")]
fn is_copied_again_by_fork() -> Outcome {
    let object = pages(1)?;
    let private = Region::map(&object, page_size(), RW, PRIVATE, 0)?;
    private.write(0, b"before");
    let child = Participant::spawn("child", (), |(), link| {
        let inherited = private.read(0, 6);
        private.write(0, b"child!");
        link.meet("stored");
        (inherited, private.read(0, 6))
    })?;
    child.until_reached("stored")?;
    expect_eq!(private.read(0, 6), b"before".to_vec());
    private.write(0, b"parent");
    child.open("stored")?;
    expect_eq!(child.join()?, (b"before".to_vec(), b"child!".to_vec()));
    expect_eq!((private.read(0, 6), contents(&object)), (b"parent".to_vec(), Ok(pattern(page_size()))));
    Ok(())
}

/// A child that has not stored anything keeps what the parent had at the `fork`, even where the parent is the first to store.
#[conformance::test(posix = "fork", posix = "mmap")]
fn of_a_child_is_that_of_the_fork() -> Outcome {
    let object = pages(1)?;
    let private = Region::map(&object, page_size(), RW, PRIVATE, 0)?;
    private.write(0, b"at fork");
    let child = Participant::spawn("child", (), |(), link| {
        link.meet("forked");
        private.read(0, 7)
    })?;
    child.until_reached("forked")?;
    private.write(0, b"later..");
    child.open("forked")?;
    expect_eq!(child.join()?, b"at fork".to_vec());
    Ok(())
}

/// Calls that write through the mapping copy as stores do.
#[conformance::test(posix = "mmap", posix = "read")]
fn takes_what_calls_write_for_itself() -> Outcome {
    let object = pages(1)?;
    let private = Region::map(&object, page_size(), RW, PRIVATE, 0)?;
    let (reader, writer) = pipe()?;
    write_all(&writer, b"from the pipe")?;
    expect_eq!((private.read_in(3, 13, &reader), private.read(3, 13)), (Ok(13), b"from the pipe".to_vec()));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}
