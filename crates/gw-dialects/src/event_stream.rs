//! Amazon's event streams (`application/vnd.amazon.eventstream`): binary messages with headers, a payload and two checksums,
//! read in pieces of any size and written.
//!
//! ```text
//! message = u32 length of all, u32 length of the headers, u32 CRC of these 8 bytes, headers, payload, u32 CRC of all before
//! header  = u8 length, name, u8 type, value
//! ```
//!
//! Numbers are big-endian; the checksum is the CRC-32 of zlib (Smithy, "Amazon Event Stream Specification").

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::sse::EVENT_BYTES_MAX;

/// The two lengths and their checksum.
const PRELUDE: usize = 12;
/// The checksum at the end.
const CHECKSUM: usize = 4;
/// Headers are no longer than this, by the specification.
const HEADERS_MAX: usize = 128 << 10;
/// Headers of one message; those that are known have three.
const HEADERS_COUNT_MAX: usize = 64;

/// One message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Names and values, in their order.
    pub headers: Vec<(String, Value)>,
    /// What it holds.
    pub payload: Bytes,
}

/// The value of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Yes or no: types 0 and 1.
    Bool(bool),
    /// A number of one byte: type 2.
    Byte(i8),
    /// A number of two bytes: type 3.
    Short(i16),
    /// A number of four bytes: type 4.
    Int(i32),
    /// A number of eight bytes: type 5.
    Long(i64),
    /// Bytes: type 6.
    Bytes(Bytes),
    /// Text: type 7.
    String(String),
    /// Milliseconds since 1970: type 8.
    Timestamp(i64),
    /// An id: type 9.
    Uuid([u8; 16]),
}

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The lengths contradict each other.
    Lengths,
    /// It is larger than [`EVENT_BYTES_MAX`], or its headers are larger than they may be.
    TooLarge,
    /// A checksum is wrong.
    Checksum,
    /// A header cannot be read.
    Header,
}

/// Cuts a stream into messages. It holds no more than one message and the piece that was fed last.
#[derive(Debug, Default)]
pub struct Parser {
    pending: BytesMut,
}

impl Message {
    /// A message with headers of text.
    pub fn new(headers: &[(&str, &str)], payload: impl Into<Bytes>) -> Self {
        let header = |(name, value): &(&str, &str)| ((*name).to_owned(), Value::String((*value).to_owned()));
        Self { headers: headers.iter().map(header).collect(), payload: payload.into() }
    }

    /// The text of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(known, value)| match value {
            Value::String(text) if known == name => Some(text.as_str()),
            _ => None,
        })
    }
}

impl Malformed {
    /// What is wrong, for a sentence that ends with it.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Lengths => "an event whose lengths contradict each other",
            Self::TooLarge => "an event that is too large",
            Self::Checksum => "an event with a wrong checksum",
            Self::Header => "an event with a header that cannot be read",
        }
    }
}

impl Parser {
    /// Takes the next piece of the stream. What is whole with it, [`Parser::message`] gives.
    pub fn feed(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
    }

    /// The next message that is whole.
    ///
    /// # Errors
    /// The stream is not one of messages, or was damaged. Nothing behind that can be read.
    pub fn message(&mut self) -> Result<Option<Message>, Malformed> {
        let Some(mut prelude) = self.pending.get(..PRELUDE) else { return Ok(None) };
        let sum = crc32fast::hash(&prelude[..PRELUDE - CHECKSUM]);
        let (length, headers_length) = (prelude.get_u32() as usize, prelude.get_u32() as usize);
        if prelude.get_u32() != sum {
            return Err(Malformed::Checksum);
        }
        if length > EVENT_BYTES_MAX || headers_length > HEADERS_MAX {
            return Err(Malformed::TooLarge);
        }
        if length < PRELUDE + headers_length + CHECKSUM {
            return Err(Malformed::Lengths);
        }
        if self.pending.len() < length {
            return Ok(None);
        }
        let mut message = self.pending.split_to(length).freeze();
        let mut checksum = message.split_off(length - CHECKSUM);
        if crc32fast::hash(&message) != checksum.get_u32() {
            return Err(Malformed::Checksum);
        }
        message.advance(PRELUDE);
        let headers = headers(message.split_to(headers_length)).ok_or(Malformed::Header)?;
        Ok(Some(Message { headers, payload: message }))
    }

