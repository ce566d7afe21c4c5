//! [`Registry`]: all cases of this executable, under their stable names.

use std::collections::BTreeMap;

use super::error::RegistryError;
use super::name::names;
use super::submission::Submission;

/// A case under its stable name.
#[derive(Debug)]
pub struct Case {
    /// `suite::topic::behaviour[::parameters]`; expectations and histories hang on it.
    pub name: String,
    /// The name without parameters: one behaviour, in however many variants.
    pub behaviour: String,
    /// The requirement in one or more sentences.
    pub requirement: &'static str,
    /// Everything else, as submitted.
    pub submission: &'static Submission,
}

impl Case {
    /// The mechanism: the first part of the name.
    pub fn suite(&self) -> &str {
        self.name.split("::").next().unwrap_or_default()
    }

    /// The command line that runs this case and no other.
    pub fn command(&self) -> String {
        format!("cargo conformance run --exact '{}'", self.name)
    }
}

/// All cases of this executable, sorted by name.
#[derive(Debug)]
pub struct Registry {
    cases: Vec<Case>,
}

impl Registry {
    /// Collects what the suites submitted.
    ///
    /// # Errors
    /// Two cases of one name, a case without a requirement, an unnamed row of a table.
    pub fn collect() -> Result<Self, RegistryError> {
        Registry::of(inventory::iter::<Submission>)
    }

    fn of(submissions: impl IntoIterator<Item = &'static Submission>) -> Result<Self, RegistryError> {
        let mut cases: Vec<Case> = submissions.into_iter().map(named).collect::<Result<_, _>>()?;
        state_once(&mut cases)?;
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        for pair in cases.windows(2) {
            if pair[0].name == pair[1].name {
                return Err(RegistryError::Duplicate {
                    name: pair[0].name.clone(),
                    first: pair[0].submission.place(),
                    second: pair[1].submission.place(),
                });
            }
        }
        Ok(Registry { cases })
    }

    /// The cases, sorted by name.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The case of that name.
    pub fn find(&self, name: &str) -> Option<&Case> {
        let index = self.cases.binary_search_by(|case| case.name.as_str().cmp(name)).ok()?;
        self.cases.get(index)
    }
}

/// The case of a submission, under its name.
fn named(submission: &'static Submission) -> Result<Case, RegistryError> {
    let (behaviour, parameters) = names(submission)?;
    let name = [vec![behaviour.clone()], parameters].concat().join("::");
    Ok(Case { name, behaviour, requirement: submission.requirement, submission })
}

/// Gives the requirement of a behaviour, which stands in one of its cases only, to all of them.
fn state_once(cases: &mut [Case]) -> Result<(), RegistryError> {
    let stated = cases.iter().filter(|case| !case.requirement.is_empty());
    let requirements: BTreeMap<String, &str> = stated.map(|case| (case.behaviour.clone(), case.requirement)).collect();
    for case in cases {
        let requirement = requirements.get(&case.behaviour).copied();
        case.requirement =
            requirement.ok_or_else(|| RegistryError::NoRequirement { name: case.name.clone(), place: case.submission.place() })?;
    }
    Ok(())
}
