//! Streams, read and written.

use bytes::BytesMut;
use gw_core::ErrorCode;
use gw_core::chat::event::check;
use gw_core::chat::{Block, Collector, Delta, Event, Finish, FinishReason, Opaque, OpaqueKind};
use proptest::prelude::*;
use serde_json::json;

use super::answers::rich;
use super::*;

fn line(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap())
}

fn begin(message: &Value) -> String {
    line(&json!({"type": "message_start", "message": message}))
}

fn start(index: u32, block: &Value) -> String {
    line(&json!({"type": "content_block_start", "index": index, "content_block": block}))
}

fn piece(index: u32, delta: &Value) -> String {
    line(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
}

fn stop(index: u32) -> String {
    line(&json!({"type": "content_block_stop", "index": index}))
}

fn end(delta: &Value, usage: &Value) -> String {
    line(&json!({"type": "message_delta", "delta": delta, "usage": usage})) + &line(&json!({"type": "message_stop"}))
}

/// The rich answer as Anthropic streams it.
fn sample() -> String {
    let answer = rich();
    let block = |index: usize| answer["content"][index].clone();
    let mut message = answer.clone();
    message["content"] = json!([]);
    message["stop_reason"] = Value::Null;
    message["usage"]["output_tokens"] = json!(1);
    let input = |text: &str| json!({"type": "input_json_delta", "partial_json": text});
    [
        begin(&message),
        start(0, &json!({"type": "thinking", "thinking": "", "signature": ""})),
        "event: ping\ndata: {\"type\": \"ping\"}\n\n".to_owned(),
        piece(0, &json!({"type": "thinking_delta", "thinking": "h"})),
        piece(0, &json!({"type": "thinking_delta", "thinking": "m"})),
        piece(0, &json!({"type": "signature_delta", "signature": "c2ln"})),
        stop(0),
        start(1, &block(1)),
        stop(1),
        start(2, &json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}})),
        piece(2, &input("")),
        piece(2, &input("{\"query\":")),
        piece(2, &input(" \"q\"}")),
        stop(2),
        start(3, &block(3)),
        stop(3),
        start(4, &json!({"type": "text", "text": "", "citations": []})),
        piece(4, &json!({"type": "citations_delta", "citation": block(4)["citations"][0]})),
        piece(4, &json!({"type": "text_delta", "text": "Hello — "})),
        line(&json!({"type": "something_new", "data": 1})),
        piece(4, &json!({"type": "text_delta", "text": "☕"})),
        stop(4),
        start(5, &json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}})),
        piece(5, &input("")),
        piece(5, &input("{\"a\"")),
        piece(5, &input(":1}")),
        stop(5),
        start(6, &json!({"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}})),
        stop(6),
        end(
            &json!({"stop_reason": "tool_use", "stop_sequence": null}),
            &json!({"output_tokens": 40, "output_tokens_details": {"thinking_tokens": 5}}),
        ),
    ]
    .concat()
}

fn read(pieces: &[&[u8]], names: &[(&str, &str)]) -> Result<Vec<Event>, Error> {
    let names = names.iter().map(|(sent, name)| ((*sent).to_owned(), (*name).to_owned())).collect();
    let mut decoder = AnthropicMessages.decoder(Origin { names: Rc::new(crate::chat::ToolNames(names)), ..origin() });
    let mut events = Vec::new();
    for piece in pieces {
        decoder.decode(piece, &mut events)?;
    }
    decoder.end(&mut events)?;
    assert_eq!(check(&events), None);
    Ok(events)
}

fn collected(events: Vec<Event>) -> ChatAnswer {
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    collector.into_answer()
}

#[test]
fn a_stream_says_the_same_however_it_is_cut_and_the_same_as_the_whole() {
    let text = sample();
    let bytes = text.as_bytes();
    let events = read(&[bytes], &[]).unwrap();
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read(&single, &[]).unwrap(), events);
    for at in 0..bytes.len() {
        let (one, other) = bytes.split_at(at);
        assert_eq!(read(&[one, other], &[]).unwrap(), events, "{at}");
    }
    for ends in [text.replace('\n', "\r\n"), text.replace('\n', "\r"), text.trim_end().to_owned()] {
        assert_eq!(read(&[ends.as_bytes()], &[]).unwrap(), events);
    }
    let whole = AnthropicMessages.decode_answer(rich().to_string().as_bytes(), &origin()).unwrap();
    assert_eq!(collected(events), whole);
}

