//! `SEM_UNDO`: when a process ends, its operations with this flag are undone, and waiters are woken.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::sem::{Operation, SemaphoreSet};
use proptest::prelude::any;

/// If a process that has decremented a semaphore from 1 to 0 by `semop` with `SEM_UNDO` is killed, `semop` of a second process,
/// blocked to decrement the semaphore by 1, returns 0. `semop` of a third process, blocked to decrement the semaphore by 2, stays
/// blocked.
#[conformance::test(posix = "semop", man = "semop(2)")]
fn undo_of_a_killed_process_wakes_one_waiter() -> Outcome {
    let set = SemaphoreSet::create(unique_key(), &[1])?;
    let take = [Operation::new(0, -1).undo()];
    let holder = Participant::spawn("holder", (), |(), link| -> Result<(), Errno> {
        set.operate(&take)?;
        link.reached("taken");
        link.park()
    })?;
    holder.until_reached("taken")?;
    let next = Participant::spawn("next", (), |(), link| {
        set.operate(&take)?;
        link.meet("taken");
        Ok::<_, Errno>(())
    })?;
    let last = Participant::spawn("last", (), |(), _| set.operate(&[Operation::new(0, -2)]))?;
    next.until_blocked()?;
    last.until_blocked()?;
    expect_eq!((set.value(0), set.waiters(0)), (Ok(0), Ok((2, 0))));

    holder.kill()?;
    next.until_reached("taken")?;
    last.expect_still_blocked()?;
    expect_eq!((set.value(0), set.waiters(0)), (Ok(0), Ok((1, 0))));
    next.open("taken")?;
    expect_eq!(next.join()?, Ok(()));
    last.expect_still_blocked()?;
    expect_eq!((set.value(0), set.waiters(0)), (Ok(1), Ok((1, 0))), "after the exit of the next holder");
    Ok(())
}

/// If a process that has incremented a semaphore from 0 to 2 by `semop` with `SEM_UNDO` is killed, `semop` of another process,
/// blocked to wait for zero, returns 0. `semctl` with `GETVAL` then returns 0.
#[conformance::test(posix = "semop", man = "semop(2)")]
fn undo_of_a_killed_process_wakes_a_waiter_for_zero() -> Outcome {
    let set = SemaphoreSet::create(unique_key(), &[0])?;
    let holder = Participant::spawn("holder", (), |(), link| -> Result<(), Errno> {
        set.operate(&[Operation::new(0, 2).undo()])?;
        link.reached("added");
        link.park()
    })?;
    holder.until_reached("added")?;
    let waiter = Participant::spawn("waiter", (), |(), _| set.operate(&[Operation::new(0, 0)]))?;
    waiter.until_blocked()?;
    expect_eq!((set.value(0), set.waiters(0)), (Ok(2), Ok((0, 1))));
    holder.kill()?;
    expect_eq!(waiter.join()?, Ok(()));
    expect_eq!((set.value(0), set.waiters(0)), (Ok(0), Ok((0, 0))));
    Ok(())
}

/// If a process has decremented two semaphores from 3 to 2 by `semop` with `SEM_UNDO`, `semctl` with `SETVAL` sets the first to
/// 2, and the process is then killed, `semctl` with `GETALL` reports the value 2 for the first semaphore and 3 for the second.
#[conformance::test(posix = "semctl", man = "semctl(2)")]
fn setval_clears_the_undo_of_that_semaphore() -> Outcome {
    let set = SemaphoreSet::create(unique_key(), &[3, 3])?;
    let holder = Participant::spawn("holder", (), |(), link| -> Result<(), Errno> {
        set.operate(&[Operation::new(0, -1).undo(), Operation::new(1, -1).undo()])?;
        link.reached("taken");
        link.park()
    })?;
    holder.until_reached("taken")?;
    expect_eq!((set.values(), set.set(0, 2)), (Ok(vec![2, 2]), Ok(())));
    holder.kill()?;
    expect_eq!(set.values(), Ok(vec![2, 3]));
    Ok(())
}

/// The number of semaphores in the set. Small, as macOS keeps ten undo entries for a process.
const MEMBERS: usize = 3;

/// A step: which semaphore, by how much, and whether with `SEM_UNDO`.
type Step = (usize, i16, bool);

/// In a random sequence of `semop` with `IPC_NOWAIT` on three semaphores by two processes, a `semop` that adds n (-3 to 3, not 0)
/// returns 0, or fails with `EAGAIN` if the value would become negative; with n = 0, `semop` returns 0 if the value is 0, and
/// fails with `EAGAIN` if not. When the first process is killed, the sum of its successful changes with `SEM_UNDO` is subtracted
/// from the value of each semaphore, or the value becomes 0 if the result would be negative. `semctl` with `GETALL` reports these
/// values.
#[conformance::test(posix = "semop", man = "semop(2)", level = documented)]
fn undo_matches_a_model() -> Outcome {
    let steps = || proptest::collection::vec((0..MEMBERS, -3..=3_i16, any::<bool>()), 0..8);
    let initial = proptest::array::uniform3(0..4_u16);
    property(&(initial, steps(), steps()), |(initial, held, others)| {
        let set = SemaphoreSet::create(unique_key(), &initial)?;
        let mut model = Model { values: initial.map(i32::from), undo: [0; MEMBERS] };
        // The results are in the name of the gate, as a killed participant returns nothing.
        let victim = Participant::spawn("victim", (), |(), link| -> () {
            let seen: Vec<_> = held.iter().map(|&(number, change, undo)| set.operate(&[operation(number, change, undo)])).collect();
            link.reached(&format!("{seen:?}"));
            link.park()
        })?;
        let expected: Vec<_> = held.iter().map(|&step| model.operate(step)).collect();
        victim.until_reached(&format!("{expected:?}"))?;
        for &(number, change, _) in &others {
            expect_eq!(set.operate(&[operation(number, change, false)]), model.operate((number, change, false)));
        }
        expect_eq!(set.values(), Ok(model.values()));
        victim.kill()?;
        model.end();
        expect_eq!(set.values(), Ok(model.values()));
        Ok(())
    })
}

fn operation(number: usize, change: i16, undo: bool) -> Operation {
    let operation = Operation::new(u16::try_from(number).unwrap_or(u16::MAX), change).nowait();
    if undo { operation.undo() } else { operation }
}

/// The values of a set, and what is to be added to them when the process ends.
struct Model {
    values: [i32; MEMBERS],
    undo: [i32; MEMBERS],
}

impl Model {
    fn operate(&mut self, (number, change, undo): Step) -> Result<(), Errno> {
        let value = &mut self.values[number];
        let change = i32::from(change);
        let possible = if change == 0 { *value == 0 } else { *value + change >= 0 };
        if !possible {
            return Err(EAGAIN);
        }
        *value += change;
        if undo {
            self.undo[number] -= change;
        }
        Ok(())
    }

    fn end(&mut self) {
        for (value, undo) in self.values.iter_mut().zip(self.undo) {
            *value = (*value + undo).max(0);
        }
    }

    fn values(&self) -> Vec<u16> {
        self.values.iter().map(|&value| u16::try_from(value).unwrap_or(u16::MAX)).collect()
    }
}
