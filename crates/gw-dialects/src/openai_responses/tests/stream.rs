use bytes::BytesMut;
use gw_core::chat::event::check;
use gw_core::chat::{
    Candidate, ChatAnswer, ChatRequest, Collector, Event, Family, Opaque, OpaqueKind, Part, Text, ToolCall,
};
use gw_core::{Error, ErrorCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::answer::{answer, sample};
use super::{asked, decoded, origin};
use crate::chat::{Egress, Ingress, RequestLine};
use crate::openai_responses::OpenAiResponses;

fn framed(events: &[Value]) -> String {
    let event = |(number, event): (usize, &Value)| {
        let mut event = event.clone();
        event["sequence_number"] = json!(number);
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
    };
    events.iter().enumerate().map(event).collect()
}

/// The sample as OpenAI streams it.
fn stream() -> Vec<Value> {
    let whole = sample();
    let item = |place: usize| whole["output"][place].clone();
    let mut begun = whole.clone();
    begun["status"] = json!("in_progress");
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    let mut events = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.in_progress", "response": begun}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": []}}),
    ];
    for (place, words) in [["Fir", "st."], ["Th", "en."]].into_iter().enumerate() {
        events.push(json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": place, "part": {}}));
        for word in words {
            events.push(json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": place, "delta": word}));
        }
        events.push(json!({"type": "response.reasoning_summary_text.done", "output_index": 0, "summary_index": place, "text": words.concat()}));
    }
    events.extend([
        json!({"type": "response.output_item.done", "output_index": 0, "item": item(0)}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "web_search_call", "id": "ws_1", "status": "in_progress"}}),
        json!({"type": "response.web_search_call.searching", "output_index": 1, "item_id": "ws_1"}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": item(1)}),
        json!({"type": "response.output_item.added", "output_index": 2, "item": {"type": "message", "id": "msg_1", "status": "in_progress", "role": "assistant", "phase": "commentary", "content": []}}),
        json!({"type": "response.content_part.added", "output_index": 2, "content_index": 0, "part": {"type": "output_text", "text": ""}}),
        json!({"type": "response.output_text.delta", "output_index": 2, "content_index": 0, "delta": "Grü", "logprobs": []}),
        json!({"type": "response.output_text.delta", "output_index": 2, "content_index": 0, "delta": "ße 🌍", "logprobs": []}),
        json!({"type": "response.output_text.annotation.added", "output_index": 2, "content_index": 0, "annotation_index": 0, "annotation": item(2)["content"][0]["annotations"][0]}),
        json!({"type": "response.output_text.done", "output_index": 2, "content_index": 0, "text": "Grüße 🌍"}),
        json!({"type": "response.content_part.done", "output_index": 2, "content_index": 0, "part": item(2)["content"][0]}),
        json!({"type": "response.output_item.done", "output_index": 2, "item": item(2)}),
        json!({"type": "response.output_item.added", "output_index": 3, "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 3, "delta": "{\"a\""}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 3, "delta": ":1}"}),
        json!({"type": "response.function_call_arguments.done", "output_index": 3, "arguments": "{\"a\":1}", "name": "f"}),
        json!({"type": "response.output_item.done", "output_index": 3, "item": item(3)}),
        json!({"type": "response.something.new", "output_index": 4, "x": 1}),
        json!({"type": "response.output_item.done", "output_index": 4, "item": item(4)}),
        json!({"type": "response.output_item.added", "output_index": 5, "item": {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_3", "name": "c", "input": ""}}),
        json!({"type": "response.custom_tool_call_input.delta", "output_index": 5, "delta": "fr"}),
        json!({"type": "response.custom_tool_call_input.done", "output_index": 5, "input": "free"}),
        json!({"type": "response.output_item.done", "output_index": 5, "item": item(5)}),
        json!({"type": "response.output_item.done", "output_index": 6, "item": item(6)}),
        json!({"type": "response.completed", "response": whole}),
    ]);
    events
}

fn read(pieces: &[&[u8]]) -> (Vec<Event>, Result<(), Error>) {
    let mut decoder = OpenAiResponses.decoder(origin());
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.decode(piece, &mut events) {
            return (events, Err(error));
        }
    }
    let end = decoder.end(&mut events);
    (events, end)
}

fn collected(events: Vec<Event>) -> gw_core::chat::ChatAnswer {
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    collector.into_answer()
}

#[test]
fn a_stream_says_what_the_whole_answer_says_however_it_is_cut() {
    let bytes = framed(&stream()).into_bytes();
    let (whole, end) = read(&[&bytes]);
    end.unwrap();
    assert_eq!(check(&whole), None);
    assert_eq!(collected(whole.clone()), answer());
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read(&single).0, whole);
    // Fewer events, since each place is tried.
    let bytes =
        framed(&[&stream()[13..15], &[json!({"type": "response.completed", "response": {}})]].concat()).into_bytes();
    let (whole, _) = read(&[&bytes]);
    for cut in 0..bytes.len() {
        let (events, end) = read(&[&bytes[..cut], &bytes[cut..]]);
        assert!(end.is_ok() && events == whole, "{cut}");
    }
}

#[test]
fn line_ends_comments_and_a_missing_last_line_change_nothing() {
    let plain = framed(&stream());
    let (whole, _) = read(&[plain.as_bytes()]);
    for other in [
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        plain.replace("event: ", ": ping\nevent: "),
        plain.trim_end().to_owned(),
        format!("{plain}data: [DONE]\n\n"),
    ] {
        assert_eq!(read(&[other.as_bytes()]).0, whole);
    }
}

#[test]
fn items_that_are_mixed_are_told_one_after_another() {
    let mut events = stream();
    let (expected, _) = read(&[framed(&events).as_bytes()]);
    // The call begins, and ends, while the message is still being told.
    let call: Vec<Value> = events.drain(22..27).collect();
    for (place, event) in [15, 17, 18, 19, 20].into_iter().zip(call) {
        events.insert(place, event);
    }
    let (mixed, end) = read(&[framed(&events).as_bytes()]);
    end.unwrap();
    assert_eq!(check(&mixed), None);
    assert_eq!(collected(mixed), collected(expected));
}

#[test]
fn a_stream_of_nothing_but_whole_items_or_of_the_end_alone_is_enough() {
    let all = stream();
    let is = |event: &Value, kinds: &[&str]| kinds.iter().any(|kind| event["type"] == *kind);
    for kinds in [
        &["response.output_item.done", "response.completed"][..],
        &["response.completed"],
        &["response.output_item.added", "response.output_item.done", "response.completed"],
        &["response.output_text.delta", "response.output_item.done", "response.completed"],
    ] {
        let events: Vec<Value> = all.iter().filter(|event| is(event, kinds)).cloned().collect();
        let (events, end) = read(&[framed(&events).as_bytes()]);
        end.unwrap();
        assert_eq!(check(&events), None);
        assert_eq!(collected(events).candidates[0].parts.len(), 7, "{kinds:?}");
    }
}

#[test]
fn a_stream_that_breaks_off_or_tells_an_error_is_an_error() {
    let all = stream();
    let (_, end) = read(&[framed(&all[..20]).as_bytes()]);
    assert_eq!(end.unwrap_err().code, ErrorCode::ProviderStreamInterrupted);
    for (event, code) in [
        (json!({"type": "error", "code": "server_error", "message": "m", "param": null}), ErrorCode::ProviderFailed),
        (
            json!({"type": "error", "error": {"code": "rate_limit_exceeded", "message": "m"}}),
            ErrorCode::ProviderRateLimited,
        ),
        (
            json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_is_overloaded", "message": "m"}}}),
            ErrorCode::ProviderOverloaded,
        ),
        (
            json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "context_length_exceeded", "message": "m"}}}),
            ErrorCode::ContextLengthExceeded,
        ),
    ] {
        let (_, end) = read(&[framed(&[all[0].clone(), event]).as_bytes()]);
        assert_eq!(end.unwrap_err().code, code);
    }
}

