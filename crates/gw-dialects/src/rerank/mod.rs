//! Reranking: what each dialect can do, and the list of them. The dialects differ in few words, so that most of them is
//! data: [`words`].

#[cfg(test)]
mod tests;
mod words;

use gw_core::Usage;
use gw_core::chat::Extra;
use gw_core::rerank::{Document, RerankAnswer, RerankRequest};

use crate::DialectId;
use crate::unary::{Egress, Ingress, Unary};
use words::Words;

/// Putting documents in the order in which they answer a query.
#[derive(Debug, Clone, Copy)]
pub struct Rerank;

impl Unary for Rerank {
    type Request = RerankRequest;
    type Answer = RerankAnswer;

    const INGRESSES: &'static [(DialectId, &'static dyn Ingress<Self>)] =
        &[(DialectId::CohereRerank, &Words::COHERE), (DialectId::JinaRerank, &Words::JINA)];

    const EGRESSES: &'static [(DialectId, &'static dyn Egress<Self>)] = &[
        (DialectId::BedrockRerank, &Words::BEDROCK),
        (DialectId::CohereRerank, &Words::COHERE),
        (DialectId::JinaRerank, &Words::JINA),
        (DialectId::VoyageRerank, &Words::VOYAGE),
    ];

    fn extra(request: &mut RerankRequest) -> &mut Extra {
        &mut request.extra
    }

    fn usage(answer: &RerankAnswer) -> Option<Usage> {
        answer.usage
    }

    fn join(request: &RerankRequest, answers: Vec<RerankAnswer>) -> Result<RerankAnswer, &'static str> {
        let mut answers = answers.into_iter();
        let (Some(answer), None) = (answers.next(), answers.next()) else {
            return Err("no answer");
        };
        let mut seen = vec![false; request.documents.len()];
        for ranked in &answer.results {
            match seen.get_mut(ranked.index) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err("a document that it was not given, or one twice"),
            }
        }
        Ok(answer)
    }
}

/// A document as the one text of it that counts.
fn text_of(document: &Document) -> std::borrow::Cow<'_, str> {
    match document {
        Document::Text(text) => text.into(),
        Document::Fields(fields) => match fields.get("text").and_then(serde_json::Value::as_str) {
            Some(text) => text.into(),
            None => serde_json::json!(fields).to_string().into(),
        },
    }
}

/// Whether it is more than a text.
fn has_fields(document: &Document) -> bool {
    match document {
        Document::Text(_) => false,
        Document::Fields(fields) => fields.len() != 1 || !fields.get("text").is_some_and(serde_json::Value::is_string),
    }
}
