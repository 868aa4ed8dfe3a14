//! One of the answers that a stream mixes: what of it has come, put in order.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gw_core::Error;
use gw_core::chat::{
    Block, Delta, Event, Finish, FinishReason, MediaKind, MediaSource, Native, Opaque, OpaqueKind, Reasoning,
};
use serde_json::Value;

use super::calls::Known;
use super::queue::{Item, Queue};
use crate::chat::Origin;
use crate::openai_chat::wire::{self, Message};
use crate::openai_chat::{FAMILY, finish, reasoning};
use crate::shared::{media, refusal};
use crate::sse::EVENT_BYTES_MAX;

/// Where events go.
pub(super) struct Output<'a> {
    /// The number of the next block.
    pub(super) next: &'a mut u32,
    /// The events.
    pub(super) events: &'a mut Vec<Event>,
}

/// One of the answers.
pub(super) struct Lane {
    pub(super) candidate: u32,
    pub(super) origin: Origin,
    pub(super) answer_id: String,
    pub(super) queue: Queue,
    pub(super) calls: Vec<Known>,
    finish: Option<Finish>,
    refuses: bool,
    /// Speech, which OpenAI sends mixed with its words: it is told when it is whole.
    speech: Vec<u8>,
}

impl Lane {
    /// An answer of which nothing has come.
    pub(super) fn new(candidate: u32, origin: &Origin, answer_id: &str) -> Self {
        Self {
            candidate,
            origin: origin.clone(),
            answer_id: answer_id.to_owned(),
            queue: Queue::new(candidate),
            calls: Vec::new(),
            finish: None,
            refuses: false,
            speech: Vec::new(),
        }
    }

    /// Whether the provider has said why it ended.
    pub(super) fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes more of it.
    pub(super) fn message(
        &mut self,
        message: &Message<'_>,
        logprobs: &Value,
        output: &mut Output<'_>,
    ) -> Result<(), Error> {
        self.thoughts(message, output);
        self.content(&message.content, output);
        self.words(&Block::Refusal, message.refusal.as_str().unwrap_or_default(), output);
        self.refuses |= message.refusal.as_str().is_some_and(|refusal| !refusal.is_empty());
        self.logprobs(logprobs, output);
        for citation in list(&message.annotations).iter().filter_map(wire::citation) {
            self.decorate(Delta::Citation(citation), output);
        }
        if let Some(signature) = wire::thought_signature(&message.extra_content) {
            self.decorate(Delta::Opaque(self.state(signature)), output);
        }
        self.speech(&message.audio, output)?;
        for entry in list(&message.images) {
            self.picture(entry, output);
        }
        for call in message.tool_calls.iter().flatten() {
            self.call(call, output)?;
        }
        if let Some(called) = &message.function_call {
            self.older_call(called, output)?;
        }
        self.bounded()
    }

    /// Takes the reason for its end. Some repeat it; the first counts.
    pub(super) fn finish(&mut self, mut finish: Finish, stop_text: Option<&str>) {
        if let (FinishReason::Stop, Some(text)) = (finish.reason, stop_text) {
            finish.reason = FinishReason::StopSequence;
            finish.stop_sequence = Some(text.to_owned());
        }
        self.finish.get_or_insert(finish);
    }

    /// Closes what is open and says why it ended.
    pub(super) fn end(&mut self, output: &mut Output<'_>) {
        self.give_ids();
        let calls = &self.calls;
        let unnamed = |call: usize| calls.get(call).map_or(Block::Text, Known::block);
        self.queue.close(unnamed, output);
        let speech = std::mem::take(&mut self.speech);
        if !speech.is_empty() {
            let data = STANDARD.encode(speech);
            // OpenAI streams speech as bare samples only.
            let media_type = media::sniff(&data).unwrap_or("audio/pcm").to_owned();
            let place = self.queue.push(Item::new(Block::Media { kind: MediaKind::Audio, media_type }), output);
            self.queue.add(place, Delta::Text(data), output);
            self.queue.close(|_| Block::Text, output);
        }
        let finish = self.finish.take().unwrap_or_default();
        let finish = finish::settle(finish, !self.calls.is_empty(), self.refuses);
        output.events.push(Event::Finish { candidate: self.candidate, finish });
    }

