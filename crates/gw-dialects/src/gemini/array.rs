//! A stream as Google sends it without `alt=sse`: the same objects, as a list in JSON that comes piece by piece. An error
//! is an object in the list.

use bytes::{BufMut, Bytes, BytesMut};

use crate::{DialectId, sse};

/// Whether a request is for such a list. `stream` and `query` are what its address says.
pub fn wants_array(dialect: DialectId, stream: Option<bool>, query: Option<&str>) -> bool {
    let is_sse = || query.unwrap_or_default().split('&').any(|pair| pair.eq_ignore_ascii_case("alt=sse"));
    dialect == DialectId::Gemini && stream == Some(true) && !is_sse()
}

/// Writes events as the list.
#[derive(Debug, Default)]
pub struct ArrayFraming {
    has_begun: bool,
}

impl ArrayFraming {
    /// Whole events as members of the list.
    pub fn reframe(&mut self, events: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(events.len());
        for event in sse::events(events) {
            let data = sse::data(events, &event);
            let data = data.trim_ascii();
            if data.is_empty() || data == b"[DONE]" {
                continue;
            }
            out.put_slice(if std::mem::replace(&mut self.has_begun, true) { b"\n,\n" } else { b"[" });
            out.put_slice(data);
        }
        out.freeze()
    }

    /// The end of the list, with the last events.
    pub fn end(&mut self, events: &[u8]) -> Bytes {
        let mut out = BytesMut::from(self.reframe(events));
        out.put_slice(if self.has_begun { b"\n]" } else { b"[]" });
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stream_that_is_not_asked_for_as_events_is_a_list() {
        let wants = |stream, query| wants_array(DialectId::Gemini, Some(stream), query);
        assert!(wants(true, None) && wants(true, Some("key=x")) && wants(true, Some("alt=json")));
        assert!(!wants(true, Some("alt=sse")) && !wants(true, Some("key=x&alt=SSE")) && !wants(false, None));
        assert!(!wants_array(DialectId::OpenAiChat, None, None));
    }

    #[test]
    fn what_comes_piece_by_piece_is_one_list() {
        let mut framing = ArrayFraming::default();
        let mut list = Vec::new();
        list.extend(framing.reframe(b"data: {\"a\":1}\n\n: ping\n\ndata: {\"b\":\ndata: 2}\r\n\r\n"));
        assert!(framing.reframe(b"").is_empty());
        list.extend(framing.end(b"data: {\"error\":{}}\n\n"));
        let read: serde_json::Value = serde_json::from_slice(&list).unwrap();
        assert_eq!(read, serde_json::json!([{"a": 1}, {"b": 2}, {"error": {}}]));
        assert_eq!(ArrayFraming::default().end(b""), "[]");
    }
}
