//! The size of a shared memory object: 0 after creation, set by `ftruncate`, bounded by `RLIMIT_FSIZE`; bytes added read as
//! zeros.

use conformance::prelude::*;
use conformance::sys::fd::size::ftruncate;
use conformance::sys::memory::region::Region;
use conformance::sys::memory::shm::shm_open;
use nix::sys::resource::Resource;
use proptest::collection::vec;
use rstest::rstest;

use super::fixture::{CREATE_NEW, Name, R, RW, SHARED, contents, pages, size_of_object};

/// `fstat` on a shared memory object that was just created by `shm_open` returns `st_size` 0 and `st_blocks` 0.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn is_zero_after_creation() -> Outcome {
    let name = Name::new("empty");
    let status = fstat(&name.open(CREATE_NEW, 0o600)?)?;
    expect_eq!((status.st_size, status.st_blocks), (0, 0));
    Ok(())
}

/// Each `ftruncate` of a random sequence of smaller and greater sizes on a shared memory object returns 0. After each call,
/// `fstat` on another descriptor of the object returns the size of this call in `st_size`.
#[conformance::test(posix = "ftruncate", man = "ftruncate(2)")]
fn is_the_last_ftruncate_length() -> Outcome {
    let object = pages(1)?;
    let other = shm_open(object.name(), OFlag::O_RDONLY, 0)?;
    property(&vec(0..5 * page_size(), 1..8), |sizes| {
        for size in sizes {
            expect_eq!((ftruncate(&object, offset(size)), size_of_object(&other)), (Ok(()), Ok(size)));
        }
        Ok(())
    })
}

/// After `ftruncate` to each size of a random sequence of sizes below the first size, and then to the first size, a shared memory
/// object contains its former bytes up to the smallest size of the sequence. All bytes after the smallest size are 0.
#[conformance::test(posix = "ftruncate", man = "ftruncate(2)")]
fn shrinking_discards_the_bytes() -> Outcome {
    let whole = 3 * page_size();
    property(&vec(0..whole, 1..5), |sizes| {
        let object = pages(3)?;
        for &size in &sizes {
            object.set_size(size)?;
        }
        object.set_size(whole)?;
        let smallest = sizes.iter().copied().min().unwrap_or(whole);
        let expected = [&pattern(smallest)[..], &vec![0; whole - smallest]].concat();
        expect_eq!(contents(&object), Ok(expected));
        Ok(())
    })
}

