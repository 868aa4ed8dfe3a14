//! Answers as clients of Google's dialect read them, in pieces. Never a comment: Google's own library for Python breaks
//! on one. Text goes on as it comes; calls and media are held until they are whole.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::{BufMut, BytesMut};
use gw_core::chat::{
    Block, Citation, Delta, Event, Finish, Media, MediaKind, MediaSource, Opaque, ToolCall, ToolInput,
};
use gw_core::{Error, Usage};
use serde_json::{Map, Value};

use super::answer::{OwnExtra, about, call_part, cite, content};
use super::carried::Waiting;
use super::part::{Fields, Part, medium};
use super::{FAMILY, error, finish, grounding, signature, usage};
use crate::chat::{Asked, EncodeEvents};

/// Writes a stream.
pub(super) struct Encoder {
    asked: Asked,
    about: Map<String, Value>,
    open: BTreeMap<u32, Open>,
    finishes: BTreeMap<u32, Finish>,
    /// Citations that were not in Google's words, by candidate: with the text they are of.
    cited: BTreeMap<u32, Vec<(String, Vec<Citation>)>>,
    /// Thoughts that the next call carries, by candidate.
    waiting: BTreeMap<u32, Waiting>,
    extra: OwnExtra,
    usage: Option<Usage>,
    has_content: bool,
}

/// A block that is open.
struct Open {
    candidate: u32,
    kind: Kind,
    text: String,
    citations: Vec<Citation>,
    opaque: Option<Opaque>,
}

enum Kind {
    Text,
    Thoughts,
    Call(ToolCall),
    Media {
        kind: MediaKind,
        media_type: String,
    },
    /// It was said when it began, or there is no word for it.
    Said,
}

impl Encoder {
    pub(super) fn new(asked: &Asked) -> Self {
        Self {
            asked: asked.clone(),
            about: about("", "", asked),
            open: BTreeMap::new(),
            finishes: BTreeMap::new(),
            cited: BTreeMap::new(),
            waiting: BTreeMap::new(),
            extra: OwnExtra::default(),
            usage: None,
            has_content: false,
        }
    }

    fn begin(&mut self, index: u32, candidate: u32, block: &Block, out: &mut BytesMut) {
        let kind = match block {
            Block::Text | Block::Refusal => Kind::Text,
            Block::Reasoning { .. } => Kind::Thoughts,
            Block::ToolCall { id, name, is_custom } => {
                let input = if *is_custom { ToolInput::Text(String::new()) } else { ToolInput::Json(String::new()) };
                Kind::Call(ToolCall { id: id.clone(), name: name.clone(), input, ..ToolCall::default() })
            }
            Block::Media { kind, media_type } => Kind::Media { kind: *kind, media_type: media_type.clone() },
            Block::Native(native) => {
                if native.family == FAMILY {
                    self.part(candidate, &Part::Whole(&native.value), out);
                }
                Kind::Said
            }
        };
        self.open.insert(index, Open { candidate, kind, text: String::new(), citations: Vec::new(), opaque: None });
    }

    fn delta(&mut self, index: u32, delta: &Delta, out: &mut BytesMut) {
        let Some(open) = self.open.get_mut(&index) else { return };
        let candidate = open.candidate;
        match (delta, &open.kind) {
            (Delta::Text(text), Kind::Text | Kind::Thoughts) if !text.is_empty() => {
                let thought = matches!(open.kind, Kind::Thoughts);
                // Citations count their places in the text.
                open.text.push_str(text);
                let part = Fields { text: Some(Cow::Borrowed(text)), thought, ..Fields::default() }.into();
                self.part(candidate, &part, out);
            }
            (Delta::Text(text), Kind::Call(_) | Kind::Media { .. }) => open.text.push_str(text),
            (Delta::Opaque(opaque), Kind::Text | Kind::Thoughts) => {
                let thought = matches!(open.kind, Kind::Thoughts) && !open.text.is_empty();
                if matches!(open.kind, Kind::Thoughts) {
                    open.opaque = Some(opaque.clone());
                }
                let thought_signature = Some(signature(opaque));
                let part = Fields { text: Some(Cow::Borrowed("")), thought, thought_signature, ..Fields::default() };
                self.part(candidate, &part.into(), out);
            }
            (Delta::Opaque(opaque), _) => open.opaque = Some(opaque.clone()),
            (Delta::Citation(citation), _) => open.citations.push(citation.clone()),
            (Delta::Logprobs(tokens), _) => {
                if let Some(logprobs) = grounding::encode_logprobs(tokens) {
                    let more = Map::from_iter([("logprobsResult".to_owned(), logprobs)]);
                    self.parts(candidate, &[], &more, out);
                }
            }
            (Delta::Text(_), _) => {}
        }
    }

