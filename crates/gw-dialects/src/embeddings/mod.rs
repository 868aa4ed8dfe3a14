//! Embeddings: what each dialect can do, and the list of them. Read in this order: [`vector`] (how vectors are written),
//! [`purpose`] (what they are for), [`openai`] (and what is like it), then the others.

mod bedrock;
mod cohere;
mod gemini;
mod ollama;
mod openai;
mod purpose;
#[cfg(test)]
mod tests;
mod vector;

use gw_core::chat::Extra;
use gw_core::embeddings::{EmbedAnswer, EmbedInput, EmbedPart, EmbedRequest, Encoding, Vector};
use gw_core::{Error, ErrorCode, Usage};
use serde_json::value::RawValue;

use crate::DialectId;
use crate::shared::losses::Losses;
use crate::unary::{Egress, Ingress, Reply, Unary};

/// Inputs of one request that is said in other words: as many as OpenAI takes at once.
const INPUTS_MAX: usize = 2_048;
/// What may stand beside the inputs, which some providers are told once for each of them: all that together.
const REPEATED_BYTES_MAX: usize = 32 << 20;

/// Turning texts and pictures into vectors.
#[derive(Debug, Clone, Copy)]
pub struct Embed;

impl Unary for Embed {
    type Request = EmbedRequest;
    type Answer = EmbedAnswer;

    const INGRESSES: &'static [(DialectId, &'static dyn Ingress<Self>)] = &[
        (DialectId::CohereEmbed, &cohere::CohereEmbed),
        (DialectId::GeminiBatchEmbed, &gemini::GeminiEmbed { batch: true }),
        (DialectId::GeminiEmbed, &gemini::GeminiEmbed { batch: false }),
        (DialectId::OllamaEmbed, &ollama::OllamaEmbed),
        (DialectId::OpenAiEmbeddings, &openai::OpenAiLike::OPENAI),
    ];

    const EGRESSES: &'static [(DialectId, &'static dyn Egress<Self>)] = &[
        (DialectId::BedrockEmbed, &bedrock::BedrockEmbed),
        (DialectId::CohereEmbed, &cohere::CohereEmbed),
        (DialectId::GeminiBatchEmbed, &gemini::GeminiEmbed { batch: true }),
        (DialectId::GeminiEmbed, &gemini::GeminiEmbed { batch: false }),
        (DialectId::JinaEmbeddings, &openai::OpenAiLike::JINA),
        (DialectId::MistralEmbeddings, &openai::OpenAiLike::MISTRAL),
        (DialectId::OllamaEmbed, &ollama::OllamaEmbed),
        (DialectId::OpenAiEmbeddings, &openai::OpenAiLike::OPENAI),
        (DialectId::VoyageEmbeddings, &openai::OpenAiLike::VOYAGE),
    ];

    fn extra(request: &mut EmbedRequest) -> &mut Extra {
        &mut request.extra
    }

    fn check(request: &EmbedRequest) -> Result<(), Error> {
        let inputs = request.inputs.len();
        if inputs > INPUTS_MAX {
            let message = format!("`input` may hold {INPUTS_MAX} inputs at once; send the rest in other requests");
            return Err(Error::new(ErrorCode::InvalidRequest, message).with_param("input"));
        }
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        // Writing to memory cannot fail.
        let extra = serde_json::to_vec(&request.extra.members).map_or(usize::MAX, |members| members.len());
        let repeated = extra.saturating_add(length(&request.title)).saturating_add(length(&request.user));
        if repeated.saturating_mul(inputs.saturating_sub(1)) > REPEATED_BYTES_MAX {
            let message = "what stands beside the inputs is too long to be said with each; send fewer inputs at once";
            return Err(Error::new(ErrorCode::InvalidRequest, message).with_param("input"));
        }
        Ok(())
    }

    fn usage(answer: &EmbedAnswer) -> Option<Usage> {
        answer.usage
    }

    fn join(request: &EmbedRequest, answers: Vec<EmbedAnswer>) -> Result<EmbedAnswer, &'static str> {
        let mut answers = answers.into_iter();
        let mut whole = answers.next().ok_or("no answer")?;
        for answer in answers {
            if !whole
                .vectors
                .iter()
                .map(|(encoding, _)| encoding)
                .eq(answer.vectors.iter().map(|(encoding, _)| encoding))
            {
                return Err("vectors in several encodings");
            }
            whole.vectors.iter_mut().zip(answer.vectors).for_each(|((_, all), (_, more))| all.extend(more));
            whole.usage = match (whole.usage, answer.usage) {
                (Some(one), Some(other)) => Some(one.plus(other)),
                (one, other) => one.or(other),
            };
        }
        let fits = |(_, vectors): &(Encoding, Vec<Vector>)| vectors.len() == request.inputs.len();
        if whole.vectors.is_empty() || !whole.vectors.iter().all(fits) {
            return Err("more or fewer vectors than it was given inputs");
        }
        Ok(whole)
    }
}

