//! The sandbox against the system it runs on: what it promises to find, to remove and to survive.
//!
//! An executable of its own, for it forks, and so must have one thread. Each check runs in a child; `FILTER…` selects checks.

#[allow(unsafe_code, reason = "the environment of a check, which has one thread")]
mod harness;
mod leftovers;

#[cfg(target_os = "linux")]
mod kill;
#[cfg(target_os = "linux")]
mod lacking;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "objects are left by the bare calls")]
mod objects;
#[cfg(target_os = "linux")]
mod private;

#[cfg(target_os = "linux")]
const NAMESPACES: [&[(&str, harness::Check)]; 3] = [private::CHECKS, kill::CHECKS, lacking::CHECKS];
#[cfg(not(target_os = "linux"))]
const NAMESPACES: [&[(&str, harness::Check)]; 0] = [];

fn main() {
    conformance::sys::process::threads::count_foreign_threads();
    harness::run(&[leftovers::CHECKS, &NAMESPACES.concat()].concat())
}
