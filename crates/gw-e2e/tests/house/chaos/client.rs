//! An application that asks again and again, and looks hard at what it gets.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::ledger::{Asked, End};
use super::mood::Chance;
use super::provider::texts;
use crate::harness::{Answer, CLIENT_KEY, Framing, Wire};
use crate::translated::{Format, Said};

/// Longer than the gateway may take for a request, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);
/// Requests on one connection.
const REQUESTS_EACH: usize = 8;
/// One of so many streams is left in the middle.
const LEAVING: usize = 50;
/// Of so many requests one goes to the route that may fail.
const UNSAFE: usize = 5;

/// The name of the route whose last target never fails.
pub(super) const SAFE: &str = "safe";
/// The name of the one all of whose targets do.
pub(super) const SHAKY: &str = "shaky";

/// What all applications share.
pub(super) struct Crowd {
    pub(super) gateway: SocketAddr,
    pub(super) next: AtomicU32,
    /// When no more requests are made.
    pub(super) until: Instant,
}

/// One request: how it ended, and the connection if another may follow on it.
struct Exchange {
    end: End,
    request_id: Option<String>,
    attempts: Option<u64>,
    wire: Option<Wire>,
}

/// Asks until the time is over.
pub(super) async fn ask(crowd: Arc<Crowd>, format: Format, streams: bool, mut chance: Chance) -> Vec<Asked> {
    let (mut asked, mut wire, mut on_it) = (Vec::new(), None, 0);
    while Instant::now() < crowd.until {
        let number = crowd.next.fetch_add(1, Relaxed);
        let is_safe = chance.below(UNSAFE) > 0;
        let leaves = streams && chance.below(LEAVING) == 0;
        let kept = wire.take().filter(|_| on_it < REQUESTS_EACH);
        on_it = if kept.is_some() { on_it + 1 } else { 0 };
        let route = if is_safe { SAFE } else { SHAKY };
        let exchange = timeout(PATIENCE, exchange(crowd.gateway, kept, (format, streams, route), number, leaves)).await;
        let exchange = exchange.unwrap_or_else(|_| Exchange::lost(format!("no end within {PATIENCE:?}")));
        let Exchange { end, request_id, attempts, wire: kept } = exchange;
        asked.push(Asked { number, format, streams, is_safe, end, request_id, attempts });
        wire = kept;
    }
    asked
}

async fn exchange(
    gateway: SocketAddr,
    wire: Option<Wire>,
    (format, streams, route): (Format, bool, &str),
    number: u32,
    leaves: bool,
) -> Exchange {
    let mut wire = match wire {
        Some(wire) => wire,
        None => match TcpStream::connect(gateway).await {
            Ok(stream) => Wire::clear(stream),
            Err(error) => return Exchange::lost(format!("no connection: {error}")),
        },
    };
    if let Err(error) = wire.send(&request(format, streams, route, number)).await {
        return Exchange::lost(format!("the request was not taken: {error}"));
    }
    let Ok(Some(head)) = wire.head().await else { return Exchange::lost("no head of an answer") };
    let status: u16 = head.first_line.split(' ').nth(1).unwrap().parse().unwrap();
    let request_id = head.get("x-request-id").map(ToOwned::to_owned);
    let attempts = head.get("x-attempt-count").and_then(|count| count.parse().ok());
    let keeps = head.get("connection") != Some("close");
    let mut framing = head.framing(Framing::UntilClose);
    if leaves && status == 200 && wire.piece(&mut framing).await.is_ok() {
        return Exchange { end: End::Left, request_id, attempts, wire: None };
    }
    let (body, end) = wire.rest(&mut framing).await;
    let answer = Answer { status, head, body, is_whole: end.is_ok() };
    let end = judge(format, streams, number, &answer);
    Exchange { end, request_id, attempts, wire: keeps.then_some(wire) }
}

fn request(format: Format, streams: bool, route: &str, number: u32) -> Vec<u8> {
    let body = format.body(route, streams, &format!("say token-{number} please")).to_string();
    let (name, key) = format.key_header(CLIENT_KEY);
    let path = format.path(route, streams);
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{name}: {key}\r\n");
    format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// What an answer is: the request's own, whole; an error in the client's format; or what must not be.
fn judge(format: Format, streams: bool, number: u32, answer: &Answer) -> End {
    let body = || String::from_utf8_lossy(&answer.body);
    if !answer.is_whole {
        return End::Lost(format!("the answer was cut: {}", body()));
    }
    // The readers of the formats assert; what they do not read is no answer.
    let read = || {
        assert!(!answer.request_id().is_empty());
        match answer.status {
            200 if !streams => whole(&format.read(&answer.json()), format, number),
            200 if format.ends_in_error(answer.text()) => {
                format.stream_error(answer.text());
                End::Broke(begun(&format.text_of_stream(answer.text()), number))
            }
            200 => whole(&format.read_stream(answer.text()), format, number),
            status => {
                assert!(matches!(status, 429 | 500 | 502 | 503 | 504 | 529), "{status}");
                assert_is_error(format, answer);
                End::Failed(status)
            }
        }
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| End::Lost(format!("{}: {}", answer.status, body())))
}

/// An error in the client's format. One that goes through as its provider said it is in the provider's words: it may have
/// no code, and the provider's own id.
fn assert_is_error(format: Format, answer: &Answer) {
    let body = answer.json();
    let error = &body["error"];
    let is_foreign = match format {
        Format::Chat | Format::Responses => error["code"].is_null(),
        Format::Messages => body["type"] == "error" && body["request_id"] == "req_1",
        Format::Gemini => false,
    };
    if is_foreign {
        assert!(error["message"].is_string() && error["type"].is_string(), "{body}");
    } else {
        format.error_word(answer);
    }
}

/// All that one call has said for this request, with its end and its usage.
fn whole(said: &Said, format: Format, number: u32) -> End {
    let call = call_in(&said.text, number);
    assert_eq!(*said, format.whole(&texts(number, call).concat()));
    End::Answered(call)
}

/// The first pieces of what one call has said for this request.
fn begun(text: &str, number: u32) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    let call = call_in(text, number);
    assert!(texts(number, call).concat().starts_with(text) && text.ends_with('>'), "{text}");
    Some(call)
}

/// The number of the call that the text is from; it must be this request's.
fn call_in(text: &str, number: u32) -> u32 {
    let call = text.strip_prefix(&format!("<token-{number} call-"));
    let (call, _) = call.and_then(|call| call.split_once(' ')).unwrap_or_else(|| panic!("for {number}: {text:?}"));
    call.parse().unwrap()
}

impl Exchange {
    fn lost(why: impl Into<String>) -> Self {
        Self { end: End::Lost(why.into()), request_id: None, attempts: None, wire: None }
    }
}
