//! Who may open an object, and who may unlink its name. What is open stays open, whatever is decided later.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::memory::shm::shm_open;
use conformance::sys::path::attributes::{fchmod, fchown};
use conformance::sys::process::identity::become_user;
use nix::unistd::{getegid, geteuid, seteuid};
use proptest::sample::select;
use rstest::rstest;

use super::fixture::{CREATE_NEW, Name, contents, pages};

/// As whom the second user comes to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Owner,
    Group,
    Other,
}

impl Role {
    /// Where the bits of this class stand in a mode.
    fn shift(self) -> u32 {
        match self {
            Role::Owner => 6,
            Role::Group => 3,
            Role::Other => 0,
        }
    }
}

/// Results of opening for reading and for both.
type Opened = [Result<(), Errno>; 2];

/// A name with an object that gives the second user that role.
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
    let stranger = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>(opened(name))
    })?;
    Ok(stranger.join()??)
}

/// What those bits allow.
fn allowed(bits: u32) -> Opened {
    [0o4, 0o6].map(|needed| if bits & needed == needed { Ok(()) } else { Err(EACCES) })
}

/// Opening for reading needs the read bit, for both both bits: of the one class that the process is in.
#[rstest]
#[case::owner_may_read(Role::Owner, 0o400, 0o4)]
#[case::owner_may_do_both(Role::Owner, 0o600, 0o6)]
#[case::owner_may_write_only(Role::Owner, 0o200, 0)]
#[case::owner_may_less_than_others(Role::Owner, 0o066, 0)]
#[case::execute_bit_is_no_use(Role::Owner, 0o177, 0)]
#[case::group_may_read(Role::Group, 0o040, 0o4)]
#[case::group_may_do_both(Role::Group, 0o060, 0o6)]
#[case::group_may_less_than_others(Role::Group, 0o606, 0)]
#[case::others_may_read(Role::Other, 0o004, 0o4)]
#[case::others_may_do_both(Role::Other, 0o006, 0o6)]
#[case::others_may_less_than_all_else(Role::Other, 0o770, 0)]
#[conformance::test(posix = "shm_open", man = "shm_open(3)", needs(second_user))]
fn is_that_of_the_class(#[case] role: Role, #[case] mode: u32, #[case] bits: u32) -> Outcome {
    let (name, _object) = object_for(role, mode)?;
    expect_eq!(opened_by_the_second_user(&name)?, allowed(bits));
    Ok(())
}

/// The same for every mode and class.
#[conformance::test(posix = "shm_open", man = "shm_open(3)", needs(second_user))]
fn is_that_of_the_class_for_every_mode() -> Outcome {
    property(&(select(vec![Role::Owner, Role::Group, Role::Other]), 0_u32..0o1000), |(role, mode)| {
        let (name, _object) = object_for(role, mode)?;
        expect_eq!(opened_by_the_second_user(&name)?, allowed(mode >> role.shift() & 7));
        Ok(())
    })
}

/// A process with the capability to override permissions opens an object that allows nothing.
#[conformance::test(man = "capabilities(7)", needs(CAP_DAC_OVERRIDE))]
fn can_be_overridden() -> Outcome {
    let name = Name::new("override");
    let _object = name.open(CREATE_NEW, 0)?;
    expect_eq!(opened(&name), [Ok(()); 2]);
    Ok(())
}

/// Without that capability the bits hold for the owner too, whatever its user id.
#[cfg(linux)]
#[conformance::test(posix = "shm_open", man = "capabilities(7)")]
fn holds_for_an_owner_without_capabilities() -> Outcome {
    let name = Name::new("owner");
    let object = name.open(CREATE_NEW, 0o600)?;
    let owner = Participant::spawn("owner", object, |object, _| {
        caps::clear(None, caps::CapSet::Effective).map_err(|_| EPERM)?;
        (0..8_u32).map(|bits| fchmod(&object, bits << 6).map(|()| opened(&name))).collect::<Result<Vec<Opened>, Errno>>()
    })?;
    expect_eq!(owner.join()?, Ok((0..8).map(allowed).collect::<Vec<Opened>>()));
    Ok(())
}

/// It is the effective user that is asked: a process that has taken off its privilege for a while may do what that user may.
#[conformance::test(posix = "shm_open", needs(second_user))]
fn is_that_of_the_effective_user() -> Outcome {
    let (name, _object) = object_for(Role::Other, 0o600)?;
    let (user, _) = second_user();
    let changeling = Participant::spawn("changeling", (), |(), _| {
        let own = geteuid();
        seteuid(user)?;
        let as_other = opened(&name);
        let mine = Name::new("mine");
        let made = fstat(&mine.open(CREATE_NEW, 0o600)?)?.st_uid;
        seteuid(own)?;
        Ok::<_, Errno>((as_other, made, opened(&name)))
    })?;
    expect_eq!(changeling.join()?, Ok(([Err(EACCES); 2], user.as_raw(), [Ok(()); 2])));
    Ok(())
}