    /// Probabilities of tokens: of the last text, or of whatever comes if there is none.
    fn logprobs(&mut self, logprobs: &Value, output: &mut Output<'_>) {
        for name in ["content", "refusal"] {
            let tokens = logprobs.get(name).filter(|tokens| !list(tokens).is_empty());
            if let Some(tokens) = tokens {
                self.decorate(Delta::Logprobs(tokens.clone()), output);
            }
        }
    }

    /// Refuses to hold more than may be held.
    pub(super) fn bounded(&self) -> Result<(), Error> {
        if self.queue.held() + self.speech.len() > EVENT_BYTES_MAX || self.calls.len() > Known::MAX {
            return Err(refusal::invalid(&self.origin.provider, "an answer of which more must be held than may be"));
        }
        Ok(())
    }

    /// State of a call or a text: of whoever answers, whatever its models are.
    pub(super) fn state(&self, signature: &str) -> Opaque {
        let provider = self.origin.provider.to_string();
        Opaque { family: FAMILY, provider, kind: OpaqueKind::Signature, data: signature.to_owned() }
    }

    /// Adds words to the last block if it is of that kind, or to a new one.
    fn words(&mut self, block: &Block, text: &str, output: &mut Output<'_>) {
        if !text.is_empty() {
            let place = self.block(block, output);
            self.queue.add(place, Delta::Text(text.to_owned()), output);
        }
    }

    /// The place of the last block if it is of that kind, or of a new one.
    fn block(&mut self, block: &Block, output: &mut Output<'_>) -> usize {
        let goes_on = self.queue.last().is_some_and(|last| last.block.as_ref() == Some(block) && !last.is_sealed);
        match self.queue.place_of(|known| known == block).filter(|_| goes_on) {
            Some(place) => place,
            None => self.queue.push(Item::new(block.clone()), output),
        }
    }

    /// Adds to the last text what is not text.
    fn decorate(&mut self, delta: Delta, output: &mut Output<'_>) {
        let place = self.queue.place_of(|block| matches!(block, Block::Text | Block::Refusal));
        let place = place.unwrap_or_else(|| self.queue.push(Item::new(Block::Text), output));
        self.queue.add(place, delta, output);
    }

    fn content(&mut self, content: &Value, output: &mut Output<'_>) {
        match content {
            Value::String(text) => self.words(&Block::Text, text, output),
            Value::Array(parts) => parts.iter().for_each(|part| self.part(part, output)),
            _ => {}
        }
    }

    /// A part of a content that is a list: Mistral's, Databricks'.
    fn part(&mut self, part: &Value, output: &mut Output<'_>) {
        let text = || part.get("text").and_then(Value::as_str);
        match part.get("type").and_then(Value::as_str) {
            Some("text" | "output_text") => self.words(&Block::Text, text().unwrap_or_default(), output),
            Some("thinking") => {
                let thought = part.get("thinking").and_then(reasoning::text_of).unwrap_or_default();
                let mut entry = part.clone();
                if let Some(members) = entry.as_object_mut() {
                    members.insert("thinking".to_owned(), Value::Null);
                    members.insert("text".to_owned(), Value::from(thought));
                    members.insert("type".to_owned(), Value::from("reasoning.text"));
                }
                self.detail(&entry, output);
            }
            Some("reasoning") => {
                for summary in list(part.get("summary").unwrap_or(&Value::Null)) {
                    let mut entry = summary.clone();
                    if let Some(members) = entry.as_object_mut() {
                        members.insert("type".to_owned(), Value::from("reasoning.summary"));
                    }
                    self.detail(&entry, output);
                }
            }
            Some("image_url") => self.picture(part, output),
            Some(kind) => {
                let native = Native { family: FAMILY, kind: kind.to_owned(), value: part.clone() };
                self.queue.push(Item::new(Block::Native(native)), output);
            }
            None => self.words(&Block::Text, part.as_str().or_else(text).unwrap_or_default(), output),
        }
    }

