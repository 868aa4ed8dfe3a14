//! An application, as raw HTTP/1.1.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::net::TcpStream;

use super::wire::Framing;
use super::{Cut, Head, Wire, within};

/// A connection to the gateway.
pub(crate) struct Client {
    wire: Wire,
    framing: Framing,
}

/// A whole answer, or what came of one.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) is_whole: bool,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = within("a connection to the gateway", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(Wire::clear(stream))
    }

    pub(crate) fn over(wire: Wire) -> Self {
        Self { wire, framing: Framing::Ended }
    }

    /// Sends bytes as they stand. That the gateway has closed already is seen when its answer is read.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within("sending", self.wire.send(bytes.as_ref())).await;
    }

    /// Sends a request with a body.
    pub(crate) async fn post(&mut self, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let length = body.len().to_string();
        let mut request = head("POST", path, headers);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request.push_str("content-type: application/json\r\n");
        }
        request.push_str(&format!("content-length: {length}\r\n\r\n"));
        self.send([request.as_bytes(), body].concat()).await;
    }

    /// Sends a request without a body.
    pub(crate) async fn get(&mut self, path: &str, headers: &[(&str, &str)]) {
        self.send(head("GET", path, headers) + "\r\n").await;
    }

    /// The head of the next answer. Its body follows, by [`piece`](Self::piece) or [`rest`](Self::rest).
    pub(crate) async fn answer_head(&mut self) -> (u16, Head) {
        let head = within("the head of an answer", self.wire.head()).await;
        let head = head.unwrap().expect("an answer, and not the end of the connection");
        let status: u16 = head.first_line.split(' ').nth(1).unwrap().parse().unwrap();
        let without_body = status == 204 || status == 304;
        self.framing = if without_body { Framing::Ended } else { head.framing(Framing::UntilClose) };
        (status, head)
    }

    /// The next piece of the body, as it came.
    pub(crate) async fn piece(&mut self) -> Result<Option<Vec<u8>>, Cut> {
        within("a piece of an answer", self.wire.piece(&mut self.framing)).await
    }

    /// What is left of the body, and whether it came to its end.
    pub(crate) async fn rest(&mut self) -> (Vec<u8>, bool) {
        let (body, end) = within("the end of an answer", self.wire.rest(&mut self.framing)).await;
        (body, end.is_ok())
    }

    /// Reads the body until `text` has come, and returns all that came.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(text) {
            let piece = self.piece().await.ok().flatten().unwrap_or_else(|| panic!("{text:?} never came: {seen}"));
            seen.push_str(std::str::from_utf8(&piece).unwrap());
        }
        seen
    }

    /// The next answer, whole.
    pub(crate) async fn answer(&mut self) -> Answer {
        let (status, head) = self.answer_head().await;
        let (body, is_whole) = self.rest().await;
        Answer { status, head, body, is_whole }
    }

    /// Whether the gateway closes the connection without another word.
    pub(crate) async fn is_closed(&mut self) -> bool {
        matches!(within("the end of the connection", self.wire.head()).await, Ok(None))
    }

    /// Leaves as a process that dies does.
    pub(crate) fn reset(self) {
        self.wire.reset();
    }
}

fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text.push_str("host: localhost\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The gateway's id of the request.
    pub(crate) fn request_id(&self) -> &str {
        self.header("x-request-id").unwrap_or_else(|| panic!("no x-request-id:\n{}", self.head.raw))
    }

    /// Checks that this is an error as OpenAI writes them, and returns its code.
    pub(crate) fn error_code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.head.raw);
        let body = self.json();
        let error = body["error"].as_object().unwrap_or_else(|| panic!("no error: {body}"));
        let mut members: Vec<&str> = error.keys().map(String::as_str).collect();
        members.sort_unstable();
        // There where more than one attempt was made.
        members.retain(|member| *member != "attempts");
        assert_eq!(members, ["code", "message", "param", "type"], "{body}");
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert!(!self.request_id().is_empty());
        error["code"].as_str().unwrap_or_else(|| panic!("the code is not a text: {body}")).to_owned()
    }

    /// Checks status and code of an error at once.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.error_code().as_str()), (status, code), "{}", self.text());
        assert!(self.is_whole);
    }
}
