//! The seeds of the fuzz target `config`, and what fuzzing has found, without a fuzzer.

#[path = "checks/text.rs"]
mod text;

use std::path::Path;

#[test]
fn every_text_of_the_corpus_is_a_configuration_or_has_mistakes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/config");
    let seeds: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    for seed in seeds {
        text::check(&std::fs::read_to_string(seed).unwrap());
    }
}
