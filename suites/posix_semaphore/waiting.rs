//! Waiting at zero: a process sleeps until a post is meant for it, and no post wakes more than one.

use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;
use rstest::rstest;

use super::fixture::Kind;
use super::name::{Name, new_only};
use super::waiters::{Waiters, one_blocked};

/// At zero a wait sleeps, whatever is posted to another semaphore, until the next post, and takes that.
#[rstest]
#[conformance::test(posix = "sem_wait", man = "sem_wait(3)")]
fn ends_with_a_post_to_this_semaphore_only(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let (semaphore, other) = (kind.create(0)?, kind.create(0)?);
    let waiter = one_blocked(&semaphore)?;
    expect_eq!((other.post(), waiter.until_settled()), (Ok(()), Ok(Settled::Blocked)));
    expect_eq!((semaphore.post(), waiter.join()?), (Ok(()), Ok(())));
    expect_eq!((semaphore.drain(), other.drain()), (Ok(0), Ok(1)));
    Ok(())
}

/// Of many waiters each post lets one go, until none is left; who is next is the system's choice, but nobody is twice.
#[rstest]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn ends_for_one_at_a_time(#[values(1, 2, 5)] count: u8, #[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, count)?;
    let mut woken = Vec::new();
    for left in (0..usize::from(count)).rev() {
        expect_eq!(semaphore.post(), Ok(()));
        woken.extend(waiters.next(1)?);
        expect_eq!((waiters.asleep(), unread(&waiters.woken), semaphore.try_wait()), (Ok(left), Ok(0), Err(EAGAIN)));
    }
    woken.sort_unstable();
    expect_eq!(woken, (0..count).collect::<Vec<_>>());
    for waiter in waiters.participants {
        expect_eq!(waiter.join()?, Ok(()));
    }
    Ok(())
}

/// As many posts in a row as there are waiters let all of them go, and leave nothing.
#[rstest]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn ends_for_all_with_as_many_posts(#[values(2, 7)] count: u8, #[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, count)?;
    for _ in 0..count {
        expect_eq!(semaphore.post(), Ok(()));
    }
    expect_eq!(waiters.next(usize::from(count)), Ok((0..count).collect::<Vec<_>>()));
    expect_eq!(semaphore.drain(), Ok(0));
    Ok(())
}

/// Posts beyond the number of waiters are counted.
#[rstest]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn leaves_what_is_posted_beyond_it(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 2)?;
    expect_eq!([(); 5].map(|()| semaphore.post()), [Ok(()); 5]);
    expect_eq!((waiters.next(2), semaphore.drain()), (Ok(vec![0, 1]), Ok(3)));
    Ok(())
}

/// Posts by several processes at once let as many waiters go as there are posts: none is lost on the way.
#[rstest]
#[conformance::test(posix = "sem_post")]
fn ends_for_all_with_posts_at_the_same_time(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    for _ in 0..3 {
        let semaphore = kind.create(0)?;
        let waiters = Waiters::blocked(&semaphore, 6)?;
        let mut posters = Vec::new();
        for _ in 0..3 {
            posters.push(Participant::spawn_inheriting("poster", |link| {
                link.meet("start");
                (semaphore.post(), semaphore.post())
            })?);
        }
        posters.iter().try_for_each(|poster| poster.until_reached("start"))?;
        posters.iter().try_for_each(|poster| poster.open("start"))?;
        for poster in posters {
            expect_eq!(poster.join()?, (Ok(()), Ok(())));
        }
        expect_eq!((waiters.next(6), semaphore.drain()), (Ok((0..6).collect()), Ok(0)));
    }
    Ok(())
}

