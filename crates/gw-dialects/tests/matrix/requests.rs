//! What clients send, in the words of every provider.

use gw_core::Error;
use gw_core::chat::{ChatRequest, Loss};
use gw_dialects::chat::{Encoded, Target};

use crate::table::ingresses;
use serde_json::{Value, json};

use crate::fixtures::{self, File, PROVIDER};
use crate::golden::Golden;
use crate::known::Law;
use crate::report::Report;
use crate::specs::Specs;
use crate::table::{self, MODELS};

#[test]
fn every_request_is_said_in_every_providers_words_as_agreed() {
    let (mut golden, mut report) = (Golden::open("requests"), Report::new(Law::Request));
    let mut specs = Specs::find();
    each_request(|ingress, file, request| {
        let case = format!("{ingress}--{}", file.name);
        for model in MODELS.iter().filter(|model| file.name.contains(model.only)) {
            let Some(egress) = table::egress(model.egress) else { continue };
            let target = Target { model: model.model, provider: PROVIDER, stream: request.stream };
            let encoded = egress.encode_request(request, &target);
            golden.check(&format!("{}/{case}.json", model.folder), &document(&encoded));
            let Ok(encoded) = encoded else { continue };
            let (schema, body) = table::sent(model.egress, &encoded);
            for fault in specs.faults(schema, &body) {
                report.wrong(model.egress, &case, fault);
            }
        }
    });
    golden.finish();
    report.finish_if(specs.are_here());
}

#[test]
fn a_request_that_goes_out_as_it_came_says_the_same_or_what_was_lost() {
    let mut report = Report::new(Law::RoundTrip);
    each_request(|name, file, request| {
        let (Some(ingress), Some(egress)) = (table::ingress(name), table::egress(name)) else { return };
        let target = Target { model: &request.model, provider: PROVIDER, stream: request.stream };
        let Ok(encoded) = egress.encode_request(request, &target) else { return };
        if !encoded.losses.is_empty() {
            return;
        }
        let line = file.line(name);
        match ingress.decode_request(&line.as_request_line(), &encoded.body) {
            Err(error) => report.wrong(name, &file.name, error),
            Ok(again) => {
                let difference = difference(request, again);
                difference.iter().for_each(|difference| report.wrong(name, &file.name, difference));
            }
        }
    });
    report.finish();
}

fn each_request(mut take: impl FnMut(&str, &File, &ChatRequest)) {
    for (name, ingress) in ingresses() {
        for file in fixtures::list(name, "requests") {
            let line = file.line(name);
            match ingress.decode_request(&line.as_request_line(), &file.bytes) {
                Ok(request) => take(name, &file, &request),
                Err(error) => panic!("{name} refuses {}: {error}", file.name),
            }
        }
    }
}

/// An encoded request, for people to read.
fn document(encoded: &Result<Encoded, Error>) -> String {
    let value = match encoded {
        Err(error) => json!({"error": {"code": error.code.name(), "param": error.param, "message": error.message}}),
        Ok(encoded) => {
            let headers = encoded.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
            let body: Value = serde_json::from_slice(&encoded.body).unwrap();
            let mut value = json!({"path": encoded.path, "headers": Value::from_iter(headers), "body": body});
            if !encoded.losses.is_empty() {
                value["losses"] = encoded.losses.iter().map(loss).collect();
            }
            if !encoded.names.0.is_empty() {
                value["names"] =
                    Value::from_iter(encoded.names.0.iter().map(|(sent, name)| (sent.as_str(), name.as_str())));
            }
            value
        }
    };
    format!("{}\n", serde_json::to_string_pretty(&value).unwrap())
}

fn loss(loss: &Loss) -> String {
    loss.to_string()
}

/// What the gateway asks of its own accord: Responses that are not kept, whose thoughts come along.
const OURS: [&str; 2] = ["store", "include"];

/// The first thing that two requests say differently.
fn difference(one: &ChatRequest, mut other: ChatRequest) -> Option<String> {
    other.include_usage = one.include_usage;
    other.extra.members.retain(|name, _| one.extra.members.contains_key(name) || !OURS.contains(&name.as_str()));
    other.extra.family = one.extra.family;
    if *one == other {
        return None;
    }
    let (one, other) = (format!("{one:#?}"), format!("{other:#?}"));
    let mut lines = one.lines().zip(other.lines());
    let (was, is) = lines.find(|(was, is)| was != is).unwrap_or(("less", "more"));
    Some(format!("{} became {}", was.trim(), is.trim()))
}
