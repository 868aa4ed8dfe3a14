//! Skips JSON values: checks that they are valid by RFC 8259 and UTF-8, builds nothing and does not recurse.
//!
//! serde_json does the same at less than half the speed, and most of a request is long texts in its messages: they are
//! looked through in blocks, with vector instructions.

use wide::u8x16;

/// Bytes of a vector.
const BLOCK: usize = 16;
/// Bytes that are looked at together: a bit for each fits into a word.
const WIDE: usize = 64;

/// The text is not valid JSON at this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// Where, from 0.
    pub(crate) at: usize,
}

/// The end of the white space that begins at `at`.
pub(crate) fn space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// The end of the string whose opening quote stands at `at`. What is not UTF-8 is not valid.
pub(crate) fn string(text: &[u8], at: usize) -> Result<usize, Invalid> {
    if text.get(at) != Some(&b'"') {
        return Err(Invalid { at });
    }
    let mut from = at + 1;
    // Names and most values end soon.
    if let Some(short) = text.get(from..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
        let block = u8x16::new(*short);
        let end = from + specials(block).trailing_zeros() as usize;
        if end < from + BLOCK && text[end] == b'"' {
            return ended(text, at, end + 1, block.to_bitmask() == 0);
        }
    }
    let mut is_ascii = true;
    while let Some(wide) = text.get(from..).and_then(|rest| rest.first_chunk::<WIDE>()) {
        let (blocks, _) = wide.as_chunks::<BLOCK>();
        let mut found =
            blocks.iter().rev().fold(0, |found, block| found << BLOCK | u64::from(specials(u8x16::new(*block))));
        is_ascii &= blocks.iter().fold(u8x16::ZERO, |all, block| all | u8x16::new(*block)).to_bitmask() == 0;
        let mut next = from + WIDE;
        while found != 0 {
            let place = from + found.trailing_zeros() as usize;
            let Step::Escaped(after) = step(text, place)? else {
                return ended(text, at, place + 1, is_ascii);
            };
            // What belongs to the escape is no longer looked at.
            found = if after < next { found >> (after - from) << (after - from) } else { 0 };
            next = next.max(after);
        }
        from = next;
    }
    loop {
        let rest = text.get(from..).unwrap_or_default();
        let place = rest.iter().position(is_special).ok_or(Invalid { at: text.len() })? + from;
        match step(text, place)? {
            Step::Ended => return ended(text, at, place + 1, false),
            Step::Escaped(after) => from = after,
        }
    }
}

/// A string's end was found: it is valid if it is UTF-8, which ASCII is.
#[inline]
fn ended(text: &[u8], at: usize, end: usize, is_ascii: bool) -> Result<usize, Invalid> {
    if is_ascii {
        return Ok(end);
    }
    std::str::from_utf8(&text[at..end]).map_err(|error| Invalid { at: at + error.valid_up_to() })?;
    Ok(end)
}

/// What stands at a special byte of a string.
enum Step {
    /// The closing quote.
    Ended,
    /// An escape, which ends here.
    Escaped(usize),
}

#[inline]
fn step(text: &[u8], place: usize) -> Result<Step, Invalid> {
    match text[place] {
        b'"' => Ok(Step::Ended),
        b'\\' => escape(text, place).map(Step::Escaped),
        _ => Err(Invalid { at: place }),
    }
}

/// Whether a byte is not plain text of a string: a quote, a backslash or a control character.
fn is_special(byte: &u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f)
}

/// A bit for each byte of the block that is special, the first one lowest.
fn specials(block: u8x16) -> u32 {
    let control = block.min(u8x16::splat(0x1f)).simd_eq(block);
    (block.simd_eq(u8x16::splat(b'"')) | block.simd_eq(u8x16::splat(b'\\')) | control).to_bitmask()
}

/// The end of the value that begins at `at`, white space before it skipped.
pub(crate) fn value(text: &[u8], at: usize) -> Result<usize, Invalid> {
    let mut open = Nesting::default();
    let mut at = space(text, at);
    loop {
        at = match text.get(at) {
            Some(b'{') => {
                let inner = space(text, at + 1);
                if text.get(inner) != Some(&b'}') {
                    open.push(Bracket::Object);
                    at = key(text, inner)?;
                    continue;
                }
                inner + 1
            }
            Some(b'[') => {
                let inner = space(text, at + 1);
                if text.get(inner) != Some(&b']') {
                    open.push(Bracket::Array);
                    at = inner;
                    continue;
                }
                inner + 1
            }
            _ => scalar(text, at)?,
        };
        match close(text, at, &mut open)? {
            Closed::Next(next) => at = next,
            Closed::All(end) => return Ok(end),
        }
    }
}

