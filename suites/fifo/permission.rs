//! Permission to open and to create a FIFO. Permission is checked by `open`, before the call blocks, and never again.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::path::attributes::{chmod, chown, fchmod};
use conformance::sys::path::node::mknod;
use conformance::sys::process::identity::become_user;
use nix::sys::stat::SFlag;
use nix::unistd::{getegid, geteuid};
use proptest::sample::select;
use rstest::rstest;
use rstest_reuse::apply;

use super::creation::Call;
use super::fixture::{AccessMode, Fifo, every_access_mode, names_in, open_and_close};

/// The class of the second user for a FIFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Owner,
    Group,
    Other,
}

/// Results of `open` with `O_RDONLY`, `O_WRONLY` and `O_RDWR`, in that order.
type Opened = [Result<(), Errno>; 3];

/// A FIFO for which the second user has that class, in a directory that every user may search.
fn fifo_for(class: Class, mode: u32) -> Result<Fifo, Errno> {
    let fifo = Fifo::new()?;
    chmod(fifo.directory(), 0o755)?;
    let (user, group) = second_user();
    let owner = if class == Class::Owner { user } else { geteuid() };
    let group = if class == Class::Group { group } else { getegid() };
    chown(fifo.path(), owner, group)?;
    chmod(fifo.path(), mode)?;
    Ok(fifo)
}

/// The results of `open` by the second user.
fn opened_by_the_second_user(fifo: &Fifo) -> Result<Opened, Failure> {
    let (user, group) = second_user();
    let second = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>([OFlag::O_RDONLY, OFlag::O_WRONLY, OFlag::O_RDWR].map(|flags| fifo.open_and_close(flags)))
    })?;
    Ok(second.join()??)
}

/// The results that those bits allow.
fn allowed(bits: u32) -> Opened {
    [0o4, 0o2, 0o6].map(|needed| if bits & needed == needed { Ok(()) } else { Err(EACCES) })
}

/// While another process has a FIFO open with `O_RDWR`, `open` by an unprivileged process with `O_NONBLOCK` and `O_RDONLY` needs
/// the read bit of the caller's class (owner, group or other), with `O_WRONLY` the write bit, and with `O_RDWR` both. `open`
/// returns a descriptor if these bits are set, and fails with `EACCES` if not, whatever the bits of the other classes.
#[rstest]
#[case::owner_read_bit(Class::Owner, 0o400, 0o4)]
#[case::owner_write_bit(Class::Owner, 0o200, 0o2)]
#[case::owner_read_and_write_bits(Class::Owner, 0o600, 0o6)]
#[case::owner_without_the_bits_of_others(Class::Owner, 0o066, 0)]
#[case::owner_execute_bit(Class::Owner, 0o100, 0)]
#[case::group_read_bit(Class::Group, 0o040, 0o4)]
#[case::group_write_bit(Class::Group, 0o020, 0o2)]
#[case::group_without_the_bits_of_others(Class::Group, 0o606, 0)]
#[case::other_read_bit(Class::Other, 0o004, 0o4)]
#[case::other_write_bit(Class::Other, 0o002, 0o2)]
#[case::other_without_the_bits_of_owner_and_group(Class::Other, 0o770, 0)]
#[conformance::test(posix = "open", needs(second_user))]
fn is_that_of_the_callers_class(#[case] class: Class, #[case] mode: u32, #[case] bits: u32) -> Outcome {
    let fifo = fifo_for(class, 0o600)?;
    let _holder = fifo.read_write()?;
    chmod(fifo.path(), mode)?;
    expect_eq!(opened_by_the_second_user(&fifo)?, allowed(bits));
    Ok(())
}

/// For random modes from 0 to 0777 of a FIFO that another process has open with `O_RDWR`, and each class (owner, group or other)
/// of an unprivileged caller, `open` with `O_NONBLOCK` and `O_RDONLY`, `O_WRONLY` or `O_RDWR` returns a descriptor if the read
/// bit, the write bit or both bits of that class are set, and fails with `EACCES` if not.
#[conformance::test(posix = "open", needs(second_user))]
fn is_that_of_the_callers_class_for_every_mode() -> Outcome {
    property(&(select(vec![Class::Owner, Class::Group, Class::Other]), 0_u32..0o1000), |(class, mode)| {
        let fifo = fifo_for(class, 0o600)?;
        let _holder = fifo.read_write()?;
        chmod(fifo.path(), mode)?;
        let shift = [(Class::Owner, 6), (Class::Group, 3), (Class::Other, 0)].into_iter().find(|&(other, _)| other == class);
        let bits = mode >> shift.map_or(0, |(_, shift)| shift) & 7;
        expect_eq!(opened_by_the_second_user(&fifo)?, allowed(bits));
        Ok(())
    })
}

