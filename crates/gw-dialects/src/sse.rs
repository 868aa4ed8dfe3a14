//! Event streams by the standard (WHATWG HTML, "Server-sent events"): where events end, and what their lines say.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::{memchr2, memrchr2};

/// An event of this size is not an event.
pub const EVENT_BYTES_MAX: usize = 16 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An event is larger than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTooLarge {
    /// The limit.
    pub bytes_max: usize,
}

/// Cuts a stream, however it arrives, into whole events.
#[derive(Debug)]
pub struct Framer {
    /// The beginning of an event that is not complete.
    pending: BytesMut,
    event_bytes_max: usize,
    /// Whether the place of a byte order mark is behind us.
    begun: bool,
    /// The last event ended with a CR: an LF that follows belongs to it.
    after_return: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(EVENT_BYTES_MAX)
    }
}

impl Framer {
    /// Events may be this large.
    pub fn new(event_bytes_max: usize) -> Self {
        Self { pending: BytesMut::new(), event_bytes_max, begun: false, after_return: false }
    }

    /// Takes the next piece of the stream and gives the events that are complete with it. A piece that is one or more
    /// whole events is not copied.
    ///
    /// # Errors
    /// The event that has begun is larger than it may be.
    pub fn feed(&mut self, mut piece: Bytes) -> Result<Bytes, EventTooLarge> {
        self.line_feed(&mut piece);
        if !self.begun {
            let Some(rest) = self.behind_mark(piece) else { return Ok(Bytes::new()) };
            piece = rest;
        }
        let events = if self.pending.is_empty() { self.cut(piece) } else { self.complete(&piece) };
        if events.is_empty() && self.pending.len() > self.event_bytes_max {
            return Err(EventTooLarge { bytes_max: self.event_bytes_max });
        }
        self.after_return |= self.pending.is_empty() && events.last() == Some(&b'\r');
        Ok(events)
    }

    /// Takes the second half of the line end that ended the event before, if the piece begins with it. It has that
    /// event's fate; whoever does not ask for it is not given it.
    pub fn line_feed(&mut self, piece: &mut Bytes) -> Option<Bytes> {
        if !self.after_return || piece.is_empty() {
            return None;
        }
        self.after_return = false;
        piece.starts_with(b"\n").then(|| piece.split_to(1))
    }

    /// The beginning of an event that never ended.
    pub fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.pending).freeze()
    }

    fn cut(&mut self, mut piece: Bytes) -> Bytes {
        let end = last_boundary(&piece, 0).unwrap_or(0);
        self.pending.extend_from_slice(&piece[end..]);
        piece.truncate(end);
        piece
    }

    fn complete(&mut self, piece: &[u8]) -> Bytes {
        let seen = self.pending.len();
        self.pending.extend_from_slice(piece);
        let Some(end) = last_boundary(&self.pending, seen) else { return Bytes::new() };
        let rest = BytesMut::from(&self.pending[end..]);
        let mut events = std::mem::replace(&mut self.pending, rest);
        events.truncate(end);
        events.freeze()
    }

    /// What follows the byte order mark, if there is one; `None` if that cannot be said yet.
    fn behind_mark(&mut self, piece: Bytes) -> Option<Bytes> {
        let mut start = piece;
        if !self.pending.is_empty() {
            self.pending.extend_from_slice(&start);
            start = std::mem::take(&mut self.pending).freeze();
        }
        if start.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(&start) {
            self.pending.extend_from_slice(&start);
            return None;
        }
        self.begun = true;
        if start.starts_with(BYTE_ORDER_MARK) {
            start = start.slice(BYTE_ORDER_MARK.len()..);
        }
        Some(start)
    }
}

/// An event: lines up to and including an empty one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// Where its lines stand, the empty one included.
    pub range: Range<usize>,
    /// Where the value of its first `data` line stands that is not blank.
    pub data: Option<Range<usize>>,
    /// How many `data` lines it has.
    pub data_lines: usize,
    /// Where its name stands.
    pub name: Option<Range<usize>>,
    /// Whether it has an `id` line.
    pub has_id: bool,
    /// Whether it has a line that is neither `data` nor a comment.
    pub has_other: bool,
}

