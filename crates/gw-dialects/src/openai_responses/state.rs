//! What a request asks of the server's memory. The gateway resolves it before a provider is asked.

use serde::Deserialize;
use serde_json::Value;

/// What a request asks of the server's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The answer that this request continues.
    pub previous_response_id: Option<String>,
    /// The conversation that this request belongs to.
    pub conversation: Option<String>,
    /// Whether the answer is to be kept: yes, unless the client says no.
    pub store: bool,
    /// Whether the client wants to fetch the answer later.
    pub background: bool,
}

impl Default for State {
    fn default() -> Self {
        Self { previous_response_id: None, conversation: None, store: true, background: false }
    }
}

/// What the body of a request asks of the server's memory; of a body that cannot be read, nothing.
pub fn state(body: &[u8]) -> State {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Members {
        previous_response_id: Value,
        conversation: Value,
        store: Value,
        background: Value,
    }
    let members: Members = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().filter(|id| !id.is_empty()).map(str::to_owned);
    State {
        previous_response_id: text(&members.previous_response_id),
        conversation: text(&members.conversation).or_else(|| members.conversation.get("id").and_then(text)),
        store: members.store.as_bool().unwrap_or(true),
        background: members.background.as_bool().unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_the_memory_is_read_from_the_body() {
        let named = |previous: Option<&str>, conversation: Option<&str>, store| State {
            previous_response_id: previous.map(str::to_owned),
            conversation: conversation.map(str::to_owned),
            store,
            background: false,
        };
        for (body, expected) in [
            (r#"{"previous_response_id":"resp_1","store":false}"#, named(Some("resp_1"), None, false)),
            (r#"{"conversation":{"id":"conv_1"},"store":null}"#, named(None, Some("conv_1"), true)),
            (r#"{"conversation":"conv_1","previous_response_id":null}"#, named(None, Some("conv_1"), true)),
            (r#"{"input":"hi"}"#, State::default()),
            ("[", State::default()),
        ] {
            assert_eq!(state(body.as_bytes()), expected, "{body}");
        }
    }
}
