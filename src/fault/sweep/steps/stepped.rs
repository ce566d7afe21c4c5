//! A victim under trace: let go step by step, from trap to trap, or to its end.

use std::collections::HashMap;

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use super::recording::{Leg, Recording};
use super::trap::Trap;
use super::unresolved;
use crate::fault::sweep::traced::stop_info;
use crate::outcome::{Failure, Outcome};
use crate::process::End;
use crate::process::blocked::call_name;
use crate::process::child::end_of;
use crate::sys::memory::page_size;
use crate::sys::process::syscall_info::SyscallStop;
use crate::sys::process::wait::{wait, wait_with};
use crate::sys::{Errno, errno, symbol};

/// More instructions than a short critical section has: a stretch that never ends is a mistake of the case.
const MOST_INSTRUCTIONS: u32 = 200_000;

/// The call that a mark makes.
const MARK: &str = "getppid";

/// Why a victim could not be let go further.
pub(super) enum Halt {
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

pub(super) struct Stepped {
    process: Pid,
    /// A signal that the victim has got and not yet seen.
    pending: Option<Signal>,
    /// Address of the instruction that it was brought to.
    pub(super) stands_at: usize,
}

impl Stepped {
    pub(super) fn new(process: Pid) -> Self {
        Stepped { process, pending: None, stands_at: 0 }
    }

    /// Waits until the victim is prepared, and does `meanwhile`.
    pub(super) fn prepare(&mut self, meanwhile: impl FnOnce() -> Outcome) -> Result<(), Halt> {
        match wait_with(self.process, WaitPidFlag::WUNTRACED)? {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
            status => return Err(end_of(status).map_or(unresolved(format!("the victim is {status:?}")).into(), Halt::Ended)),
        }
        meanwhile()?;
        ptrace::setoptions(self.process, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL)?;
        Ok(())
    }

    /// Lets the victim go to the return of its first mark, call by call.
    pub(super) fn pass_the_first_mark(&mut self, link_to_case: i32) -> Result<(), Halt> {
        let link_to_case = u64::try_from(link_to_case).unwrap_or(u64::MAX);
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

    /// Steps the victim to its second mark.
    pub(super) fn record(&mut self) -> Result<Recording, Halt> {
        let mut code = Code::default();
        let mut in_row = false;
        let (mut addresses, mut points) = (Vec::new(), Vec::new());
        for number in 0..MOST_INSTRUCTIONS {
            let registers = ptrace::getregs(self.process)?;
            let address = next(&registers)?;
            addresses.push(address);
            let at_the_end = at_mark(self.process, &registers)?;
            let own = code.is_our_own(address);
            if at_the_end || !(own && in_row) {
                points.push(number);
            }
            if at_the_end {
                return Ok(Recording::new(addresses, points));
            }
            in_row = own;
            self.step()?;
        }
        Err(unresolved(format!("the victim had not come to its second mark after {MOST_INSTRUCTIONS} instructions")).into())
    }

    /// Steps the victim from its first mark to that instruction; false if it came to its second mark before, and was let go.
    pub(super) fn step_to(&mut self, number: u32, recording: &Recording) -> Result<bool, Halt> {
        for _ in 0..number {
            if self.address()? == recording.end() {
                self.let_go()?;
                return Ok(false);
            }
            self.step()?;
        }
        self.stands_at = self.address()?;
        Ok(true)
    }

    /// Lets the victim run from its preparation to that instruction; false if it came to its second mark before, and was let go.
    pub(super) fn run_to(&mut self, number: u32, recording: &Recording) -> Result<bool, Halt> {
        // Nobody but a mark goes by here.
        self.run_into(recording.start())?;
        let end = Trap::set(self.process, recording.end())?;
        for leg in recording.route(number) {
            let address = match leg {
                Leg::Step => {
                    self.step()?;
                    continue;
                }
                Leg::To(address) if address == end.address() => {
                    self.until_trapped(&[&end])?;
                    continue;
                }
                Leg::To(address) => address,
            };
            let trap = Trap::set(self.process, address)?;
            let trapped = self.until_trapped(&[&trap, &end])?;
            trap.lift()?;
            if trapped == end.address() {
                end.lift()?;
                self.let_go()?;
                return Ok(false);
            }
        }
        self.stands_at = self.address()?;
        Ok(true)
    }

    /// Lets the victim run to the next visit of the address.
    pub(super) fn run_into(&mut self, address: usize) -> Result<(), Halt> {
        let trap = Trap::set(self.process, address)?;
        self.until_trapped(&[&trap])?;
        Ok(trap.lift()?)
    }

    /// Lets the victim run into one of the traps: the address of that, where the victim then stands.
    fn until_trapped(&mut self, traps: &[&Trap]) -> Result<usize, Halt> {
        loop {
            ptrace::cont(self.process, self.pending.take())?;
            if !self.stopped_by_the_tracer()? {
                continue;
            }
            let mut registers = ptrace::getregs(self.process)?;
            let stopped_at = next(&registers)?;
            if let Some(trap) = traps.iter().find(|trap| trap.behind() == stopped_at) {
                registers.rip -= 1;
                ptrace::setregs(self.process, registers)?;
                return Ok(trap.address());
            }
            // A signal of the victim's own.
            self.pending = Some(Signal::SIGTRAP);
        }
    }

    /// Executes one instruction; a system call counts as one.
    pub(super) fn step(&mut self) -> Result<(), Halt> {
        loop {
            ptrace::step(self.process, self.pending.take())?;
            if self.stopped_by_the_tracer()? {
                return Ok(());
            }
        }
    }

    /// Traces the victim no more.
    pub(super) fn let_go(&mut self) -> Result<(), Halt> {
        Ok(ptrace::detach(self.process, self.pending.take())?)
    }

    /// Address of the instruction that the victim executes next.
    pub(super) fn address(&self) -> Result<usize, Errno> {
        next(&ptrace::getregs(self.process)?)
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
}

/// Which code is this executable's own, by pages: what has been looked up already.
#[derive(Default)]
struct Code(HashMap<usize, bool>);

impl Code {
    /// False too where that cannot be told, as in an executable that has the libraries inside.
    fn is_our_own(&mut self, address: usize) -> bool {
        *self.0.entry(address / page_size()).or_insert_with(|| {
            let own = symbol::library((unresolved as fn(String) -> Failure) as usize);
            let foreign = symbol::library((libc::getppid as unsafe extern "C" fn() -> libc::pid_t) as usize);
            own.is_some() && own != foreign && symbol::library(address) == own
        })
    }
}

fn next(registers: &libc::user_regs_struct) -> Result<usize, Errno> {
    usize::try_from(registers.rip).map_err(|_| errno::ERANGE)
}

/// Whether the next instruction is the system call of a mark.
fn at_mark(process: Pid, registers: &libc::user_regs_struct) -> Result<bool, Errno> {
    /// The instruction `syscall`, as the low bytes of a word.
    const SYSCALL: libc::c_long = 0x050f;
    if libc::c_long::try_from(registers.rax) != Ok(libc::SYS_getppid) {
        return Ok(false);
    }
    let word = ptrace::read(process, std::ptr::with_exposed_provenance_mut(next(registers)?))?;
    Ok(word & 0xffff == SYSCALL)
}
