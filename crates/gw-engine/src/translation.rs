//! A stream on its way from one dialect to another, or read along with in its own.

use bytes::{Bytes, BytesMut};
use gw_core::chat::{Block, Delta, Event};
use gw_core::{Error, ErrorCode, ServiceTier, Usage};
use gw_dialects::chat::{DecodeEvents, EncodeEvents};
use gw_dialects::envelope::Unframe;
use gw_dialects::gemini::ArrayFraming;
use gw_dialects::shared::custom::RestoreCustom;
use gw_dialects::sse::{self, Framer};

use crate::begun::Begun;
use crate::conversations::{Keeper, Remember};
use crate::judging::Judge;

/// A longer answer is not kept to be continued.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// A stream that is read in the provider's dialect.
pub struct Translation {
    /// Where the provider frames its stream otherwise than the dialect does: takes the frames off.
    frames: Option<Box<dyn Unframe>>,
    decoder: Box<dyn DecodeEvents>,
    encoder: Box<dyn EncodeEvents>,
    /// Where custom tools were sent as functions: gives their calls back as such.
    custom: Option<RestoreCustom>,
    /// Where the client speaks the provider's dialect: cuts the stream into whole events, which go on as they came.
    verbatim: Option<Framer>,
    /// Where the client reads a list in JSON and no events.
    array: Option<ArrayFraming>,
    events: Vec<Event>,
    usage: Option<Usage>,
    tier: Option<ServiceTier>,
    /// Where the answer can be continued by its id.
    keeper: Option<Keeper>,
    /// Where the provider keeps the answer: by its id.
    remember: Option<Remember>,
    /// Where somebody else may go on with the answer: the text of it so far.
    begun: Option<Box<Begun>>,
    /// Where it is of interest whether calls of tools can be followed.
    judge: Option<Judge>,
    /// Bytes of the provider's stream so far.
    bytes: usize,
    /// Whether a part of an answer has come, or its end.
    has_begun: bool,
    /// Whether the provider has said why the answer ended.
    told_end: bool,
}

/// What the client is sent.
pub(crate) struct Said {
    /// The bytes.
    pub(crate) bytes: Bytes,
    /// Whether that was all, and how it ended.
    pub(crate) end: Option<Result<(), Error>>,
}

impl Translation {
    /// Says everything in other words.
    pub(crate) fn new(
        decoder: Box<dyn DecodeEvents>,
        encoder: Box<dyn EncodeEvents>,
        custom: Option<RestoreCustom>,
        keeper: Option<Keeper>,
    ) -> Self {
        Self {
            frames: None,
            decoder,
            encoder,
            custom,
            keeper,
            verbatim: None,
            array: None,
            events: Vec::new(),
            usage: None,
            tier: None,
            remember: None,
            begun: None,
            judge: None,
            bytes: 0,
            has_begun: false,
            told_end: false,
        }
    }

    /// Reads along; the encoder is for errors alone.
    pub(crate) fn watching(decoder: Box<dyn DecodeEvents>, encoder: Box<dyn EncodeEvents>) -> Self {
        Self { verbatim: Some(Framer::default()), ..Self::new(decoder, encoder, None, None) }
    }

    /// Gives the client a list in JSON, if it reads no events.
    pub(crate) fn with_array(mut self, is_wanted: bool) -> Self {
        self.array = is_wanted.then(ArrayFraming::default);
        self
    }

    /// Remembers who keeps the answer.
    pub(crate) fn with_remember(mut self, remember: Option<Remember>) -> Self {
        self.remember = remember;
        self
    }

    /// Judges the calls of tools, if that is of interest.
    pub(crate) fn judging(mut self, is_wanted: bool) -> Self {
        self.judge = is_wanted.then(Judge::default);
        self
    }

    /// Whether all calls of tools so far can be followed; `None` if there was none, or nobody wants to know.
    pub(crate) fn verdict(&self) -> Option<bool> {
        self.judge.as_ref()?.verdict()
    }

    /// Does not end in an error where somebody else may go on with what has been said.
    pub(crate) fn resumable(mut self, begun: Option<Begun>) -> Self {
        self.begun = begun.map(Box::new);
        self
    }

