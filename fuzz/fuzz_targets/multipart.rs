//! Forms: any bytes, in any pieces.
#![no_main]

#[path = "../../crates/gw-dialects/tests/checks/form.rs"]
mod form;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| form::check(bytes));
