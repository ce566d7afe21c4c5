//! Priorities: among waiters with real-time priorities a post is not anybody's.

use conformance::prelude::*;
use conformance::sys::process::scheduling::become_first_in_first_out;
use rstest::rstest;

use super::fixture::Kind;

/// Of waiters that are scheduled first-in-first-out the one of the highest priority is let go first, and among equals the one that has
/// waited longest.
#[rstest]
#[case::highest_in_the_middle([10, 30, 20], [1, 2, 0])]
#[case::highest_last([10, 20, 30], [2, 1, 0])]
#[case::equals([20, 20, 20], [0, 1, 2])]
#[case::two_equals_above_one([10, 20, 20], [1, 2, 0])]
#[conformance::test(posix = "sem_post", needs(CAP_SYS_NICE))]
fn decides_who_is_let_go(
    #[case] priorities: [i32; 3],
    #[case] order: [u8; 3],
    #[values(Kind::Named, Kind::Unnamed)] kind: Kind,
) -> Outcome {
    let semaphore = kind.create(0)?;
    let (woken, wakes) = pipe()?;
    let mut waiters = Vec::new();
    for (number, priority) in (0..).zip(priorities) {
        let waiter = Participant::spawn_inheriting(&format!("waiter {number} of priority {priority}"), |_| {
            become_first_in_first_out(priority)?;
            semaphore.wait()?;
            write_all(&wakes, &[number])
        })?;
        waiter.until_blocked()?;
        waiters.push(waiter);
    }
    let mut seen = [0; 3];
    for place in &mut seen {
        expect_eq!((semaphore.post(), read(&woken, std::slice::from_mut(place))), (Ok(()), Ok(1)));
    }
    expect_eq!((seen, semaphore.drain()), (order, Ok(0)));
    for waiter in waiters {
        expect_eq!(waiter.join()?, Ok(()));
    }
    Ok(())
}
