//! Streams, in both directions.

use bytes::BytesMut;
use gw_core::chat::event::check;
use gw_core::chat::{Block, ChatAnswer, ChatRequest, Collector, Event, FinishReason, Part, ToolInput};
use gw_core::{Error, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{OpenAiChat, asked, origin};
use crate::chat::{Egress, Ingress};

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, Error> {
    let mut decoder = OpenAiChat.decoder(origin());
    let mut events = Vec::new();
    for piece in pieces {
        decoder.decode(piece, &mut events)?;
    }
    decoder.end(&mut events)?;
    Ok(events)
}

/// The events, however the stream is cut.
fn events(stream: &str) -> Vec<Event> {
    let bytes = stream.as_bytes();
    let whole = read([bytes]).unwrap();
    assert_eq!(read(bytes.chunks(1)).unwrap(), whole);
    for place in 0..bytes.len() {
        let (one, other) = bytes.split_at(place);
        assert_eq!(read([one, other]).unwrap(), whole, "cut at {place}");
    }
    assert_eq!(check(&whole), None, "{whole:?}");
    whole
}

fn collect(events: Vec<Event>) -> ChatAnswer {
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    collector.into_answer()
}

fn stream(chunks: &[Value]) -> String {
    let lines: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    format!("{lines}data: [DONE]\n\n")
}

/// Chunks of one answer.
fn deltas(deltas: &[Value]) -> String {
    let chunk =
        |delta: &Value| json!({"id": "x", "model": "gpt", "created": 5, "choices": [{"index": 0, "delta": delta}]});
    let mut chunks: Vec<Value> = deltas.iter().map(chunk).collect();
    chunks.push(json!({"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
    stream(&chunks)
}

fn calls(answer: &ChatAnswer) -> Vec<(&str, &str, &str)> {
    let calls = answer.candidates[0].parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => {
            let (ToolInput::Json(input) | ToolInput::Text(input)) = &call.input;
            Some((call.id.as_str(), call.name.as_str(), input.as_str()))
        }
        _ => None,
    });
    calls.collect()
}

fn fragment(
    index: impl Into<Value>,
    id: impl Into<Value>,
    name: impl Into<Value>,
    arguments: impl Into<Value>,
) -> Value {
    let (index, id, name, arguments) = (index.into(), id.into(), name.into(), arguments.into());
    json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]})
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    let text = concat!(
        ": OPENROUTER PROCESSING\r\n\r\n",
        "data: {\"id\":\"x\",\"model\":\"gpt\",\"created\":5,\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\r\n\r\n",
        "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"Hm\"}}]}\n\n",
        "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Gr\u{fc}\"},\"logprobs\":{\"content\":[{\"token\":\"Gr\u{fc}\"}]}}]}\n\n",
        "data: {\"id\":\"x\",\ndata: \"choices\":[{\"index\":0,\"delta\":{\"content\":\"\u{df}e\"}}]}\n\n",
        "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n",
        "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\"\"}}]}}]}\n\n",
        "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]}}]}\n\n",
        "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}],\"system_fingerprint\":\"fp\"}\n\n",
        "data: {\"id\":\"x\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n",
        "data: [DONE]",
    );
    let whole = json!({"id": "x", "model": "gpt", "created": 5, "choices": [{"index": 0, "message": {"role": "assistant",
        "content": "Grüße", "reasoning_content": "Hm", "tool_calls": [{"id": "c", "type": "function",
        "function": {"name": "f", "arguments": "{\"a\":1}"}}]}, "finish_reason": "tool_calls",
        "logprobs": {"content": [{"token": "Grü"}]}}], "system_fingerprint": "fp",
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}});
    let whole = OpenAiChat.decode_answer(whole.to_string().as_bytes(), &origin()).unwrap();
    assert_eq!(collect(events(text)), whole);
}

