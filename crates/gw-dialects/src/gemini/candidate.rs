//! One of the answers while it comes: parts become blocks. A text stays open until something else begins, since its
//! pieces, its citations and its signature come one after another.

use gw_core::Error;
use gw_core::chat::{Block, Delta, Event, Finish, Native, Opaque, OpaqueKind};
use serde_json::Value;
use serde_json::value::RawValue;

use super::part::kind_of;
use super::wire::{Object, compact};
use super::{FAMILY, finish, grounding};
use crate::chat::Origin;
use crate::shared::media;
use crate::shared::refusal::invalid;

/// So much of a text is kept, to find where citations stand in it. Those further on have no place.
const CITED_BYTES_MAX: usize = 256 << 10;

/// What the candidates of an answer share.
pub(super) struct Context<'c> {
    pub(super) origin: &'c Origin,
    /// Blocks begun so far.
    pub(super) blocks: &'c mut u32,
    /// Calls that were given an id so far.
    pub(super) calls: &'c mut u32,
    pub(super) events: &'c mut Vec<Event>,
}

/// The state of a candidate.
#[derive(Debug, Default)]
pub(super) struct Candidate {
    index: u32,
    open: Option<Open>,
    /// The text of the block that is open: what citations count their places in.
    text: String,
    /// Whether the block that is open has its signature: what comes next is another.
    is_signed: bool,
    calls_tools: bool,
    /// The reason that came last.
    reason: Option<String>,
    blocked: Option<Finish>,
    /// Citations that were told of the text that is open, since Google repeats them.
    cited: Vec<grounding::Cited>,
}

/// The block that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text(u32),
    /// Thoughts, or (`false`) a signature that belongs to none that are shown.
    Thoughts(u32, bool),
}

impl Candidate {
    pub(super) fn new(index: u32) -> Self {
        Self { index, ..Self::default() }
    }

    /// An answer that was withheld.
    pub(super) fn blocked(finish: Finish) -> Self {
        Self { blocked: Some(finish), ..Self::default() }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.reason.is_some() || self.blocked.is_some()
    }

    /// Takes a piece of the candidate. What is left in the object is for the caller to keep.
    pub(super) fn read(&mut self, object: &mut Object<'_>, context: &mut Context<'_>) -> Result<(), Error> {
        let reason: Option<String> = object.get("finishReason");
        if let Some(reason) = reason.filter(|reason| reason != "FINISH_REASON_UNSPECIFIED" && !reason.is_empty()) {
            self.reason = Some(reason);
        }
        let content = object.object("content").ok().flatten();
        let parts: Option<Vec<&RawValue>> = content.and_then(|mut content| content.get("parts"));
        for raw in parts.unwrap_or_default() {
            let part = Object::parse(raw.get());
            let part = part.ok_or_else(|| invalid(&context.origin.provider, "a part that is not an object"))?;
            self.part(part, raw, context)?;
        }
        self.cite(object, context);
        // Without a text that is open, they stay in the object.
        if let Some(Open::Text(index)) = self.open
            && let Some(mut logprobs) = object.object("logprobsResult").ok().flatten()
            && let Some(tokens) = grounding::logprobs(&mut logprobs)
        {
            context.events.push(Event::Delta { index, delta: Delta::Logprobs(tokens) });
        }
        Ok(())
    }

    /// Ends the candidate.
    pub(super) fn finish(mut self, events: &mut Vec<Event>) -> Finish {
        self.close(events);
        match (self.blocked, self.reason) {
            (Some(finish), _) => finish,
            (None, Some(reason)) => finish::decode(&reason, self.calls_tools),
            (None, None) => Finish { raw: None, ..finish::decode("STOP", self.calls_tools) },
        }
    }

    fn part(&mut self, mut part: Object<'_>, raw: &RawValue, context: &mut Context<'_>) -> Result<(), Error> {
        let unreadable = |_| invalid(&context.origin.provider, "a part that cannot be read");
        if part.has("functionCall")
            && let Some(call) = part.object("functionCall").map_err(unreadable)?
            && call.has("name")
        {
            self.call(call, signature(&mut part, context.origin), context);
        } else if part.has("inlineData")
            && let Some(mut blob) = part.object("inlineData").map_err(unreadable)?
            && let Some(data) = blob.get::<String>("data").and_then(media::base64)
        {
            self.close(context.events);
            let media_type: String = blob.get("mimeType").unwrap_or_else(|| "application/octet-stream".to_owned());
            let block = Block::Media { kind: kind_of(&media_type), media_type };
            let opaque = signature(&mut part, context.origin).map(Delta::Opaque);
            whole(self.index, block, std::iter::once(Delta::Text(data)).chain(opaque), context);
        } else if part.has("text") {
            let text: String = part.get("text").unwrap_or_default();
            let is_thought = part.get("thought").unwrap_or(false);
            self.said(text, is_thought, signature(&mut part, context.origin), context)?;
        } else {
            let value: Option<Value> = serde_json::from_str(raw.get()).ok();
            let rest = part.readable();
            let mut names = rest.keys().filter(|name| !name.starts_with("thought"));
            if let (Some(kind), Some(value)) = (names.next(), value) {
                self.close(context.events);
                let native = Native { family: FAMILY, kind: kind.clone(), value };
                whole(self.index, Block::Native(native), [], context);
            }
        }
        Ok(())
    }

