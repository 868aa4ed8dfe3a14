//! What providers answer, whole, in the words of every client.

use crate::table::{egresses, ingresses};
use serde_json::Value;

use crate::fixtures;
use crate::golden::Golden;
use crate::known::Law;
use crate::report::Report;
use crate::specs::Specs;
use crate::table;

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
