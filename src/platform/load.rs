//! A platform as a run is held against it: a file and what it inherits, for the kernel and the C library that run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::detect::System;
use super::deviation::{Deviation, Pin};
use super::error::PlatformError;
use super::file::PlatformFile;
use super::version::{Release, Releases};

/// The files in this executable, by the name that `--platform` takes.
const EMBEDDED: &[(&str, &str)] = &[
    ("linux", include_str!("../../fixtures/platforms/linux.toml")),
    ("macos", include_str!("../../fixtures/platforms/macos.toml")),
    ("posix", include_str!("../../fixtures/platforms/posix.toml")),
];

/// What is known about a system.
#[derive(Debug)]
pub struct Platform {
    name: String,
    on: Releases,
    deviations: Vec<Deviation>,
    pins: BTreeMap<String, Pin>,
}

impl Platform {
    /// The platform of that name or in that file; of the running system where neither is given.
    ///
    /// # Errors
    /// There is no such platform, or something is wrong with its file.
    pub fn load(which: Option<&str>, system: &System) -> Result<Self, PlatformError> {
        let which = which.unwrap_or_else(|| system.platform());
        let on = system.releases();
        if let Some(text) = embedded(EMBEDDED, which) {
            return Platform::parse(&file_name(which), text, on, EMBEDDED);
        }
        if !looks_like_a_path(which) {
            return Err(PlatformError::Unknown { name: which.to_owned(), known: names(EMBEDDED) });
        }
        let text = fs::read_to_string(which).map_err(|source| PlatformError::Unreadable { path: which.into(), source })?;
        Platform::parse(which, &text, on, EMBEDDED)
    }

    /// Every embedded platform, without what it inherits and whatever the releases: for looking things up, not for judging.
    ///
    /// # Errors
    /// Something is wrong with one of the files.
    pub fn embedded() -> Result<Vec<Self>, PlatformError> {
        let alone = |(name, text): &(&str, &str)| {
            let file = PlatformFile::parse(&file_name(name), text)?;
            let nowhere = Releases { kernel: Release::running(""), library: None };
            let pins = file.pins(&nowhere);
            Ok(Platform { name: file.name, on: nowhere, deviations: file.deviations, pins })
        };
        EMBEDDED.iter().map(alone).collect()
    }

    /// A file's text with its parents, which are looked up in `library`.
    pub(crate) fn parse(label: &str, text: &str, on: Releases, library: &[(&str, &str)]) -> Result<Self, PlatformError> {
        let file = PlatformFile::parse(label, text)?;
        let pins = file.pins(&on);
        let mut platform = Platform { name: file.name, on, deviations: file.deviations, pins };
        let mut seen = vec![label.to_owned()];
        let mut inherits = file.inherits;
        while let Some((parent, place)) = inherits {
            let Some(text) = embedded(library, &parent) else {
                return Err(PlatformError::UnknownParent { place, name: parent, known: names(library) });
            };
            let label = file_name(&parent);
            if seen.contains(&label) {
                return Err(PlatformError::Circle { place, name: parent });
            }
            let file = PlatformFile::parse(&label, text)?;
            let pins = file.pins(&platform.on);
            platform.inherit(file.deviations, pins);
            seen.push(label);
            inherits = file.inherits;
        }
        Ok(platform)
    }

    /// The first entry that fits counts, so a parent's come last; a key pinned already keeps its value.
    fn inherit(&mut self, deviations: Vec<Deviation>, pins: BTreeMap<String, Pin>) {
        self.deviations.extend(deviations);
        for (key, pin) in pins {
            self.pins.entry(key).or_insert(pin);
        }
    }

    /// Refuses a pattern that fits no case: it has a mistake, or outlived what it was about.
    ///
    /// # Errors
    /// The first such pattern.
    pub fn check(&self, cases: &[&str]) -> Result<(), PlatformError> {
        self.deviations.iter().try_for_each(|deviation| deviation.check(cases))
    }

    /// Its name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pinned observations by key.
    pub fn pins(&self) -> &BTreeMap<String, Pin> {
        &self.pins
    }

    /// The deviation that counts for a case on the running system.
    pub fn deviation(&self, case: &str) -> Option<&Deviation> {
        self.deviations.iter().find(|deviation| deviation.covers(case) && deviation.bounds.hold_for(&self.on))
    }

