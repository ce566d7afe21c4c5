//! Points between the instructions of a stretch of user code: the victim is single-stepped from the return of its first
//! [`crate::sys::mark`] to the beginning of its second.

use std::collections::HashMap;

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use super::traced::{start, stop_info};
use super::{Report, Victim, conclude};
use crate::outcome::{CaseResult, Cause, Failure, Outcome};
use crate::process::blocked::call_name;
use crate::process::child::end_of;
use crate::process::{Descriptors, End, Link, Participant, Value};
use crate::sys::fork::{wait, wait_with};
use crate::sys::io::page_size;
use crate::sys::syscall_info::SyscallStop;
use crate::sys::{Errno, symbol};

/// More instructions than a short critical section has: a stretch that never ends is a mistake of the case.
const MOST_INSTRUCTIONS: u32 = 200_000;

/// The call that a mark makes.
const MARK: &str = "getppid";

/// How far a victim is let go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    /// To its end, counting the instructions between the marks.
    TheEnd,
    /// So many instructions after the first mark, where it is killed.
    Instruction { number: u32, of: u32 },
}

/// Whether a child can be stepped and its registers be read, found by doing it once.
pub(super) fn available() -> bool {
    use std::sync::OnceLock;
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| probe().unwrap_or(false))
}

fn probe() -> Result<bool, Failure> {
    let child = Participant::spawn("stepping probe", (), |(), _| {
        if ptrace::traceme().is_ok() {
            let _ = raise(Signal::SIGSTOP);
        }
    })?;
    if let Some(end) = end_of(wait_with(child.id(), WaitPidFlag::WUNTRACED)?) {
        child.has_ended(end);
        return Ok(false);
    }
    let Ok(before) = next_instruction(child.id()) else { return Ok(false) };
    for _ in 0..3 {
        ptrace::step(child.id(), None)?;
        match wait(child.id())? {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
            WaitStatus::Stopped(..) => return Ok(false),
            status => {
                if let Some(end) = end_of(status) {
                    child.has_ended(end);
                }
                return Ok(false);
            }
        }
    }
    Ok(next_instruction(child.id())? != before)
}

#[track_caller]
pub(super) fn run<D: Descriptors, P, T: Value>(
    until: Until,
    name: &str,
    descriptors: D,
    prepare: impl FnOnce(&D) -> P,
    meanwhile: impl FnOnce() -> Outcome,
    body: impl FnOnce(D, P, &Link) -> T,
) -> Result<(Victim<T>, Report), Failure> {
    let participant = start(name, descriptors, prepare, body)?;
    let mut stepped = Stepped { process: participant.id(), pending: None, instructions: Vec::new() };
    let killed = match stepped.go(&participant, until, meanwhile) {
        Ok(killed) => killed,
        Err(Halt::Ended(end)) => {
            participant.has_ended(end);
            conclude(participant, false)?;
            return Err(unresolved("the victim ended before its second mark".to_owned()));
        }
        Err(Halt::Failed(failure)) => return Err(*failure),
    };
    let what = match until {
        Until::Instruction { number, of } => format!("killed at instruction {number} of {of}{}", stepped.place()),
        Until::TheEnd => "the victim was not killed".to_owned(),
    };
    if killed {
        nix::sys::signal::kill(stepped.process, Signal::SIGKILL)?;
    }
    let value = conclude(participant, killed)?;
    let report = Report { finished: !killed, what, instructions: stepped.instructions };
    Ok((Victim { value, completed: Vec::new(), entered: None }, report))
}

/// Why a victim could not be stepped on.
enum Halt {
    Ended(End),
    Failed(Box<Failure>),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Halt::Failed(Box::new(failure))
    }
}

impl From<Errno> for Halt {
    #[track_caller]
    fn from(errno: Errno) -> Self {
        Failure::from(errno).into()
    }
}

impl From<nix::errno::Errno> for Halt {
    #[track_caller]
    fn from(errno: nix::errno::Errno) -> Self {
        Failure::from(errno).into()
    }
}

#[track_caller]
fn unresolved(message: String) -> Failure {
    Failure::new(CaseResult::Unresolved, Cause::Setup, message)
}

struct Stepped {
    process: Pid,
    /// A signal that the victim has got and not yet seen.
    pending: Option<Signal>,
    /// Those that a victim may be killed at.
    instructions: Vec<u32>,
}

