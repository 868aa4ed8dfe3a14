//! Google's `embedContent` and `batchEmbedContents`, both ends. Facts are from google-genai 3.4.0, which the Gemini API
//! is called with.

use bytes::Bytes;
use gw_core::chat::Family;
use gw_core::embeddings::{EmbedAnswer, EmbedInput, EmbedPart, EmbedRequest, Encoding, Truncation};
use gw_core::{Error, ErrorCode, RequestId, Usage};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::purpose::{self, Words};
use super::vector::Written;
use super::{Embed, in_encoding, no_tokens, one_encoding, unsupported, vectors};
use crate::chat::{RequestLine, Target};
use crate::shared::losses::{Losses, NO_SUCH_PARAMETER};
use crate::shared::media;
use crate::unary::members::{Members, wrong};
use crate::unary::{Calls, Egress, Ingress, OneCall, Reply};

/// Google's embeddings.
#[derive(Debug, Clone, Copy)]
pub(super) struct GeminiEmbed {
    /// Whether several contents go into one call.
    pub(super) batch: bool,
}

/// Contents in one call (ai.google.dev, limits of the API).
const BATCH_MAX: usize = 100;

/// More calls than this are not made for one request, where each takes one content.
const CALLS_MAX: usize = 100;

impl Ingress<Embed> for GeminiEmbed {
    fn decode_request(&self, line: &RequestLine<'_>, body: &[u8]) -> Result<EmbedRequest, Error> {
        let mut members = Members::of_body(body)?;
        let mut request = if self.batch {
            let list = members.list("requests")?.filter(|list| !list.is_empty());
            together(list.ok_or_else(|| wrong("requests", "a list that is not empty"))?)?
        } else {
            one(members)?
        };
        request.model = line.model.unwrap_or_default().to_owned();
        Ok(request)
    }

    fn encode_answer(&self, answer: &EmbedAnswer, _: &EmbedRequest, _: RequestId) -> Result<Bytes, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            embedding: Option<Content<'a>>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            embeddings: Vec<Content<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            usage_metadata: Option<Value>,
        }
        #[derive(Serialize)]
        struct Content<'a> {
            values: Written<'a>,
        }
        let (encoding, vectors) = in_encoding(answer, Encoding::Float).unwrap_or((Encoding::Float, &[]));
        let mut embeddings: Vec<_> =
            vectors.iter().map(|vector| Content { values: Written::new(vector, encoding) }).collect();
        let embedding = if self.batch { None } else { embeddings.pop() };
        let count =
            |usage: Usage| json!({"promptTokenCount": usage.input_tokens, "totalTokenCount": usage.input_tokens});
        super::body(&Answer { embedding, embeddings, usage_metadata: answer.usage.map(count) })
    }
}

/// The requests of a batch as one. All must ask for the same, as one request of other vendors does.
fn together(list: Vec<Value>) -> Result<EmbedRequest, Error> {
    let mut whole: Option<EmbedRequest> = None;
    for entry in list {
        let Value::Object(entry) = entry else { return Err(wrong("requests", "a list of objects")) };
        let mut next = one(Members::of(entry))?;
        let Some(whole) = &mut whole else {
            whole = Some(next);
            continue;
        };
        // Whatever differs besides the content could not be said.
        let inputs = std::mem::take(&mut next.inputs);
        let earlier = std::mem::take(&mut whole.inputs);
        if next != *whole {
            let message = "`requests` must ask for the same but for their content; send those that differ apart";
            return Err(Error::new(ErrorCode::UnsupportedParameter, message).with_param("requests"));
        }
        whole.inputs = earlier;
        whole.inputs.extend(inputs);
    }
    Ok(whole.unwrap_or_default())
}

/// A request for one vector.
fn one(mut members: Members) -> Result<EmbedRequest, Error> {
    // It repeats the path.
    members.take("model");
    let mut request = EmbedRequest {
        inputs: vec![content(members.take("content").as_ref())?],
        encodings: vec![Encoding::Float],
        dimensions: members.count(&["outputDimensionality"])?,
        title: members.text("title")?,
        truncation: members.flag("autoTruncate")?.map(|cut| if cut { Truncation::End } else { Truncation::Refuse }),
        ..EmbedRequest::default()
    };
    let task = members.text("taskType")?;
    request.purpose = task.as_deref().and_then(purpose::read);
    request.extra = members.rest(Family::Gemini);
    if let Some(task) = task.filter(|task| request.purpose.is_none() && task != "TASK_TYPE_UNSPECIFIED") {
        request.extra.family = Family::Gemini;
        request.extra.members.insert("taskType".to_owned(), Value::String(task));
    }
    Ok(request)
}