/// The maker, a child of it and a stranger wait for one semaphore, which each has opened for itself, and posts by a fourth let all go.
#[conformance::test(posix = "sem_wait", posix = "sem_open")]
fn is_for_one_semaphore_wherever_it_was_opened() -> Outcome {
    let name = Name::new();
    let semaphore = Semaphore::open_with(&name, new_only(), 0o600, 0)?;
    let child = one_blocked(&semaphore)?;
    let opener = Participant::spawn("opener", (), |(), _| Semaphore::open(&name)?.wait())?;
    let text = (*name).to_owned();
    let stranger = Participant::exec("stranger", (), &text, |(), name: String, _| Semaphore::open(&name)?.wait())?;
    opener.until_blocked()?;
    stranger.until_blocked()?;
    let poster = Participant::exec("poster", (), &text, |(), name: String, _| {
        let own = Semaphore::open(&name)?;
        Ok::<_, Errno>([own.post(), own.post(), own.post()])
    })?;
    expect_eq!(poster.join()?, Ok([Ok(()); 3]));
    expect_eq!((child.join()?, opener.join()?, stranger.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// When all who wait are killed at once, every post is counted, and who comes later sleeps and is woken as if they had never been.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "_Exit")]
fn ends_with_death_and_takes_nothing(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 5)?;
    for waiter in &waiters.participants {
        waiter.kill()?;
    }
    expect_eq!([(); 3].map(|()| semaphore.post()), [Ok(()); 3]);
    expect_eq!(semaphore.drain(), Ok(3));
    let later = Waiters::blocked(&semaphore, 2)?;
    expect_eq!((semaphore.post(), later.next(1).map(|woken| woken.len()), later.asleep()), (Ok(()), Ok(1), Ok(1)));
    expect_eq!((semaphore.post(), later.next(1).map(|woken| woken.len()), semaphore.drain()), (Ok(()), Ok(1), Ok(0)));
    Ok(())
}

/// Killed one after the other between posts, waiters never take a post from those who are alive.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "_Exit")]
fn of_the_dead_is_passed_over_each_time(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let mut waiters = Waiters::blocked(&semaphore, 6)?;
    for left in [4, 2, 0] {
        waiters.participants.remove(0).kill()?;
        expect_eq!(semaphore.post(), Ok(()));
        waiters.next(1)?;
        expect_eq!((waiters.asleep(), semaphore.try_wait()), (Ok(left), Err(EAGAIN)));
        waiters.participants.retain(|participant| participant.until_settled() == Ok(Settled::Blocked));
    }
    Ok(())
}

/// The death of a process that took the last one frees nobody: whoever waits sleeps on until another process posts.
#[rstest]
#[conformance::test(posix = "sem_wait", man = "sem_overview(7)")]
fn is_not_ended_by_the_death_of_a_holder(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(1)?;
    let holder = Participant::spawn_inheriting("holder", |link| -> () {
        assert_eq!(semaphore.wait(), Ok(()));
        link.reached("taken");
        link.park()
    })?;
    holder.until_reached("taken")?;
    let waiter = one_blocked(&semaphore)?;
    holder.kill()?;
    expect_eq!((waiter.until_settled(), semaphore.try_wait()), (Ok(Settled::Blocked), Err(EAGAIN)));
    let helper = Participant::spawn_inheriting("helper", |_| semaphore.post())?;
    expect_eq!((helper.join()?, waiter.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// In which order equal waiters are let go is the system's choice.
#[conformance::test(posix = "sem_post", level = observed)]
fn may_end_in_any_order() -> Outcome {
    let semaphore = Kind::Named.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 5)?;
    let mut order = Vec::new();
    for _ in 0..5 {
        expect_eq!(semaphore.post(), Ok(()));
        order.extend(waiters.next(1)?);
    }
    observe!("semaphore.longest-waiting-first", order.is_sorted());
    order.sort_unstable();
    expect_eq!(order, [0, 1, 2, 3, 4]);
    Ok(())
}

/// Processes that come and wait while others post go on getting exactly one each: no post is taken for one that has been dealt with.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn goes_on_while_others_come_and_go(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let mut old = one_blocked(&semaphore)?;
    for _ in 0..6 {
        // The old one and a new one: one post lets either go, and the other is the next old one.
        let new = one_blocked(&semaphore)?;
        expect_eq!(semaphore.post(), Ok(()));
        let (first, second) = (old.until_settled()?, new.until_settled()?);
        let (gone, left) = if first == Settled::Ended { (old, new) } else { (new, old) };
        expect_eq!([first, second].iter().filter(|&&one| one == Settled::Ended).count(), 1);
        expect_eq!((gone.join()?, semaphore.try_wait()), (Ok(()), Err(EAGAIN)));
        old = left;
    }
    expect_eq!((semaphore.post(), old.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}
