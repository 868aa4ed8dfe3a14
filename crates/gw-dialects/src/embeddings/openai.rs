//! OpenAI's embeddings, and what is like them: Jina's, Mistral's and Voyage's. As a server all four are read; the answer
//! is the same in all. Facts are from OpenAI's and Mistral's OpenAPI documents, Voyage's SDK, Jina's documentation.

use bytes::Bytes;
use gw_core::chat::Family;
use gw_core::embeddings::{EmbedAnswer, EmbedInput, EmbedPart, EmbedRequest, Encoding, Truncation};
use gw_core::{Error, RequestId, Usage};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::purpose::{self, Words};
use super::vector::Written;
use super::{Embed, as_text, in_encoding, no_images, one_encoding, vectors};
use crate::chat::{RequestLine, Target};
use crate::shared::losses::{Losses, NO_SUCH_PARAMETER};
use crate::unary::members::{Members, wrong};
use crate::unary::{Calls, Egress, Ingress, OneCall, Reply};

/// OpenAI's embeddings, in one of their variants.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenAiLike {
    dimensions: &'static str,
    /// The member that says how numbers are to be written, and what it knows besides floats.
    encoding: Option<(&'static str, &'static [Encoding])>,
    /// The member that says what vectors are for.
    purpose: Option<(&'static str, Words)>,
    /// The member that says whether long inputs are cut.
    truncation: Option<&'static str>,
    takes_tokens: bool,
    takes_images: bool,
    takes_user: bool,
    /// Inputs in one call.
    inputs_max: usize,
}

const WHOLE_NUMBERS: &[Encoding] = &[Encoding::Int8, Encoding::Uint8, Encoding::Binary, Encoding::Ubinary];

impl OpenAiLike {
    pub(super) const OPENAI: Self = Self {
        dimensions: "dimensions",
        encoding: None,
        purpose: None,
        truncation: None,
        takes_tokens: true,
        takes_images: false,
        takes_user: true,
        inputs_max: 2048,
    };
    pub(super) const MISTRAL: Self = Self {
        dimensions: "output_dimension",
        encoding: Some(("output_dtype", WHOLE_NUMBERS)),
        takes_tokens: false,
        takes_user: false,
        ..Self::OPENAI
    };
    pub(super) const VOYAGE: Self = Self {
        purpose: Some(("input_type", Words::Voyage)),
        truncation: Some("truncation"),
        inputs_max: 1000,
        ..Self::MISTRAL
    };
    pub(super) const JINA: Self = Self {
        encoding: Some(("embedding_type", &[Encoding::Binary, Encoding::Ubinary])),
        purpose: Some(("task", Words::Jina)),
        truncation: Some("truncate"),
        takes_tokens: false,
        takes_images: true,
        takes_user: false,
        ..Self::OPENAI
    };

    fn input(self, input: &EmbedInput, losses: &mut Losses) -> Result<Value, Error> {
        match input {
            EmbedInput::Tokens(tokens) if self.takes_tokens => Ok(json!(tokens)),
            EmbedInput::Parts(parts) if self.takes_images => match parts.as_slice() {
                [EmbedPart::Text(text)] => Ok(json!({"text": text})),
                [EmbedPart::Image(url)] => Ok(json!({"image": bare(url)})),
                _ if parts.iter().any(|part| matches!(part, EmbedPart::Image(_))) => Err(no_images()),
                _ => as_text(input, losses).map(Value::from),
            },
            _ => as_text(input, losses).map(Value::from),
        }
    }

