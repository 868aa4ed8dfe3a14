//! What the checks of chat have in common: which dialect an input is for, and the world that it is read in.

use std::collections::BTreeSet;
use std::rc::Rc;

use bytes::BytesMut;
use gw_core::chat::event;
use gw_core::chat::{ChatRequest, Event, FinishReason};
use gw_core::{Error, RequestId};
use gw_dialects::chat::{Asked, Egress, Ingress, Origin};
use gw_dialects::{DialectId, sse};
use serde::de::IgnoredAny;

/// The configured provider of every input.
pub(crate) const PROVIDER: &str = "provider-a";

/// What a stream says: its events, and the error that ended it.
#[derive(Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) events: Vec<Event>,
    pub(crate) error: Option<String>,
}

/// The dialect that the first byte of an input chooses, `0` being the first of the list, and the rest of the input.
pub(crate) fn choose<'a, T: Copy>(list: &[(DialectId, T)], input: &'a [u8]) -> Option<(DialectId, T, &'a [u8])> {
    let (first, rest) = input.split_first()?;
    let (dialect, end) = list[usize::from(first.wrapping_sub(b'0')) % list.len()];
    Some((dialect, end, rest))
}

/// Where answers come from.
pub(crate) fn origin() -> Origin {
    Origin {
        provider: PROVIDER.into(),
        model: "model-of-the-provider".into(),
        request_id: Some(request_id()),
        ..Origin::default()
    }
}

fn request_id() -> RequestId {
    RequestId::from_u128(0x0193_5f00_0000_7000_8000_0000_0000_00ff)
}

/// What answers are given to.
pub(crate) fn asked(stream: bool) -> Asked {
    let model = "model-of-the-client".to_owned();
    Asked {
        request: Rc::new(ChatRequest { model, stream, include_usage: true, ..ChatRequest::default() }),
        request_id: request_id(),
        now_s: 1_790_000_000,
    }
}

/// What was written is JSON that any client can read.
pub(crate) fn assert_json(who: DialectId, written: &[u8]) {
    let read = serde_json::from_slice::<IgnoredAny>(written);
    assert!(read.is_ok() && std::str::from_utf8(written).is_ok(), "{}: {read:?} in {}", who.name(), lossy(written));
}

/// Reads a stream that comes in these pieces.
pub(crate) fn decode<'a>(egress: &dyn Egress, pieces: impl IntoIterator<Item = &'a [u8]>) -> Said {
    let mut said = Said { events: Vec::new(), error: None };
    let mut decoder = egress.decoder(origin());
    let result = pieces.into_iter().try_for_each(|piece| decoder.decode(piece, &mut said.events));
    let result = result.and_then(|()| decoder.end(&mut said.events));
    said.error = result.err().map(|error| format!("{:?} {error}", error.code));
    said
}

/// Writes these events, and what ended them, in every client's words: events by the standard that hold JSON.
pub(crate) fn assert_written(ingresses: &[(DialectId, &dyn Ingress)], events: &[Event], error: Option<&Error>) {
    for (name, ingress) in ingresses {
        let out = write(*ingress, events, error);
        let text = std::str::from_utf8(&out);
        assert!(text.is_ok(), "{}: {text:?}", name.name());
        for event in sse::events(&out) {
            let data = sse::data(&out, &event);
            if data != b"[DONE]" {
                assert_json(*name, &data);
            }
        }
    }
}

/// A stream in a client's words.
pub(crate) fn write(ingress: &dyn Ingress, events: &[Event], error: Option<&Error>) -> BytesMut {
    let (mut out, mut encoder) = (BytesMut::new(), ingress.encoder(asked(true)));
    events.iter().for_each(|event| encoder.encode(event, &mut out));
    match error {
        Some(error) => encoder.error(error, &mut out),
        None => encoder.end(&mut out),
    }
    out
}

/// Events keep to the grammar: to their end, or as far as they came.
pub(crate) fn assert_grammar(who: DialectId, events: &[Event], is_whole: bool) {
    let wrong = event::check(events).filter(|wrong| is_whole || wrong != "there is no finish");
    assert_eq!(wrong, None, "{}: {events:#?}", who.name());
    if is_whole {
        assert_ended(who, events);
    }
}

/// Every block is closed, and every candidate that has one is finished.
fn assert_ended(who: DialectId, events: &[Event]) {
    let (mut open, mut unfinished) = (BTreeSet::new(), BTreeSet::new());
    for event in events {
        match event {
            Event::BlockStart { index, candidate, .. } => {
                open.insert(*index);
                unfinished.insert(*candidate);
            }
            Event::BlockStop { index } => drop(open.remove(index)),
            Event::Finish { candidate, .. } => drop(unfinished.remove(candidate)),
            _ => {}
        }
    }
    assert!(open.is_empty() && unfinished.is_empty(), "{}: {open:?}, {unfinished:?}: {events:#?}", who.name());
}

/// Whether a dialect tells this answer as an error: Responses have no other word for a call that cannot be read.
pub(crate) fn tells_malformed(dialect: DialectId, events: &[Event]) -> bool {
    let is_malformed =
        |event: &Event| matches!(event, Event::Finish { finish, .. } if finish.reason == FinishReason::Malformed);
    dialect == DialectId::OpenAiResponses && events.iter().any(is_malformed)
}

/// Bytes, for people to read.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
