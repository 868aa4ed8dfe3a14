//! What is learned from an answer that is not a stream.

use std::fmt;

use bytes::{Bytes, BytesMut};
use gw_core::Usage;
use memchr::memmem;

use super::{error, usage};
use crate::DialectId;
use crate::scan::{Object, ScanError};

/// The end of an answer that is kept: the usage stands there.
const TAIL_BYTES: usize = 8 << 10;

/// What a whole answer says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeScan {
    /// What was used.
    pub usage: Option<Usage>,
    /// Whether it is an error in spite of its status.
    pub has_error: bool,
    /// Whether it says why it ended. Only looked for where no token of output was used.
    pub told_end: bool,
}

/// An answer is not a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson;

/// Reads an answer. All of it is checked.
///
/// # Errors
/// It is not one JSON object.
pub fn scan_response(dialect: DialectId, body: &[u8]) -> Result<WholeScan, NotJson> {
    // OpenAI's three differ in nothing that is looked for here.
    debug_assert!(dialect.is_plain_openai(), "{dialect:?}");
    let text = std::str::from_utf8(body).map_err(|_| NotJson)?;
    let answer = Object::parse(text).map_err(|_: ScanError| NotJson)?;
    let usage = usage::of_answer(&answer);
    let is_empty = usage.is_some_and(|usage| usage.output_tokens == 0);
    Ok(WholeScan { usage, has_error: error::said(&answer).is_some(), told_end: !is_empty || told_end(&answer) })
}

fn told_end(answer: &Object<'_>) -> bool {
    let mut told = false;
    answer.elements("choices", |choice| {
        told |= Object::parse(choice).is_ok_and(|choice| {
            choice.get("finish_reason").is_some_and(|reason| !matches!(reason, "\"\"" | "\"error\""))
        });
    });
    told
}

/// Learns the usage from an answer that is too large to be held.
#[derive(Debug, Default)]
pub struct TailScan {
    tail: BytesMut,
}

impl TailScan {
    /// Takes the next piece of the answer.
    pub fn feed(&mut self, piece: &Bytes) {
        let kept = piece.len().min(TAIL_BYTES);
        let excess = (self.tail.len() + kept).saturating_sub(TAIL_BYTES);
        // Moved only now and then, so that an answer in small pieces is not copied over and over.
        if excess >= TAIL_BYTES || kept == TAIL_BYTES {
            let start = excess.min(self.tail.len());
            self.tail = BytesMut::from(&self.tail[start..]);
        }
        self.tail.extend_from_slice(&piece[piece.len() - kept..]);
    }

    /// What was used, as far as has been fed.
    pub fn usage(&self) -> Option<Usage> {
        // The last report is the one of the whole answer.
        memmem::rfind_iter(&self.tail, br#""usage""#).find_map(|at| {
            let rest = self.tail[at + br#""usage""#.len()..].trim_ascii_start().strip_prefix(b":")?;
            let value =
                serde_json::Deserializer::from_slice(rest).into_iter::<&serde_json::value::RawValue>().next()?;
            usage::of_report(&Object::parse(value.ok()?.get()).ok()?)
        })
    }
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is not a JSON object")
    }
}

impl std::error::Error for NotJson {}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: DialectId = DialectId::OpenAiChat;
    const USAGE: &str = r#""usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}"#;

    fn expected() -> Option<Usage> {
        Some(Usage { input_tokens: 3, output_tokens: 4, ..Usage::default() })
    }

    #[test]
    fn usage_is_learned_from_a_whole_answer() {
        // DeepSeek sends blank lines while a request waits.
        let body = format!("\n\n\r\n{{\"choices\":[],{USAGE}}}\n");
        let scan = scan_response(CHAT, body.as_bytes()).unwrap();
        assert_eq!(scan, WholeScan { usage: expected(), has_error: false, told_end: true });
        assert_eq!(scan_response(CHAT, b"{}").unwrap(), WholeScan { usage: None, has_error: false, told_end: true });
    }

    #[test]
    fn an_error_in_a_successful_answer_is_noticed() {
        let has_error = |body: &str| scan_response(CHAT, body.as_bytes()).unwrap().has_error;
        assert!(has_error(r#"{"error":{"message":"no"}}"#));
        assert!(has_error(r#"{"object":"error","message":"no"}"#));
        assert!(!has_error(r#"{"error":null,"choices":[]}"#));
        assert!(!has_error(r#"{"error":{},"choices":[]}"#));
    }

    #[test]
    fn an_empty_answer_says_why_it_ended_or_not() {
        let told = |choices: &str, output: u32| {
            let usage = format!(r#""usage":{{"prompt_tokens":3,"completion_tokens":{output}}}"#);
            scan_response(CHAT, format!(r#"{{"choices":[{choices}],{usage}}}"#).as_bytes()).unwrap().told_end
        };
        assert!(!told("", 0) && !told(r#"{"finish_reason":null}"#, 0) && !told(r#"{"finish_reason":""}"#, 0));
        assert!(!told(r#"{"finish_reason":"error"}"#, 0));
        assert!(told(r#"{"finish_reason":null},{"finish_reason":"content_filter"}"#, 0));
        assert!(told("", 1), "one that is not empty is not looked at");
    }

    #[test]
    fn what_is_not_one_whole_object_is_no_answer() {
        for body in [&b""[..], b"\n\n", b"<html>", b"{\"a\":1", b"{} {}", b"[]", b"{\"a\":\"\xff\"}"] {
            assert_eq!(scan_response(CHAT, body), Err(NotJson));
        }
    }

    #[test]
    fn usage_is_learned_from_the_end_of_an_answer_in_any_pieces() {
        let text = format!(r#"{{"data":"{}",{USAGE},"x":{{"usage":null}}}}"#, "0".repeat(5 * TAIL_BYTES));
        for size in [1, 7, 1_000, TAIL_BYTES - 1, TAIL_BYTES, TAIL_BYTES + 1, 3 * TAIL_BYTES, text.len()] {
            let mut scan = TailScan::default();
            for piece in text.as_bytes().chunks(size) {
                scan.feed(&Bytes::copy_from_slice(piece));
                assert!(scan.tail.len() <= 3 * TAIL_BYTES);
            }
            assert_eq!(scan.usage(), expected(), "pieces of {size}");
        }
    }

    #[test]
    fn an_answer_that_was_cut_off_tells_no_usage() {
        let mut scan = TailScan::default();
        scan.feed(&Bytes::from_static(br#"{"content":"\"usage\":{\"prompt_tokens\":1}","usage":{"prompt_tok"#));
        assert_eq!(scan.usage(), None);
    }
}
