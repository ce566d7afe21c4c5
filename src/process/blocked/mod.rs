//! Is a process blocked? Answered from the kernel's own process state, never from elapsed time.
//!
//! A gate proves only that code was reached; what follows a gate may not have begun. So before a case disturbs a participant it
//! asks here. Where a system shows no state, a bounded quiet period stands in and the case's record says that the evidence is weak.
//!
//! - `ask.rs`: the questions; `look.rs`: the answers
//! - `linux.rs`, `macos.rs`, `unknown.rs`: how each system is asked

mod ask;
mod look;
#[cfg_attr(linux, path = "linux.rs")]
#[cfg_attr(apple, path = "macos.rs")]
#[cfg_attr(not(any(linux, apple)), path = "unknown.rs")]
mod os;

pub use ask::{call_name, is_shown, look, look_at_thread};
pub use look::{CallNumber, Look, SystemCall};
