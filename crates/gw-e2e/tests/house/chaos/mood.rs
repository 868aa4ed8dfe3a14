//! What providers do to their calls, and the order in which they take to it.

use std::time::Duration;

/// What a provider does with the calls that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Mood {
    /// It answers.
    Well,
    /// It answers, in small pieces with long pauses.
    Slow,
    /// It does not listen: connections are refused, and those that were open are gone.
    Dead,
    /// It takes the request and says nothing.
    Silent,
    /// It begins an answer, and falls silent before a word of content.
    SilentEarly,
    /// It falls silent in the middle of an answer.
    SilentMidway,
    /// 429 with `Retry-After`.
    Limited,
    /// 500 in its own format.
    Failing,
    /// 503 with a page of HTML.
    Unavailable,
    /// What it sends is no HTTP.
    NoHttp,
    /// 200, and a body that is neither JSON nor events.
    NoAnswer,
    /// Content, and then what is no event.
    NoEvent,
    /// The connection ends before a word of content.
    CutEarly,
    /// The connection ends in the middle of an answer.
    CutMidway,
    /// The connection is reset in the middle of an answer.
    ResetMidway,
    /// It ends its side of the connection in the middle of an answer, and keeps the other open.
    HalfClosed,
    /// It was answering when it was killed. No mood, but what became of a call.
    Killed,
}

impl Mood {
    /// Everything that a provider can take to and that goes wrong, or nearly.
    pub(super) const FAULTS: [Self; 15] = [
        Self::Slow,
        Self::Dead,
        Self::Silent,
        Self::SilentEarly,
        Self::SilentMidway,
        Self::Limited,
        Self::Failing,
        Self::Unavailable,
        Self::NoHttp,
        Self::NoAnswer,
        Self::NoEvent,
        Self::CutEarly,
        Self::CutMidway,
        Self::ResetMidway,
        Self::HalfClosed,
    ];

    /// Whether a client may hear the beginning of an answer and no more.
    pub(super) fn breaks_off(self) -> bool {
        match self {
            Self::SilentMidway
            | Self::NoEvent
            | Self::CutMidway
            | Self::ResetMidway
            | Self::HalfClosed
            | Self::Killed => true,
            Self::Well
            | Self::Slow
            | Self::Dead
            | Self::Silent
            | Self::SilentEarly
            | Self::Limited
            | Self::Failing
            | Self::Unavailable
            | Self::NoHttp
            | Self::NoAnswer
            | Self::CutEarly => false,
        }
    }
}

/// Chance that can be repeated: the numbers of splitmix64.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    /// A time between these, in milliseconds.
    pub(super) fn between_ms(&mut self, least: usize, most: usize) -> Duration {
        Duration::from_millis((least + self.below(most - least)) as u64)
    }

    /// Every fault once, in some order.
    pub(super) fn deck(&mut self) -> Vec<Mood> {
        let mut deck = Mood::FAULTS.to_vec();
        for last in (1..deck.len()).rev() {
            deck.swap(last, self.below(last + 1));
        }
        deck
    }
}