    /// All members but `input`.
    fn options(self, request: &EmbedRequest, target: &Target<'_>, losses: &mut Losses) -> Map<String, Value> {
        let mut members = Map::from_iter([("model".to_owned(), json!(target.model))]);
        let mut set = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        if let Some(dimensions) = request.dimensions {
            set(self.dimensions, json!(dimensions));
        }
        let (name, known) = self.encoding.unwrap_or_default();
        match one_encoding(request, known, losses) {
            Encoding::Float | Encoding::Base64 => {}
            other => set(name, json!(other.name())),
        }
        match (self.purpose, request.purpose) {
            (Some((name, words)), Some(purpose)) => {
                if let Some(word) = purpose::say(purpose, words, losses) {
                    set(name, json!(word));
                }
            }
            (None, asked) => purpose::unsaid(asked, losses),
            (Some(_), None) => {}
        }
        match (self.truncation, request.truncation) {
            (Some(name), Some(Truncation::Refuse)) => set(name, json!(false)),
            (Some(name), Some(Truncation::End)) => set(name, json!(true)),
            (_, Some(_)) => losses.drop("truncate", NO_SUCH_PARAMETER),
            (_, None) => {}
        }
        match &request.user {
            Some(user) if self.takes_user => set("user", json!(user)),
            Some(_) => losses.drop("user", NO_SUCH_PARAMETER),
            None => {}
        }
        if request.title.is_some() {
            losses.drop("title", NO_SUCH_PARAMETER);
        }
        if let Some(own) = losses.extra_of(&request.extra, Family::OpenAiChat) {
            members.extend(own.clone());
        }
        members
    }
}

/// Jina takes pictures in base64 without what stands before it in a `data:` address.
fn bare(url: &str) -> &str {
    if url.starts_with("data:") { url.split_once(',').map_or(url, |(_, data)| data) } else { url }
}

impl Egress<Embed> for OpenAiLike {
    fn encode_request(&self, request: &EmbedRequest, target: &Target<'_>) -> Result<Calls, Error> {
        let mut losses = Losses::default();
        let mut members = self.options(request, target, &mut losses);
        let inputs: Result<Vec<_>, _> = request.inputs.iter().map(|input| self.input(input, &mut losses)).collect();
        let inputs = inputs?;
        let calls = inputs.chunks(self.inputs_max).map(|inputs| {
            members.insert("input".to_owned(), json!(inputs));
            OneCall { body: json!(members).to_string().into_bytes(), ..OneCall::default() }
        });
        Ok(Calls { calls: calls.collect(), losses: losses.into_vec() })
    }

    fn decode_answer(&self, reply: &Reply<'_>, request: &EmbedRequest) -> Result<EmbedAnswer, Error> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(borrow)]
            data: Vec<Datum<'a>>,
            model: Option<String>,
            id: Option<String>,
        }
        #[derive(Deserialize)]
        struct Datum<'a> {
            #[serde(borrow)]
            embedding: &'a RawValue,
            index: Option<usize>,
        }
        let answer: Answer<'_> = reply.read()?;
        // Most are in order; who is not says so.
        let mut data: Vec<_> = answer.data.into_iter().enumerate().collect();
        data.sort_by_key(|(place, datum)| datum.index.unwrap_or(*place));
        if data.iter().enumerate().any(|(place, (_, datum))| datum.index.is_some_and(|index| index != place)) {
            return Err(reply.invalid("vectors whose places are not those of the inputs"));
        }
        let raw: Vec<_> = data.iter().map(|(_, datum)| datum.embedding).collect();
        let vectors = vectors(reply, &raw)?;
        let usage = std::str::from_utf8(reply.body).ok().and_then(|text| crate::scan::Object::parse(text).ok());
        let usage = usage.and_then(|answer| crate::usage::of_answer(&answer));
        // The answer does not say how its numbers are written: as was asked.
        let (_, known) = self.encoding.unwrap_or_default();
        let encoding = one_encoding(request, known, &mut Losses::default());
        Ok(EmbedAnswer {
            id: answer.id,
            model: answer.model.unwrap_or_else(|| reply.model.to_owned()),
            vectors: vec![(encoding, vectors)],
            usage,
        })
    }
}

