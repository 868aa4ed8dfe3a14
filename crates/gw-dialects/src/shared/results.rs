//! The results of tools, which stand anywhere in a conversation and are written behind their calls.

use std::collections::{HashMap, HashSet, VecDeque};

use gw_core::chat::{Message, Part, ToolResult};

/// Results that have not been written, by the id of their call.
pub(crate) struct Results<'a> {
    by_call: HashMap<&'a str, VecDeque<&'a ToolResult>>,
    called: HashSet<&'a str>,
}

impl<'a> Results<'a> {
    /// Of a whole conversation.
    pub(crate) fn collect(messages: &'a [Message]) -> Self {
        let mut results = Self { by_call: HashMap::new(), called: HashSet::new() };
        for part in messages.iter().flat_map(|message| &message.parts) {
            match part {
                Part::ToolResult(result) => results.by_call.entry(&result.call_id).or_default().push_back(result),
                Part::ToolCall(call) => drop(results.called.insert(&call.id)),
                _ => {}
            }
        }
        results
    }

    /// The next result of that call.
    pub(crate) fn take(&mut self, call_id: &str) -> Option<&'a ToolResult> {
        self.by_call.get_mut(call_id)?.pop_front()
    }

    /// The next result of that id, if no call of the conversation waits for it.
    pub(crate) fn take_orphan(&mut self, call_id: &str) -> Option<&'a ToolResult> {
        if self.called.contains(call_id) { None } else { self.take(call_id) }
    }

    /// Whether a call has a result that was not written.
    pub(crate) fn has_more(&self) -> bool {
        self.by_call.iter().any(|(call, results)| self.called.contains(call) && !results.is_empty())
    }
}
