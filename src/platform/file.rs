//! The format of a platform file: what stands in it, with the places that errors name. Which file is used, and what it inherits,
//! is decided in load.rs. The form is described for its authors at the head of `fixtures/platforms/posix.toml`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{SeqAccess, Visitor, value::StrDeserializer};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use wildmatch::WildMatch;

use super::deviation::{Category, Choice, Deviation, Expected, Pin};
use super::error::{Place, PlatformError};
use super::version::{Bounds, Library, Release, Releases};

/// One platform file, without what it inherits.
#[derive(Debug)]
pub(super) struct PlatformFile {
    pub name: String,
    pub inherits: Option<(String, Place)>,
    pub deviations: Vec<Deviation>,
    observations: BTreeMap<String, Pin>,
    choices: Vec<Choice>,
}

impl PlatformFile {
    /// Reads a file's text; `label` is how errors name it.
    pub fn parse(label: &str, text: &str) -> Result<Self, PlatformError> {
        let reader = Reader { label, text };
        let raw: RawFile = toml::from_str(text).map_err(|error| PlatformError::Malformed {
            place: reader.place(error.span().map_or(0, |span| span.start)),
            message: error.message().replace('\n', ", "),
        })?;
        let name = raw.name.ok_or_else(|| reader.incomplete(0, "this file", "name", "name = \"…\""))?;
        let deviations = raw.deviation.into_iter().map(|entry| reader.deviation(entry)).collect::<Result<_, _>>()?;
        let observations =
            raw.observations.into_iter().map(|(key, value)| Ok((key, reader.pin(value)?))).collect::<Result<_, _>>()?;
        let choices = raw.choice.into_iter().map(|entry| reader.choice(entry)).collect::<Result<_, _>>()?;
        Ok(PlatformFile {
            name: reader.words("name", name)?,
            inherits: raw.inherits.map(|parent| (parent.get_ref().clone(), reader.place(parent.span().start))),
            deviations,
            observations,
            choices,
        })
    }

    /// What cases must observe on a system with these releases.
    pub fn pins(&self, on: &Releases) -> BTreeMap<String, Pin> {
        let choices = self.choices.iter().filter(|choice| choice.bounds.hold_for(on));
        let bounded = choices.map(|choice| (choice.key.clone(), choice.pin.clone()));
        self.observations.clone().into_iter().chain(bounded).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    name: Option<Spanned<String>>,
    inherits: Option<Spanned<String>>,
    #[serde(default)]
    deviation: Vec<Spanned<RawDeviation>>,
    #[serde(default)]
    observations: BTreeMap<String, Spanned<toml::Value>>,
    #[serde(default)]
    choice: Vec<Spanned<RawChoice>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChoice {
    key: Option<Spanned<String>>,
    value: Option<Spanned<toml::Value>>,
    library: Option<Library>,
    since: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
}

/// Everything is optional here, so that what is missing is reported with a hint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDeviation {
    cases: Option<Spanned<Patterns>>,
    result: Option<Expected>,
    category: Option<Category>,
    library: Option<Library>,
    seen: Option<String>,
    because: Option<Spanned<String>>,
    source: Option<Spanned<String>>,
    since: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
}

/// One pattern, or a list of which each has its place. (An untagged enum would lose the places.)
enum Patterns {
    One(String),
    Several(Vec<Spanned<String>>),
}

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;
        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = Patterns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pattern of case names, or a list of them")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Patterns, E> {
                String::deserialize(StrDeserializer::new(text)).map(Patterns::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Patterns, A::Error> {
                let mut patterns = Vec::new();
                while let Some(pattern) = list.next_element()? {
                    patterns.push(pattern);
                }
                Ok(Patterns::Several(patterns))
            }
        }
        deserializer.deserialize_any(OneOrSeveral)
    }
}

