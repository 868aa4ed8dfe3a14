//! What is asked: read from a client (`decode`, `items`, `content`), written for a provider (`encode`, `input`,
//! `spoken`, `results`, `content`).

mod content;
mod decode;
mod encode;
mod input;
mod items;
mod spoken;

pub(super) use content::{annotation, citation, joined};
pub(super) use decode::decode;
pub(super) use encode::{encode, instructions, reasoning, text};
pub(super) use items::{native, phase, thoughts};
