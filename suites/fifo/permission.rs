//! Who may open a FIFO, in which direction, and when that is decided: at `open`, before any waiting, and never again.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::path::attributes::{chmod, chown, fchmod};
use conformance::sys::path::node::mknod;
use conformance::sys::process::identity::become_user;
use nix::sys::stat::SFlag;
use nix::unistd::{getegid, geteuid};
use proptest::sample::select;
use rstest::rstest;

use super::creation::Maker;
use super::fixture::{Named, Side, names_in, visit};

/// As whom the second user comes to a FIFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Owner,
    Group,
    Other,
}

/// Results of opening for reading, for writing and for both, in that order.
type Opened = [Result<(), Errno>; 3];

/// A FIFO in a directory that everybody may search, which gives the second user that role.
fn fifo_for(role: Role, mode: u32) -> Result<Named, Errno> {
    let fifo = Named::new()?;
    chmod(fifo.directory(), 0o755)?;
    let (user, group) = second_user();
    let owner = if role == Role::Owner { user } else { geteuid() };
    let group = if role == Role::Group { group } else { getegid() };
    chown(fifo.path(), owner, group)?;
    chmod(fifo.path(), mode)?;
    Ok(fifo)
}

/// What the second user gets, while somebody else has the FIFO open for both.
fn opened_by_the_second_user(fifo: &Named) -> Result<Opened, Failure> {
    let (user, group) = second_user();
    let stranger = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>([OFlag::O_RDONLY, OFlag::O_WRONLY, OFlag::O_RDWR].map(|flags| fifo.visit(flags)))
    })?;
    Ok(stranger.join()??)
}

/// What those bits allow.
fn allowed(bits: u32) -> Opened {
    [0o4, 0o2, 0o6].map(|needed| if bits & needed == needed { Ok(()) } else { Err(EACCES) })
}

/// Opening for reading needs the read bit, for writing the write bit, for both both: of the one class that the process is in.
#[rstest]
#[case::owner_may_read(Role::Owner, 0o400, 0o4)]
#[case::owner_may_write(Role::Owner, 0o200, 0o2)]
#[case::owner_may_do_both(Role::Owner, 0o600, 0o6)]
#[case::owner_may_less_than_others(Role::Owner, 0o066, 0)]
#[case::execute_bit_is_no_use(Role::Owner, 0o100, 0)]
#[case::group_may_read(Role::Group, 0o040, 0o4)]
#[case::group_may_write(Role::Group, 0o020, 0o2)]
#[case::group_may_less_than_others(Role::Group, 0o606, 0)]
#[case::others_may_read(Role::Other, 0o004, 0o4)]
#[case::others_may_write(Role::Other, 0o002, 0o2)]
#[case::others_may_less_than_all_else(Role::Other, 0o770, 0)]
#[conformance::test(posix = "open", needs(second_user))]
fn is_that_of_the_class(#[case] role: Role, #[case] mode: u32, #[case] bits: u32) -> Outcome {
    let fifo = fifo_for(role, 0o600)?;
    let _holder = fifo.both()?;
    chmod(fifo.path(), mode)?;
    expect_eq!(opened_by_the_second_user(&fifo)?, allowed(bits));
    Ok(())
}

/// The same for every mode and class.
#[conformance::test(posix = "open", needs(second_user))]
fn is_that_of_the_class_for_every_mode() -> Outcome {
    property(&(select(vec![Role::Owner, Role::Group, Role::Other]), 0_u32..0o1000), |(role, mode)| {
        let fifo = fifo_for(role, 0o600)?;
        let _holder = fifo.both()?;
        chmod(fifo.path(), mode)?;
        let shift = [(Role::Owner, 6), (Role::Group, 3), (Role::Other, 0)].into_iter().find(|&(class, _)| class == role);
        let bits = mode >> shift.map_or(0, |(_, shift)| shift) & 7;
        expect_eq!(opened_by_the_second_user(&fifo)?, allowed(bits));
        Ok(())
    })
}

/// One that may not open is told so at once, though it would have to wait if it might; the other side never sees it.
#[rstest]
#[conformance::test(posix = "open", needs(second_user))]
fn is_asked_for_before_waiting(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = fifo_for(Role::Other, 0o770)?;
    let (user, group) = second_user();
    let partner = fifo.waiting(side.other(), "partner")?;
    let stranger = Participant::spawn("stranger", (), |(), _| {
        become_user(user, group)?;
        open(fifo.path(), side.flag()).map(drop)
    })?;
    expect_eq!(stranger.join()?, Err(EACCES));
    partner.expect_still_blocked()?;
    fifo.visit(side.flag())?;
    expect_eq!(partner.join()?, Ok(()));
    Ok(())
}

/// A missing permission comes before a missing reader.
#[conformance::test(posix = "open", needs(second_user))]
fn is_asked_for_before_a_reader() -> Outcome {
    let fifo = fifo_for(Role::Other, 0o662)?;
    expect_eq!(opened_by_the_second_user(&fifo)?, [Err(EACCES), Err(ENXIO), Err(EACCES)]);
    chmod(fifo.path(), 0o660)?;
    expect_eq!(opened_by_the_second_user(&fifo)?, [Err(EACCES); 3]);
    Ok(())
}

/// Each directory on the way has to be searchable, whatever the FIFO itself allows.
#[conformance::test(posix = "open", needs(second_user))]
fn to_search_the_directory_is_needed_too() -> Outcome {
    let fifo = fifo_for(Role::Owner, 0o666)?;
    chmod(fifo.directory(), 0o766)?;
    let _holder = fifo.both()?;
    expect_eq!(opened_by_the_second_user(&fifo)?, [Err(EACCES); 3]);
    chmod(fifo.directory(), 0o711)?;
    expect_eq!(opened_by_the_second_user(&fifo)?, [Ok(()); 3]);
    Ok(())
}

