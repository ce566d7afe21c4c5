//! A full `/dev/shm`: what shared memory objects and those who use them meet when there is no memory left, or no name.

use conformance::prelude::*;
use conformance::sys::fd::size::pages_of;
use conformance::sys::memory::mapping::{self, Faults};
use conformance::sys::memory::shm::{SharedMemory, shm_unlink};
use conformance::sys::path::names::names_in;
use conformance::sys::semaphore::Semaphore;

use common::memory_file::{Small, offset};

/// An object may be longer than all memory that is left; only what has been allocated is certain, and touching anything else is a
/// bus error for whoever does it.
#[conformance::test(posix = "shm_open", posix = "posix_fallocate", man = "shm_overview(7)", needs(CAP_SYS_ADMIN, file("/dev/shm")))]
fn promises_no_memory_for_a_size() -> Outcome {
    let page = page_size();
    let small = Small::for_shared_memory(&format!("size={}", 3 * page))?;
    let object = SharedMemory::create(&unique_name("large"))?;
    expect_eq!((object.set_size(5 * page), small.free()), (Ok(()), Ok(3)));
    expect_eq!((posix_fallocate(&object, 0, offset(5 * page)), small.free(), object.size()), (Err(ENOSPC), Ok(3), Ok(5 * page)));
    expect_eq!((posix_fallocate(&object, 0, offset(2 * page)), small.free()), (Ok(()), Ok(1)));
    let mapping = object.map(5 * page, Access::ReadWrite)?;
    let other = SharedMemory::create(&unique_name("other"))?;
    expect_eq!((posix_fallocate(&other, 0, offset(page)), small.free()), (Ok(()), Ok(0)));
    let user = Participant::spawn("user", (), |(), _| {
        mapping.outlive(Signal::SIGBUS)?;
        mapping.write(0, &vec![7; 2 * page]);
        let before = mapping::faults().count;
        mapping.write(4 * page, b"x");
        Ok::<_, Errno>((before, mapping::faults()))
    })?;
    let fault = Faults { count: 1, code: mapping::BUS_ADRERR, offset: 4 * page };
    expect_eq!(user.join()?, Ok((0, fault)));
    expect_eq!((mapping.read(0, 2 * page), pages_of(&object), small.free()), (vec![7; 2 * page], Ok(2), Ok(0)));
    Ok(())
}

/// The memory of an object that was unlinked is free when its last user, here one that is killed, is gone.
#[conformance::test(posix = "shm_unlink", man = "shm_overview(7)", needs(CAP_SYS_ADMIN, file("/dev/shm")))]
fn has_room_again_when_the_last_user_is_killed() -> Outcome {
    let page = page_size();
    let small = Small::for_shared_memory(&format!("size={}", 3 * page))?;
    let name = unique_name("used");
    let user = Participant::exec("user", (), &name, |(), name: String, link| -> () {
        let object = SharedMemory::create(&name).expect("an object");
        object.set_size(3 * page_size()).expect("a size");
        let mapping = object.map(3 * page_size(), Access::ReadWrite).expect("a mapping");
        mapping.write(0, &vec![7; 3 * page_size()]);
        link.reached("full");
        link.park()
    })?;
    user.until_reached("full")?;
    let next = SharedMemory::create(&unique_name("next"))?;
    expect_eq!((small.free(), posix_fallocate(&next, 0, 1)), (Ok(0), Err(ENOSPC)));
    expect_eq!((shm_unlink(&name), small.free(), posix_fallocate(&next, 0, 1)), (Ok(()), Ok(0), Err(ENOSPC)));
    user.kill()?;
    expect_eq!(comes_to(&Ok(3), || small.free()), Ok(3));
    expect_eq!((posix_fallocate(&next, 0, offset(3 * page)), small.free()), (Ok(()), Ok(0)));
    Ok(())
}

/// Without an inode no object is made, and what is there can still be opened, unlinked, and made again.
#[conformance::test(posix = "shm_open", man = "shm_open(3)", needs(CAP_SYS_ADMIN, file("/dev/shm")))]
fn makes_no_object_without_an_inode() -> Outcome {
    let small = Small::for_shared_memory("nr_inodes=2")?;
    let object = SharedMemory::create(&unique_name("only"))?;
    let (before, further) = (open_descriptors(), unique_name("further"));
    expect_eq!((SharedMemory::create(&further).map(drop), small.free_inodes()), (Err(ENOSPC), Ok(0)));
    expect_eq!((open_descriptors(), SharedMemory::open(&further, Access::Read).map(drop)), (before, Err(ENOENT)));
    expect_eq!((SharedMemory::open(object.name(), Access::ReadWrite).map(drop), shm_unlink(object.name())), (Ok(()), Ok(())));
    expect_eq!(SharedMemory::create(&further).map(drop), Err(ENOSPC));
    drop(object);
    expect_eq!(SharedMemory::create(&further).map(drop), Ok(()));
    expect_eq!(small.free_inodes(), Ok(1));
    Ok(())
}

/// Nor is a named semaphore made without memory or without inodes, and whatever the C library needed on the way is gone again.
#[conformance::test(posix = "sem_open", man = "sem_open(3)", needs(CAP_SYS_ADMIN, file("/dev/shm")))]
fn makes_no_half_a_semaphore() -> Outcome {
    let small = Small::for_shared_memory(&format!("size={},nr_inodes=10", page_size()))?;
    let name = unique_name("sem");
    let filler = SharedMemory::create(&unique_name("filler"))?;
    posix_fallocate(&filler, 0, 1)?;
    let (empty, inodes) = (names_in(Path::new("/dev/shm"))?, small.free_inodes()?);
    expect_eq!((Semaphore::create(&name, 3).map(drop), names_in(Path::new("/dev/shm"))), (Err(ENOSPC), Ok(empty.clone())));
    expect_eq!((small.free_inodes(), Semaphore::open(&name).map(drop)), (Ok(inodes), Err(ENOENT)));
    ftruncate(&filler, 0)?;
    // Two in use: the directory and the filler.
    small.mount().remount("nr_inodes=2")?;
    expect_eq!((Semaphore::create(&name, 3).map(drop), small.free()), (Err(ENOSPC), Ok(1)));
    small.mount().remount("nr_inodes=3")?;
    let with_one = Semaphore::create(&name, 3).map(drop);
    observe!("posix_shm.semaphore-with-one-free-inode", format!("{with_one:?}"));
    expect_matches!(with_one, Ok(()) | Err(ENOSPC));
    expect_eq!((names_in(Path::new("/dev/shm")), small.free(), small.free_inodes()), (Ok(empty), Ok(1), Ok(1)));
    small.mount().remount("nr_inodes=4")?;
    let semaphore = Semaphore::create(&name, 3);
    expect_matches!(semaphore, Ok(_));
    expect_eq!((semaphore?.value(), small.free_inodes()), (Ok(3), Ok(1)));
    Ok(())
}
