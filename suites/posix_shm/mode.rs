//! The permission bits of a shared memory object: `shm_open` with a mode and a umask, and `fchmod`. What the bits allow other
//! users is in `permission`.

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

/// The permission bits of an object created with `mode` under the umask `mask`.
fn created_with(mode: u32, mask: u32) -> Result<u32, Errno> {
    let name = Name::new("mode");
    let before = umask(mask);
    let created = name.open(CREATE_NEW, mode);
    umask(before);
    Ok(permissions(&fstat(&created?)?))
}

/// `shm_open` with `O_CREAT` of a new name creates an object with the permission bits `mode & ~umask`, for example 0644 for mode
/// 0666 and umask 0022.
#[rstest]
#[case::all_bits(0o777, 0, 0o777)]
#[case::no_bits(0, 0, 0)]
#[case::umask_022(0o666, 0o022, 0o644)]
#[case::umask_777(0o777, 0o777, 0)]
#[case::umask_without_common_bits(0o640, 0o137, 0o640)]
#[case::group_write_masked(0o222, 0o020, 0o202)]
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn excludes_the_umask_bits(#[case] mode: u32, #[case] mask: u32, #[case] expected: u32) -> Outcome {
    expect_eq!(created_with(mode, mask), Ok(expected));
    Ok(())
}

/// For random modes and umasks from 0 to 0777, `shm_open` with `O_CREAT` of a new name creates an object with the permission bits
/// `mode & ~umask`.
#[conformance::test(posix = "shm_open", man = "shm_open(3)")]
fn excludes_the_bits_of_any_umask() -> Outcome {
    property(&(0..0o1000_u32, 0..0o1000_u32), |(mode, mask)| {
        expect_eq!(created_with(mode, mask), Ok(mode & !mask));
        Ok(())
    })
}

/// On the descriptor from `shm_open` with `O_CREAT | O_EXCL | O_RDWR` and mode 0000, 0200, 0400 or 0600, `ftruncate` returns 0
/// and `mmap` with `PROT_READ | PROT_WRITE` returns a mapping. A second `shm_open` by the same unprivileged process fails with
/// `EACCES` if the owner bits of the mode lack the requested access.
#[rstest]
#[case::mode_000(0o000, Err(EACCES), Err(EACCES))]
#[case::mode_400(0o400, Ok(()), Err(EACCES))]
#[case::mode_200(0o200, Err(EACCES), Err(EACCES))]
#[case::mode_600(0o600, Ok(()), Ok(()))]
#[conformance::test(posix = "shm_open", needs(second_user))]
fn does_not_restrict_the_creating_descriptor(
    #[case] mode: u32,
    #[case] reading: Result<(), Errno>,
    #[case] both: Result<(), Errno>,
) -> Outcome {
    let name = Name::new("creator");
    let (user, group) = second_user();
    let creator = Participant::spawn("creator", (), |(), _| {
        become_user(user, group)?;
        let object = name.open(CREATE_NEW, mode)?;
        let resized = ftruncate(&object, 100);
        Region::map(&object, 100, RW, SHARED, 0)?.write(90, b"written");
        Ok::<_, Errno>((resized, contents(&object)?[90..97].to_vec(), name.visit(OFlag::O_RDONLY), name.visit(OFlag::O_RDWR)))
    })?;
    expect_eq!(creator.join()?, Ok((Ok(()), b"written".to_vec(), reading, both)));
    Ok(())
}

/// After `fchmod` on one descriptor of a shared memory object, `fstat` on another descriptor returns the new permission bits.
/// `ftruncate` on a descriptor that was opened with `O_RDWR` before returns 0, although the new bits give the owner no access.
#[conformance::test(posix = "fchmod", man = "shm_overview(7)")]
fn fchmod_changes_the_permission_bits() -> Outcome {
    let name = Name::new("fchmod");
    let (object, other) = (name.open(CREATE_NEW, 0o600)?, name.open(OFlag::O_RDWR, 0)?);
    expect_eq!(fchmod(&object, 0o046), Ok(()));
    expect_eq!(permissions(&fstat(&other)?), 0o046);
    expect_eq!((ftruncate(&other, 3), size_of_object(&object)), (Ok(()), Ok(3)));
    // With `O_RDONLY` too: `fchmod` depends on the owner, not on the access mode.
    let reader = name.open(OFlag::O_RDONLY, 0);
    if let Ok(reader) = reader {
        expect_eq!((fchmod(&reader, 0o640), permissions(&fstat(&object)?)), (Ok(()), 0o640));
    }
    Ok(())
}

/// `fchmod` and `fchown` by an unprivileged process on a shared memory object of another user fail with `EPERM`, although mode
/// 0666 lets the process open the object with `O_RDWR`. Permission bits and owner stay as they were.
#[conformance::test(posix = "fchmod", needs(second_user))]
fn fchmod_requires_the_owner() -> Outcome {
    let name = Name::new("owner");
    let before = umask(0);
    let object = name.open(CREATE_NEW, 0o666);
    umask(before);
    let object = object?;
    let (user, group) = second_user();
    let unrelated = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        let object = name.open(OFlag::O_RDWR, 0)?;
        Ok::<_, Errno>((fchmod(&object, 0o777), conformance::sys::path::attributes::fchown(&object, user, group)))
    })?;
    expect_eq!(unrelated.join()?, Ok((Err(EPERM), Err(EPERM))));
    let status = fstat(&object)?;
    expect_eq!((permissions(&status), status.st_uid), (0o666, nix::unistd::geteuid().as_raw()));
    Ok(())
}
