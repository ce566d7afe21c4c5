//! `mmap` with `MAP_PRIVATE` on shared memory objects: stores go to a private copy of the page, which no other mapping shows.

use conformance::prelude::*;
use conformance::sys::memory::region::Region;
use conformance::sys::memory::shm::SharedMemory;

use super::fixture::{PRIVATE, RW, contents, pages};

/// A store through a `MAP_PRIVATE` mapping leaves the bytes of the shared memory object, of its `MAP_SHARED` mappings and of its
/// other `MAP_PRIVATE` mappings as they were.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn stores_change_no_other_mapping() -> Outcome {
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

/// A page of a `MAP_PRIVATE` mapping that was stored into shows the same bytes after later stores to this page of the shared
/// memory object. A page that was not stored into shows either all or none of the bytes stored later to the object; both are
/// accepted and recorded.
#[conformance::test(posix = "mmap", man = "mmap(2)", level = customary)]
fn copied_page_hides_later_stores() -> Outcome {
    let object = pages(2)?;
    let private = Region::map(&object, 2 * page_size(), RW, PRIVATE, 0)?;
    private.write(10, b"copied");
    let shared = object.map(2 * page_size(), Access::ReadWrite)?;
    shared.write(0, b"later");
    shared.write(page_size(), b"later");
    let expected = [&pattern(10)[..], b"copied", &pattern(page_size())[16..]].concat();
    expect_eq!(private.read(0, page_size()), expected);
    let neighbour = private.read(page_size(), 5);
    expect!(neighbour == b"later" || neighbour == pattern(page_size() + 5)[page_size()..], "the other page shows {neighbour:?}");
    observe!("posix_shm.uncopied-private-page-shows-later-stores", neighbour == b"later");
    Ok(())
}

/// After the first store of one byte into a page of a `MAP_PRIVATE` mapping, the mapping shows the bytes that this page of the
/// object had at the time of the store. Bytes stored later to this page of the object are not read through the mapping.
#[conformance::test(posix = "mmap", level = customary)]
fn first_store_copies_the_whole_page() -> Outcome {
    let object = pages(1)?;
    let (private, shared) = (Region::map(&object, page_size(), RW, PRIVATE, 0)?, object.map(page_size(), Access::ReadWrite)?);
    shared.write(100, b"before");
    private.write(0, b"!");
    shared.write(200, b"after");
    expect_eq!((private.read(100, 6), private.read(200, 5)), (b"before".to_vec(), pattern(205)[200..].to_vec()));
    Ok(())
}

/// `mmap` with `MAP_PRIVATE` and `PROT_WRITE` on a descriptor opened with `O_RDONLY` returns a mapping. Stores through the
/// mapping leave the bytes of the object as they were.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn read_only_descriptor_allows_prot_write() -> Outcome {
    let object = pages(1)?;
    let reader = SharedMemory::open(object.name(), Access::Read)?;
    let private = Region::map(&reader, page_size(), RW, PRIVATE, 0);
    expect_matches!(private, Ok(_));
    let private = private?;
    private.write(0, b"mine");
    expect_eq!((private.read(0, 4), contents(&object)), (b"mine".to_vec(), Ok(pattern(page_size()))));
    Ok(())
}

/// After `fork`, a child reads the bytes that its parent stored through a `MAP_PRIVATE` mapping before `fork`. Bytes stored
/// through this mapping by parent or child after `fork` are read by the storing process only.
#[conformance::test(posix = "fork", posix = "mmap")]
fn stores_after_fork_stay_in_each_process() -> Outcome {
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

/// If the parent stores into a page of a `MAP_PRIVATE` mapping after `fork`, a child that has not stored into this page reads the
/// bytes that the page had at `fork`.
#[conformance::test(posix = "fork", posix = "mmap")]
fn child_keeps_the_bytes_of_fork() -> Outcome {
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

/// `read` of 13 bytes from a pipe into a `MAP_PRIVATE` mapping returns 13, and the mapping shows these bytes. The bytes of the
/// shared memory object stay as they were.
#[conformance::test(posix = "mmap", posix = "read")]
fn read_into_the_mapping_makes_a_copy() -> Outcome {
    let object = pages(1)?;
    let private = Region::map(&object, page_size(), RW, PRIVATE, 0)?;
    let (reader, writer) = pipe()?;
    write_all(&writer, b"from the pipe")?;
    expect_eq!((private.read_in(3, 13, &reader), private.read(3, 13)), (Ok(13), b"from the pipe".to_vec()));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}
