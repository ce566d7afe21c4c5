//! Release numbers: enough of them to say "since 5.10.4", and no more. And whose they are: a kernel's and a C library's.

use std::cmp::Ordering;
use std::fmt;

use serde::Deserialize;

/// A C library of a system that is used with more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Library {
    /// The GNU C library.
    Glibc,
    /// musl.
    Musl,
}

impl Library {
    /// The one that this executable was built for; `None` where the system has but one.
    pub fn current() -> Option<Self> {
        if cfg!(target_env = "gnu") {
            Some(Library::Glibc)
        } else if cfg!(target_env = "musl") {
            Some(Library::Musl)
        } else {
            None
        }
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Library::Glibc => "glibc",
            Library::Musl => "musl",
        })
    }
}

/// Which releases something is known of.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// The C library that it is about; without one it is the kernel, or whatever library is used.
    pub library: Option<Library>,
    /// The first release: of the C library where one is named, else of the kernel.
    pub since: Option<Release>,
    /// The first such release that it is no longer known of.
    pub until: Option<Release>,
}

impl Bounds {
    /// Whether a system with these releases is within. A release that is not told is within no bound.
    pub fn hold_for(&self, on: &Releases) -> bool {
        let release = match (self.library, &on.library) {
            (None, _) => Some(&on.kernel),
            (Some(named), Some((library, release))) if named == *library => release.as_ref(),
            (Some(_), _) => return false,
        };
        self.since.as_ref().is_none_or(|since| release.is_some_and(|release| since <= release))
            && self.until.as_ref().is_none_or(|until| release.is_some_and(|release| release < until))
    }
}

/// What bounds are held against.
#[derive(Clone, Debug)]
pub struct Releases {
    /// The kernel's release.
    pub kernel: Release,
    /// The C library, with its release where it tells that.
    pub library: Option<(Library, Option<Release>)>,
}

/// The leading numbers of a release: `6.1.0-13-amd64` is 6.1.0. Missing numbers count as 0.
#[derive(Clone, Debug)]
pub struct Release(Vec<u64>);

impl Release {
    /// A release as the running system gives it; what follows the numbers is ignored.
    pub fn running(text: &str) -> Self {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        Release(text[..end].split('.').map_while(|part| part.parse().ok()).collect())
    }

    /// A bound as a platform file gives it: numbers and dots only.
    pub fn bound(text: &str) -> Option<Self> {
        let numbers: Option<Vec<u64>> = text.split('.').map(|part| part.parse().ok()).collect();
        numbers.map(Release)
    }
}

impl Ord for Release {
    fn cmp(&self, other: &Self) -> Ordering {
        let length = self.0.len().max(other.0.len());
        let padded =
            |release: &Release| -> Vec<u64> { release.0.iter().copied().chain(std::iter::repeat(0)).take(length).collect() };
        padded(self).cmp(&padded(other))
    }
}

impl PartialOrd for Release {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Release {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Release {}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::Release;

    #[test]
    fn orders_by_numbers() {
        let release = |text| Release::bound(text).unwrap();
        assert!(release("5.9") < release("5.10"));
        assert!(release("5.10") < release("5.10.4"));
        assert_eq!(release("6"), release("6.0.0"));
    }

    #[test]
    fn reads_what_uname_gives() {
        assert_eq!(Release::running("6.1.0-13-amd64").to_string(), "6.1.0");
        assert_eq!(Release::running("23.4.0").to_string(), "23.4.0");
        assert_eq!(Release::running("odd"), Release::running("0"));
    }

    #[test]
    fn refuses_a_bound_that_is_no_number() {
        assert!(Release::bound("5.x").is_none());
        assert!(Release::bound("").is_none());
    }
}