/// Turns raw values into checked ones, and byte offsets into places.
struct Reader<'t> {
    label: &'t str,
    text: &'t str,
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        Place::of(self.label, self.text, offset)
    }

    fn incomplete(&self, offset: usize, subject: &'static str, key: &'static str, hint: &'static str) -> PlatformError {
        PlatformError::Incomplete { place: self.place(offset), subject, key, hint }
    }

    fn deviation(&self, raw: Spanned<RawDeviation>) -> Result<Deviation, PlatformError> {
        let start = raw.span().start;
        let raw = raw.into_inner();
        let missing = |key, hint| self.incomplete(start, "this deviation", key, hint);
        let cases = raw.cases.ok_or_else(|| missing("cases", "cases = \"suite::topic::*\""))?;
        let because = raw.because.ok_or_else(|| missing("because", "because = \"…\", saying why the platform differs"))?;
        let source = raw.source.ok_or_else(|| missing("source", "source = \"…\", saying where that can be looked up"))?;
        Ok(Deviation {
            patterns: self.patterns(cases)?,
            expected: raw
                .result
                .ok_or_else(|| missing("result", "result = \"…\" (fail, unsupported, unresolved or do-not-run)"))?,
            category: raw.category.ok_or_else(|| missing("category", "category = \"…\" (missing, differs, bug or limit)"))?,
            seen: raw.seen,
            because: self.words("because", because)?,
            source: self.words("source", source)?,
            bounds: self.bounds(raw.library, raw.since.as_ref(), raw.until.as_ref())?,
        })
    }

    fn choice(&self, raw: Spanned<RawChoice>) -> Result<Choice, PlatformError> {
        let start = raw.span().start;
        let raw = raw.into_inner();
        let missing = |key, hint| self.incomplete(start, "this choice", key, hint);
        let key = raw.key.ok_or_else(|| missing("key", "key = \"…\", as cases observe it"))?;
        let value = raw.value.ok_or_else(|| missing("value", "value = …, as cases observe it"))?;
        Ok(Choice {
            key: self.words("key", key)?,
            pin: self.pin(value)?,
            bounds: self.bounds(raw.library, raw.since.as_ref(), raw.until.as_ref())?,
        })
    }

    fn bounds(
        &self,
        library: Option<Library>,
        since: Option<&Spanned<String>>,
        until: Option<&Spanned<String>>,
    ) -> Result<Bounds, PlatformError> {
        let bound = |raw: Option<&Spanned<String>>| raw.map(|raw| self.bound(raw)).transpose();
        Ok(Bounds { library, since: bound(since)?, until: bound(until)? })
    }

    fn patterns(&self, raw: Spanned<Patterns>) -> Result<Vec<(WildMatch, Place)>, PlatformError> {
        let place = self.place(raw.span().start);
        let patterns = match raw.into_inner() {
            Patterns::One(pattern) => vec![(pattern, place.clone())],
            Patterns::Several(list) => {
                list.into_iter().map(|item| (item.get_ref().clone(), self.place(item.span().start))).collect()
            }
        };
        if patterns.is_empty() {
            return Err(PlatformError::Empty { place, key: "cases" });
        }
        Ok(patterns.into_iter().map(|(pattern, place)| (WildMatch::new(&pattern), place)).collect())
    }

    fn words(&self, key: &'static str, raw: Spanned<String>) -> Result<String, PlatformError> {
        if raw.get_ref().trim().is_empty() {
            return Err(PlatformError::Empty { place: self.place(raw.span().start), key });
        }
        Ok(raw.into_inner())
    }

    fn bound(&self, raw: &Spanned<String>) -> Result<Release, PlatformError> {
        Release::bound(raw.get_ref())
            .ok_or_else(|| PlatformError::Bound { place: self.place(raw.span().start), text: raw.get_ref().clone() })
    }

    fn pin(&self, raw: Spanned<toml::Value>) -> Result<Pin, PlatformError> {
        let place = self.place(raw.span().start);
        match to_json(raw.into_inner()) {
            Some(value) => Ok(Pin { value, place }),
            None => Err(PlatformError::Unobservable { place }),
        }
    }
}

