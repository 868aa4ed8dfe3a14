//! Answers in pieces: read from providers ([`Decoder`]), written for applications ([`Encoder`]).

mod decode;
mod encode;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;
