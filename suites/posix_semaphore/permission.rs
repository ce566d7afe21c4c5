//! Permissions of named semaphores: which mode they get, who may open one, and who may unlink its name.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::path::node::umask;
#[cfg(linux)]
use conformance::sys::path::status::permissions;
use conformance::sys::process::identity::become_user;
use conformance::sys::semaphore::{Semaphore, sem_unlink};
use rstest::rstest;

use super::fixture::{CREATE_NEW, Name};

/// Creates a semaphore with exactly that mode.
fn create_with_mode(name: &Name, mode: u32, value: u32) -> Result<Semaphore, Errno> {
    let before = umask(0);
    let created = Semaphore::open_with(name, CREATE_NEW, mode, value);
    umask(before);
    created
}

/// Runs the body as the second user, and gives its value.
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

/// `sem_open` of an existing semaphore by an unprivileged process, without `O_EXCL`, with or without `O_CREAT`, returns the
/// semaphore if the mode of the semaphore gives this process read and write permission. If one of the two permissions is missing,
/// `sem_open` fails with `EACCES`.
#[rstest]
#[case::read_and_write(0o606, Ok(()))]
#[case::read_only(0o604, Err(EACCES))]
#[case::write_only(0o602, Err(EACCES))]
#[case::owner_only(0o600, Err(EACCES))]
#[case::owner_and_group_only(0o770, Err(EACCES))]
#[conformance::test(posix = "sem_open", man = "sem_open(3)", needs(second_user))]
fn open_needs_read_and_write_permission(#[case] mode: u32, #[case] expected: Result<(), Errno>) -> Outcome {
    let name = Name::new();
    let semaphore = create_with_mode(&name, mode, 2)?;
    let seen =
        as_second_user(|| (Semaphore::open(&name).map(drop), Semaphore::open_with(&name, OFlag::O_CREAT, 0o666, 9).map(drop)))?;
    expect_eq!((seen, semaphore.drain()), ((expected, expected), Ok(2)));
    Ok(())
}

/// `sem_open` with `O_CREAT | O_EXCL` by an unprivileged process on an existing semaphore of mode 0600 of another user fails with
/// `EEXIST`, not with `EACCES`. The value of the semaphore stays as it was.
#[conformance::test(posix = "sem_open", level = customary, needs(second_user))]
fn o_excl_without_permission_fails_with_eexist() -> Outcome {
    let name = Name::new();
    let semaphore = create_with_mode(&name, 0o600, 2)?;
    let seen = as_second_user(|| Semaphore::open_with(&name, CREATE_NEW, 0o666, 9).map(drop))?;
    expect_eq!((seen, semaphore.drain()), (Err(EEXIST), Ok(2)));
    Ok(())
}

/// If an unprivileged process creates a semaphore of value 1 with `sem_open` and mode 0000 or 0066, which give the owner no
/// permission, `sem_wait` and `sem_post` on the returned semaphore return 0. After `sem_close`, `sem_open` of the name by the
/// same process fails with `EACCES`.
#[rstest]
#[case::none(0)]
#[case::others_only(0o066)]
#[conformance::test(posix = "sem_open", needs(second_user))]
fn creator_can_use_a_semaphore_of_any_mode(#[case] mode: u32) -> Outcome {
    let name = Name::new();
    let seen = as_second_user(|| {
        let created = create_with_mode(&name, mode, 1)?;
        let used = (created.wait(), created.post(), created.post());
        created.close()?;
        Ok::<_, Errno>((used, Semaphore::open(&name).map(drop), sem_unlink(&name)))
    })?;
    expect_eq!(seen, Ok(((Ok(()), Ok(()), Ok(())), Err(EACCES), Ok(()))));
    Ok(())
}

/// If a process that has a semaphore of mode 0600 open changes its user and group IDs to those of an unprivileged user who does
/// not own the semaphore, `sem_wait`, `sem_post` and `sem_close` on this semaphore return 0.
#[conformance::test(posix = "sem_open", needs(second_user))]
fn is_checked_at_open_only() -> Outcome {
    let name = Name::new();
    let semaphore = create_with_mode(&name, 0o600, 1)?;
    let (user, group) = second_user();
    let process = Participant::spawn_inheriting("process that changes its user", |_| {
        let own = Semaphore::open(&name)?;
        become_user(user, group)?;
        Ok::<_, Errno>((own.wait(), own.post(), own.post(), own.close(), semaphore.post()))
    })?;
    expect_eq!(process.join()?, Ok((Ok(()), Ok(()), Ok(()), Ok(()), Ok(()))));
    expect_eq!(semaphore.drain(), Ok(3));
    Ok(())
}

