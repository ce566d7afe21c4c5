//! Names: from the module path of a function, and what rstest makes of the rows of a table, to the stable name of a case.

use std::ffi::OsStr;
use std::path::Path;

use super::error::RegistryError;
use super::submission::Submission;

/// The behaviour's name, and the parameters that tell its variants apart.
///
/// A plain function lives in `suite::topic`, a topic being the file that it stands in. rstest puts the rows of a table into a module
/// named as the function, as `case_2_page`, and values into `argument_1_value`, alone or in a module named as the row. Its running
/// numbers are dropped, so that adding a row renames no other.
pub(super) fn names(submission: &Submission) -> Result<(String, Vec<String>), RegistryError> {
    let mut path: Vec<&str> = submission.module.split("::").collect();
    path.push(submission.function);
    let file = Path::new(submission.file).file_stem().and_then(OsStr::to_str).unwrap_or_default();
    // The file's own module, and the function in it.
    let plain = path.iter().skip(1).position(|&module| module == file).map_or(2, |topic| topic + 3);
    let generated = path.split_off(plain.min(path.len()));
    let behaviour = path.join("::");
    let mut parameters = Vec::with_capacity(generated.len());
    for part in generated {
        match parameter(part) {
            Some(text) => parameters.push(text),
            None => return Err(RegistryError::UnnamedRow { behaviour, place: submission.place() }),
        }
    }
    Ok((behaviour, parameters))
}

/// `case_2_page` → `page`; `kind_1_Kind__FifoReadWrite` → `kind=fifo_read_write`; a row without a name, or a value of which no letter is
/// left → `None`.
fn parameter(part: &str) -> Option<String> {
    let number = part.match_indices('_').find_map(|(at, _)| {
        let digits = part[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let end = at + 1 + digits;
        (digits > 0 && part.as_bytes().get(end).is_none_or(|&next| next == b'_')).then_some((at, end))
    });
    let Some((start, end)) = number else { return Some(part.to_owned()) };
    let (argument, value) = (&part[..start], part[end..].trim_matches('_'));
    let value = value.rsplit("__").next().unwrap_or(value);
    match (argument, value) {
        (_, "") => None,
        ("case", _) => Some(part[end..].trim_matches('_').to_owned()),
        _ => Some(format!("{argument}={}", in_words(value))),
    }
}

/// `FifoReadWrite` → `fifo_read_write`; names of constants, `SIGKILL`, stay as they are.
fn in_words(value: &str) -> String {
    if !value.starts_with(|first: char| first.is_ascii_uppercase()) || !value.contains(|letter: char| letter.is_ascii_lowercase()) {
        return value.to_owned();
    }
    let mut words = String::new();
    for (index, letter) in value.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            words.push('_');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::parameter;

    #[test]
    fn names_are_free_of_running_numbers() {
        assert_eq!(parameter("case_2_page").as_deref(), Some("page"));
        assert_eq!(parameter("case_12_two_pages").as_deref(), Some("two_pages"));
        assert_eq!(parameter("kind_1_Kind__Fifo").as_deref(), Some("kind=fifo"));
        assert_eq!(parameter("kind_3_Kind__FifoReadWrite").as_deref(), Some("kind=fifo_read_write"));
        assert_eq!(parameter("signal_1_Signal__SIGKILL").as_deref(), Some("signal=SIGKILL"));
        assert_eq!(parameter("k_1_1").as_deref(), Some("k=1"));
        assert_eq!(parameter("case_3"), None);
        assert_eq!(parameter("mode_1_EpollFlags__empty__").as_deref(), Some("mode=empty"));
        assert_eq!(parameter("mode_1____"), None);
    }
}
