//! Storms: posters and takers work at full speed while some are killed, and the books balance; makers and unlinkers of one name
//! get in one another's way, and none of them sees anything that is half there.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::fault::storm::{Crowd, Nemesis};
use conformance::prelude::*;
use conformance::sys::semaphore::{Semaphore, sem_unlink};
use rstest::rstest;

use super::fixture::Kind;
use super::name::{Name, new_only};

/// What is left after a storm is what was posted less what was taken, give or take the calls that deaths have cut short.
#[rstest]
#[conformance::test(posix = "sem_post", posix = "sem_wait", posix = "_Exit")]
fn of_kills_keeps_the_balance(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    const POSTERS: u8 = 2;
    const TAKERS: u8 = 2;
    const STRIKES: usize = 10;
    let (items, room) = (kind.create(0)?, kind.create(4)?);
    let books = Mapping::anonymous(page_size())?;
    let [begun, done, taken]: [&AtomicU32; 3] = [0, 1, 2].map(|index| books.word(index));
    let (told, tell) = pipe()?;
    let mut nemesis = Nemesis::of_this_case();
    let mut crowd = Crowd::gather(POSTERS + TAKERS, |number, _| {
        let (items, room, tell) = (&items, &room, &tell);
        Participant::spawn_inheriting("worker", move |_| -> Result<(), Errno> {
            loop {
                if number < POSTERS {
                    room.wait()?;
                    begun.fetch_add(1, SeqCst);
                    items.post()?;
                    done.fetch_add(1, SeqCst);
                } else {
                    items.wait()?;
                    taken.fetch_add(1, SeqCst);
                    write_all(tell, b".")?;
                    room.post()?;
                }
            }
        })
    })?;
    let (mut dead_posters, mut dead_takers) = (0, 0);
    for _ in 0..STRIKES {
        // Only so many items are under way: time is counted in what has come through.
        read_exactly(&told, 1 + nemesis.below(30))?;
        let (number, _) = crowd.strike(&mut nemesis)?;
        // Whatever a dead one had in hand is made up for, or the rest would starve.
        room.post()?;
        if number < POSTERS {
            dead_posters += 1;
        } else {
            items.post()?;
            dead_takers += 1;
        }
    }
    crowd.kill_all()?;
    dead_posters += u32::from(POSTERS);
    dead_takers += u32::from(TAKERS);
    let left = items.drain()?;
    let given = dead_takers - u32::from(TAKERS);
    let [begun, done, taken] = [begun, done, taken].map(|number| number.load(SeqCst));
    expect!(begun - done <= dead_posters, "{begun} posts were begun and {done} done");
    expect!(left + taken <= begun + given, "{left} are left and {taken} were taken of {begun} and {given}");
    expect!(left + taken + dead_takers >= done + given, "{left} are left and {taken} were taken of {done} and {given}");
    Ok(())
}

/// However makers, openers and unlinkers of one name get in one another's way, each call does what it says or says why not, and
/// what was opened is a whole semaphore.
#[conformance::test(posix = "sem_open", posix = "sem_unlink", fixed_in = "glibc 2.39 (f957f47df7)")]
fn of_makers_and_unlinkers_shows_nothing_half_done() -> Outcome {
    let name = Name::new();
    let mut participants = Vec::new();
    for number in 0..3_u64 {
        let name = &name;
        participants.push(Participant::spawn_inheriting(&format!("participant {number}"), move |link| {
            let mut choices = Nemesis::seeded(seed() ^ (number + 1));
            link.meet("start");
            (0..60).map(|_| turn(name, &mut choices)).filter(|&result| !as_allowed(result)).collect::<Vec<_>>()
        })?);
    }
    participants.iter().try_for_each(|one| one.until_reached("start"))?;
    participants.iter().try_for_each(|one| one.open("start"))?;
    for participant in participants {
        expect_eq!(participant.join()?, []);
    }
    let _ = sem_unlink(&name);
    expect_eq!((sem_unlink(&name), Semaphore::open(&name).map(drop)), (Err(ENOENT), Err(ENOENT)));
    Ok(())
}

/// What was done and what came of it: for the makers and openers, the use of what they opened.
fn turn(name: &Name, choices: &mut Nemesis) -> Turned {
    let used = |opened: Result<Semaphore, Errno>| {
        opened.map(|semaphore| {
            let posted = semaphore.post();
            // Somebody else may have taken it meanwhile, all of them never more than were posted.
            match semaphore.try_wait() {
                Ok(()) | Err(EAGAIN) => posted,
                other => other,
            }
        })
    };
    match choices.below(4) {
        0 => Turned::Made(used(Semaphore::open_with(name, new_only(), 0o600, 0))),
        1 => Turned::MadeOrOpened(used(Semaphore::open_with(name, OFlag::O_CREAT, 0o600, 0))),
        2 => Turned::Opened(used(Semaphore::open(name))),
        _ => Turned::Unlinked(sem_unlink(name)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum Turned {
    Made(Result<Result<(), Errno>, Errno>),
    MadeOrOpened(Result<Result<(), Errno>, Errno>),
    Opened(Result<Result<(), Errno>, Errno>),
    Unlinked(Result<(), Errno>),
}

fn as_allowed(result: Turned) -> bool {
    matches!(
        result,
        Turned::Made(Ok(Ok(())) | Err(EEXIST))
            | Turned::MadeOrOpened(Ok(Ok(())))
            | Turned::Opened(Ok(Ok(())) | Err(ENOENT))
            | Turned::Unlinked(Ok(()) | Err(ENOENT))
    )
}
