//! The two kinds of semaphore, which differ in how they come into being and in nothing else.

use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;

/// A kind of semaphore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Made with `sem_open`.
    Named,
    /// Made with `sem_init` in memory that participants share.
    Unnamed,
}

impl Kind {
    /// A new semaphore. A system that answers `ENOSYS` has no such kind.
    #[track_caller]
    pub fn create(self, value: u32) -> Result<Semaphore, Failure> {
        let (feature, made) = match self {
            Kind::Named => ("sem_open", Semaphore::create(&unique_name("sem"), value)),
            Kind::Unnamed => ("sem_init", Semaphore::unnamed(Mapping::anonymous(page_size())?, value)),
        };
        match made {
            Err(ENOSYS) => Err(Failure::unsupported(feature, "ENOSYS")),
            other => Ok(other?),
        }
    }
}
