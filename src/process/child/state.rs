//! Is a participant blocked, or has it ended? What the kernel's process state says of it.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::Child;
use crate::outcome::{Cause, Failure};
use crate::process::blocked::{self, Look, SystemCall};
use crate::process::context::{happened, scaled, weak_evidence};
use crate::process::link::FromParticipant;
use crate::process::pause::Pause;
use crate::sys::Errno;
use crate::sys::process::wait::has_ended;

/// Where a participant has come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It sleeps in the kernel, and nobody who is known to be awake will wake it.
    Blocked,
    /// It has ended.
    Ended,
}

impl Child {
    /// Waits until the participant is blocked in the kernel, anywhere but at a gate.
    ///
    /// # Errors
    /// The case *fails* if the participant ends instead.
    #[track_caller]
    pub fn until_blocked(&self) -> Result<(), Failure> {
        happened(&self.name, "is watched until it is blocked");
        let call = self.until(self.process, "block")?;
        happened(&self.name, format!("blocked {call}"));
        Ok(())
    }

    /// As [`Child::until_blocked`], for one of its threads, by the kernel's thread id.
    ///
    /// # Errors
    /// The case *fails* if the thread ends instead.
    #[track_caller]
    pub fn until_thread_blocked(&self, thread: i32) -> Result<(), Failure> {
        let call = self.until(Pid::from_raw(thread), "block in one thread")?;
        happened(&self.name, format!("thread {thread} blocked {call}"));
        Ok(())
    }

    /// Expects the participant to be blocked still, now that something has happened that must not wake it for good.
    ///
    /// A look is conclusive: the kernel marks a sleeper as runnable before the call that wakes it returns.
    ///
    /// # Errors
    /// The case *fails* if the participant has ended.
    #[track_caller]
    pub fn expect_still_blocked(&self) -> Result<(), Failure> {
        let call = self.until(self.process, "be blocked still")?;
        happened(&self.name, format!("still blocked {call}"));
        Ok(())
    }

    /// Waits until the participant has ended or is blocked in the kernel; for cases in which either may be right, or in which
    /// being blocked is the mistake. Awake alone says nothing: a sleeper may be woken, look, and sleep on.
    ///
    /// # Errors
    /// The system shows no process state and `waitpid` failed.
    pub fn until_settled(&self) -> Result<Settled, Errno> {
        let mut pause = Pause::default();
        let settled = loop {
            match blocked::look(self.process) {
                Look::Asleep(call) if !self.at_a_gate(call) => break Settled::Blocked,
                Look::Ended => break Settled::Ended,
                Look::Unknown => {
                    self.quiet()?;
                    break if has_ended(self.process)? { Settled::Ended } else { Settled::Blocked };
                }
                Look::Asleep(_) | Look::Awake | Look::Stopped => pause.sleep(),
            }
        };
        happened(&self.name, if settled == Settled::Ended { "has ended" } else { "is blocked" });
        Ok(settled)
    }

    /// Whether the participant is blocked at this instant.
    pub fn is_blocked(&self) -> bool {
        match blocked::look(self.process) {
            Look::Asleep(call) => !self.at_a_gate(call),
            Look::Unknown => self.quiet().is_ok() && has_ended(self.process) == Ok(false),
            Look::Awake | Look::Stopped | Look::Ended => false,
        }
    }

    #[track_caller]
    fn until(&self, thread: Pid, what: &str) -> Result<SystemCall, Failure> {
        let mut pause = Pause::default();
        loop {
            match blocked::look_at_thread(self.process, thread) {
                Look::Asleep(call) if !self.at_a_gate(call) => return Ok(call),
                Look::Ended => return Err(self.ended_instead(what)),
                Look::Unknown => return self.quiet_period(what),
                Look::Asleep(_) | Look::Awake | Look::Stopped => pause.sleep(),
            }
        }
    }

    fn at_a_gate(&self, call: SystemCall) -> bool {
        let gate = u64::try_from(self.gate_descriptor).unwrap_or(u64::MAX);
        call.call.is_some_and(|(number, argument)| argument == gate && blocked::call_name(number) == "read")
    }

    /// Lets a while pass, or less if the participant ends.
    fn quiet(&self) -> Result<(), Errno> {
        weak_evidence("this system shows no process state: who had not ended after a quiet period was taken to be blocked");
        let mut pause = Pause::default();
        let started = Instant::now();
        while started.elapsed() < scaled(Duration::from_millis(30)) && !has_ended(self.process)? {
            pause.sleep();
        }
        Ok(())
    }

    /// Stands in where the system shows no state: whoever has not ended after a while is taken to be blocked.
    #[track_caller]
    fn quiet_period(&self, what: &str) -> Result<SystemCall, Failure> {
        self.quiet()?;
        if has_ended(self.process)? { Err(self.ended_instead(what)) } else { Ok(SystemCall::default()) }
    }

    #[track_caller]
    fn ended_instead(&self, what: &str) -> Failure {
        let how = match self.receive() {
            Ok(Some(FromParticipant::Value(_, text))) => format!("returned {text}"),
            Ok(Some(FromParticipant::Panicked(message, _))) => format!("panicked: {message}"),
            _ => self.reap().map_or_else(|errno| format!("cannot be waited for: {errno:?}"), |end| end.to_string()),
        };
        happened(&self.name, how.clone());
        let mut failure = self.broken(&format!("was expected to {what}, but {how}"));
        failure.finding.cause = Cause::Expectation;
        failure.finding.expected = Some(what.to_owned());
        failure.finding.seen = Some(how);
        failure
    }
}
