//! Amazon Bedrock's InvokeModel around Anthropic's Messages. Facts are from Anthropic's Python SDK 2.12.0 (`lib/bedrock`)
//! and from the API's model (`bedrock-runtime-service-2`), unless a comment says otherwise.

use std::rc::Rc;

use http::header::ACCEPT;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::bedrock_stream::Chunks;
use super::{ANTHROPIC_BETA, ANTHROPIC_VERSION, Envelope, Letter, Unframe, VERSION_MEMBER, segment};
use crate::anthropic_messages;
use crate::bedrock_converse::BedrockConverse;
use crate::chat::Egress;
use crate::edit;

/// The only version that the models up to Opus 4.6 take, and that all others take as well.
const VERSION: &str = "bedrock-2023-05-31";
/// The member with the betas.
const BETAS: &str = "anthropic_beta";
/// The media type of what is asked for: the answer's, or that of what a stream's frames hold.
const STREAM_ACCEPT: HeaderName = HeaderName::from_static("x-amzn-bedrock-accept");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("application/vnd.amazon.eventstream");

/// `InvokeModel` and `InvokeModelWithResponseStream`.
#[derive(Debug)]
pub(super) struct Invoke;

impl Envelope for Invoke {
    fn path(&self, model: &str, stream: bool) -> String {
        let verb = if stream { "invoke-with-response-stream" } else { "invoke" };
        format!("/model/{}/{verb}", segment(model).replace('@', "%40"))
    }

    fn wrap(&self, letter: &mut Letter<'_>) {
        letter.headers.remove(ANTHROPIC_VERSION);
        betas(letter);
        letter.edits.push(edit::set(letter.head, letter.body, VERSION_MEMBER, edit::json_string(VERSION)));
        // Said by the path.
        for name in ["model", "stream"] {
            letter.edits.extend(edit::remove(letter.head, letter.body, name));
        }
        letter.headers.insert(ACCEPT, if letter.stream { EVENT_STREAM } else { JSON });
        if letter.stream {
            letter.headers.insert(STREAM_ACCEPT, JSON);
        }
    }

    fn holds(&self, body: &[u8]) -> bool {
        !anthropic_messages::names_addresses(body)
    }

    /// Observed by Vercel's AI SDK: sources of the type `url` are refused.
    fn takes_urls(&self) -> bool {
        false
    }

    fn unframe(&self, provider: &Rc<str>) -> Option<Box<dyn Unframe>> {
        Some(Box::new(Chunks::new(Rc::clone(provider))))
    }

    fn refuses_in(&self) -> Option<&'static dyn Egress> {
        Some(&BedrockConverse)
    }
}

/// Moves the betas from their header to the body, behind those that the body has.
fn betas(letter: &mut Letter<'_>) {
    let mut betas: Vec<String> = match letter.head.fields.get(letter.body, BETAS) {
        Some(field) => serde_json::from_slice(&letter.body[field.value()]).unwrap_or_default(),
        None => Vec::new(),
    };
    let before = betas.len();
    for value in letter.headers.get_all(ANTHROPIC_BETA) {
        let names = value.to_str().unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
        for name in names {
            if !betas.iter().any(|known| known == name) {
                betas.push(name.to_owned());
            }
        }
    }
    letter.headers.remove(ANTHROPIC_BETA);
    if betas.len() > before {
        let list = Value::from(betas).to_string().into();
        letter.edits.push(edit::set(letter.head, letter.body, BETAS, list));
    }
}
