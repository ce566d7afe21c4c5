//! Shared memory objects as files in `/dev/shm` (Linux): `stat`, `open`, `rename`, `link` and symbolic links beside `shm_open`
//! and `shm_unlink`.

use std::os::unix::fs::symlink;

use conformance::prelude::*;
use conformance::sys::memory::shm::{SharedMemory, shm_open};
use conformance::sys::path::status::permissions;

use super::fixture::{CREATE, CREATE_NEW, Name, contents, pages};

/// The path of the object with that name.
fn file_of(name: &str) -> PathBuf {
    Path::new("/dev/shm").join(name.trim_start_matches('/'))
}

/// For a shared memory object `/NAME`, `stat` on `/dev/shm/NAME` returns the inode number, size and permission bits that `fstat`
/// on the object returns, and `open` and `read` on this path return the bytes of the object. After `shm_unlink`, `stat` on this
/// path fails with `ENOENT`.
#[conformance::test(man = "shm_overview(7)", needs(file("/dev/shm")))]
fn contains_a_file_for_each_object() -> Outcome {
    let object = pages(1)?;
    let path = file_of(object.name());
    let (status, through) = (stat(&path)?, fstat(&object)?);
    expect_eq!((status.st_ino, status.st_size, permissions(&status)), (through.st_ino, through.st_size, 0o600));
    expect_eq!(read_to_end(open(&path, OFlag::O_RDONLY)?), Ok(pattern(page_size())));
    conformance::sys::memory::shm::shm_unlink(object.name())?;
    expect_eq!(stat(&path).map(drop), Err(ENOENT));
    Ok(())
}

/// If `/dev/shm/NAME` was created with `open`, `shm_open` of `/NAME` without `O_CREAT` opens this file, and `shm_open` with
/// `O_CREAT | O_EXCL` fails with `EEXIST`. After `shm_unlink` of `/NAME`, `stat` on `/dev/shm/NAME` fails with `ENOENT`.
#[conformance::test(man = "shm_overview(7)", needs(file("/dev/shm")))]
fn created_file_is_an_object() -> Outcome {
    let name = Name::new("file");
    let file = create(&file_of(name.text()), OFlag::O_RDWR | OFlag::O_EXCL, 0o600)?;
    write_all(&file, b"from a file")?;
    let object = SharedMemory::open(name.text(), Access::Read);
    expect_matches!(object, Ok(_));
    expect_eq!((contents(&object?), name.open(CREATE_NEW, 0o600).map(drop)), (Ok(b"from a file".to_vec()), Err(EEXIST)));
    expect_eq!((name.unlink(), stat(&file_of(name.text())).map(drop)), (Ok(()), Err(ENOENT)));
    Ok(())
}

/// After `rename` in `/dev/shm` of one object onto the name of another, `shm_open` with the old name fails with `ENOENT`, and
/// `shm_open` with the new name opens the renamed object. A descriptor of the replaced object that is still open shows `st_nlink`
/// 0 and all bytes.
#[conformance::test(posix = "rename", man = "shm_overview(7)", needs(file("/dev/shm")))]
fn rename_replaces_the_target_object() -> Outcome {
    let (object, target) = (pages(1)?, pages(2)?);
    rename(&file_of(object.name()), &file_of(target.name()))?;
    expect_eq!(shm_open(object.name(), OFlag::O_RDONLY, 0).map(drop), Err(ENOENT));
    expect_eq!(shm_open(target.name(), OFlag::O_RDONLY, 0).and_then(contents), Ok(pattern(page_size())));
    expect_eq!((fstat(&target)?.st_nlink, contents(&target)), (0, Ok(pattern(2 * page_size()))));
    Ok(())
}

/// After `link` in `/dev/shm` gives a shared memory object a second name, `fstat` returns `st_nlink` 2. After `shm_unlink` of the
/// first name, `shm_open` with the second name opens the object with all its bytes.
#[conformance::test(posix = "link", man = "shm_overview(7)", needs(file("/dev/shm")))]
fn hard_link_is_a_second_name() -> Outcome {
    let (object, second) = (pages(1)?, Name::new("second"));
    std::fs::hard_link(file_of(object.name()), file_of(second.text()))?;
    expect_eq!(fstat(&object)?.st_nlink, 2);
    conformance::sys::memory::shm::shm_unlink(object.name())?;
    expect_eq!(fstat(&object)?.st_nlink, 1);
    let name = object.name().to_owned();
    drop(object);
    expect_eq!(shm_open(&name, OFlag::O_RDONLY, 0).map(drop), Err(ENOENT));
    expect_eq!(second.open(OFlag::O_RDONLY, 0).and_then(contents), Ok(pattern(page_size())));
    expect_eq!((second.unlink(), second.visit(OFlag::O_RDONLY)), (Ok(()), Err(ENOENT)));
    Ok(())
}

/// `shm_open` on the name of a symbolic link in `/dev/shm` opens the target of the link or fails with `ELOOP`; the result is
/// recorded. `shm_unlink` of this name returns 0, and `shm_open` with the name of the target still opens it.
#[conformance::test(man = "shm_overview(7)", level = observed, needs(file("/dev/shm")))]
fn shm_open_may_follow_symbolic_links() -> Outcome {
    let (object, link, dangling) = (pages(1)?, Name::new("link"), Name::new("dangling"));
    symlink(file_of(object.name()), file_of(link.text()))?;
    let missing = Name::new("missing");
    symlink(file_of(missing.text()), file_of(dangling.text()))?;
    let opened = [link.visit(OFlag::O_RDONLY), link.visit(OFlag::O_RDWR | OFlag::O_TRUNC)];
    let made = dangling.open(CREATE, 0o600).map(drop);
    observe!("posix_shm.follows-symbolic-links", format!("{:?}, {made:?}", opened[0]));
    if opened[0].is_err() {
        expect_eq!((opened, made, missing.visit(OFlag::O_RDONLY)), ([Err(ELOOP); 2], Err(ELOOP), Err(ENOENT)));
        expect_eq!(contents(&object), Ok(pattern(page_size())));
    }
    // The link is removed, and its target stays.
    expect_eq!((link.unlink(), shm_open(object.name(), OFlag::O_RDONLY, 0).is_ok()), (Ok(()), true));
    Ok(())
}

/// If `/dev/shm/NAME` is a directory, `shm_open` of `/NAME` with `O_RDWR` fails with `EINVAL` or `EISDIR`, and with
/// `O_CREAT | O_EXCL` with `EEXIST`. `shm_unlink` of `/NAME` fails with `EISDIR`, `EPERM` or `EACCES` and leaves the directory in
/// place.
#[conformance::test(man = "shm_open(3)", level = customary, needs(file("/dev/shm")))]
fn rejects_a_directory() -> Outcome {
    let name = Name::new("directory");
    std::fs::create_dir(file_of(name.text()))?;
    let seen =
        (name.visit(OFlag::O_RDWR), name.open(CREATE, 0o600).map(drop), name.open(CREATE_NEW, 0o600).map(drop), name.unlink());
    let removed = std::fs::remove_dir(file_of(name.text())).is_ok();
    expect_matches!(seen.0, Err(EINVAL | EISDIR));
    expect_matches!(seen.1, Err(EINVAL | EISDIR));
    expect_matches!((seen.2, seen.3, removed), (Err(EEXIST), Err(EISDIR | EPERM | EACCES), true));
    Ok(())
}