fn written(events: &[Event]) -> Vec<Value> {
    let mut encoder = OpenAiResponses.encoder(asked(ChatRequest::default()));
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    encoder.end(&mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    let mut values = Vec::new();
    for block in text.split_terminator("\n\n") {
        let (name, data) = block.split_once('\n').unwrap();
        let value: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: ").unwrap(), value["type"]);
        assert_eq!(value["sequence_number"], values.len());
        values.push(value);
    }
    values
}

#[test]
fn a_stream_is_written_in_openais_grammar_and_ends_with_what_was_streamed() {
    let (events, _) = read(&[framed(&stream()).as_bytes()]);
    let values = written(&events);
    let kinds: Vec<_> =
        values.iter().map(|value| value["type"].as_str().unwrap().trim_start_matches("response.")).collect();
    assert_eq!(
        kinds,
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.annotation.added",
            "output_text.annotation.added",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta", // pitfalls B3
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "custom_tool_call_input.delta",
            "custom_tool_call_input.delta",
            "custom_tool_call_input.done",
            "output_item.done",
            "output_item.added",
            "image_generation_call.completed",
            "output_item.done",
            "completed",
        ]
    );
    let done: Vec<_> = values.iter().filter(|value| value["type"] == "response.output_item.done").collect();
    let last = &values[values.len() - 1]["response"];
    for (place, done) in done.iter().enumerate() {
        assert_eq!(done["output_index"], place);
        assert_eq!(done["item"], last["output"][place]);
    }
    let whole = OpenAiResponses.encode_answer(&answer(), &asked(ChatRequest::default()));
    assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap(), *last);
    let delta = values.iter().find(|value| value["type"] == "response.output_text.delta").unwrap();
    assert_eq!(delta["logprobs"], json!([]));
    assert_eq!(
        values.iter().find(|value| value["type"] == "response.function_call_arguments.done").unwrap()["name"],
        "f"
    );
}

