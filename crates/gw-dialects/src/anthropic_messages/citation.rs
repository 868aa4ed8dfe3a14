//! Where a text was taken from: Anthropic's locations, and the addresses that other dialects know.

use gw_core::chat::{Citation, Family, Native};
use serde_json::{Value, json};

use super::FAMILY;

/// A citation as Anthropic gives it. Its places are within the source, so that it has no range in the text.
pub(super) fn decode(value: Value) -> Citation {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let url = text("url").or_else(|| text("source").filter(|source| source.starts_with("http")));
    let (title, cited_text) = (text("title").or_else(|| text("document_title")), text("cited_text"));
    let kind = text("type").unwrap_or_default();
    Citation { url, title, cited_text, range: None, native: Some(Native { family: FAMILY, kind, value }) }
}

/// A citation as Anthropic would give it: its own as it was, another's if it has an address.
pub(super) fn encode(citation: &Citation) -> Option<Value> {
    if let Some(own) = own(citation) {
        return Some(own.clone());
    }
    let url = citation.url.as_deref()?;
    Some(json!({
        "type": "web_search_result_location",
        "url": url,
        "title": citation.title,
        "cited_text": citation.cited_text.as_deref().unwrap_or_default(),
        "encrypted_index": "",
    }))
}

/// The citation as Anthropic gave it: the only kind that it takes back.
pub(super) fn own(citation: &Citation) -> Option<&Value> {
    let native = citation.native.as_ref().filter(|native| native.family == Family::Anthropic)?;
    Some(&native.value)
}
