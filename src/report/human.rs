//! The report for people. Its lines have libtest's form, so that whatever reads the output of `cargo test` reads this as well;
//! what is to be known about the cases that came out badly follows at the end, by behaviour.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write;

use indicatif::ProgressBar;
use owo_colors::OwoColorize as _;

use super::text::{self, grouped, plural};
use crate::case::Level;
use crate::record::{Count, Decided, Event, EventKind, Lack, ReportError, Reporter, RunEnded, RunStarted, Verdict};

/// Variants of one behaviour that are reported in full.
const IN_FULL: usize = 3;

/// Which cases have a line of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// All.
    All,
    /// Those that did not simply pass.
    NotOk,
    /// Those that turn the run red.
    Bad,
}

/// Writes for people. Text has colours; `out` strips them where they are not wanted, and nothing depends on them.
pub struct Human<W> {
    out: W,
    lines: Lines,
    filtered_out: usize,
    bar: Option<ProgressBar>,
    run: Option<RunStarted>,
    bad: Vec<Decided>,
    behaviours: BTreeSet<String>,
    variants: BTreeSet<String>,
    weak: BTreeMap<String, usize>,
}

impl<W: Write> Human<W> {
    /// A report to `out`.
    pub fn new(out: W, lines: Lines, filtered_out: usize) -> Self {
        let (behaviours, variants, weak) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        Human { out, lines, filtered_out, bar: None, run: None, bad: Vec::new(), behaviours, variants, weak }
    }

    /// The same, above a progress bar.
    #[must_use]
    pub fn above(self, bar: ProgressBar) -> Self {
        Human { bar: Some(bar), ..self }
    }

    fn print(&mut self, text: &str) -> Result<(), ReportError> {
        let Human { out, bar, .. } = self;
        let mut write = || out.write_all(text.as_bytes()).and_then(|()| out.flush());
        let written = match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
        written.map_err(ReportError::writing("human"))
    }

    fn decided(&mut self, decided: &Decided) -> Result<(), ReportError> {
        self.behaviours.insert(decided.behaviour.clone());
        self.variants.insert(decided.case.clone());
        for weakness in &decided.weak {
            *self.weak.entry(weakness.clone()).or_default() += 1;
        }
        if !decided.verdict.is_good() {
            self.bad.push(decided.clone());
        }
        let is_shown = match self.lines {
            Lines::All => true,
            Lines::NotOk => decided.verdict != Verdict::Ok,
            Lines::Bad => !decided.verdict.is_good(),
        };
        if is_shown { self.print(&line(decided)) } else { Ok(()) }
    }

    fn end(&self, end: &RunEnded) -> String {
        let mut text = String::new();
        if !self.bad.is_empty() {
            text.push_str("\nfailures:\n");
            text.push_str(&self.findings());
        }
        let notes = self.notes(end);
        if !notes.is_empty() {
            let _ = write!(text, "\n{}\n", notes.join("\n"));
        }
        let _ = write!(text, "\n{}\n\n{}\n", self.closing(end), self.summary(end));
        text
    }

    /// What came out badly, by behaviour; of one with many variants only the first ones.
    fn findings(&self) -> String {
        let mut groups: Vec<(&str, Vec<&Decided>)> = Vec::new();
        for decided in &self.bad {
            match groups.iter_mut().find(|(behaviour, _)| *behaviour == decided.behaviour) {
                Some((_, group)) => group.push(decided),
                None => groups.push((&decided.behaviour, vec![decided])),
            }
        }
        let mut text = String::new();
        for (behaviour, group) in &groups {
            for decided in group.iter().take(IN_FULL) {
                let _ = write!(text, "\n{}{}", text::word(decided.verdict).red().bold(), text::after_word(decided));
            }
            if group.len() > IN_FULL {
                let _ = writeln!(text, "\n… and {} of {behaviour}", plural(group.len() - IN_FULL, "more result"));
            }
        }
        let bad: BTreeSet<&str> = self.bad.iter().map(|decided| decided.case.as_str()).collect();
        let differ = if groups.len() == 1 { "differs" } else { "differ" };
        let total = plural(self.variants.len(), "variant");
        let _ = writeln!(text, "\n{} {differ}, in {} of {total}", plural(groups.len(), "behaviour"), grouped(bad.len()));
        text
    }

