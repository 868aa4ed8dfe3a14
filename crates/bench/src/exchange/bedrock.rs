//! Amazon Bedrock's Converse. Its streams are binary: a text here has one line for each frame, the event's name and its
//! payload, and [`frames`] makes frames of them when the nonce is known, since each has a checksum.
//!
//! Source: Smithy's specification of `vnd.amazon.eventstream`.

use bytes::{BufMut, Bytes, BytesMut};

use super::wire::CONTENT;
use super::{Texts, Wire};
use crate::template::NONCE;

const USAGE: &str = r#"{"inputTokens":124,"outputTokens":81,"totalTokens":205}"#;

/// What the mock says.
pub(super) fn texts() -> Texts {
    let word = Wire::Bedrock.word();
    let ending = format!(
        "contentBlockStop\t{{\"contentBlockIndex\":0}}\nmessageStop\t{{\"stopReason\":\"end_turn\"}}\n\
         metadata\t{{\"metrics\":{{\"latencyMs\":12}},\"usage\":{USAGE}}}\n"
    );
    Texts {
        chat: format!(
            r#"{{"metrics":{{"latencyMs":12}},"output":{{"message":{{"content":[{{"text":"{CONTENT} ({NONCE})"}}],"role":"assistant"}}}},"stopReason":"end_turn","usage":{USAGE}}}"#
        ),
        opening: "messageStart\t{\"role\":\"assistant\"}\n".to_owned(),
        event: format!(
            "contentBlockDelta\t{{\"contentBlockIndex\":0,\"delta\":{{\"text\":\" {word}\"}},\"p\":\"abcdefgh\"}}\n"
        ),
        ending_with_usage: ending.clone(),
        ending,
    }
}

/// Makes frames of lines.
pub(crate) fn frames(lines: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(lines.len() * 2);
    for line in lines.split(|byte| *byte == b'\n') {
        if let Some(tab) = line.iter().position(|byte| *byte == b'\t') {
            frame(&line[..tab], &line[tab + 1..], &mut out);
        }
    }
    out.freeze()
}

fn frame(event: &[u8], payload: &[u8], out: &mut BytesMut) {
    let mut headers = BytesMut::with_capacity(128);
    for (name, value) in
        [(":event-type", event), (":content-type", b"application/json".as_slice()), (":message-type", b"event")]
    {
        headers.put_u8(name.len() as u8);
        headers.put_slice(name.as_bytes());
        headers.put_u8(7);
        headers.put_u16(value.len() as u16);
        headers.put_slice(value);
    }
    let start = out.len();
    out.put_u32((16 + headers.len() + payload.len()) as u32);
    out.put_u32(headers.len() as u32);
    out.put_u32(crc32fast::hash(&out[start..]));
    out.put_slice(&headers);
    out.put_slice(payload);
    out.put_u32(crc32fast::hash(&out[start..]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_its_lengths_and_checksums_where_readers_look_for_them() {
        let frame = frames(b"messageStop\t{\"stopReason\":\"end_turn\"}\n");
        let total = u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
        assert_eq!(total, frame.len());
        assert_eq!(u32::from_be_bytes(frame[8..12].try_into().unwrap()), crc32fast::hash(&frame[..8]));
        let sum = u32::from_be_bytes(frame[total - 4..].try_into().unwrap());
        assert_eq!(sum, crc32fast::hash(&frame[..total - 4]));
        assert!(frame.ends_with(&[b"{\"stopReason\":\"end_turn\"}".as_slice(), &sum.to_be_bytes()].concat()));
    }
}
