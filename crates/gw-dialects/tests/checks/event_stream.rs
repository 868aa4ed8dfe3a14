//! What must hold for every stream of Amazon's messages: shared by the tests and by the fuzz target.

use bytes::{BufMut, BytesMut};
use gw_dialects::event_stream::{Malformed, Message, Parser, encode};

/// What a stream holds: its messages, and what ended them.
type Read = (Vec<Message>, Option<Malformed>, bool);

/// A stream reads the same in any pieces, and what was read is written as it came.
pub(crate) fn check(input: &[u8]) {
    check_stream(input);
    check_stream(&with_checksums(input));
}

fn check_stream(stream: &[u8]) {
    let whole = read([stream]);
    for size in [1, 3, 13] {
        assert_eq!(read(stream.chunks(size)), whole, "in pieces of {size}");
    }
    let mut written = BytesMut::new();
    whole.0.iter().for_each(|message| encode(message, &mut written));
    assert_eq!(stream.get(..written.len()), Some(&written[..]), "{:?}", whole.0);
    let is_within = written.len() < stream.len();
    assert!(whole.1.is_some() || whole.2 == is_within, "{is_within}: {whole:?}");
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let (mut parser, mut messages) = (Parser::default(), Vec::new());
    for piece in pieces {
        parser.feed(piece);
        loop {
            match parser.message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(malformed) => return (messages, Some(malformed), false),
            }
        }
    }
    let is_within = parser.is_within_message();
    (messages, None, is_within)
}

/// Messages whose checksums are right, which no fuzzer guesses: of each, two bytes say how long its headers are, a third
/// how long its payload is.
fn with_checksums(mut input: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    while let [high, low, payload, rest @ ..] = input {
        let (headers, rest) = rest.split_at(rest.len().min(usize::from(u16::from_be_bytes([*high, *low]))));
        let (payload, rest) = rest.split_at(rest.len().min(usize::from(*payload)));
        out.unsplit(frame(headers, payload));
        input = rest;
    }
    out
}

fn frame(headers: &[u8], payload: &[u8]) -> BytesMut {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let mut out = BytesMut::new();
    out.put_u32(length(headers.len() + payload.len() + 16));
    out.put_u32(length(headers.len()));
    out.put_u32(crc32fast::hash(&out));
    out.put_slice(headers);
    out.put_slice(payload);
    out.put_u32(crc32fast::hash(&out));
    out
}
