//! One source file: the modules that it declares, what it exports again, and the paths that it names. It is read as text: whatever
//! looks like a path counts.

/// A path as it is written, from `crate`, `super`, `self` or a child module on.
pub type Written = Vec<String>;

/// What a file says about modules.
pub struct Source {
    /// The modules that it declares, each with the files that `path` attributes name for it.
    pub modules: Vec<(String, Vec<String>)>,
    /// Names that it exports again, and the paths that they stand for.
    pub exports: Vec<(String, Written)>,
    /// The paths that it uses itself.
    pub paths: Vec<Written>,
    /// The macros that it exports from the root of the crate.
    pub macros: Vec<String>,
}

impl Source {
    /// Reads the text of a file, without its comments and its tests.
    pub fn read(text: &str) -> Self {
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let text = text.split("#[cfg(test)]\npub(super) mod tests {").next().unwrap_or_default();
        let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
        let modules = modules(&code);
        let (mut exports, mut paths) = (Vec::new(), Vec::new());
        let mut rest = String::new();
        let mut unread = code.as_str();
        while let Some((before, tree, after)) = next_use(unread) {
            rest.push_str(before);
            let is_export = before.lines().last().is_some_and(|line| line.trim_start().starts_with("pub"));
            for (name, path) in expanded(tree) {
                if is_export { exports.push((name, path)) } else { paths.push(path) }
            }
            unread = after;
        }
        rest.push_str(unread);
        paths.extend(expressions(&rest));
        paths.retain(|path| is_local(path, &modules));
        exports.retain(|(_, path)| is_local(path, &modules));
        let macros = code.split("#[macro_export]\nmacro_rules! ").skip(1).filter_map(|text| text.split_whitespace().next());
        Source { modules, exports, paths, macros: macros.map(str::to_owned).collect() }
    }
}

fn is_local(path: &Written, modules: &[(String, Vec<String>)]) -> bool {
    ["crate", "super", "self"].contains(&path[0].as_str()) || modules.iter().any(|(name, _)| *name == path[0])
}

/// `mod NAME;`, with the attributes on the lines before it.
fn modules(code: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut files: Vec<String> = Vec::new();
    for line in code.lines().map(str::trim) {
        if line.starts_with("#[") {
            files.extend(line.split("path = \"").skip(1).filter_map(|text| text.split('"').next()).map(str::to_owned));
            continue;
        }
        let words: Vec<&str> = line.trim_end_matches(';').split_whitespace().collect();
        if line.ends_with(';')
            && let [.., "mod", name] = words[..]
        {
            found.push((name.to_owned(), std::mem::take(&mut files)));
        }
        files.clear();
    }
    found
}

/// What stands before the next `use`, its tree of paths, and what follows it.
fn next_use(code: &str) -> Option<(&str, &str, &str)> {
    let (at, _) = code.match_indices("use ").find(|&(at, _)| code[..at].chars().next_back().is_none_or(char::is_whitespace))?;
    let (tree, after) = code[at + 4..].split_once(';')?;
    Some((&code[..at], tree, after))
}

/// `a::{b, c as d}` → `b` for `a::b`, `d` for `a::c`.
fn expanded(tree: &str) -> Vec<(String, Written)> {
    let tree = tree.trim();
    if let Some((prefix, inner)) = tree.split_once('{') {
        let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
        return branches(inner).into_iter().flat_map(|branch| expanded(&format!("{prefix}{}", branch.trim()))).collect();
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
    let mut path: Written = path.split("::").map(|part| part.trim().to_owned()).collect();
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = alias.map_or_else(|| path.last().cloned().unwrap_or_default(), str::to_owned);
    vec![(name, path)]
}

/// Splits at the commas that are in no braces of their own.
fn branches(inner: &str) -> Vec<&str> {
    let mut depth = 0;
    let parts = inner.split(|letter| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        letter == ',' && depth == 0
    });
    parts.filter(|part| !part.trim().is_empty()).collect()
}

/// Paths of more than one part.
fn expressions(code: &str) -> Vec<Written> {
    let words = code.split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':'));
    words.filter(|word| word.contains("::") && !word.starts_with(':')).map(parts).collect()
}

fn parts(word: &str) -> Written {
    word.split("::").filter(|part| !part.is_empty()).map(|part| part.trim_end_matches(':').to_owned()).collect()
}
