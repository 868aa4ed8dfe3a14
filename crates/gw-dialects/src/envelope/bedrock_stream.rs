//! A stream of InvokeModel: Amazon's frames, each of which holds one event of the model's own stream in base64. They become
//! events by the standard, their JSON as it came.

use std::borrow::Cow;
use std::rc::Rc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{BufMut, BytesMut};
use gw_core::Error;
use serde::Deserialize;

use super::Unframe;
use crate::bedrock_converse::stream_error;
use crate::event_stream::{Message, Parser};
use crate::scan;
use crate::shared::refusal;

/// Takes the frames off.
#[derive(Debug)]
pub(super) struct Chunks {
    parser: Parser,
    provider: Rc<str>,
}

/// What a frame holds. There is padding beside it, which says nothing.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    bytes: Cow<'a, str>,
}

impl Chunks {
    /// A stream from there.
    pub(super) fn new(provider: Rc<str>) -> Self {
        Self { parser: Parser::default(), provider }
    }

    fn message(&self, message: &Message, out: &mut BytesMut) -> Result<(), Error> {
        if matches!(message.header(":message-type"), Some("exception" | "error")) {
            return Err(stream_error(message, &self.provider));
        }
        if message.header(":event-type") != Some("chunk") {
            // Events that come to be later do not break an answer.
            return Ok(());
        }
        let wrong = || refusal::invalid(&self.provider, "a chunk that cannot be read");
        let chunk: Chunk<'_> = serde_json::from_slice(&message.payload).map_err(|_| wrong())?;
        let json = BASE64_STANDARD.decode(chunk.bytes.as_bytes()).map_err(|_| wrong())?;
        write(&json, out).ok_or_else(wrong)
    }
}

impl Unframe for Chunks {
    fn unframe(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Error> {
        self.parser.feed(bytes);
        while let Some(message) =
            self.parser.message().map_err(|wrong| refusal::invalid(&self.provider, wrong.about()))?
        {
            self.message(&message, out)?;
        }
        Ok(())
    }
}

/// Writes an event as Anthropic does: its type stands in its JSON as well. `None` if it is no JSON object.
fn write(json: &[u8], out: &mut BytesMut) -> Option<()> {
    let members = scan::top_level(json).ok()?;
    let name = members.get(json, "type").map(|field| &json[field.value()]);
    let name = name.and_then(|name| serde_json::from_slice::<Cow<'_, str>>(name).ok());
    if let Some(name) = name.filter(|name| !name.contains(['\r', '\n'])) {
        out.put_slice(b"event: ");
        out.put_slice(name.as_bytes());
        out.put_u8(b'\n');
    }
    // A line end is white space in JSON: it stands between members alone.
    for line in json.split(|byte| matches!(byte, b'\r' | b'\n')) {
        out.put_slice(b"data: ");
        out.put_slice(line);
        out.put_u8(b'\n');
    }
    out.put_u8(b'\n');
    Some(())
}
