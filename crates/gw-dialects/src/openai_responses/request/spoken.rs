//! Writes what the model said, as messages.

use gw_core::chat::{Loss, Part};
use serde_json::{Value, json};

use super::super::FAMILY;
use super::content;

/// A message of the model's that is being written. A change of phase begins another.
#[derive(Default)]
pub(super) struct Spoken {
    content: Vec<Value>,
    /// The message, if it is nothing but one text.
    plain: Option<String>,
    phase: Option<String>,
}

impl Spoken {
    pub(super) fn add(&mut self, part: &Part, provider: &str, losses: &mut Vec<Loss>, items: &mut Vec<Value>) {
        if is_empty(part) {
            return;
        }
        let (written, phase) = match part {
            Part::Text(text) => {
                let own = text.opaque.as_ref().filter(|opaque| opaque.belongs_to(FAMILY, provider));
                if text.cache.is_some() {
                    losses
                        .push(Loss::replaced("messages[].cache_control", "the provider remembers requests by itself"));
                }
                (content::output_text(text, losses), own.map(|opaque| opaque.data.clone()))
            }
            Part::Refusal(text) => (json!({"type": "refusal", "refusal": text}), self.phase.clone()),
            _ => return,
        };
        if phase != self.phase {
            self.finish(items);
        }
        self.phase = phase;
        let is_first = self.content.is_empty();
        self.plain = match part {
            Part::Text(text) if is_first && text.citations.is_empty() => Some(text.text.clone()),
            _ => None,
        };
        self.content.push(written);
    }

    pub(super) fn finish(&mut self, items: &mut Vec<Value>) {
        let Self { content, plain, phase } = std::mem::take(self);
        if content.is_empty() {
            return;
        }
        let content = plain.map_or(Value::Array(content), Value::from);
        let mut item = json!({"type": "message", "role": "assistant", "content": content});
        if let Some(phase) = phase {
            item["phase"] = Value::from(phase);
        }
        items.push(item);
    }
}

/// Whether a part is a text without a word.
pub(super) fn is_empty(part: &Part) -> bool {
    match part {
        Part::Text(text) => text.text.is_empty(),
        Part::Refusal(text) => text.is_empty(),
        _ => false,
    }
}
