//! `sem_wait` at value 0: which posts wake how many waiters, and waiters and holders that are killed.

use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{Kind, Name, Waiters, create_named, named_and_unnamed, one_blocked};

/// At value 0, `sem_wait` blocks, and stays blocked after a `sem_post` on another semaphore. After a `sem_post` on the semaphore
/// of the `sem_wait`, `sem_wait` returns 0, and the value is 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", man = "sem_wait(3)")]
fn blocks_until_a_post_to_the_same_semaphore(kind: Kind) -> Outcome {
    let (semaphore, other) = (kind.create(0)?, kind.create(0)?);
    let waiter = one_blocked(&semaphore)?;
    expect_eq!((other.post(), waiter.until_settled()), (Ok(()), Ok(Settled::Blocked)));
    expect_eq!((semaphore.post(), waiter.join()?), (Ok(()), Ok(())));
    expect_eq!((semaphore.drain(), other.drain()), (Ok(0), Ok(1)));
    Ok(())
}

/// If n processes (1, 2 or 5) are blocked in `sem_wait`, each of n `sem_post` calls makes `sem_wait` return 0 in exactly one of
/// them. `sem_trywait` fails with `EAGAIN` after each `sem_post`.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn each_post_wakes_one_waiter(#[values(1, 2, 5)] count: u8, kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, count)?;
    let mut woken = Vec::new();
    for left in (0..usize::from(count)).rev() {
        expect_eq!(semaphore.post(), Ok(()));
        woken.extend(waiters.next_woken(1)?);
        expect_eq!((waiters.still_blocked(), unread(&waiters.woken), semaphore.try_wait()), (Ok(left), Ok(0), Err(EAGAIN)));
    }
    woken.sort_unstable();
    expect_eq!(woken, (0..count).collect::<Vec<_>>());
    for waiter in waiters.participants {
        expect_eq!(waiter.join()?, Ok(()));
    }
    Ok(())
}

/// If n processes (2 or 7) are blocked in `sem_wait`, n consecutive `sem_post` calls by one process make `sem_wait` return 0 in
/// all n processes, and the value is 0 afterwards.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn as_many_posts_as_waiters_wake_all(#[values(2, 7)] count: u8, kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, count)?;
    for _ in 0..count {
        expect_eq!(semaphore.post(), Ok(()));
    }
    expect_eq!(waiters.next_woken(usize::from(count)), Ok((0..count).collect::<Vec<_>>()));
    expect_eq!(semaphore.drain(), Ok(0));
    Ok(())
}

/// If two processes are blocked in `sem_wait`, five `sem_post` calls wake both and leave the value at 3.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn posts_beyond_the_waiters_increment_the_value(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 2)?;
    expect_eq!([(); 5].map(|()| semaphore.post()), [Ok(()); 5]);
    expect_eq!((waiters.next_woken(2), semaphore.drain()), (Ok(vec![0, 1]), Ok(3)));
    Ok(())
}

/// If three processes call `sem_post` twice each at the same time while six processes are blocked in `sem_wait`, all six are
/// woken, and the value is 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post")]
fn concurrent_posts_wake_as_many_waiters(kind: Kind) -> Outcome {
    for _ in 0..3 {
        let semaphore = kind.create(0)?;
        let waiters = Waiters::blocked(&semaphore, 6)?;
        let posted = together("poster", 3, |_| Ok((semaphore.post(), semaphore.post())))?;
        expect_eq!(posted, vec![(Ok(()), Ok(())); 3]);
        expect_eq!((waiters.next_woken(6), semaphore.drain()), (Ok((0..6).collect()), Ok(0)));
    }
    Ok(())
}