/// `None` where there is a date, which JSON doesn't know.
fn to_json(value: toml::Value) -> Option<serde_json::Value> {
    Some(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(yes) => yes.into(),
        toml::Value::Datetime(_) => return None,
        toml::Value::Array(items) => serde_json::Value::Array(items.into_iter().map(to_json).collect::<Option<_>>()?),
        toml::Value::Table(table) => {
            serde_json::Value::Object(table.into_iter().map(|(key, value)| Some((key, to_json(value)?))).collect::<Option<_>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Library, PlatformFile, Release, Releases};

    const WHOLE: &str = "name = \"X\"\n[[deviation]]\ncases = [\"a::*\", \"b::c::d\"]\nresult = \"fail\"\ncategory = \"bug\"\nbecause = \"w\"\nsource = \"s\"\n";

    #[test]
    fn a_whole_entry_is_read() {
        let file = PlatformFile::parse("x.toml", &format!("{WHOLE}since = \"5.4\"\nuntil = \"6\"\n")).unwrap();
        let deviation = &file.deviations[0];
        assert!(deviation.covers("a::b::c") && deviation.covers("b::c::d") && !deviation.covers("b::c::e"));
        assert!(deviation.bounds.hold_for(&on("5.4.0-generic", None)));
        assert!(!deviation.bounds.hold_for(&on("5.3.18", None)));
        assert!(!deviation.bounds.hold_for(&on("6.0", None)));
    }

    fn on(kernel: &str, library: Option<(Library, &str)>) -> Releases {
        let library = library.map(|(library, release)| (library, (!release.is_empty()).then(|| Release::running(release))));
        Releases { kernel: Release::running(kernel), library }
    }

    #[test]
    fn bounds_of_an_entry_with_a_library_are_its_releases() {
        let file = PlatformFile::parse("x.toml", &format!("{WHOLE}library = \"glibc\"\nsince = \"2.30\"\n")).unwrap();
        let holds = |library| file.deviations[0].bounds.hold_for(&on("1.0", library));
        assert!(holds(Some((Library::Glibc, "2.36"))));
        assert!(!holds(Some((Library::Glibc, "2.29"))));
        assert!(!holds(Some((Library::Glibc, ""))));
        assert!(!holds(Some((Library::Musl, "2.36"))));
        assert!(!holds(None));
    }

    #[test]
    fn a_choice_is_pinned_within_its_bounds() {
        let text = "name = \"X\"\n[observations]\nk = 1\n[[choice]]\nkey = \"k\"\nvalue = 2\nsince = \"6.1\"\n";
        let file = PlatformFile::parse("x.toml", text).unwrap();
        let pinned = |kernel| file.pins(&on(kernel, None))["k"].value.clone();
        assert_eq!((pinned("6.0"), pinned("6.1.5")), (1.into(), 2.into()));
    }

    #[rstest]
    #[case::no_value(
        "name = \"X\"\n[[choice]]\nkey = \"k\"\n",
        "x.toml:2:1: this choice has no `value`; add the line value = …, as cases observe it"
    )]
    #[case::no_name("", "x.toml:1:1: this file has no `name`; add the line name = \"…\"")]
    #[case::no_reason(
        "name = \"X\"\n[[deviation]]\ncases = \"*\"\nresult = \"fail\"\ncategory = \"bug\"\nsource = \"s\"\n",
        "x.toml:2:1: this deviation has no `because`; add the line because = \"…\", saying why the platform differs"
    )]
    #[case::no_source(
        "name = \"X\"\n[[deviation]]\ncases = \"*\"\nresult = \"fail\"\ncategory = \"bug\"\nbecause = \"s\"\n",
        "x.toml:2:1: this deviation has no `source`; add the line source = \"…\", saying where that can be looked up"
    )]
    #[case::no_result(
        "name = \"X\"\n\n[[deviation]]\ncases = \"*\"\ncategory = \"bug\"\nbecause = \"s\"\nsource = \"s\"\n",
        "x.toml:3:1: this deviation has no `result`; add the line result = \"…\" (fail, unsupported, unresolved or do-not-run)"
    )]
    #[case::no_category(
        "name = \"X\"\n[[deviation]]\ncases = \"*\"\nresult = \"fail\"\nbecause = \"s\"\nsource = \"s\"\n",
        "x.toml:2:1: this deviation has no `category`; add the line category = \"…\" (missing, differs, bug or limit)"
    )]
    #[case::no_cases(
        "name = \"X\"\n[[deviation]]\nresult = \"fail\"\n",
        "x.toml:2:1: this deviation has no `cases`; add the line cases = \"suite::topic::*\""
    )]
    #[case::empty_cases(
        "name = \"X\"\n[[deviation]]\ncases = []\nresult = \"fail\"\ncategory = \"bug\"\nbecause = \"w\"\nsource = \"s\"\n",
        "x.toml:3:9: `cases` is empty; say it in words, or remove the entry"
    )]
    #[case::empty_reason(
        "name = \"X\"\n[[deviation]]\ncases = \"*\"\nresult = \"fail\"\ncategory = \"bug\"\nbecause = \" \"\nsource = \"s\"\n",
        "x.toml:6:11: `because` is empty; say it in words, or remove the entry"
    )]
    #[case::date(
        "name = \"X\"\n[observations]\nk = 2020-01-01\n",
        "x.toml:3:5: a date is never observed; write a number, a string, a boolean, an array or a table"
    )]
    fn what_is_missing_is_named_with_its_place(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(PlatformFile::parse("x.toml", text).unwrap_err().to_string(), expected);
    }

    #[rstest]
    #[case::bound(&format!("{WHOLE}since = \"five\"\n"), "x.toml:8:9: \"five\" is not a release; write numbers and dots, such as \"5.10.4\"")]
    fn a_bound_is_a_release(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(PlatformFile::parse("x.toml", text).unwrap_err().to_string(), expected);
    }

    #[rstest]
    #[case::unknown_key(
        "nom = \"X\"\n",
        "x.toml:1:1: unknown field `nom`, expected one of `name`, `inherits`, `deviation`, `observations`, `choice`"
    )]
    #[case::unknown_key_of_a_deviation(
        "name = \"X\"\n[[deviation]]\nreason = \"w\"\n",
        "x.toml:3:1: unknown field `reason`, expected one of `cases`, `result`, `category`, `library`, `seen`, `because`, `source`, `since`, `until`"
    )]
    #[case::unknown_result(
        "name = \"X\"\n[[deviation]]\nresult = \"skip\"\n",
        "x.toml:3:10: unknown variant `skip`, expected one of `fail`, `unsupported`, `unresolved`, `do-not-run`"
    )]
    #[case::wrong_type(
        "name = \"X\"\n[[deviation]]\ncases = 3\n",
        "x.toml:3:9: invalid type: integer `3`, expected a pattern of case names, or a list of them"
    )]
    #[case::not_toml("name = \"X\n", "x.toml:1:10: invalid basic string, expected `\"`")]
    fn what_is_malformed_is_named_with_its_place(#[case] text: &str, #[case] expected: &str) {
        let advice = "; correct this, or see the head of fixtures/platforms/posix.toml for the form of an entry";
        assert_eq!(PlatformFile::parse("x.toml", text).unwrap_err().to_string(), format!("{expected}{advice}"));
    }
}
