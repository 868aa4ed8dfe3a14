//! Where the body of an HTTP/1.1 answer ends (RFC 9112 §6.3), and what of the bytes on the wire it is.

use bytes::{Bytes, BytesMut};

/// A line of a chunked body: a size with its extensions, or a trailer.
const LINE_BYTES_MAX: usize = 4 << 10;
/// All trailers together.
const TRAILER_BYTES_MAX: usize = 16 << 10;

/// How the end of a body is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By its length: so many bytes are to come.
    Length(u64),
    /// By a chunk of no bytes.
    Chunked(Chunks),
    /// By the end of the connection.
    UntilClose,
}

/// Where in a chunked body we are (RFC 9112 §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// In the line that gives a chunk's size.
    Size {
        /// The digits so far; `None` before the first.
        size: Option<u64>,
        /// Bytes of the line so far.
        line: usize,
        part: SizePart,
    },
    /// In a chunk of which so many bytes are to come.
    Data(u64),
    /// After a chunk: its CR is to come, or, where it has, its LF.
    DataEnd { cr: bool },
    /// After the last chunk.
    Trailers {
        /// Bytes of this line so far, without its end.
        line: usize,
        /// Bytes of all lines.
        total: usize,
        cr: bool,
    },
    /// After its end.
    Ended,
}

/// Which part of the size's line we are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SizePart {
    Digits,
    Extension,
    Lf,
}

/// What came is not a body of that framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// What was made of bytes from the wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// What they say of the body.
    pub(crate) data: Bytes,
    /// How many of them belong to it. Less than all only at its end.
    pub(crate) taken: usize,
}

impl Framing {
    pub(crate) fn chunked() -> Self {
        Self::Chunked(Chunks::line())
    }

    /// Whether nothing more comes.
    pub(crate) fn is_ended(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunks::Ended))
    }

    /// Takes bytes as they came.
    pub(crate) fn decode(&mut self, wire: &Wire<'_>) -> Result<Decoded, Malformed> {
        match self {
            Self::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(wire.bytes().len());
                *left -= taken as u64;
                Ok(Decoded { data: wire.keep(taken), taken })
            }
            Self::UntilClose => Ok(Decoded { data: wire.keep(wire.bytes().len()), taken: wire.bytes().len() }),
            Self::Chunked(chunks) => chunks.decode(wire.bytes()),
        }
    }
}

/// Bytes as they were read: in the worker's buffer, which is about to be used again, or already owned.
pub(crate) enum Wire<'a> {
    Borrowed(&'a [u8]),
    Owned(Bytes),
}

impl Wire<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }

    fn keep(&self, count: usize) -> Bytes {
        match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(&bytes[..count]),
            Self::Owned(bytes) => bytes.slice(..count),
        }
    }
}

impl Chunks {
    fn line() -> Self {
        Self::Size { size: None, line: 0, part: SizePart::Digits }
    }

    /// The chunks of one read are handed on as one piece.
    fn decode(&mut self, wire: &[u8]) -> Result<Decoded, Malformed> {
        let mut data = BytesMut::new();
        let mut at = 0;
        while at < wire.len() && *self != Self::Ended {
            if let Self::Data(left) = self {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(wire.len() - at);
                if data.capacity() == 0 {
                    data.reserve(wire.len() - at);
                }
                data.extend_from_slice(&wire[at..at + taken]);
                *left -= taken as u64;
                at += taken;
                if *left == 0 {
                    *self = Self::DataEnd { cr: false };
                }
                continue;
            }
            self.control(wire[at])?;
            at += 1;
        }
        Ok(Decoded { data: data.freeze(), taken: at })
    }

    /// Takes a byte that is not data.
    fn control(&mut self, byte: u8) -> Result<(), Malformed> {
        match self {
            Self::Size { size, line, part } => {
                *line += 1;
                if *line > LINE_BYTES_MAX {
                    return Err(Malformed("the line before a chunk is too long"));
                }
                if let Some(next) = size_line(size, part, byte)? {
                    *self = next;
                }
            }
            Self::DataEnd { cr } => match (*cr, byte) {
                (false, b'\r') => *cr = true,
                (true, b'\n') => *self = Self::line(),
                _ => return Err(Malformed("a chunk is longer than it says")),
            },
            Self::Trailers { line, total, cr } => {
                *total += 1;
                if *total > TRAILER_BYTES_MAX {
                    return Err(Malformed("the trailers are too long"));
                }
                match (*cr, byte) {
                    (true, b'\n') if *line == 0 => *self = Self::Ended,
                    (true, b'\n') => (*line, *cr) = (0, false),
                    (true, _) | (false, b'\n') => return Err(Malformed("a trailer has a wrong end of line")),
                    (false, b'\r') => *cr = true,
                    (false, _) => *line += 1,
                }
            }
            Self::Data(_) | Self::Ended => {}
        }
        Ok(())
    }
}

