//! Whether a request has media at addresses, which not everybody who serves Claude fetches.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Content<'a>,
}

/// A text, which is of no interest, or blocks.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content<'a> {
    Blocks(#[serde(borrow)] Vec<Block<'a>>),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    source: Option<Source<'a>>,
    /// What the result of a tool is made of.
    #[serde(borrow)]
    content: Option<Content<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Source<'a> {
    Of {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        content: Option<Content<'a>>,
    },
    Other(IgnoredAny),
}

impl Content<'_> {
    fn names_addresses(&self) -> bool {
        match self {
            Self::Blocks(blocks) => blocks.iter().any(Block::names_addresses),
            Self::Other(IgnoredAny) => false,
        }
    }
}

impl Block<'_> {
    fn names_addresses(&self) -> bool {
        let within = |content: &Option<Content<'_>>| content.as_ref().is_some_and(Content::names_addresses);
        let of_source = match &self.source {
            Some(Source::Of { kind, content }) => kind == "url" || within(content),
            Some(Source::Other(IgnoredAny)) | None => false,
        };
        of_source || within(&self.content)
    }
}

/// Whether the body of a request has an image or a document at an address. Of a body that is no request that is not said.
pub fn names_addresses(body: &[u8]) -> bool {
    // Within a text the quotes are escaped: most bodies need no closer look.
    memchr::memmem::find(body, b"\"url\"").is_some()
        && serde_json::from_slice::<Body<'_>>(body)
            .is_ok_and(|body| body.messages.iter().any(|message| message.content.names_addresses()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_wherever_media_stand() {
        let body = |block: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{block}]}}]}}"#);
        let image = r#"{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}"#;
        assert!(names_addresses(body(image).as_bytes()));
        assert!(names_addresses(body(&format!(r#"{{"type":"tool_result","content":[{image}]}}"#)).as_bytes()));
        let document = format!(r#"{{"type":"document","source":{{"type":"content","content":[{image}]}}}}"#);
        assert!(names_addresses(body(&document).as_bytes()));
    }

    #[test]
    fn what_is_only_called_url_is_no_address() {
        for body in [
            r#"{"messages":[{"role":"user","content":"see \"url\""}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"tool_use","input":{"url":"x"}}]}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"AA=="}}]}],
                "tools":[{"input_schema":{"properties":{"url":{"type":"string"}}}}]}"#,
            r#"{"messages":3,"x":"url"}"#,
        ] {
            assert!(!names_addresses(body.as_bytes()), "{body}");
        }
    }
}
