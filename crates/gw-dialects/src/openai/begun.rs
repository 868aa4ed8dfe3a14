//! Whether an event stream in OpenAI's format has begun to answer: what comes before the first content says nothing that
//! another provider could not say.

use super::stream::FaultKind;
use crate::scan::{self, Object};
use crate::sse;

/// Values of a member that say nothing.
const EMPTY: [&[u8]; 4] = [b"null", b"\"\"", b"[]", b"{}"];

/// How an answer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// With a part of it, or with its end.
    Answer,
    /// With an error, whatever follows.
    Error,
}

/// What the first of these whole events says that says anything. Comments, the assistant's role, empty texts and chunks
/// without choices say nothing; what is not known does.
///
/// # Errors
/// What stands before any part of an answer is not JSON: no client could read it.
pub fn beginning(events: &[u8]) -> Result<Option<Beginning>, FaultKind> {
    for event in sse::events(events) {
        let begins = match event.data.clone() {
            Some(range) if event.data_lines == 1 => said(&events[range])?,
            Some(_) => said(&sse::data(events, &event))?,
            None => None,
        };
        if begins.is_some() {
            return Ok(begins);
        }
    }
    Ok(None)
}

fn said(data: &[u8]) -> Result<Option<Beginning>, FaultKind> {
    let text = std::str::from_utf8(data).map_err(|_| FaultKind::NotUtf8)?.trim();
    if text.starts_with("[DONE]") {
        return Ok(Some(Beginning::Answer));
    }
    let chunk = Object::parse(text).map_err(|_| FaultKind::NotJson)?;
    if super::error::said(&chunk).is_some() {
        return Ok(Some(Beginning::Error));
    }
    let mut is_silent = true;
    let choices = chunk.elements("choices", |choice| is_silent &= is_silent_choice(choice));
    Ok((choices.is_none() || !is_silent).then_some(Beginning::Answer))
}

fn is_silent_choice(choice: &str) -> bool {
    let Ok(choice) = Object::parse(choice) else { return false };
    let is_delta_silent = choice.get("delta").is_none_or(|delta| {
        let (text, delta) = (delta.as_bytes(), scan::top_level(delta.as_bytes()));
        let is_empty = |field: &scan::Field| *field.name(text) == *b"role" || EMPTY.contains(&&text[field.value()]);
        delta.is_ok_and(|delta| delta.iter().all(is_empty))
    });
    is_delta_silent && choice.get("finish_reason").is_none() && choice.get("text").is_none_or(|text| text == "\"\"")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::DialectId;
    use crate::stream::{StreamScan, StreamScanOptions};

    #[test]
    fn what_comes_before_the_first_word_says_nothing() {
        for silent in [
            ": keep-alive\n\n",
            "data: {\"choices\":[]}\n\n",
            "data: {\"choices\":[],\"prompt_filter_results\":[{\"x\":1}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"},\"finish_reason\":null}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null,\"tool_calls\":[]}}]}\n\n",
            "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":null}]}\n\n",
        ] {
            assert_eq!(beginning(silent.as_bytes()), Ok(None), "{silent}");
        }
    }

    #[test]
    fn an_error_before_the_first_word_is_one_wherever_the_stream_is_cut() {
        let (role, error, word, done) = (
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
            "data: {\"error\":{\"message\":\"overloaded\"}}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"h\"}}]}\n\n",
            "data: [DONE]\n\n",
        );
        for (events, begins) in [
            (vec![error], Beginning::Error),
            (vec![error, done], Beginning::Error),
            (vec![role, error, word, done], Beginning::Error),
            (vec![role, word, error, done], Beginning::Answer),
            (vec![role, done], Beginning::Answer),
            (vec![done], Beginning::Answer),
        ] {
            let stream = Bytes::from(events.concat());
            for cut in 0..=stream.len() {
                let options = StreamScanOptions { dialect: DialectId::OpenAiChat, withhold_usage_chunk: true };
                let mut scan = StreamScan::new(options);
                let pieces = [stream.slice(..cut), stream.slice(cut..)].map(|piece| scan.feed(piece).unwrap());
                let found = pieces.iter().flatten().find_map(|piece| beginning(piece).unwrap());
                assert_eq!(found, Some(begins), "{events:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_word_a_thought_a_tool_and_the_end_say_something_and_so_does_what_nobody_knows() {
        for telling in [
            "data: {\"choices\":[{\"delta\":{\"content\":\"h\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\" \"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"h\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
            "data: {\"choices\":[{\"text\":\"h\"}]}\n\n",
            "data: {\"something\":\"else\"}\n\n",
            "data: [DONE]\n\n",
            ": ping\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"h\"}}]}\n\n",
        ] {
            assert_eq!(beginning(telling.as_bytes()), Ok(Some(Beginning::Answer)), "{telling}");
        }
    }

    #[test]
    fn what_is_no_json_is_no_beginning() {
        const ROLE: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n";
        for rubbish in ["data: {\"a\n\n", "data: {} {}\n\n", "data: {\"a\":}\n\n"] {
            assert_eq!(beginning(rubbish.as_bytes()), Err(FaultKind::NotJson), "{rubbish}");
            assert_eq!(beginning([ROLE, rubbish].concat().as_bytes()), Err(FaultKind::NotJson), "{rubbish}");
        }
    }
}