    /// What has been said, where somebody else may go on with it.
    pub(crate) fn begun(&self) -> Option<&Begun> {
        self.begun.as_deref()
    }

    /// Nobody goes on with what has been said.
    pub(crate) fn not_resumable(&mut self) {
        self.begun = None;
    }

    /// Goes on with the stream of another attempt, which was given the text so far. Some begin with it.
    pub(crate) fn go_on(&mut self, rest: Self, repeats: bool) {
        let Self { frames, decoder, custom, .. } = rest;
        (self.frames, self.decoder, self.custom) = (frames, decoder, custom);
        (self.usage, self.tier) = (None, None);
        if let Some(begun) = &mut self.begun {
            begun.go_on(repeats);
        }
    }

    /// Nobody goes on with the answer that has broken off: the client is told.
    pub(crate) fn give_up(&mut self, error: &Error) -> Bytes {
        self.begun = None;
        let mut out = BytesMut::new();
        self.encoder.error(error, &mut out);
        match &mut self.array {
            Some(array) => array.end(&out),
            None => out.freeze(),
        }
    }

    /// Whether the provider has said that its answer is whole: nothing is missing if the connection ends now.
    pub(crate) fn is_complete(&self) -> bool {
        self.decoder.is_complete()
    }

    /// The same, of a stream whose frames come off first.
    pub(crate) fn unframing(self, frames: Option<Box<dyn Unframe>>) -> Self {
        Self { frames, ..self }
    }

    /// Whether a part of an answer has come, or its end.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether the provider has said why the answer ended.
    pub(crate) fn told_end(&self) -> bool {
        self.told_end
    }

