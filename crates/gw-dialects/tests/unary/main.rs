//! Embeddings and reranking, every dialect with every other: what a client may say is put into the words of every
//! provider, what a provider may answer into those of every client. The results are compared with files that people have
//! read (`fixtures/golden`), and with the vendors' own schemas.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what does not hold stops the test")]

mod fixtures;
#[path = "../matrix/golden.rs"]
mod golden;
#[expect(dead_code, reason = "shared with a test that uses all of it")]
#[path = "../support/specs.rs"]
mod specs;
mod table;

use gw_core::chat::Loss;
use gw_core::embeddings::{EmbedRequest, Encoding};
use gw_core::rerank::{Document, RerankRequest};
use gw_core::{Error, RequestId};
use gw_dialects::chat::{RequestLine, Target};
use gw_dialects::embeddings::Embed;
use gw_dialects::rerank::Rerank;
use gw_dialects::unary::{Calls, Reply, Unary};
use serde_json::{Value, json};

use crate::fixtures::{File, PROVIDER};
use crate::golden::Golden;
use crate::specs::Specs;

fn request_id() -> RequestId {
    RequestId::from_u128(0x0193_5f00_0000_7000_8000_0000_0000_00ff)
}

#[test]
fn every_request_for_vectors_is_said_in_every_providers_words_as_agreed() {
    requests::<Embed>("embeddings/requests");
}

#[test]
fn every_request_for_an_order_is_said_in_every_providers_words_as_agreed() {
    requests::<Rerank>("rerank/requests");
}

#[test]
fn every_answer_with_vectors_is_said_in_every_clients_words_as_agreed() {
    let vectors = |answer: &gw_core::embeddings::EmbedAnswer| answer.vectors.first().map_or(0, |(_, all)| all.len());
    answers::<Embed>("embeddings/answers", |encoding, answer| EmbedRequest {
        model: "model-of-the-client".to_owned(),
        inputs: (0..vectors(answer)).map(|n| gw_core::embeddings::EmbedInput::Text(format!("text {n}"))).collect(),
        encodings: vec![encoding],
        ..EmbedRequest::default()
    });
}

#[test]
fn every_answer_with_an_order_is_said_in_every_clients_words_as_agreed() {
    answers::<Rerank>("rerank/answers", |encoding, _| RerankRequest {
        documents: ["first", "second", "third"].map(|text| Document::Text(text.to_owned())).to_vec(),
        // As good as any other way to tell two cases apart.
        return_documents: encoding == Encoding::Base64,
        ..RerankRequest::default()
    });
}

fn requests<O: Unary>(folder: &str)
where
    O::Request: PartialEq + std::fmt::Debug,
{
    let (mut golden, mut specs, mut wrong) = (Golden::open(folder), Specs::find(), Vec::new());
    for (client, ingress) in O::INGRESSES {
        for file in fixtures::list(client.name(), "requests") {
            let line = RequestLine { model: Some(&file.model), stream: None, headers: Some(&file.headers) };
            let request = ingress.decode_request(&line, &file.bytes);
            let request = request.unwrap_or_else(|error| panic!("{} refuses {}: {error}", client.name(), file.name));
            for (provider, egress) in O::EGRESSES {
                for model in table::models(*provider) {
                    let target = Target { model, provider: PROVIDER, stream: false };
                    let said = egress.encode_request(&request, &target);
                    let place = format!("{}@{model}/{}--{}.json", provider.name(), client.name(), file.name);
                    golden.check(&place.replace("@m/", "/").replace(':', "-"), &document(&said));
                    let Ok(said) = said else { continue };
                    for call in &said.calls {
                        let body: Value = serde_json::from_slice(&call.body).unwrap();
                        // What others than the vendor added is not held against its schema.
                        for schema in table::requests(*provider).iter().filter(|_| !file.name.starts_with("beyond-")) {
                            let faults = specs.faults(*schema, &body);
                            wrong.extend(faults.into_iter().map(|fault| format!("{place}: {fault}")));
                        }
                    }
                    // What goes out as it came says the same, but for what the gateway does itself.
                    let is_ours = ["base64", "repeated"].iter().any(|own| file.name.contains(own));
                    let is_law = !is_ours && said.losses.is_empty() && said.calls.len() == 1;
                    if provider == client && is_law {
                        let again = ingress.decode_request(&line, &said.calls[0].body).unwrap();
                        assert_eq!(again, request, "{place}");
                    }
                }
            }
        }
    }
    golden.finish();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn answers<O: Unary>(folder: &str, request: impl Fn(Encoding, &O::Answer) -> O::Request) {
    let (mut golden, mut specs, mut wrong) = (Golden::open(folder), Specs::find(), Vec::new());
    for (provider, egress) in O::EGRESSES {
        let files = fixtures::list(provider.name(), "answers");
        assert!(!files.is_empty(), "{} has no answers", provider.name());
        for File { name, bytes, model, headers } in files {
            let reply = Reply { headers: &headers, body: &bytes, provider: PROVIDER, model: &model };
            let answer = egress.decode_answer(&reply, &O::Request::default());
            let answer = answer.unwrap_or_else(|error| panic!("{} {name}: {error}", provider.name()));
            for (client, ingress) in O::INGRESSES {
                for encoding in [Encoding::Float, Encoding::Base64] {
                    let body = ingress.encode_answer(&answer, &request(encoding, &answer), request_id()).unwrap();
                    let place = format!("{}/{}--{name}.{}.json", client.name(), provider.name(), encoding.name());
                    // As it goes out: the digits of numbers matter.
                    golden.check(&place, &format!("{}\n", std::str::from_utf8(&body).unwrap()));
                    let body: Value = serde_json::from_slice(&body).unwrap();
                    for schema in table::answers(*client).iter().filter(|_| encoding == Encoding::Float) {
                        let faults = specs.faults(*schema, &body);
                        // Cohere's document requires a member that it does not describe and that no answer has.
                        let faults =
                            faults.into_iter().filter(|fault| !fault.contains("\"api_version\" is a required"));
                        wrong.extend(faults.map(|fault| format!("{place}: {fault}")));
                    }
                }
            }
        }
    }
    golden.finish();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A request as it goes out, for people to read.
fn document(said: &Result<Calls, Error>) -> String {
    let value = match said {
        Err(error) => json!({"error": {"code": error.code.name(), "param": error.param, "message": error.message}}),
        Ok(said) => {
            let calls = said.calls.iter().map(|call| {
                let body: Value = serde_json::from_slice(&call.body).unwrap();
                json!({"path": call.path, "body": body})
            });
            let mut value = json!({"calls": calls.collect::<Vec<_>>()});
            if !said.losses.is_empty() {
                value["losses"] = said.losses.iter().map(loss).collect();
            }
            value
        }
    };
    format!("{}\n", serde_json::to_string_pretty(&value).unwrap())
}

fn loss(loss: &Loss) -> String {
    loss.to_string()
}
