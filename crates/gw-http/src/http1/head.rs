//! The heads of an HTTP/1.1 exchange: a request's, written, and an answer's, read.

use std::ops::Range;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};

use crate::connect::ForwardProxy;
use crate::http1::framing::{Framing, Malformed};
use crate::origin::Origin;

/// Headers of an answer; the same as hyper allows.
const HEADERS_MAX: usize = 100;
/// Most requests' heads fit in here.
const REQUEST_HEAD_BYTES: usize = 1 << 10;
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct AnswerHead {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) framing: Framing,
    /// For how long the connection may wait for another request after this answer; `None` if it takes no other.
    pub(crate) reusable_for: Option<Duration>,
}

/// Writes the head of a request with a body of that length, or of one that nobody knows. Where `forward` is given, the request goes to a proxy that
/// wants the whole URL and a credential of its own (RFC 9112 §3.2.2).
pub(crate) fn write_request<B>(
    request: &Request<B>,
    length: Option<u64>,
    origin: &Origin,
    forward: Option<&ForwardProxy>,
) -> Bytes {
    let mut head = BytesMut::with_capacity(REQUEST_HEAD_BYTES);
    head.put_slice(request.method().as_str().as_bytes());
    head.put_u8(b' ');
    if forward.is_some() {
        head.put_slice(b"http://");
        head.put_slice(origin.host_header.as_bytes());
    }
    head.put_slice(target(request.uri()).as_bytes());
    head.put_slice(b" HTTP/1.1\r\n");
    write_header(&mut head, &header::HOST, &origin.host_header);
    for (name, value) in request.headers() {
        // The length is ours to say; two of them would be read in two ways.
        if name != header::CONTENT_LENGTH && name != header::TRANSFER_ENCODING && name != header::HOST {
            write_header(&mut head, name, value);
        }
    }
    if let Some(value) = forward.and_then(|forward| forward.authorization.as_ref()) {
        write_header(&mut head, &header::PROXY_AUTHORIZATION, value);
    }
    match length {
        None => write_header(&mut head, &header::TRANSFER_ENCODING, &HeaderValue::from_static("chunked")),
        Some(0) if request.method() != Method::POST && request.method() != Method::PUT => {}
        Some(length) => write_header(&mut head, &header::CONTENT_LENGTH, &HeaderValue::from(length)),
    }
    head.put_slice(b"\r\n");
    head.freeze()
}

fn write_header(head: &mut BytesMut, name: &HeaderName, value: &HeaderValue) {
    head.put_slice(name.as_str().as_bytes());
    head.put_slice(b": ");
    head.put_slice(value.as_bytes());
    head.put_slice(b"\r\n");
}

fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |path| path.as_str())
}

/// Whether the head ends within `bytes`, of which the first `seen` were looked at before.
pub(crate) fn is_complete(bytes: &[u8], seen: usize) -> bool {
    let fresh = &bytes[seen.saturating_sub(3)..];
    memchr::memmem::find(fresh, b"\n\r\n").is_some() || memchr::memmem::find(fresh, b"\n\n").is_some()
}

/// Reads the head of an answer to a request of that method, and says how many bytes it is; `None` if it is not whole.
pub(crate) fn read_answer(bytes: &Bytes, method: &Method) -> Result<Option<(AnswerHead, usize)>, Malformed> {
    let mut list = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut list);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed("it has too many headers")),
        Err(_) => return Err(Malformed("its head cannot be read")),
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Malformed("its status is not one"))?;
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for parsed in parsed.headers.iter() {
        let name =
            HeaderName::from_bytes(parsed.name.as_bytes()).map_err(|_| Malformed("a header has a wrong name"))?;
        let value = HeaderValue::from_maybe_shared(bytes.slice(place(bytes, parsed.value)))
            .map_err(|_| Malformed("a header has a wrong value"))?;
        headers.append(name, value);
    }
    let framing = framing(&headers, status, method)?;
    // Both a length and chunks: the chunks count, and what comes after them is not trusted (RFC 9112 §6.3).
    let ambiguous = headers.contains_key(header::CONTENT_LENGTH) && headers.contains_key(header::TRANSFER_ENCODING);
    let closes = ambiguous || lists(&headers, &header::CONNECTION, "close");
    let persistent = parsed.version == Some(1) && !closes;
    let reusable_for = (persistent && framing != Framing::UntilClose).then(|| keep_alive(&headers));
    Ok(Some((AnswerHead { status, headers, framing, reusable_for }, length)))
}

