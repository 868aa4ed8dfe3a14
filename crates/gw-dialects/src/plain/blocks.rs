//! An answer that comes block by block: opens what begins, closes what ended, and numbers both.

use gw_core::chat::{Block, Delta, Event, Finish, Native};

/// What is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text.
    Text,
    /// Thoughts.
    Reasoning,
    /// A call of a tool.
    Call,
}

/// Writes the events of the one answer of a stream.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    started: bool,
    finished: bool,
    called: bool,
    /// The number of the next block.
    next: u32,
    /// The number of the open block, what it is, and the provider's own number of it.
    open: Option<(u32, Kind, u64)>,
}

impl Blocks {
    /// Begins the answer, unless it has begun.
    pub(crate) fn start(&mut self, id: &str, model: &str, events: &mut Vec<Event>) {
        if !self.started {
            self.started = true;
            events.push(Event::Start { id: id.to_owned(), model: model.to_owned(), created_s: None });
        }
    }

    /// Whether a tool was called.
    pub(crate) fn called(&self) -> bool {
        self.called
    }

    /// Whether the answer is whole.
    pub(crate) fn finished(&self) -> bool {
        self.finished
    }

    /// Whether a block of that kind is open, and the provider's number of it.
    pub(crate) fn open(&self, kind: Kind) -> Option<u64> {
        self.open.and_then(|(_, open, place)| (open == kind).then_some(place))
    }

    /// More of a text or of thoughts; `place` is the provider's own number of the block. Nothing opens no block.
    pub(crate) fn say(&mut self, kind: Kind, place: u64, text: &str, events: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        if self.open(kind) != Some(place) {
            let block = match kind {
                Kind::Reasoning => Block::Reasoning { id: None, is_summary: false },
                Kind::Text | Kind::Call => Block::Text,
            };
            self.begin(kind, place, block, events);
        }
        self.delta(Delta::Text(text.to_owned()), events);
    }

    /// A call begins.
    pub(crate) fn call(&mut self, place: u64, id: String, name: String, events: &mut Vec<Event>) {
        self.called = true;
        self.begin(Kind::Call, place, Block::ToolCall { id, name, is_custom: false }, events);
    }

    /// More of the open block.
    pub(crate) fn delta(&mut self, delta: Delta, events: &mut Vec<Event>) {
        if let Some((index, ..)) = self.open {
            events.push(Event::Delta { index, delta });
        }
    }

    /// Something of the family's own, whole.
    pub(crate) fn native(&mut self, native: Native, events: &mut Vec<Event>) {
        self.whole(Block::Native(native), None, events);
    }

    /// A block that comes whole.
    pub(crate) fn whole(&mut self, block: Block, delta: Option<Delta>, events: &mut Vec<Event>) {
        self.begin(Kind::Call, u64::MAX, block, events);
        if let Some(delta) = delta {
            self.delta(delta, events);
        }
        self.close(events);
    }

    /// Ends the open block, if there is one.
    pub(crate) fn close(&mut self, events: &mut Vec<Event>) {
        if let Some((index, ..)) = self.open.take() {
            events.push(Event::BlockStop { index });
        }
    }

    /// Ends the answer.
    pub(crate) fn finish(&mut self, finish: Finish, events: &mut Vec<Event>) {
        self.close(events);
        self.finished = true;
        events.push(Event::Finish { candidate: 0, finish });
    }

    fn begin(&mut self, kind: Kind, place: u64, block: Block, events: &mut Vec<Event>) {
        self.close(events);
        let index = self.next;
        self.next = self.next.saturating_add(1);
        self.open = Some((index, kind, place));
        events.push(Event::BlockStart { index, candidate: 0, block });
    }
}
