//! Cohere's embeddings, version 2 (`POST /v2/embed`), both ends. Facts are from Cohere's OpenAPI document.

use bytes::Bytes;
use gw_core::chat::Family;
use gw_core::embeddings::{EmbedAnswer, EmbedInput, EmbedPart, EmbedRequest, Encoding, Purpose, Truncation, Vector};
use gw_core::{Error, RequestId, Usage};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::purpose::{self, Words};
use super::vector::Written;
use super::{Embed, as_text, encodings, in_encoding, no_tokens, vectors};
use crate::chat::{RequestLine, Target};
use crate::shared::losses::{Losses, NO_SUCH_PARAMETER};
use crate::unary::members::{Members, texts, wrong};
use crate::unary::{Calls, Egress, Ingress, OneCall, Reply};

/// Cohere's embeddings; the provider's base URL ends in `/v2`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CohereEmbed;

/// Inputs in one call.
const INPUTS_MAX: usize = 96;

/// What Cohere gives besides floats.
const KNOWN: &[Encoding] = &[Encoding::Int8, Encoding::Uint8, Encoding::Binary, Encoding::Ubinary];

impl Ingress<Embed> for CohereEmbed {
    fn decode_request(&self, _: &RequestLine<'_>, body: &[u8]) -> Result<EmbedRequest, Error> {
        let mut members = Members::of_body(body)?;
        let mut inputs: Vec<_> =
            texts(members.list("texts")?.unwrap_or_default(), "texts")?.into_iter().map(EmbedInput::Text).collect();
        let images = texts(members.list("images")?.unwrap_or_default(), "images")?;
        inputs.extend(images.into_iter().map(|url| EmbedInput::Parts(vec![EmbedPart::Image(url)])));
        for input in members.list("inputs")?.unwrap_or_default() {
            inputs.push(mixed(&input)?);
        }
        if inputs.is_empty() {
            return Err(wrong("texts", "a list that is not empty; or send `images` or `inputs`"));
        }
        let word = members
            .text("input_type")?
            .ok_or_else(|| wrong("input_type", "given: search_document, search_query, …"))?;
        let purpose = purpose::read(&word)
            .ok_or_else(|| wrong("input_type", "search_document, search_query, classification, clustering or image"))?;
        Ok(EmbedRequest {
            model: members.text("model")?.unwrap_or_default(),
            inputs,
            dimensions: members.count(&["output_dimension"])?,
            encodings: wanted(members.list("embedding_types")?)?,
            purpose: Some(purpose),
            truncation: members.text("truncate")?.map(|word| truncation(&word)).transpose()?,
            extra: members.rest(Family::Cohere),
            ..EmbedRequest::default()
        })
    }

    fn encode_answer(&self, answer: &EmbedAnswer, request: &EmbedRequest, id: RequestId) -> Result<Bytes, Error> {
        #[derive(Serialize)]
        struct Answer<'a> {
            id: &'a str,
            embeddings: Embeddings<'a>,
            texts: Vec<&'a str>,
            meta: Value,
            response_type: &'static str,
        }
        let texts = request.inputs.iter().filter_map(|input| match input {
            EmbedInput::Text(text) => Some(text.as_str()),
            EmbedInput::Tokens(_) | EmbedInput::Parts(_) => None,
        });
        let mut meta = json!({"api_version": {"version": "2"}});
        if let Some(usage) = answer.usage {
            meta["billed_units"] = json!({"input_tokens": usage.input_tokens});
        }
        super::body(&Answer {
            id: answer.id.as_deref().unwrap_or(id.as_str()),
            embeddings: Embeddings(all_wanted(answer, request)),
            texts: texts.collect(),
            meta,
            response_type: "embeddings_by_type",
        })
    }
}

/// Every encoding that was asked for and is there, or what is there.
fn all_wanted<'a>(answer: &'a EmbedAnswer, request: &EmbedRequest) -> Vec<(Encoding, &'a [Vector])> {
    let there = |encoding: &Encoding| {
        let (given, vectors) = in_encoding(answer, *encoding)?;
        (given == *encoding).then_some((given, vectors))
    };
    let found: Vec<_> = request.encodings.iter().filter_map(there).collect();
    if found.is_empty() { in_encoding(answer, Encoding::Float).into_iter().collect() } else { found }
}

