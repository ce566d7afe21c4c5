//! Names and keys for objects that exist nowhere else, announced to the journal as they are given out.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::journal::{self, Object};
use crate::splitmix::SplitMix64;
use crate::sys::errno::ENOENT;
use crate::sys::sysv::objects::{SystemV, system_v_find};

/// Longest name of an object that every system takes, with its leading slash (macOS: 31 with the final NUL).
pub const LONGEST_NAME: usize = 30;

/// Tells workers apart that share names but not process ids, as containers do.
static STAMP: AtomicU64 = AtomicU64::new(0);
static COUNTER: AtomicU64 = AtomicU64::new(0);
static CASE_DIRECTORY: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Called by a worker before it forks anything.
pub(super) fn begin_worker() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    STAMP.store(now.as_secs().rotate_left(20) ^ u64::from(now.subsec_nanos()), Ordering::Relaxed);
}

/// A name for a POSIX object: a slash, the prefix (shortened where needed), and what makes it unique.
///
/// It differs between participants too, although they are forked with the same counter.
pub fn unique_name(prefix: &str) -> String {
    let name = compose(prefix, std::process::id(), STAMP.load(Ordering::Relaxed), COUNTER.fetch_add(1, Ordering::Relaxed));
    // A name that cannot be announced (no descriptor left, say) is still a good name.
    let _ = journal::announce(&Object::Name(name.clone()));
    name
}

/// A key for a System V object, which no object has at this moment.
pub fn unique_key() -> i32 {
    loop {
        let seed = STAMP.load(Ordering::Relaxed) ^ (u64::from(std::process::id()) << 32);
        let key = key_from(seed.wrapping_add(COUNTER.fetch_add(1, Ordering::Relaxed)));
        let in_use = |kind| match system_v_find(kind, key) {
            Ok(_) => true,
            // Anything but a plain "no" about a key that exists is somebody else's object; without the mechanism it is free.
            Err(errno) => errno != ENOENT && errno == crate::sys::errno::EACCES,
        };
        if !SystemV::ALL.into_iter().any(in_use) {
            let _ = journal::announce(&Object::Key(key));
            return key;
        }
    }
}

/// Where the running case keeps its files.
pub fn case_directory() -> Option<PathBuf> {
    CASE_DIRECTORY.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

pub(super) fn set_case_directory(path: Option<PathBuf>) {
    *CASE_DIRECTORY.lock().unwrap_or_else(PoisonError::into_inner) = path;
}

fn compose(prefix: &str, pid: u32, stamp: u64, counter: u64) -> String {
    let unique = format!("{}.{}.{}", base36(u64::from(pid)), base36(stamp % 36_u64.pow(5)), base36(counter));
    let room = LONGEST_NAME.saturating_sub(unique.len() + 2);
    let prefix: String = prefix.chars().filter(char::is_ascii_alphanumeric).take(room).collect();
    format!("/{prefix}.{unique}")
}

/// A positive key: 0 is `IPC_PRIVATE`.
fn key_from(seed: u64) -> i32 {
    i32::try_from(SplitMix64::new(seed).draw() & 0x7fff_ffff).unwrap_or(1).max(1)
}

fn base36(mut number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    loop {
        digits.push(char::from(DIGITS[usize::try_from(number % 36).unwrap_or_default()]));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_every_system() {
        let name = compose("a prefix/that.is_far_too_long_for_macos", u32::MAX, u64::MAX, 36_u64.pow(3));
        assert!(name.len() <= LONGEST_NAME, "{name}");
        assert!(name.starts_with("/a"), "{name}");
        assert!(!name[1..].contains('/'), "{name}");
    }

    #[test]
    fn names_differ_between_processes_workers_and_calls() {
        let names = [compose("q", 7, 1, 0), compose("q", 8, 1, 0), compose("q", 7, 2, 0), compose("q", 7, 1, 1)];
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn keys_are_positive_and_spread() {
        let keys: std::collections::HashSet<i32> = (0..10_000).map(key_from).collect();
        assert!(keys.iter().all(|&key| key > 0));
        assert!(keys.len() > 9_990);
    }

    #[test]
    fn base_36_is_written_most_significant_first() {
        assert_eq!((base36(0).as_str(), base36(35).as_str(), base36(36 * 36 + 1).as_str()), ("0", "z", "101"));
    }
}
