//! Real-time priorities: which of several waiters a post wakes.

use conformance::prelude::*;
use conformance::sys::process::scheduling::become_first_in_first_out;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{Kind, named_and_unnamed};

/// If processes scheduled with `SCHED_FIFO` are blocked in `sem_wait`, each `sem_post` wakes the blocked process of the highest
/// priority. Among blocked processes of equal priority, `sem_post` wakes the one that has waited longest.
#[apply(named_and_unnamed)]
#[case::highest_is_second([10, 30, 20], [1, 2, 0])]
#[case::highest_is_last([10, 20, 30], [2, 1, 0])]
#[case::equal([20, 20, 20], [0, 1, 2])]
#[case::two_equal_above_one([10, 20, 20], [1, 2, 0])]
#[conformance::test(posix = "sem_post", needs(CAP_SYS_NICE))]
fn wakes_the_highest_priority_waiter_first(#[case] priorities: [i32; 3], #[case] order: [u8; 3], kind: Kind) -> Outcome {
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
