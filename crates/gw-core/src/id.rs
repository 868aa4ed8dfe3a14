//! Identifiers.

use std::fmt;

/// The gateway's own id of a request: 32 lower-case hexadecimal digits that sort by time (UUID version 7, RFC 9562,
/// without dashes).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 32]);

impl RequestId {
    /// Writes the 128 bits of a version 7 UUID as text.
    pub fn from_u128(bits: u128) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0u8; 32];
        for (place, byte) in text.chunks_exact_mut(2).zip(bits.to_be_bytes()) {
            place[0] = DIGITS[usize::from(byte >> 4)];
            place[1] = DIGITS[usize::from(byte & 0x0f)];
        }
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // The bytes are hexadecimal digits by construction.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_hexadecimal_text_of_its_bits() {
        let id = RequestId::from_u128(0x0193_5f00_0000_7000_8000_0000_0000_00ff);
        assert_eq!(id.as_str(), "01935f0000007000800000000000 00ff".replace(' ', ""));
    }
}
