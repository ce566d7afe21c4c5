//! `shm_open` flags: which create, open, truncate or reject a shared memory object, and the flags of the new descriptor.

use conformance::prelude::*;
use conformance::sys::fd::size::ftruncate;
use conformance::sys::memory::shm::shm_open;
use conformance::sys::path::status::permissions;
use rstest::rstest;

use super::fixture::{CREATE, CREATE_NEW, Name, contents, pages, size_of_object};

/// `shm_open` with `O_CREAT | O_EXCL`, with or without `O_TRUNC`, fails with `EEXIST` if the object exists. Bytes and permission
/// bits of the object stay as they were.
#[rstest]
#[case::creat_excl(OFlag::empty())]
#[case::creat_excl_trunc(OFlag::O_TRUNC)]
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn creat_excl_fails_if_the_object_exists(#[case] more: OFlag) -> Outcome {
    let object = pages(1)?;
    expect_eq!(shm_open(object.name(), CREATE_NEW | more, 0o444).map(drop), Err(EEXIST));
    expect_eq!((contents(&object), permissions(&fstat(&object)?)), (Ok(pattern(page_size())), 0o600));
    Ok(())
}

/// If four processes call `shm_open` with `O_CREAT | O_EXCL` and the same new name at the same time, exactly one call returns a
/// descriptor and three fail with `EEXIST`.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn creat_excl_succeeds_in_one_process() -> Outcome {
    const ROUNDS: usize = 20;
    let names: Vec<Name> = (0..ROUNDS).map(|_| Name::new("race")).collect();
    let creators = (0..4)
        .map(|number| {
            Participant::spawn(&format!("creator {number}"), (), |(), link| {
                link.meet("start");
                names.iter().map(|name| name.open(CREATE_NEW, 0o600).map(drop)).collect::<Vec<_>>()
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let_go(&creators, "start")?;
    let results = creators.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
    for round in 0..ROUNDS {
        let mut seen: Vec<_> = results.iter().map(|results| results[round]).collect();
        seen.sort();
        expect_eq!(seen, [Ok(()), Err(EEXIST), Err(EEXIST), Err(EEXIST)]);
    }
    Ok(())
}

/// `shm_open` without `O_CREAT`, with or without `O_TRUNC`, fails with `ENOENT` if no object has the name. `shm_unlink` with this
/// name then fails with `ENOENT`.
#[rstest]
#[case::rdonly(OFlag::O_RDONLY)]
#[case::rdwr(OFlag::O_RDWR)]
#[case::rdwr_trunc(OFlag::O_RDWR.union(OFlag::O_TRUNC))]
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn fails_without_creat_if_no_object_exists(#[case] flags: OFlag) -> Outcome {
    let name = Name::new("missing");
    expect_eq!(name.visit(flags), Err(ENOENT));
    expect_eq!(name.unlink(), Err(ENOENT));
    Ok(())
}

/// `shm_open` with `O_CREAT | O_RDWR`, without `O_EXCL`, and with mode argument 0 on an existing object returns a descriptor of
/// this object. Bytes, permission bits, `st_ino` and `st_dev` of the object stay as they were.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn creat_opens_an_existing_object() -> Outcome {
    let object = pages(1)?;
    let again = shm_open(object.name(), CREATE, 0o000);
    expect_matches!(again, Ok(_));
    let again = again?;
    expect_eq!((contents(&again), permissions(&fstat(&again)?)), (Ok(pattern(page_size())), 0o600));
    expect_eq!((fstat(&again)?.st_ino, fstat(&again)?.st_dev), (fstat(&object)?.st_ino, fstat(&object)?.st_dev));
    Ok(())
}

/// `shm_open` with `O_CREAT | O_EXCL | O_RDONLY` creates an object of size 0. After `ftruncate` to 5 through another descriptor,
/// a mapping of the read-only descriptor shows five bytes of value 0.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn creat_with_rdonly_creates() -> Outcome {
    let name = Name::new("reader");
    let reader = name.open(OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDONLY, 0o600);
    expect_matches!(reader, Ok(_));
    let reader = reader?;
    expect_eq!(size_of_object(&reader), Ok(0));
    let writer = name.open(OFlag::O_RDWR, 0);
    expect_matches!(writer, Ok(_));
    expect_eq!((ftruncate(&writer?, 5), contents(&reader)), (Ok(()), Ok(vec![0; 5])));
    Ok(())
}

/// `shm_open` with `O_CREAT | O_TRUNC | O_RDWR` on an existing object sets its size to 0 and leaves its permission bits as they
/// were. After `ftruncate` to a greater size every byte is 0.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn trunc_empties_the_object() -> Outcome {
    let object = pages(2)?;
    let emptied = shm_open(object.name(), CREATE | OFlag::O_TRUNC, 0o666);
    expect_matches!(emptied, Ok(_));
    let status = fstat(&object)?;
    expect_eq!((status.st_size, permissions(&status), fstat(&emptied?)?.st_ino), (0, 0o600, status.st_ino));
    object.set_size(page_size() + 9)?;
    expect_eq!(contents(&object), Ok(vec![0; page_size() + 9]));
    Ok(())
}