#[test]
fn a_call_without_arguments_streams_an_empty_object() {
    // pitfalls B3
    let events = read(&[sample().as_bytes()], &[]).unwrap();
    let last = events.iter().rev().find_map(|event| match event {
        Event::Delta { delta: Delta::Text(text), .. } => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(last, Some("{}"));
}

#[test]
fn a_call_that_stands_for_the_answer_becomes_text_and_others_get_their_names_back() {
    let call = |index, name: &str, text: &str| {
        [
            start(index, &json!({"type": "tool_use", "id": "t", "name": name, "input": {}})),
            piece(index, &json!({"type": "input_json_delta", "partial_json": text})),
            stop(index),
        ]
        .concat()
    };
    let done = end(&json!({"stop_reason": "tool_use"}), &json!({"output_tokens": 1}));
    let names = [("json_answer", ""), ("a_b_1", "a.b")];
    let text = call(0, "json_answer", "{\"a\":1}") + &done;
    let answer = collected(read(&[text.as_bytes()], &names).unwrap());
    assert_eq!(
        (answer.candidates[0].text().as_str(), answer.candidates[0].finish.reason),
        ("{\"a\":1}", FinishReason::Stop)
    );
    assert_eq!(answer.model, "claude-x");
    let text = call(0, "a_b_1", "{}") + &done;
    let answer = collected(read(&[text.as_bytes()], &names).unwrap());
    assert!(matches!(&answer.candidates[0].parts[0], gw_core::chat::Part::ToolCall(call) if call.name == "a.b"));
}

#[test]
fn a_stream_that_breaks_off_or_tells_an_error_is_no_answer() {
    let text = sample();
    let cut = text.find("message_delta").unwrap();
    for at in [0, 100, cut] {
        assert_eq!(
            read(&[&text.as_bytes()[..at]], &[]).unwrap_err().code,
            ErrorCode::ProviderStreamInterrupted,
            "{at}"
        );
    }
    let told = line(&json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}));
    assert_eq!(read(&[told.as_bytes()], &[]).unwrap_err().code, ErrorCode::ProviderOverloaded);
    let stray = piece(3, &json!({"type": "text_delta", "text": "x"}));
    for text in ["data: secret\n\n", "data: \"x\"\n\n", "data: \u{1}\n\n", &stray] {
        let error = read(&[text.as_bytes()], &[]).unwrap_err();
        assert!(error.code == ErrorCode::ProviderInvalidResponse && !error.message.contains("secret"), "{error}");
    }
    // What ends without its last event has still told why it ended.
    let without_stop = &text[..text.find("event: message_stop").unwrap()];
    assert!(read(&[without_stop.as_bytes()], &[]).is_ok());
}

