//! File systems of the mechanisms, as `/proc/self/mounts` shows them.

use std::fs;

use conformance::prelude::*;

/// If the third field of a line of `/proc/self/mounts` is `mqueue`, `opendir` of the path in the second field returns without
/// error. This mount point, or that there is none, is recorded, and either is accepted.
#[conformance::test(man = "mq_overview(7)", level = observed, needs(file("/proc/self/mounts")), ambient)]
fn mqueue_mount_point() -> Outcome {
    let place = all()?.into_iter().find(|mount| mount.kind == "mqueue").map(|mount| mount.place);
    if let Some(place) = &place {
        expect_matches!(fs::read_dir(place), Ok(_));
    }
    observe!("environment.message_queues.file_system", place.unwrap_or_else(|| "not mounted".to_owned()));
    Ok(())
}

/// Type of the file system that a directory is in: that of the last mount on the longest prefix of its path.
pub fn type_of(directory: &str) -> Result<String, Errno> {
    let holds = |mount: &Mount| Path::new(directory).starts_with(&mount.place);
    let mount = all()?.into_iter().filter(holds).max_by_key(|mount| mount.place.len());
    mount.map(|mount| mount.kind).ok_or(ENOENT)
}

struct Mount {
    place: String,
    kind: String,
}

/// Every line: source, place, type, options.
fn all() -> Result<Vec<Mount>, Errno> {
    let text = fs::read_to_string("/proc/self/mounts")?;
    let mount = |line: &str| {
        let mut words = line.split(' ').skip(1).map(str::to_owned);
        Some(Mount { place: words.next()?, kind: words.next()? })
    };
    Ok(text.lines().filter_map(mount).collect())
}
