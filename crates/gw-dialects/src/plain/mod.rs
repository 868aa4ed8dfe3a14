//! What the dialects of plain messages (Cohere's and Ollama's) have in common: conversations as a list of messages with
//! one role each, the parameters that neither has, and answers that come block by block.

pub(crate) mod blocks;
pub(crate) mod lines;
pub(crate) mod losses;
pub(crate) mod tools;

#[cfg(test)]
pub(crate) mod testing {
    //! What tests of both dialects do.

    use gw_core::Error;
    use gw_core::chat::event::check;
    use gw_core::chat::{ChatAnswer, ChatRequest, Collector, Event};
    use serde_json::Value;

    use crate::chat::{Egress, Origin, Target};

    pub(crate) fn origin() -> Origin {
        Origin { provider: "p".into(), model: "m".into(), ..Origin::default() }
    }

    /// The body of a request, and what it could not say.
    pub(crate) fn sent(dialect: &dyn Egress, request: &ChatRequest) -> (Value, Vec<String>) {
        let target = Target { model: "m", provider: "p", stream: request.stream };
        let encoded = dialect.encode_request(request, &target).unwrap();
        let losses = encoded.losses.iter().map(|loss| {
            let what = loss.grade.name();
            format!("{what} {}", loss.param)
        });
        (serde_json::from_slice(&encoded.body).unwrap(), losses.collect())
    }

    /// The events of a stream that comes in these pieces.
    pub(crate) fn read<'a>(
        dialect: &dyn Egress,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<Event>, Error> {
        let mut decoder = dialect.decoder(origin());
        let mut events = Vec::new();
        pieces.into_iter().try_for_each(|piece| decoder.decode(piece, &mut events))?;
        decoder.end(&mut events)?;
        Ok(events)
    }

    /// The answer of a stream, which is the same however it is cut.
    pub(crate) fn streamed(dialect: &dyn Egress, stream: &[u8]) -> ChatAnswer {
        let whole = read(dialect, [stream]).unwrap();
        assert_eq!(check(&whole), None);
        assert_eq!(read(dialect, stream.chunks(1)).unwrap(), whole);
        for at in 0..=stream.len() {
            let (one, other) = stream.split_at(at);
            assert_eq!(read(dialect, [one, other]).unwrap(), whole, "cut at {at}");
        }
        let mut collector = Collector::default();
        whole.into_iter().for_each(|event| collector.push(event));
        assert!(collector.is_ended());
        collector.into_answer()
    }
}
