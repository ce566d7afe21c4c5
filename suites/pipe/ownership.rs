//! Ownership: a pipe belongs to the effective user and group of the process that made it, whoever that is, and whoever holds it later.

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

/// An unprivileged user's pipe is the user's, and its group's, at both ends.
#[conformance::test(posix = "pipe", needs(second_user))]
fn is_the_user_s_who_made_it() -> Outcome {
    let maker = Participant::spawn("maker", (), |(), _| {
        let (user, group) = second_user();
        become_user(user, group)?;
        owners(&pipe()?)
    })?;
    expect_eq!(maker.join()?, Ok([second(); 2]));
    Ok(())
}

/// Where real and effective ids differ the effective ones count: both of the second user, or one of each.
#[conformance::test(posix = "pipe", needs(second_user))]
fn goes_by_the_effective_ids() -> Outcome {
    let (user, group) = second();
    let (own_user, own_group) = (Uid::effective().as_raw(), Gid::effective().as_raw());
    let maker = Participant::spawn("maker", (), move |(), _| {
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
    expect_eq!(maker.join()?, Ok(expected));
    Ok(())
}

/// The real ids, and the saved ones, of another user make no difference.
#[cfg(linux)]
#[conformance::test(posix = "pipe", man = "credentials(7)", needs(second_user))]
fn does_not_go_by_the_real_ids() -> Outcome {
    let own = (Uid::effective().as_raw(), Gid::effective().as_raw());
    let maker = Participant::spawn("maker", (), |(), _| {
        let (user, group) = second_user();
        let (own_user, own_group) = (Uid::effective(), Gid::effective());
        nix::unistd::setresgid(group, own_group, group)?;
        nix::unistd::setresuid(user, own_user, user)?;
        Ok::<_, Errno>((owners(&pipe()?)?, owners(&pipe2(OFlag::O_CLOEXEC)?)?))
    })?;
    expect_eq!(maker.join()?, Ok(([own; 2], [own; 2])));
    Ok(())
}

/// Which user is the owner where the ids for the file system were changed apart from the effective ones is the system's choice.
#[cfg(linux)]
#[conformance::test(man = "credentials(7)", level = observed, needs(second_user))]
fn with_other_ids_for_files_is_either_s() -> Outcome {
    let own = (Uid::effective().as_raw(), Gid::effective().as_raw());
    let maker = Participant::spawn("maker", (), |(), _| {
        let (user, group) = second_user();
        nix::unistd::setfsgid(group);
        nix::unistd::setfsuid(user);
        owners(&pipe()?)
    })?;
    let seen = maker.join()?;
    observe!("pipe.owned-by-the-user-for-files", seen == Ok([second(); 2]));
    expect!(seen == Ok([second(); 2]) || seen == Ok([own; 2]), "{seen:?}");
    Ok(())
}

/// A pipe stays whose it was when its maker becomes another user, and when another user inherits it.
#[conformance::test(posix = "pipe", needs(second_user))]
fn does_not_follow_its_holder() -> Outcome {
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

/// Another's pipe can be used by who holds its descriptors, and be given other permissions by its owner alone.
#[cfg(linux)]
#[conformance::test(posix = "fchmod", man = "chmod(2)", needs(second_user))]
fn decides_who_may_change_the_permissions() -> Outcome {
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
