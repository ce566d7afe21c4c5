//! Requirements: each is printed alone, in a failure or a list, and has to be understood there.

/// Beginnings that refer to what stands elsewhere.
const DEPENDENT: [&str; 8] = ["It", "Its", "Nor", "So", "As above", "The same", "Neither", "They"];

/// How a requirement begins, if it does so with a reference to another one.
pub(super) fn dependent(requirement: &str) -> Option<&'static str> {
    let begins = |beginning: &&str| {
        let rest = requirement.strip_prefix(beginning);
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
    };
    DEPENDENT.into_iter().find(begins)
}
