//! The dialects of reranking. Facts are from the OpenAPI documents of Cohere (`/v2/rerank`), OpenRouter and Together
//! (`/rerank`), from Voyage's SDK and from the documentation of Jina and Amazon.

use bytes::Bytes;
use gw_core::chat::Family;
use gw_core::rerank::{Document, Ranked, RerankAnswer, RerankRequest};
use gw_core::{Error, RequestId, Usage};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{Rerank, has_fields, text_of};
use crate::chat::{RequestLine, Target};
use crate::shared::losses::{Losses, NO_SUCH_PARAMETER};
use crate::unary::members::{Members, wrong};
use crate::unary::{Calls, Egress, Ingress, OneCall, Reply};

/// A dialect of reranking.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    family: Family,
    /// How many of the best are wanted.
    top: &'static str,
    /// How many tokens of each document count, if that can be said.
    tokens: Option<&'static str>,
    /// Whether documents that are too long are cut, if that can be said.
    truncation: Option<&'static str>,
    /// Whether documents may have fields.
    takes_fields: bool,
    /// Whether it is asked by InvokeModel.
    on_bedrock: bool,
}

impl Words {
    pub(super) const COHERE: Self = Self {
        family: Family::Cohere,
        top: "top_n",
        tokens: Some("max_tokens_per_doc"),
        truncation: None,
        takes_fields: false,
        on_bedrock: false,
    };
    pub(super) const BEDROCK: Self = Self { family: Family::Bedrock, tokens: None, on_bedrock: true, ..Self::COHERE };
    pub(super) const JINA: Self = Self { family: Family::OpenAiChat, tokens: None, takes_fields: true, ..Self::COHERE };
    pub(super) const VOYAGE: Self =
        Self { top: "top_k", truncation: Some("truncation"), takes_fields: false, ..Self::JINA };
}

impl Ingress<Rerank> for Words {
    /// Whatever the dialect: the words of all vendors are read.
    fn decode_request(&self, _: &RequestLine<'_>, body: &[u8]) -> Result<RerankRequest, Error> {
        let mut members = Members::of_body(body)?;
        let documents = members.list("documents")?.filter(|documents| !documents.is_empty());
        let documents = documents.ok_or_else(|| wrong("documents", "a list that is not empty"))?;
        let document = |document| match document {
            Value::String(text) => Ok(Document::Text(text)),
            Value::Object(fields) => Ok(Document::Fields(fields)),
            _ => Err(wrong("documents", "a list of strings or objects")),
        };
        Ok(RerankRequest {
            model: members.text("model")?.unwrap_or_default(),
            query: members.text("query")?.ok_or_else(|| wrong("query", "a string"))?,
            documents: documents.into_iter().map(document).collect::<Result<_, _>>()?,
            top_n: members.count(&["top_n", "top_k"])?,
            return_documents: members.flag("return_documents")?.unwrap_or_default(),
            max_tokens_per_document: members.count(&["max_tokens_per_doc"])?,
            truncation: members.flag("truncation")?,
            extra: members.rest(self.family),
        })
    }

    fn encode_answer(&self, answer: &RerankAnswer, request: &RerankRequest, id: RequestId) -> Result<Bytes, Error> {
        #[derive(Serialize)]
        struct Answer<'a> {
            id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            object: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            model: Option<&'a str>,
            results: Vec<Result<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            usage: Option<Value>,
            meta: Value,
        }
        #[derive(Serialize)]
        struct Result<'a> {
            index: usize,
            relevance_score: &'a RawValue,
            #[serde(skip_serializing_if = "Option::is_none")]
            document: Option<Value>,
        }
        let mut results = Vec::with_capacity(answer.results.len());
        for ranked in &answer.results {
            let score: &RawValue = serde_json::from_str(&ranked.score).map_err(|_| unreadable())?;
            let document = request.documents.get(ranked.index).filter(|_| request.return_documents);
            results.push(Result { index: ranked.index, relevance_score: score, document: document.map(repeated) });
        }
        let is_cohere = self.family == Family::Cohere;
        let answer = Answer {
            id: answer.id.as_deref().unwrap_or(id.as_str()),
            object: (!is_cohere).then_some("list"),
            model: (!is_cohere).then_some(answer.model.as_str()),
            results,
            usage: answer.usage.filter(|_| !is_cohere).map(|usage| {
                let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
                json!({"prompt_tokens": usage.input_tokens, "total_tokens": tokens})
            }),
            meta: meta(answer.usage),
        };
        serde_json::to_vec(&answer).map(Bytes::from).map_err(|_| unreadable())
    }
}

/// `meta`, as Cohere has it: what was billed.
fn meta(usage: Option<Usage>) -> Value {
    let mut meta = json!({"api_version": {"version": "2"}});
    let usage = usage.unwrap_or_default();
    for (name, count) in [("search_units", usage.search_units), ("input_tokens", usage.input_tokens)] {
        if count > 0 {
            meta["billed_units"][name] = json!(count);
        }
    }
    meta
}