/// `open` of a FIFO for reading or writing by an unprivileged process without permission on the FIFO fails with `EACCES` without
/// blocking. An `open` of the opposite end in which another process is blocked stays blocked.
#[apply(every_access_mode)]
#[conformance::test(posix = "open", needs(second_user))]
fn is_checked_before_blocking(access: AccessMode) -> Outcome {
    let fifo = fifo_for(Class::Other, 0o770)?;
    let (user, group) = second_user();
    let peer = fifo.blocked_open(access.opposite(), "peer")?;
    let second = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        open(fifo.path(), access.flag()).map(drop)
    })?;
    expect_eq!(second.join()?, Err(EACCES));
    peer.expect_still_blocked()?;
    fifo.open_and_close(access.flag())?;
    expect_eq!(peer.join()?, Ok(()));
    Ok(())
}

/// `open` of a FIFO without readers with `O_WRONLY | O_NONBLOCK` by an unprivileged process fails with `EACCES` if the caller has
/// no write permission, and with `ENXIO` if the caller has write permission.
#[conformance::test(posix = "open", needs(second_user))]
fn is_checked_before_the_reader() -> Outcome {
    let fifo = fifo_for(Class::Other, 0o662)?;
    expect_eq!(opened_by_the_second_user(&fifo)?, [Err(EACCES), Err(ENXIO), Err(EACCES)]);
    chmod(fifo.path(), 0o660)?;
    expect_eq!(opened_by_the_second_user(&fifo)?, [Err(EACCES); 3]);
    Ok(())
}

/// `open` of a FIFO of mode 0666 by an unprivileged process fails with `EACCES` if the caller has no search permission on the
/// directory of the FIFO, and returns a descriptor if the caller has search permission.
#[conformance::test(posix = "open", needs(second_user))]
fn needs_search_permission_on_the_directory() -> Outcome {
    let fifo = fifo_for(Class::Owner, 0o666)?;
    chmod(fifo.directory(), 0o766)?;
    let _holder = fifo.read_write()?;
    expect_eq!(opened_by_the_second_user(&fifo)?, [Err(EACCES); 3]);
    chmod(fifo.directory(), 0o711)?;
    expect_eq!(opened_by_the_second_user(&fifo)?, [Ok(()); 3]);
    Ok(())
}

/// `open` of a FIFO by its owner without effective capabilities, also by user ID 0, returns a descriptor if the owner bits of the
/// mode allow the access mode, and fails with `EACCES` if they do not.
#[cfg(linux)]
#[conformance::test(posix = "open", man = "capabilities(7)")]
fn binds_an_owner_without_capabilities() -> Outcome {
    let fifo = Fifo::new()?;
    let holder = fifo.read_write()?;
    let owner = Participant::spawn("owner", holder, |_holder, _| {
        caps::clear(None, caps::CapSet::Effective).map_err(|_| EPERM)?;
        (0..8_u32)
            .map(|bits| {
                chmod(fifo.path(), bits << 6)?;
                Ok([OFlag::O_RDONLY, OFlag::O_WRONLY, OFlag::O_RDWR].map(|flags| fifo.open_and_close(flags)))
            })
            .collect::<Result<Vec<Opened>, Errno>>()
    })?;
    expect_eq!(owner.join()?, Ok((0..8).map(allowed).collect::<Vec<Opened>>()));
    Ok(())
}

/// `open` of a FIFO of mode 0 by a process with `CAP_DAC_OVERRIDE` returns a descriptor with `O_RDONLY`, `O_WRONLY` and `O_RDWR`.
#[conformance::test(man = "capabilities(7)", needs(CAP_DAC_OVERRIDE))]
fn cap_dac_override_overrides_the_mode() -> Outcome {
    let fifo = Fifo::new()?;
    let _holder = fifo.read_write()?;
    chmod(fifo.path(), 0)?;
    expect_eq!([OFlag::O_RDONLY, OFlag::O_WRONLY, OFlag::O_RDWR].map(|flags| fifo.open_and_close(flags)), [Ok(()); 3]);
    Ok(())
}

