//! What a case *is*, as data. Suites register cases with [`crate::test`]; everything else sees them only through [`Registry`].
//!
//! - `submission.rs`: what the attribute says about a function
//! - `name.rs`: the stable name that follows from where the function stands
//! - `registry.rs`: all cases; `error.rs`: what can be wrong with them; `requirement.rs`: which requirements stand alone
//! - `clause.rs`, `level.rs`, `need.rs`: where a requirement is written, how binding it is, and what the case cannot do without

mod clause;
mod error;
mod level;
mod name;
mod need;
mod registry;
mod requirement;
mod submission;

pub use clause::Clause;
pub use error::RegistryError;
pub use level::Level;
pub use need::Need;
pub use registry::{Case, Registry};
pub use submission::Submission;