fn content(content: Option<&Value>) -> Result<EmbedInput, Error> {
    let shape = || wrong("content", "an object with a list `parts` of texts and pictures");
    let parts = content.and_then(|content| content.get("parts")).and_then(Value::as_array);
    let part = |part: &Value| {
        let inline = || {
            let data = part.get("inlineData").or_else(|| part.get("inline_data"))?;
            let media_type = data.get("mimeType").or_else(|| data.get("mime_type"))?.as_str()?;
            Some(format!("data:{media_type};base64,{}", media::base64(data.get("data")?.as_str()?)?))
        };
        let text = part.get("text").and_then(Value::as_str);
        text.map(|text| EmbedPart::Text(text.to_owned())).or_else(|| inline().map(EmbedPart::Image))
    };
    let parts: Option<Vec<_>> = parts.filter(|parts| !parts.is_empty()).ok_or_else(shape)?.iter().map(part).collect();
    let parts = parts.ok_or_else(shape)?;
    Ok(match parts.as_slice() {
        [EmbedPart::Text(text)] => EmbedInput::Text(text.clone()),
        _ => EmbedInput::Parts(parts),
    })
}

impl Egress<Embed> for GeminiEmbed {
    fn encode_request(&self, request: &EmbedRequest, target: &Target<'_>) -> Result<Calls, Error> {
        let mut losses = Losses::default();
        let options = options(request, target, &mut losses);
        let contents: Result<Vec<_>, _> = request.inputs.iter().map(|input| said(input, &options)).collect();
        let contents = contents?;
        let path = |verb| crate::gemini::embed_path(target.model, verb);
        let calls: Vec<_> = if self.batch {
            let body = |contents: &[Value]| OneCall::json(path("batchEmbedContents"), &json!({"requests": contents}));
            contents.chunks(BATCH_MAX).map(body).collect()
        } else if contents.len() > CALLS_MAX {
            return Err(unsupported("the model takes one input at a time; send at most 100 in one request"));
        } else {
            contents.iter().map(|content| OneCall::json(path("embedContent"), content)).collect()
        };
        Ok(Calls { calls, losses: losses.into_vec() })
    }

    fn decode_answer(&self, reply: &Reply<'_>, _: &EmbedRequest) -> Result<EmbedAnswer, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer<'a> {
            #[serde(borrow)]
            embedding: Option<Content<'a>>,
            #[serde(borrow)]
            embeddings: Option<Vec<Content<'a>>>,
            usage_metadata: Option<Used>,
        }
        #[derive(Deserialize)]
        struct Content<'a> {
            #[serde(borrow)]
            values: &'a RawValue,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Used {
            prompt_token_count: Option<u64>,
        }
        let answer: Answer<'_> = reply.read()?;
        if answer.embedding.is_none() && answer.embeddings.is_none() {
            return Err(reply.unreadable());
        }
        let contents = answer.embedding.iter().chain(answer.embeddings.iter().flatten());
        let raw: Vec<_> = contents.map(|content| content.values).collect();
        let usage = answer.usage_metadata.and_then(|used| used.prompt_token_count);
        Ok(EmbedAnswer {
            id: None,
            model: reply.model.to_owned(),
            vectors: vec![(Encoding::Float, vectors(reply, &raw)?)],
            usage: usage.map(|input_tokens| Usage { input_tokens, ..Usage::default() }),
        })
    }
}

/// What stands beside each content.
fn options(request: &EmbedRequest, target: &Target<'_>, losses: &mut Losses) -> Map<String, Value> {
    let model = target.model.strip_prefix("models/").unwrap_or(target.model);
    let mut members = Map::from_iter([("model".to_owned(), json!(format!("models/{model}")))]);
    let mut set = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    if let Some(word) = request.purpose.and_then(|purpose| purpose::say(purpose, Words::Gemini, losses)) {
        set("taskType", json!(word));
    }
    if let Some(title) = &request.title {
        set("title", json!(title));
    }
    if let Some(dimensions) = request.dimensions {
        set("outputDimensionality", json!(dimensions));
    }
    match request.truncation {
        // Only Google's platform for companies has `autoTruncate`; the Gemini API cuts the end unasked.
        None | Some(Truncation::End) => {}
        Some(Truncation::Refuse | Truncation::Start) => losses.drop("truncate", NO_SUCH_PARAMETER),
    }
    if request.user.is_some() {
        losses.drop("user", NO_SUCH_PARAMETER);
    }
    one_encoding(request, &[], losses);
    if let Some(own) = losses.extra_of(&request.extra, Family::Gemini) {
        members.extend(own.clone());
    }
    members
}

/// A content with what stands beside it.
fn said(input: &EmbedInput, options: &Map<String, Value>) -> Result<Value, Error> {
    let text = |text: &str| json!({"text": text});
    let parts = match input {
        EmbedInput::Text(said) => vec![text(said)],
        EmbedInput::Tokens(_) => return Err(no_tokens()),
        EmbedInput::Parts(parts) => {
            let part = |part: &EmbedPart| match part {
                EmbedPart::Text(said) => Ok(text(said)),
                EmbedPart::Image(url) => image(url),
            };
            parts.iter().map(part).collect::<Result<_, _>>()?
        }
    };
    let mut entry = options.clone();
    entry.insert("content".to_owned(), json!({"parts": parts}));
    Ok(Value::Object(entry))
}

fn image(url: &str) -> Result<Value, Error> {
    let inline = media::data_url(url);
    let inline = inline.ok_or_else(|| unsupported("the provider takes pictures as `data:` addresses only"))?;
    Ok(json!({"inlineData": {"mimeType": inline.media_type, "data": inline.data}}))
}
