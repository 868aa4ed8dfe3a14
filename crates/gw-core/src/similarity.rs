//! How much two texts have in common, by their words.

use std::collections::HashMap;

/// Of a longer text, the first words are compared.
pub const WORDS_MAX: usize = 8_192;

/// The Sørensen–Dice coefficient of the words of two texts, each word as often as it stands there, in per cent, rounded
/// down: twice the words that both have, of all words of both. Neither order, case, nor punctuation counts. 100 if neither
/// text has a word.
pub fn words_in_common_percent(one: &str, other: &str) -> u8 {
    let (mut left, mut total, mut common) = (HashMap::<String, u32>::new(), 0_u64, 0_u64);
    for word in words(one) {
        *left.entry(word).or_default() += 1;
        total += 1;
    }
    for word in words(other) {
        total += 1;
        if let Some(count) = left.get_mut(&word).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    let percent = (200 * common).checked_div(total).unwrap_or(100);
    u8::try_from(percent).unwrap_or(100)
}

/// The words of a text, in small letters. Of scripts that do not part words, each letter is one.
fn words(text: &str) -> impl Iterator<Item = String> {
    let runs = text.split(|c: char| !c.is_alphanumeric()).flat_map(|run| run.split_inclusive(is_a_word));
    let parts = runs.flat_map(|run| match run.char_indices().next_back() {
        Some((at, last)) if is_a_word(last) => [&run[..at], &run[at..]],
        _ => [run, ""],
    });
    parts.filter(|word| !word.is_empty()).map(str::to_lowercase).take(WORDS_MAX)
}

/// Whether a letter is a word by itself: Chinese and Japanese are written without spaces (Unicode blocks from CJK Radicals
/// to CJK Unified Ideographs, and the later planes of ideographs).
fn is_a_word(letter: char) -> bool {
    matches!(letter, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_both_count_as_often_as_they_stand_there() {
        for (one, other, percent) in [
            ("", "", 100),
            ("Hello, world!", "hello world", 100),
            ("a b", "", 0),
            ("the cat sat", "the dog sat", 66),
            ("a a a a", "a", 40),
            ("one two", "three four", 0),
            ("東京は晴れ", "東京は雨", 66),
            ("in 東京 today", "today in 東京", 100),
        ] {
            assert_eq!(words_in_common_percent(one, other), percent, "{one:?} {other:?}");
            assert_eq!(words_in_common_percent(other, one), percent, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_long_text_is_compared_by_its_first_words() {
        let long = "word ".repeat(WORDS_MAX) + "and what nobody looks at";
        assert_eq!(words_in_common_percent(&long, &"word ".repeat(WORDS_MAX)), 100);
    }
}
