//! What scripted upstreams say.

/// A chat answer with usage. Not a byte of it may change on its way.
pub(crate) const CHAT_ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello back","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}"#;

/// An answer with a known length.
pub(crate) fn http_answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// A 200 of JSON.
pub(crate) fn json_answer(body: impl AsRef<[u8]>) -> Vec<u8> {
    http_answer(200, &[("content-type", "application/json")], body)
}

/// The head of a stream that ends with the connection; the events follow as they are.
pub(crate) fn event_stream() -> &'static [u8] {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n"
}
