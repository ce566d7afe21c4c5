//! A process is killed at any system call while it creates, fills, resizes, replaces or maps a shared memory object. Each case
//! checks that the object is in one of the states between two calls, and that other processes can use and remove it.

use conformance::prelude::*;
use conformance::sys::memory::shm::{shm_open, shm_unlink};
use rstest::rstest;

use super::fixture::{CREATE_NEW, Name, contents, pages, size_of_object};

/// If a process that calls `shm_open` with `O_CREAT | O_EXCL`, `ftruncate` to n bytes and `mmap`, and then stores twice through
/// the mapping, is killed at the entry or the exit of each of its system calls, `shm_open` of the name by another process fails
/// with `ENOENT`, or opens an object of size 0, or one of n bytes with none, the first or both of the stores and 0 elsewhere;
/// each is accepted. If the process is not killed, the object contains both stores. After `shm_unlink`, `shm_open` with `O_CREAT
/// | O_EXCL` creates an object of size 0.
#[conformance::test(posix = "shm_open", posix = "ftruncate", man = "shm_overview(7)")]
fn killed_creator_leaves_a_prefix_of_its_steps() -> Outcome {
    sweep(|run| {
        let name = Name::new("creator");
        let size = page_size() + 50;
        let victim = run.victim("creator", (), |(), _| {
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
        expect!(state.is_some(), "shm_open found an object in no expected state, of size {:?}", found.map(|bytes| bytes.len()));
        expect!(!finished || state == Some(4), "the creator has finished, and the state is {state:?}");
        expect_eq!(name.unlink(), if state == Some(0) { Err(ENOENT) } else { Ok(()) });
        expect_eq!(name.open(CREATE_NEW, 0o600).and_then(size_of_object), Ok(0));
        Ok(())
    })
}

/// If a process that calls `shm_unlink` of an object, `shm_open` of its name with `O_CREAT | O_EXCL`, and `ftruncate` of the new
/// object to 3, is killed at the entry or the exit of each of its system calls, `shm_open` of the name without `O_CREAT` opens
/// the old object, fails with `ENOENT`, or opens the new object with size 0 or 3; each is accepted. Size and bytes of the old
/// object, of which another process has a descriptor, stay as they were.
#[conformance::test(posix = "shm_unlink", posix = "shm_open")]
fn killed_replacer_leaves_old_none_or_new() -> Outcome {
    sweep(|run| {
        let old = pages(1)?;
        let victim = run.victim("replacer", (), |(), _| {
            shm_unlink(old.name())?;
            let new = shm_open(old.name(), CREATE_NEW, 0o600)?;
            conformance::sys::fd::size::ftruncate(&new, 3)
        })?;
        let found = shm_open(old.name(), OFlag::O_RDONLY, 0).and_then(size_of_object);
        let states = [Ok(page_size()), Err(ENOENT), Ok(0), Ok(3)];
        expect!(states.contains(&found), "shm_open found {found:?}");
        expect!(victim.value.is_none() || found == Ok(3), "the process has finished, and shm_open found {found:?}");
        expect_eq!(contents(&old), Ok(pattern(page_size())));
        Ok(())
    })
}

/// If a process that calls `write` three times on an empty shared memory object is killed at the entry or the exit of each of its
/// system calls, `fstat` returns in `st_size` the sum of the counts of those `write` calls that had returned, which is 0 if none
/// had. Each of these calls has written all its bytes, in the order of the calls.
#[cfg(linux)]
#[conformance::test(man = "write(2)", man = "shm_overview(7)", level = customary)]
fn killed_writer_leaves_whole_writes() -> Outcome {
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
        // Where the trace shows which calls returned, the size is exactly the sum of their counts.
        let returned = victim.returned("write").iter().sum::<i64>();
        expect!(victim.completed.is_empty() || offset(size) == returned, "{returned} bytes were written, and the size is {size}");
        let expected = [&pattern(first)[..], b"second", b"third"].concat();
        expect_eq!(contents(&object)?, expected[..size].to_vec());
        Ok(())
    })
}

/// If a process that calls `ftruncate` on a shared memory object of two pages, to one page or to three, is killed at the entry or
/// the exit of each of its system calls, `fstat` returns the old or the new size in `st_size`; both are accepted, and only the
/// new size if the process is not killed. The bytes up to the smaller of both sizes stay as they were, and added bytes are 0.
#[rstest]
#[case::smaller(1)]
#[case::larger(3)]
#[conformance::test(posix = "ftruncate")]
fn killed_ftruncate_leaves_old_or_new_size(#[case] count: usize) -> Outcome {
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

/// If a process that calls `mmap` on a shared memory object of two pages, stores into both pages and calls `munmap`, is killed at
/// the entry or the exit of each of its system calls, `ftruncate` to 0 and then to two pages by another process both return 0.
/// Every byte of the object is 0 afterwards.
#[conformance::test(posix = "mmap", posix = "ftruncate")]
fn killed_mapper_leaves_no_mapping() -> Outcome {
    sweep(|run| {
        let object = pages(2)?;
        run.victim("owner of the mapping", dup(&object)?, |object, _| {
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
