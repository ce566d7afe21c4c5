//! Permissions of named semaphores: who may open one, decided by its mode when it is opened, and who may take its name away.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::path::node::umask;
#[cfg(linux)]
use conformance::sys::path::status::permissions;
use conformance::sys::process::identity::become_user;
use conformance::sys::semaphore::{Semaphore, sem_unlink};
use rstest::rstest;

use super::name::{Name, new_only};

/// Makes a semaphore with exactly that mode.
fn make(name: &Name, mode: u32, value: u32) -> Result<Semaphore, Errno> {
    let before = umask(0);
    let made = Semaphore::open_with(name, new_only(), mode, value);
    umask(before);
    made
}

/// Does something as the second user.
fn as_second_user<T: serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug>(
    body: impl FnOnce() -> T,
) -> Result<T, Failure> {
    let (user, group) = second_user();
    let participant = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>(body())
    })?;
    Ok(participant.join()??)
}

/// To open a semaphore takes both rights, reading and writing; with either missing it is refused and keeps its value.
#[rstest]
#[case::both(0o606, Ok(()))]
#[case::reading_only(0o604, Err(EACCES))]
#[case::writing_only(0o602, Err(EACCES))]
#[case::neither(0o600, Err(EACCES))]
#[case::others_may_less_than_all_else(0o770, Err(EACCES))]
#[conformance::test(posix = "sem_open", man = "sem_open(3)", needs(second_user))]
fn takes_both_rights(#[case] mode: u32, #[case] expected: Result<(), Errno>) -> Outcome {
    let name = Name::new();
    let semaphore = make(&name, mode, 2)?;
    let seen =
        as_second_user(|| (Semaphore::open(&name).map(drop), Semaphore::open_with(&name, OFlag::O_CREAT, 0o666, 9).map(drop)))?;
    expect_eq!((seen, semaphore.drain()), ((expected, expected), Ok(2)));
    Ok(())
}

/// A semaphore that may not be opened exists all the same: creating it exclusively says so.
#[conformance::test(posix = "sem_open", needs(second_user))]
fn comes_after_existence() -> Outcome {
    let name = Name::new();
    let semaphore = make(&name, 0o600, 2)?;
    let seen = as_second_user(|| Semaphore::open_with(&name, new_only(), 0o666, 9).map(drop))?;
    expect_eq!((seen, semaphore.drain()), (Err(EEXIST), Ok(2)));
    Ok(())
}

/// The maker of a semaphore can use what it has made whatever the mode, but cannot open it again without the rights.
#[rstest]
#[case::none_at_all(0)]
#[case::for_others_only(0o066)]
#[conformance::test(posix = "sem_open", needs(second_user))]
fn is_not_asked_of_the_maker(#[case] mode: u32) -> Outcome {
    let name = Name::new();
    let seen = as_second_user(|| {
        let made = make(&name, mode, 1)?;
        let used = (made.wait(), made.post(), made.post());
        made.close()?;
        Ok::<_, Errno>((used, Semaphore::open(&name).map(drop), sem_unlink(&name)))
    })?;
    expect_eq!(seen, Ok(((Ok(()), Ok(()), Ok(())), Err(EACCES), Ok(()))));
    Ok(())
}

/// What is open stays usable when the process becomes somebody who could not open it.
#[conformance::test(posix = "sem_open", needs(second_user))]
fn is_asked_when_opening_only() -> Outcome {
    let name = Name::new();
    let semaphore = make(&name, 0o600, 1)?;
    let (user, group) = second_user();
    let fallen = Participant::spawn_inheriting("fallen", |_| {
        let own = Semaphore::open(&name)?;
        become_user(user, group)?;
        Ok::<_, Errno>((own.wait(), own.post(), own.post(), own.close(), semaphore.post()))
    })?;
    expect_eq!(fallen.join()?, Ok((Ok(()), Ok(()), Ok(()), Ok(()), Ok(()))));
    expect_eq!(semaphore.drain(), Ok(3));
    Ok(())
}

