//! Writes a conversation as items. Messages keep their order and their roles; the results of a turn's calls follow it at
//! once, since OpenAI refuses a call without a result and a result without its call.

use gw_core::chat::{ChatRequest, Loss, Media, MediaSource, Message, Part, Role, ToolCall, ToolInput, ToolResult};
use serde_json::{Value, json};

use super::super::read::Object;
use super::super::tools::Names;
use super::super::{FAMILY, ID_RULE};
use super::spoken::{Spoken, is_empty, is_spoken};
use super::{content, encode, items};
use crate::chat::Target;
use crate::shared::losses::Losses;
use crate::shared::results::Results;

/// The items of `input`.
pub(super) fn items(request: &ChatRequest, target: &Target<'_>, names: &Names, losses: &mut Losses) -> Vec<Value> {
    let is_own = request.extra.family == FAMILY;
    let member = |name: &str| if is_own { request.extra.members.get(name) } else { None };
    let refers = |part: &Part| match part {
        Part::Native(native) => native.family == FAMILY && native.kind == "item_reference",
        _ => false,
    };
    let mut writer = Writer {
        items: Vec::new(),
        results: Results::collect(&request.messages),
        is_own,
        // The provider may know the calls from before, and thoughts by their ids.
        continues: member("previous_response_id").or(member("conversation")).is_some()
            || request.messages.iter().flat_map(|message| &message.parts).any(refers),
        is_stored: member("store") == Some(&Value::Bool(true)),
        provider: target.provider,
        names,
        losses,
    };
    let instructions = usize::from(encode::instructions(request).is_some());
    for message in request.messages.iter().skip(instructions) {
        writer.message(message);
    }
    writer.items
}

struct Writer<'a> {
    items: Vec<Value>,
    results: Results<'a>,
    is_own: bool,
    continues: bool,
    is_stored: bool,
    provider: &'a str,
    names: &'a Names,
    losses: &'a mut Losses,
}

impl<'a> Writer<'a> {
    fn message(&mut self, message: &'a Message) {
        if message.name.is_some() {
            self.losses.push(Loss::dropped("messages[].name", "participants have no names in OpenAI's Responses"));
        }
        let before = self.items.len();
        match message.role {
            Role::System => self.given("system", &message.parts),
            Role::Developer => self.given("developer", &message.parts),
            Role::User => self.given("user", &message.parts),
            Role::Assistant => self.said(&message.parts),
        }
        // They stand on the first of the items that the message became.
        let written = self.items.iter_mut().skip(before).find(|item| item["type"] == "message");
        if let Some(written) = written {
            content::put_back(message.unknown.of(FAMILY), written);
        }
    }

    /// What the application's side says. Items of our own family stand between its messages.
    fn given(&mut self, role: &str, parts: &'a [Part]) {
        let mut said: Vec<&Part> = Vec::new();
        for part in parts {
            match part {
                Part::ToolResult(result) => {
                    self.say(role, &mut said);
                    self.orphan(result);
                }
                Part::Native(native) if native.family == FAMILY && !content::is_content(native) => {
                    self.say(role, &mut said);
                    self.items.push(native.value.clone());
                }
                other => said.push(other),
            }
        }
        self.say(role, &mut said);
    }

    fn say(&mut self, role: &str, said: &mut Vec<&Part>) {
        let parts = std::mem::take(said);
        if let [part] = parts.as_slice()
            && let Some(text) = items::plain(std::slice::from_ref(*part))
        {
            self.items.push(json!({"type": "message", "role": role, "content": text}));
            return;
        }
        let written = parts.iter().filter(|part| !is_empty(part));
        let content: Vec<Value> = written.filter_map(|part| content::input(part, self.is_own, self.losses)).collect();
        if !content.is_empty() {
            self.items.push(json!({"type": "message", "role": role, "content": content}));
        }
    }

    /// A result whose call is not there is told as text, unless the provider may know the call.
    fn orphan(&mut self, result: &'a ToolResult) {
        let Some(result) = self.results.take_orphan(&result.call_id) else { return };
        if self.continues {
            self.result(result, result.is_custom);
            return;
        }
        self.losses.push(Loss::replaced("messages", "a tool's result without its call is sent as the user's text"));
        let about = Part::from(format!("Result of {}:", result.name.as_deref().unwrap_or("a tool")));
        let parts = [&about].into_iter().chain(&result.content);
        let content: Vec<Value> = parts.filter_map(|part| content::input(part, self.is_own, self.losses)).collect();
        self.items.push(json!({"type": "message", "role": "user", "content": content}));
    }

    /// What the model said, thought and called, in its order; then what its calls gave back.
    fn said(&mut self, parts: &'a [Part]) {
        let mut message = Spoken::default();
        let mut pictures = Vec::new();
        let mut rest = parts;
        while let [part, ..] = rest {
            let (now, later) = rest.split_at(thoughts_in_a_row(rest).max(1));
            rest = later;
            if is_spoken(part) {
                message.add(part, self.provider, self.losses, &mut self.items);
                continue;
            }
            message.finish(&mut self.items);
            match part {
                Part::Reasoning(_) => self.thought(now),
                Part::ToolCall(call) => self.call(call),
                Part::Media(media) => pictures.extend(self.made(media)),
                Part::Native(native) if native.family == FAMILY => self.items.push(native.value.clone()),
                Part::Native(native) => self.losses.push(content::foreign(native)),
                Part::Text(_) | Part::Refusal(_) | Part::ToolResult(_) => {}
            }
        }
        message.finish(&mut self.items);
        self.answer_calls(parts);
        if !pictures.is_empty() {
            self.losses.push(Loss::replaced("messages[].content", "media of the model's are sent as the user's"));
            self.items.push(json!({"type": "message", "role": "user", "content": pictures}));
        }
    }

