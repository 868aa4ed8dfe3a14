//! Hears an answer as it goes to its client, within bounds, and tells what became of it when it has ended.

use std::sync::Arc;

use gw_core::shadow::Side;
use gw_core::{Cost, RequestRecord};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Room;
use crate::budget::Taken;

/// A longer answer is not read.
const BYTES_MAX: usize = 1 << 20;
/// Pieces whose time is remembered: the first content is looked for among them.
const MARKS_MAX: usize = 256;

/// What became of an answer, once it has ended.
pub(super) type Heard = Option<Arc<Ended>>;

/// What became of an answer.
pub(super) struct Ended {
    /// What is known of it without reading.
    pub(super) side: Side,
    /// When its first attempt began.
    pub(super) began: Instant,
    /// All of it; `None` if it is too long, or there was no room.
    pub(super) tape: Option<Tape>,
}

/// An answer as it went to its client.
pub(super) struct Tape {
    pub(super) bytes: Vec<u8>,
    /// Where pieces end, and when they came.
    pub(super) marks: Vec<(usize, Instant)>,
    held: Taken,
}

/// Hears an answer.
pub(crate) struct Recorder {
    told: watch::Sender<Heard>,
    tape: Option<Tape>,
}

impl Recorder {
    /// A recorder, and where is told what it has heard.
    pub(super) fn new(room: &Room) -> (Box<Self>, watch::Receiver<Heard>) {
        let (told, heard) = watch::channel(None);
        let tape = Tape { bytes: Vec::new(), marks: Vec::new(), held: room.bytes().nothing() };
        (Box::new(Self { told, tape: Some(tape) }), heard)
    }

    /// A piece of the answer.
    pub(crate) fn hear(&mut self, piece: &[u8]) {
        let Some(tape) = &mut self.tape else { return };
        if self.told.is_closed() || !tape.add(piece) {
            self.tape = None;
        }
    }

    /// The answer has ended: what is remembered of it, and when its first attempt began.
    pub(crate) fn end(self, record: &RequestRecord, began: Instant) {
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let usage = record.usage.as_ref();
        let side = Side {
            provider: record.provider.clone(),
            model: record.model_used.clone(),
            status: record.status,
            outcome: record.outcome,
            error: record.error,
            finish: None,
            first_content_us: None,
            total_us: micros,
            input_tokens: usage.map(|usage| usage.input_tokens),
            output_tokens: usage.map(|usage| usage.output_tokens),
            cost: record.cost.as_ref().and_then(Cost::total),
            is_json: None,
        };
        self.told.send_replace(Some(Arc::new(Ended { side, began, tape: self.tape })));
    }
}

impl Tape {
    /// Whether there was room for it.
    fn add(&mut self, piece: &[u8]) -> bool {
        if self.bytes.len() + piece.len() > BYTES_MAX || self.held.grow(piece.len()).is_err() {
            return false;
        }
        self.bytes.extend_from_slice(piece);
        if self.marks.len() < MARKS_MAX {
            self.marks.push((self.bytes.len(), Instant::now()));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use gw_config::config::ShadowLimits;
    use gw_core::{Operation, RequestId};

    use super::*;

    fn room(held_bytes: usize) -> Room {
        let room = Room::default();
        // The bounds are told by who enters.
        let _ = room.enter(&ShadowLimits { held_bytes, ..ShadowLimits::default() }, 0);
        room
    }

    fn kept(mut recorder: Recorder, heard: &watch::Receiver<Heard>, pieces: &[&[u8]]) -> Option<Vec<u8>> {
        pieces.iter().for_each(|piece| recorder.hear(piece));
        let id = RequestId::from_u128(1);
        let record = RequestRecord::begin(id, Operation::Chat, "openai_chat", SystemTime::UNIX_EPOCH);
        recorder.end(&record, Instant::now());
        let ended = heard.borrow().clone().unwrap();
        ended.tape.as_ref().map(|tape| tape.bytes.clone())
    }

    #[tokio::test]
    async fn an_answer_is_kept_whole_or_not_at_all_and_its_room_is_given_back() {
        let room = room(BYTES_MAX + 1);
        let (recorder, heard) = Recorder::new(&room);
        assert_eq!(kept(*recorder, &heard, &[b"one ", b"two"]).as_deref(), Some(b"one two".as_slice()));
        assert_eq!(room.bytes().taken(), 7);
        drop(heard);
        assert_eq!(room.bytes().taken(), 0);
        let (recorder, heard) = Recorder::new(&room);
        assert_eq!(kept(*recorder, &heard, &[b"one ", &vec![b'x'; BYTES_MAX], b"two"]), None);
        assert_eq!(room.bytes().taken(), 0);
    }

    #[tokio::test]
    async fn an_answer_for_which_there_is_no_room_is_not_kept() {
        let (recorder, heard) = Recorder::new(&room(5));
        assert_eq!(kept(*recorder, &heard, &[b"one ", b"two"]), None);
    }

    #[tokio::test]
    async fn nothing_is_kept_that_nobody_waits_for() {
        let room = room(100);
        let (mut recorder, heard) = Recorder::new(&room);
        recorder.hear(b"one");
        drop(heard);
        recorder.hear(b"two");
        assert_eq!(room.bytes().taken(), 0);
    }
}
