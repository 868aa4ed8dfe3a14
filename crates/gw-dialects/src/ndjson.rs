//! Streams of JSON texts, one on each line (NDJSON): where the lines end.

use memchr::{memchr, memrchr};

/// A line of this size is not an event.
pub const LINE_BYTES_MAX: usize = crate::sse::EVENT_BYTES_MAX;

/// A line is larger than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineTooLarge {
    /// The limit.
    pub bytes_max: usize,
}

/// Cuts a stream, however it arrives, into whole lines.
#[derive(Debug)]
pub struct Cutter {
    /// The beginning of a line that is not complete.
    pending: Vec<u8>,
    line_bytes_max: usize,
}

impl Default for Cutter {
    fn default() -> Self {
        Self::new(LINE_BYTES_MAX)
    }
}

impl Cutter {
    /// Lines may be this large.
    pub fn new(line_bytes_max: usize) -> Self {
        Self { pending: Vec::new(), line_bytes_max }
    }

    /// Takes the next piece of the stream and gives the lines that are complete with it, ends included.
    ///
    /// # Errors
    /// The line that has begun is larger than it may be.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<u8>, LineTooLarge> {
        let (ended, begun) = piece.split_at(memrchr(b'\n', piece).map_or(0, |end| end + 1));
        let first = memchr(b'\n', ended).unwrap_or(0);
        let rest = if ended.is_empty() { self.pending.len() + begun.len() } else { begun.len() };
        if self.pending.len() + first > self.line_bytes_max || rest > self.line_bytes_max {
            return Err(LineTooLarge { bytes_max: self.line_bytes_max });
        }
        if ended.is_empty() {
            self.pending.extend_from_slice(begun);
            return Ok(Vec::new());
        }
        let mut whole = std::mem::replace(&mut self.pending, begun.to_vec());
        whole.extend_from_slice(ended);
        Ok(whole)
    }

    /// The line that never ended.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }
}

/// The lines of a text that are not blank, without their ends.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_may_be_cut_anywhere_and_end_in_any_way() {
        let text = "{\"a\":\"é\"}\n\r\n {\"b\":2} \r\n\n{\"c\":3}";
        let whole = ["{\"a\":\"é\"}", "{\"b\":2}", "{\"c\":3}"].map(str::as_bytes);
        assert_eq!(lines(text.as_bytes()).collect::<Vec<_>>(), whole);
        for at in 0..=text.len() {
            let (one, other) = text.as_bytes().split_at(at);
            let mut cutter = Cutter::default();
            let mut all = cutter.feed(one).unwrap();
            assert!(all.is_empty() || all.ends_with(b"\n"));
            all.extend(cutter.feed(other).unwrap());
            all.extend(cutter.finish());
            assert_eq!(all, text.as_bytes());
        }
    }

    #[test]
    fn a_line_that_never_ends_is_refused() {
        let mut cutter = Cutter::new(4);
        assert_eq!(cutter.feed(b"1234\n123").unwrap(), b"1234\n");
        assert!(cutter.feed(b"4").unwrap().is_empty());
        assert_eq!(cutter.feed(b"5"), Err(LineTooLarge { bytes_max: 4 }));
        assert!(Cutter::new(4).feed(b"12345\n").is_err());
        let mut cutter = Cutter::new(4);
        assert!(cutter.feed(b"123").unwrap().is_empty());
        assert!(cutter.feed(b"45\n").is_err());
    }

    proptest! {
        #[test]
        fn nothing_is_lost(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8)) {
            let mut cutter = Cutter::default();
            let mut all = Vec::new();
            for piece in &pieces {
                all.extend(cutter.feed(piece).unwrap());
            }
            all.extend(cutter.finish());
            prop_assert_eq!(all, pieces.concat());
        }
    }
}
