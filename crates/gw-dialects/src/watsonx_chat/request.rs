//! A request in watsonx.ai's words, made from one in OpenAI's. Members that watsonx.ai does not know it refuses, so that
//! only those are left that it does.

use gw_core::chat::ChatRequest;
use gw_core::{Error, ErrorCode};
use serde_json::{Map, Value};

use crate::chat::{Encoded, Target};
use crate::shared::custom;
use crate::shared::losses::Losses;
use crate::watsonx_chat::{Scope, WatsonxChat};

type Object = Map<String, Value>;

/// What stands at the top of a body.
const MEMBERS: [&str; 31] = [
    "model_id",
    "project_id",
    "space_id",
    "context",
    "messages",
    "tools",
    "tool_choice",
    "tool_choice_option",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "n",
    "seed",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "response_format",
    "time_limit",
    "guided_choice",
    "guided_regex",
    "guided_grammar",
    "guided_json",
    "repetition_penalty",
    "length_penalty",
    "reasoning_effort",
    "include_reasoning",
    "chat_template_kwargs",
];

/// Writes a request.
pub(super) fn encode(dialect: &WatsonxChat, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let functions = custom::as_functions(request);
    let (request, lost) = functions.as_ref().map_or((request, &[][..]), |(request, lost)| (request, lost.as_slice()));
    let mut encoded = dialect.inner.encode_request(request, target)?;
    encoded.losses.extend_from_slice(lost);
    let failed = |_| Error::new(ErrorCode::InternalError, "the request could not be written in watsonx.ai's format");
    let mut body: Object = serde_json::from_slice(&encoded.body).map_err(failed)?;
    let mut edit = Edit { losses: Losses::from(std::mem::take(&mut encoded.losses)) };
    edit.body(&mut body);
    // Said by the path.
    body.retain(|name, _| !matches!(name.as_str(), "model" | "stream" | "stream_options"));
    body.retain(|name, value| {
        let is_known = MEMBERS.contains(&name.as_str());
        // What is asked for is what happens anyway.
        let is_usual = name == "parallel_tool_calls" && *value == true;
        if !is_known && !is_usual && !value.is_null() {
            edit.losses.drop(name.clone(), "watsonx.ai has no such parameter");
        }
        is_known && !value.is_null()
    });
    encoded.losses = edit.losses.into_vec();
    encoded.path = address(dialect, &mut body, target);
    if let Some(limit) = dialect.time_limit {
        let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        body.entry("time_limit").or_insert_with(|| milliseconds.into());
    }
    encoded.body = serde_json::to_vec(&body).map_err(failed)?;
    Ok(encoded)
}

/// The path, and those members of the body that go with it.
fn address(dialect: &WatsonxChat, body: &mut Object, target: &Target<'_>) -> String {
    let verb = if target.stream { "chat_stream" } else { "chat" };
    let version = &dialect.version;
    if let Some(scope) = &dialect.scope {
        // The operator's choice, whatever the client's body says.
        body.retain(|name, _| !matches!(name.as_str(), "project_id" | "space_id"));
        match scope {
            Scope::Project(id) => drop(body.insert("project_id".to_owned(), id.as_str().into())),
            Scope::Space(id) => drop(body.insert("space_id".to_owned(), id.as_str().into())),
            Scope::Deployment(id) => {
                body.shift_remove("model_id");
                return format!("/ml/v1/deployments/{id}/text/{verb}?version={version}");
            }
        }
    }
    body.insert("model_id".to_owned(), target.model.into());
    format!("/ml/v1/text/{verb}?version={version}")
}

/// Changes what watsonx.ai says in another way, and notes what it cannot say.
struct Edit {
    losses: Losses,
}

impl Edit {
    fn body(&mut self, body: &mut Object) {
        if let Some(Value::Array(messages)) = body.get_mut("messages") {
            messages.iter_mut().filter_map(Value::as_object_mut).for_each(|message| self.message(message));
        }
        self.tool_choice(body);
        if let Some(Value::Array(tools)) = body.get_mut("tools") {
            tools.retain_mut(|tool| self.tool(tool));
            if tools.is_empty() {
                body.retain(|name, _| !matches!(name.as_str(), "tools" | "tool_choice" | "tool_choice_option"));
            }
        }
        if let Some(stop) = body.get_mut("stop").filter(|stop| stop.is_string()) {
            *stop = Value::Array(vec![stop.take()]);
        }
        self.effort(body);
    }

    fn message(&mut self, message: &mut Object) {
        if message.get("role").is_some_and(|role| role == "developer") {
            message.insert("role".to_owned(), "system".into());
        }
        let is_user = message.get("role").is_some_and(|role| role == "user");
        match message.get_mut("content") {
            Some(content @ Value::Array(_)) if is_user => self.user_content(content),
            Some(content @ Value::Array(_)) => *content = self.text_of(content),
            Some(Value::Null) => drop(message.shift_remove("content")),
            _ => {}
        }
        if let Some(Value::Array(calls)) = message.get_mut("tool_calls") {
            calls.iter_mut().for_each(|call| self.call(call));
        }
        message.retain(|name, value| {
            let is_known =
                ["role", "content", "name", "refusal", "tool_calls", "tool_call_id"].contains(&name.as_str());
            if !is_known && !value.is_null() {
                self.losses.drop(format!("messages[].{name}"), "watsonx.ai's messages have no such member");
            }
            is_known
        });
    }