enum Closed {
    /// Where the next value begins.
    Next(usize),
    /// Where the outermost value ended.
    All(usize),
}

/// After a value: a comma and what follows it, or as many closing brackets as there are.
fn close(text: &[u8], mut at: usize, open: &mut Nesting) -> Result<Closed, Invalid> {
    loop {
        let Some(bracket) = open.top() else {
            return Ok(Closed::All(at));
        };
        let next = space(text, at);
        match (text.get(next), bracket) {
            (Some(b','), Bracket::Object) => return key(text, space(text, next + 1)).map(Closed::Next),
            (Some(b','), Bracket::Array) => return Ok(Closed::Next(space(text, next + 1))),
            (Some(b'}'), Bracket::Object) | (Some(b']'), Bracket::Array) => {
                open.pop();
                at = next + 1;
            }
            _ => return Err(Invalid { at: next }),
        }
    }
}

/// The place of the value whose key begins at `at`.
fn key(text: &[u8], at: usize) -> Result<usize, Invalid> {
    let colon = space(text, string(text, at)?);
    if text.get(colon) != Some(&b':') {
        return Err(Invalid { at: colon });
    }
    Ok(space(text, colon + 1))
}

fn scalar(text: &[u8], at: usize) -> Result<usize, Invalid> {
    match text.get(at) {
        Some(b'"') => string(text, at),
        Some(b't') => literal(text, at, b"true"),
        Some(b'f') => literal(text, at, b"false"),
        Some(b'n') => literal(text, at, b"null"),
        Some(b'-' | b'0'..=b'9') => number(text, at),
        _ => Err(Invalid { at }),
    }
}

fn literal(text: &[u8], at: usize, word: &[u8]) -> Result<usize, Invalid> {
    let end = at + word.len();
    if text.get(at..end) == Some(word) { Ok(end) } else { Err(Invalid { at }) }
}

/// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
fn number(text: &[u8], at: usize) -> Result<usize, Invalid> {
    let digits =
        |from: usize| from + text.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
    let some_digits = |from: usize| match digits(from) {
        end if end > from => Ok(end),
        _ => Err(Invalid { at: from }),
    };
    let whole = at + usize::from(text.get(at) == Some(&b'-'));
    let mut end = some_digits(whole)?;
    if text[whole] == b'0' && end > whole + 1 {
        return Err(Invalid { at: whole + 1 });
    }
    if text.get(end) == Some(&b'.') {
        end = some_digits(end + 1)?;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = some_digits(end + 1 + sign)?;
    }
    Ok(end)
}

/// The end of the escape that begins at `at`.
#[inline]
fn escape(text: &[u8], at: usize) -> Result<usize, Invalid> {
    let next = text.get(at + 1).copied().unwrap_or_default();
    if IS_SHORT_ESCAPE[usize::from(next)] {
        return Ok(at + 2);
    }
    match text.get(at + 2..at + 6) {
        Some(digits) if next == b'u' && digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
        _ => Err(Invalid { at }),
    }
}

/// Whether a byte after a backslash makes an escape of two bytes. A table, because a processor cannot foresee which of
/// eight comes next in a text.
const IS_SHORT_ESCAPE: [bool; 256] = {
    let mut table = [false; 256];
    let escapes = b"\"\\/bfnrt";
    let mut index = 0;
    while index < escapes.len() {
        table[escapes[index] as usize] = true;
        index += 1;
    }
    table
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Object,
    Array,
}

/// The brackets that are open, a bit each: the nesting of a request is bounded by nothing but its size.
#[derive(Debug, Default)]
struct Nesting {
    /// The innermost 64, the last one lowest.
    inner: u64,
    /// Full words of outer ones.
    outer: Vec<u64>,
    depth: usize,
}

