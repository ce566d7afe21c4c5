//! Lifetime: an object belongs to its name and to those who have it open or mapped, and to no process.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::memory::shm::{SharedMemory, shm_unlink};

/// Makes an object of one page that holds the pattern.
fn make(name: &str) -> Result<SharedMemory, Errno> {
    let object = SharedMemory::create(name)?;
    object.set_size(page_size())?;
    object.map(page_size(), Access::ReadWrite)?.write(0, &pattern(page_size()));
    Ok(object)
}

/// What a process sees that opens the name for itself: size and bytes.
fn look_up(name: &str) -> Result<(usize, Vec<u8>), Errno> {
    let object = SharedMemory::open(name, Access::Read)?;
    let size = object.size()?;
    Ok((size, object.map(size, Access::Read)?.read(0, size)))
}

/// An object whose creator was killed keeps its name, its size and every byte, for relatives and strangers alike.
#[conformance::test(posix = "shm_open", man = "shm_overview(7)")]
fn does_not_end_with_a_killed_creator() -> Outcome {
    let name = unique_name("killed");
    let creator = Participant::spawn("creator", (), |(), link| -> () {
        let _object = make(&name).expect("an object of one page");
        link.reached("made");
        link.park()
    })?;
    creator.until_reached("made")?;
    creator.kill()?;
    let whole = Ok((page_size(), pattern(page_size())));
    let _removed_at_the_end = SharedMemory::adopt(&name);
    let relative = Participant::spawn("relative", (), |(), _| look_up(&name))?;
    expect_eq!(relative.join()?, whole);
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, _| look_up(&name))?;
    expect_eq!(stranger.join()?, whole);
    Ok(())
}

/// Unlinking takes the name away at once and for everybody, and nothing from those who have the object open or mapped.
#[conformance::test(posix = "shm_unlink", man = "shm_overview(7)")]
fn lasts_without_a_name_as_long_as_somebody_uses_it() -> Outcome {
    let object = make(&unique_name("unlinked"))?;
    let mapping = object.map(page_size(), Access::ReadWrite)?;
    let user = Participant::spawn("user", (), |(), link| {
        // The mapping, inherited, is all that this process has of the object.
        link.meet("unlinked");
        mapping.write(0, b"still here");
    })?;
    user.until_reached("unlinked")?;
    expect_eq!(shm_unlink(object.name()), Ok(()));
    let name = object.name().to_owned();
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, _| (look_up(&name), shm_unlink(&name)))?;
    expect_eq!(stranger.join()?, (Err(ENOENT), Err(ENOENT)));
    user.open("unlinked")?;
    user.join()?;
    let through_the_descriptor = object.map(page_size(), Access::Read)?;
    let expected = [b"still here", &pattern(page_size())[10..]].concat();
    expect_eq!((mapping.read(0, page_size()), through_the_descriptor.read(0, page_size())), (expected.clone(), expected));
    Ok(())
}

/// A name that was unlinked and made again is a new object: empty, and without a byte in common with the old one, which goes on.
#[conformance::test(posix = "shm_unlink", man = "shm_overview(7)")]
fn starts_anew_with_a_name_that_is_made_again() -> Outcome {
    let old = make(&unique_name("again"))?;
    let old_mapping = old.map(page_size(), Access::ReadWrite)?;
    shm_unlink(old.name())?;
    let new = SharedMemory::create(old.name());
    expect_matches!(new, Ok(_));
    let new = new?;
    expect_eq!(new.size(), Ok(0));
    new.set_size(page_size())?;
    let new_mapping = new.map(page_size(), Access::ReadWrite)?;
    expect_eq!(new_mapping.read(0, page_size()), vec![0; page_size()]);
    new_mapping.word(0).store(0x0000_006e, SeqCst);
    old_mapping.word(1).store(0x0000_006f, SeqCst);
    let name = new.name().to_owned();
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, _| {
        let object = SharedMemory::open(&name, Access::Read)?;
        let mapping = object.map(page_size(), Access::Read)?;
        Ok::<_, Errno>((mapping.word(0).load(SeqCst), mapping.word(1).load(SeqCst)))
    })?;
    expect_eq!(stranger.join()?, Ok((0x6e, 0)));
    expect_eq!((old_mapping.read(0, 4), old_mapping.word(1).load(SeqCst)), (pattern(4), 0x6f));
    Ok(())
}
