//! A result held against a platform: the only place where verdicts are made.

use std::collections::BTreeMap;

use serde_json::Value;

use super::deviation::{Deviation, Expected};
use super::load::Platform;
use crate::outcome::{CaseResult, Cause, Finding};
use crate::record::{Listed, Verdict};

/// What a result means on a platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The deviation that was applied, or that is gone.
    pub listed: Option<Listed>,
    /// A finding to report in place of the case's own.
    pub finding: Option<Finding>,
}

impl Judgement {
    fn plain(verdict: Verdict) -> Self {
        Judgement { verdict, listed: None, finding: None }
    }
}

impl Platform {
    /// Holds a result against what the platform is known for.
    ///
    /// A pass that observed another value than the pinned one counts as a failure, and may be listed as such like any other.
    pub fn judge(
        &self,
        case: &str,
        result: CaseResult,
        finding: Option<&Finding>,
        observations: &BTreeMap<String, Value>,
    ) -> Judgement {
        let deviation = self.deviation(case).filter(|deviation| deviation.expected != Expected::DoNotRun);
        let unpinned = self.unpinned(observations);
        let Some(unpinned) = unpinned else { return held_against(deviation, result, finding) };
        if result == CaseResult::Pass {
            let mut judgement = held_against(deviation, CaseResult::Fail, Some(&unpinned));
            judgement.finding.get_or_insert(unpinned);
            return judgement;
        }
        let judgement = held_against(deviation, result, finding);
        if judgement.verdict != Verdict::Xfail {
            return judgement;
        }
        Judgement { finding: Some(unpinned), ..Judgement::plain(Verdict::UnexpectedFail) }
    }

    /// The reason why a case must not be run here.
    pub fn do_not_run(&self, case: &str) -> Option<Listed> {
        self.deviation(case).filter(|deviation| deviation.expected == Expected::DoNotRun).map(Deviation::listed)
    }

    /// A finding for the first observation that differs from its pin.
    fn unpinned(&self, observations: &BTreeMap<String, Value>) -> Option<Finding> {
        let (key, value, pin) = observations
            .iter()
            .filter_map(|(key, value)| Some((key, value, self.pins().get(key)?)))
            .find(|(_, value, pin)| **value != pin.value)?;
        let message = format!("{key:?} was observed as {value}, and {} pins it to {}", self.name(), pin.value);
        let mut finding = Finding::new(Cause::Observation, message);
        finding.expected = Some(pin.value.to_string());
        finding.seen = Some(value.to_string());
        Some(finding.detail("platform file", format!("{}: [observations] {key:?} = {}", pin.place, pin.value)))
    }
}

fn held_against(deviation: Option<&Deviation>, result: CaseResult, finding: Option<&Finding>) -> Judgement {
    let unlisted = match result {
        CaseResult::Pass => Verdict::Ok,
        CaseResult::Fail => Verdict::UnexpectedFail,
        CaseResult::Unresolved => Verdict::Unresolved,
        CaseResult::Unsupported => Verdict::UnexpectedUnsupported,
        CaseResult::Untested => Verdict::Untested,
    };
    // An untested case says nothing about the deviation.
    let Some(deviation) = deviation.filter(|_| result != CaseResult::Untested) else { return Judgement::plain(unlisted) };
    if is_as_listed(deviation, result, finding) {
        return Judgement { listed: Some(deviation.listed()), ..Judgement::plain(Verdict::Xfail) };
    }
    match result {
        CaseResult::Pass | CaseResult::Unsupported => {
            Judgement { listed: Some(deviation.listed()), ..Judgement::plain(Verdict::Xpass) }
        }
        CaseResult::Fail | CaseResult::Unresolved | CaseResult::Untested => {
            let finding = finding.map(|finding| finding.clone().detail("listed", description(deviation)));
            Judgement { finding, ..Judgement::plain(unlisted) }
        }
    }
}

fn is_as_listed(deviation: &Deviation, result: CaseResult, finding: Option<&Finding>) -> bool {
    let seen = finding.map(|finding| finding.seen.as_ref().unwrap_or(&finding.message));
    deviation.expected.result() == result && (deviation.seen.is_none() || deviation.seen.as_ref() == seen)
}