/// Without the capability to override permissions they hold for the owner too, whatever its user id.
#[cfg(linux)]
#[conformance::test(posix = "open", man = "capabilities(7)")]
fn holds_for_an_owner_without_capabilities() -> Outcome {
    let fifo = Named::new()?;
    let holder = fifo.both()?;
    let owner = Participant::spawn("owner", holder, |_holder, _| {
        caps::clear(None, caps::CapSet::Effective).map_err(|_| EPERM)?;
        (0..8_u32)
            .map(|bits| {
                chmod(fifo.path(), bits << 6)?;
                Ok([OFlag::O_RDONLY, OFlag::O_WRONLY, OFlag::O_RDWR].map(|flags| fifo.visit(flags)))
            })
            .collect::<Result<Vec<Opened>, Errno>>()
    })?;
    expect_eq!(owner.join()?, Ok((0..8).map(allowed).collect::<Vec<Opened>>()));
    Ok(())
}

/// A process with the capability to override permissions opens a FIFO that allows nothing.
#[conformance::test(man = "capabilities(7)", needs(CAP_DAC_OVERRIDE))]
fn can_be_overridden() -> Outcome {
    let fifo = Named::new()?;
    let _holder = fifo.both()?;
    chmod(fifo.path(), 0)?;
    expect_eq!([OFlag::O_RDONLY, OFlag::O_WRONLY, OFlag::O_RDWR].map(|flags| fifo.visit(flags)), [Ok(()); 3]);
    Ok(())
}

/// Taking the permissions away concerns later openers only: ends that are open work on.
#[conformance::test(posix = "chmod", needs(second_user))]
fn is_not_asked_for_again() -> Outcome {
    let fifo = fifo_for(Role::Owner, 0o600)?;
    let (user, group) = second_user();
    let ends: [OwnedFd; 2] = fifo.ends()?.into();
    let holder = Participant::spawn("holder", ends, |[reader, writer], link| {
        become_user(user, group)?;
        link.meet("before");
        let moved = (write(&writer, b"data"), read_some(&reader, 9));
        Ok::<_, Errno>((moved, visit(fifo.path(), OFlag::O_RDONLY)))
    })?;
    holder.until_reached("before")?;
    chmod(fifo.path(), 0)?;
    holder.open("before")?;
    expect_eq!(holder.join()?, Ok(((Ok(4), Ok(b"data".to_vec())), Err(EACCES))));
    Ok(())
}

/// Permissions that are changed through an open end hold for the next that opens by name.
#[conformance::test(posix = "fchmod", needs(second_user))]
fn can_be_given_through_an_end() -> Outcome {
    let fifo = fifo_for(Role::Other, 0o600)?;
    let end = fifo.both()?;
    expect_eq!(opened_by_the_second_user(&fifo)?, [Err(EACCES); 3]);
    expect_eq!(fchmod(&end, 0o606), Ok(()));
    expect_eq!(opened_by_the_second_user(&fifo)?, [Ok(()); 3]);
    Ok(())
}

/// One that waits in `open` has been asked already: it is let in even if the permissions are taken away meanwhile.
#[rstest]
#[conformance::test(posix = "open", needs(second_user))]
fn is_not_asked_for_after_waiting(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = fifo_for(Role::Other, 0o606)?;
    let (user, group) = second_user();
    let opener = Participant::spawn("opener", (), |(), _| {
        become_user(user, group)?;
        open(fifo.path(), side.flag()).map(drop)
    })?;
    opener.until_blocked()?;
    chmod(fifo.path(), 0o600)?;
    expect_eq!(fifo.visit(side.other().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    expect_eq!(opened_by_the_second_user(&fifo)?, [Err(EACCES); 3]);
    Ok(())
}

/// To make a FIFO, the process has to be allowed to search the directory and to write to it.
#[rstest]
#[case::may_do_both(0o733, Ok(()))]
#[case::may_not_write(0o755, Err(EACCES))]
#[case::may_not_search(0o766, Err(EACCES))]
#[conformance::test(posix = "mkfifo", posix = "mknod", needs(second_user))]
fn to_make_one_is_that_of_the_directory(#[case] mode: u32, #[case] expected: Result<(), Errno>) -> Outcome {
    let scratch = Scratch::new()?;
    chmod(scratch.path(), mode)?;
    let (user, group) = second_user();
    let paths = [scratch.join("mkfifo"), scratch.join("mknod")];
    let maker = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>([Maker::Mkfifo.make(&paths[0], 0o600), Maker::Mknod.make(&paths[1], 0o600)])
    })?;
    expect_eq!(maker.join()?, Ok([expected; 2]));
    expect_eq!(names_in(scratch.path()).map(|names| names.len()), Ok(if expected.is_ok() { 2 } else { 0 }));
    Ok(())
}

/// A FIFO is the one special file that `mknod` makes for everybody; a device takes privilege.
#[conformance::test(posix = "mknod", needs(second_user))]
fn to_make_one_is_everybodys() -> Outcome {
    let scratch = Scratch::new()?;
    chmod(scratch.path(), 0o733)?;
    let (user, group) = second_user();
    let (fifo, device) = (scratch.join("fifo"), scratch.join("device"));
    let maker = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>((mknod(&fifo, SFlag::S_IFIFO, 0o600, 0), mknod(&device, SFlag::S_IFCHR, 0o600, 0x0103)))
    })?;
    expect_eq!(maker.join()?, Ok((Ok(()), Err(EPERM))));
    let status = stat(&fifo)?;
    expect_eq!((status.st_uid, names_in(scratch.path())), (user.as_raw(), Ok(vec!["fifo".to_owned()])));
    Ok(())
}
