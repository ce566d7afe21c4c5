//! `/dev/shm`: where `shm_open` and `sem_open` keep what they make.

use conformance::prelude::*;
use nix::sys::statvfs::statvfs;

use super::mounts;

const PLACE: &str = "/dev/shm";

/// The directory exists, a file can be made in it, and the file system has room for a page; its type and size are recorded.
#[conformance::test(man = "shm_overview(7)", needs(file("/proc/self/mounts")), ambient)]
fn directory_is_writable() -> Outcome {
    let room = match statvfs(PLACE) {
        Ok(room) => room,
        Err(errno) => unsupported!("/dev/shm, without which there is neither shm_open nor sem_open,", Errno::from(errno)),
    };
    observe!("environment.shared_memory.file_system", mounts::type_of(PLACE)?);
    observe!("environment.shared_memory.bytes", room.blocks() * room.fragment_size());
    observe!("environment.shared_memory.bytes_free", room.blocks_available() * room.fragment_size());

    // Not below the directory but in it, as `shm_open` does; the file has no name any more when it is used.
    let path = Path::new(PLACE).join(conformance::sandbox::names::unique_name("environment").trim_start_matches('/'));
    let file = create(&path, OFlag::O_RDWR | OFlag::O_EXCL, 0o600);
    expect_matches!(file, Ok(_));
    unlink(&path)?;
    expect_eq!(write_all(file?, &pattern(page_size())), Ok(()));
    Ok(())
}
