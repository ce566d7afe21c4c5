//! Values as text: what is left out of a long one, and where two long ones differ.

use std::fmt::Write as _;

/// Longest rendering of a value that is printed whole.
const WHOLE: usize = 240;

/// The text, without the middle of a long one.
pub(super) fn shorten(text: &str) -> String {
    if text.chars().count() <= WHOLE {
        return text.to_owned();
    }
    let head: String = text.chars().take(WHOLE / 2).collect();
    let tail: String = text.chars().rev().take(WHOLE / 4).collect::<Vec<_>>().into_iter().rev().collect();
    format!("{head} … {tail} ({} items)", items(text))
}

/// Items in a rendered list; the number of separators plus one.
fn items(text: &str) -> usize {
    text.matches(", ").count() + 1
}

/// Where two long renderings part, in words; `None` while both are short enough to be compared by eye.
pub(super) fn first_difference(seen: &str, expected: &str) -> Option<String> {
    if seen.len() <= WHOLE && expected.len() <= WHOLE {
        return None;
    }
    let common: usize = seen.chars().zip(expected.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let mut text = format!("item {} of {} seen and {} expected", items(&seen[..common]), items(seen), items(expected));
    let window = |whole: &str| whole[common..].chars().take(40).collect::<String>();
    let _ = write!(text, ": …{} instead of …{}", window(seen), window(expected));
    Some(text)
}