    /// What a reader should know beside failures, a line each.
    fn notes(&self, end: &RunEnded) -> Vec<String> {
        let mut notes = Vec::new();
        let platform = self.run.as_ref().map_or("this platform", |run| run.platform.as_str());
        if let Some(&count) = end.totals.get(&Verdict::Xfail) {
            let deviate = if count == 1 { "deviates" } else { "deviate" };
            notes.push(format!("{} {deviate} as listed for {platform}", plural(count, "result")));
        }
        notes.extend(untested(end));
        if !end.required.is_empty() {
            notes.push(format!("required, and not met here: {}", end.required.join(", ")));
        }
        notes.extend(self.weak.iter().map(|(why, &count)| format!("weak evidence in {}: {why}", plural(count, "result"))));
        notes.extend(self.run.iter().flat_map(|run| &run.remarks).map(|remark| format!("remark: {remark}")));
        if let Some(why) = &end.interrupted {
            let planned = self.run.as_ref().map_or(0, |run| run.planned);
            notes.push(format!("cut short: {why}; {} of {} were run", grouped(end.decided()), plural(planned, "execution")));
        }
        notes
    }

    /// libtest's last line.
    fn closing(&self, end: &RunEnded) -> String {
        let word = if end.is_green() { "ok".green().to_string() } else { "FAILED".red().to_string() };
        let ignored = end.totals.get(&Verdict::Untested).copied().unwrap_or_default();
        let passed = end.decided() - end.bad() - ignored;
        let (seconds, hundredths) = (end.duration_us / 1_000_000, end.duration_us / 10_000 % 100);
        format!(
            "test result: {word}. {passed} passed; {} failed; {ignored} ignored; 0 measured; {} filtered out; finished in {seconds}.{hundredths:02}s",
            end.bad(),
            self.filtered_out,
        )
    }

    /// The run in one sentence: `312 behaviours in 521 variants: 520 ok, 1 xfail`.
    fn summary(&self, end: &RunEnded) -> String {
        let counts: Vec<String> = end.totals.iter().map(|(verdict, &count)| format!("{} {verdict}", grouped(count))).collect();
        let repeated =
            if end.decided() > self.variants.len() { format!(", {}", plural(end.decided(), "run")) } else { String::new() };
        let (behaviours, variants) = (plural(self.behaviours.len(), "behaviour"), plural(self.variants.len(), "variant"));
        let counts = if counts.is_empty() { "nothing ran".to_owned() } else { counts.join(", ") };
        let levels = levels(end);
        format!("{behaviours} in {variants}{repeated}: {counts}{}", if levels.is_empty() { levels } else { format!("\n{levels}") })
    }
}

impl<W: Write> Reporter for Human<W> {
    fn event(&mut self, event: &Event) -> Result<(), ReportError> {
        match &event.kind {
            EventKind::RunStarted(run) => {
                self.run = Some(run.clone());
                self.print(&head(run))
            }
            EventKind::CaseStarted { .. } => Ok(()),
            EventKind::Decided(decided) => self.decided(decided),
            EventKind::RunEnded(end) => {
                let text = self.end(end);
                self.print(&text)
            }
        }
    }
}

fn head(run: &RunStarted) -> String {
    let RunStarted { version, platform, system, isolation, jobs, seed, planned, .. } = run;
    let tests = if *planned == 1 { "test" } else { "tests" };
    let scale = if run.time_scale > 1.0 { format!(", deadlines × {:.1}", run.time_scale) } else { String::new() };
    let surroundings = format!("isolation {isolation}, {}, seed {seed}{scale}", plural(*jobs, "job"));
    format!("\nipc-conformance {version} against {platform} on {system}\n{surroundings}\n\nrunning {planned} {tests}\n")
}

