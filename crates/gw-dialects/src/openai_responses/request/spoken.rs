//! Writes what the model said, as messages. One text without anything is a message of the short form; all else is the
//! model's own output message, since OpenAI takes neither refusals nor sources in the short form.

use gw_core::chat::{Loss, Part};
use serde_json::{Value, json};

use super::super::FAMILY;
use super::content;
use crate::shared::ids;
use crate::shared::losses::Losses;

/// A message of the model's that is being written. A change of phase begins another.
#[derive(Default)]
pub(super) struct Spoken {
    content: Vec<Value>,
    /// The message, if it is nothing but one text.
    plain: Option<String>,
    /// That of its texts, if it has any: refusals and what is not known are of whichever message they stand in.
    phase: Option<Option<String>>,
}

impl Spoken {
    pub(super) fn add(&mut self, part: &Part, provider: &str, losses: &mut Losses, items: &mut Vec<Value>) {
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
                (content::output_text(text, losses), Some(own.map(|opaque| opaque.data.clone())))
            }
            Part::Refusal(text) => (json!({"type": "refusal", "refusal": text}), None),
            Part::Native(native) => (native.value.clone(), None),
            _ => return,
        };
        if phase.is_some() {
            if self.phase.is_some() && phase != self.phase {
                self.finish(items);
            }
            self.phase = phase;
        }
        let is_first = self.content.is_empty();
        self.plain = match part {
            Part::Text(text) if is_first && text.citations.is_empty() && text.unknown.is_empty() => {
                Some(text.text.clone())
            }
            _ => None,
        };
        self.content.push(written);
    }

    pub(super) fn finish(&mut self, items: &mut Vec<Value>) {
        let Self { content, plain, phase } = std::mem::take(self);
        if content.is_empty() {
            return;
        }
        let mut item = match plain {
            Some(text) => json!({"type": "message", "role": "assistant", "content": text}),
            None => {
                // An id is required, and the client's is not known here. Its place keeps it apart from others.
                let id = ids::made("msg", (items.len(), Value::from(content.as_slice()).to_string()));
                json!({"type": "message", "id": id, "status": "completed", "role": "assistant", "content": content})
            }
        };
        if let Some(phase) = phase.flatten() {
            item["phase"] = Value::from(phase);
        }
        items.push(item);
    }
}

/// Whether a part is the content of a message, and not an item of its own.
pub(super) fn is_spoken(part: &Part) -> bool {
    match part {
        Part::Text(_) | Part::Refusal(_) => true,
        Part::Native(native) => content::is_content(native),
        _ => false,
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
