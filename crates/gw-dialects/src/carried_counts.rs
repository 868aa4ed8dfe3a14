//! What is billed by the piece where an operation is carried: pictures, seconds, characters. Requests say it, or answers do.
//!
//! Names of JSON members are searched for in the text as it passes: within a string a quotation mark is escaped, so that
//! what is found with both of its own is a name, or a value that is nothing else.

use gw_core::money::rounded;
use gw_core::{Operation, Usage};
use memchr::memmem;

use crate::scan::Object;

/// Beginnings of answers that are kept: a recording's length stands there.
const HEAD_BYTES: usize = 4 << 10;
/// A picture's or frame's sides are not longer.
const SIDE_MAX: u32 = 1 << 15;

/// Members that each hold a picture; of the two, one is there for each.
const PICTURES: [&[u8]; 2] = [b"\"b64_json\"", b"\"url\""];
/// Events that each hold a picture that is done; others hold one that is not.
const PICTURES_DONE: [&[u8]; 2] = [b"\"image_generation.completed\"", b"\"image_edit.completed\""];

/// Whether an operation is billed once it was answered, whatever the answer says.
pub fn is_billed(operation: Operation) -> bool {
    matches!(operation, Operation::Images | Operation::Speech | Operation::Transcription | Operation::Videos)
}

/// What a request in JSON says that will be billed.
pub fn of_request(operation: Operation, body: &[u8]) -> Usage {
    let Some(request) = std::str::from_utf8(body).ok().and_then(|text| Object::parse(text).ok()) else {
        return Usage::default();
    };
    match operation {
        Operation::Speech => {
            let characters = request.string("input").map_or(0, |input| input.chars().count() as u64);
            Usage { characters, ..Usage::default() }
        }
        Operation::Images | Operation::Videos => Usage { pixels: pixels(&request).unwrap_or(0), ..Usage::default() },
        _ => Usage::default(),
    }
}

/// What the answer to a request for a film says that will be billed: it is made later.
pub fn of_video(answer: &[u8]) -> Option<Usage> {
    let text = std::str::from_utf8(answer).ok()?;
    let answer = Object::parse(text).ok()?;
    let (media_ms, pixels) = (media_ms(&answer).unwrap_or(0), pixels(&answer).unwrap_or(0));
    Some(Usage { media_ms, pixels, ..Usage::default() })
}

/// The length of a recording or film, in milliseconds: `seconds` as a number or a text, or `duration`.
pub(crate) fn media_ms(report: &Object<'_>) -> Option<u64> {
    let raw = report.get("seconds").or_else(|| report.get("duration"))?;
    let seconds = raw.trim_matches('"');
    rounded(seconds, 3).and_then(|ms| u64::try_from(ms).ok())
}

/// The points of a picture or frame: `size` is `WIDTHxHEIGHT`.
fn pixels(object: &Object<'_>) -> Option<u32> {
    let size = object.string("size")?;
    let (width, height) = size.split_once('x')?;
    let side = |text: &str| text.parse::<u32>().ok().filter(|side| *side <= SIDE_MAX);
    side(width)?.checked_mul(side(height)?)
}

/// Counts the pieces of an answer as it passes.
#[derive(Debug)]
pub(crate) struct Pieces {
    operation: Operation,
    names: [Occurrences; 4],
    head: Vec<u8>,
}

impl Pieces {
    pub(crate) fn new(operation: Operation) -> Self {
        let [base64, address] = PICTURES;
        let [made, edited] = PICTURES_DONE;
        Self { operation, names: [base64, address, made, edited].map(Occurrences::of), head: Vec::new() }
    }

    pub(crate) fn feed(&mut self, piece: &[u8]) {
        match self.operation {
            Operation::Images => self.names.iter_mut().for_each(|name| name.feed(piece)),
            Operation::Transcription => {
                let room = HEAD_BYTES - self.head.len();
                self.head.extend_from_slice(&piece[..piece.len().min(room)]);
            }
            _ => {}
        }
    }

    /// What the answer's reports say, with the pieces that were counted.
    pub(crate) fn counted(&self, reported: Usage) -> Usage {
        match self.operation {
            Operation::Images => {
                let [base64, address, made, edited] = &self.names;
                let done = made.count.saturating_add(edited.count);
                let images = if done > 0 { done } else { base64.count.max(address.count) };
                // Who reports no parts means pictures.
                let image_output_tokens = or_all(reported.image_output_tokens, reported.output_tokens);
                Usage { images, image_output_tokens, ..reported }
            }
            Operation::Speech => {
                let audio_output_tokens = or_all(reported.audio_output_tokens, reported.output_tokens);
                Usage { audio_output_tokens, ..reported }
            }
            Operation::Transcription if reported.media_ms == 0 => {
                Usage { media_ms: duration(&self.head).unwrap_or(0), ..reported }
            }
            _ => reported,
        }
    }
}

