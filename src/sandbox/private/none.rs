//! Private isolation on systems without namespaces: there is none.

use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::sandbox::surroundings::{Marked, Surroundings};
use crate::sys::Errno;
use crate::sys::process::fork::Forked;

/// Why no attempt is made.
pub const NOT_HERE: &str = "this system has no namespaces for IPC objects";

/// Which user and group ids exist for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdMap {
    /// All that the runner has.
    All,
}

/// Never made on this system.
#[derive(Clone, Debug)]
pub struct PrivatePlan(Never);

#[derive(Clone, Debug)]
enum Never {}

/// No plan to try.
pub fn candidates() -> Vec<PrivatePlan> {
    Vec::new()
}

/// Orphans go to process 1.
pub fn adopt_orphans() -> bool {
    false
}

impl PrivatePlan {
    pub(in crate::sandbox) fn description(&self) -> String {
        match self.0 {}
    }

    pub(in crate::sandbox) fn in_user_namespace(&self) -> bool {
        match self.0 {}
    }

    pub(in crate::sandbox) fn confirmed(self, _: Surroundings) -> Self {
        match self.0 {}
    }

    pub(in crate::sandbox) fn surroundings(&self) -> &Surroundings {
        match self.0 {}
    }

    pub(in crate::sandbox) fn fork(&self) -> Result<Forked, Errno> {
        match self.0 {}
    }

    pub(in crate::sandbox) fn map_ids(&self, _: Pid) -> Result<IdMap, String> {
        match self.0 {}
    }

    pub(in crate::sandbox) fn mark(&self) -> Result<Marked, String> {
        match self.0 {}
    }

    pub(in crate::sandbox) fn unmark(&self, _: &Marked) {
        match self.0 {}
    }

    pub(in crate::sandbox) fn enter(&self, _: IdMap, _: Marked) -> Result<Surroundings, String> {
        match self.0 {}
    }
}
