//! Reads the events of one item of a stream. Whatever an event leaves out, the item's last one has.

use gw_core::chat::{Block, Delta, Event, MediaSource, Native, Part};
use serde_json::Value;

use super::super::read::{list, text};
use super::super::{FAMILY, PARAGRAPH, answer, request};
use crate::chat::Origin;

/// Numbers blocks and keeps what the end of the answer wants to know.
#[derive(Debug, Default)]
pub(super) struct Sink {
    next: u32,
    pub(super) calls: bool,
    pub(super) refuses: bool,
}

impl Sink {
    pub(super) fn blocks(&self) -> u32 {
        self.next
    }

    fn start(&mut self, block: Block, out: &mut Vec<Event>) -> u32 {
        self.calls |= matches!(block, Block::ToolCall { .. });
        self.refuses |= block == Block::Refusal;
        let index = self.next;
        self.next = self.next.saturating_add(1);
        out.push(Event::BlockStart { index, candidate: 0, block });
        index
    }
}

/// What a block holds. Those of thoughts may follow one another in one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Refusal,
    Summary,
    Thought,
    Call,
}

/// A block that is open.
#[derive(Debug)]
struct Open {
    index: u32,
    kind: Kind,
    /// Which of the item's parts of its kind is told.
    part: u64,
    /// How many bytes of the part, and how many citations, were told.
    sent: usize,
    citations: usize,
    has_logprobs: bool,
}

/// An item of the output while it comes.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// As it began.
    start: Value,
    open: Option<Open>,
    said_summary: bool,
    said_thought: bool,
    /// Parts of a message with a smaller number are told.
    next_part: u64,
}

impl Item {
    /// Takes an event of the item. Whether it was its last.
    pub(super) fn take(&mut self, event: &Value, origin: &Origin, sink: &mut Sink, out: &mut Vec<Event>) -> bool {
        let part = |name: &str| event.get(name).and_then(Value::as_u64).unwrap_or_default();
        let mut told = Told { origin, sink, out };
        match text(event, "type") {
            "response.output_item.added" => {
                self.start = event.get("item").cloned().unwrap_or_default();
                self.begin_call(&mut told);
            }
            "response.output_text.delta" => {
                self.logprobs(event, part("content_index"), &mut told);
                self.more(Kind::Text, part("content_index"), text(event, "delta"), &mut told);
            }
            "response.output_text.done" => self.rest(Kind::Text, part("content_index"), text(event, "text"), &mut told),
            "response.output_text.annotation.added" => {
                if let Some(annotation) = event.get("annotation") {
                    self.cite(part("content_index"), annotation, &mut told);
                }
            }
            "response.refusal.delta" => {
                self.more(Kind::Refusal, part("content_index"), text(event, "delta"), &mut told);
            }
            "response.refusal.done" => {
                self.rest(Kind::Refusal, part("content_index"), text(event, "refusal"), &mut told);
            }
            "response.content_part.done" => {
                if let Some(content) = event.get("part") {
                    self.content(part("content_index"), content, &mut told);
                }
            }
            "response.reasoning_summary_text.delta" => {
                self.more(Kind::Summary, part("summary_index"), text(event, "delta"), &mut told);
            }
            "response.reasoning_summary_text.done" => {
                self.rest(Kind::Summary, part("summary_index"), text(event, "text"), &mut told);
            }
            "response.reasoning_text.delta" => {
                self.more(Kind::Thought, part("content_index"), text(event, "delta"), &mut told);
            }
            "response.reasoning_text.done" => {
                self.rest(Kind::Thought, part("content_index"), text(event, "text"), &mut told);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.more(Kind::Call, 0, text(event, "delta"), &mut told);
            }
            "response.function_call_arguments.done" => self.rest(Kind::Call, 0, text(event, "arguments"), &mut told),
            "response.custom_tool_call_input.done" => self.rest(Kind::Call, 0, text(event, "input"), &mut told),
            "response.output_item.done" => {
                self.whole(event.get("item").unwrap_or(&Value::Null), &mut told);
                return true;
            }
            _ => {}
        }
        false
    }

