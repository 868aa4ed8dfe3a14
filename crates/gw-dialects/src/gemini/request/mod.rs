//! Requests: what clients of Google's dialect ask ([`mod@decode`]), and what Google is asked ([`mod@encode`]).

mod calls;
mod config;
mod content;
mod decode;
mod encode;
mod thinking;
mod tools;
mod turns;

#[cfg(test)]
mod tests;

pub(super) use decode::{decode, decode_count};
pub(super) use encode::{encode, path};
