//! The case's own process: its channel to the worker, its clock, seed and time scale.
//!
//! What happens is sent on as it happens, so that the record of a case survives the case.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::channel;
use crate::outcome::{Outcome, TimelineEntry};

/// What the case's process tells the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CaseMessage {
    /// Something happened.
    Timeline(TimelineEntry),
    /// A participant was made, which has this process id.
    Spawned(TimelineEntry, i32),
    /// A choice of the system; the value as JSON text.
    Observation(String, String),
    /// The evidence is weaker than it should be.
    Weak(String),
    /// The body holds what it had to wait for (a lock); the deadline starts anew.
    Restarted,
    /// The body returned, or panicked.
    End(Outcome),
}

/// What a case may ask about its run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Parameters {
    /// Seed of the case's random choices.
    pub seed: u64,
    /// Factor on every deadline, at least 1.
    pub time_scale: f64,
    /// Inputs that a property tries, where the user said so.
    pub property_cases: Option<u32>,
}

struct Context {
    /// Absent in a participant that was started afresh.
    channel: Option<OwnedFd>,
    started: Instant,
    parameters: Parameters,
    /// The process that the context belongs to: a participant inherits the memory, but not the channel.
    owner: u32,
}

static CONTEXT: OnceLock<Context> = OnceLock::new();

/// Makes the calling process the case's own. Called once, by the worker's child.
pub(crate) fn enter(channel: OwnedFd, parameters: Parameters) {
    set(Some(channel), parameters);
}

/// Gives a participant that was started afresh the parameters of its case.
pub(super) fn enter_participant(parameters: Parameters) {
    set(None, parameters);
}

fn set(channel: Option<OwnedFd>, parameters: Parameters) {
    let context = Context { channel, started: Instant::now(), parameters, owner: std::process::id() };
    assert!(CONTEXT.set(context).is_ok(), "a process is made for one case only");
}

fn current() -> Option<&'static Context> {
    CONTEXT.get().filter(|context| context.owner == std::process::id())
}

/// Sends a message to the worker, if this is a case's own process.
pub(crate) fn send(message: &CaseMessage) {
    if let Some(channel) = current().and_then(|context| context.channel.as_ref()) {
        // A worker that is gone has taken the case down with it already; there is nobody to tell.
        let _ = channel::send(channel.as_fd(), message);
    }
}

/// Records that something happened to a participant.
pub(crate) fn happened(who: &str, what: impl Into<String>) {
    if let Some(entry) = entry(who, what) {
        send(&CaseMessage::Timeline(entry));
    }
}

/// Records that a participant was made.
pub(super) fn spawned(who: &str, process: Pid) {
    if let Some(entry) = entry(who, format!("spawned as {process}")) {
        send(&CaseMessage::Spawned(entry, process.as_raw()));
    }
}

/// What happens at this moment, if this is a case's own process.
fn entry(who: &str, what: impl Into<String>) -> Option<TimelineEntry> {
    let started = current()?.started;
    let at_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    Some(TimelineEntry { at_us, who: who.to_owned(), what: what.into() })
}

/// Records a step of the case's own process in the timeline, for a reader of the finding.
pub fn note(what: impl Into<String>) {
    happened("case", what);
}

/// Records which choice the system made where a standard leaves one: `observe!("pipe.capacity", bytes)`.
#[macro_export]
macro_rules! observe {
    ($key:expr, $value:expr $(,)?) => {
        $crate::process::context::observe($key, &$crate::serde_json::json!($value))
    };
}

/// What [`crate::observe!`] expands to; not for direct use.
#[doc(hidden)]
pub fn observe(key: &str, value: &serde_json::Value) {
    send(&CaseMessage::Observation(key.to_owned(), value.to_string()));
}

/// Records that something could be shown only indirectly.
pub fn weak_evidence(sentence: &str) {
    send(&CaseMessage::Weak(sentence.to_owned()));
}

/// Starts the deadline anew: the case holds the lock that it had to wait for.
pub fn restart_deadline() {
    send(&CaseMessage::Restarted);
}

/// What the case was started with.
pub(super) fn parameters() -> Parameters {
    let fallback = Parameters { seed: 0, time_scale: 1.0, property_cases: None };
    CONTEXT.get().map_or(fallback, |context| context.parameters)
}

/// Seed of the case's random choices; 0 outside a case.
pub fn seed() -> u64 {
    CONTEXT.get().map_or(0, |context| context.parameters.seed)
}

/// Inputs that a property should try, where the user said so.
pub fn property_cases() -> Option<u32> {
    CONTEXT.get().and_then(|context| context.parameters.property_cases)
}

/// A duration of a nominal machine, stretched to this one.
pub fn scaled(duration: Duration) -> Duration {
    duration.mul_f64(CONTEXT.get().map_or(1.0, |context| context.parameters.time_scale))
}
