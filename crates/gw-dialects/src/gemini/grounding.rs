//! Where a text was taken from, and how likely its tokens were, both ways. Google counts places in bytes, we in
//! characters.

use gw_core::chat::{Citation, Native};
use serde_json::{Value, json};

use super::FAMILY;
use super::wire::Object;

/// What tells citations apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cited {
    url: Option<String>,
    range: Option<(u64, u64)>,
    text: Option<String>,
}

impl Cited {
    pub(super) fn of(citation: &Citation) -> Self {
        Self { url: citation.url.clone(), range: citation.range, text: citation.cited_text.clone() }
    }
}

/// The citations of a candidate, for the text that it has so far.
pub(super) fn citations(candidate: &Object<'_>, text: &str) -> Vec<Citation> {
    let mut citations = grounded(candidate.peek("groundingMetadata"), text).unwrap_or_default();
    citations.extend(recited(candidate.peek("citationMetadata"), text).unwrap_or_default());
    citations
}

/// The searches of the web that were made for a candidate.
pub(super) fn searches(candidate: &Object<'_>) -> u64 {
    let metadata = candidate.peek("groundingMetadata");
    let queries = metadata.as_ref().and_then(|metadata| metadata.get("webSearchQueries")).and_then(Value::as_array);
    let queries = queries.into_iter().flatten();
    queries.filter(|query| query.as_str().is_some_and(|query| !query.is_empty())).count() as u64
}

fn grounded(metadata: Option<Value>, text: &str) -> Option<Vec<Citation>> {
    let metadata = metadata?;
    let chunks = metadata.get("groundingChunks")?.as_array()?;
    let mut citations = Vec::new();
    for support in metadata.get("groundingSupports")?.as_array()? {
        let segment = support.get("segment").unwrap_or(&Value::Null);
        let cited = segment.get("text").and_then(Value::as_str);
        let range = range(segment, text, cited);
        let indices = support.get("groundingChunkIndices").and_then(Value::as_array);
        for index in indices.into_iter().flatten().filter_map(number) {
            let source = usize::try_from(index).ok().and_then(|index| chunks.get(index)).and_then(source);
            let Some(source) = source else { continue };
            let word = |name: &str| source.get(name).and_then(Value::as_str).map(str::to_owned);
            citations.push(Citation {
                url: word("uri"),
                title: word("title"),
                cited_text: cited.map(str::to_owned),
                range,
                native: None,
            });
        }
    }
    Some(citations)
}

/// What a chunk is of: the web, a map, a store of the application's.
fn source(chunk: &Value) -> Option<&Value> {
    ["web", "maps", "retrievedContext", "image"].into_iter().find_map(|kind| chunk.get(kind))
}

/// What the model said by heart.
fn recited(metadata: Option<Value>, text: &str) -> Option<Vec<Citation>> {
    let metadata = metadata?;
    let list = metadata.get("citations").or_else(|| metadata.get("citationSources"))?.as_array()?;
    let citation = |value: &Value| {
        let word = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let native = Native { family: FAMILY, kind: "citationMetadata".to_owned(), value: value.clone() };
        let range = range(value, text, None);
        Citation { url: word("uri"), title: word("title"), cited_text: None, range, native: Some(native) }
    };
    Some(list.iter().map(citation).collect())
}

/// A place in characters, from one in bytes; `None` if the text has no such place, or other words there.
fn range(place: &Value, text: &str, words: Option<&str>) -> Option<(u64, u64)> {
    let at = |name: &str| place.get(name).map_or(Some(0), number).and_then(|at| usize::try_from(at).ok());
    let (start, end) = (at("startIndex")?, at("endIndex")?);
    let cited = text.get(start..end)?;
    if words.is_some_and(|words| words != cited) {
        return None;
    }
    let from = text.get(..start)?.chars().count();
    Some((from as u64, (from + cited.chars().count()) as u64))
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// `groundingMetadata` of citations that are not Google's. Each comes with the number and the text of its part.
pub(super) fn encode(citations: &[(usize, &str, &Citation)]) -> Option<Value> {
    let (mut chunks, mut supports) = (Vec::new(), Vec::new());
    for (part, text, citation) in citations {
        let Some(url) = &citation.url else { continue };
        let chunk = json!({"web": {"uri": url, "title": citation.title.as_deref().unwrap_or(url)}});
        let index = chunks.iter().position(|known| *known == chunk).unwrap_or(chunks.len());
        if index == chunks.len() {
            chunks.push(chunk);
        }
        if let Some((start, end)) = citation.range.and_then(|(from, to)| Some((byte(text, from)?, byte(text, to)?)))
            && let Some(cited) = text.get(start..end)
        {
            let segment = json!({"partIndex": part, "startIndex": start, "endIndex": end, "text": cited});
            supports.push(json!({"segment": segment, "groundingChunkIndices": [index]}));
        }
    }
    (!chunks.is_empty()).then(|| json!({"groundingChunks": chunks, "groundingSupports": supports}))
}

/// Where a character begins, in bytes.
fn byte(text: &str, character: u64) -> Option<usize> {
    let character = usize::try_from(character).ok()?;
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(character)
}

/// Probabilities as OpenAI writes them.
pub(super) fn logprobs(result: &mut Object<'_>) -> Option<Value> {
    let chosen: Vec<Value> = result.get("chosenCandidates")?;
    let top: Vec<Value> = result.get("topCandidates").unwrap_or_default();
    let token = |candidate: &Value| {
        let token = candidate.get("token").and_then(Value::as_str).unwrap_or_default();
        let logprob = candidate.get("logProbability").cloned().unwrap_or_else(|| json!(0.0));
        json!({"token": token, "logprob": logprob, "bytes": token.as_bytes()})
    };
    let tokens = chosen.iter().enumerate().map(|(at, chosen)| {
        let mut said = token(chosen);
        let others = top.get(at).and_then(|top| top.get("candidates")).and_then(Value::as_array);
        let others: Vec<Value> = others.into_iter().flatten().map(token).collect();
        if let Value::Object(said) = &mut said {
            said.insert("top_logprobs".to_owned(), Value::Array(others));
        }
        said
    });
    Some(tokens.collect())
}

/// `logprobsResult`, from OpenAI's list.
pub(super) fn encode_logprobs(tokens: &Value) -> Option<Value> {
    let tokens = tokens.as_array().filter(|tokens| !tokens.is_empty())?;
    let token = |token: &Value| json!({"token": token.get("token"), "logProbability": token.get("logprob")});
    let chosen: Vec<Value> = tokens.iter().map(token).collect();
    let top = tokens.iter().map(|said| {
        let others = said.get("top_logprobs").and_then(Value::as_array);
        json!({"candidates": others.into_iter().flatten().map(token).collect::<Vec<_>>()})
    });
    Some(json!({"chosenCandidates": chosen, "topCandidates": top.collect::<Vec<_>>()}))
}
