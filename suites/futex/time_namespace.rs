//! Time namespaces: a process whose monotonic clock is set off from the system's is told by its own clock when its time has come.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{ANY, Fourth, Place, Waiter, futex, lock_pi, op, wait_bitset, wait_for, wait_requeue_pi, waitv};
use conformance::sys::time::{Clock, Time};
use nix::sched::{CloneFlags, unshare};
use rstest::rstest;

use super::fixture::{if_supported, words};

/// How far the clock of the namespace is ahead of the system's, in seconds.
const AHEAD: i64 = 1_000_000;

/// Has `body` done in a process of a time namespace whose monotonic clock is ahead.
fn ahead(body: impl FnOnce() -> Outcome) -> Outcome {
    let (told, tell) = pipe()?;
    let before = Time::now(Clock::Monotonic)?;
    let outside = Participant::spawn("outside", tell, |tell, _| {
        if let Err(errno) = unshare(CloneFlags::from_bits_retain(0x80)) {
            return Err(Errno::from(errno));
        }
        std::fs::write("/proc/self/timens_offsets", format!("monotonic {AHEAD} 0"))?;
        let inside = Participant::spawn("inside", (), |(), _| {
            let ahead = Time::now(Clock::Monotonic)?.has_come(before.plus(AHEAD));
            if ahead { Ok::<_, Errno>(body().map_err(|failure| failure.finding.message)) } else { Err(ENOSYS) }
        })?;
        let answer = inside.join().map_err(|_| EIO)??;
        write_all(tell, answer.err().unwrap_or_default().as_bytes())
    })?;
    expect_eq!(outside.join()?, Ok(()));
    expect_eq!(String::from_utf8_lossy(&read_to_end(&told)?), "");
    Ok(())
}

/// Instants of the namespace's clock are taken as such: those that have passed end a wait, those that come end it then, and those that
/// the system's clock shows already, but the namespace's does not, do not.
#[conformance::test(man = "futex(2)", man = "time_namespaces(7)", needs(CAP_SYS_ADMIN, file("/proc/self/ns/time_for_children")))]
fn sets_off_the_instants_of_a_wait() -> Outcome {
    ahead(|| {
        let words = words()?;
        let now = Time::now(Clock::Monotonic)?;
        for end in [now.earlier(), now.plus_milliseconds(5)] {
            expect_eq!(wait_bitset(words.word(0), 0, ANY, Some((Clock::Monotonic, end))), Err(ETIMEDOUT));
            expect!(Time::now(Clock::Monotonic)?.has_come(end));
            expect_eq!(wait_requeue_pi(words.word(0), 0, Some((Clock::Monotonic, end)), words.word(1)), Err(ETIMEDOUT));
            expect_eq!(wait_bitset(words.word(0), 0, ANY, Some((Clock::Realtime, Time::now(Clock::Realtime)?))), Err(ETIMEDOUT));
        }
        Ok(())
    })
}

/// The instants of a wait at several words are set off too.
#[conformance::test(
    man = "futex_waitv(2)",
    man = "time_namespaces(7)",
    needs(CAP_SYS_ADMIN, file("/proc/self/ns/time_for_children"))
)]
fn sets_off_the_instants_of_a_wait_at_several_words() -> Outcome {
    if conformance::sys::futex::is_missing(&waitv(&[], 0, None)) {
        unsupported!("futex_waitv", ENOSYS);
    }
    ahead(|| {
        let words = words()?;
        let end = Time::now(Clock::Monotonic)?.plus_milliseconds(5);
        expect_eq!(waitv(&[Waiter::new(words.word(0), 0)], 0, Some((Clock::Monotonic, end))), Err(ETIMEDOUT));
        expect!(Time::now(Clock::Monotonic)?.has_come(end));
        Ok(())
    })
}

/// Intervals are the same everywhere.
#[conformance::test(man = "futex(2)", man = "time_namespaces(7)", needs(CAP_SYS_ADMIN, file("/proc/self/ns/time_for_children")))]
fn leaves_intervals_alone() -> Outcome {
    ahead(|| {
        let words = words()?;
        let end = Time::now(Clock::Monotonic)?.plus_milliseconds(5);
        expect_eq!(wait_for(words.word(0), 0, Time::new(0, 5_000_000)), Err(ETIMEDOUT));
        expect!(Time::now(Clock::Monotonic)?.has_come(end));
        Ok(())
    })
}

/// The instants of a lock are of the real-time clock, which is not set off, or of the clock that is named.
#[rstest]
#[case::lock(op::LOCK_PI, Clock::Realtime)]
#[case::lock_on_a_clock(op::LOCK_PI2, Clock::Monotonic)]
#[case::lock_on_the_real_clock(op::LOCK_PI2 | op::CLOCK_REALTIME, Clock::Realtime)]
#[conformance::test(man = "futex(2)", man = "time_namespaces(7)", needs(CAP_SYS_ADMIN, file("/proc/self/ns/time_for_children")))]
fn sets_off_the_instants_of_a_lock_by_its_clock(#[case] operation: u32, #[case] clock: Clock) -> Outcome {
    if_supported(operation)?;
    let words = words()?;
    expect_eq!(lock_pi(words.word(0)), Ok(()));
    ahead(|| {
        let end = Time::now(clock)?.plus_milliseconds(5);
        expect_eq!(futex(words.word(0), operation, 0, Fourth::Timeout(end), Place::NULL, 0), Err(ETIMEDOUT));
        expect!(Time::now(clock)?.has_come(end));
        Ok(())
    })?;
    expect!(words.word(0).load(SeqCst) & conformance::sys::futex::TID == conformance::sys::futex::own_id());
    Ok(())
}
