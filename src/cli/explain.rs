//! `explain`: everything that is known about a case, for somebody who has just seen it fail.

use std::fmt::Write as _;

use crate::case::Case;
use crate::platform::{Bounds, Deviation, Platform};
use crate::report::{WIDTH, wrapped};

/// Columns of the labels.
const LABELS: usize = "requirement".len();

/// The text about a behaviour; `cases` are its variants that were asked for, at least one, and `all` the whole registry.
pub(super) fn explain(cases: &[&Case], all: &[Case], platforms: &[Platform]) -> String {
    let Some(case) = cases.first() else { return String::new() };
    let submission = case.submission;
    let title = if cases.len() == 1 { &case.name } else { &case.behaviour };
    let mut text = format!("{title}\n");
    row(&mut text, "requirement", case.requirement);
    row(&mut text, "clauses", &join(submission.clauses));
    row(&mut text, "level", &format!("{}: {}", submission.level, submission.level.meaning()));
    row(&mut text, "needs", &if submission.needs.is_empty() { "nothing".to_owned() } else { join(submission.needs) });
    if let Some(release) = submission.fixed_in {
        row(&mut text, "fixed in", release);
    }
    if let Some(deadline) = submission.deadline {
        row(&mut text, "deadline", &format!("{} s, times the time scale", deadline.as_secs_f64()));
    }
    if submission.ambient {
        row(&mut text, "sandbox", "none: the case is about the surroundings themselves");
    }
    row(&mut text, "source", &format!("{}:{}", submission.file, submission.line));
    variants(&mut text, &case.behaviour, all);
    known(&mut text, cases, platforms);
    row(&mut text, "again", &if cases.len() == 1 { case.command() } else { format!("cargo conformance run '{title}'") });
    text
}

fn row(text: &mut String, label: &str, value: &str) {
    for (index, line) in wrapped(value, WIDTH - LABELS - 4).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        let _ = writeln!(text, "  {label:LABELS$}  {line}");
    }
}

fn join<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The parameters of a behaviour's variants.
fn variants(text: &mut String, behaviour: &str, all: &[Case]) {
    let variants = all.iter().filter(|case| case.behaviour == behaviour);
    let parameters = variants.filter_map(|case| case.name.strip_prefix(behaviour)?.strip_prefix("::"));
    for (index, parameters) in parameters.enumerate() {
        row(text, if index == 0 { "variants" } else { "" }, parameters);
    }
}

/// Which platform files list it.
fn known(text: &mut String, cases: &[&Case], platforms: &[Platform]) {
    let mut lines: Vec<String> = Vec::new();
    for platform in platforms {
        for deviation in cases.iter().flat_map(|case| platform.deviations(&case.name)) {
            let line = listed(platform.name(), deviation);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    if lines.is_empty() {
        lines.push("no platform file lists it".to_owned());
    }
    for (index, line) in lines.iter().enumerate() {
        row(text, if index == 0 { "deviations" } else { "" }, line);
    }
}

fn listed(platform: &str, deviation: &Deviation) -> String {
    let Deviation { expected, category, because, source, .. } = deviation;
    let mut text = format!("{platform}: {expected} ({category}), because {because} [{source}]");
    let Bounds { library, since, until } = &deviation.bounds;
    let of = library.map(|library| format!("{library} ")).unwrap_or_default();
    if let (Some(library), None, None) = (library, since, until) {
        let _ = write!(text, ", with {library}");
    }
    for (word, bound) in [("since", since), ("until", until)] {
        if let Some(release) = bound {
            let _ = write!(text, ", {word} {of}{release}");
        }
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::case::{Clause, Level, Need, Submission};
    use crate::platform::{Release, Releases};

    const SUBMISSION: Submission = Submission {
        module: "",
        function: "",
        requirement: "",
        file: "suites/pipe/eof.rs",
        line: 41,
        clauses: &[Clause::Posix("read"), Clause::Man("pipe(7)")],
        level: Level::Required,
        needs: &[Need::SecondUser, Need::Capability("CAP_IPC_OWNER")],
        deadline: None,
        fixed_in: Some("Linux 5.10.4"),
        ambient: false,
        body: || Ok(()),
    };

    static OBSERVED: Submission = Submission { level: Level::Observed, ..SUBMISSION };

    /// A required case of that name.
    pub(in crate::cli) fn case(name: &str) -> Case {
        case_of(Level::Required, name)
    }

    /// A case of that name, required or observed.
    pub(in crate::cli) fn case_of(level: Level, name: &str) -> Case {
        let behaviour = name.split("::").take(3).collect::<Vec<_>>().join("::");
        let requirement = "A read returns the bytes that are still buffered, and then 0, once every write end is closed.";
        Case {
            name: name.to_owned(),
            behaviour,
            requirement,
            submission: if level == Level::Observed { &OBSERVED } else { &SUBMISSION },
        }
    }

    const FILE: &str = r#"name = "Odd"
[[deviation]]
cases = "pipe::*"
result = "fail"
category = "bug"
because = "it is broken"
source = "x.c"
until = "6.2"
"#;

    #[test]
    fn a_case_is_explained_with_its_siblings_and_deviations() {
        let all = [case("pipe::eof::follows::empty"), case("pipe::eof::follows::page"), case("pipe::eof::wakes")];
        let on = Releases { kernel: Release::running("6.5"), library: None };
        let odd = Platform::parse("odd.toml", FILE, on, &[]).unwrap();
        let expected = "\
pipe::eof::follows::page
  requirement  A read returns the bytes that are still buffered, and then 0, once every write end is closed.
  clauses      POSIX read; pipe(7)
  level        required: POSIX says shall
  needs        second user; CAP_IPC_OWNER
  fixed in     Linux 5.10.4
  source       suites/pipe/eof.rs:41
  variants     empty
               page
  deviations   Odd: fail (bug), because it is broken [x.c], until 6.2
  again        cargo conformance run --exact 'pipe::eof::follows::page'
";
        assert_eq!(explain(&[&all[1]], &all, &[odd]), expected);
    }

    #[test]
    fn a_behaviour_is_explained_as_a_whole() {
        let all = [case("pipe::eof::follows::empty"), case("pipe::eof::follows::page")];
        let text = explain(&[&all[0], &all[1]], &all, &[]);
        assert!(text.starts_with("pipe::eof::follows\n"), "{text}");
        assert!(text.contains("\n  deviations   no platform file lists it\n"), "{text}");
        assert!(text.ends_with("\n  again        cargo conformance run 'pipe::eof::follows'\n"), "{text}");
    }
}