/// Whoever may use a semaphore may not for that take its name away: another's name is refused, and stays.
#[conformance::test(posix = "sem_unlink", man = "sem_unlink(3)", needs(second_user))]
fn to_unlink_is_not_that_to_use() -> Outcome {
    let name = Name::new();
    let semaphore = make(&name, 0o666, 1)?;
    let seen = as_second_user(|| (Semaphore::open(&name).and_then(|own| own.post()), sem_unlink(&name)))?;
    expect_eq!(seen, (Ok(()), Err(EACCES)));
    expect_eq!((Semaphore::open(&name).map(drop), semaphore.drain()), (Ok(()), Ok(2)));
    Ok(())
}

/// The second user unlinks what it has made itself, and the first user opens it no more.
#[conformance::test(posix = "sem_unlink", needs(second_user))]
fn to_unlink_is_the_makers() -> Outcome {
    let name = Name::new();
    let seen = as_second_user(|| (make(&name, 0o600, 1).and_then(Semaphore::close), sem_unlink(&name)))?;
    expect_eq!((seen, Semaphore::open(&name).map(drop)), ((Ok(()), Ok(())), Err(ENOENT)));
    Ok(())
}

/// A process with the capability to override permissions opens a semaphore that allows nothing.
#[conformance::test(man = "capabilities(7)", needs(CAP_DAC_OVERRIDE))]
fn can_be_overridden() -> Outcome {
    let name = Name::new();
    let semaphore = make(&name, 0, 1)?;
    expect_eq!((Semaphore::open(&name).map(drop), semaphore.drain()), (Ok(()), Ok(1)));
    Ok(())
}

/// The mode of a new semaphore is the one asked for, less the bits of the umask, which is as it was afterwards.
#[cfg(linux)]
#[rstest]
#[case::usual_mask(0o666, 0o022, 0o644)]
#[case::no_mask(0o640, 0, 0o640)]
#[case::mask_of_all_others(0o666, 0o077, 0o600)]
#[case::mask_of_bits_that_are_clear(0o600, 0o177, 0o600)]
#[case::mask_of_the_maker(0o666, 0o400, 0o266)]
#[case::nothing_left(0o666, 0o777, 0)]
#[conformance::test(posix = "sem_open", posix = "umask", man = "sem_open(3)")]
fn is_what_the_umask_leaves(#[case] mode: u32, #[case] mask: u32, #[case] expected: u32) -> Outcome {
    let name = Name::new();
    let before = umask(mask);
    let made = Semaphore::open_with(&name, new_only(), mode, 0);
    let after = umask(before);
    expect_eq!((made.map(drop), after), (Ok(()), mask));
    expect_eq!(stat(&file_of(&name)).map(|status| permissions(&status) & 0o777), Ok(expected));
    // Opening the name with another mode and mask changes neither.
    let before = umask(0);
    let again = Semaphore::open_with(&name, OFlag::O_CREAT, 0o777, 0).map(drop);
    umask(before);
    expect_matches!(again, Ok(()) | Err(EACCES));
    expect_eq!(stat(&file_of(&name)).map(|status| permissions(&status) & 0o777), Ok(expected));
    Ok(())
}

/// A new semaphore belongs to the effective user and group of its maker.
#[cfg(linux)]
#[conformance::test(posix = "sem_open", needs(second_user))]
fn is_that_of_the_makers_effective_ids() -> Outcome {
    let name = Name::new();
    let seen = as_second_user(|| make(&name, 0o600, 1).and_then(Semaphore::close))?;
    let (user, group) = second_user();
    let owner = stat(&file_of(&name)).map(|status| (status.st_uid, status.st_gid));
    expect_eq!((seen, owner), (Ok(()), Ok((user.as_raw(), group.as_raw()))));
    Ok(())
}

/// The file of a named semaphore: glibc and musl call it differently.
#[cfg(linux)]
fn file_of(name: &str) -> PathBuf {
    let directory = Path::new("/dev/shm");
    let prefixed = directory.join(format!("sem.{}", &name[1..]));
    if prefixed.exists() { prefixed } else { directory.join(&name[1..]) }
}
