use std::rc::Rc;

use bytes::BytesMut;
use gw_core::chat::event::check;
use gw_core::chat::{ChatAnswer, Collector, FinishReason, Part};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::chat::ToolNames;
use crate::event_stream::encode;

/// Written by a program of its own and read by botocore 1.44.5: a text that no `contentBlockStart` begins, and padding.
const RECORDED: &str = "000000800000005251a15f230b3a6576656e742d7479706507000c6d65737361676553746172740d3a636f6e74656e742d\
    747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22726f6c65223a2261737369\
    7374616e74222c2270223a22616263227d8eb8e9b800000099000000574c3b5e5f0b3a6576656e742d74797065070011636f6e74656e74426c6f\
    636b44656c74610d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d7479706507000565\
    76656e747b22636f6e74656e74426c6f636b496e646578223a302c2264656c7461223a7b2274657874223a22485c7530306539227d7dea011c71\
    0000007d00000056e6680fd60b3a6576656e742d74797065070010636f6e74656e74426c6f636b53746f700d3a636f6e74656e742d7479706507\
    00106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22636f6e74656e74426c6f636b496e6465\
    78223a307db32e4d340000007a00000051ca2c46650b3a6576656e742d7479706507000b6d65737361676553746f700d3a636f6e74656e742d74\
    7970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b2273746f70526561736f6e223a\
    22656e645f7475726e227d5fbf09fc";

fn origin() -> Origin {
    let names = ToolNames(vec![("shape".to_owned(), String::new()), ("a_b".to_owned(), "a.b".to_owned())]);
    Origin { provider: "aws".into(), model: "m".into(), names: Rc::new(names), ..Origin::default() }
}

fn frames(events: &[(&str, Value)]) -> Vec<u8> {
    let mut out = BytesMut::new();
    for (name, payload) in events {
        let headers = [(":event-type", *name), (":content-type", "application/json"), (":message-type", "event")];
        encode(&Message::new(&headers, payload.to_string()), &mut out);
    }
    out.to_vec()
}

fn delta(place: u64, delta: Value) -> (&'static str, Value) {
    ("contentBlockDelta", Value::from_iter([("contentBlockIndex", Value::from(place)), ("delta", delta)]))
}

fn start(place: u64, start: Value) -> (&'static str, Value) {
    ("contentBlockStart", Value::from_iter([("contentBlockIndex", Value::from(place)), ("start", start)]))
}

fn stop(place: u64) -> (&'static str, Value) {
    ("contentBlockStop", json!({"contentBlockIndex": place}))
}

fn ended(reason: &str) -> (&'static str, Value) {
    ("messageStop", json!({"stopReason": reason}))
}

fn usage() -> Value {
    json!({"inputTokens": 10, "outputTokens": 5, "totalTokens": 75, "cacheReadInputTokens": 60})
}