/// The vectors by encoding.
struct Embeddings<'a>(Vec<(Encoding, &'a [Vector])>);

impl Serialize for Embeddings<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = |encoding: Encoding, vectors: &[Vector]| {
            let written: Vec<_> = vectors.iter().map(|vector| Written::new(vector, encoding)).collect();
            serde_json::value::to_raw_value(&written).map_err(serde::ser::Error::custom)
        };
        let mut members = Vec::with_capacity(self.0.len());
        for (encoding, vectors) in &self.0 {
            members.push((encoding.name(), written(*encoding, vectors)?));
        }
        serializer.collect_map(members)
    }
}

impl Egress<Embed> for CohereEmbed {
    fn encode_request(&self, request: &EmbedRequest, target: &Target<'_>) -> Result<Calls, Error> {
        let mut losses = Losses::default();
        let mut members = options(request, &mut losses);
        members.insert("model".to_owned(), json!(target.model));
        if let Some(dimensions) = request.dimensions {
            members.insert("output_dimension".to_owned(), json!(dimensions));
        }
        if let Some(own) = losses.extra_of(&request.extra, Family::Cohere) {
            members.extend(own.clone());
        }
        let bodies = bodies(request, &members, &mut losses)?;
        let call = |body: Value| OneCall::json("", &body);
        Ok(Calls { calls: bodies.into_iter().map(call).collect(), losses: losses.into_vec() })
    }

    fn decode_answer(&self, reply: &Reply<'_>, _: &EmbedRequest) -> Result<EmbedAnswer, Error> {
        decode_answer(reply)
    }
}

/// What the request says besides model, inputs and length of vectors. Bedrock's models of Cohere take the same.
pub(super) fn options(request: &EmbedRequest, losses: &mut Losses) -> Map<String, Value> {
    let mut members = Map::new();
    let purpose = request.purpose.and_then(|purpose| purpose::say(purpose, Words::Cohere, losses));
    let purpose = purpose.unwrap_or_else(|| {
        if only_images(request) {
            return "image";
        }
        let why = "the request does not say what the vectors are for, which the provider must be told; set to `search_document`";
        losses.replace("input_type", why);
        "search_document"
    });
    members.insert("input_type".to_owned(), json!(purpose));
    let types: Vec<_> = encodings(request, KNOWN, losses).into_iter().map(Encoding::name).collect();
    members.insert("embedding_types".to_owned(), json!(types));
    if let Some(truncation) = request.truncation {
        let word = match truncation {
            Truncation::Refuse => "NONE",
            Truncation::Start => "START",
            Truncation::End => "END",
        };
        members.insert("truncate".to_owned(), json!(word));
    }
    for (name, asked) in [("user", request.user.is_some()), ("title", request.title.is_some())] {
        if asked {
            losses.drop(name, NO_SUCH_PARAMETER);
        }
    }
    members
}

/// The bodies of all calls: these members, and as many inputs as one call may have.
pub(super) fn bodies(
    request: &EmbedRequest,
    members: &Map<String, Value>,
    losses: &mut Losses,
) -> Result<Vec<Value>, Error> {
    let has_images = request.inputs.iter().any(has_image);
    let mut bodies = Vec::new();
    for inputs in request.inputs.chunks(INPUTS_MAX) {
        let mut body = members.clone();
        if has_images {
            let inputs: Result<Vec<_>, _> = inputs.iter().map(said_mixed).collect();
            body.insert("inputs".to_owned(), json!(inputs?));
        } else {
            let texts: Result<Vec<_>, _> = inputs.iter().map(|input| as_text(input, losses)).collect();
            body.insert("texts".to_owned(), json!(texts?));
        }
        bodies.push(Value::Object(body));
    }
    Ok(bodies)
}

