//! Words of answers: made, measured, cut and taken apart.

use std::ops::Range;
use std::sync::Arc;

/// The longest text that is echoed, so that eight choices of it stay small.
const ECHO_BYTES_MAX: usize = 1 << 20;
/// The longest piece of text in an event of a stream.
const FRAGMENT_BYTES_MAX: usize = 16;
/// About this many bytes are a token.
const TOKEN_BYTES: usize = 4;

const FILLER: [&str; 16] = [
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "incididunt",
    "ut",
    "labore",
    "et",
];

/// Why an answer ends, as OpenAI names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FinishReason {
    Stop,
    Length,
    ToolCalls,
}

/// An estimate, the same for the same text: at least one token.
pub(super) fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(TOKEN_BYTES).max(1) as u64
}

/// So many words.
pub(super) fn filler(count: usize) -> String {
    FILLER.iter().copied().cycle().take(count).collect::<Vec<_>>().join(" ")
}

/// Ends a text at the first stop or at the limit, whichever comes first.
pub(super) fn cut(mut text: String, stops: &[String], tokens_max: Option<u64>) -> (Arc<str>, FinishReason) {
    let stop = stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str())).min();
    if let Some(stop) = stop {
        text.truncate(stop);
    }
    let tokens_max = tokens_max.and_then(|tokens| usize::try_from(tokens).ok()).unwrap_or(usize::MAX);
    let bytes_max = tokens_max.saturating_mul(TOKEN_BYTES).min(ECHO_BYTES_MAX);
    if text.len() <= bytes_max {
        return (text.into(), FinishReason::Stop);
    }
    text.truncate(text.floor_char_boundary(bytes_max));
    (text.into(), FinishReason::Length)
}

/// Takes a text apart as a stream does: after each space, or where a word is long.
pub(super) fn fragments(text: Arc<str>) -> impl Iterator<Item = Range<usize>> + Send + 'static {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let space = rest.find(' ').map_or(rest.len(), |space| space + 1);
        let length = if space <= FRAGMENT_BYTES_MAX { space } else { rest.floor_char_boundary(FRAGMENT_BYTES_MAX) };
        let fragment = start..start + length;
        start = fragment.end;
        Some(fragment)
    })
}

/// A number that stands for some bytes (FNV-1a).
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_put_together_are_the_text_whatever_its_script() {
        for text in ["", "one", "a few short words ", "東京特許許可局の許可は取れましたか", "🦀🦀🦀🦀🦀🦀🦀🦀🦀 crab"]
        {
            let whole: Arc<str> = text.into();
            let pieces: Vec<_> = fragments(whole).map(|range| &text[range]).collect();
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= FRAGMENT_BYTES_MAX), "{pieces:?}");
        }
    }

    #[test]
    fn a_text_ends_at_the_first_stop_or_at_the_token_limit() {
        let cut = |stops: &[&str], limit| {
            let stops: Vec<String> = stops.iter().map(ToString::to_string).collect();
            let (text, reason) = cut("one two three".to_owned(), &stops, limit);
            (text.to_string(), reason)
        };
        assert_eq!(cut(&[], None), ("one two three".to_owned(), FinishReason::Stop));
        assert_eq!(cut(&["three", "two"], None), ("one ".to_owned(), FinishReason::Stop));
        assert_eq!(cut(&[], Some(1)), ("one ".to_owned(), FinishReason::Length));
        assert_eq!(cut(&["two"], Some(1)), ("one ".to_owned(), FinishReason::Stop));
        assert_eq!(cut(&[""], Some(u64::MAX)), ("one two three".to_owned(), FinishReason::Stop));
    }

    #[test]
    fn a_limit_within_a_character_cuts_before_it() {
        assert_eq!(&*cut("東京都".to_owned(), &[], Some(1)).0, "東");
    }
}
