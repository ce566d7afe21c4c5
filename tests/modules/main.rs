//! The modules of `src/`: imports go down only, from layer to layer, and no files import each other in a circle.
//!
//! `source.rs` reads which paths a file names, `graph.rs` finds the files behind them.

mod graph;
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use graph::Graph;

/// The modules of the harness, the highest first. One may import those of the layers below its own, and nothing else.
const LAYERS: [&[&str]; 8] = [
    &["cli", "prelude"],
    &["report", "run"],
    &["platform", "sandbox"],
    &["record"],
    &["fault"],
    &["case", "history", "process"],
    &["outcome"],
    &["splitmix", "sys"],
];

/// The sources of the harness by their path below `src/`.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("build.rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn every_file_belongs_to_a_module() {
    let sources = sources();
    let graph = Graph::new(&sources);
    let lost: Vec<&String> = sources.keys().filter(|&file| !graph.holds(file)).collect();
    assert!(lost.is_empty(), "no module declares {lost:?}");
}

#[test]
fn imports_go_down() {
    let upward = Graph::new(&sources()).upward(&LAYERS);
    assert!(upward.is_empty(), "these go up, or aside; see LAYERS in tests/modules/main.rs:\n{}", upward.join("\n"));
}

#[test]
fn no_files_import_each_other() {
    let circles = Graph::new(&sources()).circles();
    assert!(circles.is_empty(), "these files import each other:\n{}", circles.join("\n"));
}

fn graph(files: &[(&str, &str)]) -> Graph {
    Graph::new(&files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
}

const ROOT: (&str, &str) = ("lib.rs", "pub mod high;\npub mod low;\n");

#[test]
fn an_import_upwards_is_found() {
    let layers: [&[&str]; 2] = [&["high"], &["low"]];
    let upward = |low: &str| graph(&[ROOT, ("high.rs", "pub struct Thing;\n"), ("low.rs", low)]).upward(&layers);
    for low in ["use crate::high::Thing;\n", "fn f() { crate::high::f() }\n", "use crate::{\n    high::{self, Thing},\n};\n"] {
        assert_eq!(upward(low), ["low.rs -> high.rs"], "{low}");
    }
    for low in ["// use crate::high::Thing;\n", "#[cfg(test)]\nmod tests {\n    use crate::high::Thing;\n}\n"] {
        assert_eq!(upward(low), [""; 0], "{low}");
    }
    assert_eq!(graph(&[ROOT, ("high.rs", "use crate::low::f;\n"), ("low.rs", "pub fn f() {}\n")]).upward(&layers), [""; 0]);
}

#[test]
fn a_circle_is_found_through_what_is_exported_again() {
    let files = |b: &'static str| {
        [("lib.rs", "mod m;\n"), ("m/mod.rs", "mod a;\nmod b;\npub use a::A;\n"), ("m/a.rs", "use super::b::B;\n"), ("m/b.rs", b)]
    };
    assert_eq!(graph(&files("use super::A;\n")).circles(), ["m/a.rs, m/b.rs"]);
    assert_eq!(graph(&files("use crate::m::A;\n")).circles(), ["m/a.rs, m/b.rs"]);
    assert_eq!(graph(&files("pub struct B;\n")).circles(), [""; 0]);
}

#[test]
fn a_file_and_the_folder_of_its_name_are_one() {
    let files = [
        ("lib.rs", "mod a;\n"),
        ("a.rs", "#[cfg_attr(linux, path = \"a/linux.rs\")]\nmod os;\npub struct A;\nfn f() { os::f() }\n"),
        ("a/linux.rs", "use super::A;\n"),
    ];
    assert_eq!(graph(&files).circles(), [""; 0]);
    assert!(graph(&files).holds("a/linux.rs"));
}
