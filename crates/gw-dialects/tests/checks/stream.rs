//! What must hold for every stream: shared by the tests and by the fuzz target.
#![expect(clippy::expect_used, reason = "a check that does not hold stops the test")]

use bytes::Bytes;
use gw_core::Usage;
use gw_dialects::DialectId;
use gw_dialects::stream::{FaultKind, StreamScan, StreamScanOptions};

/// What came of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) forwarded: Vec<u8>,
    pub(crate) usage: Option<Usage>,
    pub(crate) error: Option<String>,
    pub(crate) content: bool,
    pub(crate) clean: bool,
    pub(crate) fault: Option<FaultKind>,
}

/// Feeds a stream in these pieces.
pub(crate) fn watch<'a>(withhold_usage_chunk: bool, pieces: impl IntoIterator<Item = &'a [u8]>) -> Watched {
    let mut scan = StreamScan::new(StreamScanOptions { dialect: DialectId::OpenAiChat, withhold_usage_chunk });
    let mut forwarded = Vec::new();
    let mut fault = None;
    for piece in pieces {
        match scan.feed(Bytes::copy_from_slice(piece)) {
            Ok(pieces) => forwarded.extend(pieces.concat()),
            Err(found) => {
                forwarded.extend(found.before.concat());
                fault = Some(found.kind);
                break;
            }
        }
    }
    let end = scan.finish();
    forwarded.extend_from_slice(&end.rest);
    Watched {
        forwarded,
        usage: scan.usage(),
        error: scan.error().map(str::to_owned),
        content: scan.saw_content(),
        clean: end.clean,
        fault,
    }
}

/// A stream means the same however it arrives, and the client reads of it what the provider wrote.
pub(crate) fn check(text: &[u8]) {
    for withhold in [true, false] {
        let whole = watch(withhold, [text]);
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(watch(withhold, text.chunks(size)), whole, "in pieces of {size}");
        }
        let mut rest = text;
        let mut random = 0x2545_f491_4f6c_dd1d_u64 ^ text.len() as u64;
        let uneven = std::iter::from_fn(|| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let piece;
            (piece, rest) = rest.split_at(rest.len().min((random >> 60) as usize));
            (!piece.is_empty() || !rest.is_empty()).then_some(piece)
        });
        assert_eq!(watch(withhold, uneven), whole, "in uneven pieces");

        let forwarded = std::str::from_utf8(&whole.forwarded).expect("only text is given on");
        let read = dispatched(forwarded);
        let written = dispatched(&String::from_utf8_lossy(text));
        assert!(read.iter().all(|data| !data.trim().is_empty()), "an event without data is an error to clients");
        if !withhold {
            let written: Vec<_> = written.into_iter().filter(|data| !data.trim().is_empty()).collect();
            let done = read.iter().any(|data| data.trim_start().starts_with("[DONE]"));
            assert!(read.len() <= written.len() + 1);
            assert!(read.iter().zip(&written).all(|(read, written)| read == written), "{read:?} of {written:?}");
            assert!(done || whole.fault.is_some() || read.len() >= written.len(), "{read:?} of {written:?}");
        }
    }
}

/// The data of the events that a client dispatches: the standard's own words, in the plainest way.
fn dispatched(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop();
    let mut events = Vec::new();
    let mut data = String::new();
    for line in lines {
        if line.is_empty() {
            if let Some(data) = data.strip_suffix('\n') {
                events.push(data.to_owned());
            }
            data.clear();
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name == "data" {
            data.push_str(value.strip_prefix(' ').unwrap_or(value));
            data.push('\n');
        }
    }
    events
}
