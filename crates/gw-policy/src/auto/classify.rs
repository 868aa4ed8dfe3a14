//! What kind of work a text is, by its words. Every sign is a text that stands in it as it is: one pass over a bounded
//! excerpt finds them all, in whatever language, and what is found does not depend on any order.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};

use super::Class;
use super::words::{DECISIVE, HINTS, Kind, Sign};

/// Bytes at the beginning of a turn that are looked at: there people say what they want.
const HEAD_MAX: usize = 2 << 10;
/// Bytes at its end: there they say it, too.
const TAIL_MAX: usize = 1 << 10;
/// A turn is short talk up to this size; letters of scripts that write a word in one or two of them count as three.
const TALK_MAX: usize = 120;
/// From this weight of its signs on, a turn is of a kind.
const ENOUGH: u32 = 2;

/// What is looked at of a turn: its beginning and its end.
#[derive(Debug, Default)]
pub struct Excerpt {
    text: String,
    /// Whether something between the two was left out.
    is_cut: bool,
}

impl Excerpt {
    /// The excerpt of a turn that consists of these texts.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut head = String::new();
        let mut is_cut = false;
        for text in texts.clone() {
            let room = HEAD_MAX.saturating_sub(head.len());
            let taken = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
            head.push_str(taken);
            is_cut |= taken.len() < text.len();
            if is_cut {
                break;
            }
            head.push('\n');
        }
        if is_cut && let Some(last) = texts.last() {
            let from = last.ceil_char_boundary(last.len().saturating_sub(TAIL_MAX));
            head.push('\n');
            head.push_str(last.get(from..).unwrap_or_default());
        }
        Self { text: head, is_cut }
    }

    /// Whether there is nothing but space.
    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Its bytes.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// What kind of work it is.
    pub fn class(&self) -> Class {
        let weights = weights(&self.text.to_lowercase());
        let is = |kind: Kind| weights.get(kind as usize).is_some_and(|weight| *weight >= ENOUGH);
        if is(Kind::Reasoning) {
            return Class::Reasoning;
        }
        if is(Kind::Code) {
            return Class::Code;
        }
        if is(Kind::Extraction) {
            return Class::Extraction;
        }
        let is_short = !self.is_cut && size(self.text.trim()) <= TALK_MAX;
        if is_short && !is(Kind::Writing) { Class::Talk } else { Class::General }
    }
}

/// The class of a single text.
pub fn class_of(text: &str) -> Class {
    Excerpt::of(std::iter::once(text)).class()
}

/// Every sign, and what finds them.
struct Signs {
    all: Vec<(Sign, u32)>,
    /// `None` if it could not be built, which a test rules out.
    automaton: Option<AhoCorasick>,
}

static SIGNS: LazyLock<Signs> = LazyLock::new(|| {
    let weighed = |(kind, words, weight): (Kind, &'static str, u32)| {
        words.lines().map(str::trim).filter(|line| !line.is_empty()).map(move |line| (Sign::read(kind, line), weight))
    };
    let decisive = DECISIVE.iter().map(|(kind, words)| (*kind, *words, ENOUGH));
    let hints = HINTS.iter().map(|(kind, words)| (*kind, *words, 1));
    let all: Vec<_> = decisive.chain(hints).flat_map(weighed).collect();
    let texts = all.iter().map(|(sign, _)| sign.text);
    let automaton = AhoCorasickBuilder::new().match_kind(MatchKind::Standard).build(texts).ok();
    Signs { all, automaton }
});

/// How much speaks for each kind. A sign counts once, however often it stands there.
fn weights(text: &str) -> [u32; Kind::COUNT] {
    let mut weights = [0; Kind::COUNT];
    let Some(automaton) = &SIGNS.automaton else { return weights };
    let mut seen = vec![false; SIGNS.all.len()];
    for found in automaton.find_overlapping_iter(text) {
        let index = found.pattern().as_usize();
        let (Some((sign, weight)), Some(seen)) = (SIGNS.all.get(index), seen.get_mut(index)) else { continue };
        if *seen || !sign.stands_alone(text, found.start(), found.end()) {
            continue;
        }
        *seen = true;
        if let Some(sum) = weights.get_mut(sign.kind as usize) {
            *sum += weight;
        }
    }
    weights
}

/// How much is said.
fn size(text: &str) -> usize {
    text.chars().map(|letter| if is_dense(letter) { 3 } else { 1 }).sum()
}

/// Whether a letter says as much as several of the Latin script: kana, Chinese characters, Hangul.
fn is_dense(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_sign_can_be_found_and_is_written_as_it_is_looked_for() {
        assert!(SIGNS.automaton.is_some());
        let mut seen = std::collections::HashSet::new();
        for (sign, _) in &SIGNS.all {
            assert_eq!(sign.text.to_lowercase(), sign.text, "texts are compared in small letters");
            assert!(seen.insert((&sign.text, sign.kind)), "{} stands twice", sign.text);
            let weights = weights(sign.text);
            assert!(weights[sign.kind as usize] > 0, "{} is not found alone", sign.text);
        }
    }

    #[test]
    fn words_are_not_looked_for_within_others() {
        assert_eq!(class_of("The waterproof decoder was unsolved."), class_of("The watertight decanter was unopened."));
    }

    #[test]
    fn of_a_long_turn_the_beginning_and_the_end_count() {
        let filler = "and so it goes on. ".repeat(2_000);
        assert_eq!(class_of(&format!("Prove the theorem by induction. {filler}")), Class::Reasoning);
        assert_eq!(class_of(&format!("{filler} Summarize the text above.")), Class::Extraction);
        assert_eq!(class_of(&format!("{filler} Prove the theorem by induction. {filler}")), Class::General);
        assert!(Excerpt::of(std::iter::once(&*filler)).len() <= HEAD_MAX + TAIL_MAX + 2);
    }

    proptest! {
        #[test]
        fn any_text_has_a_class_and_the_same_one_every_time(text in "\\PC{0,400}") {
            prop_assert_eq!(class_of(&text), class_of(&text));
        }

        #[test]
        fn texts_are_cut_between_letters(text in "[aあ𝄞é]{0,4000}") {
            let excerpt = Excerpt::of(std::iter::once(&*text));
            prop_assert!(excerpt.len() <= HEAD_MAX + TAIL_MAX + 2);
        }
    }
}
