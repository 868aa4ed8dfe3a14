//! Blocks of one answer in the order in which they began, of which one is open at a time. The first is written as it
//! comes; what comes for those behind it waits until it is whole.

use std::collections::VecDeque;

use gw_core::chat::{Block, Delta, Event};

use super::lane::Output;

/// A block that is not closed.
#[derive(Debug)]
pub(super) struct Item {
    /// What it is; of a call, `None` until its name is known.
    pub(super) block: Option<Block>,
    /// Which call, if it is one.
    pub(super) call: Option<usize>,
    /// Nothing may be added any more: its state has come.
    pub(super) is_sealed: bool,
    progress: Progress,
    waiting: Vec<Delta>,
}

/// Blocks of one answer.
#[derive(Debug, Default)]
pub(super) struct Queue {
    candidate: u32,
    items: VecDeque<Item>,
    /// The number of the first, if it is open.
    open: Option<u32>,
    /// Bytes that wait.
    held: usize,
}

impl Item {
    /// Something that is not a call.
    pub(super) fn new(block: Block) -> Self {
        Self { block: Some(block), call: None, is_sealed: false, progress: Progress::default(), waiting: Vec::new() }
    }

    /// A call whose name may not be known.
    pub(super) fn call(call: usize) -> Self {
        Self { block: None, call: Some(call), is_sealed: false, progress: Progress::default(), waiting: Vec::new() }
    }

    /// Whether another block may begin: a text can go on in a new one, a call is over when its arguments are.
    fn may_close(&self) -> bool {
        self.call.is_none() || self.progress.is_complete()
    }
}

impl Queue {
    /// Of that answer.
    pub(super) fn new(candidate: u32) -> Self {
        Self { candidate, ..Self::default() }
    }

    /// Bytes that wait for their turn.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// The last block.
    pub(super) fn last(&mut self) -> Option<&mut Item> {
        self.items.back_mut()
    }

    /// The block of that call, if it is not over.
    pub(super) fn place_of_call(&self, call: usize) -> Option<usize> {
        self.items.iter().position(|item| item.call == Some(call))
    }

    /// The last place whose block is so.
    pub(super) fn place_of(&self, is: impl Fn(&Block) -> bool) -> Option<usize> {
        self.items.iter().rposition(|item| item.block.as_ref().is_some_and(&is) && !item.is_sealed)
    }

    /// A call's block is known now.
    pub(super) fn name(&mut self, place: usize, block: Block, output: &mut Output<'_>) {
        if let Some(item) = self.items.get_mut(place) {
            item.block.get_or_insert(block);
        }
        self.advance(output);
    }

    /// Whether what is there is known by its name.
    pub(super) fn is_named(&self, place: usize) -> bool {
        self.items.get(place).is_some_and(|item| item.block.is_some())
    }

    /// Adds a block and says its place.
    pub(super) fn push(&mut self, item: Item, output: &mut Output<'_>) -> usize {
        // A block that waits takes some room even if it is empty.
        self.held += size_of::<Item>();
        self.items.push_back(item);
        self.advance(output);
        self.items.len().saturating_sub(1)
    }

    /// Adds to a block.
    pub(super) fn add(&mut self, place: usize, delta: Delta, output: &mut Output<'_>) {
        let Some(item) = self.items.get_mut(place) else { return };
        if let (Delta::Text(text), Some(_)) = (&delta, item.call) {
            item.progress.take(text);
        }
        match self.open {
            Some(index) if place == 0 => output.events.push(Event::Delta { index, delta }),
            _ => {
                self.held += weight(&delta);
                match (item.waiting.last_mut(), delta) {
                    (Some(Delta::Text(text)), Delta::Text(more)) => text.push_str(&more),
                    (_, delta) => item.waiting.push(delta),
                }
            }
        }
        self.advance(output);
    }

    /// Closes all, in order. What has no name by now gets what `unnamed` makes of it.
    pub(super) fn close(&mut self, unnamed: impl Fn(usize) -> Block, output: &mut Output<'_>) {
        while !self.items.is_empty() {
            if let Some(item) = self.items.front_mut()
                && item.block.is_none()
            {
                item.block = item.call.map(&unnamed);
            }
            self.open_first(output);
            self.close_first(output);
        }
    }

    fn advance(&mut self, output: &mut Output<'_>) {
        loop {
            self.open_first(output);
            let may_close = self.open.is_some() && self.items.front().is_some_and(Item::may_close);
            if !may_close || self.items.len() < 2 {
                return;
            }
            self.close_first(output);
        }
    }

    fn open_first(&mut self, output: &mut Output<'_>) {
        let Some(item) = self.items.front_mut().filter(|_| self.open.is_none()) else { return };
        let Some(block) = item.block.clone() else { return };
        let index = *output.next;
        *output.next += 1;
        self.open = Some(index);
        output.events.push(Event::BlockStart { index, candidate: self.candidate, block });
        self.held = self.held.saturating_sub(size_of::<Item>());
        for delta in std::mem::take(&mut item.waiting) {
            self.held = self.held.saturating_sub(weight(&delta));
            output.events.push(Event::Delta { index, delta });
        }
    }

    fn close_first(&mut self, output: &mut Output<'_>) {
        self.items.pop_front();
        if let Some(index) = self.open.take() {
            output.events.push(Event::BlockStop { index });
        }
    }
}

/// How many bytes a delta holds, about.
fn weight(delta: &Delta) -> usize {
    match delta {
        Delta::Text(text) => text.len(),
        Delta::Opaque(opaque) => opaque.data.len(),
        Delta::Citation(_) | Delta::Logprobs(_) => size_of::<Delta>(),
    }
}

/// How far a JSON object has come.
#[derive(Debug, Default)]
struct Progress {
    depth: u32,
    in_string: bool,
    is_escaped: bool,
    has_begun: bool,
}

impl Progress {
    fn take(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.in_string => self.is_escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => {
                    self.depth += 1;
                    self.has_begun = true;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.has_begun && self.depth == 0 && !self.in_string
    }
}