fn written(events: &[Event]) -> String {
    let mut encoder = AnthropicMessages.encoder(asked());
    let mut out = BytesMut::new();
    events.iter().for_each(|event| encoder.encode(event, &mut out));
    encoder.end(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn what_is_written_is_anthropics_own_sequence() {
    let opaque = |family, kind, data: &str| Opaque { family, provider: "p".to_owned(), kind, data: data.to_owned() };
    let block = |index, block| Event::BlockStart { index, candidate: 0, block };
    let text = |index, text: &str| Event::Delta { index, delta: Delta::Text(text.to_owned()) };
    let state = |index, state| Event::Delta { index, delta: Delta::Opaque(state) };
    let done = |index| Event::BlockStop { index };
    let thoughts = || Block::Reasoning { id: None, is_summary: false };
    let call = |is_custom| Block::ToolCall { id: "c".to_owned(), name: "f".to_owned(), is_custom };
    let own = |kind, data| opaque(Family::Anthropic, kind, data);
    let foreign = opaque(Family::Gemini, OpaqueKind::Signature, "sig");
    let events = [
        Event::Start { id: "msg_9".to_owned(), model: "m".to_owned(), created_s: None },
        block(0, thoughts()),
        text(0, "hm"),
        state(0, own(OpaqueKind::Signature, "c2ln")),
        done(0),
        block(1, thoughts()),
        state(1, own(OpaqueKind::Encrypted, "ZGF0YQ==")),
        done(1),
        block(2, Block::Text),
        text(2, "Hi"),
        done(2),
        block(3, call(false)),
        text(3, "{\"a\":1}"),
        state(3, foreign.clone()),
        done(3),
        block(4, call(true)),
        text(4, "a \"b"),
        text(4, "\n"),
        done(4),
        Event::Finish { candidate: 0, finish: Finish::new(FinishReason::ToolCalls, "tool_calls") },
        Event::Usage(gw_core::Usage {
            input_tokens: 9,
            cached_input_tokens: 4,
            output_tokens: 2,
            ..Default::default()
        }),
    ];
    assert_eq!(check(&events), None);
    let usage = |input: u64, cached: u64, output: u64| json!({"input_tokens": input, "cache_creation_input_tokens": 0, "cache_read_input_tokens": cached, "output_tokens": output});
    let message = json!({
        "id": "msg_9", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage(0, 0, 0),
    });
    let input = |index, text: &str| piece(index, &json!({"type": "input_json_delta", "partial_json": text}));
    let tool = json!({"type": "tool_use", "id": "c", "name": "f", "input": {}});
    let expected = [
        begin(&message),
        start(0, &json!({"type": "thinking", "thinking": "", "signature": ""})),
        piece(0, &json!({"type": "thinking_delta", "thinking": "hm"})),
        piece(0, &json!({"type": "signature_delta", "signature": "c2ln"})),
        stop(0),
        start(1, &json!({"type": "redacted_thinking", "data": "ZGF0YQ=="})),
        stop(1),
        start(2, &json!({"type": "text", "text": ""})),
        piece(2, &json!({"type": "text_delta", "text": "Hi"})),
        stop(2),
        start(3, &tool),
        input(3, "{\"a\":1}"),
        stop(3),
        start(4, &json!({"type": "redacted_thinking", "data": foreign.seal(Family::Anthropic)})),
        stop(4),
        start(5, &tool),
        input(5, "{\"input\":\""),
        input(5, "a \\\"b"),
        input(5, "\\n"),
        input(5, "\"}"),
        stop(5),
        end(&json!({"stop_reason": "tool_use", "stop_sequence": null}), &usage(5, 4, 2)),
    ];
    assert_eq!(written(&events), expected.concat());
}

#[test]
fn what_is_written_can_be_read_again() {
    let events = read(&[sample().as_bytes()], &[]).unwrap();
    let again = read(&[written(&events).as_bytes()], &[]).unwrap();
    let (mut one, other) = (collected(events), collected(again));
    // The tier of the service is told by whole answers alone.
    one.service_tier = None;
    assert_eq!(one, other);
}

#[test]
fn an_error_in_a_stream_is_an_event_of_its_own() {
    let mut encoder = AnthropicMessages.encoder(asked());
    let mut out = BytesMut::new();
    encoder.error(&Error::new(ErrorCode::ProviderOverloaded, "m"), &mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert!(
        text.starts_with("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\""),
        "{text}"
    );
}

fn fed(bytes: &[u8]) {
    let mut decoder = AnthropicMessages.decoder(origin());
    let mut events = Vec::new();
    let _ = decoder.decode(bytes, &mut events).and_then(|()| decoder.end(&mut events));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_break_the_decoders(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..4000usize) {
        let mut text = sample().into_bytes();
        let at = at.min(text.len());
        text.splice(at..at, bytes.iter().copied());
        fed(&text);
        fed(&bytes);
        let _ = AnthropicMessages.decode_answer(&bytes, &origin());
        let _ = AnthropicMessages.decode_request(&RequestLine::default(), &bytes);
        let mut body = rich().to_string().into_bytes();
        let at = at.min(body.len());
        body.splice(at..(at + 5).min(body.len()), bytes.iter().copied().take(5));
        let _ = AnthropicMessages.decode_answer(&body, &origin());
    }
}
