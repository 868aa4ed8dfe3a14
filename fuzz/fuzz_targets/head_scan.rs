//! Requests: any bytes; what can be read is changed only where it is meant.
#![no_main]

#[path = "../../crates/gw-dialects/tests/checks/request.rs"]
mod request;

libfuzzer_sys::fuzz_target!(|body: &[u8]| request::check(body));
