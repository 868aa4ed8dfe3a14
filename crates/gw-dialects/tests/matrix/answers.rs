//! What providers answer, whole, in the words of every client.

use bytes::BytesMut;
use gw_core::chat::{Candidate, ChatAnswer, Extra, Family};
use serde_json::{Map, Value};

use crate::fixtures;
use crate::golden::Golden;
use crate::known::Law;
use crate::report::Report;
use crate::specs::Specs;
use crate::table::{self, egresses, ingresses};

/// Of each dialect that has such members, one that its clients would take for their own.
const MEMBERS: [&str; 4] = ["system_fingerprint", "container", "promptFeedback", "trace"];

#[test]
fn members_of_one_family_are_not_told_to_clients_of_another() {
    let members: Map<String, Value> = MEMBERS.iter().map(|name| ((*name).to_owned(), Value::from("mark"))).collect();
    // No client speaks these families.
    for family in [Family::Bedrock, Family::Cohere, Family::Ollama] {
        let extra = Extra { family, members: members.clone() };
        let answer = ChatAnswer { candidates: vec![Candidate::default()], extra, ..ChatAnswer::default() };
        for (name, ingress) in ingresses() {
            let whole = ingress.encode_answer(&answer, &fixtures::asked(false));
            let (mut encoder, mut stream) = (ingress.encoder(fixtures::asked(true)), BytesMut::new());
            answer.clone().into_events().iter().for_each(|event| encoder.encode(event, &mut stream));
            encoder.end(&mut stream);
            for said in [&whole[..], &stream[..]] {
                let said = String::from_utf8_lossy(said);
                assert!(!said.contains("mark"), "{name} tells {family:?}: {said}");
            }
        }
    }
}

#[test]
fn every_answer_is_said_in_every_clients_words_as_agreed() {
    let (mut golden, mut report) = (Golden::open("answers"), Report::new(Law::Answer));
    let mut specs = Specs::find();
    for (origin, egress) in egresses() {
        for file in fixtures::list(origin, "answers") {
            let case = format!("{origin}--{}", file.name);
            let answer = match egress.decode_answer(&file.bytes, &fixtures::origin()) {
                Ok(answer) => answer,
                Err(error) => panic!("{origin} cannot read {}: {error}", file.name),
            };
            for (name, ingress) in ingresses() {
                let body = ingress.encode_answer(&answer, &fixtures::asked(false));
                let body: Value =
                    serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{name} {case}: {error}"));
                let text = serde_json::to_string_pretty(&body).unwrap();
                golden.check(&format!("{name}/{case}.json"), &format!("{text}\n"));
                for fault in specs.faults(table::dialect(name).answer, &body) {
                    report.wrong(name, &case, fault);
                }
            }
        }
    }
    golden.finish();
    report.finish_if(specs.are_here());
}