fn description(deviation: &Deviation) -> String {
    let Deviation { expected, because, source, .. } = deviation;
    let seen = deviation.seen.as_ref().map(|seen| format!(" with {seen} seen")).unwrap_or_default();
    format!("{expected}{seen}, because {because} ({source})")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::platform::{Release, Releases};

    const FILE: &str = r#"name = "X"
[[deviation]]
cases = "fails::*"
result = "fail"
category = "bug"
because = "it is broken"
source = "x.c"
[[deviation]]
cases = "fails_so"
result = "fail"
category = "differs"
seen = "Err(EIO)"
because = "it differs"
source = "y.c"
[[deviation]]
cases = "lacks"
result = "unsupported"
category = "missing"
because = "nobody wrote it"
source = "z.c"
[[deviation]]
cases = "pinned_elsewhere"
result = "fail"
category = "limit"
seen = "7"
because = "it is small"
source = "l.c"
[[deviation]]
cases = "hangs"
result = "do-not-run"
category = "bug"
because = "it hangs the machine"
source = "h.c"
[observations]
"pipe.buf" = 4096
"#;

    fn platform() -> Platform {
        Platform::parse("x.toml", FILE, Releases { kernel: Release::running("1"), library: None }, &[]).unwrap()
    }

    fn seen(text: &str) -> Finding {
        let mut finding = Finding::new(Cause::Expectation, "expected otherwise");
        finding.seen = Some(text.to_owned());
        finding
    }

    #[rstest]
    #[case::ok("other", CaseResult::Pass, None, Verdict::Ok, None)]
    #[case::unlisted_fail("other", CaseResult::Fail, Some("1"), Verdict::UnexpectedFail, None)]
    #[case::unlisted_absence("other", CaseResult::Unsupported, None, Verdict::UnexpectedUnsupported, None)]
    #[case::unresolved("other", CaseResult::Unresolved, Some("ENOSPC"), Verdict::Unresolved, None)]
    #[case::untested("other", CaseResult::Untested, None, Verdict::Untested, None)]
    #[case::listed_fail("fails::a", CaseResult::Fail, Some("1"), Verdict::Xfail, Some("it is broken"))]
    #[case::listed_fail_is_gone("fails::a", CaseResult::Pass, None, Verdict::Xpass, Some("it is broken"))]
    #[case::listed_fail_is_an_absence("fails::a", CaseResult::Unsupported, None, Verdict::Xpass, Some("it is broken"))]
    #[case::listed_fail_is_unresolved("fails::a", CaseResult::Unresolved, Some("ENOSPC"), Verdict::Unresolved, None)]
    #[case::listed_fail_is_untested("fails::a", CaseResult::Untested, None, Verdict::Untested, None)]
    #[case::listed_fail_exactly("fails_so", CaseResult::Fail, Some("Err(EIO)"), Verdict::Xfail, Some("it differs"))]
    #[case::listed_fail_otherwise("fails_so", CaseResult::Fail, Some("Ok(0)"), Verdict::UnexpectedFail, None)]
    #[case::listed_absence("lacks", CaseResult::Unsupported, None, Verdict::Xfail, Some("nobody wrote it"))]
    #[case::listed_absence_fails("lacks", CaseResult::Fail, Some("1"), Verdict::UnexpectedFail, None)]
    #[case::run_in_spite_of_the_file("hangs", CaseResult::Pass, None, Verdict::Ok, None)]
    fn a_result_is_held_against_the_file(
        #[case] case: &str,
        #[case] result: CaseResult,
        #[case] shown: Option<&str>,
        #[case] verdict: Verdict,
        #[case] because: Option<&str>,
    ) {
        let finding = shown.map(seen);
        let judgement = platform().judge(case, result, finding.as_ref(), &BTreeMap::new());
        assert_eq!(judgement.verdict, verdict);
        assert_eq!(judgement.listed.map(|listed| listed.because).as_deref(), because);
    }

    #[test]
    fn a_failure_other_than_the_listed_one_names_that_one() {
        let finding = platform().judge("fails_so", CaseResult::Fail, Some(&seen("Ok(0)")), &BTreeMap::new()).finding.unwrap();
        let listed = ("listed".to_owned(), "fail with Err(EIO) seen, because it differs (y.c)".to_owned());
        assert_eq!(finding, Finding { details: vec![listed], ..seen("Ok(0)") });
    }

    #[test]
    fn a_finding_without_a_value_is_compared_by_its_sentence() {
        let finding = Finding::new(Cause::Deadline, "Err(EIO)");
        let judgement = platform().judge("fails_so", CaseResult::Fail, Some(&finding), &BTreeMap::new());
        assert_eq!(judgement.verdict, Verdict::Xfail);
    }

    fn observed(value: u64) -> BTreeMap<String, Value> {
        BTreeMap::from([("pipe.buf".to_owned(), json!(value)), ("other".to_owned(), json!(1))])
    }

    #[test]
    fn the_pinned_value_is_fine() {
        let judgement = platform().judge("other", CaseResult::Pass, None, &observed(4096));
        assert_eq!(judgement, Judgement::plain(Verdict::Ok));
    }

    #[test]
    fn another_value_than_the_pinned_one_is_a_failure_that_shows_both() {
        let judgement = platform().judge("other", CaseResult::Pass, None, &observed(512));
        assert_eq!(judgement.verdict, Verdict::UnexpectedFail);
        let finding = judgement.finding.unwrap();
        assert_eq!(finding.cause, Cause::Observation);
        assert_eq!(finding.message, "\"pipe.buf\" was observed as 512, and X pins it to 4096");
        assert_eq!((finding.expected.as_deref(), finding.seen.as_deref()), (Some("4096"), Some("512")));
        assert_eq!(finding.details, [("platform file".to_owned(), "x.toml:35:14: [observations] \"pipe.buf\" = 4096".to_owned())]);
    }

    #[test]
    fn another_value_than_the_pinned_one_can_be_listed() {
        let judgement = platform().judge("pinned_elsewhere", CaseResult::Pass, None, &observed(7));
        assert_eq!(judgement.verdict, Verdict::Xfail);
        assert_eq!(judgement.finding.unwrap().cause, Cause::Observation);
    }

    #[test]
    fn a_listed_failure_does_not_hide_another_value_than_the_pinned_one() {
        let judgement = platform().judge("fails::a", CaseResult::Fail, Some(&seen("1")), &observed(512));
        assert_eq!((judgement.verdict, judgement.finding.unwrap().cause), (Verdict::UnexpectedFail, Cause::Observation));
    }

    #[test]
    fn what_must_not_be_run_says_why() {
        let listed = platform().do_not_run("hangs").unwrap();
        assert_eq!((listed.because.as_str(), listed.result), ("it hangs the machine", CaseResult::Untested));
        assert!(platform().do_not_run("fails::a").is_none());
    }
}