/// Where in `whole` a part of it stands.
fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr().addr()).saturating_sub(whole.as_ptr().addr()).min(whole.len());
    start..(start + part.len()).min(whole.len())
}

/// RFC 9112 §6.3. What another reader could understand in another way is refused.
fn framing(headers: &HeaderMap, status: StatusCode, method: &Method) -> Result<Framing, Malformed> {
    if method == Method::HEAD || status.is_informational() || matches!(status.as_u16(), 204 | 304) {
        return Ok(Framing::Length(0));
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => {}
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => return Ok(Framing::chunked()),
        _ => return Err(Malformed("its transfer encoding is not \"chunked\"")),
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else {
        return Ok(Framing::UntilClose);
    };
    if lengths.any(|other| other != first) {
        return Err(Malformed("it has two lengths"));
    }
    length(first).map(Framing::Length)
}

fn length(value: &HeaderValue) -> Result<u64, Malformed> {
    let wrong = Malformed("its length is not a number");
    let digits = value.to_str().map_err(|_| wrong)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong);
    }
    digits.parse().map_err(|_| wrong)
}

fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(token)))
}

/// How long an idle connection is kept where the other side says nothing of it. Below the 60 s that load balancers
/// commonly allow.
const IDLE_MAX: Duration = Duration::from_secs(55);

