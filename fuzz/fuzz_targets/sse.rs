//! Event streams: any bytes, in any pieces.
#![no_main]

#[path = "../../crates/gw-dialects/tests/checks/stream.rs"]
mod stream;

libfuzzer_sys::fuzz_target!(|text: &[u8]| stream::check(text));