impl Ingress<Embed> for OpenAiLike {
    fn decode_request(&self, _: &RequestLine<'_>, body: &[u8]) -> Result<EmbedRequest, Error> {
        let mut members = Members::of_body(body)?;
        let mut request = EmbedRequest {
            model: members.text("model")?.unwrap_or_default(),
            inputs: inputs(members.take("input"))?,
            dimensions: members.count(&["dimensions", "output_dimension"])?,
            encodings: vec![encoding(&mut members)?],
            user: members.text("user")?,
            ..EmbedRequest::default()
        };
        let mut kept = Vec::new();
        for name in ["input_type", "task", "task_type"] {
            match members.take(name) {
                Some(Value::String(word)) => match purpose::read(&word) {
                    Some(purpose) => request.purpose = Some(purpose),
                    // Words that only one vendor knows.
                    None => kept.push((name.to_owned(), Value::String(word))),
                },
                Some(_) => return Err(wrong("input_type", "a string")),
                None => {}
            }
        }
        request.truncation =
            members.first(&["truncation", "truncate"]).map(|(_, value)| truncation(&value)).transpose()?;
        request.extra = members.rest(Family::OpenAiChat);
        request.extra.members.extend(kept);
        Ok(request)
    }

    fn encode_answer(&self, answer: &EmbedAnswer, request: &EmbedRequest, _: RequestId) -> Result<Bytes, Error> {
        #[derive(Serialize)]
        struct Answer<'a> {
            object: &'static str,
            data: Vec<Datum<'a>>,
            model: &'a str,
            usage: Value,
        }
        #[derive(Serialize)]
        struct Datum<'a> {
            object: &'static str,
            index: usize,
            embedding: Written<'a>,
        }
        let wanted = request.encodings.first().copied().unwrap_or(Encoding::Float);
        let (encoding, vectors) = in_encoding(answer, wanted).unwrap_or((wanted, &[]));
        let datum = |(index, vector)| Datum { object: "embedding", index, embedding: Written::new(vector, encoding) };
        let Usage { input_tokens, .. } = answer.usage.unwrap_or_default();
        super::body(&Answer {
            object: "list",
            data: vectors.iter().enumerate().map(datum).collect(),
            model: &answer.model,
            usage: json!({"prompt_tokens": input_tokens, "total_tokens": input_tokens}),
        })
    }
}

/// `input`: a text, tokens, or a list of either; Jina has objects too.
fn inputs(input: Option<Value>) -> Result<Vec<EmbedInput>, Error> {
    let shape = || wrong("input", "a string, a list of strings, a list of tokens, or a list of lists of tokens");
    let one = |value: Value| match value {
        Value::String(text) => Some(EmbedInput::Text(text)),
        Value::Array(tokens) => tokens.iter().map(Value::as_u64).collect::<Option<_>>().map(EmbedInput::Tokens),
        Value::Object(mut part) => {
            let mut text = |name: &str| part.remove(name)?.as_str().map(str::to_owned);
            let part = text("text").map(EmbedPart::Text).or_else(|| text("image").map(EmbedPart::Image))?;
            Some(EmbedInput::Parts(vec![part]))
        }
        _ => None,
    };
    let inputs: Option<Vec<_>> = match input {
        Some(Value::Array(list)) if list.first().is_some_and(Value::is_number) => {
            one(Value::Array(list)).map(|tokens| vec![tokens])
        }
        Some(Value::Array(list)) => list.into_iter().map(one).collect(),
        Some(single @ Value::String(_)) => one(single).map(|text| vec![text]),
        _ => None,
    };
    inputs.filter(|inputs| !inputs.is_empty()).ok_or_else(shape)
}

/// OpenAI's `encoding_format`, or what the others have beside or instead of it.
fn encoding(members: &mut Members) -> Result<Encoding, Error> {
    let names = ["output_dtype", "embedding_type", "encoding_format"];
    let mut found = Encoding::Float;
    for name in names.into_iter().rev() {
        let Some(word) = members.text(name)? else { continue };
        match Encoding::from_name(&word) {
            // Floats, which is the default, leave what `encoding_format` says.
            Some(Encoding::Float) => {}
            Some(encoding) => found = encoding,
            None => return Err(wrong(name, "float, base64, int8, uint8, binary or ubinary")),
        }
    }
    Ok(found)
}

/// Whether long inputs are cut: yes or no, or which end, in Cohere's and NVIDIA's words.
fn truncation(value: &Value) -> Result<Truncation, Error> {
    match value {
        Value::Bool(true) => Ok(Truncation::End),
        Value::Bool(false) => Ok(Truncation::Refuse),
        Value::String(word) => super::cohere::truncation(word),
        _ => Err(wrong("truncate", "true, false, NONE, START or END")),
    }
}
