//! The conversation as a provider gets it: results of tools directly behind their calls, each a message of its own.

use gw_core::chat::{Loss, Message, Part, Reasoning, Role, ToolCall, ToolInput, ToolResult};
use serde_json::{Map, Value, json};

use super::content;
use super::messages::AUDIO_REFERENCE;
use super::write::Writer;
use crate::chat::Target;
use crate::openai_chat::{FAMILY, reasoning};
use crate::shared::ids::Rule;
use crate::shared::results::Results;

/// What the text of a failed tool's result begins with, where it does not say so itself.
const FAILED: &str = "Error: ";

/// Ids of calls. OpenAI takes 40 characters of any kind; models such as Kimi's look at the form of theirs.
const IDS: Rule = Rule { allows: |c| c.is_ascii_graphic(), length_max: 40 };

/// Writes the conversation.
pub(super) fn encode(messages: &[Message], target: &Target<'_>, writer: &mut Writer) -> Vec<Value> {
    let mut turns = Turns { results: Results::collect(messages), target, writer, messages: Vec::new() };
    for message in messages {
        match message.role {
            Role::System => turns.plain("system", message),
            Role::Developer => turns.plain("developer", message),
            Role::User => turns.user(message),
            Role::Assistant => turns.assistant(message),
        }
    }
    if turns.results.has_more() {
        let why = "a tool call had more than one result; the first was sent";
        turns.writer.lose(Loss::dropped("messages", why));
    }
    turns.messages
}

struct Turns<'a, 't> {
    results: Results<'a>,
    target: &'t Target<'t>,
    writer: &'t mut Writer,
    messages: Vec<Value>,
}

