//! Exec: a participant that starts this executable from its beginning, and how its body gets across `execve`.
//!
//! A body that captures nothing has no bytes to be sent, and every process of the same executable has its entry function at the same
//! place of a table (see `entries.rs`). What is sent, in a variable of the environment, is that place and the argument.

use std::ffi::CString;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use serde::{Deserialize, Serialize};

use super::arrival::{Arrival, VARIABLE, refuse};
use super::descriptors::Descriptors;
use super::entries::{Index, entry_at, index_of};
use super::link::Link;
use super::value::Value;
use super::{clean_state, context, panics};
use crate::sys::{Errno, errno};

/// What the new process is told.
#[derive(Serialize, Deserialize)]
struct Call {
    entry: Index,
    arrival: Arrival,
    parameters: context::Parameters,
    executable: Option<PathBuf>,
}

/// Where this executable was when it was started: by then `/proc` may be gone, or show another process's.
static EXECUTABLE: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Replaces the calling process by this executable, to run `body`; returns only if that fails.
pub(super) fn restart<D: Descriptors, A: Value, T: Value, F>(link: &Link, handed: &[RawFd], argument: &A, _body: F) -> Errno
where
    F: Fn(D, A, &Link) -> T + Copy + 'static,
{
    // No assembly for this processor, and so no table.
    let Some(entry) = index_of::<D, A, T, F>() else { return errno::ENOSYS };
    let Ok(argument) = postcard::to_stdvec(argument) else { return errno::EINVAL };
    for &number in link.numbers().iter().chain(handed) {
        // SAFETY: the numbers are open in this process, whose owners are never used again.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if let Err(errno) = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty())) {
            return errno.into();
        }
    }
    execute(&Call {
        entry,
        arrival: Arrival { name: link.name().to_owned(), link: link.numbers(), handed: handed.to_vec(), argument },
        parameters: context::parameters(),
        executable: executable(),
    })
    .unwrap_or_else(|errno| errno)
}

fn execute(call: &Call) -> Result<Errno, Errno> {
    let invalid = |_| errno::EINVAL;
    let text = serde_json::to_string(call).map_err(|_| errno::EINVAL)?;
    let mut environment = vec![CString::new(format!("{VARIABLE}={text}")).map_err(invalid)?];
    for (key, value) in std::env::vars_os().filter(|(key, _)| key != VARIABLE) {
        let pair = [key.into_vec(), b"=".to_vec(), value.into_vec()].concat();
        environment.push(CString::new(pair).map_err(invalid)?);
    }
    let arguments = [c"ipc-conformance participant"];
    let path = call.executable.clone().and_then(|path| CString::new(path.into_os_string().into_vec()).ok());
    // The link in /proc leads to the running file even where another mount hides its path, or another file has taken it.
    let mut errno = errno::ENOENT;
    for candidate in [Some(c"/proc/self/exe".to_owned()), path].into_iter().flatten() {
        errno = match nix::unistd::execve(&candidate, &arguments, &environment) {
            Err(errno) => errno.into(),
        };
    }
    Ok(errno)
}

/// Where this executable is: as it was found at the start, or else as the system says now.
fn executable() -> Option<PathBuf> {
    EXECUTABLE.get().cloned().flatten().or_else(|| std::env::current_exe().ok())
}

/// The path by which this process was started, where the system tells it without `/proc`.
fn started_as() -> Option<PathBuf> {
    #[cfg(linux)]
    {
        // SAFETY: the call has no preconditions.
        let address = usize::try_from(unsafe { libc::getauxval(libc::AT_EXECFN) }).ok()?;
        let path = std::ptr::with_exposed_provenance::<libc::c_char>(address);
        if path.is_null() {
            return None;
        }
        // SAFETY: not null, it is the address of a string that the kernel has put there for as long as the process lives.
        let path = unsafe { std::ffi::CStr::from_ptr(path) }.to_bytes().to_vec();
        // A relative path is one from here.
        std::path::absolute(std::ffi::OsString::from_vec(path)).ok().filter(|path| !path.starts_with("/proc"))
    }
    #[cfg(not(linux))]
    None
}

/// Runs as a participant, and never returns, if a case has started this process for that. The first thing that `main` does.
pub fn run_if_asked() {
    let Some(call) = std::env::var_os(VARIABLE) else {
        EXECUTABLE.get_or_init(|| std::env::current_exe().ok().or_else(started_as));
        return;
    };
    let call: Option<Call> = call.to_str().and_then(|text| serde_json::from_str(text).ok());
    let Some((call, entry)) = call.and_then(|call| Some((entry_at(&call.entry)?, call))).map(|(entry, call)| (call, entry)) else {
        refuse()
    };
    EXECUTABLE.get_or_init(|| call.executable.clone());
    clean_state::default_signals();
    panics::remember();
    context::enter_participant(call.parameters);
    entry(&call.arrival)
}
