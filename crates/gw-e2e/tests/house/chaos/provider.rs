//! A provider that answers as its mood is, and that can be killed and come back on the same port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

use super::ledger::{Ledger, Serving};
use super::mood::Mood;
use crate::harness::{Framing, Recorded, Wire, beside, http_answer, json_answer};
use crate::translated_vendors::{Fault, Vendor};

/// Pieces of text in a stream.
pub(super) const PIECES: usize = 5;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(120);
/// The same of a provider that is slow.
const LONG_PAUSE: Duration = Duration::from_millis(450);
/// Until an answer that is no stream.
const THINKING: Duration = Duration::from_millis(400);

/// A provider.
pub(super) struct Provider {
    pub(super) name: &'static str,
    pub(super) vendor: Vendor,
    pub(super) address: SocketAddr,
    mood: watch::Sender<Mood>,
    /// Bound and never listening: while the provider is dead, nobody else gets the port.
    _port: Socket,
}

/// What all connections of a provider share.
struct Shared {
    name: &'static str,
    vendor: Vendor,
    ledger: Arc<Ledger>,
    mood: watch::Receiver<Mood>,
    /// An answer, with marks where its texts go.
    stream: Vec<Vec<u8>>,
    whole: String,
}

/// One call, as it is answered.
struct Answering<'a> {
    shared: &'a Shared,
    wire: &'a mut Wire,
    /// What the answer says, piece by piece.
    texts: Vec<String>,
    streams: bool,
}

/// The texts of a call's answer to a request.
pub(super) fn texts(request: u32, call: u32) -> Vec<String> {
    (0..PIECES).map(|piece| format!("<token-{request} call-{call} piece-{piece}>")).collect()
}

