//! Lifetime of a shared memory object: it exists as long as it has a name, an open descriptor or a mapping, and does not depend
//! on the process that created it.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::memory::shm::{SharedMemory, shm_unlink};

/// Creates an object of one page that contains the pattern.
fn create_page(name: &str) -> Result<SharedMemory, Errno> {
    let object = SharedMemory::create(name)?;
    object.set_size(page_size())?;
    object.map(page_size(), Access::ReadWrite)?.write(0, &pattern(page_size()));
    Ok(object)
}

/// Opens the name, and returns size and bytes.
fn look_up(name: &str) -> Result<(usize, Vec<u8>), Errno> {
    let object = SharedMemory::open(name, Access::Read)?;
    let size = object.size()?;
    Ok((size, object.map(size, Access::Read)?.read(0, size)))
}

/// After the process that created a shared memory object is killed, `shm_open` with the name by another process opens the object
/// with the same size and bytes, in a child and in an unrelated process.
#[conformance::test(posix = "shm_open", man = "shm_overview(7)")]
fn survives_its_killed_creator() -> Outcome {
    let name = unique_name("killed");
    let creator = Participant::spawn("creator", (), |(), link| -> () {
        let _object = create_page(&name).expect("an object of one page");
        link.reached("created");
        link.park()
    })?;
    creator.until_reached("created")?;
    creator.kill()?;
    let whole = Ok((page_size(), pattern(page_size())));
    let _removed_at_the_end = SharedMemory::adopt(&name);
    let child = Participant::spawn("child", (), |(), _| look_up(&name))?;
    expect_eq!(child.join()?, whole);
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, _| look_up(&name))?;
    expect_eq!(unrelated.join()?, whole);
    Ok(())
}

/// After `shm_unlink`, `shm_open` without `O_CREAT` and `shm_unlink` of the name by an unrelated process fail with `ENOENT`. A
/// mapping made before, and a new `mmap` of a descriptor opened before, still show all bytes of the object, also those stored
/// after `shm_unlink`.
#[conformance::test(posix = "shm_unlink", man = "shm_overview(7)")]
fn survives_shm_unlink_while_in_use() -> Outcome {
    let object = create_page(&unique_name("unlinked"))?;
    let mapping = object.map(page_size(), Access::ReadWrite)?;
    let user = Participant::spawn("owner of the mapping", (), |(), link| {
        // The inherited mapping is the only reference of this process to the object.
        link.meet("unlinked");
        mapping.write(0, b"still here");
    })?;
    user.until_reached("unlinked")?;
    expect_eq!(shm_unlink(object.name()), Ok(()));
    let name = object.name().to_owned();
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, _| (look_up(&name), shm_unlink(&name)))?;
    expect_eq!(unrelated.join()?, (Err(ENOENT), Err(ENOENT)));
    user.open("unlinked")?;
    user.join()?;
    let through_the_descriptor = object.map(page_size(), Access::Read)?;
    let expected = [b"still here", &pattern(page_size())[10..]].concat();
    expect_eq!((mapping.read(0, page_size()), through_the_descriptor.read(0, page_size())), (expected.clone(), expected));
    Ok(())
}

/// `shm_open` with `O_CREAT` after `shm_unlink` of the same name creates a new object of size 0. Stores to the new object leave
/// the bytes of a mapping of the unlinked object as they were, and stores to the unlinked object leave the bytes of the new
/// object as they were.
#[conformance::test(posix = "shm_unlink", man = "shm_overview(7)")]
fn name_reused_after_unlink_is_a_new_object() -> Outcome {
    let old = create_page(&unique_name("again"))?;
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
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, _| {
        let object = SharedMemory::open(&name, Access::Read)?;
        let mapping = object.map(page_size(), Access::Read)?;
        Ok::<_, Errno>((mapping.word(0).load(SeqCst), mapping.word(1).load(SeqCst)))
    })?;
    expect_eq!(unrelated.join()?, Ok((0x6e, 0)));
    expect_eq!((old_mapping.read(0, 4), old_mapping.word(1).load(SeqCst)), (pattern(4), 0x6f));
    Ok(())
}
