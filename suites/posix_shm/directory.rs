//! The directory in which objects appear as files, and what can be done with them there that `shm_open` knows nothing of.

use std::os::unix::fs::symlink;

use conformance::prelude::*;
use conformance::sys::memory::shm::{SharedMemory, shm_open};
use conformance::sys::path::status::permissions;

use super::fixture::{CREATE, CREATE_NEW, Name, contents, pages};

/// The file that an object of that name is.
fn file_of(name: &str) -> PathBuf {
    Path::new("/dev/shm").join(name.trim_start_matches('/'))
}

/// An object is a file of its name, with its bytes, size and mode, and gone from there once it is unlinked.
#[conformance::test(man = "shm_overview(7)", needs(file("/dev/shm")))]
fn shows_each_object() -> Outcome {
    let object = pages(1)?;
    let path = file_of(object.name());
    let (status, through) = (stat(&path)?, fstat(&object)?);
    expect_eq!((status.st_ino, status.st_size, permissions(&status)), (through.st_ino, through.st_size, 0o600));
    expect_eq!(read_to_end(open(&path, OFlag::O_RDONLY)?), Ok(pattern(page_size())));
    conformance::sys::memory::shm::shm_unlink(object.name())?;
    expect_eq!(stat(&path).map(drop), Err(ENOENT));
    Ok(())
}

/// A file that is made there is an object.
#[conformance::test(man = "shm_overview(7)", needs(file("/dev/shm")))]
fn makes_objects_of_files() -> Outcome {
    let name = Name::new("file");
    let file = create(&file_of(name.text()), OFlag::O_RDWR | OFlag::O_EXCL, 0o600)?;
    write_all(&file, b"from a file")?;
    let object = SharedMemory::open(name.text(), Access::Read);
    expect_matches!(object, Ok(_));
    expect_eq!((contents(&object?), name.open(CREATE_NEW, 0o600).map(drop)), (Ok(b"from a file".to_vec()), Err(EEXIST)));
    expect_eq!((name.unlink(), stat(&file_of(name.text())).map(drop)), (Ok(()), Err(ENOENT)));
    Ok(())
}

/// Renamed there, an object is found by its new name alone; the object that had that name is without one.
#[conformance::test(posix = "rename", man = "shm_overview(7)", needs(file("/dev/shm")))]
fn renames_objects() -> Outcome {
    let (object, target) = (pages(1)?, pages(2)?);
    rename(&file_of(object.name()), &file_of(target.name()))?;
    expect_eq!(shm_open(object.name(), OFlag::O_RDONLY, 0).map(drop), Err(ENOENT));
    expect_eq!(shm_open(target.name(), OFlag::O_RDONLY, 0).and_then(contents), Ok(pattern(page_size())));
    expect_eq!((fstat(&target)?.st_nlink, contents(&target)), (0, Ok(pattern(2 * page_size()))));
    Ok(())
}

/// With a second link an object has two names, and lasts until both are unlinked.
#[conformance::test(posix = "link", man = "shm_overview(7)", needs(file("/dev/shm")))]
fn links_objects() -> Outcome {
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

/// Whether a symbolic link there is followed is the C library's choice; one that is not followed leads to no object, and makes none
/// at its end.
#[conformance::test(man = "shm_overview(7)", level = observed, needs(file("/dev/shm")))]
fn may_not_follow_links() -> Outcome {
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
    // The link is unlinked, and not what it leads to.
    expect_eq!((link.unlink(), shm_open(object.name(), OFlag::O_RDONLY, 0).is_ok()), (Ok(()), true));
    Ok(())
}

/// A directory there is no object: it is neither opened for writing nor unlinked.
#[conformance::test(man = "shm_open(3)", needs(file("/dev/shm")))]
fn takes_no_directory_for_an_object() -> Outcome {
    let name = Name::new("directory");
    std::fs::create_dir(file_of(name.text()))?;
    let seen =
        (name.visit(OFlag::O_RDWR), name.open(CREATE, 0o600).map(drop), name.open(CREATE_NEW, 0o600).map(drop), name.unlink());
    let removed = std::fs::remove_dir(file_of(name.text())).is_ok();
    expect_matches!(seen.0, Err(EINVAL | EISDIR));
    expect_matches!(seen.1, Err(EINVAL | EISDIR));
    expect_matches!((seen.2, seen.3, removed), (Err(EEXIST), Err(_), true));
    Ok(())
}
