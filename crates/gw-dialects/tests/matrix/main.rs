//! Every dialect with every other: what a client may say is put into the words of every provider, what a provider may
//! answer into those of every client, whole and as a stream. The results are compared with files that people have read
//! (`fixtures/golden`), and with the vendors' own schemas. `fixtures/README.md` says how to add a case.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what does not hold stops the test")]

mod answers;
mod envelopes;
mod fixtures;
mod given;
mod golden;
mod known;
mod replay;
mod report;
mod requests;
#[path = "../support/specs.rs"]
mod specs;
mod stored;
mod streams;
mod table;
