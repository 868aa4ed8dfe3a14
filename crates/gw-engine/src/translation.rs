//! A stream on its way from one dialect to another, or read along with in its own.

use bytes::{Bytes, BytesMut};
use gw_core::chat::Event;
use gw_core::{Error, ErrorCode, Usage};
use gw_dialects::chat::{DecodeEvents, EncodeEvents};
use gw_dialects::shared::custom::RestoreCustom;
use gw_dialects::sse::Framer;

use crate::conversations::Keeper;

/// A longer answer is not kept to be continued.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// A stream that is read in the provider's dialect.
pub struct Translation {
    decoder: Box<dyn DecodeEvents>,
    encoder: Box<dyn EncodeEvents>,
    /// Where custom tools were sent as functions: gives their calls back as such.
    custom: Option<RestoreCustom>,
    /// Where the client speaks the provider's dialect: cuts the stream into whole events, which go on as they came.
    verbatim: Option<Framer>,
    events: Vec<Event>,
    usage: Option<Usage>,
    /// Where the answer can be continued by its id.
    keeper: Option<Keeper>,
    /// Bytes of the provider's stream so far.
    bytes: usize,
}

/// What the client is sent.
pub(crate) struct Said {
    /// The bytes.
    pub(crate) bytes: Bytes,
    /// Whether that was all, and how it ended.
    pub(crate) end: Option<Result<(), ErrorCode>>,
}

impl Translation {
    /// Says everything in other words.
    pub(crate) fn new(
        decoder: Box<dyn DecodeEvents>,
        encoder: Box<dyn EncodeEvents>,
        custom: Option<RestoreCustom>,
        keeper: Option<Keeper>,
    ) -> Self {
        Self { decoder, encoder, custom, keeper, verbatim: None, events: Vec::new(), usage: None, bytes: 0 }
    }

    /// Reads along; the encoder is for errors alone.
    pub(crate) fn watching(decoder: Box<dyn DecodeEvents>, encoder: Box<dyn EncodeEvents>) -> Self {
        Self { verbatim: Some(Framer::default()), ..Self::new(decoder, encoder, None, None) }
    }

    /// What was used, as far as is known.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Takes the next piece of the provider's stream.
    pub(crate) fn feed(&mut self, piece: Bytes) -> Said {
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
                Err(_) => return self.break_off_after(out, &too_large()),
            }
        }
        self.say(&mut out);
        match decoded {
            Ok(()) => Said { bytes: out.freeze(), end: None },
            // The provider said so itself, in words that the client understands.
            Err(error) if self.verbatim.is_some() && error.code != ErrorCode::ProviderInvalidResponse => {
                Said { bytes: out.freeze(), end: Some(Err(error.code)) }
            }
            Err(error) => self.break_off_after(out, &error),
        }
    }

    /// The provider's stream has ended.
    pub(crate) fn end(&mut self) -> Said {
        let ended = self.decoder.end(&mut self.events);
        let mut out = BytesMut::new();
        self.say(&mut out);
        if let Err(mut error) = ended {
            if error.code == ErrorCode::ProviderInvalidResponse {
                // What cannot be read is what did not come.
                error.code = ErrorCode::ProviderStreamInterrupted;
            }
            return self.break_off_after(out, &error);
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
            keeper.keep_collected(self.bytes);
        }
        Said { bytes: out.freeze(), end: Some(Ok(())) }
    }

    /// The provider's stream broke off: a clean end would be taken for a whole answer, unless the provider had said that
    /// it was.
    pub(crate) fn break_off(&mut self, error: &Error) -> Said {
        let is_whole = self.decoder.end(&mut self.events).is_ok();
        let mut out = BytesMut::new();
        self.say(&mut out);
        if is_whole { self.finish(out) } else { self.break_off_after(out, error) }
    }

    fn break_off_after(&mut self, mut out: BytesMut, error: &Error) -> Said {
        self.encoder.error(error, &mut out);
        Said { bytes: out.freeze(), end: Some(Err(error.code)) }
    }

    /// Says what has been understood, and remembers what was used.
    fn say(&mut self, out: &mut BytesMut) {
        if let Some(custom) = &mut self.custom {
            let decoded = std::mem::take(&mut self.events);
            decoded.into_iter().for_each(|event| custom.push(event, &mut self.events));
        }
        for event in self.events.drain(..) {
            if let Event::Usage(usage) = &event {
                self.usage = Some(self.usage.unwrap_or_default().merge(*usage));
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

fn too_large() -> Error {
    Error::new(ErrorCode::ProviderInvalidResponse, "the provider sent an event that is too large")
}