/// `test NAME ... ok`, with what else there is to say in parentheses.
fn line(decided: &Decided) -> String {
    let because = decided.listed.as_ref().map(|listed| listed.because.as_str()).unwrap_or_default();
    let (ok, failed, ignored) = ("ok".green().to_string(), "FAILED".red().to_string(), "ignored".yellow().to_string());
    let word = match decided.verdict {
        Verdict::Ok => ok,
        Verdict::Xfail => format!("{ok} (xfail: {because})"),
        Verdict::UnexpectedFail => failed,
        Verdict::Xpass => format!("{failed} (xpass: listed as deviating because {because})"),
        Verdict::UnexpectedUnsupported => format!("{failed} (unsupported)"),
        Verdict::Unresolved => format!("{failed} (unresolved)"),
        Verdict::Untested => format!("{ignored}, {}", text::untested(decided)),
    };
    let repetition = if decided.iteration == 0 { String::new() } else { format!(" (run {})", u64::from(decided.iteration) + 1) };
    format!("test {} ... {word}{repetition}\n", decided.case)
}

/// `required 1,010, documented 540 (2 red), observed 39`: what was decided at each level, and how much of it turns the run red.
fn levels(end: &RunEnded) -> String {
    let red = |bad: usize| if bad == 0 { String::new() } else { format!(" ({} red)", grouped(bad)) };
    let level = |(level, count): (&Level, &Count)| format!("{level} {}{}", grouped(count.decided), red(count.bad));
    end.levels.iter().map(level).collect::<Vec<_>>().join(", ")
}