impl Nesting {
    fn push(&mut self, bracket: Bracket) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.inner);
        }
        self.inner = self.inner << 1 | u64::from(bracket == Bracket::Object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.inner >>= 1;
        self.depth -= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.inner = self.outer.pop().unwrap_or_default();
        }
    }

    fn top(&self) -> Option<Bracket> {
        let innermost = if self.inner & 1 == 1 { Bracket::Object } else { Bracket::Array };
        (self.depth > 0).then_some(innermost)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    /// Whether the whole of a text is one value.
    fn accepts(text: &[u8]) -> bool {
        value(text, 0).is_ok_and(|end| space(text, end) == text.len())
    }

    fn check(text: &str) {
        check_bytes(text.as_bytes());
    }

    fn check_bytes(text: &[u8]) {
        let expected = serde_json::from_slice::<&RawValue>(text).is_ok();
        assert_eq!(accepts(text), expected, "{:?}", String::from_utf8_lossy(text));
    }

    #[test]
    fn it_accepts_what_serde_json_accepts_in_the_cases_people_get_wrong() {
        for text in [
            "",
            " ",
            "null",
            "nul",
            "truefalse",
            "true false",
            "0",
            "-0",
            "01",
            "-",
            "1.",
            ".5",
            "1.5",
            "1e",
            "1e5",
            "1E+5",
            "1e-",
            "1e400",
            "+1",
            "\"",
            "\"a",
            "\"a\"",
            "\"\\\"",
            "\"\\\\\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12aF\"",
            "\"\\ud800\"",
            "\"a\nb\"",
            "\"a\u{7f}b\"",
            "[",
            "[]",
            "[ ]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1,2]",
            "{",
            "{}",
            "{ }",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":[{}]}",
            "[}",
            "{]",
            "[[]",
            "[]]",
            "{\"a\":1}}",
            "\u{feff}1",
            "1\u{a0}",
            "[1]\r\n\t ",
            "é",
        ] {
            check(text);
        }
    }

    #[test]
    fn brackets_match_however_deep_they_are() {
        for depth in [1, 63, 64, 65, 127, 128, 129, 1_000] {
            let open: String = (0..depth).map(|level| if level % 3 == 0 { "[" } else { "{\"a\":" }).collect();
            let close: String = (0..depth).rev().map(|level| if level % 3 == 0 { "]" } else { "}" }).collect();
            let whole = format!("{open}1{close}");
            assert!(accepts(whole.as_bytes()), "{depth}");
            assert!(!accepts(whole.replacen(']', "}", 1).as_bytes()), "{depth}");
            assert!(!accepts(&whole.as_bytes()[..whole.len() - 1]), "{depth}");
        }
    }

    #[test]
    fn every_byte_of_a_long_string_is_looked_at_wherever_it_stands() {
        for place in 1..200 {
            for byte in [b'"', b'\\', 0x1f, b'\n', 0, 0x7f, b' '] {
                let mut text = vec![b'a'; 203];
                (text[0], text[201], text[202]) = (b'"', b'"', b' ');
                text[place] = byte;
                let end = string(&text, 0);
                match byte {
                    b'"' => assert_eq!(end, Ok(place + 1)),
                    0x7f | b' ' => assert_eq!(end, Ok(202)),
                    // The letter behind it makes no escape; but the last one escapes the closing quote.
                    b'\\' if place == 200 => assert_eq!(end, Err(Invalid { at: 203 })),
                    _ => assert_eq!(end, Err(Invalid { at: place })),
                }
            }
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_serde_json(text in "[\\[\\]{}:,\"\\\\ \nuntfalsre0-9.eE+\\-aé]{0,24}") {
            check(&text);
        }

        #[test]
        fn it_agrees_with_serde_json_on_long_strings_and_their_neighbours(
            text in "\"([a-zé ]{0,30}|\\\\[\"\\\\nu]|\\\\u00[0-9a-g]9|\"|\n){0,12}\" {0,40}",
            place in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            check(&text);
            let mut bytes = text.into_bytes();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            check_bytes(&bytes);
        }

        #[test]
        fn it_agrees_with_serde_json_on_valid_documents_and_their_neighbours(
            text in "(\\{\"a\":\\[1,\"b\\\\n\",null\\],\"c\":(true|-1.5e3|\"\\\\u00e9\")\\}){1}", place in 0usize..40, byte in any::<u8>(),
        ) {
            check(&text);
            let mut bytes = text.into_bytes();
            let place = place % bytes.len();
            bytes[place] = byte;
            check_bytes(&bytes);
        }
    }
}
