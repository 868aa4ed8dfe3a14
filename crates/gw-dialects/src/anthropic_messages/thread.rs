//! Conversations that the server holds (beta `message-threads-2026-08-12`): a request with `thread` begins one, or brings
//! only what is new. As Anthropic's SDK for Python speaks of them (`anthropic/lib/threads`, `types/beta`).

use gw_core::Error;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::wrong;
use crate::edit::{Edits, remove, set};
use crate::head::Head;

const MEMBER: &str = "thread";

/// What a thread keeps of the request that began it, for all that continue it.
const FIXED: [&str; 2] = ["system", "tools"];

/// What a request asks of the server's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thread {
    /// The conversation is to be held under the id of the answer.
    Create,
    /// What is held under the id of that answer comes first.
    Continue(String),
}

/// A member of a request that a thread keeps: its name, and its value in JSON.
pub type Fixed = (&'static str, Box<str>);

/// What a request asks of the server's memory; `None` if nothing.
///
/// # Errors
/// `invalid_request`, if it cannot be understood.
pub fn asked(head: &Head, body: &[u8]) -> Result<Option<Thread>, Error> {
    #[derive(Deserialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Written {
        Create,
        Continue { previous_message_id: String },
    }
    let Some(field) = head.fields.get(body, MEMBER) else { return Ok(None) };
    let written: Option<Written> =
        serde_json::from_slice(body.get(field.value()).unwrap_or_default()).map_err(|_| {
            wrong(
                "thread must be {\"type\": \"create\"}, or {\"type\": \"continue\", \"previous_message_id\": …}",
                MEMBER,
            )
        })?;
    Ok(written.map(|written| match written {
        Written::Create => Thread::Create,
        Written::Continue { previous_message_id } => Thread::Continue(previous_message_id),
    }))
}

/// The messages of a request, each in JSON.
///
/// # Errors
/// `invalid_request`, if they are no list.
pub fn messages(head: &Head, body: &[u8]) -> Result<Vec<String>, Error> {
    let raw = head.fields.get(body, "messages").and_then(|field| body.get(field.value())).unwrap_or(b"[]");
    let list: Vec<&RawValue> =
        serde_json::from_slice(raw).map_err(|_| wrong("messages must be a list of messages", "messages"))?;
    Ok(list.into_iter().map(|message| message.get().to_owned()).collect())
}

/// What a thread keeps of the request that begins it.
pub fn fixed(head: &Head, body: &[u8]) -> Vec<Fixed> {
    let of_request = FIXED.into_iter().filter_map(|name| {
        let value = body.get(head.fields.get(body, name)?.value())?;
        Some((name, Box::from(std::str::from_utf8(value).ok()?)))
    });
    of_request.collect()
}

/// The changes that make of a request one that brings the whole conversation.
pub fn whole<'m>(head: &Head, body: &[u8], fixed: &[Fixed], messages: impl Iterator<Item = &'m str>) -> Edits {
    let mut edits: Edits = remove(head, body, MEMBER).collect();
    edits.extend(fixed.iter().map(|(name, value)| set(head, body, name, value.as_bytes().to_vec().into())));
    let messages = format!("[{}]", messages.collect::<Vec<_>>().join(","));
    edits.push(set(head, body, "messages", messages.into()));
    edits
}

/// The id of an answer, and the message that it is in a conversation: none if it says nothing.
pub fn answered(answer: &[u8]) -> Option<(String, Option<String>)> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        id: String,
        #[serde(borrow)]
        content: &'a RawValue,
    }
    let Answer { id, content } = serde_json::from_slice(answer).ok()?;
    let message = (content.get() != "[]").then(|| format!(r#"{{"role":"assistant","content":{content}}}"#));
    Some((id, message))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::{edit, scan};

    fn head(body: &[u8]) -> Head {
        Head { fields: scan::top_level(body).unwrap(), ..Head::default() }
    }

    #[test]
    fn what_is_asked_of_the_memory_is_read_from_the_body() {
        let of = |body: &str| asked(&head(body.as_bytes()), body.as_bytes());
        assert_eq!(of("{}").unwrap(), None);
        assert_eq!(of(r#"{"thread":null}"#).unwrap(), None);
        assert_eq!(of(r#"{"thread":{"type":"create"}}"#).unwrap(), Some(Thread::Create));
        let continued = of(r#"{"thread":{"type":"continue","previous_message_id":"msg_1"}}"#).unwrap();
        assert_eq!(continued, Some(Thread::Continue("msg_1".to_owned())));
        for wrong in [r#"{"thread":"create"}"#, r#"{"thread":{"type":"continue"}}"#, r#"{"thread":{"type":"fork"}}"#] {
            assert_eq!(of(wrong).unwrap_err().param, Some("thread"));
        }
    }

    #[test]
    fn a_request_that_continues_brings_everything_that_was_said() {
        let first = br#"{"system":"Be kind.","thread":{"type":"create"},"messages":[{"role":"user","content":"1"}]}"#;
        let mut said = messages(&head(first), first).unwrap();
        let (id, answer) = answered(br#"{"id":"msg_1","content":[{"type":"text","text":"2"}]}"#).unwrap();
        assert_eq!(id, "msg_1");
        said.extend(answer);
        let next = Bytes::from_static(br#"{"model":"m","messages":[{"role":"user","content":"3"}],"thread":{}}"#);
        said.extend(messages(&head(&next), &next).unwrap());
        let edits = whole(&head(&next), &next, &fixed(&head(first), first), said.iter().map(String::as_str));
        let sent: Value = serde_json::from_slice(&edit::apply(&next, edits).concat()).unwrap();
        let said = json!([
            {"role": "user", "content": "1"},
            {"role": "assistant", "content": [{"type": "text", "text": "2"}]},
            {"role": "user", "content": "3"},
        ]);
        assert_eq!(sent, json!({"model": "m", "system": "Be kind.", "messages": said}));
    }

    #[test]
    fn an_answer_without_a_word_is_no_message() {
        assert_eq!(answered(br#"{"id":"msg_1","content":[]}"#), Some(("msg_1".to_owned(), None)));
        assert_eq!(answered(b"{}"), None);
    }
}
