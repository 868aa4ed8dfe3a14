//! A whole answer.

use bytes::Bytes;
use gw_core::chat::{
    Candidate, ChatAnswer, Citation, Collector, Extra, Family, Media, MediaKind, MediaSource, Opaque, Part, Reasoning,
    ToolCall, ToolInput,
};
use gw_core::{Error, Usage};
use serde_json::{Map, Value, json};

use super::stream::Reader;
use super::{FAMILY, finish, reasoning};
use crate::chat::{Asked, Origin};
use crate::shared::refusal;

/// Members of an answer besides OpenAI's required ones that clients of this dialect understand: OpenAI's, Perplexity's,
/// OpenRouter's, Azure's.
const KNOWN_EXTRA: [&str; 6] =
    ["system_fingerprint", "moderation", "citations", "search_results", "provider", "prompt_filter_results"];

/// What a provider answered.
pub(super) fn decode(body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error> {
    let provider = &origin.provider;
    let invalid = || refusal::invalid(provider, "something that is not an answer in OpenAI's format");
    // DeepSeek begins with blank lines while it lets a request wait.
    let text = std::str::from_utf8(body).map_err(|_| invalid())?.trim();
    let mut reader = Reader::new(origin.clone());
    let mut events = Vec::new();
    reader.chunk(text, true, &mut events)?;
    if !reader.has_answer() {
        return Err(refusal::invalid(provider, "an answer without `choices`"));
    }
    reader.finish(&mut events);
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    Ok(collector.into_answer())
}

/// The answer as OpenAI would write it.
pub(super) fn encode(answer: &ChatAnswer, asked: &Asked) -> Bytes {
    let model = if answer.model.is_empty() { &asked.request.model } else { &answer.model };
    let choices: Vec<Value> = answer
        .candidates
        .iter()
        .zip(0u32..)
        .map(|(candidate, index)| {
            let (calls, refuses) = (candidate.calls_tools(), finish::refuses(candidate));
            let mut message = message(candidate, &format!("audio_{}_{index}", asked.request_id), asked.now_s);
            let mut word = finish::word(candidate.finish.reason, calls, refuses);
            if asked.request.older_functions {
                older_call(&mut message);
                word = finish::older_word(word);
            }
            let mut choice = json!({
                "index": index,
                "message": message,
                "logprobs": candidate.logprobs.as_ref().map(|tokens| json!({"content": tokens, "refusal": null})),
                "finish_reason": word,
            });
            if let (Some(native), Value::Object(choice)) = (finish::native(&candidate.finish), &mut choice) {
                choice.insert("native_finish_reason".to_owned(), Value::from(native));
            }
            choice
        })
        .collect();
    let mut written = Map::from_iter([
        ("id".to_owned(), Value::from(id(&answer.id, asked))),
        ("object".to_owned(), Value::from("chat.completion")),
        ("created".to_owned(), Value::from(answer.created_s.unwrap_or(asked.now_s))),
        ("model".to_owned(), Value::from(model.as_str())),
        ("choices".to_owned(), Value::from(choices)),
    ]);
    if let Some(reported) = &answer.usage {
        written.insert("usage".to_owned(), usage(reported));
    }
    if let Some(tier) = &answer.service_tier {
        written.insert("service_tier".to_owned(), Value::from(tier.as_str()));
    }
    written.extend(known_extra(&answer.extra));
    Bytes::from(Value::Object(written).to_string())
}

/// Members of an answer that clients of this dialect understand.
pub(super) fn known_extra(extra: &Extra) -> impl Iterator<Item = (String, Value)> {
    let members = extra.of(FAMILY).into_iter().flatten();
    let known = members.filter(|(name, _)| KNOWN_EXTRA.contains(&name.as_str()));
    known.map(|(name, value)| (name.clone(), value.clone()))
}

/// The provider's id in OpenAI's form, or one of the gateway's.
pub(super) fn id(id: &str, asked: &Asked) -> String {
    match id {
        "" => format!("chatcmpl-{}", asked.request_id),
        own if own.starts_with("chatcmpl-") => own.to_owned(),
        other => format!("chatcmpl-{other}"),
    }
}

/// What was used, in OpenAI's words.
pub(super) fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens.saturating_add(usage.output_tokens),
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "audio_tokens": usage.audio_input_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.audio_output_tokens,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

/// Tells the call of a message in the older way, which has a place for one and none for its id.
fn older_call(message: &mut Value) {
    let Some(message) = message.as_object_mut() else { return };
    let calls = message.shift_remove("tool_calls");
    let call = calls.as_ref().and_then(|calls| calls.get(0)).and_then(|call| call.get("function"));
    if let Some(call) = call {
        message.insert("function_call".to_owned(), call.clone());
    }
}

fn message(candidate: &Candidate, audio_id: &str, now_s: u64) -> Value {
    let text = candidate.text();
    let refusal: String = candidate.parts.iter().filter_map(refusal_of).collect();
    let speech = candidate.parts.iter().find_map(|part| match part {
        Part::Media(Media { kind: MediaKind::Audio, source: MediaSource::Inline { data, .. }, .. }) => Some(data),
        _ => None,
    });
    let says_otherwise = candidate.calls_tools() || !refusal.is_empty();
    let content =
        if speech.is_some() || (text.is_empty() && says_otherwise) { Value::Null } else { text.as_str().into() };
    let mut message = Map::from_iter([
        ("role".to_owned(), Value::from("assistant")),
        ("content".to_owned(), content),
        ("refusal".to_owned(), if refusal.is_empty() { Value::Null } else { Value::from(refusal) }),
    ]);
    let mut say = |name: &str, list: Vec<Value>| {
        if !list.is_empty() {
            message.insert(name.to_owned(), Value::from(list));
        }
    };
    say("annotations", annotations(candidate));
    say("images", candidate.parts.iter().filter_map(picture_of).collect());
    say("tool_calls", candidate.parts.iter().filter_map(call_of).collect());
    let thoughts = candidate.parts.iter().filter_map(thought_of);
    // Details are for those who send the message back: without state there is nothing to keep.
    if thoughts.clone().any(|thought| thought.opaque.is_some()) {
        say("reasoning_details", numbered(thoughts.clone().flat_map(reasoning::details).collect()));
    }
    let shown: Vec<&str> = thoughts.map(|thought| thought.text.as_str()).filter(|text| !text.is_empty()).collect();
    if !shown.is_empty() {
        message.insert("reasoning_content".to_owned(), Value::from(shown.join("\n")));
    }
    if let Some(data) = speech {
        // Nobody keeps it: it cannot be referred to later.
        let speech = json!({"id": audio_id, "data": data, "expires_at": now_s, "transcript": text});
        message.insert("audio".to_owned(), speech);
    }
    let state = candidate.parts.iter().rev().find_map(|part| match part {
        Part::Text(text) => text.opaque.as_ref(),
        _ => None,
    });
    if let Some(state) = state {
        message.insert("extra_content".to_owned(), signature(&state.seal(Family::Gemini)));
    }
    Value::Object(message)
}

/// Entries of `reasoning_details` with their places, as OpenRouter numbers them.
pub(super) fn numbered(mut entries: Vec<Value>) -> Vec<Value> {
    for (entry, index) in entries.iter_mut().filter_map(Value::as_object_mut).zip(0u32..) {
        entry.entry("index").or_insert_with(|| Value::from(index));
    }
    entries
}

fn annotations(candidate: &Candidate) -> Vec<Value> {
    let citations = candidate.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.citations.iter()),
        _ => None,
    });
    citations.flatten().filter_map(annotation).collect()
}

