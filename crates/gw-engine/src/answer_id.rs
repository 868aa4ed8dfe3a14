//! Finds the id of an answer, for clients that come back with it.

use gw_dialects::scan;

/// What answers are wrapped in: the events of the Responses API, the first event of Anthropic's Messages.
const WRAPPERS: [&str; 2] = ["response", "message"];
/// The member that holds the id; Gemini's is the second.
const IDS: [&str; 2] = ["id", "responseId"];

/// The id that stands in a piece: whole events, or one JSON object.
pub(crate) fn find(piece: &[u8], is_events: bool) -> Option<String> {
    if !is_events {
        return within(piece);
    }
    let lines = piece.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.filter_map(|line| line.strip_prefix(b"data:")).find_map(within)
}

fn within(object: &[u8]) -> Option<String> {
    let members = scan::top_level(object).ok()?;
    let value = |name: &str| members.get(object, name).and_then(|field| object.get(field.value()));
    let wrapped = WRAPPERS.iter().filter_map(|name| value(name)).find(|value| value.starts_with(b"{"));
    match wrapped {
        Some(inner) => within(inner),
        None => IDS.iter().filter_map(|name| value(name)).find_map(|id| serde_json::from_slice(id).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_in_every_dialects_answers_and_events() {
        let whole = |text: &str| find(text.as_bytes(), false);
        assert_eq!(
            whole(r#"{"object":"chat.completion","id":"chatcmpl-1","choices":[]}"#).as_deref(),
            Some("chatcmpl-1")
        );
        assert_eq!(whole(r#"{"responseId":"g","candidates":[]}"#).as_deref(), Some("g"));
        for text in [r#"{"object":"list","data":[]}"#, r#"{"id":7}"#, "[]", "", "{"] {
            assert_eq!(whole(text), None, "{text}");
        }
        let event = |text: &str| find(text.as_bytes(), true);
        assert_eq!(event(": hello\n\ndata: {\"id\":\"gen-1\"}\n\n").as_deref(), Some("gen-1"));
        let response =
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n";
        assert_eq!(event(response).as_deref(), Some("resp_1"));
        let message = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\"}}\n\n";
        assert_eq!(event(message).as_deref(), Some("msg_1"));
        assert_eq!(event("data: [DONE]\n\n"), None);
    }
}