impl Provider {
    pub(super) fn start(name: &'static str, vendor: Vendor, ledger: &Arc<Ledger>) -> Self {
        let port = bound("127.0.0.1:0".parse().unwrap());
        let address = port.local_addr().unwrap().as_socket().unwrap();
        let (mood, moods) = watch::channel(Mood::Well);
        let marks: Vec<String> = (0..PIECES).map(|piece| format!("@{piece}@")).collect();
        let shared = Shared {
            name,
            vendor,
            ledger: Arc::clone(ledger),
            mood: moods,
            stream: vendor.stream_of(&marks),
            whole: vendor.answer().replace(r#"Hello, wörld 🌍.\n\"Quoted\""#, &marks.concat()),
        };
        assert!(shared.whole.contains("@0@"));
        beside(listen(address, Arc::new(shared)));
        Self { name, vendor, address, mood, _port: port }
    }

    /// From now on its calls are answered like this.
    pub(super) fn takes_to(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }
}

/// A socket at an address that others may be bound to as well, as long as none of them listens.
fn bound(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

/// Listens whenever the provider lives. When it dies, the listener is closed and every connection with it.
async fn listen(address: SocketAddr, shared: Arc<Shared>) {
    let mut mood = shared.mood.clone();
    while mood.wait_for(|mood| *mood != Mood::Dead).await.is_ok() {
        let socket = bound(address);
        socket.listen(1024).unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(socket.into()).unwrap();
        loop {
            tokio::select! {
                _ = mood.wait_for(|mood| *mood == Mood::Dead) => break,
                accepted = listener.accept() => {
                    let (stream, _) = accepted.unwrap();
                    stream.set_nodelay(true).unwrap();
                    beside(connection(Wire::clear(stream), Arc::clone(&shared)));
                }
            }
        }
    }
}

async fn connection(mut wire: Wire, shared: Arc<Shared>) {
    let mut mood = shared.mood.clone();
    tokio::select! {
        _ = mood.wait_for(|mood| *mood == Mood::Dead) => {}
        () = async {
            while let Some(request) = read(&mut wire).await {
                if !answer(&mut wire, &request, &shared).await {
                    break;
                }
            }
        } => {}
    }
}

async fn read(wire: &mut Wire) -> Option<Recorded> {
    let head = wire.head().await.ok().flatten()?;
    let (body, end) = wire.rest(&mut head.framing(Framing::Ended)).await;
    end.ok()?;
    Some(Recorded { head, body })
}

/// Answers a call as the mood is; tells whether the connection may be used again.
async fn answer(wire: &mut Wire, request: &Recorded, shared: &Shared) -> bool {
    let (_, behind) = request.text().split_once("token-").unwrap();
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    let token: u32 = digits.parse().unwrap();
    let mood = *shared.mood.borrow();
    let call = shared.ledger.begin(token, shared.name, mood);
    let texts = texts(token, call.number);
    Answering { shared, wire, texts, streams: shared.vendor.is_stream(request) }.answer(mood, call).await
}

impl Answering<'_> {
    async fn answer(&mut self, mood: Mood, call: Serving<'_>) -> bool {
        match mood {
            Mood::Well => self.say_all(PAUSE, call).await,
            Mood::Slow => self.say_all(LONG_PAUSE, call).await,
            _ => {
                let stays = self.go_wrong(mood).await;
                call.over();
                stays
            }
        }
    }

    /// Says everything, unless the gateway goes.
    async fn say_all(&mut self, pause: Duration, call: Serving<'_>) -> bool {
        if !self.streams {
            sleep(THINKING).await;
            let said = self.send(&json_answer(self.whole())).await;
            return call.over_with(said);
        }
        let events = self.events();
        let mut said = self.send(&self.stream_head()).await;
        for event in events.iter().filter(|event| !event.is_empty()) {
            sleep(pause).await;
            said = said && self.send(&chunk(event)).await;
        }
        call.over_with(said) && self.send(b"0\r\n\r\n").await
    }

    /// Whatever is no answer.
    async fn go_wrong(&mut self, mood: Mood) -> bool {
        match mood {
            Mood::Well | Mood::Slow | Mood::Dead | Mood::Killed => false,
            Mood::Limited => self.refuse(Fault::Rate).await,
            Mood::Failing => self.refuse(Fault::Broken).await,
            Mood::Unavailable => {
                let page = http_answer(503, &[("content-type", "text/html")], "<h1>Service Unavailable</h1>");
                self.send(&page).await
            }
            Mood::NoHttp => {
                self.send(b"\x00\x01rubbish\r\n\r\n").await;
                false
            }
            Mood::NoAnswer => {
                let media_type = if self.streams { "text/event-stream" } else { "application/json" };
                let rubbish = http_answer(200, &[("content-type", media_type)], "data: <html>rubbish\n\n}]");
                self.send(&rubbish).await
            }
            Mood::NoEvent => {
                self.say_some(true).await;
                self.send(&chunk(b"data: \xff\xfe{\n\n")).await;
                self.gone().await
            }
            Mood::Silent => self.gone().await,
            Mood::SilentEarly => {
                self.say_some(false).await;
                self.gone().await
            }
            Mood::SilentMidway => {
                self.say_some(true).await;
                self.gone().await
            }
            Mood::CutEarly => {
                self.say_some(false).await;
                false
            }
            Mood::CutMidway => {
                self.say_some(true).await;
                false
            }
            Mood::ResetMidway => {
                self.say_some(true).await;
                sleep(PAUSE).await;
                self.wire.reset_when_dropped();
                false
            }
            Mood::HalfClosed => {
                self.say_some(true).await;
                self.wire.half_close();
                self.gone().await
            }
        }
    }

    async fn refuse(&mut self, fault: Fault) -> bool {
        let text = String::from_utf8(self.shared.vendor.refusal(fault)).unwrap();
        // Some can be waited for, and some cannot.
        let wait = if self.texts[0].len().is_multiple_of(2) { "retry-after-ms: 30" } else { "retry-after: 7" };
        self.send(text.replace("retry-after: 7", wait).as_bytes()).await
    }

    /// Begins an answer: up to its content, or some of that as well.
    async fn say_some(&mut self, content: bool) {
        if self.streams {
            let events = self.events();
            self.send(&self.stream_head()).await;
            let beginning = events[..if content { 3 } else { 1 }].concat();
            self.send(&chunk(&beginning)).await;
        } else {
            let whole = json_answer(self.whole());
            let end = whole.len() - if content { 40 } else { whole.len() / 2 };
            self.send(&whole[..end]).await;
        }
    }

    /// Says nothing until the gateway goes.
    async fn gone(&mut self) -> bool {
        self.wire.gone().await;
        false
    }

    async fn send(&mut self, bytes: &[u8]) -> bool {
        self.wire.send(bytes).await.is_ok()
    }

    fn stream_head(&self) -> Vec<u8> {
        let head = String::from_utf8(self.shared.vendor.stream_head()).unwrap();
        head.replace("connection: close", "transfer-encoding: chunked").into_bytes()
    }

    /// The events of the stream; the first piece has no content.
    fn events(&self) -> Vec<Vec<u8>> {
        let fill = |event: &Vec<u8>| self.fill(std::str::from_utf8(event).unwrap()).into_bytes();
        self.shared.stream.iter().map(fill).collect()
    }

    fn whole(&self) -> String {
        self.fill(&self.shared.whole)
    }

    fn fill(&self, marked: &str) -> String {
        let mut filled = marked.to_owned();
        for (piece, text) in self.texts.iter().enumerate() {
            let mark = format!("@{piece}@");
            if filled.contains(&mark) {
                filled = filled.replace(&mark, text);
            }
        }
        filled
    }
}

/// A chunk of a body that is sent in chunks. An empty one would end it.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_empty() {
        return Vec::new();
    }
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
