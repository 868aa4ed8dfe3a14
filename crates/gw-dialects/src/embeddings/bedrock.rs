//! Embeddings by Amazon Bedrock's InvokeModel, whose bodies are those of each model's maker: Amazon's Titan, which takes
//! one text at a time, and Cohere. Facts are from Amazon's user guide (docs.aws.amazon.com, "Titan Embeddings Text",
//! "Titan Multimodal Embeddings", "Cohere Embed").

use gw_core::chat::Family;
use gw_core::embeddings::{EmbedAnswer, EmbedInput, EmbedPart, EmbedRequest, Encoding, Truncation};
use gw_core::{Error, ErrorCode, Usage};
use http::HeaderName;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{Embed, as_text, cohere, no_images, one_encoding, purpose, unsupported, vectors};
use crate::chat::Target;
use crate::shared::losses::{Losses, NO_SUCH_PARAMETER};
use crate::shared::media;
use crate::unary::{Calls, Egress, OneCall, Reply};

/// Embeddings of Bedrock's models.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BedrockEmbed;

/// More calls than this are not made for one request, where each takes one input.
const CALLS_MAX: usize = 100;

/// Where Bedrock tells the tokens of a request, whatever the model.
const INPUT_TOKENS: HeaderName = HeaderName::from_static("x-amzn-bedrock-input-token-count");

/// Whose words a model understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    /// Titan's first: text and nothing else.
    TitanFirst,
    /// Titan's second.
    Titan,
    /// Titan for pictures.
    TitanImage,
    /// Cohere's third: no length of vectors can be chosen.
    CohereThird,
    /// Cohere's fourth and later.
    Cohere,
}

impl Maker {
    /// What an id tells: of a model, of a profile with a region before it, or within an ARN.
    fn of(id: &str) -> Option<Self> {
        let id = id.to_ascii_lowercase();
        let has = |words: &str| id.contains(words);
        if has("titan-embed-image") {
            Some(Self::TitanImage)
        } else if has("titan-embed-text-v1") || has("titan-embed-g1") {
            Some(Self::TitanFirst)
        } else if has("titan-embed") {
            Some(Self::Titan)
        } else if has("cohere.embed") && has("-v3") {
            Some(Self::CohereThird)
        } else if has("cohere.embed") {
            Some(Self::Cohere)
        } else {
            None
        }
    }
}

impl Egress<Embed> for BedrockEmbed {
    fn encode_request(&self, request: &EmbedRequest, target: &Target<'_>) -> Result<Calls, Error> {
        let unknown = || {
            let message =
                "the format of this model is not known; embeddings of Bedrock are those of Titan and of Cohere";
            Error::new(ErrorCode::InvalidRequest, message).with_param("model")
        };
        let maker = Maker::of(target.model).ok_or_else(unknown)?;
        let mut losses = Losses::default();
        let bodies = match maker {
            Maker::CohereThird | Maker::Cohere => of_cohere(request, maker, &mut losses)?,
            Maker::TitanFirst | Maker::Titan | Maker::TitanImage => of_titan(request, maker, &mut losses)?,
        };
        let path = crate::bedrock_converse::invoke_path(target.model);
        let calls = bodies.iter().map(|body| OneCall::json(path.clone(), body)).collect();
        Ok(Calls { calls, losses: losses.into_vec() })
    }

    fn decode_answer(&self, reply: &Reply<'_>, _: &EmbedRequest) -> Result<EmbedAnswer, Error> {
        let mut answer = match Maker::of(reply.model) {
            Some(Maker::CohereThird | Maker::Cohere) => cohere::decode_answer(reply)?,
            _ => titans_answer(reply)?,
        };
        if answer.usage.is_none() {
            let told = reply.headers.get(INPUT_TOKENS).and_then(|count| count.to_str().ok()?.parse().ok());
            answer.usage = told.map(|input_tokens| Usage { input_tokens, ..Usage::default() });
        }
        Ok(answer)
    }
}

fn of_cohere(request: &EmbedRequest, maker: Maker, losses: &mut Losses) -> Result<Vec<Value>, Error> {
    let mut members = cohere::options(request, losses);
    match (request.dimensions, maker) {
        (Some(dimensions), Maker::Cohere) => drop(members.insert("output_dimension".to_owned(), json!(dimensions))),
        (Some(_), _) => losses.drop("dimensions", NO_SUCH_PARAMETER),
        (None, _) => {}
    }
    if let Some(own) = losses.extra_of(&request.extra, Family::Bedrock) {
        members.extend(own.clone());
    }
    cohere::bodies(request, &members, losses)
}

fn of_titan(request: &EmbedRequest, maker: Maker, losses: &mut Losses) -> Result<Vec<Value>, Error> {
    if request.inputs.len() > CALLS_MAX {
        return Err(unsupported("the model takes one input at a time; send at most 100 in one request"));
    }
    let mut members = Map::new();
    match (request.dimensions, maker) {
        (Some(dimensions), Maker::Titan) => drop(members.insert("dimensions".to_owned(), json!(dimensions))),
        (Some(dimensions), Maker::TitanImage) => {
            members.insert("embeddingConfig".to_owned(), json!({"outputEmbeddingLength": dimensions}));
        }
        (Some(_), _) => losses.drop("dimensions", NO_SUCH_PARAMETER),
        (None, _) => {}
    }
    // Titan's second knows bits too, but not packed eight to a number as the others write them.
    one_encoding(request, &[], losses);
    purpose::unsaid(request.purpose, losses);
    // Titan refuses what is too long.
    let cuts = matches!(request.truncation, Some(Truncation::Start | Truncation::End));
    let lacking = [("truncate", cuts), ("user", request.user.is_some()), ("title", request.title.is_some())];
    lacking.into_iter().filter(|(_, asked)| *asked).for_each(|(name, _)| losses.drop(name, NO_SUCH_PARAMETER));
    if let Some(own) = losses.extra_of(&request.extra, Family::Bedrock) {
        members.extend(own.clone());
    }
    let body = |input: &EmbedInput| {
        let mut body = members.clone();
        match input {
            EmbedInput::Parts(parts) if maker == Maker::TitanImage => titans_parts(parts, &mut body)?,
            _ => drop(body.insert("inputText".to_owned(), json!(as_text(input, losses)?))),
        }
        Ok(Value::Object(body))
    };
    request.inputs.iter().map(body).collect()
}

/// At most one text and one picture.
fn titans_parts(parts: &[EmbedPart], body: &mut Map<String, Value>) -> Result<(), Error> {
    for part in parts {
        let (name, value) = match part {
            EmbedPart::Text(text) => ("inputText", text.clone()),
            EmbedPart::Image(url) => {
                let inline = media::data_url(url);
                let inline =
                    inline.ok_or_else(|| unsupported("the provider takes pictures as `data:` addresses only"))?;
                ("inputImage", inline.data)
            }
        };
        if body.insert(name.to_owned(), json!(value)).is_some() {
            return Err(no_images());
        }
    }
    Ok(())
}

fn titans_answer(reply: &Reply<'_>) -> Result<EmbedAnswer, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a> {
        #[serde(borrow)]
        embedding: &'a RawValue,
        input_text_token_count: Option<u64>,
    }
    let answer: Answer<'_> = reply.read()?;
    let given = vec![(Encoding::Float, vectors(reply, &[answer.embedding])?)];
    let usage = answer.input_text_token_count.map(|input_tokens| Usage { input_tokens, ..Usage::default() });
    Ok(EmbedAnswer { id: None, model: reply.model.to_owned(), vectors: given, usage })
}
