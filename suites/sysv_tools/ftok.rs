//! `ftok`: the key for a file and an id.

use conformance::prelude::*;
use conformance::sys::sysv::ftok;

/// `ftok` with id 7 returns the same key for the path of a file, for a hard link and a symbolic link to the file, after `write`
/// to the file, after `rename` of the file, and in another process.
#[conformance::test(posix = "ftok", man = "ftok(3)")]
fn key_is_the_same_for_all_names_of_a_file() -> Outcome {
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

/// `ftok` with the ids 1 to 255 returns 255 different keys for one path. `ftok` with each of these ids plus 0x54300, which differ
/// only above the low 8 bits, returns the same keys.
#[conformance::test(posix = "ftok", man = "ftok(3)")]
fn key_depends_on_the_low_8_bits_of_the_id() -> Outcome {
    let scratch = Scratch::new()?;
    let keys: Vec<_> = (1..=255).map(|id| ftok(scratch.path(), id)).collect();
    let again: Vec<_> = (1..=255).map(|id| ftok(scratch.path(), id + 0x5_4300)).collect();
    expect_eq!(again, keys);
    let distinct: std::collections::HashSet<_> = keys.iter().flatten().collect();
    expect_eq!(distinct.len(), 255);
    Ok(())
}
