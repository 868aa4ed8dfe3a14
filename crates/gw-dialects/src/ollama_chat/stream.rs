//! What Ollama answers, in pieces: a JSON text on each line.

use gw_core::chat::Event;
use gw_core::{Error, ErrorCode};

use crate::chat::{DecodeEvents, Origin};
use crate::ndjson::{self, Cutter};
use crate::ollama_chat::answer::Reader;
use crate::shared::refusal;

/// Reads Ollama's stream.
#[derive(Debug)]
pub(super) struct Decoder {
    cutter: Cutter,
    reader: Reader,
}

impl Decoder {
    pub(super) fn new(origin: Origin) -> Self {
        Self { cutter: Cutter::default(), reader: Reader::new(origin) }
    }

    fn lines(&mut self, text: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        ndjson::lines(text).try_for_each(|line| self.reader.line(line, events))
    }
}

impl DecodeEvents for Decoder {
    fn decode(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        let text = self.cutter.feed(bytes);
        let text = text.map_err(|_| refusal::invalid(self.reader.provider(), "a line that is larger than 16 MiB"))?;
        self.lines(&text, events)
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        let rest = self.cutter.finish();
        // A line that was cut off cannot be read; that the stream broke off is what there is to say.
        match self.lines(&rest, events) {
            Err(error) if error.code != ErrorCode::ProviderInvalidResponse => Err(error),
            _ if self.reader.is_done() => Ok(()),
            _ => Err(Error::new(
                ErrorCode::ProviderStreamInterrupted,
                format!("provider \"{}\" ended its stream before the answer was whole", self.reader.provider()),
            )),
        }
    }

    fn is_complete(&self) -> bool {
        self.reader.is_done()
    }
}
