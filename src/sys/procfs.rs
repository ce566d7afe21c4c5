//! `/proc`, and whose processes it shows.

use std::fs;

/// Whether `/proc` shows the PID namespace of the calling process. One that shows another's is worse than none: under an id it has
/// somebody else.
pub fn is_ours() -> bool {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    stat.split(' ').next() == Some(&std::process::id().to_string())
}
