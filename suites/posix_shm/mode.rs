//! The mode of a new object: what is left of it after the umask, and that its maker is not bound by it.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::fd::size::ftruncate;
use conformance::sys::memory::region::Region;
use conformance::sys::path::attributes::fchmod;
use conformance::sys::path::node::umask;
use conformance::sys::path::status::permissions;
use conformance::sys::process::identity::become_user;
use rstest::rstest;

use super::fixture::{CREATE_NEW, Name, RW, SHARED, contents, size_of_object};

/// The permission bits of an object that is made with that mode under that mask.
fn made_with(mode: u32, mask: u32) -> Result<u32, Errno> {
    let name = Name::new("mode");
    let before = umask(mask);
    let made = name.open(CREATE_NEW, mode);
    umask(before);
    Ok(permissions(&fstat(&made?)?))
}

/// A new object's permission bits are those of the call without those of the umask.
#[rstest]
#[case::all_bits(0o777, 0, 0o777)]
#[case::no_bits(0, 0, 0)]
#[case::usual_mask(0o666, 0o022, 0o644)]
#[case::everything_masked(0o777, 0o777, 0)]
#[case::nothing_in_common(0o640, 0o137, 0o640)]
#[case::write_bits_alone(0o222, 0o020, 0o202)]
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn is_cut_by_the_umask(#[case] mode: u32, #[case] mask: u32, #[case] expected: u32) -> Outcome {
    expect_eq!(made_with(mode, mask), Ok(expected));
    Ok(())
}

/// The same for every mode and mask.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn is_cut_by_every_umask() -> Outcome {
    property(&(0..0o1000_u32, 0..0o1000_u32), |(mode, mask)| {
        expect_eq!(made_with(mode, mask), Ok(mode & !mask));
        Ok(())
    })
}

/// The mode is for those who open the object later: whoever makes it may read, write and resize it even where it allows nothing,
/// and the same process may not open it a second time.
#[rstest]
#[case::nothing(0o000, Err(EACCES), Err(EACCES))]
#[case::reading(0o400, Ok(()), Err(EACCES))]
#[case::writing(0o200, Err(EACCES), Err(EACCES))]
#[case::both(0o600, Ok(()), Ok(()))]
#[conformance::test(posix = "shm_open", needs(second_user))]
fn does_not_bind_the_maker(#[case] mode: u32, #[case] reading: Result<(), Errno>, #[case] both: Result<(), Errno>) -> Outcome {
    let name = Name::new("maker");
    let (user, group) = second_user();
    let maker = Participant::spawn("maker", (), |(), _| {
        become_user(user, group)?;
        let object = name.open(CREATE_NEW, mode)?;
        let resized = ftruncate(&object, 100);
        Region::map(&object, 100, RW, SHARED, 0)?.write(90, b"written");
        Ok::<_, Errno>((resized, contents(&object)?[90..97].to_vec(), name.visit(OFlag::O_RDONLY), name.visit(OFlag::O_RDWR)))
    })?;
    expect_eq!(maker.join()?, Ok((Ok(()), b"written".to_vec(), reading, both)));
    Ok(())
}

/// Changed through one descriptor the mode shows through every other, and keeps nobody from what is open already.
#[conformance::test(posix = "fchmod", man = "shm_overview(7)")]
fn can_be_changed_through_a_descriptor() -> Outcome {
    let name = Name::new("fchmod");
    let (object, other) = (name.open(CREATE_NEW, 0o600)?, name.open(OFlag::O_RDWR, 0)?);
    expect_eq!(fchmod(&object, 0o046), Ok(()));
    expect_eq!(permissions(&fstat(&other)?), 0o046);
    expect_eq!((ftruncate(&other, 3), size_of_object(&object)), (Ok(()), Ok(3)));
    // Through a descriptor that is for reading, too: the owner's right is asked for, not the descriptor's.
    let reader = name.open(OFlag::O_RDONLY, 0);
    if let Ok(reader) = reader {
        expect_eq!((fchmod(&reader, 0o640), permissions(&fstat(&object)?)), (Ok(()), 0o640));
    }
    Ok(())
}

/// Somebody who has the object open but does not own it may not change its mode.
#[conformance::test(posix = "fchmod", needs(second_user))]
fn is_changed_by_the_owner_only() -> Outcome {
    let name = Name::new("owner");
    let before = umask(0);
    let object = name.open(CREATE_NEW, 0o666);
    umask(before);
    let object = object?;
    let (user, group) = second_user();
    let stranger = Participant::spawn("stranger", (), |(), _| {
        become_user(user, group)?;
        let object = name.open(OFlag::O_RDWR, 0)?;
        Ok::<_, Errno>((fchmod(&object, 0o777), conformance::sys::path::attributes::fchown(&object, user, group)))
    })?;
    expect_eq!(stranger.join()?, Ok((Err(EPERM), Err(EPERM))));
    let status = fstat(&object)?;
    expect_eq!((permissions(&status), status.st_uid), (0o666, nix::unistd::geteuid().as_raw()));
    Ok(())
}
