//! What is measured: the phases of a round, and on whom.

use crate::exchange::{Exchange, Shape, Stream};
use crate::load::plan::Drive;

/// One phase of a round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phase {
    /// Its name on the command line and in the results.
    pub(super) name: &'static str,
    /// What is done.
    pub(super) work: Work,
    /// Who takes part.
    pub(super) field: Field,
}

/// What is done in a phase.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    /// Load on a running program.
    Load(Load),
    /// A fresh program's memory: at rest, with open streams, after a burst.
    Memory,
    /// The time from the start of a fresh program to its first answer.
    Start,
}

/// Load on a running program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// When requests are sent.
    pub(super) drive: Drive,
    /// What each asks for.
    pub(super) exchange: Exchange,
    /// The window, as a multiple of the usual.
    pub(super) stretch: f64,
}

/// Who takes part in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Everybody, over whatever they speak.
    All,
    /// Only clear-text HTTP/1.1, translated or not.
    Http1,
    /// Only clear-text HTTP/1.1 and what goes through as it is.
    Plain,
}

const SMALL_BYTES: usize = 1 << 10;
const LARGE_BYTES: usize = 64 << 10;
const HUGE_BYTES: usize = 1 << 20;

const CHAT: Exchange = Exchange::openai(Shape::Chat, SMALL_BYTES);
const LONG_PROMPT: Exchange = Exchange::openai(Shape::Chat, LARGE_BYTES);
const HUGE_PROMPT: Exchange = Exchange::openai(Shape::Chat, HUGE_BYTES);
const EMBEDDINGS: Exchange = Exchange::openai(Shape::Embeddings, 256);

/// The burst after which memory must come back: many connections, then long prompts.
pub(super) const BURST: [Load; 2] = [closed(256, CHAT), closed(64, LONG_PROMPT)];
/// Streams that are opened and stay open while memory is read.
pub(super) const HELD: Exchange = stream(2, 60_000, false);
/// All phases, in their order.
pub(super) const PHASES: &[Phase] = &[
    phase("c1", Field::Plain, closed(1, CHAT)),
    phase("c16", Field::Plain, closed(16, CHAT)),
    phase("c64", Field::All, closed(64, CHAT)),
    phase("c256", Field::Plain, closed(256, CHAT)),
    phase("long-prompt", Field::Http1, closed(16, LONG_PROMPT)),
    phase("huge-prompt", Field::Plain, closed(4, HUGE_PROMPT)),
    phase("embeddings", Field::Plain, closed(64, EMBEDDINGS)),
    phase("streams", Field::All, closed(128, stream(50, 10, false))),
    phase("dense-streams", Field::Http1, closed(128, stream(50, 0, true))),
    phase("latency", Field::All, open(200.0, CHAT)),
    phase("first-token", Field::Http1, open(50.0, stream(10, 5, false))),
    Phase { name: "start", work: Work::Start, field: Field::Plain },
    Phase { name: "memory", work: Work::Memory, field: Field::Plain },
];

/// The phases of a quick look.
pub(super) const QUICK: &[&str] = &["c64", "long-prompt", "streams", "latency"];

const fn phase(name: &'static str, field: Field, load: Load) -> Phase {
    Phase { name, work: Work::Load(load), field }
}

const fn closed(at_once: usize, exchange: Exchange) -> Load {
    Load { drive: Drive::Closed { at_once }, exchange, stretch: 1.0 }
}

/// Low rates need longer windows for as many samples.
const fn open(per_second: f64, exchange: Exchange) -> Load {
    Load { drive: Drive::Open { per_second }, exchange, stretch: 1.6 }
}

const fn stream(chunks: u32, pause_ms: u32, usage: bool) -> Exchange {
    Exchange::openai(Shape::Stream(Stream { chunks, pause_ms, usage }), SMALL_BYTES)
}