    fn call(&mut self, mut call: Object<'_>, opaque: Option<Opaque>, context: &mut Context<'_>) {
        self.close(context.events);
        self.calls_tools = true;
        let name: String = call.get("name").unwrap_or_default();
        let id = call.get("id").filter(|id: &String| !id.is_empty()).unwrap_or_else(|| context.new_id());
        let args = call.take("args").map_or_else(|| "{}".to_owned(), |args| compact(args.get()));
        let name = context.origin.names.original(&name).to_owned();
        let block = Block::ToolCall { id, name, is_custom: false };
        whole(self.index, block, std::iter::once(Delta::Text(args)).chain(opaque.map(Delta::Opaque)), context);
    }

    fn said(
        &mut self,
        text: String,
        is_thought: bool,
        opaque: Option<Opaque>,
        context: &mut Context<'_>,
    ) -> Result<(), Error> {
        if text.is_empty() && opaque.is_none() {
            return Ok(());
        }
        if self.is_signed {
            self.close(context.events);
        }
        let is_text_open = matches!(self.open, Some(Open::Text(_)));
        // A signature with nothing belongs to the text before it, or to thoughts that are not shown.
        let index = if is_thought || (text.is_empty() && !is_text_open) {
            self.thoughts(is_thought, context)
        } else {
            self.text(context)
        };
        if !text.is_empty() {
            if !is_thought && self.text.len() < CITED_BYTES_MAX {
                self.text.push_str(&text);
            }
            context.events.push(Event::Delta { index, delta: Delta::Text(text) });
        }
        if let Some(opaque) = opaque {
            context.events.push(Event::Delta { index, delta: Delta::Opaque(opaque) });
            self.is_signed = true;
        }
        Ok(())
    }

    /// The number of the text that is open; opens one.
    fn text(&mut self, context: &mut Context<'_>) -> u32 {
        if let Some(Open::Text(index)) = self.open {
            return index;
        }
        self.close(context.events);
        let index = context.begin(self.index, Block::Text);
        self.open = Some(Open::Text(index));
        index
    }

    fn thoughts(&mut self, is_summary: bool, context: &mut Context<'_>) -> u32 {
        if let Some(Open::Thoughts(index, is_open_summary)) = self.open
            && is_open_summary == is_summary
        {
            return index;
        }
        self.close(context.events);
        let index = context.begin(self.index, Block::Reasoning { id: None, is_summary });
        self.open = Some(Open::Thoughts(index, is_summary));
        index
    }

    fn close(&mut self, events: &mut Vec<Event>) {
        if let Some(Open::Text(index) | Open::Thoughts(index, _)) = self.open.take() {
            events.push(Event::BlockStop { index });
        }
        self.is_signed = false;
        self.text.clear();
        self.cited.clear();
    }

    /// Tells where the text that is open was taken from. Google's own words stay in the object.
    fn cite(&mut self, object: &Object<'_>, context: &mut Context<'_>) {
        let Some(Open::Text(index)) = self.open else { return };
        for citation in grounding::citations(object, &self.text) {
            let cited = grounding::Cited::of(&citation);
            if !self.cited.contains(&cited) {
                self.cited.push(cited);
                context.events.push(Event::Delta { index, delta: Delta::Citation(citation) });
            }
        }
    }
}

impl Context<'_> {
    fn begin(&mut self, candidate: u32, block: Block) -> u32 {
        let index = *self.blocks;
        *self.blocks += 1;
        self.events.push(Event::BlockStart { index, candidate, block });
        index
    }

    /// An id for a call without one, which no other answer's calls have: some providers repeat the id of their answer.
    fn new_id(&mut self) -> String {
        *self.calls += 1;
        match self.origin.request_id {
            Some(request_id) => format!("call_{request_id}_{}", self.calls),
            None => format!("call_{}", self.calls),
        }
    }
}

/// A block that came whole.
fn whole(candidate: u32, block: Block, deltas: impl IntoIterator<Item = Delta>, context: &mut Context<'_>) {
    let index = context.begin(candidate, block);
    context.events.extend(deltas.into_iter().map(|delta| Event::Delta { index, delta }));
    context.events.push(Event::BlockStop { index });
}

fn signature(part: &mut Object<'_>, origin: &Origin) -> Option<Opaque> {
    let data: String = part.get("thoughtSignature")?;
    Some(Opaque { family: FAMILY, provider: origin.provider.to_string(), kind: OpaqueKind::Signature, data })
}
