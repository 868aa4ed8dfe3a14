//! Anthropic's Messages.

use super::wire::CONTENT;
use super::{Shape, Texts, Wire};
use crate::template::NONCE;

/// A request's body before and after its text. There are no embeddings: they are asked for in OpenAI's format.
pub(super) fn request(shape: Shape, model: &str, begin: &str, end: &str) -> (String, String) {
    let stream = if matches!(shape, Shape::Stream(_)) { r#","stream":true"# } else { "" };
    (
        format!(r#"{{"max_tokens":256,"messages":[{{"role":"user","content":"{begin}"#),
        format!(
            r#"{end}"}}],"model":"{model}","system":"You are a helpful assistant. Answer briefly.","temperature":0.7{stream}}}"#
        ),
    )
}

/// What the mock says.
pub(super) fn texts() -> Texts {
    let model = Wire::Anthropic.model();
    let usage = r#"{"input_tokens":124,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":81,"service_tier":"standard"}"#;
    let word = Wire::Anthropic.word();
    let opening = [
        event(
            "message_start",
            &format!(
                r#""message":{{"model":"{model}","id":"msg_{NONCE}","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{usage}}}"#
            ),
        ),
        event("content_block_start", r#""index":0,"content_block":{"type":"text","text":""}"#),
    ];
    let ending = [
        event("content_block_stop", r#""index":0"#),
        event(
            "message_delta",
            r#""delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":81}"#,
        ),
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_owned(),
    ]
    .concat();
    Texts {
        chat: format!(
            r#"{{"model":"{model}","id":"msg_{NONCE}","type":"message","role":"assistant","content":[{{"type":"text","text":"{CONTENT} ({NONCE})"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{usage}}}"#
        ),
        opening: opening.concat(),
        event: event("content_block_delta", &format!(r#""index":0,"delta":{{"type":"text_delta","text":" {word}"}}"#)),
        ending_with_usage: ending.clone(),
        ending,
    }
}

fn event(name: &str, members: &str) -> String {
    format!("event: {name}\ndata: {{\"type\":\"{name}\",{members}}}\n\n")
}