#[test]
fn calls_are_told_apart_however_they_are_numbered() {
    let (one, two) = (("c1", "f", "{\"a\":1}"), ("c2", "g", "{\"b\":2}"));
    let half = |index: Value, text: &str| fragment(index, Value::Null, Value::Null, json!(text));
    let begin =
        |index: Value, call: (&str, &str, &str), text: Value| fragment(index, json!(call.0), json!(call.1), text);
    for said in [
        // OpenAI's way.
        vec![
            begin(json!(0), one, json!("")),
            half(json!(0), "{\"a\":"),
            half(json!(0), "1}"),
            begin(json!(1), two, Value::Null),
            half(json!(1), "{\"b\":2}"),
        ],
        // Mixed.
        vec![
            begin(json!(0), one, json!("{\"a\":")),
            begin(json!(1), two, json!("{\"b\"")),
            half(json!(0), "1}"),
            half(json!(1), ":2}"),
        ],
        // Whole, without numbers, or with the same.
        vec![begin(Value::Null, one, json!(one.2)), begin(Value::Null, two, json!(two.2))],
        vec![begin(json!(0), one, json!(one.2)), begin(json!(0), two, json!(two.2))],
        // The id with each fragment.
        vec![
            begin(json!(0), one, json!("{\"a\":")),
            fragment(json!(0), json!("c1"), json!(""), json!("1}")),
            begin(json!(1), two, json!(two.2)),
        ],
        // A new id with each fragment.
        vec![
            begin(json!(0), one, json!("{\"a\":")),
            fragment(json!(0), json!("other"), Value::Null, json!("1}")),
            begin(json!(1), two, json!(two.2)),
        ],
        // Text in the midst of a call.
        vec![
            begin(json!(0), one, json!("{\"a\":")),
            json!({"content": "x"}),
            half(json!(0), "1}"),
            begin(json!(1), two, json!(two.2)),
        ],
    ] {
        let answer = collect(events(&deltas(&said)));
        assert_eq!(calls(&answer), [one, two], "{said:?}");
        assert_eq!(answer.candidates[0].finish.reason, FinishReason::ToolCalls);
    }
    let same = [begin(Value::Null, ("", "f", ""), json!("{}")), begin(Value::Null, ("", "f", ""), json!("{}"))];
    let answer = collect(events(&deltas(&same)));
    assert_eq!(calls(&answer).len(), 2);
    assert_ne!(calls(&answer)[0].0, calls(&answer)[1].0);
}

#[test]
fn a_call_is_told_as_it_comes_and_not_when_it_is_whole() {
    let said = deltas(&[
        fragment(json!(0), json!("c"), json!("f"), json!("{\"a\"")),
        fragment(json!(0), Value::Null, Value::Null, json!(":1}")),
    ]);
    let first = said.find("\n\n").unwrap() + 2;
    let mut events = Vec::new();
    OpenAiChat.decoder(origin()).decode(&said.as_bytes()[..first], &mut events).unwrap();
    assert!(
        matches!(events.as_slice(), [Event::Start { .. }, Event::BlockStart { .. }, Event::Delta { .. }]),
        "{events:?}"
    );
}

#[test]
fn the_end_is_told_once_and_usage_may_follow_it() {
    let chunk = |choices: Value| json!({"id": "x", "choices": choices});
    let finish = || chunk(json!([{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]));
    let usage = json!({"choices": [], "x_groq": {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}});
    let answer = collect(events(&stream(&[
        chunk(json!([{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "b"}}])),
        finish(),
        finish(),
        chunk(json!([{"index": 0, "delta": {"content": "late"}}])),
        usage,
    ])));
    assert_eq!((answer.candidates[0].text().as_str(), answer.candidates[1].text().as_str()), ("alate", "b"));
    assert_eq!(answer.usage.unwrap().output_tokens, 1);
}

