//! Answers, whole and in pieces, both ways.

use std::rc::Rc;

use bytes::BytesMut;
use gw_core::chat::event::check;
use gw_core::chat::{
    Block, Candidate, ChatAnswer, ChatRequest, Citation, Collector, Delta, Event, Extra, Family, Finish, FinishReason,
    Opaque, OpaqueKind, Part, Reasoning, Text, ToolCall, ToolInput,
};
use gw_core::{Error, ErrorCode, RequestId, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Gemini;
use crate::chat::{Asked, Egress, Ingress, Origin, ToolNames};
use crate::shared::media;

/// A stream as AI Studio sends one: thoughts, text in pieces, calls that are laid out, usage with each piece.
const STREAM: &str = concat!(
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"Hm\",\"thought\": true}],\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 10,\"totalTokenCount\": 13,\"thoughtsTokenCount\": 3},\"modelVersion\": \"gemini-3-pro\",\"responseId\": \"r1\"}\r\n\r\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"Grüß\"}],\"role\": \"model\"},\"finishReason\": \"STOP\",\"index\": 0}],\"modelVersion\": \"gemini-3-pro\",\"responseId\": \"r1\"}\n\n",
    ": a comment\n\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \" Gott 🦀\",\"thoughtSignature\": \"c2ln\"}, {\"functionCall\": {\"name\": \"sent\",\"args\": {\n",
    "data:  \"n\" : 123456789012345678901234567890, \"s\": \"a b\"}},\"thoughtSignature\": \"YWJj\"},{\"functionCall\": {\"name\": \"g\", \"id\": \"own\"}}],\"role\": \"model\"},\"index\": 0}]}\r\r",
    "data: {\"candidates\": [{\"content\": {\"role\": \"model\"},\"finishReason\": \"STOP\",\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 10,\"candidatesTokenCount\": 7,\"toolUsePromptTokenCount\": 2,\"cachedContentTokenCount\": 4,\"totalTokenCount\": 22,\"thoughtsTokenCount\": \"3\"}}\n",
);

fn origin() -> Origin {
    let names = ToolNames(vec![("sent".to_owned(), "the original".to_owned())]);
    let request_id = Some(RequestId::from_u128(7));
    Origin { provider: "google".into(), model: "asked".into(), names: Rc::new(names), request_id }
}

fn asked() -> Asked {
    let request = ChatRequest { model: "gemini-3-pro".to_owned(), ..ChatRequest::default() };
    Asked { request: Rc::new(request), request_id: RequestId::from_u128(1), now_s: 0 }
}

fn streamed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, Error> {
    let mut decoder = Gemini.decoder(origin());
    let mut events = Vec::new();
    for piece in pieces {
        decoder.decode(piece, &mut events)?;
    }
    decoder.end(&mut events)?;
    Ok(events)
}

fn collected(events: Vec<Event>) -> ChatAnswer {
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    collector.into_answer()
}

fn own(data: &str) -> Option<Opaque> {
    let (family, kind) = (Family::Gemini, OpaqueKind::Signature);
    Some(Opaque { family, provider: "google".to_owned(), kind, data: data.to_owned() })
}

fn called(id: &str, name: &str, input: &str, opaque: Option<Opaque>) -> Part {
    let input = ToolInput::Json(input.to_owned());
    Part::ToolCall(ToolCall { id: id.to_owned(), name: name.to_owned(), input, opaque, ..ToolCall::default() })
}

fn answer_of_stream() -> ChatAnswer {
    let text = Text { text: "Grüß Gott 🦀".to_owned(), opaque: own("c2ln"), ..Text::default() };
    let parts = vec![
        Part::Reasoning(Reasoning { text: "Hm".to_owned(), is_summary: true, ..Reasoning::default() }),
        Part::Text(text),
        called(
            &format!("call_{}_1", RequestId::from_u128(7)),
            "the original",
            r#"{"n":123456789012345678901234567890,"s":"a b"}"#,
            own("YWJj"),
        ),
        called("own", "g", "{}", None),
    ];
    let usage =
        Usage { input_tokens: 12, output_tokens: 10, cached_input_tokens: 4, reasoning_tokens: 3, ..Usage::default() };
    ChatAnswer {
        id: "r1".to_owned(),
        model: "gemini-3-pro".to_owned(),
        candidates: vec![Candidate { parts, finish: Finish::new(FinishReason::ToolCalls, "STOP"), logprobs: None }],
        usage: Some(usage),
        ..ChatAnswer::default()
    }
}

#[test]
fn a_stream_says_the_same_wherever_it_is_cut() {
    let whole = streamed([STREAM.as_bytes()]).unwrap();
    assert_eq!(check(&whole), None);
    assert_eq!(streamed(STREAM.as_bytes().chunks(1)).unwrap(), whole);
    for at in 1..STREAM.len() {
        let (one, other) = STREAM.as_bytes().split_at(at);
        assert_eq!(streamed([one, other]).unwrap(), whole, "cut at {at}");
    }
    assert_eq!(collected(whole), answer_of_stream());
}

#[test]
fn a_list_of_answers_says_the_same_as_events() {
    let objects: Vec<Value> = crate::sse::events(STREAM.as_bytes())
        .map(|event| crate::sse::data(STREAM.as_bytes(), &event))
        .filter_map(|data| serde_json::from_slice(&data).ok())
        .collect();
    let mut list = serde_json::to_string_pretty(&objects).unwrap();
    list = list.replace("1.2345678901234568e+29", "123456789012345678901234567890");
    let events = streamed(list.as_bytes().chunks(7)).unwrap();
    assert_eq!(events, streamed([STREAM.as_bytes()]).unwrap());
    assert_eq!(Gemini.decode_answer(list.as_bytes(), &origin()).unwrap(), answer_of_stream());
}

#[test]
fn a_stream_that_breaks_off_or_fails_says_so() {
    let cut = &STREAM.as_bytes()[..STREAM.find("\r\n\r\n").unwrap() + 4];
    for (stream, code) in [
        (cut, ErrorCode::ProviderStreamInterrupted),
        (b"", ErrorCode::ProviderStreamInterrupted),
        (b"data: nonsense\n\n", ErrorCode::ProviderInvalidResponse),
        (
            b"data: {\"error\":{\"code\":503,\"message\":\"busy\",\"status\":\"UNAVAILABLE\"}}\n\n",
            ErrorCode::ProviderOverloaded,
        ),
        (
            b"[{\"error\":{\"code\":429,\"message\":\"slow\",\"status\":\"RESOURCE_EXHAUSTED\"}}]",
            ErrorCode::ProviderRateLimited,
        ),
        (b"data: {\"candidates\":[{\"index\":4000}]}\n\n", ErrorCode::ProviderInvalidResponse),
    ] {
        assert_eq!(streamed([stream]).unwrap_err().code, code);
    }
}

#[test]
fn a_whole_answer_keeps_its_pictures_sources_and_what_only_google_says() {
    let body = json!({
        "candidates": [{
            "content": {"role": "model", "parts": [
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"text": "Zürich is big."},
                {"inlineData": {"mimeType": "image/png", "data": "iVBORw0K"}}
            ]},
            "finishReason": "MAX_TOKENS",
            "safetyRatings": []
        }, {
            "content": {"role": "model", "parts": [{"text": "Zürich is big."}]},
            "finishReason": "STOP",
            "index": 1,
            "groundingMetadata": {
                "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
                "groundingSupports": [{"segment": {"startIndex": 8, "endIndex": 14, "text": "is big"}, "groundingChunkIndices": [0]}]
            },
            "logprobsResult": {
                "chosenCandidates": [{"token": "Z", "logProbability": -0.5}],
                "topCandidates": [{"candidates": [{"token": "Z", "logProbability": -0.5}]}]
            }
        }],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "trafficType": "ON_DEMAND_PRIORITY",
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}]}
    });
    let answer = Gemini.decode_answer(body.to_string().as_bytes(), &origin()).unwrap();
    assert_eq!((answer.model.as_str(), answer.service_tier.as_deref()), ("asked", Some("priority")));
    assert_eq!(answer.usage.unwrap().audio_input_tokens, 4);
    let [first, second] = answer.candidates.as_slice() else { panic!("{answer:?}") };
    // pitfalls B10
    assert!(matches!(&first.parts[0], Part::Native(native) if native.kind == "executableCode"));
    assert!(matches!(&first.parts[2], Part::Media(_)));
    assert_eq!(first.finish.reason, FinishReason::Length);
    let Part::Text(text) = &second.parts[0] else { panic!() };
    let (url, title, cited) = (Some("https://a".to_owned()), Some("A".to_owned()), Some("is big".to_owned()));
    assert_eq!(text.citations, [Citation { url, title, cited_text: cited, range: Some((7, 13)), native: None }]);
    assert_eq!(second.logprobs.as_ref().unwrap()[0]["top_logprobs"][0]["logprob"], -0.5);
    assert!(answer.extra.members.contains_key("candidates[1].groundingMetadata"));
    // And back to a client of Google's dialect.
    let again: Value = serde_json::from_slice(&Gemini.encode_answer(&answer, &asked())).unwrap();
    for name in ["content", "groundingMetadata", "logprobsResult", "finishReason"] {
        assert_eq!(again["candidates"][1][name], body["candidates"][1][name], "{name}");
    }
    assert_eq!(again["candidates"][0]["content"], body["candidates"][0]["content"]);
}

