//! Permission checks: which users `shm_open` and `shm_unlink` allow for which owner and permission bits. An open descriptor is
//! not checked again.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::memory::shm::shm_open;
use conformance::sys::path::attributes::{fchmod, fchown};
use conformance::sys::process::identity::become_user;
use nix::unistd::{getegid, geteuid, seteuid};
use proptest::sample::select;
use rstest::rstest;

use super::fixture::{CREATE_NEW, Name, contents, pages};

/// The file class of an object that the second user belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Owner,
    Group,
    Other,
}

impl Role {
    /// Shift of the bits of this class in a mode.
    fn shift(self) -> u32 {
        match self {
            Role::Owner => 6,
            Role::Group => 3,
            Role::Other => 0,
        }
    }
}

/// Results of `shm_open` with `O_RDONLY` and with `O_RDWR`.
type Opened = [Result<(), Errno>; 2];

/// An object of which the second user is in that class.
fn object_for(role: Role, mode: u32) -> Result<(Name, OwnedFd), Errno> {
    let name = Name::new("permission");
    let object = name.open(CREATE_NEW, 0o600)?;
    let (user, group) = second_user();
    let owner = if role == Role::Owner { user } else { geteuid() };
    let group = if role == Role::Group { group } else { getegid() };
    fchown(&object, owner, group)?;
    fchmod(&object, mode)?;
    Ok((name, object))
}

fn opened(name: &Name) -> Opened {
    [OFlag::O_RDONLY, OFlag::O_RDWR].map(|flags| name.visit(flags))
}

fn opened_by_the_second_user(name: &Name) -> Result<Opened, Failure> {
    let (user, group) = second_user();
    let opener = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>(opened(name))
    })?;
    Ok(opener.join()??)
}

/// The results that these permission bits require.
fn allowed(bits: u32) -> Opened {
    [0o4, 0o6].map(|needed| if bits & needed == needed { Ok(()) } else { Err(EACCES) })
}

/// `shm_open` by an unprivileged process returns a descriptor with `O_RDONLY` exactly if the mode of the object has the read bit,
/// and with `O_RDWR` exactly if it has the read and write bits, of the first file class that the process belongs to (owner,
/// group, others). Otherwise `shm_open` fails with `EACCES`.
#[rstest]
#[case::owner_r(Role::Owner, 0o400, 0o4)]
#[case::owner_rw(Role::Owner, 0o600, 0o6)]
#[case::owner_w(Role::Owner, 0o200, 0)]
#[case::owner_none_others_rw(Role::Owner, 0o066, 0)]
#[case::owner_x_others_rwx(Role::Owner, 0o177, 0)]
#[case::group_r(Role::Group, 0o040, 0o4)]
#[case::group_rw(Role::Group, 0o060, 0o6)]
#[case::group_none_others_rw(Role::Group, 0o606, 0)]
#[case::others_r(Role::Other, 0o004, 0o4)]
#[case::others_rw(Role::Other, 0o006, 0o6)]
#[case::others_none_owner_and_group_rwx(Role::Other, 0o770, 0)]
#[conformance::test(posix = "shm_open", man = "shm_open(3)", needs(second_user))]
fn depends_on_the_file_class(#[case] role: Role, #[case] mode: u32, #[case] bits: u32) -> Outcome {
    let (name, _object) = object_for(role, mode)?;
    expect_eq!(opened_by_the_second_user(&name)?, allowed(bits));
    Ok(())
}

/// For random modes and an unprivileged process in the file class owner, group or others of the object, `shm_open` with
/// `O_RDONLY` returns a descriptor exactly if the read bit of this class is set, and with `O_RDWR` exactly if its read and write
/// bits are set. Otherwise `shm_open` fails with `EACCES`.
#[conformance::test(posix = "shm_open", man = "shm_open(3)", needs(second_user))]
fn depends_on_the_file_class_for_any_mode() -> Outcome {
    property(&(select(vec![Role::Owner, Role::Group, Role::Other]), 0_u32..0o1000), |(role, mode)| {
        let (name, _object) = object_for(role, mode)?;
        expect_eq!(opened_by_the_second_user(&name)?, allowed(mode >> role.shift() & 7));
        Ok(())
    })
}

