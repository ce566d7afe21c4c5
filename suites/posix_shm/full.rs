//! A full `/dev/shm` (Linux): the results of `shm_open`, `ftruncate`, `posix_fallocate` and mapped access when no free page or no
//! free inode is left.

use common::memory_file::Small;
use conformance::prelude::*;
use conformance::sys::fd::size::pages_of;
use conformance::sys::memory::mapping;
use conformance::sys::memory::mapping::Faults;
use conformance::sys::memory::shm::{SharedMemory, shm_unlink};

/// `ftruncate` of a shared memory object to more than the free space of `/dev/shm` returns 0, and `posix_fallocate` of this size
/// returns `ENOSPC`. On a full `/dev/shm`, a store into an unallocated page of a mapping raises `SIGBUS`, and a store into an
/// allocated page raises no signal.
#[conformance::test(posix = "posix_fallocate", man = "shm_overview(7)", needs(CAP_SYS_ADMIN, file("/dev/shm")))]
fn ftruncate_reserves_no_memory() -> Outcome {
    let page = page_size();
    let small = Small::for_shared_memory(&format!("size={}", 3 * page))?;
    let object = SharedMemory::create(&unique_name("large"))?;
    expect_eq!((object.set_size(5 * page), small.free()), (Ok(()), Ok(3)));
    expect_eq!((posix_fallocate(&object, 0, offset(5 * page)), small.free(), object.size()), (Err(ENOSPC), Ok(3), Ok(5 * page)));
    expect_eq!((posix_fallocate(&object, 0, offset(2 * page)), small.free()), (Ok(()), Ok(1)));
    let mapping = object.map(5 * page, Access::ReadWrite)?;
    let other = SharedMemory::create(&unique_name("other"))?;
    expect_eq!((posix_fallocate(&other, 0, offset(page)), small.free()), (Ok(()), Ok(0)));
    let user = Participant::spawn("owner of the mapping", (), |(), _| {
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

/// While a process has an unlinked shared memory object open that fills `/dev/shm`, `posix_fallocate` of one byte of another
/// object returns `ENOSPC`. After this process is killed, `posix_fallocate` of all pages of `/dev/shm` returns 0.
#[conformance::test(posix = "shm_unlink", man = "shm_overview(7)", needs(CAP_SYS_ADMIN, file("/dev/shm")))]
fn unlinked_object_is_freed_with_its_last_process() -> Outcome {
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

/// If `/dev/shm` has no free inode, `shm_open` with `O_CREAT` of a new name fails with `ENOSPC` and leaves no file and no open
/// descriptor. `shm_open` of an existing object returns a descriptor, and `shm_unlink` of its name returns 0.
#[conformance::test(posix = "shm_open", man = "shm_open(3)", needs(CAP_SYS_ADMIN, file("/dev/shm")))]
fn shm_open_without_free_inode_fails() -> Outcome {
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
