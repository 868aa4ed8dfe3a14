//! Carries the frames of a conversation both ways until it ends.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use gw_core::{Error, ErrorCode, Usage};
use gw_dialects::websocket::{self, FrameScan, Seen, Sender, Violation};
use gw_dialects::{carried_usage, error as dialect_error};
use gw_http::Upgraded;
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::Limits;
use crate::meter::Meter;

/// What is read from one side before the other has taken it.
const READ_BYTES: usize = 16 << 10;
/// How long one side may take to answer the other's goodbye, and to take ours.
const GOODBYE: Duration = Duration::from_secs(5);

/// Carries a conversation to its end.
pub(crate) async fn run(mut client: Upgraded, mut provider: Upgraded, limits: Limits, mut meter: Box<Meter>) {
    meter.stream_opened();
    let mut pump = Pump::new();
    let end = pump.run(&mut client, &mut provider, limits, &mut meter).await;
    let told = match end {
        End::Said(code) => {
            match code {
                Some(code) if code >= 1011 => meter.interrupted(ErrorCode::ProviderFailed),
                Some(_) | None => meter.completed(),
            }
            None
        }
        End::ClientGone => {
            meter.interrupted(ErrorCode::ClientClosed);
            None
        }
        End::Broken(code, error) => {
            meter.interrupted(error.code);
            Some((code, error))
        }
    };
    // Nothing can be said in the middle of a message.
    if let Some((code, error)) = told
        && pump.down.is_between()
    {
        let (_, body) = dialect_error::encode_error(&error, meter.request_id().as_str());
        let event = event_of(&body);
        let goodbye = [websocket::text(&event), websocket::close(code, &error.message)].concat();
        let _ = timeout(GOODBYE, client.write_all(&goodbye)).await;
    }
    let _ = timeout(GOODBYE, client.shutdown()).await;
}

