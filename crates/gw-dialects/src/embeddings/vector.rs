//! Vectors as they are written: a list of numbers, or 32-bit floats in base64. From one to the other no bit changes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gw_core::embeddings::{Encoding, Vector};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A vector as a dialect writes it.
pub(super) struct Written<'a> {
    vector: &'a Vector,
    /// Whether it must be text in base64, or must be numbers.
    as_base64: bool,
}

impl<'a> Written<'a> {
    /// That vector in that encoding; `None` if what is there are no such numbers.
    pub(super) fn new(vector: &'a Vector, encoding: Encoding) -> Self {
        Self { vector, as_base64: encoding == Encoding::Base64 }
    }
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let unreadable = || serde::ser::Error::custom("a vector that is none");
        match (self.vector, self.as_base64) {
            (Vector::Numbers(numbers), false) => numbers.serialize(serializer),
            (Vector::Base64(text), true) => text.serialize(serializer),
            (Vector::Numbers(numbers), true) => packed(numbers).ok_or_else(unreadable)?.serialize(serializer),
            (Vector::Base64(text), false) => unpacked(text).ok_or_else(unreadable)?.serialize(serializer),
        }
    }
}

/// A vector as a provider wrote it: a list of numbers, or a text in base64. `None` if it is neither.
pub(super) fn read(raw: &RawValue) -> Option<Vector> {
    let text = raw.get();
    if text.starts_with('"') {
        return serde_json::from_str(text).ok().map(Vector::Base64);
    }
    // JSON has been checked: what begins a list and holds no bracket, brace or quotation mark is flat.
    let flat = text.starts_with('[') && !text[1..].contains(['[', '{', '"', 't', 'f', 'n']);
    flat.then(|| Vector::Numbers(raw.to_owned()))
}

/// Numbers as 32-bit floats, little-endian, in base64. `None` if one is none.
fn packed(numbers: &RawValue) -> Option<String> {
    let inner = numbers.get().strip_prefix('[')?.strip_suffix(']')?;
    if inner.trim().is_empty() {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(inner.len() / 2);
    for number in inner.split(',') {
        bytes.extend_from_slice(&number.trim().parse::<f32>().ok()?.to_le_bytes());
    }
    Some(STANDARD.encode(bytes))
}

/// The numbers of 32-bit floats, little-endian, in base64, each in the fewest digits that mean it. `None` if it is none.
fn unpacked(text: &str) -> Option<Box<RawValue>> {
    let bytes = crate::shared::media::bytes(text)?;
    let (floats, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    let floats: Vec<f32> = floats.iter().copied().map(f32::from_le_bytes).collect();
    // JSON has no other numbers; serde_json would write null for them.
    if floats.iter().any(|float| !float.is_finite()) {
        return None;
    }
    serde_json::value::to_raw_value(&floats).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(json: &str) -> Option<Vector> {
        read(serde_json::from_str(json).unwrap())
    }

    fn written(vector: &Vector, encoding: Encoding) -> Option<String> {
        serde_json::to_string(&Written::new(vector, encoding)).ok()
    }

    #[test]
    fn numbers_go_through_as_they_were_written() {
        let json = "[0.10000000149011612, -1e-7,3 ,0.0]";
        assert_eq!(written(&of(json).unwrap(), Encoding::Float).unwrap(), json);
    }

    #[test]
    fn openais_base64_is_little_endian() {
        // numpy.array([1.0, -2.5], dtype="<f4").tobytes()
        assert_eq!(written(&of("[1.0,-2.5]").unwrap(), Encoding::Base64).unwrap(), "\"AACAPwAAIMA=\"");
        assert_eq!(written(&of("\"AACAPwAAIMA=\"").unwrap(), Encoding::Float).unwrap(), "[1.0,-2.5]");
        assert_eq!(written(&of("[]").unwrap(), Encoding::Base64).unwrap(), "\"\"");
    }

    #[test]
    fn what_is_no_vector_is_refused() {
        for json in ["{}", "null", "1", "[[1]]", "[null]", "[\"1\"]", "[true]"] {
            assert!(of(json).is_none(), "{json}");
        }
        for json in ["\"AACAPwA=\"", "\"not base64!\"", "\"AADAfw==\""] {
            assert!(written(&of(json).unwrap(), Encoding::Float).is_none(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn floats_survive_base64_and_back(floats in prop::collection::vec(any::<f32>().prop_filter("finite", |f| f.is_finite()), 0..64)) {
            let json = serde_json::to_string(&floats).unwrap();
            let base64 = written(&of(&json).unwrap(), Encoding::Base64).unwrap();
            let again = written(&of(&base64).unwrap(), Encoding::Float).unwrap();
            prop_assert_eq!(again, json);
        }
    }
}
