//! Which platform file fits the system that this runs on. By the kernel's name only: a kernel that calls itself Linux promises
//! what Linux promises, whoever wrote it.

use std::fmt;

use nix::sys::utsname::uname;

use super::version::{Library, Release, Releases};
use crate::sys::library;

/// What `uname` says.
#[derive(Clone, Debug)]
pub struct System {
    /// Name of the kernel: `Linux`, `Darwin`, …
    pub kernel: String,
    /// Its release, as text.
    pub release: String,
    /// Its build.
    pub version: String,
    /// The processor's architecture.
    pub machine: String,
    /// The C library, where the system is used with more than one.
    pub library: Option<Library>,
    /// Its release, as text; what won't say is empty.
    pub library_release: String,
}

impl System {
    /// Asks the running kernel; what it won't say is empty.
    pub fn detect() -> Self {
        let names = uname().ok();
        let text = |field: Option<&std::ffi::OsStr>| field.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
        System {
            kernel: text(names.as_ref().map(nix::sys::utsname::UtsName::sysname)),
            release: text(names.as_ref().map(nix::sys::utsname::UtsName::release)),
            version: text(names.as_ref().map(nix::sys::utsname::UtsName::version)),
            machine: text(names.as_ref().map(nix::sys::utsname::UtsName::machine)),
            library: Library::current(),
            library_release: library::release().unwrap_or_default(),
        }
    }

    /// Name of the embedded platform file that fits.
    pub fn platform(&self) -> &'static str {
        match self.kernel.as_str() {
            "Linux" => "linux",
            "Darwin" => "macos",
            _ => "posix",
        }
    }

    /// The releases as numbers.
    pub fn releases(&self) -> Releases {
        let told = (!self.library_release.is_empty()).then(|| Release::running(&self.library_release));
        let library = self.library.map(|library| (library, told));
        Releases { kernel: Release::running(&self.release), library }
    }

    /// The C library in words.
    pub fn library(&self) -> String {
        match self.library {
            Some(library) => format!("{library} {}", self.library_release).trim_end().to_owned(),
            None => "the system's".to_owned(),
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kernel, self.release, self.machine)?;
        if self.library.is_some() { write!(f, ", {}", self.library()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::System;

    #[test]
    fn goes_by_the_name_of_the_kernel() {
        let platform = |kernel: &str| System { kernel: kernel.to_owned(), ..System::detect() }.platform();
        assert_eq!(platform("Linux"), "linux");
        assert_eq!(platform("Darwin"), "macos");
        assert_eq!(platform("FreeBSD"), "posix");
    }
}
