//! `fork` and `exec`: shared mappings of a shared memory object in child processes, and in a new program.

use conformance::prelude::*;
use conformance::sys::memory::region::Region;

use super::fixture::{RW, SHARED, contents, pages};

/// Bytes that a child or a grandchild stores through a `MAP_SHARED` mapping inherited by `fork` are read by the parent. Bytes
/// that the parent stores after `fork` are read by the child.
#[conformance::test(posix = "fork", posix = "mmap")]
fn descendants_share_the_mappings() -> Outcome {
    let object = pages(1)?;
    let mapping = object.map(page_size(), Access::ReadWrite)?;
    let child = Participant::spawn("child", (), |(), link| {
        let grandchild = Participant::spawn("grandchild", (), |(), _| {
            mapping.write(0, b"grandchild");
        })?;
        link.meet("forked");
        mapping.write(20, b"child");
        let seen = mapping.read(40, 6);
        grandchild.join().map_err(|_| ECHILD)?;
        Ok::<_, Errno>(seen)
    })?;
    child.until_reached("forked")?;
    mapping.write(40, b"parent");
    child.open("forked")?;
    expect_eq!(child.join()?, Ok(b"parent".to_vec()));
    expect_eq!((mapping.read(0, 10), mapping.read(20, 5)), (b"grandchild".to_vec(), b"child".to_vec()));
    Ok(())
}

/// After a child calls `munmap` on an inherited mapping and exits, the mapping in the parent still shows every byte of the shared
/// memory object.
#[conformance::test(posix = "munmap", posix = "fork")]
fn munmap_in_the_child_leaves_the_parent_mapping() -> Outcome {
    let object = pages(2)?;
    let region = Region::map(&object, 2 * page_size(), RW, SHARED, 0)?;
    let child = Participant::spawn("child", (), |(), _| {
        region.write(0, b"child");
        region.unmap(0, 2 * page_size())
    })?;
    expect_eq!(child.join()?, Ok(()));
    let mut expected = pattern(2 * page_size());
    expected[..5].copy_from_slice(b"child");
    expect_eq!(region.read(0, 2 * page_size()), expected);
    Ok(())
}

/// After the parent calls `munmap` on a mapping, the inherited mapping in its child shows later stores to the shared memory
/// object. Stores by the child change the object.
#[conformance::test(posix = "munmap", posix = "fork")]
fn munmap_in_the_parent_leaves_the_child_mapping() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, SHARED, 0)?;
    let child = Participant::spawn("child", (), |(), link| {
        link.meet("unmapped");
        let seen = region.read(0, 5);
        region.write(8, b"child");
        seen
    })?;
    child.until_reached("unmapped")?;
    drop(region);
    object.map(page_size(), Access::ReadWrite)?.write(0, b"later");
    child.open("unmapped")?;
    expect_eq!(child.join()?, b"later".to_vec());
    expect_eq!(contents(&object)?[8..13].to_vec(), b"child".to_vec());
    Ok(())
}

/// After a child that stored through an inherited `MAP_SHARED` mapping is killed, the parent reads the stored bytes. All other
/// bytes of the mapping stay as they were.
#[conformance::test(posix = "mmap")]
fn stores_of_a_killed_child_stay() -> Outcome {
    let object = pages(2)?;
    let mapping = object.map(2 * page_size(), Access::ReadWrite)?;
    let child = Participant::spawn("child", (), |(), link| -> () {
        mapping.write(page_size() - 2, b"last");
        link.reached("stored");
        link.park()
    })?;
    child.until_reached("stored")?;
    child.kill()?;
    let mut expected = pattern(2 * page_size());
    expected[page_size() - 2..page_size() + 2].copy_from_slice(b"last");
    expect_eq!(mapping.read(0, 2 * page_size()), expected);
    Ok(())
}

/// After `exec`, `/proc/self/maps` of the new program does not contain the shared memory object that the process had mapped. A
/// descriptor of the object that was kept open across `exec` still shows its bytes.
#[cfg(linux)]
#[conformance::test(posix = "exec", man = "execve(2)", needs(procfs))]
fn exec_removes_the_mappings() -> Outcome {
    let object = pages(1)?;
    let mapping = object.map(page_size(), Access::ReadWrite)?;
    let kept = dup(&object)?;
    let file = object.name().trim_start_matches('/').to_owned();
    let mapped = |file: &str| std::fs::read_to_string("/proc/self/maps").map(|maps| maps.contains(file));
    expect_eq!(mapped(&file).ok(), Some(true));
    let program = Participant::exec("program", kept, &file, |kept, file: String, _| {
        let maps = std::fs::read_to_string("/proc/self/maps")?;
        Ok::<_, Errno>((maps.contains(&file), contents(&kept)))
    })?;
    mapping.write(0, &[7; 4]);
    let (still_mapped, seen) = program.join()??;
    expect_eq!((still_mapped, seen.map(|bytes| bytes[4..].to_vec())), (false, Ok(pattern(page_size())[4..].to_vec())));
    Ok(())
}
