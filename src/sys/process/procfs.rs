//! `/proc`, and whose processes it shows.

use std::{fs, io};

/// The id that `/proc` shows the calling process under; another than its own where it shows another PID namespace.
///
/// # Errors
/// There is no `/proc`, or it does not show the process.
pub fn shown_id() -> io::Result<String> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    Ok(stat.split(' ').next().unwrap_or_default().to_owned())
}

/// Whether `/proc` shows the PID namespace of the calling process. One that shows another's is worse than none: under an id it has
/// somebody else.
pub fn is_ours() -> bool {
    shown_id().is_ok_and(|shown| shown == std::process::id().to_string())
}