/// `sem_unlink` by an unprivileged process fails with `EACCES` for a semaphore of another user, although its mode 0666 lets the
/// process open the semaphore with `sem_open`. Afterwards `sem_open` of the name by the owner returns the semaphore.
#[conformance::test(posix = "sem_unlink", man = "sem_unlink(3)", needs(second_user))]
fn unlink_by_another_user_fails_with_eacces() -> Outcome {
    let name = Name::new();
    let semaphore = create_with_mode(&name, 0o666, 1)?;
    let seen = as_second_user(|| (Semaphore::open(&name).and_then(|own| own.post()), sem_unlink(&name)))?;
    expect_eq!(seen, (Ok(()), Err(EACCES)));
    expect_eq!((Semaphore::open(&name).map(drop), semaphore.drain()), (Ok(()), Ok(2)));
    Ok(())
}

/// `sem_unlink` by the unprivileged user who created a semaphore returns 0. `sem_open` of the name without `O_CREAT` by another
/// user then fails with `ENOENT`.
#[conformance::test(posix = "sem_unlink", needs(second_user))]
fn unlink_by_the_creator_succeeds() -> Outcome {
    let name = Name::new();
    let seen = as_second_user(|| (create_with_mode(&name, 0o600, 1).and_then(Semaphore::close), sem_unlink(&name)))?;
    expect_eq!((seen, Semaphore::open(&name).map(drop)), ((Ok(()), Ok(())), Err(ENOENT)));
    Ok(())
}

/// `sem_open` by a process with `CAP_DAC_OVERRIDE` on an existing semaphore of mode 0000 returns the semaphore.
#[conformance::test(man = "capabilities(7)", needs(CAP_DAC_OVERRIDE))]
fn cap_dac_override_opens_mode_0() -> Outcome {
    let name = Name::new();
    let semaphore = create_with_mode(&name, 0, 1)?;
    expect_eq!((Semaphore::open(&name).map(drop), semaphore.drain()), (Ok(()), Ok(1)));
    Ok(())
}

/// A semaphore that `sem_open` creates has the permission bits `mode & ~umask`, and the umask stays as it was. A later `sem_open`
/// of the name with `O_CREAT` and another mode and umask leaves these permission bits as they were.
#[cfg(linux)]
#[rstest]
#[case::umask_022(0o666, 0o022, 0o644)]
#[case::umask_0(0o640, 0, 0o640)]
#[case::umask_077(0o666, 0o077, 0o600)]
#[case::umask_of_bits_that_are_clear(0o600, 0o177, 0o600)]
#[case::umask_of_the_owner(0o666, 0o400, 0o266)]
#[case::umask_777(0o666, 0o777, 0)]
#[conformance::test(posix = "sem_open", posix = "umask", man = "sem_open(3)")]
fn umask_clears_bits_of_the_mode(#[case] mode: u32, #[case] mask: u32, #[case] expected: u32) -> Outcome {
    let name = Name::new();
    let before = umask(mask);
    let created = Semaphore::open_with(&name, CREATE_NEW, mode, 0);
    let after = umask(before);
    expect_eq!((created.map(drop), after), (Ok(()), mask));
    expect_eq!(stat(&file_of(&name)).map(|status| permissions(&status) & 0o777), Ok(expected));
    // Opening the name with another mode and umask leaves the mode.
    let before = umask(0);
    let again = Semaphore::open_with(&name, OFlag::O_CREAT, 0o777, 0).map(drop);
    umask(before);
    expect_matches!(again, Ok(()) | Err(EACCES));
    expect_eq!(stat(&file_of(&name)).map(|status| permissions(&status) & 0o777), Ok(expected));
    Ok(())
}

/// The file in `/dev/shm` of a semaphore that `sem_open` creates has the effective user ID and the effective group ID of the
/// creating process as its owner and group.
#[cfg(linux)]
#[conformance::test(posix = "sem_open", needs(second_user))]
fn owner_is_the_effective_user_and_group() -> Outcome {
    let name = Name::new();
    let seen = as_second_user(|| create_with_mode(&name, 0o600, 1).and_then(Semaphore::close))?;
    let (user, group) = second_user();
    let owner = stat(&file_of(&name)).map(|status| (status.st_uid, status.st_gid));
    expect_eq!((seen, owner), (Ok(()), Ok((user.as_raw(), group.as_raw()))));
    Ok(())
}

/// The file of a named semaphore: glibc puts `sem.` before the name, musl does not.
#[cfg(linux)]
fn file_of(name: &str) -> PathBuf {
    let directory = Path::new("/dev/shm");
    let prefixed = directory.join(format!("sem.{}", &name[1..]));
    if prefixed.exists() { prefixed } else { directory.join(&name[1..]) }
}
