//! What must hold for every answer that comes in pieces: shared by the tests and by the fuzz target.

use bytes::BytesMut;
use gw_core::chat::Event;
use gw_core::{Error, ErrorCode};
use gw_dialects::chat::{self, EGRESSES, INGRESSES};
use gw_dialects::{DialectId, event_stream};

use crate::chat::{Said, assert_grammar, assert_written, choose, decode, lossy, tells_malformed, write};

/// Streams up to this size are fed byte by byte too.
const BYTEWISE_MAX: usize = 2048;

/// Events that a stream of no bytes may have.
const EVENTS_MIN: usize = 8;

/// A stream means the same however it is cut, keeps to the grammar as far as it goes, and can be put into every client's
/// words. What a client is given of a whole one can be read again.
pub(crate) fn check(input: &[u8]) {
    let Some((dialect, egress, rest)) = choose(EGRESSES, input) else { return };
    let [one, other, text @ ..] = rest else { return };
    let framed = (dialect == DialectId::BedrockConverse).then(|| framed(text));
    let stream = framed.as_deref().unwrap_or(text);

    let whole = decode(egress, [stream]);
    let place = |part: &u8| stream.len() * usize::from(*part) / usize::from(u8::MAX);
    let (first, last) = (place(one).min(place(other)), place(one).max(place(other)));
    let pieces = [&stream[..first], &stream[first..last], &stream[last..]];
    assert_eq!(decode(egress, pieces), whole, "{} cut at {first} and {last}", dialect.name());
    if stream.len() <= BYTEWISE_MAX {
        assert_eq!(decode(egress, stream.chunks(1)), whole, "{} byte by byte", dialect.name());
    }

    let Said { events, error } = whole;
    assert!(events.len() <= EVENTS_MIN + stream.len(), "{} events of {} bytes", events.len(), stream.len());
    assert_grammar(dialect, &events, error.is_none());
    let error = error.map(|_| Error::new(ErrorCode::ProviderStreamInterrupted, "it broke off"));
    assert_written(INGRESSES, &events, error.as_ref());
    if error.is_none() {
        check_again(&events);
    }
}

/// What is written of a whole stream, the same dialect's other end understands.
fn check_again(events: &[Event]) {
    for (name, ingress) in INGRESSES {
        let Some(egress) = chat::egress(*name) else { continue };
        let written = write(*ingress, events, None);
        let again = decode(egress, [&written[..]]);
        let is_read = again.error.is_none() || tells_malformed(*name, events);
        assert!(is_read, "{}: {:?} of {}", name.name(), again.error, lossy(&written));
        assert_grammar(*name, &again.events, again.error.is_none());
    }
}

/// Frames of Amazon's, whose checksums no fuzzer guesses, from lines: the name of an event, a space, what it holds. Of an
/// exception the name begins with `!`.
fn framed(lines: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (name, payload) = (lossy(&line[..end]), line.get(end + 1..).unwrap_or_default().to_vec());
        let headers = match name.strip_prefix('!') {
            Some(name) => [(":message-type", "exception"), (":exception-type", name)],
            None => [(":message-type", "event"), (":event-type", name.as_str())],
        };
        event_stream::encode(&event_stream::Message::new(&headers, payload), &mut out);
    }
    out
}
