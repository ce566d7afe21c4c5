//! The permission bits of a new FIFO: those asked for, less those of the umask.

use conformance::prelude::*;
use conformance::sys::path::node::umask;
use conformance::sys::path::status::permissions;
use rstest::rstest;

use super::creation::Maker;

/// A new FIFO has the bits that were asked for and that the umask does not hold back, exactly.
#[rstest]
#[case::usual(0o666, 0o022, 0o644)]
#[case::private(0o666, 0o077, 0o600)]
#[case::unmasked(0o777, 0, 0o777)]
#[case::none_asked_for(0, 0, 0)]
#[case::all_held_back(0o777, 0o777, 0)]
#[case::holes_in_the_mask(0o765, 0o513, 0o264)]
#[case::mask_of_bits_not_asked_for(0o600, 0o066, 0o600)]
#[conformance::test(posix = "mkfifo", posix = "mknod", posix = "umask")]
fn is_what_the_mask_lets_through(#[case] asked: u32, #[case] mask: u32, #[case] expected: u32) -> Outcome {
    let scratch = Scratch::new()?;
    for (name, maker) in [("mkfifo", Maker::Mkfifo), ("mknod", Maker::Mknod)] {
        let before = umask(mask);
        let made = maker.make(&scratch.join(name), asked);
        let during = umask(before);
        expect_eq!((made, during), (Ok(()), mask), "{name}");
        expect_eq!(permissions(&stat(&scratch.join(name))?), expected, "{name}");
    }
    Ok(())
}

/// The same for every mode and every mask.
#[conformance::test(posix = "mkfifo", posix = "umask")]
fn is_what_every_mask_lets_through() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    property(&(0_u32..0o1000, 0_u32..0o1000), |(asked, mask)| {
        let before = umask(mask);
        let made = mkfifo(&path, asked);
        umask(before);
        expect_eq!(made, Ok(()));
        let seen = permissions(&stat(&path)?);
        unlink(&path)?;
        expect_eq!(seen, asked & !mask);
        Ok(())
    })
}

/// What set-ID and sticky bits do to a FIFO is left to the system; the permission bits are what was asked for in any case.
#[conformance::test(posix = "mkfifo", level = observed)]
fn may_keep_the_bits_that_are_no_permissions() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    expect_eq!(mkfifo(&path, 0o7644), Ok(()));
    let seen = permissions(&stat(&path)?);
    expect_eq!(seen & 0o777, 0o644);
    observe!("fifo.mode-bits-kept", format!("{:o}", seen & 0o7000));
    Ok(())
}

/// The umask is that of the process which makes the FIFO: a child's own mask changes nothing for its parent.
#[conformance::test(posix = "umask")]
fn follows_the_mask_of_the_maker() -> Outcome {
    let scratch = Scratch::new()?;
    let (ours, theirs) = (scratch.join("ours"), scratch.join("theirs"));
    let child = Participant::spawn("child", (), |(), _| {
        umask(0o077);
        mkfifo(&theirs, 0o666)
    })?;
    expect_eq!(child.join()?, Ok(()));
    expect_eq!(mkfifo(&ours, 0o666), Ok(()));
    expect_eq!((permissions(&stat(&ours)?), permissions(&stat(&theirs)?)), (0o644, 0o600));
    Ok(())
}
