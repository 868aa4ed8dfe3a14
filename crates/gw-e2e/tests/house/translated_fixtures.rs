//! The bytes of `fixtures`, and frames of Amazon's event streams.

use std::path::Path;

use flate2::Crc;
use serde_json::Value;

/// A file of `fixtures`.
pub(crate) fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A stream of `fixtures`, as bytes.
pub(crate) fn stream_fixture(folder: &str, name: &str) -> Vec<u8> {
    if folder != "bedrock_converse" {
        return fixture(&format!("{folder}/streams/{name}.sse")).into_bytes();
    }
    let digits: Vec<u8> =
        fixture(&format!("{folder}/streams/{name}.hex")).bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The events of a folder's stream.
pub(crate) fn events(folder: &str) -> Vec<Vec<u8>> {
    let stream = stream_fixture(folder, "text");
    if folder != "bedrock_converse" {
        let text = String::from_utf8(stream).unwrap();
        return text.split_inclusive("\n\n").map(|event| event.as_bytes().to_vec()).collect();
    }
    let mut events = Vec::new();
    let mut rest = stream.as_slice();
    while let Some(length) = rest.first_chunk::<4>() {
        let (event, behind) = rest.split_at(u32::from_be_bytes(*length) as usize);
        events.push(event.to_vec());
        rest = behind;
    }
    events
}

/// Whether a text is a part of an event.
pub(crate) fn holds(event: &[u8], text: &str) -> bool {
    event.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A frame of `application/vnd.amazon.eventstream`.
pub(crate) fn frame(event: &str, payload: &Value) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [(":event-type", event), (":content-type", "application/json"), (":message-type", "event")] {
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let payload = payload.to_string();
    let total = u32::try_from(16 + headers.len() + payload.len()).unwrap();
    let mut frame = [total.to_be_bytes(), u32::try_from(headers.len()).unwrap().to_be_bytes()].concat();
    frame.extend_from_slice(&checksum(&frame));
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload.as_bytes());
    let end = checksum(&frame);
    frame.extend_from_slice(&end);
    frame
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}
