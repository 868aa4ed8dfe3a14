//! Google's `generateContent`.

use super::wire::CONTENT;
use super::{Texts, Wire};
use crate::template::NONCE;

const USAGE: &str = r#""usageMetadata":{"promptTokenCount":124,"candidatesTokenCount":81,"totalTokenCount":205,"promptTokensDetails":[{"modality":"TEXT","tokenCount":124}]}"#;

/// What the mock says.
pub(super) fn texts() -> Texts {
    let ending = event("", r#","finishReason":"STOP""#);
    Texts {
        chat: answer(&format!("{CONTENT} ({NONCE})"), r#","finishReason":"STOP""#),
        opening: String::new(),
        event: event(&format!(" {}", Wire::Gemini.word()), ""),
        ending_with_usage: ending.clone(),
        ending,
    }
}

fn event(text: &str, more: &str) -> String {
    format!("data: {}\r\n\r\n", answer(text, more))
}

fn answer(text: &str, more: &str) -> String {
    let model = Wire::Gemini.model();
    format!(
        r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}}{more},"index":0}}],{USAGE},"modelVersion":"{model}","responseId":"r{NONCE}"}}"#
    )
}
