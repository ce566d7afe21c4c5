//! Opening: which flags make, refuse, empty or find an object, and what the descriptor is like that comes of it.

use conformance::prelude::*;
use conformance::sys::fd::size::ftruncate;
use conformance::sys::memory::shm::shm_open;
use conformance::sys::path::status::permissions;
use rstest::rstest;

use super::fixture::{CREATE, CREATE_NEW, Name, contents, pages, size_of_object};

/// An object that exists is refused to one that wants to make it, and is not touched by that: not even by `O_TRUNC`.
#[rstest]
#[case::for_both(OFlag::empty())]
#[case::with_truncation(OFlag::O_TRUNC)]
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn exclusively_refuses_one_that_exists(#[case] more: OFlag) -> Outcome {
    let object = pages(1)?;
    expect_eq!(shm_open(object.name(), CREATE_NEW | more, 0o444).map(drop), Err(EEXIST));
    expect_eq!((contents(&object), permissions(&fstat(&object)?)), (Ok(pattern(page_size())), 0o600));
    Ok(())
}

/// Of several processes that make one name exclusively, at the same time, one succeeds and all others see `EEXIST`.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn exclusively_has_one_winner() -> Outcome {
    const ROUNDS: usize = 20;
    let names: Vec<Name> = (0..ROUNDS).map(|_| Name::new("race")).collect();
    let racers = (0..4)
        .map(|number| {
            Participant::spawn(&format!("racer {number}"), (), |(), link| {
                link.meet("start");
                names.iter().map(|name| name.open(CREATE_NEW, 0o600).map(drop)).collect::<Vec<_>>()
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    for racer in &racers {
        racer.until_reached("start")?;
    }
    for racer in &racers {
        racer.open("start")?;
    }
    let results = racers.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
    for round in 0..ROUNDS {
        let mut seen: Vec<_> = results.iter().map(|results| results[round]).collect();
        seen.sort();
        expect_eq!(seen, [Ok(()), Err(EEXIST), Err(EEXIST), Err(EEXIST)]);
    }
    Ok(())
}

/// Without `O_CREAT` a name of nothing is refused, in every mode, and stays one of nothing.
#[rstest]
#[case::for_reading(OFlag::O_RDONLY)]
#[case::for_both(OFlag::O_RDWR)]
#[case::with_truncation(OFlag::O_RDWR.union(OFlag::O_TRUNC))]
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn finds_no_object_where_there_is_none(#[case] flags: OFlag) -> Outcome {
    let name = Name::new("missing");
    expect_eq!(name.visit(flags), Err(ENOENT));
    expect_eq!(name.unlink(), Err(ENOENT));
    Ok(())
}

/// With `O_CREAT` alone an object that exists is opened as it is: its bytes stay, and the mode of the call is of no account.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn takes_an_object_that_exists_as_it_is() -> Outcome {
    let object = pages(1)?;
    let again = shm_open(object.name(), CREATE, 0o000);
    expect_matches!(again, Ok(_));
    let again = again?;
    expect_eq!((contents(&again), permissions(&fstat(&again)?)), (Ok(pattern(page_size())), 0o600));
    expect_eq!((fstat(&again)?.st_ino, fstat(&again)?.st_dev), (fstat(&object)?.st_ino, fstat(&object)?.st_dev));
    Ok(())
}

/// `O_CREAT` makes an object for a reader too: one of no bytes, that somebody else can give a size.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn for_reading_makes_an_object_too() -> Outcome {
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

/// `O_TRUNC` empties an object for everybody who has it open; what it is given later is zeroes, and its permissions stay.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn with_truncation_empties_the_object() -> Outcome {
    let object = pages(2)?;
    let emptied = shm_open(object.name(), CREATE | OFlag::O_TRUNC, 0o666);
    expect_matches!(emptied, Ok(_));
    let status = fstat(&object)?;
    expect_eq!((status.st_size, permissions(&status), fstat(&emptied?)?.st_ino), (0, 0o600, status.st_ino));
    object.set_size(page_size() + 9)?;
    expect_eq!(contents(&object), Ok(vec![0; page_size() + 9]));
    Ok(())
}

/// What `O_TRUNC` does for a reader is undefined: the object is emptied or stays whole.
#[conformance::test(posix = "shm_open", level = observed)]
fn for_reading_may_empty_the_object() -> Outcome {
    let object = pages(1)?;
    let opened = shm_open(object.name(), OFlag::O_RDONLY | OFlag::O_TRUNC, 0).map(drop);
    let left = contents(&object)?;
    expect!(left.is_empty() || left == pattern(page_size()));
    observe!("posix_shm.truncated-for-reading", format!("{opened:?}, {}", if left.is_empty() { "empty" } else { "whole" }));
    Ok(())
}

/// The descriptor has the access that was asked for, and no status flag besides.
#[rstest]
#[case::for_reading(OFlag::O_RDONLY)]
#[case::for_both(OFlag::O_RDWR)]
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn gives_the_access_asked_for(#[case] flags: OFlag) -> Outcome {
    let object = pages(1)?;
    for more in [OFlag::empty(), OFlag::O_CREAT] {
        let opened = shm_open(object.name(), flags | more, 0o600);
        expect_matches!(opened, Ok(_));
        let seen = status_flags(&opened?)?;
        expect_eq!(seen & OFlag::O_ACCMODE, flags);
        expect!(!seen.intersects(OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_TRUNC));
    }
    Ok(())
}

/// Whether an object can be opened for writing only is left open: the caller is to ask for one of the two other modes.
#[conformance::test(posix = "shm_open", level = observed)]
fn may_give_write_access_alone() -> Outcome {
    let object = pages(1)?;
    let seen = shm_open(object.name(), OFlag::O_WRONLY, 0).and_then(|opened| Ok(status_flags(&opened)? & OFlag::O_ACCMODE));
    expect_matches!(seen, Ok(OFlag::O_WRONLY) | Err(_));
    observe!("posix_shm.write-only", seen.map_or_else(|errno| format!("{errno:?}"), |_| "accepted".to_owned()));
    Ok(())
}

/// Each opening takes the lowest descriptor that is free, also where one was given back in the midst.
#[conformance::test(posix = "shm_open")]
fn takes_the_lowest_descriptor() -> Outcome {
    let object = pages(1)?;
    let open = || shm_open(object.name(), OFlag::O_RDWR, 0);
    let mut held = (0..4).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
    let freed: Vec<i32> = [3, 1].map(|index| held.remove(index).as_raw_fd()).to_vec();
    let again = [open()?, open()?];
    expect_eq!(again.each_ref().map(AsRawFd::as_raw_fd), [freed[1], freed[0]]);
    Ok(())
}

/// Every descriptor is made with close-on-exec, be the object found or made.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn sets_close_on_exec() -> Outcome {
    let name = Name::new("cloexec");
    let made = name.open(CREATE_NEW, 0o600)?;
    let found = [name.open(OFlag::O_RDONLY, 0)?, name.open(CREATE, 0)?];
    expect_eq!((close_on_exec(&made), found.map(close_on_exec)), (Ok(true), [Ok(true), Ok(true)]));
    Ok(())
}