/// A source in OpenAI's words; `None` if it has no address, without which OpenAI knows none.
pub(super) fn annotation(citation: &Citation) -> Option<Value> {
    if let Some(native) = citation.native.as_ref().filter(|native| native.family == FAMILY) {
        return Some(native.value.clone());
    }
    let url = citation.url.as_deref()?;
    let (start, end) = citation.range.unwrap_or_default();
    let title = citation.title.as_deref().unwrap_or(url);
    let about = json!({"url": url, "title": title, "start_index": start, "end_index": end});
    Some(json!({"type": "url_citation", "url_citation": about}))
}

/// A picture in OpenRouter's words; OpenAI's format has none. Its state stands in it as in a call.
pub(super) fn picture(media_type: &str, data: &str, state: Option<&Opaque>) -> Value {
    let mut picture = json!({"type": "image_url", "image_url": {"url": format!("data:{media_type};base64,{data}")}});
    if let Some(state) = state {
        picture["extra_content"] = signature(&state.seal(Family::Gemini));
    }
    picture
}

/// State in Google's spelling.
pub(super) fn signature(sealed: &str) -> Value {
    json!({"google": {"thought_signature": sealed}})
}

fn refusal_of(part: &Part) -> Option<&str> {
    match part {
        Part::Refusal(text) => Some(text),
        _ => None,
    }
}

fn thought_of(part: &Part) -> Option<&Reasoning> {
    match part {
        Part::Reasoning(thought) => Some(thought),
        _ => None,
    }
}

fn picture_of(part: &Part) -> Option<Value> {
    match part {
        Part::Media(Media {
            kind: MediaKind::Image, source: MediaSource::Inline { media_type, data }, opaque, ..
        }) => Some(picture(media_type, data, opaque.as_ref())),
        Part::Native(native) if native.family == FAMILY && native.kind == "image_url" => Some(native.value.clone()),
        _ => None,
    }
}

fn call_of(part: &Part) -> Option<Value> {
    let Part::ToolCall(ToolCall { id, name, input, opaque, .. }) = part else { return None };
    let mut call = match input {
        ToolInput::Text(input) => json!({"id": id, "type": "custom", "custom": {"name": name, "input": input}}),
        ToolInput::Json(json) => {
            let arguments = if json.trim().is_empty() { "{}" } else { json };
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
        }
    };
    if let (Some(opaque), Value::Object(call)) = (opaque, &mut call) {
        call.insert("extra_content".to_owned(), signature(&opaque.seal(Family::Gemini)));
    }
    Some(call)
}
