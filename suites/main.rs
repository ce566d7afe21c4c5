//! The suites, one executable: a folder for each mechanism, a file for each topic.
//!
//! Suites say what must hold; how a system differs stands in `fixtures/platforms/`, never here.

mod fifo;
mod pipe;

fn main() -> std::process::ExitCode {
    conformance::cli::main()
}