fn or_all(part: u64, all: u64) -> u64 {
    if part > 0 { part } else { all }
}

/// The recording's length, in milliseconds, as the beginning of an answer in JSON says it.
fn duration(head: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"\"duration\"";
    let rest = head.get(memmem::find(head, NAME)? + NAME.len()..)?.trim_ascii_start().strip_prefix(b":")?;
    let number = rest.trim_ascii_start();
    let end = number.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'-' | b'+'))?;
    let number = std::str::from_utf8(&number[..end]).ok()?;
    rounded(number, 3).and_then(|ms| u64::try_from(ms).ok())
}

/// How often a text occurs, in whatever pieces it comes.
#[derive(Debug)]
struct Occurrences {
    text: &'static [u8],
    count: u64,
    /// The end of what came, too short to hold the text.
    carried: Vec<u8>,
}

impl Occurrences {
    fn of(text: &'static [u8]) -> Self {
        Self { text, count: 0, carried: Vec::new() }
    }

    fn feed(&mut self, piece: &[u8]) {
        let overlap = self.text.len() - 1;
        // What begins in an earlier piece ends in the first few bytes of this one.
        let joint = [&self.carried, &piece[..piece.len().min(overlap)]].concat();
        self.count += memmem::find_iter(&joint, self.text).count() as u64;
        self.count += memmem::find_iter(piece, self.text).count() as u64;
        let end = if piece.len() >= overlap { piece } else { &joint };
        self.carried = end[end.len().saturating_sub(overlap)..].to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(operation: Operation, answer: &str, size: usize) -> Usage {
        let mut pieces = Pieces::new(operation);
        answer.as_bytes().chunks(size).for_each(|piece| pieces.feed(piece));
        pieces.counted(Usage::default())
    }

    #[test]
    fn pictures_are_counted_in_whatever_pieces_the_answer_comes() {
        let answer = r#"{"created":1,"data":[{"b64_json":"AAAA","revised_prompt":"a \"b64_json\": \"url\" sign"},
            {"b64_json":"BBBB"},{"b64_json":"CCCC"}]}"#;
        let links = r#"{"data":[{"url":"https://x/1","b64_json":null},{"url":"https://x/2","b64_json":null}]}"#;
        let stream = "data: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"A\"}\n\n\
                      data: {\"type\":\"image_generation.completed\",\"b64_json\":\"AB\"}\n\n";
        for size in 1..300 {
            assert_eq!(counted(Operation::Images, answer, size).images, 3, "{size}");
            assert_eq!(counted(Operation::Images, links, size).images, 2, "{size}");
            assert_eq!(counted(Operation::Images, stream, size).images, 1, "{size}");
        }
        assert_eq!(counted(Operation::Speech, answer, 7).images, 0);
    }

    #[test]
    fn a_recordings_length_is_read_wherever_the_answer_says_it() {
        let long = "x".repeat(20_000);
        let verbose = format!(r#"{{"task":"transcribe","language":"en","duration": 8.4700002,"text":"{long}"}}"#);
        assert_eq!(counted(Operation::Transcription, &verbose, 100).media_ms, 8_470);
        let quoting = r#"{"text":"say \"duration\": 5","usage":{"type":"duration","seconds":2}}"#;
        assert_eq!(counted(Operation::Transcription, quoting, 100).media_ms, 0);
        let report = |text: &'static str| media_ms(&Object::parse(text).unwrap());
        assert_eq!(report(r#"{"type":"duration","seconds":9.2}"#), Some(9_200));
        assert_eq!(report(r#"{"seconds":"8"}"#), Some(8_000));
        assert_eq!(report(r#"{"seconds":"-8"}"#), None);
    }

    #[test]
    fn a_request_says_its_characters_and_its_size() {
        let of = |operation, body: &str| of_request(operation, body.as_bytes());
        assert_eq!(of(Operation::Speech, r#"{"input":"größe \ud83d\ude00"}"#).characters, 7);
        assert_eq!(of(Operation::Images, r#"{"size":"1024x1536"}"#).pixels, 1_572_864);
        for body in [r#"{"size":"auto"}"#, r#"{"size":"99999999999x2"}"#, "[]", "{}"] {
            assert_eq!(of(Operation::Videos, body), Usage::default(), "{body}");
        }
        let video = of_video(br#"{"id":"v","seconds":"8","size":"1792x1024"}"#).unwrap();
        assert_eq!((video.media_ms, video.pixels), (8_000, 1_835_008));
    }
}
