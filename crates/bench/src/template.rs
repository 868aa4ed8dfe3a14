//! Prepared text with places for numbers, so that one text serves every request and nothing is formatted on the way.

use bytes::Bytes;
use memchr::memmem;

/// Stands in a text where the nonce goes.
pub(crate) const NONCE: &str = "NNNNNNNNNNNNNNNN";
/// Stands in a text where the number of the chunk goes.
pub(crate) const INDEX: &str = "IIIII";

/// Prepared text with places for a nonce and for the number of a chunk.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    nonce_at: Vec<usize>,
    index_at: Vec<usize>,
}

impl Template {
    /// Finds the places in a text.
    pub(crate) fn new(text: impl Into<Vec<u8>>) -> Self {
        let bytes = text.into();
        let nonce_at = memmem::find_iter(&bytes, NONCE).collect();
        let index_at = memmem::find_iter(&bytes, INDEX).collect();
        Self { bytes, nonce_at, index_at }
    }

    /// Writes the nonce into its places.
    pub(crate) fn set_nonce(&mut self, nonce: u64) {
        for at in &self.nonce_at {
            write_decimal(&mut self.bytes[*at..at + NONCE.len()], nonce);
        }
    }

    /// The text as it stands.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A copy of the text with this nonce and, if there is a place for it, this number.
    pub(crate) fn filled(&self, nonce: u64, index: u64) -> Bytes {
        let mut bytes = self.bytes.clone();
        for at in &self.nonce_at {
            write_decimal(&mut bytes[*at..at + NONCE.len()], nonce);
        }
        for at in &self.index_at {
            write_decimal(&mut bytes[*at..at + INDEX.len()], index);
        }
        Bytes::from(bytes)
    }
}

/// Fills the slice with the last digits of a number, with zeros in front.
fn write_decimal(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789"[(number % 10) as usize];
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_gets_its_number() {
        let template = Template::new(format!("a {NONCE} b {INDEX} c {NONCE}"));
        assert_eq!(template.filled(1234, 7), "a 0000000000001234 b 00007 c 0000000000001234");
    }

    #[test]
    fn a_second_nonce_replaces_the_first() {
        let mut template = Template::new(format!("<{NONCE}>"));
        template.set_nonce(9_999_999_999_999_999);
        template.set_nonce(1);
        assert_eq!(template.bytes(), b"<0000000000000001>");
    }
}
