//! Points with tracing (ptrace(2)): the entry and exit of each system call of the victim's body.

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use super::{Call, Report, Scene, Victim, conclude, cooperative};
use crate::outcome::{CaseResult, Cause, Failure, Outcome};
use crate::process::blocked::{CallNumber, call_name};
use crate::process::child::end_of;
use crate::process::{Descriptors, Link, Participant, Value};
use crate::sys::process::syscall_info::{SyscallStop, syscall_stop};
use crate::sys::process::wait::{wait, wait_with};
use crate::sys::{Errno, errno};

#[track_caller]
pub(super) fn run<D: Descriptors, P, T: Value>(
    point: u32,
    scene: Scene<'_, D, impl FnOnce(&D) -> P, impl FnOnce() -> Outcome>,
    body: impl FnOnce(D, P, &Link) -> T,
) -> Result<(Victim<T>, Report), Failure> {
    if !can_trace() {
        return cooperative::run(point, scene, body);
    }
    let Scene { name, descriptors, prepare, meanwhile, .. } = scene;
    let participant = start(name, descriptors, prepare, body)?;
    let link_to_case = u64::try_from(participant.link_number()).unwrap_or(u64::MAX);
    let mut trace = Trace { process: participant.id(), entered: None, completed: Vec::new(), inside: false };
    let killed = trace.until(point, link_to_case, meanwhile)?;
    if let Killed::Ended(end) = killed {
        participant.has_ended(end);
    }
    let was_killed = matches!(killed, Killed::Here);
    let value = conclude(participant, was_killed)?;
    let what = trace.describe(was_killed);
    let entered = if was_killed { trace.entered.map(call_name) } else { None };
    let victim = Victim { value, completed: trace.completed, entered, address: None };
    Ok((victim, Report { finished: !was_killed, what }))
}

/// Starts a victim that is traced and stopped once it is prepared.
pub(super) fn start<D: Descriptors, P, T: Value>(
    name: &str,
    descriptors: D,
    prepare: impl FnOnce(&D) -> P,
    body: impl FnOnce(D, P, &Link) -> T,
) -> Result<Participant<T>, Errno> {
    Participant::spawn(name, descriptors, |descriptors, link| {
        let prepared = prepare(&descriptors);
        // The case waits for this stop before it goes on; where tracing is refused it sees the end instead.
        if ptrace::traceme().is_ok() {
            let _ = raise(Signal::SIGSTOP);
        }
        body(descriptors, prepared, link)
    })
}

/// Whether a child can be traced, found by doing it once.
fn can_trace() -> bool {
    use std::sync::OnceLock;
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let traced = Participant::spawn("tracing probe", (), |(), _| ptrace::traceme().is_ok());
        traced.is_ok_and(|participant| participant.join().unwrap_or(false))
    })
}

enum Killed {
    Here,
    NotReached,
    Ended(crate::process::End),
}

struct Trace {
    process: Pid,
    entered: Option<CallNumber>,
    completed: Vec<Call>,
    inside: bool,
}

impl Trace {
    /// Waits until the victim is prepared, does `meanwhile`, lets the victim run to the point and kills it there. The body is over
    /// when the victim sends its value over the link.
    fn until(&mut self, point: u32, link_to_case: u64, meanwhile: impl FnOnce() -> Outcome) -> Result<Killed, Failure> {
        match wait_with(self.process, WaitPidFlag::WUNTRACED)? {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
            status => return Ok(end_of(status).map_or(Killed::NotReached, Killed::Ended)),
        }
        meanwhile()?;
        ptrace::setoptions(self.process, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL)?;
        let mut passed = 0;
        let mut pending = None;
        loop {
            ptrace::syscall(self.process, pending.take())?;
            match wait(self.process)? {
                WaitStatus::PtraceSyscall(_) => {}
                WaitStatus::Stopped(_, signal) => {
                    pending = Some(signal);
                    continue;
                }
                status => {
                    let Some(end) = end_of(status) else { continue };
                    return Ok(Killed::Ended(end));
                }
            }
            match self.stop()? {
                SyscallStop::Entry { first_argument, number } if first_argument == link_to_case && call_name(number) == "write" => {
                    ptrace::detach(self.process, None)?;
                    return Ok(Killed::NotReached);
                }
                SyscallStop::Entry { number, .. } => self.entered = Some(number),
                SyscallStop::Exit { returned } => {
                    let name = self.entered.take().map(call_name).unwrap_or_default();
                    self.completed.push(Call { name, returned });
                }
            }
            if passed == point {
                nix::sys::signal::kill(self.process, Signal::SIGKILL)?;
                return Ok(Killed::Here);
            }
            passed += 1;
        }
    }

    fn stop(&mut self) -> Result<SyscallStop, Failure> {
        self.inside = !self.inside;
        match stop_info(self.process, self.inside) {
            Ok(stop) => Ok(stop),
            Err(errno) => {
                Err(Failure::new(CaseResult::Unresolved, Cause::Setup, format!("a traced call cannot be read: {errno:?}")))
            }
        }
    }

    fn describe(&self, killed: bool) -> String {
        let count = |name: &str| self.completed.iter().filter(|call| call.name == name).count();
        match (killed, self.entered) {
            (false, _) => "the victim was not killed".to_owned(),
            (true, Some(number)) => {
                let name = call_name(number);
                let ordinal = count(&name) + 1;
                format!("killed as it entered {name} #{ordinal}")
            }
            (true, None) => match self.completed.last() {
                Some(call) => format!("killed after {} #{} returned {}", call.name, count(&call.name), call.returned),
                None => "killed before its first call".to_owned(),
            },
        }
    }
}

/// Reads the stop with `PTRACE_GET_SYSCALL_INFO`, and from the registers where a system lacks that.
pub(super) fn stop_info(process: Pid, entry: bool) -> Result<SyscallStop, Errno> {
    match syscall_stop(process) {
        Err(errno::EIO) => registers(process, entry),
        other => other,
    }
}

#[cfg(target_arch = "x86_64")]
fn registers(process: Pid, entry: bool) -> Result<SyscallStop, Errno> {
    let registers = ptrace::getregs(process)?;
    Ok(if entry {
        SyscallStop::Entry { number: registers.orig_rax.cast_signed(), first_argument: registers.rdi }
    } else {
        SyscallStop::Exit { returned: registers.rax.cast_signed() }
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn registers(_: Pid, _: bool) -> Result<SyscallStop, Errno> {
    Err(errno::ENOSYS)
}