/// The vectors for a client that wants them in one encoding: in it, or else in the first that is there.
fn in_encoding(answer: &EmbedAnswer, wanted: Encoding) -> Option<(Encoding, &[Vector])> {
    let found = |encoding: Encoding| answer.vectors.iter().find(|(given, _)| given.numbers() == encoding.numbers());
    if let Some((_, vectors)) = found(wanted) {
        return Some((wanted, vectors));
    }
    answer.vectors.first().map(|(encoding, vectors)| (*encoding, vectors.as_slice()))
}

/// Of the encodings that are wanted, the one to ask a provider for that knows these and gives one alone. The others are
/// losses.
fn one_encoding(request: &EmbedRequest, known: &[Encoding], losses: &mut Losses) -> Encoding {
    let all = encodings(request, known, losses);
    let first = all.first().copied().unwrap_or(Encoding::Float);
    for encoding in all.iter().skip(1) {
        losses.drop(format!("embedding_types[{}]", encoding.name()), "the provider gives one encoding at a time");
    }
    first
}

/// The encodings to ask a provider for that knows these: each once, never none. Those it does not know are losses.
fn encodings(request: &EmbedRequest, known: &[Encoding], losses: &mut Losses) -> Vec<Encoding> {
    let mut asked = Vec::new();
    for encoding in request.encodings.iter().map(|encoding| encoding.numbers()) {
        if encoding != Encoding::Float && !known.contains(&encoding) {
            let param = format!("encoding_format[{}]", encoding.name());
            losses.drop(param, "the provider does not give such numbers");
        } else if !asked.contains(&encoding) {
            asked.push(encoding);
        }
    }
    if asked.is_empty() {
        asked.push(Encoding::Float);
    }
    asked
}

/// An input as one text, for providers that embed nothing else.
fn as_text<'a>(input: &'a EmbedInput, losses: &mut Losses) -> Result<std::borrow::Cow<'a, str>, Error> {
    let parts = match input {
        EmbedInput::Text(text) => return Ok(text.into()),
        EmbedInput::Tokens(_) => return Err(no_tokens()),
        EmbedInput::Parts(parts) => parts,
    };
    let texts: Option<Vec<&str>> = parts
        .iter()
        .map(|part| match part {
            EmbedPart::Text(text) => Some(text.as_str()),
            EmbedPart::Image(_) => None,
        })
        .collect();
    let texts = texts.ok_or_else(no_images)?;
    if let [only] = texts.as_slice() {
        return Ok((*only).into());
    }
    losses.replace("input", "the texts of one input are joined by line breaks");
    Ok(texts.join("\n").into())
}

fn no_tokens() -> Error {
    unsupported("the provider takes texts only, not tokens; send `input` as text")
}

fn no_images() -> Error {
    unsupported("the provider's format takes texts only, not pictures; choose another model")
}

fn unsupported(message: &'static str) -> Error {
    Error::new(ErrorCode::UnsupportedParameter, message).with_param("input")
}

/// Vectors as a provider wrote them.
fn vectors(reply: &Reply<'_>, raw: &[&RawValue]) -> Result<Vec<Vector>, Error> {
    raw.iter().map(|raw| vector::read(raw).ok_or_else(|| reply.invalid("a vector that is none"))).collect()
}

/// A body that holds vectors, as JSON.
fn body(answer: &impl serde::Serialize) -> Result<bytes::Bytes, Error> {
    let wrong = |_| Error::new(ErrorCode::ProviderInvalidResponse, "the provider sent a vector that cannot be read");
    serde_json::to_vec(answer).map(bytes::Bytes::from).map_err(wrong)
}