    /// Whether the beginning of a message waits for its end.
    pub fn is_within_message(&self) -> bool {
        !self.pending.is_empty()
    }
}

/// Writes a message, for tests and sandboxes. What is longer than the format can say is cut: a name behind 255 bytes, a
/// value behind 65,535.
pub fn encode(message: &Message, out: &mut BytesMut) {
    let mut headers = BytesMut::new();
    for (name, value) in &message.headers {
        let name = name.as_bytes().get(..usize::from(u8::MAX)).unwrap_or(name.as_bytes());
        headers.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        headers.put_slice(name);
        put_value(value, &mut headers);
    }
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let mut written = BytesMut::with_capacity(PRELUDE + headers.len() + message.payload.len() + CHECKSUM);
    written.put_u32(length(PRELUDE + headers.len() + message.payload.len() + CHECKSUM));
    written.put_u32(length(headers.len()));
    written.put_u32(crc32fast::hash(&written));
    written.put_slice(&headers);
    written.put_slice(&message.payload);
    written.put_u32(crc32fast::hash(&written));
    out.unsplit(written);
}

fn headers(mut bytes: Bytes) -> Option<Vec<(String, Value)>> {
    let mut headers = Vec::new();
    while !bytes.is_empty() {
        let length = bytes.try_get_u8().ok()?;
        let name = text(&mut bytes, usize::from(length))?;
        headers.push((name, value(&mut bytes)?));
        if headers.len() > HEADERS_COUNT_MAX {
            return None;
        }
    }
    Some(headers)
}

fn value(bytes: &mut Bytes) -> Option<Value> {
    Some(match bytes.try_get_u8().ok()? {
        0 => Value::Bool(true),
        1 => Value::Bool(false),
        2 => Value::Byte(bytes.try_get_i8().ok()?),
        3 => Value::Short(bytes.try_get_i16().ok()?),
        4 => Value::Int(bytes.try_get_i32().ok()?),
        5 => Value::Long(bytes.try_get_i64().ok()?),
        6 => {
            let length = bytes.try_get_u16().ok()?;
            Value::Bytes(take(bytes, usize::from(length))?)
        }
        7 => {
            let length = bytes.try_get_u16().ok()?;
            Value::String(text(bytes, usize::from(length))?)
        }
        8 => Value::Timestamp(bytes.try_get_i64().ok()?),
        9 => Value::Uuid(take(bytes, 16)?.as_ref().try_into().ok()?),
        _ => return None,
    })
}

fn text(bytes: &mut Bytes, length: usize) -> Option<String> {
    String::from_utf8(take(bytes, length)?.into()).ok()
}

fn take(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (bytes.len() >= length).then(|| bytes.split_to(length))
}