    /// Only a user's messages have parts.
    fn text_of(&mut self, parts: &Value) -> Value {
        let mut texts = Vec::new();
        for part in parts.as_array().into_iter().flatten() {
            match part["text"].as_str().or_else(|| part["refusal"].as_str()) {
                Some(text) => texts.push(text),
                None => self.losses.drop("messages[].content", "only a user's messages have more than text"),
            }
        }
        texts.join("\n").into()
    }

    /// A list has at least one part.
    fn user_content(&mut self, content: &mut Value) {
        if let Value::Array(parts) = content {
            parts.retain_mut(|part| self.user_part(part));
            if parts.is_empty() {
                *content = "".into();
            }
        }
    }

    fn user_part(&mut self, part: &mut Value) -> bool {
        let kind = part["type"].as_str().unwrap_or_default().to_owned();
        let (members, inner): (&[&str], &[&str]) = match kind.as_str() {
            "text" => (&["type", "text"], &[]),
            "image_url" => (&["type", "image_url", "data_asset"], &["url", "detail"]),
            "video_url" => (&["type", "video_url", "data_asset"], &["url"]),
            "input_audio" => (&["type", "input_audio", "data_asset"], &["data", "format"]),
            _ => {
                self.losses.drop(format!("messages[].{kind}"), "watsonx.ai takes text, images, sounds and films");
                return false;
            }
        };
        if let Some(part) = part.as_object_mut() {
            part.retain(|name, _| self.keeps(members, name));
        }
        if let Some(media) = part.get_mut(&kind).and_then(Value::as_object_mut) {
            media.retain(|name, _| self.keeps(inner, name));
        }
        true
    }

    fn keeps(&mut self, known: &[&str], name: &str) -> bool {
        self.knows(known, "messages[].content[]", name)
    }

    fn knows(&mut self, known: &[&str], place: &str, name: &str) -> bool {
        let is_known = known.contains(&name);
        if !is_known {
            self.losses.drop(format!("{place}.{name}"), "watsonx.ai has no such member there");
        }
        is_known
    }

    /// Words stand in a member of their own; only one named function stands in OpenAI's.
    fn tool_choice(&mut self, body: &mut Object) {
        let Some(choice) = body.get("tool_choice") else { return };
        let allowed = &choice["allowed_tools"];
        let option = match choice {
            Value::String(word) => Value::from(word.as_str()),
            _ if choice["type"] == "function" => return,
            _ if choice["type"] == "allowed_tools" => {
                let option = allowed["mode"].clone();
                let names: Vec<String> = allowed["tools"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|tool| tool["function"]["name"].as_str().map(str::to_owned))
                    .collect();
                if let Some(Value::Array(tools)) = body.get_mut("tools") {
                    tools.retain(|tool| names.iter().any(|name| tool["function"]["name"] == name.as_str()));
                }
                option
            }
            _ => {
                self.losses.drop("tool_choice", "watsonx.ai can be told a word or a function");
                Value::Null
            }
        };
        body.shift_remove("tool_choice");
        if option.is_string() {
            body.insert("tool_choice_option".to_owned(), option);
        }
    }

    fn tool(&mut self, tool: &mut Value) -> bool {
        if tool["type"] != "function" {
            self.losses.drop("tools[].type", "watsonx.ai has functions only");
            return false;
        }
        if let Some(function) = tool.get_mut("function").and_then(Value::as_object_mut) {
            if function.shift_remove("strict").is_some_and(|strict| strict == true) {
                self.losses.drop("tools[].strict", "watsonx.ai does not enforce the schemas of tools");
            }
            function.retain(|name, value| {
                !value.is_null() && self.knows(&["name", "description", "parameters"], "tools[].function", name)
            });
        }
        if let Some(tool) = tool.as_object_mut() {
            tool.retain(|name, _| self.knows(&["type", "function"], "tools[]", name));
        }
        true
    }

    fn call(&mut self, call: &mut Value) {
        if let Some(function) = call.get_mut("function").and_then(Value::as_object_mut) {
            function.retain(|name, _| self.knows(&["name", "arguments"], "messages[].tool_calls[].function", name));
        }
        if let Some(call) = call.as_object_mut() {
            call.retain(|name, _| self.knows(&["id", "type", "function"], "messages[].tool_calls[]", name));
        }
    }

    fn effort(&mut self, body: &mut Object) {
        let Some(effort) = body.get("reasoning_effort").and_then(Value::as_str) else { return };
        let near = match effort {
            "low" | "medium" | "high" => return,
            "minimal" => "low",
            "xhigh" | "max" => "high",
            _ => {
                self.losses.drop("reasoning_effort", "watsonx.ai knows `low`, `medium`, `high`");
                body.shift_remove("reasoning_effort");
                return;
            }
        };
        self.losses.replace("reasoning_effort", "watsonx.ai knows `low`, `medium`, `high`; the nearest is sent");
        body.insert("reasoning_effort".to_owned(), near.into());
    }
}
