//! Faults: a process killed at any point of making, filling, resizing or replacing an object leaves one of the states in between,
//! which everybody else can use and remove.

use conformance::prelude::*;
use conformance::sys::memory::shm::{shm_open, shm_unlink};
use rstest::rstest;

use super::fixture::{CREATE_NEW, Name, contents, offset, pages, size_of_object};

/// Whatever a maker has come to when it is killed, there is no object, an empty one, or one of the size with its bytes up to
/// where it came; and the name can be unlinked and made again.
#[conformance::test(posix = "shm_open", posix = "ftruncate", man = "shm_overview(7)")]
fn leave_what_the_maker_had_made() -> Outcome {
    sweep(|run| {
        let name = Name::new("maker");
        let size = page_size() + 50;
        let victim = run.victim("maker", (), |(), _| {
            let object = name.open(CREATE_NEW, 0o600)?;
            conformance::sys::fd::size::ftruncate(&object, offset(size))?;
            let mapping = conformance::sys::memory::mapping::Mapping::new(&object, size, Access::ReadWrite)?;
            mapping.write(0, &[b'a'; 10]);
            mark();
            mapping.write(page_size(), &[b'b'; 10]);
            mark();
            Ok::<_, Errno>(())
        })?;
        let found = name.open(OFlag::O_RDWR, 0).and_then(contents);
        let (mut first, mut second) = (vec![0; size], vec![0; size]);
        first[..10].fill(b'a');
        second[..10].fill(b'a');
        second[page_size()..page_size() + 10].fill(b'b');
        let finished = victim.value.is_some();
        let states = [Err(ENOENT), Ok(vec![]), Ok(vec![0; size]), Ok(first), Ok(second)];
        let state = states.iter().position(|state| *state == found);
        expect!(state.is_some(), "{:?} were found", found.map(|bytes| bytes.len()));
        expect!(!finished || state == Some(4));
        expect_eq!(name.unlink(), if state == Some(0) { Err(ENOENT) } else { Ok(()) });
        expect_eq!(name.open(CREATE_NEW, 0o600).and_then(size_of_object), Ok(0));
        Ok(())
    })
}

/// A process that is killed while it replaces an object by another of the same name leaves the old one, none, or the new one; who
/// has the old one open keeps it whole in each case.
#[conformance::test(posix = "shm_unlink", posix = "shm_open")]
fn leave_the_old_object_or_the_new() -> Outcome {
    sweep(|run| {
        let old = pages(1)?;
        let victim = run.victim("replacer", (), |(), _| {
            shm_unlink(old.name())?;
            let new = shm_open(old.name(), CREATE_NEW, 0o600)?;
            conformance::sys::fd::size::ftruncate(&new, 3)
        })?;
        let found = shm_open(old.name(), OFlag::O_RDONLY, 0).and_then(size_of_object);
        let states = [Ok(page_size()), Err(ENOENT), Ok(0), Ok(3)];
        expect!(states.contains(&found), "it is {found:?}");
        expect!(victim.value.is_none() || found == Ok(3));
        expect_eq!(contents(&old), Ok(pattern(page_size())));
        Ok(())
    })
}

/// A write on the descriptor is there to the last byte or not at all, by what the killed writer's calls had returned; one that was
/// under way may be there too.
#[cfg(linux)]
#[conformance::test(posix = "write", man = "tmpfs(5)")]
fn leave_what_was_written() -> Outcome {
    sweep(|run| {
        let object = conformance::sys::memory::shm::SharedMemory::create(&unique_name("written"))?;
        let victim = run.victim("writer", dup(&object)?, |object, _| {
            write(&object, &pattern(page_size() + 10))?;
            write(&object, b"second")?;
            write(&object, b"third")
        })?;
        let size = object.size()?;
        let (first, second) = (page_size() + 10, page_size() + 16);
        expect!([0, first, second, second + 5].contains(&size), "the size is {size}");
        // Where the calls that returned are known, it is those and no other.
        let returned = victim.returned("write").iter().sum::<i64>();
        expect!(victim.completed.is_empty() || offset(size) == returned, "{returned} bytes were written, and the size is {size}");
        let expected = [&pattern(first)[..], b"second", b"third"].concat();
        expect_eq!(contents(&object)?, expected[..size].to_vec());
        Ok(())
    })
}

/// A process that is killed while it resizes leaves the size before or after, and every byte that both have.
#[rstest]
#[case::down(1)]
#[case::up(3)]
#[conformance::test(posix = "ftruncate")]
fn leave_one_size_or_the_other(#[case] count: usize) -> Outcome {
    sweep(|run| {
        let object = pages(2)?;
        let new = count * page_size();
        let victim =
            run.victim("resizer", dup(&object)?, |object, _| conformance::sys::fd::size::ftruncate(&object, offset(new)))?;
        let size = size_of_object(&object)?;
        expect!(size == new || size == 2 * page_size() && victim.value.is_none(), "the size is {size}");
        let common = size.min(2 * page_size());
        expect_eq!(contents(&object)?, [&pattern(common)[..], &vec![0; size - common]].concat());
        Ok(())
    })
}

/// A mapping of a killed process is gone with it: the object can be cut, given back and made anew as if nobody had had it.
#[conformance::test(posix = "mmap", posix = "ftruncate")]
fn leave_nothing_of_a_mapping() -> Outcome {
    sweep(|run| {
        let object = pages(2)?;
        run.victim("holder", dup(&object)?, |object, _| {
            let mapping = conformance::sys::memory::mapping::Mapping::new(&object, 2 * page_size(), Access::ReadWrite)?;
            mapping.write(0, b"first");
            mark();
            mapping.write(page_size(), b"second");
            drop(mapping);
            Ok::<_, Errno>(())
        })?;
        expect_eq!((object.set_size(0), object.set_size(2 * page_size())), (Ok(()), Ok(())));
        expect_eq!(contents(&object), Ok(vec![0; 2 * page_size()]));
        Ok(())
    })
}
