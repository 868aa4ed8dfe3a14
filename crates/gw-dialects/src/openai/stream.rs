//! What is done with an event stream in OpenAI's format on its way to the client.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use gw_core::{Error, ErrorCode, Usage};
use memchr::memmem::Finder;
use smallvec::SmallVec;

use super::{error, usage};
use crate::DialectId;
use crate::scan::Object;
use crate::sse::{self, Event, EventTooLarge, Framer};

/// How a stream is watched.
#[derive(Debug, Clone, Copy)]
pub struct StreamScanOptions {
    /// The format of the stream.
    pub dialect: DialectId,
    /// Whether the chunk that only tells the usage is kept from the client, which did not ask for it.
    pub withhold_usage_chunk: bool,
}

/// Pieces of a stream, in their order.
pub type Pieces = SmallVec<[Bytes; 2]>;

/// Watches a stream. Only whole events are given on: what a broken stream has begun to say is not said, so that the
/// error that follows it can be read.
#[derive(Debug)]
pub struct StreamScan {
    options: StreamScanOptions,
    framer: Framer,
    usage: Option<Usage>,
    error: Option<Box<str>>,
    fault: Option<FaultKind>,
    /// Whether the client has been given an event that says something.
    content: bool,
    /// Whether a choice was said to be complete.
    finished: bool,
    /// Whether the stream said that it is over.
    done: bool,
    /// Whether the client has been given an event with an id.
    identified: bool,
    /// Whether the last byte of the last event was given on.
    forwarded: bool,
}

/// The end of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// What is still to be given on.
    pub rest: Bytes,
    /// Whether the client can know that it is the end: the stream said so, said that the answer is complete, or said
    /// that it failed.
    pub clean: bool,
}

/// What came is not a stream that a client could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFault {
    /// What is wrong with it.
    pub kind: FaultKind,
    /// What came before it, and is still to be given on.
    pub before: Pieces,
}

/// What is wrong with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// It is not UTF-8.
    NotUtf8,
    /// The data of an event is not a JSON object.
    NotJson,
    /// An event is larger than it may be.
    EventTooLarge(EventTooLarge),
}

impl StreamScan {
    /// Watches a stream from its beginning.
    pub fn new(options: StreamScanOptions) -> Self {
        // OpenAI's three differ in nothing that is looked for here.
        debug_assert!(options.dialect.is_plain_openai(), "{:?}", options.dialect);
        Self {
            options,
            framer: Framer::default(),
            usage: None,
            error: None,
            fault: None,
            content: false,
            finished: false,
            done: false,
            identified: false,
            forwarded: true,
        }
    }

    /// Takes the next piece of the stream and gives what goes to the client now.
    ///
    /// # Errors
    /// The stream cannot be read; it stays so.
    pub fn feed(&mut self, mut piece: Bytes) -> Result<Pieces, StreamFault> {
        let mut pieces = Pieces::new();
        if let Some(line_feed) = self.framer.line_feed(&mut piece).filter(|_| self.forwarded) {
            pieces.push(line_feed);
        }
        if self.done {
            return Ok(pieces);
        }
        let watched = match self.fault {
            Some(fault) => Err(fault),
            None => match self.framer.feed(piece) {
                Ok(events) => self.watch(events, &mut pieces),
                Err(fault) => Err(FaultKind::EventTooLarge(fault)),
            },
        };
        match watched {
            Ok(()) => Ok(pieces),
            Err(kind) => {
                self.fault = Some(kind);
                Err(StreamFault { kind, before: pieces })
            }
        }
    }

    /// Nothing more comes.
    pub fn finish(&mut self) -> End {
        let rest = self.framer.finish();
        if self.done || self.fault.is_some() || rest.trim_ascii().is_empty() {
            return self.end(Bytes::new());
        }
        // A last event that lacks nothing but its empty line is one; any other was cut off.
        let mut text = BytesMut::from(rest);
        text.extend_from_slice(if text.ends_with(b"\n") { b"\n" } else { b"\n\n" });
        let text = text.freeze();
        let mut pieces = Pieces::new();
        let watched = if is_whole(&text) { self.watch(text, &mut pieces) } else { Err(FaultKind::NotJson) };
        self.fault = watched.err();
        self.end(pieces.pop().unwrap_or_default())
    }

    /// Whether the stream said that it is over: nothing more of it is given on.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// What was used, as far as the stream has said.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether the client has been given a part of an answer.
    pub fn saw_content(&self) -> bool {
        self.content
    }

    /// Whether the stream said why an answer in it ended.
    pub fn told_end(&self) -> bool {
        self.finished
    }

