//! Unnamed semaphores on a system that has none: `sem_init` and `sem_getvalue` fail with `ENOSYS`.

use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;

/// On macOS and other Apple systems (as this suite was compiled for one), `sem_init` with value 0 or 1 fails with `ENOSYS`.
#[conformance::test(man = "sem_init(3)", level = customary)]
fn init_fails_with_enosys_where_unsupported() -> Outcome {
    for value in [0, 1] {
        expect_eq!(Semaphore::unnamed(Mapping::anonymous(page_size())?, value).map(drop), Err(ENOSYS));
    }
    Ok(())
}

/// On macOS and other Apple systems (as this suite was compiled for one), `sem_getvalue` on a named semaphore fails with `ENOSYS`
/// and leaves its value as it was.
#[conformance::test(man = "sem_getvalue(3)", level = customary)]
fn getvalue_fails_with_enosys_where_unsupported() -> Outcome {
    let named = Semaphore::create(&unique_name("sem"), 2)?;
    expect_eq!((named.value(), named.drain()), (Err(ENOSYS), Ok(2)));
    Ok(())
}