fn put_value(value: &Value, out: &mut BytesMut) {
    let put_long = |kind: u8, bytes: &[u8], out: &mut BytesMut| {
        let bytes = bytes.get(..usize::from(u16::MAX)).unwrap_or(bytes);
        out.put_u8(kind);
        out.put_u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
        out.put_slice(bytes);
    };
    let put = |kind: u8, bytes: &[u8], out: &mut BytesMut| {
        out.put_u8(kind);
        out.put_slice(bytes);
    };
    match value {
        Value::Bool(yes) => out.put_u8(u8::from(!yes)),
        Value::Byte(number) => put(2, &number.to_be_bytes(), out),
        Value::Short(number) => put(3, &number.to_be_bytes(), out),
        Value::Int(number) => put(4, &number.to_be_bytes(), out),
        Value::Long(number) => put(5, &number.to_be_bytes(), out),
        Value::Bytes(bytes) => put_long(6, bytes, out),
        Value::String(text) => put_long(7, text.as_bytes(), out),
        Value::Timestamp(number) => put(8, &number.to_be_bytes(), out),
        Value::Uuid(bytes) => put(9, bytes, out),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Written by a program of its own and read by botocore 1.44.5 (`EventStreamBuffer`).
    const EVERY_TYPE: &str = "000000640000004d01fd33c9017400016601016202ff017303fffe016904fffffffd016c05fffffffffffffffc\
        017906000200ff0178070002c3a9016d080000018bcfe56800017509000102030405060708090a0b0c0d0e0f7b2261223a317d650215f3";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn every_type() -> Message {
        let values = [
            ("t", Value::Bool(true)),
            ("f", Value::Bool(false)),
            ("b", Value::Byte(-1)),
            ("s", Value::Short(-2)),
            ("i", Value::Int(-3)),
            ("l", Value::Long(-4)),
            ("y", Value::Bytes(Bytes::from_static(b"\x00\xff"))),
            ("x", Value::String("é".to_owned())),
            ("m", Value::Timestamp(1_700_000_000_000)),
            ("u", Value::Uuid(*b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f")),
        ];
        let headers = values.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Message { headers, payload: Bytes::from_static(br#"{"a":1}"#) }
    }

    fn read(bytes: &[u8]) -> Result<Vec<Message>, Malformed> {
        let mut parser = Parser::default();
        parser.feed(bytes);
        std::iter::from_fn(|| parser.message().transpose()).collect()
    }

    #[test]
    fn a_message_with_headers_of_every_type_is_read_and_written() {
        let written = bytes(EVERY_TYPE);
        assert_eq!(read(&written), Ok(vec![every_type()]));
        let mut out = BytesMut::new();
        encode(&every_type(), &mut out);
        assert_eq!(out, written);
        assert_eq!(every_type().header("x"), Some("é"));
        assert_eq!(every_type().header("t"), None);
    }

    #[test]
    fn messages_are_found_however_they_arrive() {
        let mut stream = BytesMut::new();
        encode(&every_type(), &mut stream);
        encode(&Message::new(&[(":event-type", "x")], ""), &mut stream);
        let mut parser = Parser::default();
        let mut found = Vec::new();
        for byte in &stream {
            parser.feed(std::slice::from_ref(byte));
            found.extend(parser.message().unwrap());
        }
        assert!(!parser.is_within_message());
        assert_eq!(found, read(&stream).unwrap());
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let whole = bytes(EVERY_TYPE);
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x40;
            assert!(read(&damaged).is_err(), "byte {place}");
        }
        let prelude = |length: u32, headers: u32| {
            let mut bytes = BytesMut::new();
            bytes.put_u32(length);
            bytes.put_u32(headers);
            bytes.put_u32(crc32fast::hash(&bytes));
            bytes
        };
        assert_eq!(read(&prelude(15, 0)), Err(Malformed::Lengths));
        assert_eq!(read(&prelude(100, 100)), Err(Malformed::Lengths));
        assert_eq!(read(&prelude(u32::MAX, 0)), Err(Malformed::TooLarge));
        assert_eq!(read(&prelude(1 << 20, 1 << 19)), Err(Malformed::TooLarge));
        assert_eq!(read(b"data: {\"a\":1}\n\n"), Err(Malformed::Checksum));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, headers: Vec<u8>) {
            let _ = read(&bytes);
            let mut framed = BytesMut::new();
            let total = u32::try_from(PRELUDE + headers.len() + CHECKSUM).unwrap();
            framed.put_u32(total);
            framed.put_u32(total - 16);
            framed.put_u32(crc32fast::hash(&framed));
            framed.put_slice(&headers);
            framed.put_u32(crc32fast::hash(&framed));
            let _ = read(&framed);
        }
    }
}