    /// All deviations that are about a case, whatever runs.
    pub fn deviations<'p>(&'p self, case: &'p str) -> impl Iterator<Item = &'p Deviation> {
        self.deviations.iter().filter(move |deviation| deviation.covers(case))
    }
}

fn embedded<'t>(library: &[(&str, &'t str)], name: &str) -> Option<&'t str> {
    library.iter().find(|(known, _)| *known == name).map(|&(_, text)| text)
}

fn names(library: &[(&str, &str)]) -> String {
    library.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn file_name(name: &str) -> String {
    format!("{name}.toml")
}

fn looks_like_a_path(which: &str) -> bool {
    which.contains('/') || Path::new(which).extension().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: &[(&str, &str)] = &[
        ("parent", "name = \"Parent\"\n[observations]\nboth = 1\nparent = 2\n"),
        ("ouro", "name = \"Ouro\"\ninherits = \"boros\"\n"),
        ("boros", "name = \"Boros\"\ninherits = \"ouro\"\n"),
    ];

    fn parse(text: &str) -> Result<Platform, PlatformError> {
        Platform::parse("x.toml", text, Releases { kernel: Release::running("6.1"), library: None }, LIBRARY)
    }

    fn entry(pattern: &str, because: &str) -> String {
        format!(
            "[[deviation]]\ncases = {pattern}\nresult = \"fail\"\ncategory = \"bug\"\nbecause = \"{because}\"\nsource = \"s\"\n"
        )
    }

    #[test]
    fn every_embedded_file_is_whole_and_can_be_loaded() {
        let mut system = System::detect();
        for (kernel, name) in [("Linux", "Linux"), ("Darwin", "macOS"), ("Plan9", "POSIX")] {
            kernel.clone_into(&mut system.kernel);
            assert_eq!(Platform::load(None, &system).unwrap().name(), name);
        }
        assert_eq!(Platform::embedded().unwrap().len(), EMBEDDED.len());
    }

    #[test]
    fn a_child_overrides_what_it_inherits() {
        let platform = parse("name = \"X\"\ninherits = \"parent\"\n[observations]\nboth = 10\n").unwrap();
        let values: Vec<_> = platform.pins().iter().map(|(key, pin)| format!("{key}={} {}", pin.value, pin.place)).collect();
        assert_eq!(values, ["both=10 x.toml:4:8", "parent=2 parent.toml:4:10"]);
    }

    #[test]
    fn the_first_entry_that_fits_case_and_kernel_counts() {
        let old = format!("{}until = \"6.0\"\n", entry("\"a::*\"", "old"));
        let text = format!("name = \"X\"\n{old}{}{}", entry("\"a::b\"", "first"), entry("\"a::*\"", "second"));
        let platform = parse(&text).unwrap();
        assert_eq!(platform.deviation("a::b").unwrap().because, "first");
        assert_eq!(platform.deviation("a::c").unwrap().because, "second");
        assert!(platform.deviation("b").is_none());
        assert_eq!(platform.deviations("a::b").count(), 3);
    }

    #[test]
    fn a_pattern_that_fits_no_case_is_an_error_at_its_place() {
        let platform = parse(&format!("name = \"X\"\n{}", entry("[\n  \"a::*\",\n  \"b::*\",\n]", "w"))).unwrap();
        platform.check(&["a::x", "b::x"]).unwrap();
        let expected = "x.toml:5:3: no case is called b::*; correct the pattern or remove it (`list` shows the names of all cases)";
        assert_eq!(platform.check(&["a::x"]).unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_bad_parent_is_an_error_at_its_place() {
        let error = |text| parse(text).unwrap_err().to_string();
        assert_eq!(
            error("name = \"X\"\ninherits = \"nobody\"\n"),
            "x.toml:2:12: no platform is called nobody; inherit one of parent, ouro, boros"
        );
        assert_eq!(
            error("name = \"X\"\ninherits = \"ouro\"\n"),
            "boros.toml:2:12: ouro inherits itself in the end; remove one `inherits` of the circle"
        );
    }

    #[test]
    fn what_cannot_be_found_says_what_can_be_given() {
        let error = |which| Platform::load(Some(which), &System::detect()).unwrap_err().to_string();
        assert_eq!(
            error("lunix"),
            "no platform is called lunix; give one of linux, macos, posix, or the path of a file (NAME.toml)"
        );
        assert_eq!(
            error("/nowhere/x.toml"),
            "/nowhere/x.toml cannot be read; give the path of a platform file, or the name of an embedded one"
        );
    }
}