/// An answer, as Cohere gives it and its models on Bedrock do: vectors by encoding, or floats alone.
pub(super) fn decode_answer(reply: &Reply<'_>) -> Result<EmbedAnswer, Error> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        id: Option<String>,
        #[serde(borrow)]
        embeddings: &'a RawValue,
        #[serde(default)]
        meta: Meta,
    }
    #[derive(Default, Deserialize)]
    struct Meta {
        billed_units: Option<Units>,
        tokens: Option<Units>,
    }
    #[derive(Deserialize)]
    struct Units {
        input_tokens: Option<f64>,
        image_tokens: Option<f64>,
    }
    let answer: Answer<'_> = reply.read()?;
    let text = answer.embeddings.get();
    let mut given = Vec::new();
    if text.starts_with('[') {
        let raw: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|_| reply.invalid("an answer of another shape"))?;
        given.push((Encoding::Float, vectors(reply, &raw)?));
    } else {
        let by_type: std::collections::BTreeMap<String, Option<Vec<&RawValue>>> =
            serde_json::from_str(text).map_err(|_| reply.invalid("an answer of another shape"))?;
        for (name, raw) in by_type {
            let Some((encoding, raw)) = Encoding::from_name(&name).zip(raw) else { continue };
            given.push((encoding, vectors(reply, &raw)?));
        }
    }
    let units = answer.meta.billed_units.or(answer.meta.tokens);
    let usage = units.filter(|units| units.input_tokens.or(units.image_tokens).is_some()).map(|units| {
        let tokens = units.input_tokens.unwrap_or_default() + units.image_tokens.unwrap_or_default();
        Usage { input_tokens: tokens as u64, ..Usage::default() }
    });
    Ok(EmbedAnswer { id: answer.id, model: reply.model.to_owned(), vectors: given, usage })
}

/// What `truncate` says.
pub(super) fn truncation(word: &str) -> Result<Truncation, Error> {
    match word.to_ascii_uppercase().as_str() {
        "NONE" => Ok(Truncation::Refuse),
        "START" => Ok(Truncation::Start),
        "END" => Ok(Truncation::End),
        _ => Err(wrong("truncate", "NONE, START or END")),
    }
}

/// `embedding_types`, each once; floats if there are none.
fn wanted(list: Option<Vec<Value>>) -> Result<Vec<Encoding>, Error> {
    let mut wanted = Vec::new();
    for value in list.unwrap_or_default() {
        let encoding = value.as_str().and_then(Encoding::from_name);
        let encoding = encoding
            .ok_or_else(|| wrong("embedding_types", "a list of float, int8, uint8, binary, ubinary, base64"))?;
        if !wanted.contains(&encoding) {
            wanted.push(encoding);
        }
    }
    if wanted.is_empty() {
        wanted.push(Encoding::Float);
    }
    Ok(wanted)
}

/// One of `inputs`: texts and pictures together.
fn mixed(input: &Value) -> Result<EmbedInput, Error> {
    let shape = || wrong("inputs", "a list of objects with a list `content` of texts and pictures");
    let content = input.get("content").and_then(Value::as_array).filter(|content| !content.is_empty());
    let part = |part: &Value| {
        let text = part.get("text").and_then(Value::as_str).map(|text| EmbedPart::Text(text.to_owned()));
        let url = || part.get("image_url")?.get("url")?.as_str();
        text.or_else(|| url().map(|url| EmbedPart::Image(url.to_owned())))
    };
    let parts: Option<Vec<_>> = content.ok_or_else(shape)?.iter().map(part).collect();
    parts.map(EmbedInput::Parts).ok_or_else(shape)
}

fn said_mixed(input: &EmbedInput) -> Result<Value, Error> {
    let text = |text: &str| json!({"type": "text", "text": text});
    let content = match input {
        EmbedInput::Text(said) => vec![text(said)],
        EmbedInput::Tokens(_) => return Err(no_tokens()),
        EmbedInput::Parts(parts) => parts
            .iter()
            .map(|part| match part {
                EmbedPart::Text(said) => text(said),
                EmbedPart::Image(url) => json!({"type": "image_url", "image_url": {"url": url}}),
            })
            .collect(),
    };
    Ok(json!({"content": content}))
}

fn has_image(input: &EmbedInput) -> bool {
    matches!(input, EmbedInput::Parts(parts) if parts.iter().any(|part| matches!(part, EmbedPart::Image(_))))
}

fn only_images(request: &EmbedRequest) -> bool {
    let only = |input: &EmbedInput| matches!(input, EmbedInput::Parts(parts) if parts.iter().all(|part| matches!(part, EmbedPart::Image(_))));
    request.purpose == Some(Purpose::Image) || request.inputs.iter().all(only)
}
