//! Answers of chats: the first byte chooses the dialect; what is understood can be told to every client.
#![no_main]

#[allow(dead_code, reason = "each target uses a part of what the checks have in common")]
#[path = "../../crates/gw-dialects/tests/checks/chat.rs"]
mod chat;
#[path = "../../crates/gw-dialects/tests/checks/chat_answers.rs"]
mod chat_answers;
#[path = "mutate/json.rs"]
mod json;

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    json::mutate(data, size, max_size, seed)
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| chat_answers::check(input));
