//! Unnamed semaphores, where the system has none: that it says so.

use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;

/// A system without unnamed semaphores refuses to make one with `ENOSYS`, whatever the value.
#[conformance::test(man = "sem_init(3)")]
fn are_refused_where_they_are_missing() -> Outcome {
    for value in [0, 1] {
        expect_eq!(Semaphore::unnamed(Mapping::anonymous(page_size())?, value).map(drop), Err(ENOSYS));
    }
    Ok(())
}

/// Such a system does not show values either, of named semaphores no more than of others, and using them shows no harm of having asked.
#[conformance::test(man = "sem_getvalue(3)")]
fn have_no_value_to_show_where_they_are_missing() -> Outcome {
    let named = Semaphore::create(&unique_name("sem"), 2)?;
    expect_eq!((named.value(), named.drain()), (Err(ENOSYS), Ok(2)));
    Ok(())
}
