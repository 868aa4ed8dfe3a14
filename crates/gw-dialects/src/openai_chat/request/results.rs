//! Results of tools, to be found by their calls.

use std::collections::{HashMap, HashSet, VecDeque};

use gw_core::chat::{Message, Part, ToolResult};

/// Results that have not been sent, by the id of their call.
pub(super) struct Results<'a> {
    by_call: HashMap<&'a str, VecDeque<&'a ToolResult>>,
    called: HashSet<&'a str>,
}

impl<'a> Results<'a> {
    /// Of a whole conversation.
    pub(super) fn collect(messages: &'a [Message]) -> Self {
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
    pub(super) fn take(&mut self, call_id: &str) -> Option<&'a ToolResult> {
        self.by_call.get_mut(call_id)?.pop_front()
    }

    /// Whether no call of the conversation waits for it.
    pub(super) fn is_orphan(&self, result: &ToolResult) -> bool {
        !self.called.contains(result.call_id.as_str())
    }

    /// Whether a call has a result that was not sent.
    pub(super) fn has_more(&self) -> bool {
        self.by_call.iter().any(|(call, results)| self.called.contains(call) && !results.is_empty())
    }
}
