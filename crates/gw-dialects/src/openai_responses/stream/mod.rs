//! Answers in pieces: read from a provider (`decode`, `item`), written for a client (`encode`, `open`).

mod decode;
mod encode;
mod item;
mod open;

pub(super) use decode::Decoder;
pub(super) use encode::{Encoder, encode_whole};
