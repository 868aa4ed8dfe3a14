//! Words in messages: quoting what somebody wrote, and guessing what was meant.

use std::io::ErrorKind;

/// The most characters of somebody's text that a message repeats.
const SHOWN_MAX: usize = 60;

/// The text in quotes, cut to a length that fits a message, with control characters escaped.
pub(crate) fn quote(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The word that was probably meant, if one is near.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if !(3..=SHOWN_MAX).contains(&length) {
        return None;
    }
    let folded = fold(word);
    let (distance, found) = known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &fold(candidate)), candidate))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= length / 3).then_some(found)
}

/// Why a file cannot be read.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file".to_owned(),
        ErrorKind::IsADirectory => "it is a directory".to_owned(),
        ErrorKind::FileTooLarge => "it is too large".to_owned(),
        other => other.to_string(),
    }
}

/// The words as a list: `a, b or c`.
pub(crate) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Spelling differences that are no difference in meaning: case, `-` and `_`.
fn fold(word: &str) -> String {
    word.chars().filter(|letter| !matches!(letter, '-' | '_')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let known = ["models", "endpoint", "api_key"];
        assert_eq!(nearest("modles", known), Some("models"));
        assert_eq!(nearest("apiKey", known), Some("api_key"));
        assert_eq!(nearest("weather", known), None);
        assert_eq!(nearest("3", ["1", "2"]), None);
        assert_eq!(nearest(&"m".repeat(1_000), known), None);
    }

    #[test]
    fn quoted_text_is_short_and_has_no_control_characters() {
        assert_eq!(quote("a\nb"), r#""a\nb""#);
        assert_eq!(quote(&"é".repeat(100)), format!("\"{}\"…", "é".repeat(60)));
    }
}
