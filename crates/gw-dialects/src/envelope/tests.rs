use http::HeaderValue;
use serde_json::{Value, json};

use super::*;
use crate::event_stream::{Message, encode};
use crate::{edit, scan};

/// A request as the provider gets it: its path, its headers and its body.
fn sent(name: &str, dialect: DialectId, model: &str, headers: &[(HeaderName, &'static str)], body: &str) -> Sent {
    let envelope = around(name, dialect).unwrap();
    let body = Bytes::copy_from_slice(body.as_bytes());
    let head = Head { fields: scan::top_level(&body).unwrap(), ..Head::default() };
    let mut headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
    let stream = body.windows(13).any(|bytes| bytes == b"\"stream\":true");
    let mut letter = Letter { model, stream, head: &head, body: &body, edits: Edits::new(), headers: &mut headers };
    envelope.wrap(&mut letter);
    let edits = letter.edits;
    let written = String::from_utf8(edit::apply(&body, edits).concat()).unwrap();
    Sent { path: envelope.path(model, stream), headers, body: written }
}

struct Sent {
    path: String,
    headers: HeaderMap,
    body: String,
}

const MESSAGES: DialectId = DialectId::AnthropicMessages;

#[test]
fn claude_on_vertex_is_named_in_the_path_and_keeps_everything_else() {
    let body = r#"{"model":"x", "max_tokens" : 1e2,"stream":true, "y":{"big":12345678901234567890} }"#;
    let headers = [(ANTHROPIC_VERSION, "2023-06-01"), (ANTHROPIC_BETA, "a,b")];
    let sent = sent("vertex", MESSAGES, "claude-sonnet-4-5@20250929", &headers, body);
    assert_eq!(sent.path, "/models/claude-sonnet-4-5@20250929:streamRawPredict");
    let rest = r#""max_tokens" : 1e2,"stream":true, "y":{"big":12345678901234567890} }"#;
    assert_eq!(sent.body, format!(r#"{{"anthropic_version":"vertex-2023-10-16",{rest}"#));
    assert_eq!(sent.headers.get(ANTHROPIC_VERSION), None);
    assert_eq!(sent.headers.get(ANTHROPIC_BETA).unwrap(), "a,b");
}

#[test]
fn a_client_of_the_newer_version_is_spoken_to_in_it_where_that_exists() {
    let headers = [(ANTHROPIC_VERSION, VERSION_2026)];
    let version = |name, headers: &[_], body| {
        let body: Value = serde_json::from_str(&sent(name, MESSAGES, "m", headers, body).body).unwrap();
        body["anthropic_version"].clone()
    };
    assert_eq!(version("vertex", &headers, "{}"), VERSION_2026);
    assert_eq!(version("vertex", &[], "{}"), "vertex-2023-10-16");
    assert_eq!(version("vertex", &headers, r#"{"anthropic_version":"vertex-x"}"#), "vertex-x");
    assert_eq!(version("bedrock", &headers, "{}"), "bedrock-2023-05-31");
}

const VERSION_2026: &str = crate::anthropic_messages::VERSION_WITHOUT_SAMPLING;

#[test]
fn claude_on_bedrock_has_its_betas_in_the_body_and_neither_model_nor_stream() {
    let headers = [(ANTHROPIC_VERSION, "2023-06-01"), (ANTHROPIC_BETA, "a, b")];
    let body = r#"{"stream":true,"model":"x","anthropic_beta":["b","c"],"max_tokens":5}"#;
    let sent = sent("bedrock", MESSAGES, "us.anthropic.claude-sonnet-4-5-v1:0", &headers, body);
    assert_eq!(sent.path, "/model/us.anthropic.claude-sonnet-4-5-v1%3A0/invoke-with-response-stream");
    let said: Value = serde_json::from_str(&sent.body).unwrap();
    let expected =
        json!({"anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["b", "c", "a"], "max_tokens": 5});
    assert_eq!(said, expected);
    assert_eq!(sent.headers.get(ANTHROPIC_VERSION), None);
    assert_eq!(sent.headers.get(ANTHROPIC_BETA), None);
    assert_eq!(sent.headers.get("accept").unwrap(), "application/vnd.amazon.eventstream");
}

#[test]
fn an_arn_is_one_segment_of_the_path() {
    let sent = sent("bedrock", MESSAGES, "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.x", &[], "{}");
    assert_eq!(sent.path, "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.x/invoke");
}

#[test]
fn gemini_on_vertex_hears_of_the_service_in_a_header() {
    let gemini = |body| sent("vertex", DialectId::Gemini, "google/gemini-2.5-flash", &[], body);
    let flex = gemini(r#"{"serviceTier":"FLEX","contents":[]}"#);
    assert_eq!(flex.path, "/models/gemini-2.5-flash:generateContent");
    assert_eq!(flex.body, r#"{"contents":[]}"#);
    assert_eq!(flex.headers.get("x-vertex-ai-llm-shared-request-type").unwrap(), "flex");
    let usual = gemini(r#"{"contents":[],"service_tier":"standard"}"#);
    assert_eq!((usual.body.as_str(), usual.headers.len()), (r#"{"contents":[]}"#, 0));
    assert_eq!(gemini(r#"{"serviceTier":"new"}"#).body, r#"{"serviceTier":"new"}"#);
}

#[test]
fn tokens_are_counted_where_vertex_counts_them() {
    let claude = sent("vertex", DialectId::AnthropicCountTokens, "m", &[], r#"{"model":"m","messages":[]}"#);
    assert_eq!(claude.path, "/models/count-tokens:rawPredict");
    assert_eq!(claude.body, r#"{"anthropic_version":"vertex-2023-10-16","model":"m","messages":[]}"#);
    let body = r#"{"generateContentRequest":{"model":"models/m","contents":[ 1 ],"safetySettings":[]}}"#;
    let gemini = sent("vertex", DialectId::GeminiCountTokens, "gemini-2.5-pro", &[], body);
    assert_eq!(gemini.path, "/models/gemini-2.5-pro:countTokens");
    assert_eq!(gemini.body, r#"{"contents":[ 1 ]}"#);
}

fn chunk(json: &str) -> Message {
    let payload = json!({"bytes": crate::shared::media::encoded(json), "p": "abcdef"}).to_string();
    Message::new(&[(":message-type", "event"), (":event-type", "chunk")], payload)
}

fn unframed(messages: &[Message], piece: usize) -> (String, Result<(), Error>) {
    let mut stream = BytesMut::new();
    messages.iter().for_each(|message| encode(message, &mut stream));
    let mut frames = around("bedrock", MESSAGES).unwrap().unframe(&Rc::from("aws")).unwrap();
    let mut out = BytesMut::new();
    let result = stream.chunks(piece).try_for_each(|bytes| frames.unframe(bytes, &mut out));
    (String::from_utf8(out.to_vec()).unwrap(), result)
}

#[test]
fn frames_become_events_whose_json_is_as_it_came_however_they_arrive() {
    let odd = r#"{"type":"content_block_delta" ,"big":12345678901234567890123,"x":"\u00e9"}"#;
    let stop = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":1}}"#;
    let messages = [chunk(odd), Message::new(&[(":event-type", "later")], "{}"), chunk(stop)];
    let expected = format!("event: content_block_delta\ndata: {odd}\n\nevent: message_stop\ndata: {stop}\n\n");
    for piece in [1, 7, 4096] {
        let (text, result) = unframed(&messages, piece);
        assert_eq!((text, result.is_ok()), (expected.clone(), true));
    }
}

#[test]
fn an_exception_in_the_stream_is_an_error_behind_what_came_before() {
    let exception = Message::new(
        &[(":message-type", "exception"), (":exception-type", "throttlingException")],
        r#"{"message":"Too many requests"}"#,
    );
    let (text, result) = unframed(&[chunk(r#"{"type":"ping"}"#), exception], 4096);
    assert_eq!(text, "event: ping\ndata: {\"type\":\"ping\"}\n\n");
    assert_eq!(result.unwrap_err().code, gw_core::ErrorCode::ProviderRateLimited);
}

#[test]
fn a_chunk_that_is_no_event_is_an_error() {
    for payload in [r#"{"bytes":"%%%"}"#, r#"{"bytes":"W10="}"#, r#"{"p":""}"#, "x"] {
        let message = Message::new(&[(":message-type", "event"), (":event-type", "chunk")], payload);
        let (text, result) = unframed(&[message], 4096);
        assert_eq!(text, "");
        assert_eq!(result.unwrap_err().code, gw_core::ErrorCode::ProviderInvalidResponse, "{payload}");
    }
}
