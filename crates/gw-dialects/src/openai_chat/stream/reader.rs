//! Chunks of an answer, one after the other, as events.

use std::collections::BTreeMap;

use gw_core::chat::event::CANDIDATES_MAX;
use gw_core::chat::{Event, Extra};
use gw_core::{Error, Usage};
use serde_json::{Map, Value};

use super::lane::{Lane, Output};
use crate::chat::Origin;
use crate::openai_chat::wire::Choice;
use crate::openai_chat::{FAMILY, error, finish};
use crate::scan::{self, Object};
use crate::shared::refusal;
use crate::usage;

/// Members of a chunk that are read, or that mean nothing to anybody.
const READ: [&str; 8] = ["id", "object", "created", "model", "choices", "usage", "error", "obfuscation"];

/// Reads chunks of an answer, or a whole one.
pub(in crate::openai_chat) struct Reader {
    origin: Origin,
    is_started: bool,
    is_finished: bool,
    /// The provider's id of the answer.
    answer_id: String,
    /// The number of the next block.
    next: u32,
    lanes: BTreeMap<u32, Lane>,
    /// Members of the answer as they were last told.
    extra: Map<String, Value>,
    /// Members that came before the answer began.
    waiting: Map<String, Value>,
    usage: Option<Usage>,
}

impl Reader {
    /// An answer from there.
    pub(in crate::openai_chat) fn new(origin: Origin) -> Self {
        Self {
            origin,
            is_started: false,
            is_finished: false,
            answer_id: String::new(),
            next: 0,
            lanes: BTreeMap::new(),
            extra: Map::new(),
            waiting: Map::new(),
            usage: None,
        }
    }

    /// Who answers.
    pub(in crate::openai_chat) fn provider(&self) -> &str {
        &self.origin.provider
    }

    /// Whether each answer that has begun has its finish reason.
    pub(in crate::openai_chat) fn is_whole(&self) -> bool {
        !self.lanes.is_empty() && self.lanes.values().all(Lane::is_finished)
    }

    /// Whether there is any answer at all.
    pub(in crate::openai_chat) fn has_answer(&self) -> bool {
        !self.lanes.is_empty()
    }

    /// Takes the next chunk, or an answer that is whole.
    ///
    /// # Errors
    /// What the provider says is wrong, or `provider_invalid_response`.
    pub(in crate::openai_chat) fn chunk(
        &mut self,
        text: &str,
        is_whole: bool,
        events: &mut Vec<Event>,
    ) -> Result<(), Error> {
        let Ok(chunk) = Object::parse(text) else {
            return Err(refusal::invalid(self.provider(), "something that is not an answer in OpenAI's format"));
        };
        if let Some(error) = error::within(&chunk, self.provider()) {
            return Err(error);
        }
        let mut choices = Vec::new();
        chunk.elements("choices", |choice| choices.push(choice));
        let usage = usage::of_answer(&chunk).filter(|usage| self.usage != Some(*usage));
        self.collect_extra(text);
        let id = chunk.string("id").unwrap_or_default();
        // Azure begins with a chunk that is about the prompt and has no id.
        if !self.is_started && id.is_empty() && choices.is_empty() && usage.is_none() {
            return Ok(());
        }
        self.start(id, &chunk, events);
        for (place, choice) in choices.into_iter().enumerate() {
            self.choice(place, choice, is_whole, events)?;
        }
        if let Some(usage) = usage {
            self.usage = Some(usage);
            events.push(Event::Usage(usage));
        }
        Ok(())
    }

    /// The answer is whole: adds what was held back.
    pub(in crate::openai_chat) fn finish(&mut self, events: &mut Vec<Event>) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        let mut output = Output { next: &mut self.next, events };
        for lane in self.lanes.values_mut() {
            lane.end(&mut output);
        }
    }

    fn start(&mut self, id: String, chunk: &Object<'_>, events: &mut Vec<Event>) {
        if !self.is_started {
            self.is_started = true;
            let model = chunk.string("model").filter(|model| !model.is_empty());
            let model = model.unwrap_or_else(|| self.origin.model.to_string());
            let created = chunk.get("created").and_then(|created| created.parse::<f64>().ok());
            let created_s = created.filter(|created| *created > 0.0).map(|created| created as u64);
            self.answer_id.clone_from(&id);
            events.push(Event::Start { id, model, created_s });
        }
        let mut members = std::mem::take(&mut self.waiting);
        if let Some(Value::String(tier)) = members.shift_remove("service_tier") {
            events.push(Event::ServiceTier(tier));
        }
        if !members.is_empty() {
            events.push(Event::Extra(Extra { family: FAMILY, members }));
        }
    }

    /// Keeps the members that nothing else stands for, if they are new.
    fn collect_extra(&mut self, text: &str) {
        let Ok(fields) = scan::top_level(text.as_bytes()) else { return };
        for field in fields.iter() {
            let name = field.name(text.as_bytes());
            let Ok(name) = std::str::from_utf8(&name) else { continue };
            if READ.contains(&name) {
                continue;
            }
            let value: Value =
                text.get(field.value()).and_then(|value| serde_json::from_str(value).ok()).unwrap_or_default();
            if !value.is_null() && self.extra.get(name) != Some(&value) {
                self.extra.insert(name.to_owned(), value.clone());
                self.waiting.insert(name.to_owned(), value);
            }
        }
    }

    fn choice(&mut self, place: usize, text: &str, is_whole: bool, events: &mut Vec<Event>) -> Result<(), Error> {
        let Ok(choice) = serde_json::from_str::<Choice<'_>>(text) else {
            return Err(refusal::invalid(&self.origin.provider, "a choice that cannot be read"));
        };
        if let Some(told) = choice.error.and_then(|told| serde_json::from_str::<Value>(told.get()).ok()) {
            return Err(error::of_value(&told, &self.origin.provider));
        }
        let index = choice.index.as_u64().unwrap_or(place as u64);
        let index = u32::try_from(index).ok().filter(|index| *index < CANDIDATES_MAX);
        let index = index.ok_or_else(|| refusal::invalid(&self.origin.provider, "more answers than there may be"))?;
        let (origin, answer_id) = (&self.origin, &self.answer_id);
        let lane = self.lanes.entry(index).or_insert_with(|| Lane::new(index, origin, answer_id));
        let mut output = Output { next: &mut self.next, events };
        // Perplexity sends what is new and all so far beside each other.
        let (delta, message) = (choice.delta.as_ref(), choice.message.as_ref());
        if let Some(said) = if is_whole { message.or(delta) } else { delta.or(message) } {
            lane.message(said, &choice.logprobs, &mut output)?;
        }
        if let Some(word) = choice.finish_reason.as_str() {
            lane.finish(finish::decode(word, &self.origin.provider)?, choice.stop_reason.as_str());
        }
        Ok(())
    }
}