#[test]
fn what_is_written_is_read_as_the_same() {
    let (events, _) = read(&[framed(&stream()).as_bytes()]);
    let written = framed(&written(&events));
    let (events, end) = read(&[written.as_bytes()]);
    end.unwrap();
    assert_eq!(collected(events).candidates, answer().candidates);
}

#[test]
fn what_gemini_signs_is_followed_by_its_signature_and_gets_it_back() {
    let opaque = |data: &str| {
        let (family, provider) = (Family::Gemini, "g".to_owned());
        Some(Opaque { family, provider, kind: OpaqueKind::Signature, data: data.to_owned() })
    };
    let text = |text: &str, opaque| Part::Text(Text { text: text.to_owned(), opaque, ..Text::default() });
    let call = ToolCall { id: "c".to_owned(), name: "f".to_owned(), opaque: opaque("B"), ..ToolCall::default() };
    let parts = vec![text("One.", opaque("A")), text("Two.", None), Part::ToolCall(call)];
    let candidates = vec![Candidate { parts: parts.clone(), ..Candidate::default() }];
    let answer = ChatAnswer { candidates, ..ChatAnswer::default() };
    let whole = OpenAiResponses.encode_answer(&answer, &asked(ChatRequest::default()));
    let output = serde_json::from_slice::<Value>(&whole).unwrap()["output"].take();
    let kinds: Vec<_> = output.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "reasoning", "message", "function_call", "reasoning"]);
    let request = decoded(&json!({"model": "m", "input": output}));
    let said: Vec<Part> = request.messages.into_iter().flat_map(|message| message.parts).collect();
    assert_eq!(said, parts);
    let streamed = written(&answer.into_events());
    assert_eq!(streamed[streamed.len() - 1]["response"]["output"], output);
}

#[test]
fn a_broken_stream_ends_with_an_error_and_a_failed_answer() {
    let mut encoder = OpenAiResponses.encoder(asked(ChatRequest::default()));
    let mut out = BytesMut::new();
    encoder.error(&Error::new(ErrorCode::ProviderStreamInterrupted, "broke"), &mut out);
    encoder.end(&mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    let kinds: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(kinds, ["response.created", "response.in_progress", "error", "response.failed"]);
    let last = text.lines().rfind(|line| line.starts_with("data: ")).unwrap();
    let last: Value = serde_json::from_str(&last[6..]).unwrap();
    assert_eq!(last["response"]["error"]["code"], "server_error");
}

#[test]
fn probabilities_reach_the_client_with_their_text() {
    let token = json!({"token": "Hi", "logprob": -0.5, "top_logprobs": []});
    let events = [
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hi", "logprobs": [token]}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "message", "content": [{"type": "output_text", "text": "Hi", "logprobs": [token]}]}}),
        json!({"type": "response.completed", "response": {"status": "completed"}}),
    ];
    let (events, end) = read(&[framed(&events).as_bytes()]);
    end.unwrap();
    assert_eq!(collected(events.clone()).candidates[0].logprobs, Some(json!([token])));
    let values = written(&events);
    let delta = values.iter().find(|value| value["type"] == "response.output_text.delta").unwrap();
    assert_eq!(delta["logprobs"], json!([{"token": "Hi", "logprob": -0.5, "top_logprobs": [], "bytes": []}]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..200, with in any::<u8>()) {
        let _ = OpenAiResponses.decode_request(&RequestLine::default(), &bytes);
        let _ = OpenAiResponses.decode_answer(&bytes, &origin());
        let _ = read(&[&bytes]);
        let mut nearly = framed(&stream()[2..]).into_bytes();
        let place = at * nearly.len() / 200;
        nearly[place] = with;
        let (events, end) = read(&[&nearly]);
        if end.is_ok() {
            prop_assert_eq!(check(&events), None);
        }
    }
}
