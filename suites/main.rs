//! The suites, one executable: a folder for each mechanism, a file for each topic.
//!
//! Suites say what must hold; how a system differs stands in `fixtures/platforms/`, never here.

// Linked for the cases that they register.
use environment as _;
use fifo as _;
use futex as _;
use memfd as _;
use pipe as _;
use posix_mqueue as _;
use posix_semaphore as _;
use posix_shm as _;
use shared_mutex as _;
use splice as _;
use sysv_msg as _;
use sysv_sem as _;
use sysv_shm as _;
use sysv_tools as _;
use tmpfs as _;
use unix_socket as _;

/// The command line.
pub fn main() -> std::process::ExitCode {
    conformance::cli::main()
}
