//! Failing allocations: a scenario, run with the first allocation of one of its calls failing, then the second, and so on, until
//! the call has no more of them.
//!
//! Only the calling thread's own allocations inside the kernel fail. Cases need `fault_injection`.

use std::cell::Cell;

use crate::outcome::{CaseResult, Cause, Failure, Outcome};
use crate::sys::Errno;
use crate::sys::process::fail_nth::{FailNth, keep_memory_present};

/// More allocations than any one call makes: a call that goes on beyond it repeats what fails.
const MOST_ALLOCATIONS: u32 = 300;

/// More bytes than the wrapper of a call allocates, and few enough to be kept when they are freed.
const ROOM: usize = 64 * 1024;

/// One run of the scenario: the call's allocation with a certain number is to fail.
#[derive(Debug)]
pub struct Faults<'file> {
    file: &'file FailNth,
    number: u32,
    failed: Cell<Option<bool>>,
}

impl Faults<'_> {
    /// Makes the call under test, and nothing else; once in a scenario.
    ///
    /// # Errors
    /// The failure could not be asked for.
    pub fn during<T>(&self, call: impl FnOnce() -> T) -> Result<T, Errno> {
        // What the call's wrapper allocates comes out of memory that the process has already.
        drop(std::hint::black_box(vec![1_u8; ROOM]));
        self.file.arm(self.number)?;
        let result = call();
        let failed = self.file.has_failed();
        self.file.disarm()?;
        self.failed.set(Some(failed?));
        Ok(result)
    }

    /// Whether an allocation of the call was made to fail. A call may do without, and succeed all the same.
    pub fn struck(&self) -> bool {
        self.failed.get() == Some(true)
    }
}

/// Runs the scenario with the first allocation of its call failing, the second, and so on, until the call comes to its end before
/// the failure does. Each run has to check that the call failed as documented and left no trace, or did what it says.
///
/// # Errors
/// The first failure of a run; it names the allocation.
#[track_caller]
pub fn failing_allocations(scenario: impl Fn(&Faults<'_>) -> Outcome) -> Outcome {
    let file = FailNth::open()?;
    keep_memory_present()?;
    for number in 1..=MOST_ALLOCATIONS {
        let faults = Faults { file: &file, number, failed: Cell::new(None) };
        scenario(&faults).map_err(|failure| {
            let what = if faults.struck() { "the call's allocation that failed" } else { "untouched after so many allocations" };
            failure.detail(what, number.to_string())
        })?;
        match faults.failed.get() {
            Some(true) => {}
            Some(false) => return Ok(()),
            None => {
                return Err(Failure::new(
                    CaseResult::Unresolved,
                    Cause::Setup,
                    "the scenario made no call under failing allocations",
                ));
            }
        }
    }
    let message = format!("the call was not finished after {MOST_ALLOCATIONS} failures of one allocation each");
    Err(Failure::new(CaseResult::Unresolved, Cause::Setup, message))
}
