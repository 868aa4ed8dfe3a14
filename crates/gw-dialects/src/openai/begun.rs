//! Whether an event stream in OpenAI's format has begun to answer: what comes before the first content says nothing that
//! another provider could not say.

use super::stream::FaultKind;
use crate::scan::{self, Object};
use crate::sse;

/// Values of a member that say nothing.
const EMPTY: [&[u8]; 4] = [b"null", b"\"\"", b"[]", b"{}"];

/// Whether one of these whole events is a part of an answer, or its end. Comments, the assistant's role, empty texts,
/// chunks without choices and errors are not; what is not known is.
///
/// # Errors
/// What stands before any part of an answer is not JSON: no client could read it.
pub fn says_something(events: &[u8]) -> Result<bool, FaultKind> {
    for event in sse::events(events) {
        let is_silent = match event.data.clone() {
            Some(range) if event.data_lines == 1 => is_silent(&events[range])?,
            Some(_) => is_silent(&sse::data(events, &event))?,
            None => true,
        };
        if !is_silent {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_silent(data: &[u8]) -> Result<bool, FaultKind> {
    let text = std::str::from_utf8(data).map_err(|_| FaultKind::NotUtf8)?.trim();
    if text.starts_with("[DONE]") {
        return Ok(false);
    }
    let chunk = Object::parse(text).map_err(|_| FaultKind::NotJson)?;
    if super::error::said(&chunk).is_some() {
        return Ok(true);
    }
    let mut is_silent = true;
    let choices = chunk.elements("choices", |choice| is_silent &= is_silent_choice(choice));
    Ok(choices.is_some() && is_silent)
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
    use super::*;

    #[test]
    fn what_comes_before_the_first_word_says_nothing() {
        for silent in [
            ": keep-alive\n\n",
            "data: {\"choices\":[]}\n\n",
            "data: {\"choices\":[],\"prompt_filter_results\":[{\"x\":1}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"},\"finish_reason\":null}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null,\"tool_calls\":[]}}]}\n\n",
            "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":null}]}\n\n",
            "data: {\"error\":{\"message\":\"overloaded\"}}\n\n",
        ] {
            assert_eq!(says_something(silent.as_bytes()), Ok(false), "{silent}");
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
            assert_eq!(says_something(telling.as_bytes()), Ok(true), "{telling}");
        }
    }

    #[test]
    fn what_is_no_json_is_no_beginning() {
        const ROLE: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n";
        for rubbish in ["data: {\"a\n\n", "data: {} {}\n\n", "data: {\"a\":}\n\n"] {
            assert_eq!(says_something(rubbish.as_bytes()), Err(FaultKind::NotJson), "{rubbish}");
            assert_eq!(says_something([ROLE, rubbish].concat().as_bytes()), Err(FaultKind::NotJson), "{rubbish}");
        }
    }
}