/// `41 untested: 38 need a second user, 3 need CAP_IPC_OWNER`.
fn untested(end: &RunEnded) -> Option<String> {
    let count = end.totals.get(&Verdict::Untested)?;
    let mut needs: Vec<&Lack> = end.untested.values().collect();
    needs.sort_by_key(|lack| (std::cmp::Reverse(lack.cases), &lack.phrase));
    let part = |lack: &&Lack| format!("{} {} {}", grouped(lack.cases), if lack.cases == 1 { "needs" } else { "need" }, lack.phrase);
    let mut parts: Vec<String> = needs.iter().map(part).collect();
    let rest = count.saturating_sub(needs.iter().map(|lack| lack.cases).sum());
    if rest > 0 {
        parts.push(format!("{} must not be run here", grouped(rest)));
    }
    Some(format!("{} untested: {}", grouped(*count), parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use anstream::StripStream;

    use super::*;
    use crate::report::samples;

    fn text(lines: Lines, events: &[Event]) -> String {
        let mut human = Human::new(StripStream::new(Vec::new()), lines, 5);
        for event in events {
            human.event(event).unwrap();
        }
        String::from_utf8(human.out.into_inner()).unwrap()
    }

    #[test]
    fn a_green_run_in_a_pipe() {
        let cases = [
            samples::decided("a::b::c", Verdict::Ok),
            samples::decided("a::b::d", Verdict::Xfail),
            samples::decided("a::b::e", Verdict::Untested),
        ];
        let expected = "
ipc-conformance 0.1.0 against Linux on Linux 6.1.0 x86_64, glibc 2.36
isolation private, 2 jobs, seed 7

running 3 tests
test a::b::c ... ok
test a::b::d ... ok (xfail: it is broken)
test a::b::e ... ignored, untested: needs a second user (EPERM)

1 result deviates as listed for Linux
1 untested: 1 needs a second user
remark: the kernel's log cannot be read

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 5 filtered out; finished in 1.23s

3 behaviours in 3 variants: 1 ok, 1 xfail, 1 untested
required 3
";
        assert_eq!(text(Lines::All, &samples::run(&cases)), expected);
    }

    #[test]
    fn a_red_run_shows_every_finding() {
        let cases = [
            samples::decided("a::b::c::one", Verdict::UnexpectedFail),
            samples::decided("a::b::c::two", Verdict::Ok),
            samples::decided("a::b::d", Verdict::Xpass),
            samples::decided("a::b::e", Verdict::UnexpectedUnsupported),
            samples::decided("a::b::f", Verdict::Unresolved),
        ];
        samples::assert_golden("human-red.txt", &text(Lines::All, &samples::run(&cases)));
    }

    #[test]
    fn only_the_first_variants_of_a_behaviour_are_shown_in_full() {
        let cases: Vec<Decided> = (1..=5).map(|n| samples::decided(&format!("a::b::c::v{n}"), Verdict::UnexpectedFail)).collect();
        let text = text(Lines::Bad, &samples::run(&cases));
        assert_eq!(text.matches("\nFAIL ").count(), 3);
        assert!(text.contains("\n… and 2 more results of a::b::c\n\n1 behaviour differs, in 5 of 5 variants\n"), "{text}");
    }

    #[test]
    fn lines_can_be_left_out() {
        let cases =
            [samples::decided("a", Verdict::Ok), samples::decided("b", Verdict::Xfail), samples::decided("c", Verdict::Xpass)];
        let lines = |which| {
            let text = text(which, &samples::run(&cases));
            text.lines().filter(|line| line.starts_with("test ") && line.contains(" ... ")).count()
        };
        assert_eq!([Lines::All, Lines::NotOk, Lines::Bad].map(lines), [3, 2, 1]);
    }

    #[test]
    fn what_is_untested_is_counted_by_need() {
        let end = RunEnded {
            totals: BTreeMap::from([(Verdict::Untested, 44)]),
            levels: BTreeMap::new(),
            untested: [("CAP_IPC_OWNER", "CAP_IPC_OWNER", 3), ("second user", "a second user", 38)]
                .map(|(need, phrase, cases)| (need.to_owned(), Lack { phrase: phrase.to_owned(), cases }))
                .into(),
            required: vec!["second user".to_owned()],
            interrupted: Some("Ctrl-C".to_owned()),
            duration_us: 0,
        };
        let expected = "44 untested: 38 need a second user, 3 need CAP_IPC_OWNER, 3 must not be run here";
        assert_eq!(untested(&end).as_deref(), Some(expected));
        let text = text(Lines::All, &[samples::run_started(50), Event { at_us: 0, kind: EventKind::RunEnded(end) }]);
        assert!(text.contains("\nrequired, and not met here: second user\n"), "{text}");
        assert!(text.contains("\ncut short: Ctrl-C; 44 of 50 executions were run\n"), "{text}");
        assert!(text.contains("\ntest result: FAILED. 0 passed; 0 failed; 44 ignored;"), "{text}");
    }

    #[test]
    fn weak_evidence_and_repetitions_are_counted() {
        let weak = Decided { weak: vec!["nothing shows a state".to_owned()], ..samples::decided("a", Verdict::Ok) };
        let again = Decided { iteration: 1, ..weak.clone() };
        let text = text(Lines::All, &samples::run(&[weak, again]));
        assert!(text.contains("\ntest a ... ok\ntest a ... ok (run 2)\n"), "{text}");
        assert!(text.contains("\nweak evidence in 2 results: nothing shows a state\n"), "{text}");
        assert!(text.ends_with("\n1 behaviour in 1 variant, 2 runs: 2 ok\nrequired 2\n"), "{text}");
    }

    #[test]
    fn the_summary_counts_by_level_and_says_where_it_is_red() {
        let mut cases: Vec<Decided> = (0..1_010).map(|n| samples::decided(&format!("a::b::c{n}"), Verdict::Ok)).collect();
        cases.push(Decided { level: Level::Customary, ..samples::decided("a::b::d", Verdict::UnexpectedFail) });
        cases.push(Decided { level: Level::Customary, ..samples::decided("a::b::e", Verdict::Xpass) });
        cases.push(Decided { level: Level::Customary, ..samples::decided("a::b::f", Verdict::Ok) });
        cases.push(Decided { level: Level::Observed, ..samples::decided("a::b::g", Verdict::Untested) });
        let text = text(Lines::Bad, &samples::run(&cases));
        assert!(text.ends_with("\nrequired 1,010, customary 3 (2 red), observed 1\n"), "{text}");
        let level =
            "\n  level        customary: no document promises it, but the platform has long done so, and programs rely on it\n";
        assert_eq!(text.matches(level).count(), 2, "{text}");
    }

    #[test]
    fn a_reader_that_has_gone_ends_it_quietly() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let result = Human::new(Gone, Lines::All, 0).event(&samples::run_started(1));
        assert!(matches!(result, Err(ReportError::Closed)));
    }
}
