//! What goes into envelopes: what clients of the dialect within wrote, and what the dialect wrote for all others.

use bytes::Bytes;
use gw_dialects::DialectId;
use gw_dialects::chat::{Encoded, Target};
use gw_dialects::envelope::{ENVELOPES, Envelope, Letter};
use gw_dialects::{edit, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::fixtures::{self, PROVIDER};
use crate::golden::Golden;
use crate::known::Law;
use crate::report::Report;
use crate::specs::{Schema, Specs};
use crate::table::{self, ingresses};

/// An envelope of chat, with a model behind it.
struct Row {
    name: String,
    dialect: DialectId,
    envelope: &'static dyn Envelope,
    model: &'static str,
}

fn rows() -> impl Iterator<Item = Row> {
    ENVELOPES.iter().filter_map(|(place, dialect, envelope)| {
        let model = match (*place, *dialect) {
            (_, DialectId::AnthropicCountTokens | DialectId::GeminiCountTokens) => return None,
            ("bedrock", DialectId::AnthropicMessages) => "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            ("vertex", DialectId::AnthropicMessages) => "claude-sonnet-4-5@20250929",
            ("vertex", DialectId::Gemini) => "gemini-3-pro",
            (place, dialect) => panic!("{place} around {} has no model here", dialect.name()),
        };
        let name = format!("{}@{place}", dialect.name());
        Some(Row { name, dialect: *dialect, envelope: *envelope, model })
    })
}

impl Row {
    /// A request as the provider gets it.
    fn wrapped(&self, body: &Bytes, mut headers: HeaderMap, stream: bool) -> Encoded {
        let head = request::scan(self.dialect, body).unwrap();
        let edits = edit::Edits::new();
        let mut letter = Letter { model: self.model, stream, head: &head, body, edits, headers: &mut headers };
        self.envelope.wrap(&mut letter);
        let edits = letter.edits;
        let path = self.envelope.path(self.model, stream);
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Encoded { path, headers, body: edit::apply(body, edits).concat(), ..Encoded::default() }
    }

    /// The vendor's schema, and the body as that knows it: without what only the envelope has.
    fn schema(&self, encoded: &Encoded) -> (Schema, Value) {
        let mut body: Value = serde_json::from_slice(&encoded.body).unwrap();
        if self.dialect == DialectId::Gemini {
            let pointer = "#/$defs/GoogleCloudAiplatformV1GenerateContentRequest";
            return (Schema { file: "vertex-aiplatform-v1.schema.json", pointer }, body);
        }
        let members = body.as_object_mut().unwrap();
        let version = members.shift_remove("anthropic_version").unwrap();
        assert!(["vertex-2023-10-16", "bedrock-2023-05-31"].iter().any(|known| version == *known), "{version}");
        assert_eq!(members.insert("model".to_owned(), json!(self.model)), None, "{}", self.name);
        (table::dialect("anthropic_messages").request, body)
    }
}

#[test]
fn what_clients_of_the_dialect_wrote_is_in_the_envelope_as_they_wrote_it() {
    let mut golden = Golden::open("envelopes");
    for row in rows() {
        for file in fixtures::list(row.dialect.name(), "requests") {
            let line = file.line(row.dialect.name());
            let line = line.as_request_line();
            let stream = line.stream.unwrap_or(false) || file.json()["stream"] == true;
            let encoded = row.wrapped(&file.bytes.clone().into(), line.headers.unwrap().clone(), stream);
            let headers = encoded.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
            let body = String::from_utf8(encoded.body.clone()).unwrap();
            let text = format!("POST {}\n{}\n{body}\n", encoded.path, headers.collect::<String>());
            golden.check(&format!("{}/{}.http", row.name, file.name), &text);
        }
    }
    golden.finish();
}

#[test]
fn what_is_said_in_the_dialect_for_others_is_what_the_vendor_takes() {
    let (mut specs, mut report) = (Specs::find(), Report::new(Law::Envelope));
    for (ingress_name, ingress) in ingresses() {
        for file in fixtures::list(ingress_name, "requests") {
            let line = file.line(ingress_name);
            let request = ingress.decode_request(&line.as_request_line(), &file.bytes).unwrap();
            for row in rows() {
                let target = Target { model: row.model, provider: PROVIDER, stream: request.stream };
                let egress = table::egress(row.dialect.name()).unwrap();
                let Ok(encoded) = egress.encode_request(&request, &target) else { continue };
                let headers: HeaderMap<HeaderValue> = encoded.headers.into_iter().collect::<HeaderMap<HeaderValue>>();
                let wrapped = row.wrapped(&encoded.body.into(), headers, request.stream);
                let left = |name: &'static str| {
                    wrapped.headers.iter().any(|(known, _)| *known == HeaderName::from_static(name))
                };
                assert!(!left("anthropic-version"), "{}", row.name);
                let (schema, body) = row.schema(&wrapped);
                let case = format!("{ingress_name}--{}", file.name);
                specs.faults(schema, &body).into_iter().for_each(|fault| report.wrong(&row.name, &case, fault));
            }
        }
    }
    report.finish_if(specs.are_here());
}
