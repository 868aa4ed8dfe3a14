//! What the sandbox says: the words or the tool calls that answer a request.

use std::sync::Arc;

use serde_json::{Value, json};

use super::instance::instance;
use super::model::Words;
use super::problem::Problem;
use super::request::{ChatRequest, Content, InputItem, Message, Options, ResponseFormat};
use super::text::{self, FinishReason};
use super::tool::{self, Call};
use super::wire::UsageReport;

/// One choice of an answer. All choices of an answer are alike.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) said: Said,
    pub(super) finish_reason: FinishReason,
}

/// What a choice holds.
#[derive(Debug)]
pub(super) enum Said {
    Text(Arc<str>),
    Calls(Vec<Call>),
}

/// Answers a conversation.
pub(super) fn to_chat(words: Words, request: &ChatRequest) -> Result<Reply, Problem> {
    if request.messages.is_empty() {
        return Err(Problem::invalid_field("messages", "messages must hold at least one message."));
    }
    let calls = tool::calls(request)?;
    if !calls.is_empty() {
        return Ok(Reply { said: Said::Calls(calls), finish_reason: FinishReason::ToolCalls });
    }
    let text = formatted(plain_text(words, &request.messages), request.response_format.as_ref())?;
    let tokens_max = request.max_completion_tokens.or(request.options.max_tokens);
    said(text, &request.options, tokens_max)
}

/// Continues one prompt of a legacy completion.
pub(super) fn to_prompt(words: Words, prompt: &InputItem, options: &Options) -> Result<Reply, Problem> {
    let text = match (words, prompt) {
        (Words::Filler { count }, _) => text::filler(count),
        (Words::Echo, InputItem::Text(text)) => format!("The sandbox heard: {text}"),
        (Words::Echo, InputItem::Tokens(tokens)) => format!("The sandbox heard: {} tokens", tokens.len()),
    };
    said(text, options, options.max_tokens)
}

/// What an answer with this many choices used.
pub(super) fn usage(prompt_tokens: u64, replies: &[&Reply]) -> UsageReport {
    UsageReport::new(prompt_tokens, replies.iter().map(|reply| reply.said.tokens()).sum())
}

/// An estimate of the tokens of a conversation.
pub(super) fn prompt_tokens(messages: &[Message]) -> u64 {
    text::tokens(messages.iter().flat_map(Message::texts).map(str::len).sum())
}

fn said(text: String, options: &Options, tokens_max: Option<u64>) -> Result<Reply, Problem> {
    if tokens_max == Some(0) {
        return Err(Problem::invalid_field("max_tokens", "the token limit must be at least 1."));
    }
    let (text, finish_reason) = text::cut(text, options.stops(), tokens_max);
    Ok(Reply { said: Said::Text(text), finish_reason })
}

fn formatted(text: String, format: Option<&ResponseFormat>) -> Result<String, Problem> {
    match format {
        None | Some(ResponseFormat::Text) => Ok(text),
        Some(ResponseFormat::JsonObject) => Ok(json!({ "answer": text }).to_string()),
        Some(ResponseFormat::JsonSchema { json_schema }) => match &json_schema.schema {
            Some(schema @ Value::Object(_)) => Ok(instance(schema).to_string()),
            _ => Err(Problem::invalid_field("response_format", "json_schema.schema must be an object.")),
        },
    }
}

fn plain_text(words: Words, messages: &[Message]) -> String {
    if let Words::Filler { count } = words {
        return text::filler(count);
    }
    let results: Vec<&Message> = messages.iter().rev().take_while(|message| message.role == "tool").collect();
    if !results.is_empty() {
        let results: Vec<String> = results.iter().rev().map(|result| result.joined()).collect();
        return format!("The tool said: {}", results.join("; "));
    }
    let users = messages.iter().rev().find(|message| message.role == "user");
    let Some(message) = users.or(messages.last()) else { return String::new() };
    let attachments = message.attachments();
    if attachments.is_empty() {
        return format!("The sandbox heard: {}", message.joined());
    }
    format!("The sandbox got {} and heard: {}", attachments.join(", "), message.joined())
}

impl Said {
    fn tokens(&self) -> u64 {
        match self {
            Self::Text(text) => text::tokens(text.len()),
            Self::Calls(calls) => calls.iter().map(|call| text::tokens(call.name.len() + call.arguments.len())).sum(),
        }
    }
}

impl Message {
    fn texts(&self) -> impl Iterator<Item = &str> {
        let (text, parts) = match &self.content {
            None => (None, [].as_slice()),
            Some(Content::Text(text)) => (Some(text.as_str()), [].as_slice()),
            Some(Content::Parts(parts)) => (None, parts.as_slice()),
        };
        text.into_iter().chain(parts.iter().filter_map(|part| part.text.as_deref()))
    }

    fn joined(&self) -> String {
        self.texts().collect::<Vec<_>>().join(" ")
    }

    /// What else than text was sent: `2 images`, `1 file`.
    fn attachments(&self) -> Vec<String> {
        let Some(Content::Parts(parts)) = &self.content else { return Vec::new() };
        [("image_url", "image"), ("input_audio", "recording"), ("file", "file")]
            .into_iter()
            .filter_map(|(kind, noun)| match parts.iter().filter(|part| part.r#type == kind).count() {
                0 => None,
                1 => Some(format!("1 {noun}")),
                many => Some(format!("{many} {noun}s")),
            })
            .collect()
    }
}
