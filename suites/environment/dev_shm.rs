//! `/dev/shm`, the file system of the objects that `shm_open` and `sem_open` create.

use conformance::prelude::*;
use nix::sys::statvfs::statvfs;

use super::mounts;

const DIRECTORY: &str = "/dev/shm";

/// `open` with `O_CREAT | O_EXCL | O_RDWR` of a name in `/dev/shm` returns a descriptor, `unlink` of the name returns 0, and
/// `write` of one page to the descriptor writes all bytes without error. The file system type in `/proc/self/mounts`, and the
/// size and the free space that `statvfs` reports, are recorded, and any values are accepted.
#[conformance::test(man = "shm_overview(7)", needs(file("/proc/self/mounts")), ambient)]
fn directory_is_writable() -> Outcome {
    let space = match statvfs(DIRECTORY) {
        Ok(space) => space,
        Err(errno) => unsupported!("/dev/shm, which shm_open and sem_open need", Errno::from(errno)),
    };
    observe!("environment.shared_memory.file_system", mounts::type_of(DIRECTORY)?);
    observe!("environment.shared_memory.bytes", space.blocks() * space.fragment_size());
    observe!("environment.shared_memory.bytes_free", space.blocks_available() * space.fragment_size());

    // A file directly in the directory, as `shm_open` creates it. Its name is removed before it is used.
    let path = Path::new(DIRECTORY).join(conformance::sandbox::names::unique_name("environment").trim_start_matches('/'));
    let file = create(&path, OFlag::O_RDWR | OFlag::O_EXCL, 0o600);
    expect_matches!(file, Ok(_));
    unlink(&path)?;
    expect_eq!(write_all(file?, &pattern(page_size())), Ok(()));
    Ok(())
}