    /// The item ends where it stands, since its last event never came.
    pub(super) fn close(&mut self, out: &mut Vec<Event>) {
        if let Some(open) = self.open.take() {
            out.push(Event::BlockStop { index: open.index });
        }
    }

    /// A call's block begins with its item, since its name is known.
    fn begin_call(&mut self, told: &mut Told<'_>) {
        let is_custom = match text(&self.start, "type") {
            "function_call" => false,
            "custom_tool_call" => true,
            _ => return,
        };
        if self.open.is_none() {
            let (id, name) = (answer::call_id(&self.start), answer::call_name(&self.start, told.origin));
            self.begin(Kind::Call, 0, Block::ToolCall { id, name, is_custom }, told);
        }
    }

    fn begin(&mut self, kind: Kind, part: u64, block: Block, told: &mut Told<'_>) {
        self.close(told.out);
        let index = told.sink.start(block, told.out);
        self.open = Some(Open { index, kind, part, sent: 0, citations: 0, has_logprobs: false });
        if kind == Kind::Text
            && let Some(phase) = answer::phase(&self.start, told.origin)
        {
            told.out.push(Event::Delta { index, delta: Delta::Opaque(phase) });
        }
    }

    /// The block that a part's words belong to; `None` if the part was told already.
    fn block(&mut self, kind: Kind, part: u64, told: &mut Told<'_>) -> Option<&mut Open> {
        let is_message = matches!(kind, Kind::Text | Kind::Refusal);
        match &mut self.open {
            Some(open) if open.kind == kind && open.part == part => {}
            Some(open) if open.kind == kind && (open.part > part || kind == Kind::Call) => return None,
            // Parts of thoughts are paragraphs of one block.
            Some(open) if open.kind == kind && !is_message => {
                open.part = part;
                open.sent = 0;
                told.out.push(Event::Delta { index: open.index, delta: Delta::Text(PARAGRAPH.to_owned()) });
            }
            _ if is_message && part < self.next_part => return None,
            _ => {
                let id = Some(text(&self.start, "id")).filter(|id| !id.is_empty()).map(str::to_owned);
                let block = match kind {
                    Kind::Text => Block::Text,
                    Kind::Refusal => Block::Refusal,
                    Kind::Summary => Block::Reasoning { id, is_summary: true },
                    Kind::Thought => Block::Reasoning { id, is_summary: false },
                    // A call that never began has no name.
                    Kind::Call => return None,
                };
                self.said_summary |= kind == Kind::Summary;
                self.said_thought |= kind == Kind::Thought;
                if is_message {
                    self.next_part = part;
                }
                self.begin(kind, part, block, told);
            }
        }
        self.open.as_mut()
    }

    fn more(&mut self, kind: Kind, part: u64, delta: &str, told: &mut Told<'_>) {
        if delta.is_empty() {
            return;
        }
        if let Some(open) = self.block(kind, part, told) {
            open.sent += delta.len();
            let index = open.index;
            told.out.push(Event::Delta { index, delta: Delta::Text(delta.to_owned()) });
        }
    }

    /// Tells what of a whole part was not told in pieces.
    fn rest(&mut self, kind: Kind, part: u64, whole: &str, told: &mut Told<'_>) {
        let sent = match &self.open {
            Some(open) if open.kind == kind && open.part == part => open.sent,
            _ => 0,
        };
        let rest = whole.get(sent..).unwrap_or_default();
        self.more(kind, part, rest, told);
    }

    fn logprobs(&mut self, event: &Value, part: u64, told: &mut Told<'_>) {
        let tokens = list(event, "logprobs");
        if tokens.is_empty() {
            return;
        }
        if let Some(open) = self.block(Kind::Text, part, told) {
            open.has_logprobs = true;
            let (index, delta) = (open.index, Delta::Logprobs(Value::from(tokens)));
            told.out.push(Event::Delta { index, delta });
        }
    }

