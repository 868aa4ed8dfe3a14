//! Members of messages that some providers of this format know and others refuse: the catalogue says who knows which.

use gw_core::chat::{CacheMarker, ChatRequest, Loss, Part, Reasoning, Role};
use serde::Deserialize;

/// A member of messages that not every provider knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionalMember {
    /// What the model thought earlier, which OpenAI's own format has no place for.
    ReasoningContent,
    /// How much of a conversation is to be remembered: OpenAI's own, which few imitators have.
    PromptCacheBreakpoint,
}

impl OptionalMember {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ReasoningContent, Self::PromptCacheBreakpoint];

    /// Leaves out of a request what the member would say, for a provider that does not know it, and tells what is lost.
    pub fn leave_out(self, request: &mut ChatRequest) -> Option<Loss> {
        match self {
            Self::ReasoningContent => without_thoughts(request),
            Self::PromptCacheBreakpoint => without_markers(request),
        }
    }
}

fn without_thoughts(request: &mut ChatRequest) -> Option<Loss> {
    let mut is_lost = false;
    for message in request.messages.iter_mut().filter(|message| message.role == Role::Assistant) {
        let before = message.parts.len();
        message.parts.retain(|part| match part {
            // What another provider signed is not for this one anyway: nothing is lost.
            Part::Reasoning(Reasoning { text, opaque, .. }) => {
                is_lost |= opaque.is_none() && !text.is_empty();
                false
            }
            _ => true,
        });
        // A message of thoughts alone is no message any more.
        if before > 0 && message.parts.is_empty() {
            message.role = Role::User;
        }
    }
    request.messages.retain(|message| !(message.role == Role::User && message.parts.is_empty()));
    is_lost.then(|| Loss::dropped("messages[].reasoning_content", "the provider is not known to take earlier thoughts"))
}

fn without_markers(request: &mut ChatRequest) -> Option<Loss> {
    let mut is_lost = false;
    let parts = request.messages.iter_mut().flat_map(|message| &mut message.parts);
    for part in parts {
        each_marker(part, &mut |marker| is_lost |= marker.take().is_some());
    }
    is_lost.then(|| Loss::dropped("messages[].cache_control", "the provider is not known to take marks for its cache"))
}

fn each_marker(part: &mut Part, take: &mut impl FnMut(&mut Option<CacheMarker>)) {
    match part {
        Part::Text(text) => take(&mut text.cache),
        Part::Media(media) => take(&mut media.cache),
        Part::ToolResult(result) => {
            take(&mut result.cache);
            // Results hold no results: a loop would be the client's, and ends with its request.
            for part in &mut result.content {
                match part {
                    Part::Text(text) => take(&mut text.cache),
                    Part::Media(media) => take(&mut media.cache),
                    _ => {}
                }
            }
        }
        // The dialect says itself that calls cannot be marked.
        Part::ToolCall(_) | Part::Refusal(_) | Part::Reasoning(_) | Part::Native(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use gw_core::chat::{Family, Message, Opaque, OpaqueKind, Text};

    use super::*;

    fn assistant(parts: Vec<Part>) -> ChatRequest {
        let message = Message::new;
        let asked = || message(Role::User, vec!["Well?".into()]);
        ChatRequest { messages: vec![asked(), message(Role::Assistant, parts), asked()], ..ChatRequest::default() }
    }

    fn thought(opaque: Option<Opaque>) -> Part {
        Part::Reasoning(Reasoning { text: "Hm".to_owned(), opaque, ..Reasoning::default() })
    }

    #[test]
    fn thoughts_are_left_out_and_that_is_a_loss_unless_they_were_anothers() {
        let mut request = assistant(vec![thought(None), "Yes".into()]);
        let loss = OptionalMember::ReasoningContent.leave_out(&mut request);
        assert_eq!(loss.unwrap().param, "messages[].reasoning_content");
        assert_eq!(request, assistant(vec!["Yes".into()]));

        let kind = OpaqueKind::Signature;
        let signature = Opaque { family: Family::Anthropic, provider: "p".to_owned(), kind, data: "s".to_owned() };
        let mut request = assistant(vec![thought(Some(signature)), "Yes".into()]);
        assert_eq!(OptionalMember::ReasoningContent.leave_out(&mut request), None);
        assert_eq!(request, assistant(vec!["Yes".into()]));
    }

    #[test]
    fn a_message_of_thoughts_alone_goes_with_them() {
        let mut request = assistant(vec![thought(None)]);
        OptionalMember::ReasoningContent.leave_out(&mut request);
        assert_eq!(request.messages.len(), 2);
    }

    #[test]
    fn markers_are_left_out_and_their_texts_stay() {
        let marked = || Part::Text(Text { cache: Some(CacheMarker::default()), ..Text::from("Yes") });
        let mut request = assistant(vec![marked()]);
        let loss = OptionalMember::PromptCacheBreakpoint.leave_out(&mut request);
        assert_eq!(loss.unwrap().param, "messages[].cache_control");
        assert_eq!(request, assistant(vec!["Yes".into()]));
        assert_eq!(OptionalMember::PromptCacheBreakpoint.leave_out(&mut request), None);
    }
}
