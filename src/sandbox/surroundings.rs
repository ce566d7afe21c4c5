//! What a worker found, or set up, around itself: data that travels from the worker to the runner.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where a worker's objects live, and what is special about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Surroundings {
    /// The worker's own temporary directory.
    pub temp: PathBuf,
    /// The worker's own mount for POSIX shared memory and named semaphores.
    pub shared_memory: Option<PathBuf>,
    /// The worker's own mount of the message queue file system.
    pub message_queues: Option<PathBuf>,
    /// The namespaces entered, in words.
    pub namespaces: Vec<String>,
    /// All descendants are in a PID namespace that ends with the worker.
    pub owns_processes: bool,
    /// `/proc` shows the worker under the id that it has for itself.
    pub procfs: bool,
    /// A second user id is mapped, as far as namespaces are concerned.
    pub second_user_mapped: bool,
    /// What is lacking, a sentence each.
    pub remarks: Vec<String>,
}

/// A worker's first mount, and the file on it that shows whether it is the worker's alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marked {
    /// Where the mount is.
    pub temp: PathBuf,
    /// The file.
    pub marker: PathBuf,
    /// What is lacking so far, a sentence each.
    pub remarks: Vec<String>,
}

impl Surroundings {
    /// The rows that the command line shows.
    pub fn facts(&self) -> Vec<(String, String)> {
        let mut facts = Vec::new();
        let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
        let place = |path: &Option<PathBuf>, what: &str| match path {
            Some(path) => format!("{} ({what})", path.display()),
            None => "none of its own".to_owned(),
        };
        fact("namespaces", self.namespaces.join(", "));
        fact("temporary directory", place(&Some(self.temp.clone()), "own tmpfs"));
        fact("shared memory", place(&self.shared_memory, "own tmpfs"));
        fact("message queues", place(&self.message_queues, "own mqueue file system"));
        fact("processes", if self.owns_processes { "own PID namespace" } else { "the ambient PID namespace" }.to_owned());
        fact("procfs", if self.procfs { "works" } else { "does not work" }.to_owned());
        fact("second user", if self.second_user_mapped { "mapped" } else { "not mapped: only one user id exists" }.to_owned());
        for remark in &self.remarks {
            fact("remark", remark.clone());
        }
        facts
    }
}
