//! Which platform file fits the system that this runs on. By the kernel's name only: a kernel that calls itself Linux promises
//! what Linux promises, whoever wrote it.

use std::fmt;

use nix::sys::utsname::uname;

use super::version::Release;

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

    /// The release as numbers.
    pub fn kernel_release(&self) -> Release {
        Release::of_kernel(&self.release)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kernel, self.release, self.machine)
    }
}

#[cfg(test)]
mod tests {
    use super::System;

    #[test]
    fn goes_by_the_name_of_the_kernel() {
        let platform = |kernel: &str| {
            let (release, version, machine) = (String::new(), String::new(), String::new());
            System { kernel: kernel.to_owned(), release, version, machine }.platform()
        };
        assert_eq!(platform("Linux"), "linux");
        assert_eq!(platform("Darwin"), "macos");
        assert_eq!(platform("FreeBSD"), "posix");
    }
}