    /// What was used, as far as is known.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.usage.map(|usage| Usage { service_tier: self.tier, ..usage })
    }

    /// Takes the next piece of the provider's stream.
    pub(crate) fn feed(&mut self, piece: Bytes) -> Said {
        let said = self.unframed(piece);
        self.framed(said)
    }

    /// Takes frames off, where there are any.
    fn unframed(&mut self, piece: Bytes) -> Said {
        let Some(frames) = &mut self.frames else { return self.take(piece) };
        let mut within = BytesMut::new();
        let unframed = frames.unframe(&piece, &mut within);
        let said = self.take(within.freeze());
        match (unframed, &said.end) {
            // What came behind the error is not there, or was damaged.
            (Err(error), None) => self.break_off_after(BytesMut::from(said.bytes), error),
            _ => said,
        }
    }

    /// Takes what the provider said in the dialect.
    fn take(&mut self, piece: Bytes) -> Said {
        self.bytes += piece.len();
        if self.bytes > KEPT_BYTES_MAX {
            self.keeper = None;
        }
        let decoded = self.decoder.decode(&piece, &mut self.events);
        let mut out = BytesMut::new();
        if let Some(framer) = &mut self.verbatim {
            let mut piece = piece;
            out.extend(framer.line_feed(&mut piece));
            match framer.feed(piece) {
                Ok(events) => out.extend_from_slice(&events),
                Err(_) => return self.break_off_after(out, too_large()),
            }
        }
        self.say(&mut out);
        match decoded {
            // What goes on as it came goes on to its end: some providers say more than their dialect's mark.
            Ok(()) if self.verbatim.is_none() && self.decoder.is_complete() => self.end_after(out),
            Ok(()) => Said { bytes: out.freeze(), end: None },
            // The provider said so itself, in words that the client understands.
            Err(error) if self.verbatim.is_some() && error.code != ErrorCode::ProviderInvalidResponse => {
                Said { bytes: out.freeze(), end: Some(Err(error)) }
            }
            Err(error) => {
                if self.verbatim.is_some() {
                    // What no client can read would hide the error behind it.
                    out.truncate(sse::readable(&out));
                }
                self.break_off_after(out, error)
            }
        }
    }

    /// The provider's stream has ended.
    pub(crate) fn end(&mut self) -> Said {
        let said = self.end_after(BytesMut::new());
        self.framed(said)
    }

    fn end_after(&mut self, mut out: BytesMut) -> Said {
        let ended = self.decoder.end(&mut self.events);
        self.say(&mut out);
        if let Err(mut error) = ended {
            if error.code == ErrorCode::ProviderInvalidResponse {
                // What cannot be read is what did not come.
                error.code = ErrorCode::ProviderStreamInterrupted;
            }
            return self.break_off_after(out, error);
        }
        self.finish(out)
    }

    /// The answer is whole.
    fn finish(&mut self, mut out: BytesMut) -> Said {
        match &mut self.verbatim {
            Some(framer) => out.extend_from_slice(&framer.finish()),
            None => self.encoder.end(&mut out),
        }
        if let Some(keeper) = self.keeper.take() {
            keeper.keep();
        }
        Said { bytes: out.freeze(), end: Some(Ok(())) }
    }

    /// The provider's stream broke off: a clean end would be taken for a whole answer, unless the provider had said that
    /// it was.
    pub(crate) fn break_off(&mut self, error: Error) -> Said {
        let is_whole = self.decoder.end(&mut self.events).is_ok();
        let mut out = BytesMut::new();
        self.say(&mut out);
        let said = if is_whole { self.finish(out) } else { self.break_off_after(out, error) };
        self.framed(said)
    }

    /// In the framing that the client reads.
    fn framed(&mut self, said: Said) -> Said {
        let Some(array) = &mut self.array else { return said };
        let waits = self.begun.as_ref().is_some_and(|begun| begun.waits());
        let bytes = if said.end.is_some() && !waits { array.end(&said.bytes) } else { array.reframe(&said.bytes) };
        Said { bytes, ..said }
    }

    fn break_off_after(&mut self, mut out: BytesMut, error: Error) -> Said {
        match &mut self.begun {
            Some(begun) if begun.may_go_on() => begun.wait(),
            _ => self.encoder.error(&error, &mut out),
        }
        Said { bytes: out.freeze(), end: Some(Err(error)) }
    }

    /// Says what has been understood, and remembers what was used.
    fn say(&mut self, out: &mut BytesMut) {
        if let Some(custom) = &mut self.custom {
            let decoded = std::mem::take(&mut self.events);
            decoded.into_iter().for_each(|event| custom.push(event, &mut self.events));
        }
        if let Some(begun) = &mut self.begun {
            for event in std::mem::take(&mut self.events) {
                self.usage = used(self.usage, &event);
                begun.pass(event, &mut self.events);
            }
        }
        for event in self.events.drain(..) {
            self.has_begun |= says_something(&event);
            self.told_end |= matches!(&event, Event::Finish { finish, .. } if finish.is_told());
            if let Some(judge) = &mut self.judge {
                judge.hear(&event);
            }
            if self.begun.is_none() {
                self.usage = used(self.usage, &event);
            }
            if let Event::ServiceTier(tier) = &event {
                self.tier = ServiceTier::of(tier);
            }
            if let (Event::Start { id, .. }, Some(remember)) = (&event, &self.remember) {
                remember.under(id);
            }
            if let Some(keeper) = &mut self.keeper {
                keeper.push(&event);
            }
            if self.verbatim.is_none() {
                self.encoder.encode(&event, out);
            }
        }
    }
}

/// What was used, with what an event tells of it.
fn used(so_far: Option<Usage>, event: &Event) -> Option<Usage> {
    match event {
        Event::Usage(usage) => Some(so_far.unwrap_or_default().merge(*usage)),
        _ => so_far,
    }
}

/// Whether an event is a part of an answer or its end, and not what stands before one.
pub(crate) fn says_something(event: &Event) -> bool {
    match event {
        Event::Start { .. } | Event::Usage(_) | Event::ServiceTier(_) | Event::Extra(_) | Event::BlockStop { .. } => {
            false
        }
        Event::BlockStart { block, .. } => !matches!(block, Block::Text | Block::Refusal | Block::Reasoning { .. }),
        Event::Delta { delta, .. } => !matches!(delta, Delta::Text(text) if text.is_empty()),
        Event::Finish { .. } => true,
    }
}

fn too_large() -> Error {
    Error::new(ErrorCode::ProviderInvalidResponse, "the provider sent an event that is too large")
}