/// After `shm_open` with `O_RDONLY | O_TRUNC`, whose result POSIX leaves undefined, on an existing object, the object has size 0,
/// or its former size and bytes. Both are accepted, and the results of `shm_open` and of the truncation are recorded.
#[conformance::test(posix = "shm_open", level = observed)]
fn trunc_with_rdonly_is_undefined() -> Outcome {
    let object = pages(1)?;
    let opened = shm_open(object.name(), OFlag::O_RDONLY | OFlag::O_TRUNC, 0).map(drop);
    let left = contents(&object)?;
    expect!(left.is_empty() || left == pattern(page_size()), "{} bytes are left: {left:?}", left.len());
    observe!("posix_shm.open-rdonly-trunc", format!("{opened:?}, {}", if left.is_empty() { "empty" } else { "unchanged" }));
    Ok(())
}

/// On a descriptor from `shm_open` with `O_RDONLY` or `O_RDWR`, `fcntl(F_GETFL)` returns this access mode, also if `O_CREAT` was
/// given. `O_APPEND`, `O_CREAT`, `O_EXCL` and `O_TRUNC` are clear in the returned flags.
#[rstest]
#[case::rdonly(OFlag::O_RDONLY)]
#[case::rdwr(OFlag::O_RDWR)]
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn sets_the_access_mode(#[case] flags: OFlag) -> Outcome {
    let object = pages(1)?;
    for more in [OFlag::empty(), OFlag::O_CREAT] {
        let opened = shm_open(object.name(), flags | more, 0o600);
        expect_matches!(opened, Ok(_));
        let seen = status_flags(&opened?)?;
        expect_eq!(seen & OFlag::O_ACCMODE, flags);
        expect_eq!(seen & (OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_TRUNC), OFlag::empty());
    }
    Ok(())
}

/// `shm_open` with `O_WRONLY`, which POSIX does not allow, returns a descriptor with access mode `O_WRONLY` in `fcntl(F_GETFL)`,
/// or fails with any error. Both results are accepted and recorded.
#[conformance::test(posix = "shm_open", level = observed)]
fn may_accept_wronly() -> Outcome {
    let object = pages(1)?;
    let seen = shm_open(object.name(), OFlag::O_WRONLY, 0).and_then(|opened| Ok(status_flags(&opened)? & OFlag::O_ACCMODE));
    expect_matches!(seen, Ok(OFlag::O_WRONLY) | Err(_));
    observe!("posix_shm.open-wronly", seen.map_or_else(|errno| format!("{errno:?}"), |_| "accepted".to_owned()));
    Ok(())
}

/// `shm_open` returns the lowest descriptor number that is not open, also if this number became free by `close` and higher
/// numbers are open.
#[conformance::test(posix = "shm_open")]
fn takes_the_lowest_free_descriptor() -> Outcome {
    let object = pages(1)?;
    let open = || shm_open(object.name(), OFlag::O_RDWR, 0);
    let mut held = (0..4).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
    let freed: Vec<i32> = [3, 1].map(|index| held.remove(index).as_raw_fd()).to_vec();
    let again = [open()?, open()?];
    expect_eq!(again.each_ref().map(AsRawFd::as_raw_fd), [freed[1], freed[0]]);
    Ok(())
}