/// A new object belongs to the effective user and the effective group of its maker.
#[conformance::test(posix = "shm_open", man = "shm_open(3)", needs(second_user))]
fn begins_with_the_maker_as_the_owner() -> Outcome {
    let (user, group) = second_user();
    let name = Name::new("owned");
    let maker = Participant::spawn("maker", (), |(), _| {
        become_user(user, group)?;
        name.open(CREATE_NEW, 0o604).map(drop)
    })?;
    expect_eq!(maker.join()?, Ok(()));
    let status = fstat(&name.open(OFlag::O_RDONLY, 0)?)?;
    expect_eq!((status.st_uid, status.st_gid), (user.as_raw(), group.as_raw()));
    Ok(())
}

/// One that may only read cannot empty the object by opening it.
#[conformance::test(posix = "shm_open", man = "open(2)", needs(second_user))]
fn to_read_is_none_to_empty() -> Outcome {
    let object = pages(1)?;
    fchmod(&object, 0o604)?;
    let (user, group) = second_user();
    let reader = Participant::spawn("reader", (), |(), _| {
        become_user(user, group)?;
        let flags = [OFlag::O_RDWR | OFlag::O_TRUNC, OFlag::O_RDONLY | OFlag::O_TRUNC];
        Ok::<_, Errno>(flags.map(|flags| shm_open(object.name(), flags, 0).map(drop)))
    })?;
    expect_eq!(reader.join()?, Ok([Err(EACCES); 2]));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}

/// Taking the permissions away concerns later openers only: what is open and mapped works on.
#[conformance::test(posix = "fchmod", needs(second_user))]
fn is_not_asked_for_again() -> Outcome {
    let object = pages(1)?;
    fchmod(&object, 0o606)?;
    let (user, group) = second_user();
    let holder = Participant::spawn("holder", (), |(), link| {
        become_user(user, group)?;
        let open = shm_open(object.name(), OFlag::O_RDWR, 0)?;
        link.meet("open");
        let later = shm_open(object.name(), OFlag::O_RDONLY, 0).map(drop);
        let mapping = conformance::sys::memory::mapping::Mapping::new(&open, page_size(), Access::ReadWrite)?;
        mapping.write(0, b"after");
        Ok::<_, Errno>((later, conformance::sys::fd::size::ftruncate(&open, 5)))
    })?;
    holder.until_reached("open")?;
    fchmod(&object, 0)?;
    holder.open("open")?;
    expect_eq!(holder.join()?, Ok((Err(EACCES), Ok(()))));
    expect_eq!(contents(&object), Ok(b"after".to_vec()));
    Ok(())
}

/// One that may read and write an object of somebody else may not unlink its name, which stays with the object.
#[conformance::test(posix = "shm_unlink", man = "shm_overview(7)", needs(second_user))]
fn to_write_is_none_to_unlink() -> Outcome {
    let object = pages(1)?;
    fchmod(&object, 0o666)?;
    let (user, group) = second_user();
    let stranger = Participant::spawn("stranger", (), |(), _| {
        become_user(user, group)?;
        Ok::<_, Errno>(conformance::sys::memory::shm::shm_unlink(object.name()))
    })?;
    expect_eq!(stranger.join()?, Ok(Err(EACCES)));
    let found = shm_open(object.name(), OFlag::O_RDONLY, 0);
    expect_eq!(found.and_then(contents), Ok(pattern(page_size())));
    Ok(())
}

/// The owner may unlink a name, even if it may not open the object.
#[conformance::test(posix = "shm_unlink", man = "shm_overview(7)", needs(second_user))]
fn to_unlink_is_the_owners() -> Outcome {
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

/// Whether `O_CREAT` may be given for somebody else's object that everybody may write depends on the system's settings; if it is
/// refused, the object is untouched.
#[conformance::test(posix = "shm_open", man = "proc(5)", level = observed, needs(second_user))]
fn may_forbid_to_create_what_is_somebody_elses() -> Outcome {
    let object = pages(1)?;
    fchmod(&object, 0o666)?;
    let (user, group) = second_user();
    let stranger = Participant::spawn("stranger", (), |(), _| {
        become_user(user, group)?;
        let seen = [OFlag::O_RDWR, OFlag::O_RDWR | OFlag::O_CREAT];
        Ok::<_, Errno>(seen.map(|flags| shm_open(object.name(), flags, 0o600).map(drop)))
    })?;
    let [plainly, with_create] = stranger.join()??;
    expect_eq!(plainly, Ok(()));
    expect_matches!(with_create, Ok(()) | Err(EACCES));
    observe!("posix_shm.create-flag-on-a-strangers-object", format!("{with_create:?}"));
    expect_eq!(contents(&object), Ok(pattern(page_size())));
    Ok(())
}