    fn close(&mut self, index: u32, out: &mut BytesMut) {
        let Some(Open { candidate, kind, text, citations, opaque }) = self.open.remove(&index) else { return };
        match kind {
            Kind::Text if !citations.is_empty() => self.cited.entry(candidate).or_default().push((text, citations)),
            Kind::Call(mut call) => {
                let (ToolInput::Json(input) | ToolInput::Text(input)) = &mut call.input;
                *input = text;
                call.opaque = opaque;
                let carried = self.waiting.get_mut(&candidate).and_then(Waiting::take);
                self.part(candidate, &call_part(&call, carried), out);
            }
            Kind::Media { kind, media_type } => {
                let source = MediaSource::Inline { media_type, data: text };
                let media = Media::new(kind, source);
                if let Some(fields) = medium(&media) {
                    let thought_signature = opaque.as_ref().map(signature);
                    self.part(candidate, &Fields { thought_signature, ..fields }.into(), out);
                }
            }
            Kind::Thoughts => {
                if let Some(opaque) = opaque {
                    self.waiting.entry(candidate).or_default().add(&text, &opaque);
                }
            }
            Kind::Text | Kind::Said => {}
        }
    }

    fn part(&mut self, candidate: u32, part: &Part<'_>, out: &mut BytesMut) {
        self.parts(candidate, std::slice::from_ref(part), &Map::new(), out);
    }

    fn parts(&mut self, candidate: u32, parts: &[Part<'_>], more: &Map<String, Value>, out: &mut BytesMut) {
        self.has_content = true;
        let candidates = content(candidate as usize, parts, more);
        let about = Value::Object(self.about.clone()).to_string();
        event(&format!("{{\"candidates\":[{candidates}],{}", about.trim_start_matches('{')), out);
    }

    /// The last piece: why each candidate ended, and what was used.
    fn last(&mut self, out: &mut BytesMut) {
        let is_refused = !self.has_content && self.extra.answer.contains_key("promptFeedback");
        let mut extra = std::mem::take(&mut self.extra);
        let mut about = std::mem::take(&mut self.about);
        about.append(&mut extra.answer);
        if let Some(counted) = &self.usage {
            about.insert("usageMetadata".to_owned(), usage::encode(counted));
        }
        let about = Value::Object(about).to_string();
        // A prompt that was refused has no candidates.
        if is_refused {
            return event(&about, out);
        }
        let candidates = self.finishes.iter().map(|(candidate, reason)| {
            let mut more = extra.candidate(*candidate as usize);
            let cited = self.cited.get(candidate);
            let citations = cited.into_iter().flatten().enumerate().flat_map(|(part, (text, citations))| {
                citations.iter().map(move |citation| (part, text.as_str(), citation))
            });
            cite(&citations.collect::<Vec<_>>(), &mut more);
            more.insert("finishReason".to_owned(), Value::from(finish::encode(reason)));
            content(*candidate as usize, &[Part::text("")], &more)
        });
        let candidates = candidates.collect::<Vec<_>>().join(",");
        event(&format!("{{\"candidates\":[{candidates}],{}", about.trim_start_matches('{')), out);
    }
}

impl EncodeEvents for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start { id, model, .. } => self.about = about(model, id, &self.asked),
            Event::BlockStart { index, candidate, block } => self.begin(*index, *candidate, block, out),
            Event::Delta { index, delta } => self.delta(*index, delta, out),
            Event::BlockStop { index } => self.close(*index, out),
            Event::Usage(usage) => self.usage = Some(self.usage.unwrap_or_default().merge(*usage)),
            Event::Finish { candidate, finish } => drop(self.finishes.insert(*candidate, finish.clone())),
            Event::Extra(extra) => self.extra.add(extra),
            // Google says it among the usage of its answers, where clients do not look for it.
            Event::ServiceTier(_) => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        let (_, body) = error::encode(error, self.asked.request_id);
        out.put_slice(b"data: ");
        out.put_slice(&body);
        out.put_slice(b"\n\n");
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.last(out);
    }
}

/// Writes an event, with the space behind the colon that Google's libraries want.
fn event(json: &str, out: &mut BytesMut) {
    out.put_slice(b"data: ");
    out.put_slice(json.as_bytes());
    out.put_slice(b"\n\n");
}
