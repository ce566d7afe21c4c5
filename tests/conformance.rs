//! The suites, run by `cargo test`: the same program as `ipc-conformance`.

#[path = "../suites/main.rs"]
mod suites;

fn main() -> std::process::ExitCode {
    suites::main()
}