/// A stream with everything that answers consist of.
fn rich() -> Vec<(&'static str, Value)> {
    let source = json!({"title": "T", "location": {"web": {"url": "https://a"}}});
    let call = |name: &str, id: &str| json!({"toolUse": {"toolUseId": id, "name": name}});
    let server = json!({"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}});
    vec![
        ("messageStart", json!({"role": "assistant", "p": "abcd"})),
        delta(0, json!({"reasoningContent": {"text": "hm"}})),
        delta(0, json!({"reasoningContent": {"text": ", é"}})),
        delta(0, json!({"reasoningContent": {"signature": "sig"}})),
        stop(0),
        delta(1, json!({"reasoningContent": {"redactedContent": "AAEC"}})),
        stop(1),
        start(2, server),
        delta(2, json!({"toolUse": {"input": "{\"q\":"}})),
        delta(2, json!({"toolUse": {"input": "1}"}})),
        stop(2),
        start(3, json!({"toolResult": {"toolUseId": "s", "status": "success"}})),
        delta(3, json!({"toolResult": [{"text": "found"}]})),
        stop(3),
        delta(4, json!({"text": "Let "})),
        delta(4, json!({"text": "me see."})),
        delta(4, json!({"citation": source})),
        stop(4),
        start(5, call("a_b", "t1")),
        delta(5, json!({"toolUse": {"input": ""}})),
        delta(5, json!({"toolUse": {"input": "{\"a\":"}})),
        delta(5, json!({"toolUse": {"input": "1}"}})),
        stop(5),
        start(6, call("g", "t2")),
        stop(6),
        ended("tool_use"),
        ("metadata", json!({"usage": usage(), "metrics": {"latencyMs": 1}, "serviceTier": {"type": "flex"}})),
        ("somethingNew", json!({"a": 1})),
    ]
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, Error> {
    let mut decoder = Decoder::new(origin());
    let mut events = Vec::new();
    for piece in pieces {
        decoder.decode(piece, &mut events)?;
    }
    decoder.end(&mut events)?;
    Ok(events)
}

fn collect(events: &[Event]) -> ChatAnswer {
    let mut collector = Collector::default();
    events.iter().cloned().for_each(|event| collector.push(event));
    collector.into_answer()
}

fn texts(events: &[Event]) -> String {
    let text = |event: &Event| match event {
        Event::Delta { delta: Delta::Text(text), .. } => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

#[test]
fn a_recorded_stream_is_read() {
    let digits: Vec<u8> = RECORDED.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
    let events = read([bytes.as_slice()]).unwrap();
    assert_eq!((check(&events), texts(&events)), (None, "Hé".to_owned()));
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    let source = json!({"title": "T", "location": {"web": {"url": "https://a"}}});
    let content = json!([
        {"reasoningContent": {"reasoningText": {"text": "hm, é", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": "AAEC"}},
        {"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use", "input": {"q": 1}}},
        {"toolResult": {"toolUseId": "s", "status": "success", "content": [{"text": "found"}]}},
        {"citationsContent": {"content": [{"text": "Let me see."}], "citations": [source]}},
        {"toolUse": {"toolUseId": "t1", "name": "a_b", "input": {"a": 1}}},
        {"toolUse": {"toolUseId": "t2", "name": "g", "input": {}}},
    ]);
    let whole = json!({"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "tool_use",
        "usage": usage(), "serviceTier": {"type": "flex"}});
    let whole = answer::decode(whole.to_string().as_bytes(), &origin()).unwrap();
    let bytes = frames(&rich());
    let events = read([bytes.as_slice()]).unwrap();
    assert_eq!(check(&events), None);
    assert_eq!(collect(&events), whole);
}

#[test]
fn a_stream_says_the_same_however_it_arrives() {
    let bytes = frames(&rich());
    let whole = read([bytes.as_slice()]).unwrap();
    assert_eq!(read(bytes.chunks(1)).unwrap(), whole);
    for place in 0..bytes.len() {
        let (one, other) = bytes.split_at(place);
        assert_eq!(read([one, other]).unwrap(), whole, "{place}");
    }
}

#[test]
fn a_call_without_arguments_is_given_an_empty_object() {
    // pitfalls B3
    let call = json!({"toolUse": {"toolUseId": "1", "name": "g"}});
    let bytes = frames(&[start(0, call), delta(0, json!({"toolUse": {"input": ""}})), stop(0), ended("end_turn")]);
    let events = read([bytes.as_slice()]).unwrap();
    assert_eq!((check(&events), texts(&events)), (None, "{}".to_owned()));
    assert_eq!(collect(&events).candidates[0].finish.reason, FinishReason::ToolCalls);
}

#[test]
fn the_arguments_of_the_answers_tool_are_the_answer() {
    let call = json!({"toolUse": {"toolUseId": "1", "name": "shape"}});
    let input = |text: &str| delta(0, json!({"toolUse": {"input": text}}));
    let bytes = frames(&[start(0, call), input("{\"a\""), input(":1}"), stop(0), ended("tool_use")]);
    let events = read([bytes.as_slice()]).unwrap();
    let answer = collect(&events);
    assert_eq!(check(&events), None);
    assert_eq!(answer.candidates[0].parts, [Part::from("{\"a\":1}")]);
    assert_eq!(answer.candidates[0].finish.reason, FinishReason::Stop);
}

#[test]
fn blocks_that_are_never_closed_are_closed() {
    let text = |place, text: &str| delta(place, json!({"text": text}));
    let bytes = frames(&[text(0, "a"), text(1, "b"), ended("max_tokens"), text(1, "late"), ended("end_turn")]);
    let events = read([bytes.as_slice()]).unwrap();
    assert_eq!((check(&events), texts(&events)), (None, "ab".to_owned()));
    assert_eq!(collect(&events).candidates[0].finish.reason, FinishReason::Length);
}

#[test]
fn a_stream_that_breaks_off_is_an_error() {
    let interrupted = |bytes: &[u8]| read([bytes]).unwrap_err().code;
    let events = rich();
    assert_eq!(interrupted(&frames(&events[..20])), ErrorCode::ProviderStreamInterrupted);
    assert_eq!(interrupted(b""), ErrorCode::ProviderStreamInterrupted);
    assert_eq!(interrupted(b"{\"message\":\"no stream\"}"), ErrorCode::ProviderInvalidResponse);
    let orphan = frames(&[delta(0, json!({"toolUse": {"input": "{}"}}))]);
    assert_eq!(interrupted(&orphan), ErrorCode::ProviderInvalidResponse);
    let mut failed = BytesMut::from(&frames(&events[..3])[..]);
    let headers = [(":message-type", "exception"), (":exception-type", "throttlingException")];
    encode(&Message::new(&headers, r#"{"message":"Too many tokens, please wait"}"#), &mut failed);
    assert_eq!(interrupted(&failed), ErrorCode::ProviderRateLimited);
}

proptest! {
    #[test]
    fn no_stream_makes_it_panic_or_breaks_the_grammar(
        bytes: Vec<u8>,
        order in proptest::collection::vec(0_usize..28, 0..20),
    ) {
        let _ = read([bytes.as_slice()]);
        let rich = rich();
        let shuffled: Vec<_> = order.into_iter().map(|place| rich[place].clone()).collect();
        if let Ok(events) = read([frames(&shuffled).as_slice()]) {
            prop_assert_eq!(check(&events), None);
        }
    }
}
