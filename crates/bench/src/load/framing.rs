//! How long an HTTP/1.1 answer is: heads, lengths and chunks, read with as little work as possible.

use anyhow::{Context, Result, bail, ensure};
use memchr::memchr;

/// What the client must know of an answer's head.
#[derive(Debug)]
pub(super) struct Head {
    /// The status.
    pub(super) status: u16,
    /// How the end of the body is found.
    pub(super) framing: Framing,
    /// Whether the connection may be used again.
    pub(super) reusable: bool,
}

/// How the end of a body is found.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(usize),
    /// The body comes in chunks.
    Chunked(Chunked),
    /// The body ends with the connection.
    Close,
}

/// Where in a chunked body the client is.
#[derive(Debug)]
pub(super) enum Chunked {
    /// In the line with a chunk's size.
    Size { size: usize, extension: bool },
    /// In a chunk with so many bytes left.
    Data(usize),
    /// In the line end after a chunk with so many bytes left.
    DataEnd(usize),
    /// After the last chunk; so many bytes of this line were read.
    Trailer(usize),
}

impl Head {
    /// Reads a head that is complete, its empty line included.
    pub(super) fn read(head: &[u8]) -> Result<Self> {
        let mut lines = head.split(|byte| *byte == b'\n');
        let first = lines.next().unwrap_or_default();
        ensure!(first.starts_with(b"HTTP/1.1 "), "the answer is not HTTP/1.1");
        let status = first.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let mut read = Self { status: status.context("no status")?, framing: Framing::Close, reusable: true };
        for line in lines {
            let Some(colon) = memchr(b':', line) else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                let length = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                read.framing = Framing::Length(length.context("content-length is not a number")?);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                ensure!(value.eq_ignore_ascii_case(b"chunked"), "unknown transfer-encoding");
                read.framing = Framing::Chunked(Chunked::Size { size: 0, extension: false });
            } else if name.eq_ignore_ascii_case(b"connection") && value.eq_ignore_ascii_case(b"close") {
                read.reusable = false;
            }
        }
        read.reusable &= !matches!(read.framing, Framing::Close);
        Ok(read)
    }
}

impl Framing {
    /// Hands on what belongs to the body; true when the body is complete. Nothing may follow it.
    pub(super) fn feed(&mut self, input: &[u8], take: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        match self {
            Self::Length(left) => {
                ensure!(input.len() <= *left, "{} bytes follow the answer", input.len() - *left);
                *left -= input.len();
                if !input.is_empty() {
                    take(input)?;
                }
                Ok(*left == 0)
            }
            Self::Chunked(chunked) => chunked.feed(input, take),
            Self::Close => take(input).map(|()| false),
        }
    }
}

impl Chunked {
    fn feed(&mut self, mut input: &[u8], take: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        while let Some((first, rest)) = input.split_first() {
            let used = match self {
                Self::Size { .. } => {
                    self.feed_size(*first)?;
                    1
                }
                Self::Data(left) => {
                    let used = input.len().min(*left);
                    take(&input[..used])?;
                    *self = if used == *left { Self::DataEnd(2) } else { Self::Data(*left - used) };
                    used
                }
                Self::DataEnd(left) => {
                    *self =
                        if *left == 1 { Self::Size { size: 0, extension: false } } else { Self::DataEnd(*left - 1) };
                    1
                }
                Self::Trailer(0) if *first == b'\n' => {
                    ensure!(rest.is_empty(), "{} bytes follow the answer", rest.len());
                    return Ok(true);
                }
                Self::Trailer(line_bytes) => {
                    match first {
                        b'\r' => {}
                        b'\n' => *line_bytes = 0,
                        _ => *line_bytes += 1,
                    }
                    1
                }
            };
            input = &input[used..];
        }
        Ok(false)
    }

    fn feed_size(&mut self, byte: u8) -> Result<()> {
        let Self::Size { size, extension } = self else { bail!("not in a chunk's size") };
        match byte {
            b'\r' => {}
            b'\n' => *self = if *size == 0 { Self::Trailer(0) } else { Self::Data(*size) },
            b';' => *extension = true,
            _ if *extension => {}
            digit => {
                let digit = char::from(digit).to_digit(16).context("a chunk's size is not a number")?;
                *size = size.checked_mul(16).context("a chunk is too large")? + digit as usize;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_the_same_in_single_bytes_and_at_once() {
        let wire = b"5;x=1\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n";
        for step in [1, 2, 7, wire.len()] {
            let mut framing = Framing::Chunked(Chunked::Size { size: 0, extension: false });
            let mut body = Vec::new();
            let mut done = false;
            for part in wire.chunks(step) {
                assert!(!done);
                let mut keep = |part: &[u8]| {
                    body.extend_from_slice(part);
                    Ok(())
                };
                done = framing.feed(part, &mut keep).unwrap();
            }
            assert!(done);
            assert_eq!(body, b"hello!");
        }
    }

    #[test]
    fn a_head_tells_status_length_and_whether_the_connection_stays() {
        let head = Head::read(b"HTTP/1.1 429 Too Many\r\nContent-Length: 12\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!(head.status, 429);
        assert!(matches!(head.framing, Framing::Length(12)));
        assert!(!head.reusable);
    }

    #[test]
    fn bytes_after_an_answer_are_a_mistake() {
        let mut take = |_: &[u8]| Ok(());
        Framing::Length(2).feed(b"abc", &mut take).unwrap_err();
        let mut chunked = Framing::Chunked(Chunked::Size { size: 0, extension: false });
        chunked.feed(b"0\r\n\r\nHTTP/1.1 200 OK", &mut take).unwrap_err();
    }
}