/// `fcntl(F_GETFD)` on a descriptor from `shm_open` returns `FD_CLOEXEC`, whether `shm_open` created the object or opened an
/// existing one.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn sets_close_on_exec() -> Outcome {
    let name = Name::new("cloexec");
    let created = name.open(CREATE_NEW, 0o600)?;
    let existing = [name.open(OFlag::O_RDONLY, 0)?, name.open(CREATE, 0)?];
    expect_eq!((close_on_exec(&created), existing.map(close_on_exec)), (Ok(true), [Ok(true), Ok(true)]));
    Ok(())
}

/// After `exec`, `dup` of the descriptors from `shm_open` fails with `EBADF` in the new program. A descriptor from `dup` of one
/// of them, which has no `FD_CLOEXEC`, stays open and shows the bytes of the object.
#[conformance::test(posix = "shm_open", posix = "exec")]
fn exec_closes_the_descriptors() -> Outcome {
    let object = pages(1)?;
    let second = shm_open(object.name(), OFlag::O_RDONLY, 0)?;
    let copy = dup(&object)?;
    let numbers = [object.as_fd().as_raw_fd(), second.as_raw_fd(), copy.as_raw_fd()];
    let program = Participant::exec_inheriting("program", &numbers, |(), numbers: [i32; 3], _| {
        let kept = dup_number(numbers[2]).and_then(|kept| contents(&kept));
        (dup_number(numbers[0]).map(drop), dup_number(numbers[1]).map(drop), kept)
    })?;
    expect_eq!(program.join()?, (Err(EBADF), Err(EBADF), Ok(pattern(page_size()))));
    Ok(())
}

/// Each `shm_open` creates an open file description with its own status flags. After `fcntl(F_SETFL)` sets `O_APPEND` on one
/// descriptor, `fcntl(F_GETFL)` returns `O_APPEND` on its duplicate from `dup`, and not on a descriptor from another `shm_open`.
#[conformance::test(posix = "shm_open", posix = "fcntl")]
fn creates_an_open_file_description() -> Outcome {
    let object = pages(1)?;
    let (other, copy) = (shm_open(object.name(), OFlag::O_RDWR, 0)?, dup(&object)?);
    let before = status_flags(&other)?;
    expect_eq!(before & OFlag::O_APPEND, OFlag::empty());
    set_status_flags(&object, status_flags(&object)? | OFlag::O_APPEND)?;
    expect_eq!((status_flags(&other), status_flags(&copy)?.contains(OFlag::O_APPEND)), (Ok(before), true));
    Ok(())
}

/// In a process that has reached its descriptor limit, `shm_open` fails with `EMFILE`. After such a call with `O_CREAT`,
/// `shm_open` of the name without `O_CREAT` fails with `ENOENT`, and after such a call with `O_TRUNC` an existing object has all
/// its bytes.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn fails_at_the_descriptor_limit() -> Outcome {
    let (name, object) = (Name::new("emfile"), pages(1)?);
    let process = Participant::spawn("process at the descriptor limit", dup(&object)?, |held, _| {
        leave_room(&held, 0)?;
        let created = name.open(CREATE_NEW, 0o600).map(drop);
        let truncated = shm_open(object.name(), OFlag::O_RDWR | OFlag::O_TRUNC, 0).map(drop);
        limit_descriptors(256)?;
        Ok::<_, Errno>((created, truncated, name.visit(OFlag::O_RDONLY)))
    })?;
    expect_eq!(process.join()?, Ok((Err(EMFILE), Err(EMFILE), Err(ENOENT))));
    expect_eq!((name.visit(OFlag::O_RDONLY), contents(&object)), (Err(ENOENT), Ok(pattern(page_size()))));
    Ok(())
}

/// If a process opens and closes an existing object 300 times, each `shm_open` returns a descriptor and each `close` returns 0.
/// Afterwards the number of open descriptors and the bytes of the object are as before.
#[conformance::test(posix = "shm_open")]
fn repeated_open_and_close_leaks_nothing() -> Outcome {
    let object = pages(1)?;
    let open = open_descriptors();
    for _ in 0..300 {
        expect_eq!(shm_open(object.name(), OFlag::O_RDWR, 0).map(drop), Ok(()));
    }
    expect_eq!((open_descriptors(), contents(&object)), (open, Ok(pattern(page_size()))));
    Ok(())
}