/// The events of a text that begins where an event begins. A last one without an empty line is given too.
pub fn events(text: &[u8]) -> impl Iterator<Item = Event> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let event = (at < text.len()).then(|| event(text, at))?;
        at = event.range.end;
        Some(event)
    })
}

/// The data of an event: its `data` lines, joined.
pub fn data(text: &[u8], event: &Event) -> Vec<u8> {
    let mut data = Vec::new();
    let mut lines = 0;
    let mut at = event.range.start;
    while at < event.range.end {
        let line = line(text, at);
        if let Some(value) = field(text, &line.text).filter(|field| field.name == b"data").map(|field| field.value) {
            if lines > 0 {
                data.push(b'\n');
            }
            lines += 1;
            data.extend_from_slice(&text[value]);
        }
        at = line.end;
    }
    data
}

/// How much of a text of whole events is readable from its beginning: events of UTF-8 whose data is JSON, if they have any.
pub fn readable(text: &[u8]) -> usize {
    let is_readable = |event: &Event| {
        let data = data(text, event);
        let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(&data).is_ok();
        std::str::from_utf8(&text[event.range.clone()]).is_ok() && (data.trim_ascii().is_empty() || is_json())
    };
    events(text).find(|event| !is_readable(event)).map_or(text.len(), |event| event.range.start)
}

struct Line {
    /// Without its end.
    text: Range<usize>,
    /// Behind its end.
    end: usize,
}

struct LineField<'a> {
    name: &'a [u8],
    value: Range<usize>,
}

fn event(text: &[u8], start: usize) -> Event {
    let mut event = Event { range: start..start, ..Event::default() };
    while event.range.end < text.len() {
        let line = line(text, event.range.end);
        event.range.end = line.end;
        if line.text.is_empty() {
            break;
        }
        let Some(field) = field(text, &line.text) else { continue };
        match field.name {
            b"data" => {
                event.data_lines += 1;
                if event.data.is_none() && !text[field.value.clone()].trim_ascii_start().is_empty() {
                    event.data = Some(field.value);
                }
            }
            b"event" => {
                event.has_other = true;
                event.name = Some(field.value);
            }
            b"id" => {
                event.has_other = true;
                event.has_id = true;
            }
            _ => event.has_other = true,
        }
    }
    event
}

/// The line that begins there. It ends with LF, CR LF, CR, or the text.
fn line(text: &[u8], start: usize) -> Line {
    let Some(length) = memchr2(b'\n', b'\r', &text[start..]) else {
        return Line { text: start..text.len(), end: text.len() };
    };
    let end = start + length;
    let width = if text[end..].starts_with(b"\r\n") { 2 } else { 1 };
    Line { text: start..end, end: end + width }
}

/// What a line says: a name and, behind a colon and one space, a value. `None` for a comment.
fn field<'a>(text: &'a [u8], line: &Range<usize>) -> Option<LineField<'a>> {
    let bytes = &text[line.clone()];
    // The one that nearly every line begins with.
    let colon = if bytes.starts_with(b"data:") { Some(4) } else { memchr::memchr(b':', bytes) };
    let Some(colon) = colon else {
        return Some(LineField { name: bytes, value: line.end..line.end });
    };
    if colon == 0 {
        return None;
    }
    let space = usize::from(bytes.get(colon + 1) == Some(&b' '));
    Some(LineField { name: &bytes[..colon], value: line.start + colon + 1 + space..line.end })
}

/// Where the last event ends that ends behind `from`: behind a line that is empty. The text begins where a line begins.
fn last_boundary(text: &[u8], from: usize) -> Option<usize> {
    let mut until = text.len();
    while until > from {
        let end = from + memrchr2(b'\n', b'\r', &text[from..until])?;
        let before = if text[..=end].ends_with(b"\r\n") { end - 1 } else { end };
        if before == 0 || matches!(text[before - 1], b'\n' | b'\r') {
            return Some(end + 1);
        }
        until = before;
    }
    None
}
