//! OpenAI's chat completions and embeddings.

use std::fmt::Write;

use super::wire::CONTENT;
use super::{Shape, Stream};
use crate::template::{INDEX, NONCE};

const OPENING_PROMPT: &str = "You are a helpful assistant. Answer briefly.";

/// A request's body before and after its text.
pub(super) fn request(shape: Shape, model: &str, begin: &str, end: &str) -> (String, String) {
    let options = match shape {
        Shape::Embeddings => {
            let tail = format!(r#"{end}","model":"text-embedding-3-small","encoding_format":"float"}}"#);
            return (format!(r#"{{"input":"{begin}"#), tail);
        }
        Shape::Chat => "",
        Shape::Stream(Stream { usage: false, .. }) => r#","stream":true"#,
        Shape::Stream(Stream { usage: true, .. }) => r#","stream":true,"stream_options":{"include_usage":true}"#,
    };
    (
        format!(r#"{{"messages":[{{"role":"system","content":"{OPENING_PROMPT}"}},{{"role":"user","content":"{begin}"#),
        format!(r#"{end}"}}],"model":"{model}","max_tokens":256,"temperature":0.7{options}}}"#),
    )
}

/// A chat completion in one piece.
pub(crate) fn chat() -> String {
    format!(
        r#"{{"id":"chatcmpl-{NONCE}","object":"chat.completion","created":1763650000,"model":"gpt-4o-mini-2024-07-18","choices":[{{"index":0,"message":{{"role":"assistant","content":"{CONTENT}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":124,"completion_tokens":81,"total_tokens":205,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_560af6e559"}}"#
    )
}

/// One vector of 256 numbers; the nonce is the fraction of the first.
pub(crate) fn embeddings() -> String {
    let mut vector = format!("0.{NONCE}");
    for index in 1_i32..256 {
        let thousandths = index * 37 % 101 - 50;
        // Writing to a string cannot fail.
        let _ = write!(vector, ",{:.8}", f64::from(thousandths) / 1000.0);
    }
    format!(
        r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[{vector}]}}],"model":"text-embedding-3-small","usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#
    )
}

/// The first event of a stream, which names the role.
pub(super) fn stream_opening() -> String {
    event(
        r#"[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]"#,
        "null",
    )
}

/// An event that carries text.
pub(super) fn stream_event() -> String {
    let choice = format!(r#"[{{"index":0,"delta":{{"content":" w{INDEX}"}},"logprobs":null,"finish_reason":null}}]"#);
    event(&choice, "null")
}

/// The stop, usage if it was asked for, and `[DONE]`.
pub(super) fn stream_ending(usage: bool) -> String {
    let mut ending = event(r#"[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]"#, "null");
    if usage {
        ending.push_str(&event("[]", r#"{"prompt_tokens":124,"completion_tokens":50,"total_tokens":174}"#));
    }
    ending + "data: [DONE]\n\n"
}

fn event(choices: &str, usage: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-{NONCE}\",\"object\":\"chat.completion.chunk\",\"created\":1763650000,\
         \"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_560af6e559\",\
         \"choices\":{choices},\"usage\":{usage},\"obfuscation\":\"qZ8fT\"}}\n\n"
    )
}
