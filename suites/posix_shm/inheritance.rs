//! Relatives: what a child has of its parent's objects and mappings, and that another program has nothing of them.

use conformance::prelude::*;
use conformance::sys::memory::region::Region;

use super::fixture::{RW, SHARED, contents, pages};

/// A child has every shared mapping of its parent, and each sees the stores of the other, a grandchild included.
#[conformance::test(posix = "fork", posix = "mmap")]
fn gives_mappings_to_descendants() -> Outcome {
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

/// What a child unmaps, or loses with its end, its parent keeps.
#[conformance::test(posix = "munmap", posix = "fork")]
fn leaves_the_parent_what_the_child_gives_up() -> Outcome {
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

/// What the parent unmaps its child keeps, and still shares with others.
#[conformance::test(posix = "munmap", posix = "fork")]
fn leaves_the_child_what_the_parent_gives_up() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, SHARED, 0)?;
    let child = Participant::spawn("child", (), |(), link| {
        link.meet("given up");
        let seen = region.read(0, 5);
        region.write(8, b"child");
        seen
    })?;
    child.until_reached("given up")?;
    drop(region);
    object.map(page_size(), Access::ReadWrite)?.write(0, b"later");
    child.open("given up")?;
    expect_eq!(child.join()?, b"later".to_vec());
    expect_eq!(contents(&object)?[8..13].to_vec(), b"child".to_vec());
    Ok(())
}

/// A killed child has stored what it has stored, and takes no page with it.
#[conformance::test(posix = "mmap")]
fn keeps_the_stores_of_a_killed_child() -> Outcome {
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

/// Another program starts with no mapping of an object, even where it keeps the descriptor; the object is still there for it.
#[cfg(linux)]
#[conformance::test(posix = "exec", man = "execve(2)", needs(procfs))]
fn gives_no_mapping_to_another_program() -> Outcome {
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
