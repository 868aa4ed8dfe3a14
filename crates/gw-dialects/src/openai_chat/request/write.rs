//! What a request is written into: its body, and what could not be said.

use crate::shared::losses::Losses;
use gw_core::chat::{CacheMarker, Loss};
use serde_json::{Map, Value, json};

/// A request that is being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// The members so far.
    pub(super) body: Map<String, Value>,
    /// What could not be said, each once.
    pub(super) losses: Losses,
}

impl Writer {
    /// Adds a member.
    pub(super) fn say(&mut self, name: &str, value: impl Into<Value>) {
        self.body.insert(name.to_owned(), value.into());
    }

    /// Adds a member if there is something to say.
    pub(super) fn say_if(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.say(name, value);
        }
    }

    /// Notes what could not be said.
    pub(super) fn lose(&mut self, loss: Loss) {
        self.losses.push(loss);
    }

    /// Marks a part of a message as the end of what is to be remembered, in OpenAI's words.
    pub(super) fn mark(&mut self, part: &mut Value, cache: Option<&CacheMarker>) {
        let Some(cache) = cache else { return };
        if cache.ttl.is_some() {
            self.lose(Loss::replaced(
                "messages[].cache_control.ttl",
                "a marker holds as long as the provider sees fit",
            ));
        }
        if let Value::Object(part) = part {
            part.insert("prompt_cache_breakpoint".to_owned(), json!({"mode": "explicit"}));
        }
    }
}
