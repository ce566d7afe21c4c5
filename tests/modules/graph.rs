//! The files of a crate, and which of them names something of which.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, Written};

/// A module by its path from the root of the crate.
type Module = Vec<String>;

/// Files and the files that they import from.
pub struct Graph {
    sources: BTreeMap<String, Source>,
    /// Which files a module may be in: several where it differs between systems.
    files: BTreeMap<Module, BTreeSet<String>>,
    imports: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// The graph of these texts, by their path from the root.
    pub fn new(texts: &BTreeMap<String, String>) -> Self {
        let sources = texts.iter().map(|(name, text)| (name.clone(), Source::read(text))).collect();
        let mut graph = Graph { sources, files: BTreeMap::new(), imports: BTreeMap::new() };
        graph.declare(&Vec::new(), "lib.rs");
        let found = graph.files.iter().flat_map(|(module, files)| files.iter().map(move |file| (module, file)));
        let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, file) in found.filter(|(module, _)| !module.is_empty()) {
            let named = graph.sources[file].paths.iter().flat_map(|path| graph.target(module, path));
            imports.entry(file.clone()).or_default().extend(named.filter(|other| other != file && other != "lib.rs"));
        }
        graph.imports = imports;
        graph
    }

    /// Whether a module is in that file.
    pub fn holds(&self, file: &str) -> bool {
        self.files.values().any(|files| files.contains(file))
    }

    /// Imports that lead to a layer that is not below that of the importing module, unless to the module itself.
    pub fn upward(&self, layers: &[&[&str]]) -> Vec<String> {
        let layer = |file: &str| layers.iter().position(|layer| layer.contains(&top(file)));
        let mut found = Vec::new();
        for (file, others) in &self.imports {
            for other in others.iter().filter(|other| top(other) != top(file)) {
                let is_down = layer(file).zip(layer(other)).is_some_and(|(from, to)| from < to);
                if !is_down {
                    found.push(format!("{file} -> {other}"));
                }
            }
        }
        found
    }

    /// Sets of files each of which leads to all others. A file and the folder of its own name (`needs.rs`, `needs/linux.rs`) are one:
    /// the folder holds private parts of the file.
    pub fn circles(&self) -> Vec<String> {
        let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (file, others) in &self.imports {
            imports.entry(self.owner(file)).or_default().extend(others.iter().map(|other| self.owner(other)));
        }
        let reached: BTreeMap<&str, BTreeSet<&str>> = imports.keys().map(|&file| (file, reachable(&imports, file))).collect();
        let mut circles = BTreeSet::new();
        for &file in imports.keys() {
            let back = |other: &&str| reached.get(other).is_some_and(|further| further.contains(file));
            let circle: Vec<&str> = reached[file].iter().copied().filter(|&other| other != file).filter(back).collect();
            if !circle.is_empty() {
                let mut circle = [&circle[..], &[file]].concat();
                circle.sort_unstable();
                circles.insert(circle.join(", "));
            }
        }
        circles.into_iter().collect()
    }

    /// The outermost file that another is a private part of, or itself.
    fn owner<'f>(&'f self, file: &'f str) -> &'f str {
        let parent = file.rsplit_once('/').map(|(folder, _)| format!("{folder}.rs"));
        parent.and_then(|parent| self.sources.get_key_value(&parent)).map_or(file, |(parent, _)| self.owner(parent))
    }

    fn declare(&mut self, module: &Module, file: &str) {
        self.files.entry(module.clone()).or_default().insert(file.to_owned());
        let (folder, stem) = file.rsplit_once('/').unwrap_or(("", file));
        let below = match stem {
            "lib.rs" | "mod.rs" => folder.to_owned(),
            _ => file.trim_end_matches(".rs").to_owned(),
        };
        let join = |folder: &str, name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        for (name, paths) in self.sources[file].modules.clone() {
            let mut places: Vec<String> = paths.iter().map(|path| join(folder, path)).collect();
            places.extend([join(&below, &format!("{name}.rs")), join(&below, &format!("{name}/mod.rs"))]);
            let child = [&module[..], &[name]].concat();
            for place in places {
                if self.sources.contains_key(&place) {
                    self.declare(&child, &place);
                }
            }
        }
    }

    /// The files in which what a path names stands; none for what is not the crate's own.
    fn target(&self, from: &Module, path: &Written) -> BTreeSet<String> {
        let above = path.iter().take_while(|&name| name == "super").count();
        let mut module = if path[0] == "crate" { Module::new() } else { from[..from.len().saturating_sub(above)].to_vec() };
        for name in path.iter().skip_while(|&name| ["crate", "self", "super"].contains(&name.as_str())) {
            let child = [&module[..], std::slice::from_ref(name)].concat();
            if self.files.contains_key(&child) {
                module = child;
                continue;
            }
            let files = &self.files[&module];
            let exports = files.iter().flat_map(|file| &self.sources[file].exports);
            if let Some((_, path)) = exports.into_iter().find(|(export, _)| export == name) {
                return self.target(&module, path);
            }
            if module.is_empty() {
                let here = |source: &Source| source.macros.contains(name);
                return self.sources.iter().filter(|(_, source)| here(source)).map(|(file, _)| file.clone()).collect();
            }
            return files.clone();
        }
        self.files[&module].clone()
    }
}

/// The top-level module that a file belongs to.
fn top(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

fn reachable<'f>(imports: &BTreeMap<&'f str, BTreeSet<&'f str>>, start: &'f str) -> BTreeSet<&'f str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(file) = open.pop() {
        for &other in imports.get(file).into_iter().flatten() {
            if reached.insert(other) {
                open.push(other);
            }
        }
    }
    reached
}
