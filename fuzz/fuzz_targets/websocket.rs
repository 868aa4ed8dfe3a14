//! Frames of a WebSocket: any bytes, in any pieces, from either side.
#![no_main]

#[path = "../../crates/gw-dialects/tests/checks/frames.rs"]
mod frames;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| frames::check(bytes));