/// A process that is started afresh has none of the descriptors, but for a copy whose flag was cleared, and that one works.
#[conformance::test(posix = "shm_open", posix = "exec")]
fn gives_nothing_to_another_program() -> Outcome {
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

/// Each opening makes a description of its own, with status flags that concern no other; a duplicate shares them.
#[conformance::test(posix = "shm_open", posix = "fcntl")]
fn makes_a_description_of_its_own() -> Outcome {
    let object = pages(1)?;
    let (other, copy) = (shm_open(object.name(), OFlag::O_RDWR, 0)?, dup(&object)?);
    let before = status_flags(&other)?;
    expect!(!before.contains(OFlag::O_APPEND));
    set_status_flags(&object, status_flags(&object)? | OFlag::O_APPEND)?;
    expect_eq!((status_flags(&other), status_flags(&copy)?.contains(OFlag::O_APPEND)), (Ok(before), true));
    Ok(())
}

/// A process that has no descriptor left makes no object, and empties none.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn without_a_descriptor_left_makes_nothing() -> Outcome {
    let (name, object) = (Name::new("emfile"), pages(1)?);
    let full = Participant::spawn("process without room", dup(&object)?, |held, _| {
        leave_room(&held, 0)?;
        let made = name.open(CREATE_NEW, 0o600).map(drop);
        let emptied = shm_open(object.name(), OFlag::O_RDWR | OFlag::O_TRUNC, 0).map(drop);
        limit_descriptors(256)?;
        Ok::<_, Errno>((made, emptied, name.visit(OFlag::O_RDONLY)))
    })?;
    expect_eq!(full.join()?, Ok((Err(EMFILE), Err(EMFILE), Err(ENOENT))));
    expect_eq!((name.visit(OFlag::O_RDONLY), contents(&object)), (Err(ENOENT), Ok(pattern(page_size()))));
    Ok(())
}

/// Opening and closing an object over and over uses nothing up, and leaves it as it is.
#[conformance::test(posix = "shm_open")]
fn over_and_over_uses_nothing_up() -> Outcome {
    let object = pages(1)?;
    let open = open_descriptors();
    for _ in 0..300 {
        expect_eq!(shm_open(object.name(), OFlag::O_RDWR, 0).map(drop), Ok(()));
    }
    expect_eq!((open_descriptors(), contents(&object)), (open, Ok(pattern(page_size()))));
    Ok(())
}