/// After `chmod` of a FIFO to mode 0, `write` of 4 bytes by an unprivileged process through an end opened before returns 4, and
/// `read` returns these bytes. `open` of the FIFO by that process fails with `EACCES`.
#[conformance::test(posix = "chmod", needs(second_user))]
fn is_checked_by_open_only() -> Outcome {
    let fifo = fifo_for(Class::Owner, 0o600)?;
    let (user, group) = second_user();
    let ends: [OwnedFd; 2] = fifo.ends()?.into();
    let holder = Participant::spawn("holder", ends, |[reader, writer], link| {
        become_user(user, group)?;
        link.meet("before");
        let moved = (write(&writer, b"data"), read_some(&reader, 9));
        Ok::<_, Errno>((moved, open_and_close(fifo.path(), OFlag::O_RDONLY)))
    })?;
    holder.until_reached("before")?;
    chmod(fifo.path(), 0)?;
    holder.open("before")?;
    expect_eq!(holder.join()?, Ok(((Ok(4), Ok(b"data".to_vec())), Err(EACCES))));
    Ok(())
}

/// `open` of a FIFO of mode 0600 by an unprivileged process of another user fails with `EACCES`. After `fchmod` of an open end to
/// mode 0606, `open` by that user returns a descriptor.
#[conformance::test(posix = "fchmod", needs(second_user))]
fn fchmod_applies_to_the_next_open() -> Outcome {
    let fifo = fifo_for(Class::Other, 0o600)?;
    let end = fifo.read_write()?;
    expect_eq!(opened_by_the_second_user(&fifo)?, [Err(EACCES); 3]);
    expect_eq!(fchmod(&end, 0o606), Ok(()));
    expect_eq!(opened_by_the_second_user(&fifo)?, [Ok(()); 3]);
    Ok(())
}

/// `open` of a FIFO by an unprivileged process, blocked since before `chmod` removed the caller's permission, returns a
/// descriptor when the opposite end is opened.
#[apply(every_access_mode)]
#[conformance::test(posix = "open", needs(second_user))]
fn is_not_checked_again_after_blocking(access: AccessMode) -> Outcome {
    let fifo = fifo_for(Class::Other, 0o606)?;
    let (user, group) = second_user();
    let opener = Participant::spawn("opener", (), |(), _| {
        become_user(user, group)?;
        open(fifo.path(), access.flag()).map(drop)
    })?;
    opener.until_blocked()?;
    chmod(fifo.path(), 0o600)?;
    expect_eq!(fifo.open_and_close(access.opposite().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    expect_eq!(opened_by_the_second_user(&fifo)?, [Err(EACCES); 3]);
    Ok(())
}

/// `mkfifo` and `mknod` by an unprivileged process return 0 if the caller has write and search permission on the directory. If
/// either permission is missing, both calls fail with `EACCES` and create no name.
#[rstest]
#[case::write_and_search(0o733, Ok(()))]
#[case::no_write(0o755, Err(EACCES))]
#[case::no_search(0o766, Err(EACCES))]
#[conformance::test(posix = "mkfifo", posix = "mknod", needs(second_user))]
fn creation_needs_write_and_search_on_the_directory(#[case] mode: u32, #[case] expected: Result<(), Errno>) -> Outcome {
    let scratch = Scratch::new()?;
    chmod(scratch.path(), mode)?;
    let (user, group) = second_user();
    let paths = [scratch.join("mkfifo"), scratch.join("mknod")];
    let creator = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>([Call::Mkfifo.create(&paths[0], 0o600), Call::Mknod.create(&paths[1], 0o600)])
    })?;
    expect_eq!(creator.join()?, Ok([expected; 2]));
    expect_eq!(names_in(scratch.path()).map(|names| names.len()), Ok(if expected.is_ok() { 2 } else { 0 }));
    Ok(())
}

/// `mknod` with `S_IFIFO` by an unprivileged process returns 0, and `stat` of the new FIFO reports the user ID of that process.
/// `mknod` with `S_IFCHR` by the same process fails with `EPERM`.
#[conformance::test(posix = "mknod", needs(second_user))]
fn mknod_of_a_fifo_needs_no_privilege() -> Outcome {
    let scratch = Scratch::new()?;
    chmod(scratch.path(), 0o733)?;
    let (user, group) = second_user();
    let (fifo, device) = (scratch.join("fifo"), scratch.join("device"));
    let creator = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>((mknod(&fifo, SFlag::S_IFIFO, 0o600, 0), mknod(&device, SFlag::S_IFCHR, 0o600, 0x0103)))
    })?;
    expect_eq!(creator.join()?, Ok((Ok(()), Err(EPERM))));
    let status = stat(&fifo)?;
    expect_eq!((status.st_uid, names_in(scratch.path())), (user.as_raw(), Ok(vec!["fifo".to_owned()])));
    Ok(())
}
