//! Answers in pieces. The reader is the way to read a whole answer too: as a stream of one piece.

mod calls;
mod decode;
mod encode;
mod lane;
mod queue;
mod reader;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;
pub(super) use reader::Reader;
