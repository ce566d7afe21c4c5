//! `SEM_UNDO`: when a process ends, what it did under the flag is taken back, and the waiters notice.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::sem::{Operation, SemaphoreSet};
use proptest::prelude::any;

/// A process that waits for what a killed process held gets it, once.
#[conformance::test(posix = "semop", man = "semop(2)")]
fn of_a_killed_holder_lets_one_waiter_go_on() -> Outcome {
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
    expect_eq!((set.value(0), set.waiters(0)), (Ok(1), Ok((1, 0))), "its end gave back what it took");
    Ok(())
}

/// What a killed process added under the flag while a waiter for zero slept is taken off again, and the waiter goes on.
#[conformance::test(posix = "semop", man = "semop(2)")]
fn of_a_killed_holder_wakes_a_waiter_for_zero() -> Outcome {
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

/// Setting a value makes every process forget what it had to undo on that semaphore, and on no other.
#[conformance::test(posix = "semctl", man = "semctl(2)")]
fn is_forgotten_where_a_value_is_set() -> Outcome {
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

/// Members of the set that the property works on. Few, as macOS remembers ten undo entries for a process.
const MEMBERS: usize = 3;

/// A step: which member, by how much, and whether it is to be undone.
type Step = (usize, i16, bool);

/// After any operations of a process, and any of others after it, its death takes back exactly what it did under the flag. Where the
/// others left too little to take, nothing is left.
#[conformance::test(posix = "semop", man = "semop(2)", level = documented)]
fn takes_back_exactly_what_was_done_under_the_flag() -> Outcome {
    let steps = || proptest::collection::vec((0..MEMBERS, -3..=3_i16, any::<bool>()), 0..8);
    let initial = proptest::array::uniform3(0..4_u16);
    property(&(initial, steps(), steps()), |(initial, held, others)| {
        let set = SemaphoreSet::create(unique_key(), &initial)?;
        let mut model = Model { values: initial.map(i32::from), undo: [0; MEMBERS] };
        // Its results travel in the name of the gate: who is killed returns nothing.
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

/// A set of counters, of which one process has something to undo.
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
