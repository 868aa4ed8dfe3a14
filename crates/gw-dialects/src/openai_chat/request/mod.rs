//! What is asked: read from an application, and written for a provider.

mod content;
mod decode;
mod encode;
mod messages;
mod options;
mod read;
mod tools;
mod turns;
mod write;

pub(super) use decode::decode;
pub(super) use encode::encode;
