//! From a report to a decided case: the one place where both are known.

use std::collections::BTreeMap;

use super::report::Report;
use super::seeds;
use crate::case::Case;
use crate::platform::Platform;
use crate::record::Decided;

/// Holds the report of a case against the platform, in a run of that seed.
pub(crate) fn decided(case: &Case, iteration: u32, mut report: Report, platform: &Platform, seed: u64) -> Decided {
    report.locate(case);
    let observations = report.observations.into_iter().map(|(key, text)| {
        let value = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
        (key, value)
    });
    let observations: BTreeMap<String, serde_json::Value> = observations.collect();
    let judgement = platform.judge(&case.name, report.result, report.finding.as_ref(), &observations);
    let run_seed = seeds::of_iteration(seed, iteration);
    Decided {
        case: case.name.clone(),
        behaviour: case.behaviour.clone(),
        iteration,
        level: case.submission.level,
        result: report.result,
        verdict: judgement.verdict,
        duration_us: report.duration_us,
        requirement: case.requirement.to_owned(),
        clauses: case.submission.clauses.iter().map(ToString::to_string).collect(),
        fixed_in: case.submission.fixed_in.map(str::to_owned),
        finding: judgement.finding.or(report.finding),
        listed: judgement.listed,
        observations,
        weak: report.weak,
        case_seed: seeds::of_case(seed, iteration, &case.name),
        run_seed,
        again: format!("{} --seed {run_seed}", case.command()),
    }
}
