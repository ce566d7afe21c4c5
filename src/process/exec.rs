//! Exec: a participant that starts this executable from its beginning, and how its body gets across `execve`.
//!
//! A body that captures nothing is nothing but an address, and the same executable has the same code, if at another place. So
//! the distance of the body's entry function from a fixed one names it; a check value refuses an executable that was rebuilt
//! meanwhile.

use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use serde::{Deserialize, Serialize};

use super::descriptors::{Descriptors, take};
use super::link::Link;
use super::value::Value;
use super::{clean_state, context, panics};
use crate::sys::Errno;

/// Name of the environment variable that makes `main` a participant.
const VARIABLE: &str = "IPC_CONFORMANCE_ENTRY";

#[derive(Serialize, Deserialize)]
struct Call {
    check: String,
    distance: isize,
    name: String,
    link: [i32; 2],
    handed: Vec<i32>,
    argument: Vec<u8>,
    parameters: context::Parameters,
}

type Entry = fn(&Call) -> !;

fn anchor() {}

fn check() -> String {
    format!("{} {:x}", env!("CARGO_PKG_VERSION"), distance(run_if_asked as *const ()))
}

fn distance(of: *const ()) -> isize {
    (of as isize).wrapping_sub(anchor as *const () as isize)
}

/// The entry function of one body: monomorphised, so that its address stands for the body.
fn enter<D: Descriptors, A: Value, T: Value, F: Fn(D, A, &Link) -> T + Copy + 'static>(call: &Call) -> ! {
    const { assert!(size_of::<F>() == 0, "a body that is run after exec captures nothing") };
    // SAFETY: a type without bytes is read from any aligned address, and has a value: the caller of `restart` held it.
    let body: F = unsafe { std::ptr::NonNull::<F>::dangling().as_ptr().read() };
    // SAFETY: the parent cleared close-on-exec on exactly these before `exec`; nothing here has used them yet.
    let mut handed = call.handed.iter().map(|&number| unsafe { take(number) });
    let descriptors = D::adopt(&mut handed);
    let argument: A = postcard::from_bytes(&call.argument).expect("the argument was encoded by the same executable");
    // SAFETY: as for the descriptors above.
    let [to_case, from_case]: [OwnedFd; 2] = unsafe { [take(call.link[0]), take(call.link[1])] };
    Link::new(&call.name, to_case, from_case).run(|link| body(descriptors, argument, link))
}

/// Replaces the calling process by this executable, to run `body`; returns only if that fails.
pub(super) fn restart<D: Descriptors, A: Value, T: Value, F>(link: &Link, handed: &[i32], argument: &A, _body: F) -> Errno
where
    F: Fn(D, A, &Link) -> T + Copy + 'static,
{
    let entry: Entry = enter::<D, A, T, F>;
    for &number in link.numbers().iter().chain(handed) {
        // SAFETY: the numbers are open in this process, whose owners are never used again.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if let Err(errno) = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty())) {
            return errno.into();
        }
    }
    let call = Call {
        check: check(),
        distance: distance(entry as *const ()),
        name: link.name().to_owned(),
        link: link.numbers(),
        handed: handed.to_vec(),
        argument: match postcard::to_stdvec(argument) {
            Ok(bytes) => bytes,
            Err(_) => return crate::sys::errno::EINVAL,
        },
        parameters: context::parameters(),
    };
    execute(&call).unwrap_or_else(|errno| errno)
}

fn execute(call: &Call) -> Result<Errno, Errno> {
    let invalid = |_| crate::sys::errno::EINVAL;
    let call = serde_json::to_string(call).map_err(|_| crate::sys::errno::EINVAL)?;
    let mut environment = vec![CString::new(format!("{VARIABLE}={call}")).map_err(invalid)?];
    for (key, value) in std::env::vars_os().filter(|(key, _)| key != VARIABLE) {
        let pair = [key.into_vec(), b"=".to_vec(), value.into_vec()].concat();
        environment.push(CString::new(pair).map_err(invalid)?);
    }
    let arguments = [c"ipc-conformance participant"];
    let path = std::env::current_exe().ok().and_then(|path| CString::new(path.into_os_string().into_vec()).ok());
    // The link in /proc leads to the running file even where another mount hides its path.
    let mut errno = crate::sys::errno::ENOENT;
    for candidate in [Some(c"/proc/self/exe".to_owned()), path].into_iter().flatten() {
        errno = match nix::unistd::execve(&candidate, &arguments, &environment) {
            Err(errno) => errno.into(),
        };
    }
    Ok(errno)
}

/// Runs as a participant, and never returns, if a case has started this process for that. The first thing that `main` does.
pub fn run_if_asked() {
    let Some(call) = std::env::var_os(VARIABLE) else { return };
    let call: Option<Call> = call.to_str().and_then(|text| serde_json::from_str(text).ok());
    match call {
        Some(call) if call.check == check() => {
            clean_state::default_signals();
            panics::remember();
            context::enter_participant(call.parameters);
            let address = (anchor as *const () as isize).wrapping_add(call.distance);
            // SAFETY: the check value says that this is the executable which computed the distance, from an `Entry`.
            let entry = unsafe { std::mem::transmute::<isize, Entry>(address) };
            entry(&call)
        }
        _ => {
            eprintln!("error: {VARIABLE} is set, but not by this executable; unset it, or do not rebuild during a run");
            std::process::exit(2);
        }
    }
}
