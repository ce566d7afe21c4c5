//! `ftok`: one key for a file and an id, whatever the file is called.

use conformance::prelude::*;
use conformance::sys::sysv::ftok;

/// All names of one file give the same key, at any time, in any process, and whatever happens to its contents.
#[conformance::test(posix = "ftok", man = "ftok(3)")]
fn depends_on_the_file_and_not_on_its_name() -> Outcome {
    let scratch = Scratch::new()?;
    let [path, link, moved] = ["file", "link", "moved"].map(|name| scratch.join(name));
    let file = create(&path, OFlag::O_WRONLY, 0o600)?;
    let key = ftok(&path, 7);
    expect_matches!(key, Ok(_));
    std::os::unix::fs::symlink(&path, scratch.join("symbolic"))?;
    std::fs::hard_link(&path, &link)?;
    write_all(&file, b"more")?;
    expect_eq!([ftok(&path, 7), ftok(&link, 7), ftok(&scratch.join("symbolic"), 7)], [key; 3]);
    rename(&path, &moved)?;
    expect_eq!((ftok(&moved, 7), ftok(&path, 7)), (key, Err(ENOENT)));
    let other = Participant::spawn("another process", (), |(), _| ftok(&moved, 7))?;
    expect_eq!(other.join()?, key);
    Ok(())
}

/// Ids that differ in their low eight bits give different keys, and ids that differ elsewhere the same. (Low bits of zero are
/// unspecified.)
#[conformance::test(posix = "ftok", man = "ftok(3)")]
fn uses_the_low_eight_bits_of_the_id() -> Outcome {
    let scratch = Scratch::new()?;
    let keys: Vec<_> = (1..=255).map(|id| ftok(scratch.path(), id)).collect();
    let again: Vec<_> = (1..=255).map(|id| ftok(scratch.path(), id + 0x5_4300)).collect();
    expect_eq!(again, keys);
    let distinct: std::collections::HashSet<_> = keys.iter().flatten().collect();
    expect_eq!(distinct.len(), 255);
    Ok(())
}
