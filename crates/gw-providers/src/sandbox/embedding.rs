//! Embeddings: unit vectors that depend on nothing but the input.

use std::iter::once;

use bytes::Bytes;
use http::Response;
use serde::Serialize;

use super::model::{Answering, Quirk};
use super::problem::Problem;
use super::request::{self, EmbeddingRequest, EncodingFormat, InputItem};
use super::text;
use super::wire::to_json;
use super::{SandboxBody, whole_answer};

const DIMENSIONS_DEFAULT: usize = 256;
const DIMENSIONS_MAX: usize = 3_072;

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct Tail {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<EmbeddingUsage>,
}

#[derive(Serialize)]
struct EmbeddingUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// Answers an embeddings request. The vectors are made one by one, while the answer is read.
pub(super) fn respond(answering: Answering, body: &Bytes) -> Result<Response<SandboxBody>, Problem> {
    let request: EmbeddingRequest = request::read(body)?;
    let dimensions = request.dimensions.unwrap_or(DIMENSIONS_DEFAULT);
    if !(1..=DIMENSIONS_MAX).contains(&dimensions) {
        let message = format!("dimensions must be between 1 and {DIMENSIONS_MAX}.");
        return Err(Problem::invalid_field("dimensions", message));
    }
    let items = request.input.items("input")?;
    let tokens = items.iter().map(InputItem::tokens).sum();
    let usage = EmbeddingUsage { prompt_tokens: tokens, total_tokens: tokens };
    let tail = Tail { model: request.model, usage: (answering.quirk != Quirk::NoUsage).then_some(usage) };
    let format = request.encoding_format.unwrap_or(EncodingFormat::Float);
    let vectors = items.into_iter().enumerate().map(move |(index, item)| {
        let vector = unit_vector(item.fingerprint(), dimensions);
        let embedding = match format {
            EncodingFormat::Float => Vector::Floats(vector),
            EncodingFormat::Base64 => Vector::Base64(base64(&little_endian(&vector))),
        };
        let comma: &[u8] = if index == 0 { b"" } else { b"," };
        Bytes::from([comma, &to_json(&Embedding { object: "embedding", index, embedding })].concat())
    });
    let head = Bytes::from_static(br#"{"object":"list","data":["#);
    let tail = to_json(&tail);
    // The list's end takes the place of the tail's opening brace.
    let tail = Bytes::from([b"],", tail.get(1..).unwrap_or_default()].concat());
    Ok(whole_answer(answering.quirk, SandboxBody::flowing(once(head).chain(vectors).chain(once(tail))), 1))
}

impl InputItem {
    /// How many tokens it is.
    pub(super) fn tokens(&self) -> u64 {
        match self {
            Self::Text(text) => text::tokens(text.len()),
            Self::Tokens(tokens) => tokens.len().max(1) as u64,
        }
    }

    fn fingerprint(&self) -> u64 {
        match self {
            Self::Text(text) => text::fingerprint(text.as_bytes()),
            Self::Tokens(tokens) => {
                text::fingerprint(&tokens.iter().flat_map(|token| token.to_le_bytes()).collect::<Vec<_>>())
            }
        }
    }
}

/// A vector of length one in the direction that `seed` gives.
fn unit_vector(seed: u64, dimensions: usize) -> Vec<f32> {
    let mut state = seed;
    let mut vector: Vec<f32> = (0..dimensions).map(|_| next_component(&mut state)).collect();
    let length = vector.iter().map(|component| component * component).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|component| *component /= length);
    } else if let Some(first) = vector.first_mut() {
        *first = 1.0;
    }
    vector
}

/// A number from -1 to 1 (SplitMix64).
fn next_component(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let sixteen_bits = ((mixed ^ (mixed >> 31)) >> 48) as u16;
    f32::from(sixteen_bits) / f32::from(u16::MAX) * 2.0 - 1.0
}

fn little_endian(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|component| component.to_le_bytes()).collect()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for position in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * position) & 63) as usize];
            text.push(if position <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded_as_the_standard_says() {
        let encoded = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(encoded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    #[test]
    fn a_vector_has_length_one_in_every_dimension() {
        for dimensions in [1, 2, 256, DIMENSIONS_MAX] {
            let vector = unit_vector(7, dimensions);
            let length = vector.iter().map(|component| component * component).sum::<f32>().sqrt();
            assert_eq!(vector.len(), dimensions);
            assert!((length - 1.0).abs() < 1e-4, "{length}");
        }
    }
}