/// `shm_open` with `O_RDONLY` and with `O_RDWR` by a process with `CAP_DAC_OVERRIDE` returns a descriptor of an existing object
/// of mode 000.
#[conformance::test(man = "capabilities(7)", needs(CAP_DAC_OVERRIDE))]
fn cap_dac_override_opens_mode_000() -> Outcome {
    let name = Name::new("override");
    let _object = name.open(CREATE_NEW, 0)?;
    expect_eq!(opened(&name), [Ok(()); 2]);
    Ok(())
}

/// `shm_open` with `O_RDONLY` by the owner of an object, without effective capabilities, fails with `EACCES` if the owner read
/// bit of the mode is clear, and with `O_RDWR` if the owner read or write bit is clear. Both hold for user ID 0 too.
#[cfg(linux)]
#[conformance::test(posix = "shm_open", man = "capabilities(7)")]
fn applies_to_the_owner_without_capabilities() -> Outcome {
    let name = Name::new("owner");
    let object = name.open(CREATE_NEW, 0o600)?;
    let owner = Participant::spawn("owner", object, |object, _| {
        caps::clear(None, caps::CapSet::Effective).map_err(|_| EPERM)?;
        (0..8_u32).map(|bits| fchmod(&object, bits << 6).map(|()| opened(&name))).collect::<Result<Vec<Opened>, Errno>>()
    })?;
    expect_eq!(owner.join()?, Ok((0..8).map(allowed).collect::<Vec<Opened>>()));
    Ok(())
}

/// After a privileged process has called `seteuid` with an unprivileged user ID, `shm_open` on its own object of mode 600 fails
/// with `EACCES`, and an object created by `shm_open` belongs to the new effective user. After `seteuid` back, `shm_open` on the
/// first object returns a descriptor.
#[conformance::test(posix = "shm_open", needs(second_user))]
fn depends_on_the_effective_user() -> Outcome {
    let (name, _object) = object_for(Role::Other, 0o600)?;
    let (user, _) = second_user();
    let process = Participant::spawn("process with changed effective user", (), |(), _| {
        let own = geteuid();
        seteuid(user)?;
        let as_other = opened(&name);
        let mine = Name::new("mine");
        let owner = fstat(&mine.open(CREATE_NEW, 0o600)?)?.st_uid;
        seteuid(own)?;
        Ok::<_, Errno>((as_other, owner, opened(&name)))
    })?;
    expect_eq!(process.join()?, Ok(([Err(EACCES); 2], user.as_raw(), [Ok(()); 2])));
    Ok(())
}

/// `fstat` on an object that `shm_open` with `O_CREAT` has created returns the effective user ID and the effective group ID of
/// the creating process in `st_uid` and `st_gid`.
#[conformance::test(posix = "shm_open", man = "shm_open(3)", needs(second_user))]
fn new_object_belongs_to_the_creator() -> Outcome {
    let (user, group) = second_user();
    let name = Name::new("owned");
    let creator = Participant::spawn("creator", (), |(), _| {
        become_user(user, group)?;
        name.open(CREATE_NEW, 0o604).map(drop)
    })?;
    expect_eq!(creator.join()?, Ok(()));
    let status = fstat(&name.open(OFlag::O_RDONLY, 0)?)?;
    expect_eq!((status.st_uid, status.st_gid), (user.as_raw(), group.as_raw()));
    Ok(())
}

/// `shm_open` with `O_RDWR | O_TRUNC` by an unprivileged process fails with `EACCES` if the mode of the object gives this process
/// read permission only. Size and bytes of the object stay as they were.
#[conformance::test(posix = "shm_open", needs(second_user))]
fn rdwr_trunc_requires_write_permission() -> Outcome {
    truncating_requires_write_permission(OFlag::O_RDWR)
}

/// `shm_open` with `O_RDONLY | O_TRUNC` by an unprivileged process fails with `EACCES` if the mode of the object gives this
/// process read permission only. Size and bytes of the object stay as they were.
#[conformance::test(man = "open(2)", man = "shm_open(3)", level = customary, needs(second_user))]
fn rdonly_trunc_requires_write_permission() -> Outcome {
    truncating_requires_write_permission(OFlag::O_RDONLY)
}