impl Stepped {
    /// Whether the victim stands where it is to be killed; it has been let go otherwise.
    fn go<T>(&mut self, victim: &Participant<T>, until: Until, meanwhile: impl FnOnce() -> Outcome) -> Result<bool, Halt> {
        match wait_with(self.process, WaitPidFlag::WUNTRACED)? {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
            status => return Err(end_of(status).map_or(unresolved(format!("the victim is {status:?}")).into(), Halt::Ended)),
        }
        meanwhile()?;
        ptrace::setoptions(self.process, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL)?;
        self.pass_the_first_mark(u64::try_from(victim.link_number()).unwrap_or(u64::MAX))?;
        match until {
            Until::Instruction { number, .. } => {
                for _ in 0..number {
                    self.step()?;
                }
                Ok(true)
            }
            Until::TheEnd => {
                self.reach_the_second_mark()?;
                ptrace::detach(self.process, self.pending.take())?;
                Ok(false)
            }
        }
    }

    fn pass_the_first_mark(&mut self, link_to_case: u64) -> Result<(), Halt> {
        let mut in_mark = false;
        let mut entry = false;
        loop {
            ptrace::syscall(self.process, self.pending.take())?;
            if !self.stopped_by_the_tracer()? {
                continue;
            }
            entry = !entry;
            match stop_info(self.process, entry)? {
                SyscallStop::Entry { number, first_argument } => {
                    let name = call_name(number);
                    in_mark = name == MARK;
                    if name == "write" && first_argument == link_to_case {
                        return Err(unresolved("the victim of an instruction sweep made no mark".to_owned()).into());
                    }
                }
                SyscallStop::Exit { .. } if in_mark => return Ok(()),
                SyscallStop::Exit { .. } => {}
            }
        }
    }

    fn reach_the_second_mark(&mut self) -> Result<(), Halt> {
        let mut code = Code::default();
        let mut in_row = false;
        for number in 0..MOST_INSTRUCTIONS {
            let registers = ptrace::getregs(self.process)?;
            if at_mark(self.process, &registers)? {
                self.instructions.push(number);
                return Ok(());
            }
            let own = code.is_our_own(address(&registers)?);
            if !(own && in_row) {
                self.instructions.push(number);
            }
            in_row = own;
            self.step()?;
        }
        Err(unresolved(format!("the victim had not come to its second mark after {MOST_INSTRUCTIONS} instructions")).into())
    }

    /// Executes one instruction; a system call counts as one.
    fn step(&mut self) -> Result<(), Halt> {
        loop {
            ptrace::step(self.process, self.pending.take())?;
            if self.stopped_by_the_tracer()? {
                return Ok(());
            }
        }
    }

    /// Waits for the next stop: whether it is one that was asked for. A signal of the victim's own is kept for it.
    fn stopped_by_the_tracer(&mut self) -> Result<bool, Halt> {
        match wait(self.process)? {
            WaitStatus::PtraceSyscall(_) | WaitStatus::Stopped(_, Signal::SIGTRAP) => Ok(true),
            WaitStatus::Stopped(_, signal) => {
                self.pending = Some(signal);
                Ok(false)
            }
            status => end_of(status).map_or(Ok(false), |end| Err(Halt::Ended(end))),
        }
    }

    /// The function that the victim stands in, where it is one that a library exports. The victim is a fork: what is where in it
    /// is where it is here.
    fn place(&self) -> String {
        let place = next_instruction(self.process).ok().and_then(symbol::containing);
        place.map_or_else(String::new, |(name, offset)| format!(", {offset} bytes into {name}"))
    }
}

/// Which code is this executable's own, by pages: what has been looked up already.
#[derive(Default)]
struct Code(HashMap<usize, bool>);

impl Code {
    /// False too where that cannot be told, as in an executable that has the libraries inside.
    fn is_our_own(&mut self, address: usize) -> bool {
        *self.0.entry(address / page_size()).or_insert_with(|| {
            let own = symbol::library((available as fn() -> bool) as usize);
            let foreign = symbol::library((libc::getppid as unsafe extern "C" fn() -> libc::pid_t) as usize);
            own.is_some() && own != foreign && symbol::library(address) == own
        })
    }
}

fn next_instruction(process: Pid) -> Result<usize, Errno> {
    address(&ptrace::getregs(process)?)
}

fn address(registers: &libc::user_regs_struct) -> Result<usize, Errno> {
    usize::try_from(registers.rip).map_err(|_| crate::sys::errno::ERANGE)
}

/// Whether the next instruction is the system call of a mark.
fn at_mark(process: Pid, registers: &libc::user_regs_struct) -> Result<bool, Errno> {
    /// The instruction `syscall`, as the low bytes of a word.
    const SYSCALL: libc::c_long = 0x050f;
    if libc::c_long::try_from(registers.rax) != Ok(libc::SYS_getppid) {
        return Ok(false);
    }
    let word = ptrace::read(process, std::ptr::with_exposed_provenance_mut(address(registers)?))?;
    Ok(word & 0xffff == SYSCALL)
}