fn size_line(size: &mut Option<u64>, part: &mut SizePart, byte: u8) -> Result<Option<Chunks>, Malformed> {
    match (*part, byte) {
        (SizePart::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
            let digit = char::from(byte).to_digit(16).unwrap_or_default();
            let before = size.unwrap_or_default();
            let larger = before.checked_mul(16).ok_or(Malformed("a chunk is too large"))?;
            *size = Some(larger + u64::from(digit));
        }
        (_, _) if size.is_none() => return Err(Malformed("a chunk has no size")),
        (SizePart::Digits, b';' | b' ' | b'\t') => *part = SizePart::Extension,
        (SizePart::Digits | SizePart::Extension, b'\r') => *part = SizePart::Lf,
        (SizePart::Extension, byte) if byte != b'\n' => {}
        (SizePart::Lf, b'\n') => {
            return Ok(Some(match size.unwrap_or_default() {
                0 => Chunks::Trailers { line: 0, total: 0, cr: false },
                size => Chunks::Data(size),
            }));
        }
        _ => return Err(Malformed("a chunk's size is not a number")),
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes pieces in order: what they say, how many bytes were taken, and the framing after them.
    fn decode(mut framing: Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, Framing), Malformed> {
        let (mut data, mut taken) = (Vec::new(), 0);
        for piece in pieces {
            let decoded = framing.decode(&Wire::Borrowed(piece))?;
            data.extend_from_slice(&decoded.data);
            taken += decoded.taken;
        }
        Ok((data, taken, framing))
    }

    #[test]
    fn a_length_is_kept_to_and_what_follows_is_not_taken() {
        let (data, taken, framing) = decode(Framing::Length(5), &[b"abc", b"defg"]).unwrap();
        assert_eq!((data.as_slice(), taken), (&b"abcde"[..], 5));
        assert!(framing.is_ended());
    }

    #[test]
    fn chunks_are_joined_and_what_follows_the_last_is_not_taken() {
        let wire = b"3\r\nabc\r\n0a ; name=\"value\"\r\n0123456789\r\n0\r\nx-trailer: 1\r\n\r\nHTTP/1.1";
        let (data, taken, framing) = decode(Framing::chunked(), &[wire]).unwrap();
        assert_eq!((data.as_slice(), taken), (&b"abc0123456789"[..], wire.len() - 8));
        assert!(framing.is_ended());
    }

    #[test]
    fn a_body_that_has_not_come_whole_is_not_at_its_end() {
        for wire in ["", "3", "3\r", "3\r\n", "3\r\nab", "3\r\nabc", "3\r\nabc\r\n", "3\r\nabc\r\n0\r\n", "0\r\n\r"] {
            let (_, taken, framing) = decode(Framing::chunked(), &[wire.as_bytes()]).unwrap();
            assert_eq!(taken, wire.len(), "{wire:?}");
            assert!(!framing.is_ended(), "{wire:?}");
        }
        assert!(!decode(Framing::UntilClose, &[b"abc"]).unwrap().2.is_ended());
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for wire in [
            "\r\n",
            ";\r\n",
            "g\r\n",
            "-1\r\n",
            "0x3\r\nabc\r\n",
            "+3\r\n",
            "3\nabc\r\n",
            "3\r\nabcd\r\n",
            "3\r\nabc\n",
            "3\rx",
            "3;a\nabc",
            "10000000000000000\r\n",
            "0\r\nx: 1\n\r\n",
            "0\r\nx\ry: 1\r\n",
        ] {
            assert!(decode(Framing::chunked(), &[wire.as_bytes()]).is_err(), "{wire:?}");
        }
        let endless = format!("3;{}", "x".repeat(LINE_BYTES_MAX));
        assert!(decode(Framing::chunked(), &[endless.as_bytes()]).is_err());
        let endless = format!("0\r\n{}", "x: 1\r\n".repeat(TRAILER_BYTES_MAX / 6 + 1));
        assert!(decode(Framing::chunked(), &[endless.as_bytes()]).is_err());
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_reads_end(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            cut in 1_usize..9,
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
            let pieces: Vec<&[u8]> = wire.chunks(cut).collect();
            let (data, taken, framing) = decode(Framing::chunked(), &pieces).unwrap();
            prop_assert_eq!(data, chunks.concat());
            prop_assert_eq!(taken, wire.len());
            prop_assert!(framing.is_ended());
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(wire in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok((data, taken, _)) = decode(Framing::chunked(), &[&wire]) {
                prop_assert!(data.len() <= taken && taken <= wire.len());
            }
        }
    }
}
