//! The seeds of the fuzz targets, and what fuzzing has found, without a fuzzer.
#![expect(clippy::unwrap_used, reason = "what does not hold stops the test")]
#![expect(clippy::print_stdout, reason = "names the input that a check stopped at")]

#[path = "checks/chat.rs"]
mod chat;
#[path = "checks/chat_answers.rs"]
mod chat_answers;
#[path = "checks/chat_requests.rs"]
mod chat_requests;
#[path = "checks/chat_streams.rs"]
mod chat_streams;
#[path = "checks/event_stream.rs"]
mod event_stream;
#[path = "checks/form.rs"]
mod form;
#[path = "checks/frames.rs"]
mod frames;
#[path = "checks/request.rs"]
mod request;
#[path = "checks/stream.rs"]
mod stream;

use std::path::{Path, PathBuf};

use gw_dialects::DialectId;
use gw_dialects::chat::{EGRESSES, INGRESSES};

fn seeds(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let seeds: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds
}

fn replay(target: &str, check: fn(&[u8])) {
    for path in seeds(target) {
        println!("{}", path.display());
        check(&std::fs::read(&path).unwrap());
    }
}

#[test]
fn every_stream_of_the_corpus_is_read_the_same_in_any_pieces() {
    replay("sse", stream::check);
}

#[test]
fn every_request_of_the_corpus_changes_only_where_it_is_meant() {
    replay("head_scan", request::check);
}

#[test]
fn every_chat_of_the_corpus_can_be_put_into_every_providers_words() {
    replay("chat_requests", chat_requests::check);
}

#[test]
fn every_answer_of_the_corpus_can_be_put_into_every_clients_words() {
    replay("chat_answers", chat_answers::check);
}

#[test]
fn every_answer_in_pieces_of_the_corpus_means_the_same_however_it_is_cut() {
    replay("chat_streams", chat_streams::check);
}

#[test]
fn every_stream_of_messages_of_the_corpus_is_written_as_it_came() {
    replay("event_stream", event_stream::check);
}

#[test]
fn every_form_of_the_corpus_is_read_the_same_in_any_pieces() {
    replay("multipart", form::check);
}

#[test]
fn every_frame_of_the_corpus_is_read_the_same_in_any_pieces() {
    replay("websocket", frames::check);
}

/// A new dialect moves those behind it in the list: the first bytes of their seeds move along.
#[test]
fn every_seed_of_a_chat_is_for_the_dialect_that_its_name_begins_with() {
    let assert_chosen = |target: &str, chosen: fn(&[u8]) -> Option<DialectId>| {
        for path in seeds(target) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let dialect = chosen(&std::fs::read(&path).unwrap()).map_or("", DialectId::name);
            assert_eq!(name.split("--").next(), Some(dialect), "{target}/{name}");
        }
    };
    assert_chosen("chat_requests", |input| chat::choose(INGRESSES, input).map(|(dialect, ..)| dialect));
    assert_chosen("chat_answers", |input| chat::choose(EGRESSES, input).map(|(dialect, ..)| dialect));
    assert_chosen("chat_streams", |input| chat::choose(EGRESSES, input).map(|(dialect, ..)| dialect));
}