    /// What the stream said went wrong.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    fn end(&self, rest: Bytes) -> End {
        let told = self.done || self.error.is_some() || self.finished && self.fault.is_none();
        End { rest, clean: told }
    }

    /// Looks at whole events and gives on what the client is to see of them.
    fn watch(&mut self, events: Bytes, pieces: &mut Pieces) -> Result<(), FaultKind> {
        if events.is_empty() {
            return Ok(());
        }
        let valid = match std::str::from_utf8(&events) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let telling = tells(&events);
        let mut kept = 0..0;
        let mut watched = Ok(());
        for event in sse::events(&events) {
            let fate =
                if event.range.end > valid { Err(FaultKind::NotUtf8) } else { self.judge(&events, &event, telling) };
            match fate {
                Ok(Fate::Forward) if kept.end == event.range.start => kept.end = event.range.end,
                Ok(Fate::Forward) => {
                    give(&events, kept, pieces);
                    kept = event.range;
                }
                Ok(Fate::Withhold) => {}
                Err(fault) => watched = Err(fault),
            }
            if watched.is_err() || self.done {
                break;
            }
        }
        self.forwarded = kept.end == events.len();
        if kept == (0..events.len()) {
            // The usual case: the very piece goes on.
            pieces.push(events);
        } else {
            give(&events, kept, pieces);
        }
        watched
    }

    /// Decides about an event. `telling` says that one of the events beside it may tell something.
    fn judge(&mut self, text: &[u8], event: &Event, telling: Telling) -> Result<Fate, FaultKind> {
        let Some(data) = event.data.clone() else {
            // OpenAI's Python library takes whatever has a field for JSON, and after an id even an empty line.
            let silent = event.data_lines == 0 && !event.has_other && !self.identified;
            return Ok(if silent { Fate::Forward } else { Fate::Withhold });
        };
        let start = text[data].trim_ascii_start();
        if start.starts_with(b"[DONE]") {
            self.done = true;
            return Ok(Fate::Forward);
        }
        // One that was cut off lacks at least its last brace. More is not looked at: most events are not read.
        let is_object = start.starts_with(b"{") && (event.data_lines > 1 || start.trim_ascii_end().ends_with(b"}"));
        if !is_object {
            return Err(FaultKind::NotJson);
        }
        let told = event.data_lines > 1
            || telling == Telling::Perhaps && tells(&text[event.range.clone()]) == Telling::Perhaps;
        let fate = if told { self.read(text, event)? } else { Fate::Forward };
        if fate == Fate::Forward {
            self.content |= self.error.is_none();
            self.identified |= event.has_id;
        }
        Ok(fate)
    }

    /// Reads an event that may tell something.
    fn read(&mut self, text: &[u8], event: &Event) -> Result<Fate, FaultKind> {
        let data = data(text, event);
        let data = std::str::from_utf8(&data).map_err(|_| FaultKind::NotUtf8)?;
        let chunk = Object::parse(data).map_err(|_| FaultKind::NotJson)?;
        if let Some(used) = usage::of_answer(&chunk) {
            self.usage = Some(self.usage.map_or(used, |before| before.merge(used)));
        }
        let choices = chunk.elements("choices", |choice| {
            self.finished |= Object::parse(choice).is_ok_and(|choice| choice.get("finish_reason").is_some());
        });
        if let Some(message) = error::said(&chunk) {
            self.error = Some(message.into());
            return Ok(Fate::Forward);
        }
        let only_usage = chunk.object("usage").is_some() && choices == Some(0);
        Ok(if only_usage && self.options.withhold_usage_chunk { Fate::Withhold } else { Fate::Forward })
    }
}

impl FaultKind {
    /// What the client is told.
    pub fn into_error(self) -> Error {
        Error::new(ErrorCode::ProviderInvalidResponse, self.message())
    }

    fn message(self) -> Cow<'static, str> {
        match self {
            Self::NotUtf8 => "the provider's stream is not valid UTF-8".into(),
            Self::NotJson => "the provider's stream holds an event that is not a JSON object".into(),
            Self::EventTooLarge(EventTooLarge { bytes_max }) => {
                format!("the provider's stream holds an event of more than {bytes_max} bytes").into()
            }
        }
    }
}

impl StreamFault {
    /// What the client is told.
    pub fn into_error(self) -> Error {
        self.kind.into_error()
    }
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Forward,
    Withhold,
}

/// Whether something that the gateway must know may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    Perhaps,
    Nothing,
}

fn give(events: &Bytes, kept: Range<usize>, pieces: &mut Pieces) {
    if !kept.is_empty() {
        pieces.push(events.slice(kept));
    }
}

fn data<'a>(text: &'a [u8], event: &Event) -> Cow<'a, [u8]> {
    match &event.data {
        Some(data) if event.data_lines == 1 => Cow::Borrowed(&text[data.clone()]),
        Some(_) | None => Cow::Owned(sse::data(text, event)),
    }
}

/// Whether the last event lacks nothing but its empty line. A comment may be cut anywhere.
fn is_whole(text: &[u8]) -> bool {
    sse::events(text).all(|event| {
        let data = data(text, &event);
        let silent = event.data_lines == 0 && !event.has_other;
        silent
            || data.trim_ascii() == b"[DONE]"
            || std::str::from_utf8(&data).is_ok_and(|data| Object::parse(data).is_ok())
    })
}

/// Searched for in every piece of every stream, so that they are prepared once.
struct Marks {
    usage: Finder<'static>,
    finish_reason: Finder<'static>,
    error: Finder<'static>,
}

static MARKS: LazyLock<Marks> = LazyLock::new(|| Marks {
    usage: Finder::new(br#""usage""#),
    finish_reason: Finder::new(br#""finish_reason""#),
    error: Finder::new(br#""error""#),
});

/// Looks for usage, for the reason of an end, and for an error. Text inside of strings cannot look like these: its
/// quotes are escaped.
fn tells(text: &[u8]) -> Telling {
    let marks = &*MARKS;
    let said = |mark: &Finder<'_>, counts: fn(u8) -> bool| {
        mark.find_iter(text).any(|at| value_start(&text[at + mark.needle().len()..]).is_none_or(counts))
    };
    let is_said = |first: u8| first != b'n';
    if said(&marks.usage, |first| first == b'{') || said(&marks.finish_reason, is_said) || said(&marks.error, is_said) {
        Telling::Perhaps
    } else {
        Telling::Nothing
    }
}

/// The first byte of the value whose name ends here, on the same line: what is beyond it is of another event, or of one
/// that is read anyway.
fn value_start(text: &[u8]) -> Option<u8> {
    let skip_space = |text: &[u8]| text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let rest = text[skip_space(text)..].strip_prefix(b":")?;
    rest.get(skip_space(rest)).copied()
}
