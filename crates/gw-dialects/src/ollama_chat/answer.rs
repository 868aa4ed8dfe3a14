//! What Ollama answers. A whole answer is a line of a stream that says all at once, so that both are read here.

use std::hash::{DefaultHasher, Hash, Hasher};

use gw_core::chat::{Block, ChatAnswer, Collector, Delta, Event, Finish, FinishReason, MediaKind};
use gw_core::{Error, ErrorCode, Usage};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::chat::Origin;
use crate::ollama_chat::error::code_of_text;
use crate::plain::blocks::{Blocks, Kind};
use crate::shared::json::unescaped;
use crate::shared::{media, refusal};

/// Reads a whole answer.
pub(super) fn decode(body: &[u8], origin: &Origin) -> Result<ChatAnswer, Error> {
    let mut reader = Reader::new(origin.clone());
    let mut events = Vec::new();
    reader.line(body, &mut events)?;
    if !reader.is_done() {
        return Err(refusal::invalid(&origin.provider, "an answer that is not whole"));
    }
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    Ok(collector.into_answer())
}

#[derive(Deserialize)]
struct Line {
    model: Option<String>,
    created_at: Option<String>,
    message: Option<Message>,
    #[serde(default)]
    done: Option<bool>,
    done_reason: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
    logprobs: Option<Vec<Value>>,
    error: Option<Value>,
}

#[derive(Deserialize, Default)]
struct Message {
    content: Option<String>,
    thinking: Option<String>,
    images: Option<Vec<String>>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    id: Option<String>,
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    arguments: Option<Box<RawValue>>,
}

/// Reads an answer line by line.
#[derive(Debug)]
pub(super) struct Reader {
    origin: Origin,
    blocks: Blocks,
    /// How many tools were called.
    calls: u64,
}

impl Reader {
    pub(super) fn new(origin: Origin) -> Self {
        Self { origin, blocks: Blocks::default(), calls: 0 }
    }

    /// Whether the line was read that ends the answer.
    pub(super) fn is_done(&self) -> bool {
        self.blocks.finished()
    }

    /// Whose answer it is.
    pub(super) fn provider(&self) -> &str {
        &self.origin.provider
    }

    /// Takes a line; what follows the end of the answer is nothing to it.
    pub(super) fn line(&mut self, line: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        if self.is_done() {
            return Ok(());
        }
        let line: Line = serde_json::from_slice(line)
            .map_err(|_| refusal::invalid(self.provider(), "a line that is not one of Ollama's answers"))?;
        if let Some(error) = line.error.filter(|error| !error.is_null()) {
            let said = error.as_str().or_else(|| error["message"].as_str()).unwrap_or("no reason given");
            let code = code_of_text(said).unwrap_or(ErrorCode::ProviderFailed);
            return Err(refusal::told(self.provider(), code, said));
        }
        if line.message.is_none() && line.done.is_none() {
            return Err(refusal::invalid(self.provider(), "a line that is not one of Ollama's answers"));
        }
        let model = line.model.unwrap_or_else(|| self.origin.model.to_string());
        self.blocks.start("", &model, events);
        self.message(line.message.unwrap_or_default(), line.created_at.as_deref(), line.logprobs, events);
        if line.done == Some(true) {
            let usage = line.prompt_eval_count.or(line.eval_count).map(|_| Usage {
                input_tokens: line.prompt_eval_count.unwrap_or(0),
                output_tokens: line.eval_count.unwrap_or(0),
                ..Usage::default()
            });
            self.blocks.close(events);
            events.extend(usage.map(Event::Usage));
            self.blocks.finish(finish(line.done_reason, self.blocks.called()), events);
        }
        Ok(())
    }

    fn message(
        &mut self,
        message: Message,
        created_at: Option<&str>,
        logprobs: Option<Vec<Value>>,
        events: &mut Vec<Event>,
    ) {
        self.blocks.say(Kind::Reasoning, 0, &message.thinking.unwrap_or_default(), events);
        self.blocks.say(Kind::Text, 0, &message.content.unwrap_or_default(), events);
        if let Some(tokens) = logprobs.filter(|tokens| !tokens.is_empty()) {
            self.blocks.delta(Delta::Logprobs(Value::Array(tokens)), events);
        }
        for Call { id, function } in message.tool_calls.unwrap_or_default() {
            let arguments = arguments(function.arguments);
            let id = id.filter(|id| !id.is_empty());
            let id = id.unwrap_or_else(|| made_id(created_at, self.calls, &function.name, &arguments));
            self.blocks.call(self.calls, id, self.origin.names.original(&function.name).to_owned(), events);
            self.blocks.delta(Delta::Text(arguments), events);
            self.calls += 1;
        }
        for data in message.images.unwrap_or_default() {
            let media_type = media::sniff(&data).unwrap_or("image/png").to_owned();
            let block = Block::Media { kind: MediaKind::Image, media_type };
            self.blocks.whole(block, Some(Delta::Text(data)), events);
        }
    }
}

fn finish(said: Option<String>, called: bool) -> Finish {
    let reason = match said.as_deref() {
        Some("length") => FinishReason::Length,
        _ if called => FinishReason::ToolCalls,
        // Also `load` and `unload`, which end an answer to no message, and what is not known.
        _ => FinishReason::Stop,
    };
    Finish { reason, raw: said, stop_sequence: None }
}

/// The arguments as they were written; servers that imitate Ollama give a text that holds them.
fn arguments(written: Option<Box<RawValue>>) -> String {
    let Some(written) = written else { return "{}".to_owned() };
    let held = serde_json::from_str::<String>(written.get());
    let json = held.unwrap_or_else(|_| unescaped(written.get()).into_owned());
    if json.trim().is_empty() { "{}".to_owned() } else { json }
}

/// An id for a call that Ollama gives none. It holds the time of the call, in Ollama's nanoseconds, so that the same call
/// made again in a conversation is another.
fn made_id(created_at: Option<&str>, place: u64, name: &str, arguments: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (created_at, place, name, arguments).hash(&mut hasher);
    format!("call_{:016x}", hasher.finish())
}
