//! The seeds of the fuzz targets, and what fuzzing has found, without a fuzzer.
#![expect(clippy::unwrap_used, reason = "what does not hold stops the test")]
#![expect(clippy::print_stdout, reason = "names the input that a check stopped at")]

#[path = "checks/request.rs"]
mod request;
#[path = "checks/stream.rs"]
mod stream;

use std::path::Path;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut replayed = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        check(&std::fs::read(&path).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}

#[test]
fn every_stream_of_the_corpus_is_read_the_same_in_any_pieces() {
    replay("sse", stream::check);
}

#[test]
fn every_request_of_the_corpus_changes_only_where_it_is_meant() {
    replay("head_scan", request::check);
}
