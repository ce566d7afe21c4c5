//! What a process leaves to be cleared away: given back soon after its death, not with it.

use std::fmt::Debug;

use super::context::note;
use super::pause::Pause;

/// Looks until what is seen is what was expected, and gives that back; what never comes about ends at the case's deadline.
///
/// For what a dead process had mapped: whoever looks into `/proc` at this moment, anybody, keeps its memory for as long.
pub fn comes_to<T: PartialEq + Debug>(expected: &T, mut look: impl FnMut() -> T) -> T {
    let mut seen = look();
    if seen != *expected {
        note(format!("waiting for {expected:?}, while it is {seen:?}"));
    }
    let mut pause = Pause::default();
    while seen != *expected {
        pause.sleep();
        seen = look();
    }
    seen
}