    fn cite(&mut self, part: u64, annotation: &Value, told: &mut Told<'_>) {
        if let Some(open) = self.block(Kind::Text, part, told) {
            open.citations += 1;
            let (index, delta) = (open.index, Delta::Citation(request::citation(annotation)));
            told.out.push(Event::Delta { index, delta });
        }
    }

    /// A part of a message, whole.
    fn content(&mut self, part: u64, content: &Value, told: &mut Told<'_>) {
        match text(content, "type") {
            "refusal" => self.rest(Kind::Refusal, part, text(content, "refusal"), told),
            "output_text" | "text" => {
                if part < self.next_part {
                    return;
                }
                let open = |item: &Self| {
                    let open = item.open.as_ref().filter(|open| open.kind == Kind::Text && open.part == part);
                    open.map(|open| (open.citations, open.has_logprobs)).unwrap_or_default()
                };
                if !open(self).1 {
                    self.logprobs(content, part, told);
                }
                self.rest(Kind::Text, part, text(content, "text"), told);
                for annotation in list(content, "annotations").iter().skip(open(self).0) {
                    self.cite(part, annotation, told);
                }
            }
            _ => return,
        }
        if self.open.as_ref().is_some_and(|open| matches!(open.kind, Kind::Text | Kind::Refusal) && open.part == part) {
            self.close(told.out);
            self.next_part = part.saturating_add(1);
        }
    }

    /// The item is whole: tells what was not told in pieces.
    fn whole(&mut self, item: &Value, told: &mut Told<'_>) {
        if self.start.is_null() {
            self.start = item.clone();
        }
        match text(item, "type") {
            "message" => {
                for (part, content) in (0..).zip(list(item, "content")) {
                    self.content(part, content, told);
                }
            }
            "reasoning" => self.thoughts(item, told),
            "function_call" => {
                self.begin_call(told);
                self.rest(Kind::Call, 0, text(item, "arguments"), told);
            }
            "custom_tool_call" => {
                self.begin_call(told);
                self.rest(Kind::Call, 0, text(item, "input"), told);
            }
            // Nothing is known of the item.
            "" => {}
            kind => self.other(kind, item, told),
        }
        self.close(told.out);
    }

    fn thoughts(&mut self, item: &Value, told: &mut Told<'_>) {
        let (summaries, contents) = (list(item, "summary"), list(item, "content"));
        if !self.said_summary {
            (0..)
                .zip(summaries)
                .for_each(|(part, summary)| self.rest(Kind::Summary, part, text(summary, "text"), told));
        }
        if !self.said_thought {
            (0..).zip(contents).for_each(|(part, content)| self.rest(Kind::Thought, part, text(content, "text"), told));
        }
        if self.open.is_none() {
            let id = Some(text(item, "id")).filter(|id| !id.is_empty()).map(str::to_owned);
            self.begin(Kind::Summary, 0, Block::Reasoning { id, is_summary: true }, told);
        }
        if let (Some(open), Some(opaque)) = (&self.open, answer::encrypted(item, told.origin)) {
            told.out.push(Event::Delta { index: open.index, delta: Delta::Opaque(opaque) });
        }
    }

    /// An item of another kind, which is told at once.
    fn other(&mut self, kind: &str, item: &Value, told: &mut Told<'_>) {
        // Of an item that began as another there may be a block.
        self.close(told.out);
        let block = match answer::parts(item, told.origin, &mut Vec::new()).pop() {
            Some(Part::Media(media)) => {
                let MediaSource::Inline { media_type, data } = media.source else { return };
                let index = told.sink.start(Block::Media { kind: media.kind, media_type }, told.out);
                told.out.push(Event::Delta { index, delta: Delta::Text(data) });
                told.out.push(Event::BlockStop { index });
                return;
            }
            _ => Block::Native(Native { family: FAMILY, kind: kind.to_owned(), value: item.clone() }),
        };
        let index = told.sink.start(block, told.out);
        told.out.push(Event::BlockStop { index });
    }
}

/// Where events go, and where they come from.
struct Told<'a> {
    origin: &'a Origin,
    sink: &'a mut Sink,
    out: &'a mut Vec<Event>,
}
