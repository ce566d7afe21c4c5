//! Ownership: `fstat` shows the effective user and group of the creating process as the owner of a pipe, also after other users
//! hold the pipe.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::process::identity::become_user;
use nix::unistd::{Gid, Uid, setegid, seteuid};

/// User and group of both ends.
fn owners((reader, writer): &(OwnedFd, OwnedFd)) -> Result<[(u32, u32); 2], Errno> {
    let owner = |end: &OwnedFd| fstat(end).map(|stat| (stat.st_uid, stat.st_gid));
    Ok([owner(reader)?, owner(writer)?])
}

/// The second user and its group, as `fstat` gives them.
fn second() -> (u32, u32) {
    let (user, group) = second_user();
    (user.as_raw(), group.as_raw())
}

/// `fstat` on both ends of a pipe created by an unprivileged user shows this user and its group as the owner.
#[conformance::test(posix = "pipe", needs(second_user))]
fn is_the_unprivileged_creator() -> Outcome {
    let creator = Participant::spawn("creator", (), |(), _| {
        let (user, group) = second_user();
        become_user(user, group)?;
        owners(&pipe()?)
    })?;
    expect_eq!(creator.join()?, Ok([second(); 2]));
    Ok(())
}

/// If the effective user or group of a process differs from the real one, `fstat` on both ends of its new pipe shows the
/// effective user and group as the owner.
#[conformance::test(posix = "pipe", needs(second_user))]
fn is_the_effective_user_and_group() -> Outcome {
    let (user, group) = second();
    let (own_user, own_group) = (Uid::effective().as_raw(), Gid::effective().as_raw());
    let creator = Participant::spawn("creator", (), move |(), _| {
        let (user, group) = second_user();
        let (own_user, own_group) = (Uid::effective(), Gid::effective());
        setegid(group)?;
        let by_group = owners(&pipe()?)?;
        seteuid(user)?;
        let by_both = owners(&pipe()?)?;
        seteuid(own_user)?;
        setegid(own_group)?;
        seteuid(user)?;
        let by_user = owners(&pipe()?)?;
        seteuid(own_user)?;
        Ok::<_, Errno>((by_group, by_both, by_user, owners(&pipe()?)?))
    })?;
    let expected = ([(own_user, group); 2], [(user, group); 2], [(user, own_group); 2], [(own_user, own_group); 2]);
    expect_eq!(creator.join()?, Ok(expected));
    Ok(())
}

/// If the real and saved user and group ID of a process differ from the effective ones, `fstat` on both ends of its new pipe
/// shows the effective user and group as the owner.
#[cfg(linux)]
#[conformance::test(posix = "pipe", man = "credentials(7)", needs(second_user))]
fn is_not_the_real_or_saved_user() -> Outcome {
    let own = (Uid::effective().as_raw(), Gid::effective().as_raw());
    let creator = Participant::spawn("creator", (), |(), _| {
        let (user, group) = second_user();
        let (own_user, own_group) = (Uid::effective(), Gid::effective());
        nix::unistd::setresgid(group, own_group, group)?;
        nix::unistd::setresuid(user, own_user, user)?;
        Ok::<_, Errno>((owners(&pipe()?)?, owners(&pipe2(OFlag::O_CLOEXEC)?)?))
    })?;
    expect_eq!(creator.join()?, Ok(([own; 2], [own; 2])));
    Ok(())
}

/// If `setfsuid` and `setfsgid` have set file-system IDs that differ from the effective ones, `fstat` on a new pipe shows the
/// file-system IDs or the effective IDs as the owner. Both are allowed, and which happens is recorded.
#[cfg(linux)]
#[conformance::test(man = "credentials(7)", level = observed, needs(second_user))]
fn may_be_the_file_system_user() -> Outcome {
    let own = (Uid::effective().as_raw(), Gid::effective().as_raw());
    let creator = Participant::spawn("creator", (), |(), _| {
        let (user, group) = second_user();
        nix::unistd::setfsgid(group);
        nix::unistd::setfsuid(user);
        owners(&pipe()?)
    })?;
    let seen = creator.join()?;
    observe!("pipe.owner-is-the-file-system-user", seen == Ok([second(); 2]));
    expect!(seen == Ok([second(); 2]) || seen == Ok([own; 2]), "{seen:?}");
    Ok(())
}

/// After a child that inherited a pipe has changed its user and group IDs and has written to the pipe, `fstat` on both ends still
/// shows the effective user and group of the creating process as the owner.
#[conformance::test(posix = "pipe", needs(second_user))]
fn stays_when_another_user_holds_the_pipe() -> Outcome {
    let own = (Uid::effective().as_raw(), Gid::effective().as_raw());
    let ends = pipe()?;
    let kept = (dup(&ends.0)?, dup(&ends.1)?);
    let holder = Participant::spawn("holder", ends, |ends, _| {
        let (user, group) = second_user();
        become_user(user, group)?;
        write(&ends.1, b"x")?;
        owners(&ends)
    })?;
    expect_eq!((holder.join()?, owners(&kept)), (Ok([own; 2]), Ok([own; 2])));
    expect_eq!(read_some(&kept.0, 9), Ok(b"x".to_vec()));
    Ok(())
}

/// `fchmod` and `fchown` by an unprivileged user on a pipe that another user created fail with `EPERM`. `fchmod` by that user on
/// a pipe that it created itself returns 0.
#[cfg(linux)]
#[conformance::test(posix = "fchmod", man = "chmod(2)", needs(second_user))]
fn only_the_owner_may_call_fchmod() -> Outcome {
    let ends = pipe()?;
    let holder = Participant::spawn("holder", ends, |ends, _| {
        let (user, group) = second_user();
        become_user(user, group)?;
        let theirs = pipe()?;
        let mode = 0o400;
        Ok::<_, Errno>((
            fchmod(&ends.0, mode),
            fchown(&ends.0, user, group),
            fchmod(&theirs.0, mode),
            fstat(&theirs.1)?.st_mode & 0o777,
            write(&theirs.1, b"x"),
        ))
    })?;
    expect_eq!(holder.join()?, Ok((Err(EPERM), Err(EPERM), Ok(()), 0o400, Ok(1))));
    Ok(())
}
