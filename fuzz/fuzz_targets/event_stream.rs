//! Amazon's event streams: any bytes, in any pieces; what is read is written as it came.
#![no_main]

#[path = "../../crates/gw-dialects/tests/checks/event_stream.rs"]
mod event_stream;

libfuzzer_sys::fuzz_target!(|stream: &[u8]| event_stream::check(stream));