    /// Thoughts: the list with state if there is one, else the text. Those that send both say the same twice.
    fn thoughts(&mut self, message: &Message<'_>, output: &mut Output<'_>) {
        let provider = &self.origin.provider;
        let mut thoughts: Vec<Reasoning> =
            list(&message.reasoning_details).iter().filter_map(|entry| reasoning::of_detail(entry, provider)).collect();
        if thoughts.is_empty() {
            let blocks = list(&message.thinking_blocks).iter().filter_map(reasoning::of_block);
            thoughts = blocks.map(|thought| self.own(thought)).collect();
        }
        let text = [&message.reasoning_content, &message.reasoning].into_iter().find_map(|text| {
            let text = reasoning::text_of(text)?;
            (!text.is_empty()).then_some(text)
        });
        if thoughts.iter().all(|thought| thought.text.is_empty()) {
            let block = Block::Reasoning { id: None, is_summary: false };
            self.words(&block, text.as_deref().unwrap_or_default(), output);
        }
        thoughts.into_iter().for_each(|thought| self.thought(thought, output));
    }

    /// State that came from this provider is this provider's.
    fn own(&self, mut thought: Reasoning) -> Reasoning {
        if let Some(opaque) = &mut thought.opaque {
            opaque.provider = self.origin.provider.to_string();
        }
        thought
    }

    fn detail(&mut self, entry: &Value, output: &mut Output<'_>) {
        if let Some(thought) = reasoning::of_detail(entry, &self.origin.provider) {
            self.thought(thought, output);
        }
    }

    fn thought(&mut self, thought: Reasoning, output: &mut Output<'_>) {
        let Reasoning { id, text, is_summary, opaque } = thought;
        // State alone belongs to the thoughts before it, whether they are a summary or not.
        let last = self.queue.last().filter(|last| !last.is_sealed).and_then(|last| last.block.clone());
        let block = match last {
            Some(Block::Reasoning { id: known, is_summary: was }) if text.is_empty() || was == is_summary => {
                if known == id || id.is_none() || known.is_none() {
                    Block::Reasoning { id: known, is_summary: was }
                } else {
                    Block::Reasoning { id, is_summary }
                }
            }
            _ => Block::Reasoning { id, is_summary },
        };
        self.words(&block, &text, output);
        if let Some(opaque) = opaque {
            let place = self.block(&block, output);
            self.queue.add(place, Delta::Opaque(opaque), output);
            if let Some(last) = self.queue.last() {
                last.is_sealed = true;
            }
        }
    }

    /// Speech and what was said in it.
    fn speech(&mut self, audio: &Value, output: &mut Output<'_>) -> Result<(), Error> {
        let text = |name: &str| audio.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        self.words(&Block::Text, text("transcript").unwrap_or_default(), output);
        if let Some(data) = text("data") {
            let invalid = || refusal::invalid(&self.origin.provider, "speech that is not base64");
            self.speech.extend(media::bytes(data).ok_or_else(invalid)?);
        }
        Ok(())
    }

    fn picture(&mut self, entry: &Value, output: &mut Output<'_>) {
        match wire::image(entry).map(|picture| (picture.kind, picture.source)) {
            Some((kind, MediaSource::Inline { media_type, data })) => {
                let place = self.queue.push(Item::new(Block::Media { kind, media_type }), output);
                self.queue.add(place, Delta::Text(data), output);
            }
            _ => {
                let native = Native { family: FAMILY, kind: "image_url".to_owned(), value: entry.clone() };
                self.queue.push(Item::new(Block::Native(native)), output);
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