#[test]
fn a_stream_that_breaks_off_is_no_answer() {
    let begun = json!({"id": "x", "choices": [{"index": 0, "delta": {"content": "a"}}]});
    let ended = json!({"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let said = format!("data: {begun}\n\n");
    assert_eq!(read([said.as_bytes()]).unwrap_err().code.name(), "provider_stream_interrupted");
    assert_eq!(read([b"".as_slice()]).unwrap_err().code.name(), "provider_stream_interrupted");
    assert!(read([format!("{said}data: {ended}\n\n").as_bytes()]).is_ok());
    assert_eq!(read([b"data: [DONE]\n\n".as_slice()]).unwrap_err().code.name(), "provider_invalid_response");
    for (told, code) in [
        ("data: {\"error\":{\"message\":\"x\",\"code\":503}}\n\n", "provider_overloaded"),
        ("event: error\ndata: {\"message\":\"x\"}\n\n", "provider_failed"),
        ("data: {\"choices\":[{\"finish_reason\":\"error\"}]}\n\n", "provider_failed"),
        ("data: {\"choices\":[{\"index\":999}]}\n\n", "provider_invalid_response"),
        ("data: nonsense\n\n", "provider_invalid_response"),
        ("data: \u{7f}[]\n\n", "provider_invalid_response"),
    ] {
        assert_eq!(read([said.as_bytes(), told.as_bytes()]).unwrap_err().code.name(), code, "{told}");
    }
}

#[test]
fn thoughts_with_state_are_put_together() {
    let answer = collect(events(&deltas(&[
        json!({"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 0, "format": "f"}]}),
        json!({"reasoning": "b", "reasoning_details": [{"type": "reasoning.text", "text": "b", "index": 0, "format": "f"}]}),
        json!({"reasoning_details": [{"type": "reasoning.text", "text": "", "signature": "S", "index": 0, "format": "f"}]}),
        json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "D", "id": "rs", "index": 1}]}),
        json!({"content": "x"}),
    ])));
    let parts = &answer.candidates[0].parts;
    let [Part::Reasoning(signed), Part::Reasoning(hidden), Part::Text(_)] = parts.as_slice() else {
        panic!("{parts:?}")
    };
    assert_eq!(signed.text, "ab");
    let written = OpenAiChat.encode_answer(&answer, &asked(ChatRequest::default()));
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(
        written["choices"][0]["message"]["reasoning_details"],
        json!([{"type": "reasoning.text", "signature": "S", "index": 0, "format": "f", "text": "ab"},
               {"type": "reasoning.encrypted", "data": "D", "id": "rs", "index": 1}])
    );
    assert_eq!(hidden.opaque.as_ref().unwrap().provider, "prov");
}

fn write(answer: ChatAnswer, include_usage: bool) -> String {
    let mut encoder = OpenAiChat.encoder(asked(ChatRequest { include_usage, ..ChatRequest::default() }));
    let mut out = BytesMut::new();
    answer.into_events().iter().for_each(|event| encoder.encode(event, &mut out));
    encoder.end(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

fn sample() -> ChatAnswer {
    let body = json!({"id": "chatcmpl-x", "model": "gpt", "created": 5, "choices": [{"index": 0, "message": {
        "reasoning_content": "Hm", "content": "Hi", "tool_calls": [
            {"id": "c1", "function": {"name": "f", "arguments": ""}}, {"id": "c2", "function": {"name": "g", "arguments": "{\"a\":1}"}}]},
        "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        "system_fingerprint": "fp", "service_tier": "default"});
    OpenAiChat.decode_answer(body.to_string().as_bytes(), &origin()).unwrap()
}

// pitfalls B1, B3, B7
#[test]
fn a_stream_is_written_as_openai_writes_it() {
    let written = write(ChatAnswer { service_tier: None, extra: Default::default(), ..sample() }, false);
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        json!({"id": "chatcmpl-x", "object": "chat.completion.chunk", "created": 5, "model": "gpt", "choices": [choice]})
    };
    let call = |call: Value| chunk(json!({"tool_calls": [call]}), Value::Null);
    let begin = |index: u32, id: &str, name: &str| {
        call(json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}))
    };
    let more = |index: u32, text: &str| call(json!({"index": index, "function": {"arguments": text}}));
    let expected = [
        chunk(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null),
        chunk(json!({"reasoning_content": "Hm"}), Value::Null),
        chunk(json!({"content": "Hi"}), Value::Null),
        begin(0, "c1", "f"),
        more(0, "{}"),
        begin(1, "c2", "g"),
        more(1, "{\"a\":1}"),
        chunk(json!({}), json!("tool_calls")),
    ];
    assert_eq!(written, stream(&expected));
}

#[test]
fn usage_is_told_at_the_end_if_it_was_asked_for() {
    let written = write(sample(), true);
    let chunks: Vec<Value> =
        written.split("\n\n").filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok()).collect();
    let (last, others) = chunks.split_last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(3)));
    for chunk in others {
        assert_eq!(chunk.get("usage"), Some(&Value::Null));
        assert!(chunk["choices"][0].get("finish_reason").is_some());
    }
    // The role is told before anything else is known.
    for chunk in &others[1..] {
        assert_eq!((&chunk["system_fingerprint"], &chunk["service_tier"]), (&json!("fp"), &json!("default")));
    }
    assert!(!write(sample(), false).contains("\"usage\""));
}