impl<'a> Turns<'a, '_> {
    /// A message that is the application's own.
    fn plain(&mut self, role: &str, message: &Message) {
        let content = self.content(&message.parts);
        self.push(role, content, message, Map::new());
    }

    fn user(&mut self, message: &'a Message) {
        for part in &message.parts {
            if let Part::ToolResult(result) = part
                && let Some(result) = self.results.take_orphan(&result.call_id)
            {
                self.orphan(result);
            }
        }
        let is_result = |part: &&Part| matches!(part, Part::ToolResult(_));
        let others: Vec<Part> = message.parts.iter().filter(|part| !is_result(part)).cloned().collect();
        // A message that held results alone is no message any more.
        if !others.is_empty() || message.parts.is_empty() {
            let name = message.name.clone();
            let message = Message { role: message.role, parts: others, name, unknown: message.unknown.clone() };
            let content = self.content(&message.parts);
            self.push("user", content, &message, Map::new());
        }
    }

    /// A result whose call is not there any more is told as text.
    fn orphan(&mut self, result: &ToolResult) {
        self.writer.lose(Loss::replaced("messages", "a tool's result without its call is sent as the user's text"));
        for (name, _) in result.unknown.of(FAMILY) {
            let why = "the member went with the message of the tool's result";
            self.writer.lose(Loss::dropped(format!("messages[].tool.{name}"), why));
        }
        let name = result.name.as_deref().unwrap_or("a tool");
        let mut parts = vec![Part::from(format!("Result of {name}:"))];
        parts.extend(result.content.iter().cloned());
        let content = self.content(&parts);
        self.messages.push(json!({"role": "user", "content": content}));
    }

    fn assistant(&mut self, message: &'a Message) {
        let mut members = Map::new();
        let calls: Vec<&ToolCall> = message
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::ToolCall(call) => Some(call),
                _ => None,
            })
            .collect();
        let refusal: String = message.parts.iter().filter_map(refusal).collect();
        if !refusal.is_empty() {
            members.insert("refusal".to_owned(), Value::from(refusal.as_str()));
        }
        self.thoughts(&message.parts, &mut members);
        if !calls.is_empty() {
            let calls: Vec<Value> = calls.iter().map(|call| self.call(call)).collect();
            members.insert("tool_calls".to_owned(), Value::from(calls));
        }
        let spoken = message.parts.iter().find_map(|part| match part {
            Part::Native(native) if native.family == FAMILY && native.kind == AUDIO_REFERENCE => Some(&native.value),
            _ => None,
        });
        if let Some(spoken) = spoken {
            members.insert("audio".to_owned(), spoken.clone());
        }
        let state = message.parts.iter().rev().find_map(|part| match part {
            Part::Text(text) => text.opaque.as_ref().filter(|opaque| opaque.belongs_to(FAMILY, self.target.provider)),
            _ => None,
        });
        if let Some(state) = state {
            members.insert("extra_content".to_owned(), json!({"google": {"thought_signature": state.data}}));
        }
        let content = match self.words(&message.parts) {
            // Null is for a message that says something in another way.
            Value::String(text) if text.is_empty() && says_otherwise(&members) => Value::Null,
            content => content,
        };
        self.push("assistant", content, message, members);
        let mut media: Vec<Part> =
            message.parts.iter().filter(|part| matches!(part, Part::Media(_))).cloned().collect();
        if !media.is_empty() {
            self.writer
                .lose(Loss::replaced("messages[].images", "what the model made is sent back as the user's message"));
            media.insert(0, "Made by the assistant in its last message:".into());
        }
        self.answers(&calls, media);
    }

    /// A result for each call, then the media for which results have no place.
    fn answers(&mut self, calls: &[&ToolCall], mut media: Vec<Part>) {
        for call in calls {
            let result = self.results.take(&call.id);
            let content = match result {
                Some(result) => self.result(result, call, &mut media),
                None => {
                    let why = "a tool call without a result was given an empty one";
                    self.writer.lose(Loss::replaced("messages", why));
                    Value::from(format!("{FAILED}no result was given"))
                }
            };
            let mut written = Map::from_iter([
                ("role".to_owned(), Value::from("tool")),
                ("tool_call_id".to_owned(), Value::from(IDS.fit(&call.id))),
                ("content".to_owned(), content),
            ]);
            if let Some(result) = result {
                result.unknown.write(FAMILY, &mut written);
            }
            self.messages.push(Value::Object(written));
        }
        if !media.is_empty() {
            let content = self.content(&media);
            self.messages.push(json!({"role": "user", "content": content}));
        }
    }

    /// The text of a result. What is no text goes into a message behind it, with a pointer.
    fn result(&mut self, result: &ToolResult, call: &ToolCall, media: &mut Vec<Part>) -> Value {
        let mut texts = Vec::new();
        let mut pointers = 0;
        for part in &result.content {
            match part {
                Part::Text(_) => texts.push(part.clone()),
                Part::Media(_) => {
                    let why = "media in a tool's result are sent in a user's message behind it";
                    self.writer.lose(Loss::replaced("messages[].tool.content", why));
                    if pointers == 0 {
                        media.push(format!("From the result of {} ({}):", call.name, IDS.fit(&call.id)).into());
                    }
                    pointers += 1;
                    media.push(part.clone());
                }
                Part::Native(native) if native.family == FAMILY => texts.push(part.clone()),
                Part::Native(native) => drop(content::encode_native(native, self.writer)),
                Part::Refusal(_) | Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) => {
                    self.writer.lose(Loss::dropped("messages[].tool.content", "a tool's result is made of texts"));
                }
            }
        }
        if texts.is_empty() && pointers > 0 {
            texts.push("The result is in the next message.".into());
        }
        if let (true, Some(Part::Text(first))) = (result.is_error, texts.first_mut()) {
            let says_so = first.text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
            if !says_so {
                first.text.insert_str(0, FAILED);
            }
        } else if result.is_error {
            texts.push("Error".into());
        }
        if let (Some(cache), Some(Part::Text(last))) = (&result.cache, texts.last_mut()) {
            last.cache.get_or_insert_with(|| cache.clone());
        }
        self.content(&texts)
    }

    fn call(&mut self, call: &ToolCall) -> Value {
        if call.cache.is_some() {
            self.writer.lose(Loss::dropped("messages[].tool_calls[].cache_control", "calls cannot be marked"));
        }
        let id = IDS.fit(&call.id);
        let mut value = match &call.input {
            ToolInput::Text(input) => {
                json!({"id": id, "type": "custom", "custom": {"name": call.name, "input": input}})
            }
            ToolInput::Json(json) => {
                let arguments = if json.trim().is_empty() { "{}" } else { json };
                let function = json!({"name": call.name, "arguments": arguments});
                json!({"id": id, "type": "function", "function": function})
            }
        };
        let own = call.opaque.as_ref().filter(|opaque| opaque.belongs_to(FAMILY, self.target.provider));
        if let Value::Object(value) = &mut value {
            if let Some(opaque) = own {
                let signature = json!({"google": {"thought_signature": opaque.data}});
                value.insert("extra_content".to_owned(), signature);
            }
            call.unknown.write(FAMILY, value);
        }
        value
    }

    /// Thoughts: their text, which several providers want back, and the state that is this provider's own.
    fn thoughts(&mut self, parts: &[Part], members: &mut Map<String, Value>) {
        let thoughts: Vec<&Reasoning> = parts
            .iter()
            .filter_map(|part| match part {
                Part::Reasoning(reasoning) => Some(reasoning),
                _ => None,
            })
            .collect();
        let texts: Vec<&str> =
            thoughts.iter().filter(|thought| content::is_said(thought)).map(|thought| thought.text.as_str()).collect();
        if !texts.is_empty() {
            members.insert("reasoning_content".to_owned(), Value::from(texts.join("\n")));
        }
        let is_own = |thought: &Reasoning| {
            thought.opaque.as_ref().is_some_and(|opaque| opaque.belongs_to(FAMILY, self.target.provider))
        };
        if thoughts.iter().any(|thought| is_own(thought)) {
            let details = thoughts.iter().flat_map(|thought| {
                let mut shown = (*thought).clone();
                shown.opaque = shown.opaque.filter(|_| is_own(thought));
                reasoning::details(&shown)
            });
            members.insert("reasoning_details".to_owned(), details.collect());
        }
    }

    /// What the model said, as one text: vendors cut it into parts where its sources change.
    fn words(&mut self, parts: &[Part]) -> Value {
        let is_word = |part: &&Part| match part {
            Part::Text(_) => true,
            Part::Native(native) => native.kind != AUDIO_REFERENCE || native.family != FAMILY,
            _ => false,
        };
        let words: Vec<Part> = parts.iter().filter(is_word).cloned().collect();
        match self.content(&words) {
            Value::Array(parts) if parts.iter().all(is_plain) => {
                let texts = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str));
                Value::from(texts.collect::<String>())
            }
            content => content,
        }
    }

    /// Content as a text if it is no more than that, else as a list of parts.
    fn content(&mut self, parts: &[Part]) -> Value {
        let mut content: Vec<Value> = Vec::new();
        for part in parts {
            content.extend(match part {
                Part::Text(text) if text.text.is_empty() => None,
                Part::Text(text) => Some(content::encode_text(text, self.writer)),
                Part::Media(media) => content::encode_media(media, self.writer),
                Part::Native(native) => content::encode_native(native, self.writer),
                Part::Refusal(text) => Some(json!({"type": "refusal", "refusal": text})),
                Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) => {
                    self.writer.lose(Loss::dropped("messages[].content[]", "calls and thoughts are the model's"));
                    None
                }
            });
        }
        match content.as_slice() {
            [] => Value::from(""),
            [one] if is_plain(one) => one.get("text").cloned().unwrap_or_default(),
            _ => Value::Array(content),
        }
    }

    fn push(&mut self, role: &str, content: Value, message: &Message, members: Map<String, Value>) {
        let mut written = Map::from_iter([("role".to_owned(), Value::from(role))]);
        if let Some(name) = &message.name {
            written.insert("name".to_owned(), Value::from(name.as_str()));
        }
        written.insert("content".to_owned(), content);
        written.extend(members);
        message.unknown.write(FAMILY, &mut written);
        self.messages.push(Value::Object(written));
    }
}

fn refusal(part: &Part) -> Option<&str> {
    match part {
        Part::Refusal(text) => Some(text),
        _ => None,
    }
}

fn says_otherwise(members: &Map<String, Value>) -> bool {
    ["tool_calls", "refusal", "audio"].iter().any(|name| members.contains_key(*name))
}

/// Whether a part is a text and nothing else.
fn is_plain(part: &Value) -> bool {
    part.as_object().is_some_and(|part| part.len() == 2 && part.contains_key("text"))
}
