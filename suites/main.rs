//! The suites, one executable: a folder for each mechanism, a file for each topic.
//!
//! Suites say what must hold; how a system differs stands in `fixtures/platforms/`, never here.

mod environment;
mod fifo;
mod pipe;
mod posix_mqueue;
mod posix_semaphore;
mod posix_shm;
mod shared_mutex;
mod sysv_msg;
mod sysv_sem;
mod sysv_shm;
mod sysv_tools;
mod unix_socket;

fn main() -> std::process::ExitCode {
    conformance::cli::main()
}
