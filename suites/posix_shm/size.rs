//! The size of an object: none at first, what `ftruncate` says from then on, and zeroes wherever nothing was written.

use conformance::prelude::*;
use conformance::sys::fd::size::ftruncate;
use conformance::sys::memory::region::Region;
use conformance::sys::memory::shm::shm_open;
use nix::sys::resource::Resource;
use proptest::collection::vec;
use rstest::rstest;

use super::fixture::{CREATE_NEW, Name, R, RW, SHARED, contents, offset, pages, size_of_object};

/// An object that has just been made has no bytes and takes no space.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn is_none_at_first() -> Outcome {
    let name = Name::new("empty");
    let status = fstat(&name.open(CREATE_NEW, 0o600)?)?;
    expect_eq!((status.st_size, status.st_blocks), (0, 0));
    Ok(())
}

/// The size can be set as often as one likes, up and down, to any number of bytes; every descriptor shows the last one.
#[conformance::test(posix = "ftruncate", man = "ftruncate(2)")]
fn is_what_was_set_last() -> Outcome {
    let object = pages(1)?;
    let other = shm_open(object.name(), OFlag::O_RDONLY, 0)?;
    property(&vec(0..5 * page_size(), 1..8), |sizes| {
        for size in sizes {
            expect_eq!((ftruncate(&object, offset(size)), size_of_object(&other)), (Ok(()), Ok(size)));
        }
        Ok(())
    })
}

/// What is cut off is gone to the byte, in whatever order sizes follow each other: grown again, the object holds the bytes before
/// the smallest size, and zeroes after them.
#[conformance::test(posix = "ftruncate", man = "ftruncate(2)")]
fn takes_away_what_is_behind_it() -> Outcome {
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

/// A negative size is refused, and the object stays as it is.
#[rstest]
#[case::by_one(-1)]
#[case::by_a_page(-4096)]
#[case::by_all(i64::MIN)]
#[conformance::test(posix = "ftruncate", man = "ftruncate(2)")]
fn is_never_negative(#[case] size: i64) -> Outcome {
    let object = pages(1)?;
    expect_eq!(ftruncate(&object, size), Err(EINVAL));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// A descriptor for reading cannot set it, to whatever it may be.
#[rstest]
#[case::smaller(0)]
#[case::same(1)]
#[case::larger(2)]
#[conformance::test(posix = "ftruncate", man = "ftruncate(2)")]
fn is_not_set_by_a_reader(#[case] count: usize) -> Outcome {
    let object = pages(1)?;
    let reader = shm_open(object.name(), OFlag::O_RDONLY, 0)?;
    expect_matches!(ftruncate(&reader, offset(count * page_size())), Err(EBADF | EINVAL));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// Setting it to what it is changes no byte and takes no page away from a mapping.
#[conformance::test(posix = "ftruncate")]
fn set_to_the_same_changes_nothing() -> Outcome {
    let object = pages(2)?;
    let size = page_size() + 100;
    object.set_size(size)?;
    let mapping = object.map(size, Access::ReadWrite)?;
    mapping.write(page_size() + 99, b"!");
    expect_eq!(object.set_size(size), Ok(()));
    expect_eq!((mapping.read(page_size() + 99, 1), contents(&object)?.len()), (b"!".to_vec(), size));
    Ok(())
}

/// It is the size of the object and of nothing else: another object of the same process keeps its own.
#[conformance::test(posix = "ftruncate")]
fn is_each_objects_own() -> Outcome {
    let (one, other) = (pages(1)?, pages(2)?);
    one.set_size(0)?;
    let (first, second) = (fstat(&one)?, fstat(&other)?);
    expect_eq!((first.st_size, contents(&other)), (0, Ok(pattern(2 * page_size()))));
    expect!((first.st_dev, first.st_ino) != (second.st_dev, second.st_ino));
    Ok(())
}

/// A large object takes no space before it is written to, and its last byte is as good as its first: two places whose page numbers
/// differ only above the 32nd bit are two places.
#[cfg(target_pointer_width = "64")]
#[conformance::test(posix = "ftruncate", posix = "mmap", man = "tmpfs(5)")]
fn may_be_far_more_than_there_is_memory() -> Outcome {
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

/// Bytes that a mapping puts behind the end of an object, into the rest of its last page, never become bytes of the object.
#[conformance::test(posix = "mmap", posix = "ftruncate")]
fn takes_in_nothing_that_lay_behind_the_end() -> Outcome {
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
    expect_eq!(bytes[100..110].to_vec(), [0; 10]);
    Ok(())
}

/// Cutting an object within a page clears the rest of that page, in mappings that are there already too.
#[conformance::test(posix = "ftruncate", posix = "mmap")]
fn clears_the_rest_of_the_last_page() -> Outcome {
    let object = pages(1)?;
    let mapping = object.map(page_size(), Access::Read)?;
    for size in [page_size() - 1, 100, 1] {
        object.set_size(size)?;
        expect_eq!(mapping.read(0, page_size()), [&pattern(size)[..], &vec![0; page_size() - size]].concat());
    }
    Ok(())
}

/// A process may make no object longer than its file size limit: it is told so by `EFBIG` and one `SIGXFSZ`; up to the limit, and
/// downwards from beyond it, everything is allowed.
#[conformance::test(posix = "ftruncate", man = "getrlimit(2)")]
fn keeps_to_the_file_size_limit() -> Outcome {
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

/// Without a handler that signal ends the process, and the object stays as it is.
#[conformance::test(posix = "ftruncate", man = "signal(7)")]
fn beyond_the_limit_ends_the_process() -> Outcome {
    let object = pages(1)?;
    let glutton = Participant::spawn("glutton", dup(&object)?, |object, _| {
        super::fixture::limit(Resource::RLIMIT_FSIZE, page_size())?;
        super::fixture::limit(Resource::RLIMIT_CORE, 0)?;
        ftruncate(&object, offset(page_size() + 1))
    })?;
    expect_eq!(glutton.end()?, End::Killed(Signal::SIGXFSZ));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// The limit is for sizes, not for stores: a process may write all over an object that somebody else has made longer.
#[conformance::test(man = "getrlimit(2)")]
fn beyond_the_limit_can_be_mapped() -> Outcome {
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