/// `ftruncate` on a shared memory object fails with `EINVAL` if the length is negative. Size and bytes stay as they were.
#[rstest]
#[case::minus_one(-1)]
#[case::minus_4096(-4096)]
#[case::smallest_off_t(i64::MIN)]
#[conformance::test(posix = "ftruncate", man = "ftruncate(2)")]
fn ftruncate_rejects_negative_length(#[case] size: i64) -> Outcome {
    let object = pages(1)?;
    expect_eq!(ftruncate(&object, size), Err(EINVAL));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// `ftruncate` to a smaller, equal or greater size on a descriptor opened with `O_RDONLY` fails with `EBADF` or `EINVAL`; both
/// are accepted. Size and bytes of the object stay as they were.
#[rstest]
#[case::smaller(0)]
#[case::equal(1)]
#[case::greater(2)]
#[conformance::test(posix = "ftruncate", man = "ftruncate(2)")]
fn ftruncate_rejects_read_only_descriptor(#[case] count: usize) -> Outcome {
    let object = pages(1)?;
    let reader = shm_open(object.name(), OFlag::O_RDONLY, 0)?;
    expect_matches!(ftruncate(&reader, offset(count * page_size())), Err(EBADF | EINVAL));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// `ftruncate` to the current size of a shared memory object returns 0. A byte that was stored through a mapping before, and
/// `st_size`, stay as they were.
#[conformance::test(posix = "ftruncate")]
fn ftruncate_to_the_same_size_keeps_mapped_bytes() -> Outcome {
    let object = pages(2)?;
    let size = page_size() + 100;
    object.set_size(size)?;
    let mapping = object.map(size, Access::ReadWrite)?;
    mapping.write(page_size() + 99, b"!");
    expect_eq!(object.set_size(size), Ok(()));
    expect_eq!((mapping.read(page_size() + 99, 1), contents(&object)?.len()), (b"!".to_vec(), size));
    Ok(())
}

/// `ftruncate` to 0 on one shared memory object leaves size and bytes of another object as they were. The pair of `st_dev` and
/// `st_ino` differs between the two objects.
#[conformance::test(posix = "ftruncate")]
fn ftruncate_leaves_other_objects() -> Outcome {
    let (one, other) = (pages(1)?, pages(2)?);
    one.set_size(0)?;
    let (first, second) = (fstat(&one)?, fstat(&other)?);
    expect_eq!((first.st_size, contents(&other)), (0, Ok(pattern(2 * page_size()))));
    let identities = [first, second].map(|status| (status.st_dev, status.st_ino));
    expect!(identities[0] != identities[1], "both objects have st_dev and st_ino {:?}", identities[0]);
    Ok(())
}

/// `ftruncate` of a shared memory object to 2^32 + 1 pages returns 0 and leaves `st_blocks` 0. A store into the page with index 0
/// leaves the page with index 2^32 as it was, and a store into that page leaves the first as it was.
#[cfg(target_pointer_width = "64")]
#[conformance::test(posix = "ftruncate", posix = "mmap", man = "tmpfs(5)", level = customary)]
fn may_exceed_the_memory() -> Outcome {
    let name = Name::new("huge");
    let object = name.open(CREATE_NEW, 0o600)?;
    let page = page_size();
    let far = offset(page) << 32;
    expect_eq!(ftruncate(&object, far + offset(page)), Ok(()));
    expect_eq!((fstat(&object)?.st_size, fstat(&object)?.st_blocks), (far + offset(page), 0));
    let near = Region::map(&object, page, RW, SHARED, 0)?;
    let end = Region::map(&object, page, RW, SHARED, far);
    expect_matches!(end, Ok(_));
    let end = end?;
    near.write(0, b"near");
    expect_eq!(end.read(0, 4), [0; 4]);
    end.write(page - 3, b"end");
    let again = Region::map(&object, page, R, SHARED, far)?;
    expect_eq!((near.read(0, page)[page - 4..].to_vec(), again.read(page - 3, 3)), (vec![0; 4], b"end".to_vec()));
    Ok(())
}

/// If bytes are stored through a mapping beyond the end of a shared memory object, in its last page, and `ftruncate` then
/// enlarges the object, these bytes read either all as 0 or all as stored; both are accepted and recorded. All other added bytes
/// read as 0.
#[conformance::test(posix = "mmap", posix = "ftruncate", level = observed)]
fn stores_beyond_the_end_may_appear_after_growing() -> Outcome {
    let object = pages(1)?;
    object.set_size(100)?;
    let mapping = object.map(page_size(), Access::ReadWrite)?;
    mapping.write(90, &[b'x'; 20]);
    object.set_size(page_size())?;
    let bytes = contents(&object)?;
    expect_eq!(
        (&bytes[..90], &bytes[90..100], &bytes[110..]),
        (&pattern(90)[..], &[b'x'; 10][..], &vec![0; page_size() - 110][..])
    );
    // For memory objects, `ftruncate` leaves open whether mapped bytes between the old and the new end become part of the object.
    let stored = &bytes[100..110];
    expect!(stored == [0; 10] || stored == [b'x'; 10], "{stored:?}");
    observe!("posix_shm.stores-beyond-the-end-after-growing", if stored == [0; 10] { "zeros" } else { "stored bytes" });
    Ok(())
}

/// After `ftruncate` to a smaller size that ends inside a page, an existing mapping shows 0 for every byte of this page beyond
/// the new end.
#[conformance::test(posix = "ftruncate", posix = "mmap", level = customary)]
fn shrinking_clears_the_rest_of_the_page() -> Outcome {
    let object = pages(1)?;
    let mapping = object.map(page_size(), Access::Read)?;
    for size in [page_size() - 1, 100, 1] {
        object.set_size(size)?;
        expect_eq!(mapping.read(0, page_size()), [&pattern(size)[..], &vec![0; page_size() - size]].concat());
    }
    Ok(())
}

/// `ftruncate` to a size that is greater than the current size and greater than `RLIMIT_FSIZE` fails with `EFBIG` and raises one
/// `SIGXFSZ`. `ftruncate` to a size up to the limit, or to a smaller size than the current one, returns 0 without a signal.
#[conformance::test(posix = "ftruncate", man = "getrlimit(2)")]
fn ftruncate_obeys_the_file_size_limit() -> Outcome {
    let object = pages(4)?;
    let (page, limit) = (page_size(), 2 * page_size() + 5);
    signal::catch(Signal::SIGXFSZ, Restart::Yes)?;
    super::fixture::limit(Resource::RLIMIT_FSIZE, limit)?;
    expect_eq!((object.set_size(3 * page), signal::caught(Signal::SIGXFSZ)), (Ok(()), 0));
    expect_eq!((object.set_size(4 * page), signal::caught(Signal::SIGXFSZ)), (Err(EFBIG), 1));
    expect_eq!(contents(&object), Ok(pattern(3 * page)));
    expect_eq!((object.set_size(limit), object.set_size(limit - 1)), (Ok(()), Ok(())));
    expect_eq!((object.set_size(limit), signal::caught(Signal::SIGXFSZ)), (Ok(()), 1));
    expect_eq!((object.set_size(limit + 1), signal::caught(Signal::SIGXFSZ)), (Err(EFBIG), 2));
    expect_eq!(size_of_object(&object), Ok(limit));
    Ok(())
}

/// A process without a `SIGXFSZ` handler that enlarges a shared memory object with `ftruncate` beyond `RLIMIT_FSIZE` is killed by
/// `SIGXFSZ`. Size and bytes of the object stay as they were.
#[conformance::test(posix = "ftruncate", man = "signal(7)")]
fn sigxfsz_without_handler_kills() -> Outcome {
    let object = pages(1)?;
    let writer = Participant::spawn("writer", dup(&object)?, |object, _| {
        super::fixture::limit(Resource::RLIMIT_FSIZE, page_size())?;
        super::fixture::limit(Resource::RLIMIT_CORE, 0)?;
        ftruncate(&object, offset(page_size() + 1))
    })?;
    expect_eq!(writer.end()?, End::Killed(Signal::SIGXFSZ));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// With `RLIMIT_FSIZE` 1, `mmap` of two pages of a shared memory object returns a mapping, and a store through it beyond the
/// first byte raises no signal and changes the object.
#[conformance::test(man = "getrlimit(2)")]
fn file_size_limit_ignores_mapped_stores() -> Outcome {
    let object = pages(2)?;
    let writer = Participant::spawn("writer", dup(&object)?, |object, _| {
        super::fixture::limit(Resource::RLIMIT_FSIZE, 1)?;
        let region = Region::map(&object, 2 * page_size(), RW, SHARED, 0)?;
        region.write(2 * page_size() - 4, b"last");
        Ok::<_, Errno>(())
    })?;
    expect_eq!(writer.join()?, Ok(()));
    expect_eq!(contents(&object)?[2 * page_size() - 4..].to_vec(), b"last".to_vec());
    Ok(())
}