#[test]
fn a_stream_that_was_written_is_read_again() {
    let mut answer = collect(events(&write(sample(), true)));
    answer.candidates[0].finish.raw = sample().candidates[0].finish.raw.clone();
    assert_eq!(answer, sample());
    assert_eq!(answer.usage, Some(Usage { input_tokens: 1, output_tokens: 2, ..Usage::default() }));
}

#[test]
fn a_broken_stream_ends_with_an_error() {
    let mut encoder = OpenAiChat.encoder(asked(ChatRequest::default()));
    let mut out = BytesMut::new();
    encoder.error(&Error::new(gw_core::ErrorCode::ProviderStreamInterrupted, "it broke off"), &mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert!(text.starts_with("data: {\"error\":") && text.ends_with("\n\n") && !text.contains("[DONE]"), "{text}");
}

#[test]
fn what_no_stream_of_this_dialect_can_say_is_no_call() {
    // pitfalls B2
    let native = gw_core::chat::Native {
        family: gw_core::chat::Family::Anthropic,
        kind: "server_tool_use".to_owned(),
        value: json!({}),
    };
    let mut answer = sample();
    answer.candidates[0].parts = vec![Part::Native(native), "x".into()];
    answer.candidates[0].finish = Default::default();
    let written = write(answer, false);
    assert!(!written.contains("tool_calls"), "{written}");
    assert!(written.contains("\"finish_reason\":\"stop\""));
}

/// Fragments of what a provider could say.
fn delta() -> impl Strategy<Value = Value> {
    let text =
        || prop_oneof![Just(Value::Null), Just(json!("")), Just(json!("{")), Just(json!("}")), Just(json!("a\""))];
    let number = prop_oneof![Just(Value::Null), (0u32..3).prop_map(|number| json!(number))];
    prop_oneof![
        (number, text(), text(), text()).prop_map(|(index, id, name, text)| fragment(index, id, name, text)),
        text().prop_map(|text| json!({"content": text})),
        text().prop_map(|text| json!({"reasoning": text})),
        text().prop_map(|text| json!({"refusal": text})),
        text().prop_map(
            |text| json!({"reasoning_details": [{"type": "reasoning.text", "text": text, "signature": text}]})
        ),
        text().prop_map(|text| json!({"annotations": [{"url_citation": {"url": text}}]})),
    ]
}

proptest! {
    #[test]
    fn whatever_is_said_keeps_to_the_grammar(said in proptest::collection::vec(delta(), 0..12)) {
        let events = read([deltas(&said).as_bytes()]).unwrap();
        prop_assert_eq!(check(&events), None);
        let starts = events.iter().filter(|event| matches!(event, Event::BlockStart { block: Block::ToolCall { .. }, .. }));
        let answer = collect(events.clone());
        prop_assert_eq!(starts.count(), calls(&answer).len());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "(data: [\\[\\]{}\":a-z,0-9]{0,30}\n\n){0,4}") {
        drop(read([bytes.as_slice()]));
        drop(read([text.as_bytes()]));
        drop(OpenAiChat.decode_answer(&bytes, &origin()));
        drop(OpenAiChat.decode_answer(text.as_bytes(), &origin()));
    }
}
