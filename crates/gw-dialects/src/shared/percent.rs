//! Percent-encoding (RFC 3986 §2.1).

use std::fmt::Write as _;

/// Appends a text. RFC 3986's unreserved letters stay as they are, and so do those of `plain`.
pub fn encode_into(out: &mut String, text: &str, plain: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// The bytes that `%XX` stand for; what is no escape stays.
pub fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_to_itself_and_what_is_no_escape_stays() {
        let mut encoded = String::new();
        encode_into(&mut encoded, "a/b c~é@%", b"@");
        assert_eq!(encoded, "a%2Fb%20c~%C3%A9@%25");
        assert_eq!(decoded(&encoded), "a/b c~é@%".as_bytes());
        assert_eq!(decoded("100%, %zz, %4"), b"100%, %zz, %4");
    }
}