#[test]
fn a_prompt_that_is_blocked_is_filtered_content() {
    let body =
        json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 3}});
    let answer = Gemini.decode_answer(body.to_string().as_bytes(), &origin()).unwrap();
    assert_eq!(answer.candidates[0].finish, Finish::new(FinishReason::ContentFilter, "PROHIBITED_CONTENT"));
    let again: Value = serde_json::from_slice(&Gemini.encode_answer(&answer, &asked())).unwrap();
    assert_eq!(again["promptFeedback"], body["promptFeedback"]);
    assert_eq!(again.get("candidates"), None);
    let event = format!("data: {body}\n\n");
    assert_eq!(collected(streamed([event.as_bytes()]).unwrap()), answer);
    let nothing = Gemini.decode_answer(br#"{"usageMetadata":{}}"#, &origin());
    assert_eq!(nothing.unwrap_err().code, ErrorCode::ProviderInvalidResponse);
}

fn written(events: &[Event]) -> String {
    let mut encoder = Gemini.encoder(asked());
    let mut out = BytesMut::new();
    events.iter().for_each(|event| encoder.encode(event, &mut out));
    encoder.end(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn a_client_gets_calls_whole_and_the_reason_with_the_last_piece() {
    let text = |index, text: &str| Event::Delta { index, delta: Delta::Text(text.to_owned()) };
    let block = Block::ToolCall { id: "c1".to_owned(), name: "f".to_owned(), is_custom: false };
    let foreign = Opaque {
        family: Family::Anthropic,
        provider: "a".to_owned(),
        kind: OpaqueKind::Signature,
        data: "s".to_owned(),
    };
    let events = [
        Event::Start { id: "id".to_owned(), model: "m".to_owned(), created_s: None },
        Event::BlockStart { index: 0, candidate: 0, block: Block::Reasoning { id: None, is_summary: false } },
        text(0, "hm"),
        Event::Delta { index: 0, delta: Delta::Opaque(foreign.clone()) },
        Event::BlockStop { index: 0 },
        Event::BlockStart { index: 1, candidate: 0, block: Block::Text },
        text(1, "Hi"),
        Event::BlockStop { index: 1 },
        Event::BlockStart { index: 2, candidate: 0, block },
        text(2, "{\"a\""),
        text(2, ":1}"),
        Event::BlockStop { index: 2 },
        Event::Finish { candidate: 0, finish: Finish::new(FinishReason::ToolCalls, "tool_use") },
        Event::Usage(Usage { input_tokens: 3, output_tokens: 2, ..Usage::default() }),
    ];
    let piece = |part: Value, reason: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{part}],\"role\":\"model\"}}{reason},\"index\":0}}],\"modelVersion\":\"m\",\"responseId\":\"id\""
        )
    };
    let sealed = super::signature(&foreign);
    // For clients that keep calls and drop thoughts.
    let carried = media::encoded(r#"gw1.[["gw1.anthropic.s.a.s","hm"]]"#);
    let usage = r#","usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}}"#;
    let expected = [
        piece(json!({"text": "hm", "thought": true}), "") + "}",
        piece(json!({"text": "", "thought": true, "thoughtSignature": sealed}), "") + "}",
        piece(json!({"text": "Hi"}), "") + "}",
        piece(json!({"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}, "thoughtSignature": carried}), "")
            + "}",
        piece(json!({"text": ""}), ",\"finishReason\":\"STOP\"") + usage,
    ];
    assert_eq!(written(&events), expected.join("\n\n") + "\n\n");
}

#[test]
fn what_is_written_for_clients_is_read_as_the_same_answer() {
    let mut answer = answer_of_stream();
    answer.candidates[0].parts.remove(1);
    let read = |mut answer: ChatAnswer| {
        answer.extra = Extra::default();
        answer
    };
    let whole = Gemini.encode_answer(&answer, &asked());
    assert_eq!(read(Gemini.decode_answer(&whole, &origin()).unwrap()), answer);
    let stream = written(&answer.clone().into_events());
    assert!(stream.split_terminator("\n\n").all(|event| event.starts_with("data: {")), "{stream}");
    assert_eq!(read(collected(streamed([stream.as_bytes()]).unwrap())), answer);
}

#[test]
fn an_error_in_a_stream_is_an_event_of_googles() {
    let mut encoder = Gemini.encoder(asked());
    let mut out = BytesMut::new();
    encoder.error(&Error::new(ErrorCode::ProviderOverloaded, "busy"), &mut out);
    let body: Value = serde_json::from_slice(out.strip_prefix(b"data: ").unwrap()).unwrap();
    assert_eq!((&body["error"]["code"], &body["error"]["status"]), (&json!(503), &json!("UNAVAILABLE")));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoders_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        text in r#"(data: )?\[?\{("(candidates|usageMetadata|promptFeedback|error)":[\[\]{}":a-z0-9,]{0,40},?){0,3}\}\n\n"#,
    ) {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let _ = Gemini.decode_answer(bytes, &origin());
            if let Ok(events) = streamed(bytes.chunks(3)) {
                prop_assert_eq!(check(&events), None);
            }
        }
    }
}

#[test]
fn searches_are_counted_wherever_in_the_stream_they_are_told() {
    let stream = concat!(
        r#"data: {"candidates":[{"content":{"parts":[{"text":"a"}]},"index":0}],"usageMetadata":{"promptTokenCount":5}}"#,
        "\n\n",
        r#"data: {"candidates":[{"finishReason":"STOP","index":0,"groundingMetadata":{"webSearchQueries":["a","b",""]}}]}"#,
        "\n\n",
    );
    let events = streamed([stream.as_bytes()]).unwrap();
    let usage = events.iter().filter_map(|event| match event {
        Event::Usage(usage) => Some(*usage),
        _ => None,
    });
    let expected = Usage { input_tokens: 5, searches: 2, ..Usage::default() };
    assert_eq!(usage.reduce(Usage::merge), Some(expected));
}
