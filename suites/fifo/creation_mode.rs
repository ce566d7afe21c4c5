//! The permission bits of a new FIFO: the mode argument of `mkfifo` or `mknod` without the bits of the umask.

use conformance::prelude::*;
use conformance::sys::path::node::umask;
use conformance::sys::path::status::permissions;
use rstest::rstest;

use super::creation::Call;

/// `mkfifo` and `mknod`, for each of seven pairs of mode and umask from 0 to 0777, return 0 and create a FIFO for which `stat`
/// reports the permissions `mode & ~umask`.
#[rstest]
#[case::mode_666_umask_022(0o666, 0o022, 0o644)]
#[case::mode_666_umask_077(0o666, 0o077, 0o600)]
#[case::mode_777_umask_000(0o777, 0, 0o777)]
#[case::mode_000_umask_000(0, 0, 0)]
#[case::mode_777_umask_777(0o777, 0o777, 0)]
#[case::mode_765_umask_513(0o765, 0o513, 0o264)]
#[case::mode_600_umask_066(0o600, 0o066, 0o600)]
#[conformance::test(posix = "mkfifo", posix = "mknod", posix = "umask")]
fn umask_clears_permission_bits(#[case] mode: u32, #[case] mask: u32, #[case] expected: u32) -> Outcome {
    let scratch = Scratch::new()?;
    for (name, call) in [("mkfifo", Call::Mkfifo), ("mknod", Call::Mknod)] {
        let before = umask(mask);
        let made = call.create(&scratch.join(name), mode);
        let during = umask(before);
        expect_eq!((made, during), (Ok(()), mask), "{name}");
        expect_eq!(permissions(&stat(&scratch.join(name))?), expected, "{name}");
    }
    Ok(())
}

/// For random modes and random umasks, each from 0 to 0777, `mkfifo` returns 0 and creates a FIFO for which `stat` reports the
/// permissions `mode & ~umask`.
#[conformance::test(posix = "mkfifo", posix = "umask")]
fn any_umask_clears_permission_bits() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    property(&(0_u32..0o1000, 0_u32..0o1000), |(mode, mask)| {
        let before = umask(mask);
        let made = mkfifo(&path, mode);
        umask(before);
        expect_eq!(made, Ok(()));
        let seen = permissions(&stat(&path)?);
        unlink(&path)?;
        expect_eq!(seen, mode & !mask);
        Ok(())
    })
}

/// `mkfifo` with mode 07644 and umask 022 returns 0 and creates a FIFO with the permissions 0644. Which of the set-user-ID,
/// set-group-ID and sticky bits are set is recorded, and any combination is allowed.
#[conformance::test(posix = "mkfifo", level = observed)]
fn set_id_and_sticky_bits() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    expect_eq!(mkfifo(&path, 0o7644), Ok(()));
    let seen = permissions(&stat(&path)?);
    expect_eq!(seen & 0o777, 0o644);
    observe!("fifo.mode-bits-kept", format!("{:o}", seen & 0o7000));
    Ok(())
}

/// `mkfifo` with mode 0666 in a child that called `umask(077)` returns 0, and `stat` reports mode 0600. `mkfifo` with mode 0666
/// in the parent, whose umask is 022, then returns 0, and `stat` of the second FIFO reports mode 0644.
#[conformance::test(posix = "umask")]
fn umask_is_per_process() -> Outcome {
    let scratch = Scratch::new()?;
    let (of_parent, of_child) = (scratch.join("parent"), scratch.join("child"));
    let child = Participant::spawn("child", (), |(), _| {
        umask(0o077);
        mkfifo(&of_child, 0o666)
    })?;
    expect_eq!(child.join()?, Ok(()));
    expect_eq!(mkfifo(&of_parent, 0o666), Ok(()));
    expect_eq!((permissions(&stat(&of_parent)?), permissions(&stat(&of_child)?)), (0o644, 0o600));
    Ok(())
}
