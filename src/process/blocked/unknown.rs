//! Systems whose process state is not read yet: the callers fall back on a quiet period, and say so.

use nix::unistd::Pid;

use super::look::{CallNumber, Look};

pub(super) fn is_shown() -> bool {
    false
}

pub(super) fn look(_: Pid, _: Pid) -> Look {
    Look::Unknown
}

pub(super) fn call_name(_: CallNumber) -> Option<&'static str> {
    None
}
