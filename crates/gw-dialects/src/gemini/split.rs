//! What a stream is cut into: events of a `text/event-stream`, or the objects of the list that Google streams without
//! `alt=sse`. The first byte tells which.

use bytes::Bytes;

use super::HELD_BYTES_MAX;
use crate::sse::{self, EventTooLarge, Framer};

/// Cuts a stream into the JSON texts it consists of.
#[derive(Debug)]
pub(super) enum Splitter {
    /// Nothing has come but white space.
    Unknown,
    /// Events.
    Events(Box<Framer>),
    /// A list.
    List(List),
}

impl Splitter {
    /// Takes the next piece and gives each text that is complete with it.
    pub(super) fn feed(&mut self, bytes: &[u8], texts: &mut Vec<Vec<u8>>) -> Result<(), EventTooLarge> {
        if let Self::Unknown = self {
            match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => return Ok(()),
                Some(b'[' | b'{') => *self = Self::List(List::default()),
                Some(_) => *self = Self::Events(Box::default()),
            }
        }
        match self {
            Self::Unknown => Ok(()),
            Self::Events(framer) => {
                let events = framer.feed(Bytes::copy_from_slice(bytes))?;
                data(&events, texts);
                Ok(())
            }
            Self::List(list) => list.feed(bytes, texts),
        }
    }

    /// Whether the list has ended.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::List(list) if list.is_closed)
    }

    /// The stream has ended: gives the event that lacks its empty line.
    pub(super) fn finish(&mut self, texts: &mut Vec<Vec<u8>>) {
        if let Self::Events(framer) = self {
            data(&framer.finish(), texts);
        }
    }
}

fn data(events: &[u8], texts: &mut Vec<Vec<u8>>) {
    for event in sse::events(events) {
        let text = sse::data(events, &event);
        if !text.trim_ascii().is_empty() && text.trim_ascii() != b"[DONE]" {
            texts.push(text);
        }
    }
}

/// Finds the objects of a list by their braces.
#[derive(Debug, Default)]
pub(super) struct List {
    pending: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
    is_closed: bool,
}

impl List {
    fn feed(&mut self, bytes: &[u8], texts: &mut Vec<Vec<u8>>) -> Result<(), EventTooLarge> {
        for byte in bytes {
            if self.depth == 0 && *byte != b'{' {
                // Brackets, commas and white space between the objects.
                self.is_closed |= *byte == b']';
                continue;
            }
            self.pending.push(*byte);
            if self.in_string {
                self.in_string = self.escaped || *byte != b'"';
                self.escaped = *byte == b'\\' && !self.escaped;
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' => self.depth += 1,
                b'}' => self.depth -= 1,
                _ => {}
            }
            if self.depth == 0 {
                texts.push(std::mem::take(&mut self.pending));
            }
        }
        if self.pending.len() > HELD_BYTES_MAX {
            return Err(EventTooLarge { bytes_max: HELD_BYTES_MAX });
        }
        Ok(())
    }
}
