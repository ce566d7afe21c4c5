//! [`Registry`]: all cases of this executable, under their stable names.

use std::collections::BTreeMap;

use super::error::RegistryError;
use super::name::names;
use super::requirement::dependent;
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
    /// Two cases of one name, a case without a requirement or with one that does not stand alone, an unnamed row of a table.
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
    if let Some(beginning) = dependent(submission.requirement) {
        return Err(RegistryError::Dependent { name, place: submission.place(), beginning });
    }
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::case::{Clause, Level};

    /// What becomes of a function with that doc comment.
    fn collected(requirement: &'static str) -> Result<Registry, String> {
        let submission = Submission {
            module: "pipe::eof",
            function: "is_persistent",
            requirement,
            file: "suites/pipe/eof.rs",
            line: 41,
            clauses: &[Clause::Posix("read")],
            level: Level::Required,
            needs: &[],
            deadline: None,
            fixed_in: None,
            ambient: false,
            body: || Ok(()),
        };
        let submission: &'static Submission = Box::leak(Box::new(submission));
        Registry::of([submission]).map_err(|error| error.to_string())
    }

    #[rstest]
    #[case::it("It returns 0.", "It")]
    #[case::its("Its result is 0.", "Its")]
    #[case::nor("Nor does `read`.", "Nor")]
    #[case::so("So does `read`.", "So")]
    #[case::so_with_a_comma("So, `read` returns 0.", "So")]
    #[case::as_above("As above, with a FIFO.", "As above")]
    #[case::the_same("The same for a FIFO.", "The same")]
    #[case::neither("Neither returns 0.", "Neither")]
    #[case::they("They return 0.", "They")]
    fn a_requirement_that_does_not_stand_alone_is_refused(#[case] requirement: &'static str, #[case] beginning: &str) {
        let expected = format!(
            "the requirement of pipe::eof::is_persistent at suites/pipe/eof.rs:41 begins with \"{beginning}\", but it is printed alone: \
             begin it with the call or the object"
        );
        assert_eq!(collected(requirement).err(), Some(expected));
    }

    #[test]
    fn an_empty_requirement_is_refused() {
        let expected = "pipe::eof::is_persistent at suites/pipe/eof.rs:41 has no requirement: give the function a doc comment";
        assert_eq!(collected("").err().as_deref(), Some(expected));
    }

    #[rstest]
    fn a_requirement_that_stands_alone_is_taken(
        #[values("Sockets are closed.", "Items are read in order.", "Norms hold.", "`read` returns 0. It does so again.")]
        requirement: &'static str,
    ) {
        assert_eq!(collected(requirement).map(|registry| registry.cases().len()), Ok(1));
    }
}