    /// An item of thoughts is shown to whoever can read it: where its state came from, or where it is stored. Their text
    /// alone, which OpenAI does not take, is left out. An id that is not known is not made up: OpenAI's schema requires
    /// one, its servers do not, and they refuse encrypted thoughts under another id than their own.
    fn thought(&mut self, parts: &[Part]) {
        let thoughts = parts.iter().filter_map(|part| match part {
            Part::Reasoning(reasoning) => Some(reasoning),
            _ => None,
        });
        let states = || thoughts.clone().filter_map(|reasoning| reasoning.opaque.as_ref());
        let own = states().find(|opaque| opaque.belongs_to(FAMILY, self.provider));
        let id = thoughts.clone().find_map(|reasoning| reasoning.id.as_deref()).filter(|id| is_providers(id));
        if own.is_none() && !(self.is_stored && id.is_some()) {
            // State of others is left out for its owner's sake; thoughts without any are a loss.
            if states().next().is_none() && thoughts.clone().any(|reasoning| !reasoning.text.is_empty()) {
                let why = "the provider takes back its own thoughts only";
                self.losses.push(Loss::dropped("messages[].reasoning_content", why));
            }
            return;
        }
        let mut item = json!({"type": "reasoning", "summary": []});
        if let Some(id) = id {
            item["id"] = Value::from(id);
        }
        for reasoning in thoughts.clone().filter(|reasoning| !reasoning.text.is_empty()) {
            let (member, kind) =
                if reasoning.is_summary { ("summary", "summary_text") } else { ("content", "reasoning_text") };
            item[member] = json!([{"type": kind, "text": reasoning.text}]);
        }
        if let Some(opaque) = own {
            item["encrypted_content"] = Value::from(opaque.data.as_str());
        }
        self.items.push(item);
    }

    fn call(&mut self, call: &ToolCall) {
        let id = ID_RULE.fit(&call.id);
        let mut item = match &call.input {
            ToolInput::Json(json) if json.trim().is_empty() => {
                json!({"type": "function_call", "call_id": id, "name": "", "arguments": "{}"})
            }
            ToolInput::Json(json) => json!({"type": "function_call", "call_id": id, "name": "", "arguments": json}),
            ToolInput::Text(text) => json!({"type": "custom_tool_call", "call_id": id, "name": "", "input": text}),
        };
        self.names.write(&mut item, &call.name);
        content::put_back(call.unknown.of(FAMILY), &mut item);
        self.items.push(item);
    }

    /// Each call gets its result, wherever it stands; one that has none gets one that says so.
    fn answer_calls(&mut self, parts: &'a [Part]) {
        for part in parts {
            let Part::ToolCall(call) = part else { continue };
            let is_custom = matches!(call.input, ToolInput::Text(_));
            if let Some(result) = self.results.take(&call.id) {
                self.result(result, is_custom);
                continue;
            }
            self.losses.push(Loss::replaced("messages", "a tool call without a result was given an empty one"));
            let missing = ToolResult {
                call_id: call.id.clone(),
                content: vec!["no result was given".into()],
                ..ToolResult::default()
            };
            self.result(&missing, is_custom);
        }
    }

    fn result(&mut self, result: &ToolResult, is_custom: bool) {
        let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
        if result.is_error {
            self.losses.push(Loss::replaced("messages[].is_error", "that a tool failed is said in its result"));
        }
        let prefix = if result.is_error { "Error: " } else { "" };
        let output = match items::plain(&result.content) {
            Some(text) => Value::from(format!("{prefix}{text}")),
            None if result.content.is_empty() => Value::from(prefix.trim()),
            None => {
                let said = Part::from(prefix.trim());
                let parts = [&said].into_iter().filter(|_| result.is_error).chain(&result.content);
                let content = parts.filter_map(|part| content::input(part, self.is_own, self.losses));
                Value::Array(content.collect())
            }
        };
        let mut item = json!({"type": kind, "call_id": ID_RULE.fit(&result.call_id), "output": output});
        content::put_back(result.unknown.of(FAMILY), &mut item);
        self.items.push(item);
    }

    /// A picture that OpenAI's model made goes back as its own item; another medium is shown by the user.
    fn made(&mut self, media: &Media) -> Option<Value> {
        let own = media.extra.as_ref().filter(|native| native.family == FAMILY && native.kind == items::PICTURE);
        if let (Some(native), MediaSource::Inline { data, .. }) = (own, &media.source)
            && let Value::Object(rest) = &native.value
        {
            let mut item: Object = rest.clone();
            item.insert("result".to_owned(), Value::from(data.as_str()));
            self.items.push(Value::Object(item));
            return None;
        }
        content::input(&Part::Media(media.clone()), self.is_own, self.losses)
    }
}

/// How many parts at the beginning are one item of thoughts: a summary and the words behind it share an id.
fn thoughts_in_a_row(parts: &[Part]) -> usize {
    match parts {
        [Part::Reasoning(first), Part::Reasoning(second), ..]
            if first.id.is_some() && first.id == second.id && first.is_summary != second.is_summary =>
        {
            2
        }
        [Part::Reasoning(_), ..] => 1,
        _ => 0,
    }
}

/// Whether an id of thoughts is OpenAI's. The id is inside what is encrypted too, so that one of the gateway's making,
/// which has a second `_`, would be refused.
fn is_providers(id: &str) -> bool {
    id.strip_prefix("rs_").is_some_and(|rest| !rest.contains('_'))
}