/// An error as OpenAI's Realtime says it: an event around the body that HTTP would have had.
fn event_of(body: &Bytes) -> String {
    let body = String::from_utf8_lossy(body);
    let inner = body.trim().strip_prefix('{').unwrap_or_default();
    format!(r#"{{"type":"error",{inner}"#)
}

/// How a conversation ended.
enum End {
    /// Somebody said goodbye, with a code or without.
    Said(Option<u16>),
    /// The client went without a word.
    ClientGone,
    /// It broke: the code to close with, and what the client is told.
    Broken(u16, Error),
}

/// Both directions.
struct Pump {
    /// From the client.
    up: Way,
    /// From the provider.
    down: Way,
    used: Usage,
    /// Who said goodbye first, and the time until when the other may answer.
    goodbye: Option<(Option<u16>, Instant)>,
    last: Instant,
}

/// One direction.
struct Way {
    scan: FrameScan,
    /// Read and not yet written.
    pending: BytesMut,
    /// Whether something was written and not flushed.
    written: bool,
    /// Whether what was read is whole messages.
    between: bool,
    buffer: Box<[u8]>,
}

/// Why a direction stopped.
enum Stop {
    /// There is nothing more to read.
    Ended,
    /// The other side takes nothing more.
    Refused,
    Violation(Violation),
}

impl Pump {
    fn new() -> Self {
        Self {
            up: Way::new(Sender::Client),
            down: Way::new(Sender::Server),
            used: Usage::default(),
            goodbye: None,
            last: Instant::now(),
        }
    }

    async fn run(&mut self, client: &mut Upgraded, provider: &mut Upgraded, limits: Limits, meter: &mut Meter) -> End {
        let mut timer = Box::pin(sleep_until(limits.deadline.min(self.last + limits.idle)));
        poll_fn(|context| {
            if let Poll::Ready(end) = self.poll_both(client, provider, meter, context) {
                return Poll::Ready(end);
            }
            self.poll_late(&mut timer, limits, context)
        })
        .await
    }

    fn poll_both(
        &mut self,
        client: &mut Upgraded,
        provider: &mut Upgraded,
        meter: &mut Meter,
        context: &mut Context<'_>,
    ) -> Poll<End> {
        let Self { up, down, used, goodbye, last } = self;
        let mut farewell = |code: Option<u16>| {
            let answered = goodbye.is_some();
            goodbye.get_or_insert((code, Instant::now() + GOODBYE));
            answered
        };
        let mut both = false;
        let upward = up.poll(client, provider, context, |seen, _bytes| {
            *last = Instant::now();
            if let Some(Seen::Close(code)) = seen {
                both |= farewell(code);
            }
        });
        let downward = down.poll(provider, client, context, |seen, bytes| {
            *last = Instant::now();
            meter.received();
            meter.forwarded(bytes);
            match seen {
                Some(Seen::Close(code)) => both |= farewell(code),
                Some(Seen::Text(text)) if memmem::find(text, b"\"response.done\"").is_some() => {
                    if let Some(usage) = carried_usage::of_message(text) {
                        // Each answer of a conversation reports its own.
                        *used = used.plus(usage);
                        meter.used(Some(*used));
                    }
                }
                Some(Seen::Text(_)) | None => {}
            }
        });
        let said = goodbye.map(|(code, _)| code);
        let all_written = up.pending.is_empty() && down.pending.is_empty();
        if let Some(code) = said.filter(|_| both && all_written) {
            return Poll::Ready(End::Said(code));
        }
        match (upward, downward, said) {
            (Poll::Pending, Poll::Pending, _) => Poll::Pending,
            (_, Poll::Ready(Stop::Ended | Stop::Refused), Some(code)) => Poll::Ready(End::Said(code)),
            (Poll::Ready(Stop::Ended | Stop::Refused), _, Some(code)) => Poll::Ready(End::Said(code)),
            (Poll::Ready(Stop::Violation(broken)), _, _) => Poll::Ready(End::Broken(broken.code, refused(broken))),
            (_, Poll::Ready(Stop::Violation(broken)), _) => Poll::Ready(End::Broken(1011, not_websocket(broken))),
            (Poll::Ready(Stop::Ended), _, None) | (_, Poll::Ready(Stop::Refused), None) => Poll::Ready(End::ClientGone),
            (Poll::Ready(Stop::Refused), _, None) | (_, Poll::Ready(Stop::Ended), None) => {
                Poll::Ready(End::Broken(1011, lost()))
            }
        }
    }

    fn poll_late(&mut self, timer: &mut Pin<Box<Sleep>>, limits: Limits, context: &mut Context<'_>) -> Poll<End> {
        loop {
            let until = match self.goodbye {
                Some((_, until)) => until.min(limits.deadline),
                None => limits.deadline.min(self.last + limits.idle),
            };
            if timer.deadline() > until {
                timer.as_mut().reset(until);
            }
            ready!(timer.as_mut().poll(context));
            let now = Instant::now();
            if let Some((code, _)) = self.goodbye.filter(|(_, until)| now >= *until) {
                return Poll::Ready(End::Said(code));
            }
            if now >= limits.deadline {
                let error = Error::new(ErrorCode::DeadlineExceeded, "the conversation's total time is over");
                return Poll::Ready(End::Broken(1001, error));
            }
            if now >= self.last + limits.idle {
                let message = format!("neither side said anything for {} ms", limits.idle.as_millis());
                return Poll::Ready(End::Broken(1001, Error::new(ErrorCode::RequestTimeout, message)));
            }
            timer.as_mut().reset(until);
        }
    }
}

impl Way {
    fn new(sender: Sender) -> Self {
        Self {
            scan: FrameScan::new(sender),
            pending: BytesMut::new(),
            written: false,
            between: true,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
        }
    }

    /// Whether what was written so far is whole messages.
    fn is_between(&self) -> bool {
        self.pending.is_empty() && self.between
    }

    /// Carries on until there is nothing to read or to write. `see` is told of each message, and then of how many bytes it
    /// all was.
    fn poll(
        &mut self,
        from: &mut Upgraded,
        to: &mut Upgraded,
        context: &mut Context<'_>,
        mut see: impl FnMut(Option<Seen<'_>>, usize),
    ) -> Poll<Stop> {
        loop {
            while self.pending.has_remaining() {
                match ready!(Pin::new(&mut *to).poll_write(context, &self.pending)) {
                    Ok(count) if count > 0 => self.pending.advance(count),
                    Ok(_) | Err(_) => return Poll::Ready(Stop::Refused),
                }
                self.written = true;
            }
            if self.written {
                if ready!(Pin::new(&mut *to).poll_flush(context)).is_err() {
                    return Poll::Ready(Stop::Refused);
                }
                self.written = false;
            }
            let mut into = ReadBuf::new(&mut self.buffer);
            if ready!(Pin::new(&mut *from).poll_read(context, &mut into)).is_err() || into.filled().is_empty() {
                return Poll::Ready(Stop::Ended);
            }
            let read = into.filled();
            if let Err(violation) = self.scan.feed(read, |seen| see(Some(seen), 0)) {
                return Poll::Ready(Stop::Violation(violation));
            }
            see(None, read.len());
            self.between = self.scan.is_between();
            self.pending.extend_from_slice(read);
        }
    }
}

fn lost() -> Error {
    Error::new(ErrorCode::ProviderStreamInterrupted, "the provider closed the connection without a goodbye")
}

fn refused(violation: Violation) -> Error {
    let code = if violation.code == 1009 { ErrorCode::RequestTooLarge } else { ErrorCode::InvalidRequest };
    Error::new(code, format!("what was sent breaks WebSocket's rules: {}", violation.what))
}

fn not_websocket(violation: Violation) -> Error {
    let message = format!("the provider broke WebSocket's rules: {}", violation.what);
    Error::new(ErrorCode::ProviderInvalidResponse, message)
}
