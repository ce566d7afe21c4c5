//! What a process does first that was started afresh: it takes over what came along, and runs the body.

use std::os::fd::{OwnedFd, RawFd};

use serde::{Deserialize, Serialize};

use super::descriptors::{Descriptors, take_all};
use super::link::Link;
use super::value::Value;

/// Name of the environment variable that makes `main` a participant.
pub(super) const VARIABLE: &str = "IPC_CONFORMANCE_ENTRY";

/// What comes along.
#[derive(Serialize, Deserialize)]
pub(super) struct Arrival {
    /// The participant's name.
    pub(super) name: String,
    /// The descriptors of its link.
    pub(super) link: [RawFd; 2],
    /// Those that were handed on to it.
    pub(super) handed: Vec<RawFd>,
    /// The argument, encoded.
    pub(super) argument: Vec<u8>,
}

/// The entry function of one body.
pub(super) fn enter<D: Descriptors, A: Value, T: Value, F: Fn(D, A, &Link) -> T + Copy + 'static>(arrival: &Arrival) -> ! {
    const { assert!(size_of::<F>() == 0, "a body that is run after exec captures nothing") };
    // SAFETY: a type without bytes is read from any aligned address. There is a value of it, as the caller of `restart` had one, which
    // may be copied: this is the copy, that has none of its bytes to be sent.
    let body: F = unsafe { std::ptr::NonNull::<F>::dangling().as_ptr().read() };
    let Some((link, mut handed)) = take_over(arrival) else { refuse() };
    let descriptors = D::adopt(&mut handed);
    let Ok(argument) = postcard::from_bytes::<A>(&arrival.argument) else { refuse() };
    link.run(|link| body(descriptors, argument, link))
}

/// The link, and the descriptors that were handed on.
fn take_over(arrival: &Arrival) -> Option<(Link, impl Iterator<Item = OwnedFd>)> {
    let numbers: Vec<RawFd> = arrival.link.iter().chain(&arrival.handed).copied().collect();
    // SAFETY: the first that this process does is to take over what it was started with, once: nobody owns these yet.
    let mut taken = unsafe { take_all(&numbers) }?.into_iter();
    let link = Link::new(&arrival.name, taken.next()?, taken.next()?);
    Some((link, taken))
}

/// Ends a process that was started by another executable, or by hand.
pub(super) fn refuse() -> ! {
    eprintln!("error: {VARIABLE} is set, but not by this executable; unset it, or do not rebuild during a run");
    std::process::exit(2);
}