/// How long the other side says it keeps an idle connection (`keep-alive: timeout=5`), less a second for the way.
fn keep_alive(headers: &HeaderMap) -> Duration {
    let Some(value) = headers.get(KEEP_ALIVE).and_then(|value| value.to_str().ok()) else {
        return IDLE_MAX;
    };
    let timeout = value.split(',').filter_map(|parameter| parameter.trim().strip_prefix("timeout="));
    let seconds: Option<u64> = timeout.filter_map(|text| text.parse().ok()).next();
    seconds.map_or(IDLE_MAX, |seconds| IDLE_MAX.min(Duration::from_secs(seconds.saturating_sub(1))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::origin::Origins;
    use crate::origin::tests::clear_text;

    fn read(text: &str) -> Result<Option<(AnswerHead, usize)>, Malformed> {
        read_answer(&Bytes::copy_from_slice(text.as_bytes()), &Method::POST)
    }

    fn head(text: &str) -> AnswerHead {
        read(&format!("HTTP/1.1 200 OK\r\n{text}\r\n")).unwrap().unwrap().0
    }

    #[test]
    fn the_end_of_the_body_is_known_from_the_head() {
        assert_eq!(head("content-length: 12\r\n").framing, Framing::Length(12));
        assert_eq!(head("content-length: 12\r\nContent-Length: 12\r\n").framing, Framing::Length(12));
        assert_eq!(head("transfer-encoding: Chunked\r\n").framing, Framing::chunked());
        assert_eq!(head("").framing, Framing::UntilClose);
        for status in ["204 No Content", "304 Not Modified", "103 Early Hints"] {
            let (head, _) = read(&format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\n")).unwrap().unwrap();
            assert_eq!(head.framing, Framing::Length(0));
        }
        let bytes = Bytes::from_static(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(read_answer(&bytes, &Method::HEAD).unwrap().unwrap().0.framing, Framing::Length(0));
    }

    #[test]
    fn an_answer_that_could_be_read_in_two_ways_is_refused() {
        for headers in [
            "content-length: 12\r\ncontent-length: 13\r\n",
            "content-length: 12, 12\r\n",
            "content-length: +12\r\n",
            "content-length: 0x12\r\n",
            "content-length:\r\n",
            "content-length: 99999999999999999999\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: identity\r\n",
            "x : 1\r\n",
            "x: 1\r\n folded\r\n",
            "x\0: 1\r\n",
        ] {
            assert!(read(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).is_err(), "{headers}");
        }
        for head in ["HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 099 X\r\n\r\n", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n"]
        {
            assert!(read(head).is_err(), "{head}");
        }
        let many = "x: 1\r\n".repeat(HEADERS_MAX + 1);
        assert!(read(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")).is_err());
    }

    #[test]
    fn a_connection_is_kept_if_the_other_side_keeps_it_and_no_longer_than_it_says() {
        let kept = |text: &str| head(&format!("content-length: 0\r\n{text}")).reusable_for;
        assert_eq!(kept(""), Some(IDLE_MAX));
        assert_eq!(kept("keep-alive: timeout=5, max=100\r\n"), Some(Duration::from_secs(4)));
        assert_eq!(kept("keep-alive: timeout=0\r\n"), Some(Duration::ZERO));
        assert_eq!(kept("keep-alive: timeout=soon\r\n"), Some(IDLE_MAX));
        assert_eq!(kept("connection: Keep-Alive, Close\r\n"), None);
        assert_eq!(kept("transfer-encoding: chunked\r\n"), None, "a length and chunks");
        assert_eq!(head("").reusable_for, None);
        let old = read("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap().unwrap();
        assert_eq!(old.0.reusable_for, None);
    }

    #[test]
    fn values_are_kept_as_they_came_and_in_their_order() {
        let head = head("x-a: 1\r\nX-A:  two \r\nx-latin: caf\u{e9}\r\ncontent-length: 0\r\n");
        let values: Vec<_> = head.headers.get_all("x-a").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(values, [&b"1"[..], b"two"]);
        assert_eq!(head.headers["x-latin"].as_bytes(), "caf\u{e9}".as_bytes());
    }

    #[test]
    fn a_request_says_its_length_once_and_its_host_first() {
        let origin = Origins::default().intern(clear_text(8_080)).unwrap();
        let request = Request::post("/v1/chat?x=1")
            .header("x-a", "1")
            .header("content-length", "999")
            .header("transfer-encoding", "chunked")
            .body(())
            .unwrap();
        let head = write_request(&request, Some(12), &origin, None);
        assert_eq!(head, "POST /v1/chat?x=1 HTTP/1.1\r\nhost: 127.0.0.1:8080\r\nx-a: 1\r\ncontent-length: 12\r\n\r\n");
        let request = Request::get("/").body(()).unwrap();
        let forward = ForwardProxy { authorization: Some(HeaderValue::from_static("Basic eA==")) };
        let head = write_request(&request, Some(0), &origin, Some(&forward));
        assert_eq!(
            head,
            "GET http://127.0.0.1:8080/ HTTP/1.1\r\nhost: 127.0.0.1:8080\r\nproxy-authorization: Basic eA==\r\n\r\n"
        );
    }

    #[test]
    fn the_end_of_a_head_is_found_across_reads() {
        let text = b"HTTP/1.1 200 OK\r\nx: 1\r\n\r\nbody";
        for seen in 0..text.len() - 5 {
            assert!(is_complete(text, seen.min(22)), "{seen}");
        }
        assert!(!is_complete(&text[..text.len() - 6], 0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut text = b"HTTP/1.1 200 OK\r\n".to_vec();
            text.extend_from_slice(&tail);
            if let Ok(Some((_, length))) = read_answer(&Bytes::from(text.clone()), &Method::POST) {
                prop_assert!(length <= text.len());
            }
        }
    }
}
