//! What is asked: read from applications (`decode`, `parts`), written for providers (`encode` and the rest).

mod choice;
mod content;
mod decode;
mod encode;
mod media;
mod parts;
mod thinking;
mod tools;

pub(super) use decode::decode;
pub(super) use encode::{encode, encode_count};
