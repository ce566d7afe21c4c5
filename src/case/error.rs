//! What is wrong with the registered cases: mistakes in a suite, each with its place.

/// Why the registered cases cannot be used; a mistake in a suite.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Two submissions have one name.
    #[error("two cases are called {name}: at {first} and at {second}; rename one, or name the parameters apart")]
    Duplicate {
        /// The name.
        name: String,
        /// Place of one.
        first: String,
        /// Place of the other.
        second: String,
    },
    /// A function has no doc comment.
    #[error("{name} at {place} has no requirement: give the function a doc comment")]
    NoRequirement {
        /// The name.
        name: String,
        /// Its place.
        place: String,
    },
    /// A requirement cannot be understood without what stands before it.
    #[error(
        "the requirement of {name} at {place} begins with \"{beginning}\", but it is printed alone: begin it with the call or the object"
    )]
    Dependent {
        /// The name.
        name: String,
        /// Its place.
        place: String,
        /// How it begins.
        beginning: &'static str,
    },
    /// A row of a table has no name of its own, or a value has none.
    #[error("a row or value of {behaviour} at {place} has no name: write #[case::name(…)], or a constant for the value")]
    UnnamedRow {
        /// The behaviour.
        behaviour: String,
        /// Its place.
        place: String,
    },
}
