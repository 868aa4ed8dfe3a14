//! Ollama's embeddings (`POST /api/embed`), both ends. Facts are from Ollama's OpenAPI document.

use bytes::Bytes;
use gw_core::chat::Family;
use gw_core::embeddings::{EmbedAnswer, EmbedInput, EmbedRequest, Encoding, Truncation};
use gw_core::{Error, RequestId, Usage};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::vector::Written;
use super::{Embed, as_text, in_encoding, one_encoding, purpose, vectors};
use crate::chat::{RequestLine, Target};
use crate::shared::losses::{Losses, NO_SUCH_PARAMETER};
use crate::unary::members::{Members, texts, wrong};
use crate::unary::{Calls, Egress, Ingress, OneCall, Reply};

/// Ollama's embeddings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OllamaEmbed;

impl Ingress<Embed> for OllamaEmbed {
    fn decode_request(&self, _: &RequestLine<'_>, body: &[u8]) -> Result<EmbedRequest, Error> {
        let mut members = Members::of_body(body)?;
        let inputs = match members.take("input") {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(list)) if !list.is_empty() => texts(list, "input")?,
            _ => return Err(wrong("input", "a string or a list of strings")),
        };
        let cut = |cut| if cut { Truncation::End } else { Truncation::Refuse };
        Ok(EmbedRequest {
            model: members.text("model")?.unwrap_or_default(),
            inputs: inputs.into_iter().map(EmbedInput::Text).collect(),
            dimensions: members.count(&["dimensions"])?,
            encodings: vec![Encoding::Float],
            truncation: members.flag("truncate")?.map(cut),
            extra: members.rest(Family::Ollama),
            ..EmbedRequest::default()
        })
    }

    fn encode_answer(&self, answer: &EmbedAnswer, _: &EmbedRequest, _: RequestId) -> Result<Bytes, Error> {
        #[derive(Serialize)]
        struct Answer<'a> {
            model: &'a str,
            embeddings: Vec<Written<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            prompt_eval_count: Option<u64>,
        }
        let (encoding, vectors) = in_encoding(answer, Encoding::Float).unwrap_or((Encoding::Float, &[]));
        super::body(&Answer {
            model: &answer.model,
            embeddings: vectors.iter().map(|vector| Written::new(vector, encoding)).collect(),
            prompt_eval_count: answer.usage.map(|usage| usage.input_tokens),
        })
    }
}

impl Egress<Embed> for OllamaEmbed {
    fn encode_request(&self, request: &EmbedRequest, target: &Target<'_>) -> Result<Calls, Error> {
        let mut losses = Losses::default();
        let inputs: Result<Vec<_>, _> = request.inputs.iter().map(|input| as_text(input, &mut losses)).collect();
        let mut members =
            Map::from_iter([("model".to_owned(), json!(target.model)), ("input".to_owned(), json!(inputs?))]);
        if let Some(dimensions) = request.dimensions {
            members.insert("dimensions".to_owned(), json!(dimensions));
        }
        match request.truncation {
            Some(Truncation::Refuse) => drop(members.insert("truncate".to_owned(), json!(false))),
            Some(Truncation::End) => drop(members.insert("truncate".to_owned(), json!(true))),
            Some(Truncation::Start) => losses.drop("truncate", NO_SUCH_PARAMETER),
            None => {}
        }
        for (name, asked) in [("user", request.user.is_some()), ("title", request.title.is_some())] {
            if asked {
                losses.drop(name, NO_SUCH_PARAMETER);
            }
        }
        one_encoding(request, &[], &mut losses);
        purpose::unsaid(request.purpose, &mut losses);
        if let Some(own) = losses.extra_of(&request.extra, Family::Ollama) {
            members.extend(own.clone());
        }
        Ok(Calls { calls: vec![OneCall::json("", &Value::Object(members))], losses: losses.into_vec() })
    }

    fn decode_answer(&self, reply: &Reply<'_>, _: &EmbedRequest) -> Result<EmbedAnswer, Error> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            model: Option<String>,
            #[serde(borrow)]
            embeddings: Vec<&'a RawValue>,
            prompt_eval_count: Option<u64>,
        }
        let answer: Answer<'_> = reply.read()?;
        let usage = answer.prompt_eval_count;
        Ok(EmbedAnswer {
            id: None,
            model: answer.model.unwrap_or_else(|| reply.model.to_owned()),
            vectors: vec![(Encoding::Float, vectors(reply, &answer.embeddings)?)],
            usage: usage.map(|input_tokens| Usage { input_tokens, ..Usage::default() }),
        })
    }
}
