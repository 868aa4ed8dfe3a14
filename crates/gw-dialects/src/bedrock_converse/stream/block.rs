//! The block of a stream that is open, and what of it is held back until it is whole.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gw_core::chat::{Block, Delta, Event, Native, OpaqueKind};
use serde_json::{Map, Value, json};

use crate::bedrock_converse::{FAMILY, answer};
use crate::chat::Origin;

/// The block that is open.
pub(super) struct Open {
    /// The provider's number.
    pub(super) place: u64,
    /// Ours.
    pub(super) index: u32,
    pub(super) kind: Kind,
}

/// What the open block is, and what of it is held back.
pub(super) enum Kind {
    Text,
    /// Arguments that are the answer: text for the client.
    Answer {
        is_empty: bool,
    },
    Call {
        is_empty: bool,
    },
    /// The proof and the encrypted thoughts may come in fragments.
    Reasoning {
        signature: String,
        redacted: Vec<u8>,
    },
    Image,
    /// A call of one of the provider's own tools.
    ServerCall {
        start: Map<String, Value>,
        input: String,
    },
    /// What such a tool gave.
    ServerResult {
        start: Map<String, Value>,
        content: Vec<Value>,
        held: usize,
    },
}

impl Open {
    /// Gives what was held back, and the end of the block.
    pub(super) fn close(self, origin: &Origin, events: &mut Vec<Event>) {
        let Open { index, kind, .. } = self;
        let mut whole = |kind: &str, value: Value| {
            let native = Native { family: FAMILY, kind: kind.to_owned(), value: json!({kind: value}) };
            events.push(Event::BlockStart { index, candidate: 0, block: Block::Native(native) });
        };
        match kind {
            Kind::Text | Kind::Image | Kind::Call { is_empty: false } | Kind::Answer { is_empty: false } => {}
            // Clients read the arguments as JSON.
            Kind::Call { is_empty: true } | Kind::Answer { is_empty: true } => {
                events.push(Event::Delta { index, delta: Delta::Text("{}".to_owned()) });
            }
            Kind::Reasoning { signature, redacted } => {
                let state = match (signature.is_empty(), redacted.is_empty()) {
                    (true, true) => None,
                    (false, _) => Some(answer::state(OpaqueKind::Signature, signature, origin)),
                    _ => Some(answer::state(OpaqueKind::Encrypted, STANDARD.encode(redacted), origin)),
                };
                events.extend(state.map(|state| Event::Delta { index, delta: Delta::Opaque(state) }));
            }
            Kind::ServerCall { mut start, input } => {
                let input = if input.is_empty() {
                    json!({})
                } else {
                    serde_json::from_str(&input).unwrap_or(Value::String(input))
                };
                start.insert("input".to_owned(), input);
                whole("toolUse", Value::Object(start));
            }
            Kind::ServerResult { mut start, content, .. } => {
                start.insert("content".to_owned(), Value::Array(content));
                whole("toolResult", Value::Object(start));
            }
        }
        events.push(Event::BlockStop { index });
    }
}
