//! Nothing in a platform file is stale: each pattern fits a case, and each key is recorded by one, on whichever system that case exists.
//!
//! A run refuses a stale pattern of its own platform. Here the sources are read, which have the cases of all systems.

use std::fs;
use std::path::{Path, PathBuf};

use wildmatch::WildMatch;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file of every suite: `suite::topic`, and the text.
fn topics() -> Vec<(String, String)> {
    let mut topics = Vec::new();
    let mut folders = vec![root().join("suites")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(root().join("suites")).unwrap().with_extension("");
                topics.push((relative.to_str().unwrap().replace('/', "::"), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    topics
}

/// The behaviours in a file: the functions that stand below the attribute.
fn behaviours(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_case = false;
    for line in text.lines() {
        is_case |= line.starts_with("#[conformance::test(");
        let Some((_, rest)) = line.split_once("fn ").filter(|(before, _)| before.is_empty() || *before == "pub ") else { continue };
        if std::mem::take(&mut is_case) {
            names.push(rest.split(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric()).next().unwrap());
        }
    }
    names
}

/// A file chosen by `#[path]` has the name of the topic that it stands in for.
fn without_path_attribute(topic: &str) -> String {
    topic.replace("::without_", "::")
}

fn platform_files() -> Vec<(PathBuf, toml::Table)> {
    let folder = root().join("fixtures/platforms");
    let read = |path: PathBuf| {
        let table = fs::read_to_string(&path).unwrap().parse().unwrap();
        (path, table)
    };
    fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap().path())).collect()
}

fn patterns(file: &toml::Table) -> Vec<String> {
    let Some(deviations) = file.get("deviation").and_then(toml::Value::as_array) else { return Vec::new() };
    let cases = deviations.iter().filter_map(|deviation| deviation.get("cases"));
    cases
        .flat_map(|cases| match cases {
            toml::Value::Array(several) => several.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect(),
            one => one.as_str().map(str::to_owned).into_iter().collect::<Vec<_>>(),
        })
        .collect()
}

#[test]
fn every_pattern_fits_a_behaviour() {
    let mut names = Vec::new();
    for (topic, text) in topics() {
        names.extend(behaviours(&text).iter().map(|name| format!("{}::{name}", without_path_attribute(&topic))));
    }
    assert!(names.len() > 1000, "{} behaviours were found in the sources", names.len());
    let mut stale = Vec::new();
    for (path, file) in platform_files() {
        for pattern in patterns(&file) {
            // What follows the behaviour are parameters, which are not in the sources.
            let (before, has_value) = pattern.split_once('=').map_or((pattern.as_str(), false), |(before, _)| (before, true));
            let behaviour = if has_value { before.trim_end_matches(|letter| letter != ':' && letter != '*') } else { before };
            let parts: Vec<&str> = behaviour.trim_end_matches("::").split("::").collect();
            let fits = (1..=parts.len()).any(|end| {
                let part = WildMatch::new(&parts[..end].join("::"));
                names.iter().any(|name| part.matches(name))
            });
            if !fits {
                stale.push(format!("{}: {pattern}", path.display()));
            }
        }
    }
    assert_eq!(stale, Vec::<String>::new());
}

#[test]
fn every_pinned_key_is_recorded() {
    let mut keys = Vec::new();
    for (_, text) in topics() {
        // Every second piece of a line between quotes is a literal; what is filled in may be anything.
        for literal in text.lines().flat_map(|line| line.split('"').skip(1).step_by(2)) {
            let mut pattern = String::new();
            let mut filled = false;
            for letter in literal.chars() {
                match letter {
                    '{' => {
                        pattern.push('*');
                        filled = true;
                    }
                    '}' => filled = false,
                    _ if filled => {}
                    letter => pattern.push(letter),
                }
            }
            if pattern.contains('.') && !pattern.starts_with('*') || pattern.starts_with("*-") {
                keys.push(WildMatch::new(&pattern));
            }
        }
    }
    let mut stale = Vec::new();
    for (path, file) in platform_files() {
        let pinned = file.get("observations").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys).cloned();
        let choices = file.get("choice").and_then(toml::Value::as_array).into_iter().flatten();
        let chosen = choices.filter_map(|choice| choice.get("key")?.as_str().map(str::to_owned));
        for key in pinned.chain(chosen) {
            if !keys.iter().any(|pattern| pattern.matches(&key)) {
                stale.push(format!("{}: {key}", path.display()));
            }
        }
    }
    assert_eq!(stale, Vec::<String>::new());
}