/// `shm_open` with `O_TRUNC` by a user with read permission only.
fn truncating_requires_write_permission(access_mode: OFlag) -> Outcome {
    let object = pages(1)?;
    fchmod(&object, 0o604)?;
    let (user, group) = second_user();
    let reader = Participant::spawn("reader", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>(shm_open(object.name(), access_mode | OFlag::O_TRUNC, 0).map(drop))
    })?;
    expect_eq!(reader.join()?, Ok(Err(EACCES)));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// After the owner of an object changes its mode to 000 with `fchmod`, `shm_open` by an unprivileged process of another user
/// fails with `EACCES`. On a descriptor that this process opened with `O_RDWR` before, `mmap` with `PROT_READ | PROT_WRITE`
/// returns a mapping and `ftruncate` returns 0.
#[conformance::test(posix = "fchmod", needs(second_user))]
fn open_descriptors_are_not_checked_again() -> Outcome {
    let object = pages(1)?;
    fchmod(&object, 0o606)?;
    let (user, group) = second_user();
    let owner = Participant::spawn("owner of the descriptor", (), |(), link| {
        become_user(user, group)?;
        let open = shm_open(object.name(), OFlag::O_RDWR, 0)?;
        link.meet("open");
        let later = shm_open(object.name(), OFlag::O_RDONLY, 0).map(drop);
        let mapping = conformance::sys::memory::mapping::Mapping::new(&open, page_size(), Access::ReadWrite)?;
        mapping.write(0, b"after");
        Ok::<_, Errno>((later, conformance::sys::fd::size::ftruncate(&open, 5)))
    })?;
    owner.until_reached("open")?;
    fchmod(&object, 0)?;
    owner.open("open")?;
    expect_eq!(owner.join()?, Ok((Err(EACCES), Ok(()))));
    expect_eq!(contents(&object), Ok(b"after".to_vec()));
    Ok(())
}

/// `shm_unlink` by an unprivileged process of an object that belongs to another user fails with `EACCES`, although the mode of
/// the object is 666. Afterwards `shm_open` with the name opens the object with all its bytes.
#[conformance::test(posix = "shm_unlink", man = "shm_overview(7)", needs(second_user))]
fn unlink_requires_the_owner() -> Outcome {
    let object = pages(1)?;
    fchmod(&object, 0o666)?;
    let (user, group) = second_user();
    let unrelated = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>(conformance::sys::memory::shm::shm_unlink(object.name()))
    })?;
    expect_eq!(unrelated.join()?, Ok(Err(EACCES)));
    let found = shm_open(object.name(), OFlag::O_RDONLY, 0);
    expect_eq!(found.and_then(contents), Ok(pattern(page_size())));
    Ok(())
}

/// `shm_unlink` by the unprivileged owner of an object of mode 000 returns 0, although `shm_open` by the same process fails with
/// `EACCES`. Afterwards `shm_open` without `O_CREAT` fails with `ENOENT`.
#[conformance::test(posix = "shm_unlink", man = "shm_overview(7)", level = customary, needs(second_user))]
fn owner_may_unlink_mode_000() -> Outcome {
    let (user, group) = second_user();
    let (name, _object) = object_for(Role::Owner, 0)?;
    let owner = Participant::spawn("owner", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>((opened(&name), name.unlink()))
    })?;
    expect_eq!(owner.join()?, Ok(([Err(EACCES); 2], Ok(()))));
    expect_eq!(opened(&name), [Err(ENOENT); 2]);
    Ok(())
}

/// `shm_open` with `O_RDWR | O_CREAT` by an unprivileged process on an existing object of another user with mode 666 returns a
/// descriptor or fails with `EACCES` (which is the case depends on `/proc/sys/fs/protected_regular`); the result is recorded. The
/// bytes of the object stay as they were.
#[conformance::test(posix = "shm_open", man = "proc(5)", level = observed, needs(second_user))]
fn creat_on_an_object_of_another_user() -> Outcome {
    let object = pages(1)?;
    fchmod(&object, 0o666)?;
    let (user, group) = second_user();
    let unrelated = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        let seen = [OFlag::O_RDWR, OFlag::O_RDWR | OFlag::O_CREAT];
        Ok::<_, Errno>(seen.map(|flags| shm_open(object.name(), flags, 0o600).map(drop)))
    })?;
    let [plainly, with_create] = unrelated.join()??;
    expect_eq!(plainly, Ok(()));
    expect_matches!(with_create, Ok(()) | Err(EACCES));
    observe!("posix_shm.open-creat-on-object-of-another-user", format!("{with_create:?}"));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}
