//! Linux: `/proc/PID/task/TID/stat` for the state, `/proc/PID/task/TID/syscall` for the call (proc(5)).

use std::fs;
use std::io::ErrorKind;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use nix::unistd::Pid;

use super::look::{CallNumber, Look, SystemCall};
use crate::process::context::weak_evidence;
use crate::sys::process::procfs::{self, Stat};

pub(super) fn look(process: Pid, thread: Pid) -> Look {
    if !is_shown() {
        return Look::Unknown;
    }
    let state = match Stat::of_thread(process, thread) {
        Ok(stat) => stat.state,
        Err(error) if error.kind() == ErrorKind::InvalidData => return Look::Unknown,
        Err(_) => return if procfs::is_ours() { Look::Ended } else { Look::Unknown },
    };
    match state {
        'S' => match system_call(process, thread) {
            // Woken between the two reads; or asleep for a page or a program that has to be fetched, which is a sleep like any other
            // where the file system is a process itself.
            Some(Call::Running | Call::Outside | Call::In(libc::SYS_execve | libc::SYS_execveat, _)) => Look::Awake,
            Some(Call::In(number, argument)) => Look::Asleep(SystemCall { call: Some((number, argument)) }),
            None if !fs::exists(format!("/proc/{process}/task/{thread}")).unwrap_or(true) => Look::Ended,
            None => {
                static SAID: AtomicBool = AtomicBool::new(false);
                if !SAID.swap(true, Relaxed) {
                    weak_evidence(
                        "this system does not show calls: any sleep of a process was taken for the one that was waited for",
                    );
                }
                Look::Asleep(SystemCall::default())
            }
        },
        'T' | 't' => Look::Stopped,
        'Z' | 'X' => Look::Ended,
        _ => Look::Awake,
    }
}

/// Whether there is a `/proc` of this process's own PID namespace; asked once.
pub(super) fn is_shown() -> bool {
    static OURS: OnceLock<bool> = OnceLock::new();
    *OURS.get_or_init(procfs::is_ours)
}

#[derive(Debug, PartialEq, Eq)]
enum Call {
    Running,
    Outside,
    In(CallNumber, u64),
}

fn system_call(process: Pid, thread: Pid) -> Option<Call> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{thread}/syscall")).ok()?;
    parse_call(&text)
}

/// `running`, or number, six arguments, stack pointer and program counter; a number of −1 is a sleep outside any call.
fn parse_call(text: &str) -> Option<Call> {
    let mut words = text.split_whitespace();
    match words.next()? {
        "running" => Some(Call::Running),
        number => {
            let number = number.parse().ok()?;
            let argument = words.next().and_then(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok());
            Some(if number >= 0 { Call::In(number, argument.unwrap_or(0)) } else { Call::Outside })
        }
    }
}

macro_rules! names {
    ($($name:ident)*) => {
        &[$((libc::$name, stringify!($name))),*]
    };
}

/// The calls that cases block in.
const NAMES: &[(CallNumber, &str)] = names! {
    SYS_read SYS_write SYS_readv SYS_writev SYS_openat SYS_ppoll SYS_pselect6 SYS_epoll_pwait SYS_splice SYS_tee SYS_vmsplice
    SYS_sendfile SYS_futex SYS_mq_timedsend SYS_mq_timedreceive SYS_sendto SYS_recvfrom SYS_sendmsg SYS_recvmsg SYS_connect SYS_accept4 SYS_wait4 SYS_waitid SYS_clock_nanosleep
    SYS_nanosleep SYS_rt_sigtimedwait SYS_rt_sigsuspend SYS_flock SYS_fcntl SYS_close SYS_exit_group SYS_getpid SYS_getppid SYS_kill
    SYS_mknodat SYS_unlinkat
};

/// Calls that some architectures have behind `ipc` and `socketcall` only.
#[cfg(not(any(target_arch = "s390x", target_arch = "x86")))]
const DIRECT_NAMES: &[(CallNumber, &str)] = names! { SYS_semop SYS_semtimedop SYS_msgsnd SYS_msgrcv SYS_accept };
#[cfg(any(target_arch = "s390x", target_arch = "x86"))]
const DIRECT_NAMES: &[(CallNumber, &str)] = names! { SYS_ipc };

/// Calls that only older architectures have.
#[cfg(target_arch = "x86_64")]
const OLD_NAMES: &[(CallNumber, &str)] = names! { SYS_open SYS_poll SYS_select SYS_epoll_wait SYS_pause SYS_mknod SYS_unlink };
#[cfg(not(target_arch = "x86_64"))]
const OLD_NAMES: &[(CallNumber, &str)] = &[];

pub(super) fn call_name(number: CallNumber) -> Option<&'static str> {
    NAMES
        .iter()
        .chain(DIRECT_NAMES)
        .chain(OLD_NAMES)
        .find(|(known, _)| *known == number)
        .map(|(_, name)| name.trim_start_matches("SYS_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_with_their_first_argument() {
        assert_eq!(parse_call("running\n"), Some(Call::Running));
        assert_eq!(parse_call("0 0xc8 0x7ffd 0x1 0x0 0x0 0x0 0x7ffe 0x7fff\n"), Some(Call::In(0, 0xc8)));
        assert_eq!(parse_call("-1 0x7ffe 0x7fff\n"), Some(Call::Outside));
        assert_eq!(parse_call("\n"), None);
    }

    #[test]
    fn calls_have_names() {
        assert_eq!(call_name(libc::SYS_read), Some("read"));
    }
}
