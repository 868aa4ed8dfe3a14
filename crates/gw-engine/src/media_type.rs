//! What kind of body a header announces.

use http::{HeaderMap, HeaderValue, header};

/// A stream of events.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    is(headers, b"text/event-stream")
}

/// One JSON document.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    is(headers, b"application/json")
}

/// Whether a body is of that media type, whatever parameters follow it.
pub(crate) fn is(headers: &HeaderMap, expected: &[u8]) -> bool {
    let said = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let Some((start, rest)) = said.split_at_checked(expected.len()) else { return false };
    // `application/jsonl` is another type. A comma or a space may follow where a server says the type twice.
    start.eq_ignore_ascii_case(expected) && rest.first().is_none_or(|next| b"; ,".contains(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))])
    }

    #[test]
    fn an_event_stream_is_known_by_its_media_type_whatever_follows_it() {
        assert!(is_event_stream(&said("text/event-stream")));
        assert!(is_event_stream(&said("Text/Event-Stream; charset=utf-8")));
        assert!(is_event_stream(&said("text/event-stream, text/event-stream")));
        assert!(!is_event_stream(&said("application/json")));
        assert!(!is_event_stream(&said("text/plain")));
        assert!(!is_event_stream(&HeaderMap::new()));
    }

    #[test]
    fn lines_of_json_are_not_json() {
        assert!(is_json(&said("application/json")) && is_json(&said("application/json;charset=UTF-8")));
        assert!(!is_json(&said("application/jsonl")) && !is_json(&said("application/json-seq")));
    }
}