/// If three processes are blocked in `sem_wait` on one named semaphore (a child that inherited it, a child that called
/// `sem_open`, and an unrelated process that called `sem_open`), three `sem_post` calls by a fourth process make `sem_wait`
/// return 0 in all three.
#[conformance::test(posix = "sem_wait", posix = "sem_open")]
fn posts_wake_waiters_that_opened_the_name_themselves() -> Outcome {
    let name = Name::new();
    let semaphore = create_named(&name, 0)?;
    let child = one_blocked(&semaphore)?;
    let opener = Participant::spawn("opener", (), |(), _| Semaphore::open(&name)?.wait())?;
    let text = (*name).to_owned();
    let unrelated = Participant::exec("unrelated process", (), &text, |(), name: String, _| Semaphore::open(&name)?.wait())?;
    opener.until_blocked()?;
    unrelated.until_blocked()?;
    let poster = Participant::exec("poster", (), &text, |(), name: String, _| {
        let own = Semaphore::open(&name)?;
        Ok::<_, Errno>([own.post(), own.post(), own.post()])
    })?;
    expect_eq!(poster.join()?, Ok([Ok(()); 3]));
    expect_eq!((child.join()?, opener.join()?, unrelated.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// If all five processes that are blocked in `sem_wait` are killed, three `sem_post` calls make the value 3. After the value is
/// decremented to 0 and two other processes block in `sem_wait`, each `sem_post` wakes exactly one of the two.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "_Exit")]
fn killed_waiters_take_no_post(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 5)?;
    for waiter in &waiters.participants {
        waiter.kill()?;
    }
    expect_eq!([(); 3].map(|()| semaphore.post()), [Ok(()); 3]);
    expect_eq!(semaphore.drain(), Ok(3));
    let later = Waiters::blocked(&semaphore, 2)?;
    expect_eq!((semaphore.post(), later.next_woken(1).map(|woken| woken.len()), later.still_blocked()), (Ok(()), Ok(1), Ok(1)));
    expect_eq!((semaphore.post(), later.next_woken(1).map(|woken| woken.len()), semaphore.drain()), (Ok(()), Ok(1), Ok(0)));
    Ok(())
}

/// If six processes are blocked in `sem_wait`, and before each of three `sem_post` calls one blocked process is killed, each
/// `sem_post` wakes exactly one of the surviving blocked processes.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "_Exit")]
fn waiters_killed_between_posts_take_no_post(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let mut waiters = Waiters::blocked(&semaphore, 6)?;
    for left in [4, 2, 0] {
        waiters.participants.remove(0).kill()?;
        expect_eq!(semaphore.post(), Ok(()));
        waiters.next_woken(1)?;
        expect_eq!((waiters.still_blocked(), semaphore.try_wait()), (Ok(left), Err(EAGAIN)));
        waiters.participants.retain(|participant| participant.until_settled() == Ok(Settled::Blocked));
    }
    Ok(())
}

/// If a process is killed after its `sem_wait` took the value from 1 to 0, a process that is blocked in `sem_wait` stays blocked
/// until another process calls `sem_post`.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", man = "sem_overview(7)")]
fn death_of_the_holder_wakes_no_waiter(kind: Kind) -> Outcome {
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
    let poster = Participant::spawn_inheriting("poster", |_| semaphore.post())?;
    expect_eq!((poster.join()?, waiter.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// If five processes of equal priority are blocked in `sem_wait`, each of five `sem_post` calls wakes exactly one of them.
/// Whether they are woken in the order in which they blocked is recorded.
#[conformance::test(posix = "sem_post", level = observed)]
fn wake_order_is_recorded() -> Outcome {
    let semaphore = Kind::Named.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 5)?;
    let mut order = Vec::new();
    for _ in 0..5 {
        expect_eq!(semaphore.post(), Ok(()));
        order.extend(waiters.next_woken(1)?);
    }
    observe!("semaphore.waiters-are-woken-in-order-of-arrival", order.is_sorted());
    order.sort_unstable();
    expect_eq!(order, [0, 1, 2, 3, 4]);
    Ok(())
}

/// In each of six rounds, a second process blocks in `sem_wait` beside one that is already blocked, and one `sem_post` then wakes
/// exactly one of the two. The other process stays blocked and is the first process of the next round.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn old_and_new_waiters_are_woken_once_each(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let mut old = one_blocked(&semaphore)?;
    for _ in 0..6 {
        // One post wakes the old waiter or the new one; the other is the old waiter of the next round.
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
