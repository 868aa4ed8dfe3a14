//! Answers of Google's, in pieces; a whole answer is a stream of one piece.

use std::collections::BTreeMap;

use gw_core::chat::event::CANDIDATES_MAX;
use gw_core::chat::{ChatAnswer, Collector, Event, Extra, Finish, FinishReason};
use gw_core::{Error, ErrorCode, Usage};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::candidate::{Candidate, Context};
use super::split::Splitter;
use super::wire::Object;
use super::{FAMILY, error, grounding, usage};
use crate::chat::{DecodeEvents, Origin};
use crate::shared::refusal::{invalid, told};

/// Reads a whole answer.
pub(super) fn decode_answer(body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error> {
    let mut reader = Reader::new(origin.clone());
    let mut events = Vec::new();
    let text = std::str::from_utf8(body).map(str::trim).unwrap_or_default();
    if text.starts_with('[') {
        let pieces: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| reader.unreadable())?;
        for piece in pieces {
            reader.piece(piece.get(), &mut events)?;
        }
    } else {
        reader.piece(text, &mut events)?;
    }
    if reader.candidates.is_empty() {
        return Err(invalid(&origin.provider, "an answer without candidates"));
    }
    // Whether the answer is whole is told by its being one: a candidate without a reason has just ended.
    reader.finish(&mut events);
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    Ok(collector.into_answer())
}

/// Reads a stream.
pub(super) struct Decoder {
    splitter: Splitter,
    reader: Reader,
}

impl Decoder {
    pub(super) fn new(origin: Origin) -> Self {
        Self { splitter: Splitter::Unknown, reader: Reader::new(origin) }
    }

    fn texts(&mut self, texts: &[Vec<u8>], events: &mut Vec<Event>) -> Result<(), Error> {
        texts.iter().try_for_each(|text| {
            let text = std::str::from_utf8(text).map_err(|_| self.reader.unreadable())?;
            self.reader.piece(text, events)
        })
    }
}

impl DecodeEvents for Decoder {
    fn decode(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        let mut texts = Vec::new();
        let too_large = self.splitter.feed(bytes, &mut texts);
        self.texts(&texts, events)?;
        too_large.map_err(|_| invalid(&self.reader.origin.provider, "an event that is too large"))
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        let mut texts = Vec::new();
        self.splitter.finish(&mut texts);
        self.texts(&texts, events)?;
        if !self.reader.is_finished() {
            let provider = &self.reader.origin.provider;
            let message = format!("provider \"{provider}\" ended its stream before the answer was whole");
            return Err(Error::new(ErrorCode::ProviderStreamInterrupted, message));
        }
        self.reader.finish(events);
        Ok(())
    }

    fn is_complete(&self) -> bool {
        // Events have no end mark: a reason to end may be told early, and again.
        self.splitter.is_closed() && self.reader.is_finished()
    }
}

struct Reader {
    origin: Origin,
    has_begun: bool,
    candidates: BTreeMap<u32, Candidate>,
    blocks: u32,
    calls: u32,
    usage: Option<Usage>,
    /// Searches of the web, as told so far.
    searches: u64,
}

impl Reader {
    fn new(origin: Origin) -> Self {
        Self { origin, has_begun: false, candidates: BTreeMap::new(), blocks: 0, calls: 0, usage: None, searches: 0 }
    }

    fn unreadable(&self) -> Error {
        invalid(&self.origin.provider, "something that is not an answer in JSON")
    }

    /// Takes one `GenerateContentResponse`.
    fn piece(&mut self, text: &str, events: &mut Vec<Event>) -> Result<(), Error> {
        let mut piece = Object::parse(error::listed(text)).ok_or_else(|| self.unreadable())?;
        if let Some(said) = error::Said::take(&mut piece) {
            return Err(told(&self.origin.provider, said.code(None), &said.message));
        }
        self.begin(&mut piece, events);
        let mut extra = Map::new();
        let usage = piece.object("usageMetadata").ok().flatten();
        for (place, candidate) in piece.objects("candidates").unwrap_or_default().into_iter().enumerate() {
            self.searches = self.searches.max(grounding::searches(&candidate));
            self.candidate(place, candidate, &mut extra, events)?;
        }
        let feedback: Option<Value> = piece.get("promptFeedback");
        if let Some(reason) = feedback.as_ref().and_then(|feedback| feedback.get("blockReason")).and_then(Value::as_str)
            && self.candidates.is_empty()
        {
            let finish = Finish::new(FinishReason::ContentFilter, reason);
            self.candidates.insert(0, Candidate::blocked(finish));
        }
        extra.extend(feedback.map(|feedback| ("promptFeedback".to_owned(), feedback)));
        extra.extend(piece.readable());
        let counted = match usage {
            Some(mut usage) => {
                let tier = usage::tier(&mut usage);
                events.extend(tier.map(|tier| Event::ServiceTier(tier.to_owned())));
                Some(usage::decode(usage))
            }
            None => self.usage,
        };
        if let Some(counted) = counted.map(|counted| Usage { searches: self.searches, ..counted })
            && self.usage.replace(counted) != Some(counted)
        {
            events.push(Event::Usage(counted));
        }
        if !extra.is_empty() {
            events.push(Event::Extra(Extra { family: FAMILY, members: extra }));
        }
        Ok(())
    }

    fn begin(&mut self, piece: &mut Object<'_>, events: &mut Vec<Event>) {
        let id: Option<String> = piece.get("responseId");
        let model: Option<String> = piece.get("modelVersion");
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let model = model.filter(|model| !model.is_empty()).unwrap_or_else(|| self.origin.model.to_string());
        events.push(Event::Start { id: id.unwrap_or_default(), model, created_s: None });
    }

    fn candidate(
        &mut self,
        place: usize,
        mut object: Object<'_>,
        extra: &mut Map<String, Value>,
        events: &mut Vec<Event>,
    ) -> Result<(), Error> {
        let index = object.number("index").unwrap_or(place as u64);
        let index = u32::try_from(index).ok().filter(|index| *index < CANDIDATES_MAX);
        let index = index.ok_or_else(|| invalid(&self.origin.provider, "more candidates than there can be"))?;
        let mut context = Context { origin: &self.origin, blocks: &mut self.blocks, calls: &mut self.calls, events };
        let candidate = self.candidates.entry(index).or_insert_with(|| Candidate::new(index));
        candidate.read(&mut object, &mut context)?;
        let rest = object.readable().into_iter().map(|(name, value)| (format!("candidates[{index}].{name}"), value));
        extra.extend(rest);
        Ok(())
    }

    fn is_finished(&self) -> bool {
        !self.candidates.is_empty() && self.candidates.values().all(Candidate::is_finished)
    }

    /// Says why each candidate ended. Google repeats the reason, or tells it early: it is held back until now.
    fn finish(&mut self, events: &mut Vec<Event>) {
        for (candidate, state) in std::mem::take(&mut self.candidates) {
            let finish = state.finish(events);
            events.push(Event::Finish { candidate, finish });
        }
    }
}
