//! Configurations: any text is one, or has mistakes; no secret is told.
#![no_main]

#[path = "../../crates/gw-config/tests/checks/text.rs"]
mod text;

libfuzzer_sys::fuzz_target!(|input: &str| text::check(input));