/// A document as answers repeat it.
fn repeated(document: &Document) -> Value {
    match document {
        Document::Text(text) => json!({"text": text}),
        Document::Fields(fields) => json!(fields),
    }
}

fn unreadable() -> Error {
    Error::new(gw_core::ErrorCode::ProviderInvalidResponse, "the provider sent a score that is no number")
}

impl Egress<Rerank> for Words {
    fn encode_request(&self, request: &RerankRequest, target: &Target<'_>) -> Result<Calls, Error> {
        let mut losses = Losses::default();
        let fields = request.documents.iter().any(has_fields);
        if fields && !self.takes_fields {
            losses
                .replace("documents[]", "the provider takes texts only; the text of a document, or its fields as JSON");
        }
        let said = |document: &Document| match document {
            Document::Fields(given) if fields && self.takes_fields => json!(given),
            Document::Text(text) if fields && self.takes_fields => json!({"text": text}),
            document => json!(text_of(document)),
        };
        let documents: Vec<_> = request.documents.iter().map(said).collect();
        let mut members =
            Map::from_iter([("query".to_owned(), json!(request.query)), ("documents".to_owned(), json!(documents))]);
        let mut set = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        if !self.on_bedrock {
            set("model", json!(target.model));
        } else if target.model.to_ascii_lowercase().contains("cohere.") {
            // Cohere's models on Bedrock speak the version that they are told.
            set("api_version", json!(2));
        }
        if let Some(top) = request.top_n {
            // Bedrock and others refuse more than there are.
            set(self.top, json!(top.min(request.documents.len() as u64)));
        }
        match (self.tokens, request.max_tokens_per_document) {
            (Some(name), Some(tokens)) => set(name, json!(tokens)),
            (None, Some(_)) => losses.drop("max_tokens_per_doc", NO_SUCH_PARAMETER),
            (_, None) => {}
        }
        match (self.truncation, request.truncation) {
            (Some(name), Some(cuts)) => set(name, json!(cuts)),
            // The others cut what is too long unasked.
            (None, Some(false)) => losses.drop("truncation", NO_SUCH_PARAMETER),
            (_, _) => {}
        }
        if let Some(own) = losses.extra_of(&request.extra, self.family) {
            members.extend(own.clone());
        }
        let path = if self.on_bedrock { crate::bedrock_converse::invoke_path(target.model) } else { String::new() };
        Ok(Calls { calls: vec![OneCall::json(path, &Value::Object(members))], losses: losses.into_vec() })
    }

    /// Whatever the dialect: all have a list of places and scores, and tell what was used in one of a few ways.
    fn decode_answer(&self, reply: &Reply<'_>, _: &RerankRequest) -> Result<RerankAnswer, Error> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            id: Option<String>,
            model: Option<String>,
            #[serde(borrow, alias = "data")]
            results: Vec<Entry<'a>>,
            usage: Option<Used>,
            meta: Option<Meta>,
        }
        #[derive(Deserialize)]
        struct Entry<'a> {
            index: usize,
            #[serde(borrow, alias = "score")]
            relevance_score: &'a RawValue,
        }
        #[derive(Deserialize)]
        struct Meta {
            billed_units: Option<Used>,
            tokens: Option<Used>,
        }
        let answer: Answer<'_> = reply.read()?;
        let mut results = Vec::with_capacity(answer.results.len());
        for entry in answer.results {
            let score = entry.relevance_score.get();
            if score.parse::<f64>().is_err() {
                return Err(reply.invalid("a score that is no number"));
            }
            results.push(Ranked { index: entry.index, score: score.to_owned() });
        }
        let (units, tokens) = answer.meta.map_or((None, None), |meta| (meta.billed_units, meta.tokens));
        let told: Vec<Used> = [answer.usage, units, tokens].into_iter().flatten().collect();
        let usage = told.iter().map(Used::usage).reduce(Usage::merge);
        Ok(RerankAnswer {
            id: answer.id,
            model: answer.model.unwrap_or_else(|| reply.model.to_owned()),
            results,
            usage: usage.filter(|usage| *usage != Usage::default()),
        })
    }
}

/// What was used, as any vendor tells it.
#[derive(Debug, Default, Deserialize)]
struct Used {
    total_tokens: Option<f64>,
    prompt_tokens: Option<f64>,
    input_tokens: Option<f64>,
    search_units: Option<f64>,
}

impl Used {
    fn usage(&self) -> Usage {
        let tokens = self.prompt_tokens.filter(|tokens| *tokens > 0.0).or(self.input_tokens).or(self.total_tokens);
        Usage {
            input_tokens: tokens.unwrap_or_default() as u64,
            search_units: self.search_units.unwrap_or_default() as u64,
            ..Usage::default()
        }
    }
}
