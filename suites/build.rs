//! The build script of every suite: the aliases of the harness, and `test`, without which rstest leaves out what it generates.

#[path = "../src/build.rs"]
#[expect(dead_code, reason = "the harness's own build script has a main function")]
mod harness;

fn main() {
    harness::aliases();
    println!("cargo::rustc-cfg=test");
}
