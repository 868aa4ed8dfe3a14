//! The object `response` as clients get it: what was asked, echoed, and what has come so far.

use bytes::Bytes;
use gw_core::chat::{Finish, FinishReason};
use gw_core::{RequestId, Usage};
use serde_json::{Value, json};

use super::FAMILY;
use super::read::{Object, number};
use super::request;
use super::tools::Names;
use crate::chat::Asked;
use crate::shared::losses::Losses;

/// Members of the request that are echoed as they were given; otherwise with OpenAI's default, or none.
const ECHOED: [&str; 9] = [
    "background",
    "conversation",
    "max_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_retention",
    "store",
    "truncation",
    "user",
];

/// The id of the answer to a request: under it the gateway keeps what is to be continued.
pub fn response_id(request_id: RequestId) -> String {
    format!("resp_{request_id}")
}

/// The id of an answer; `None` if it has none.
pub fn id_of(answer: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?;
    crate::scan::Object::parse(text).ok()?.string("id")
}

/// An answer under another id.
pub fn with_id(answer: &[u8], id: &str) -> Bytes {
    let Ok(mut object) = serde_json::from_slice::<Object>(answer) else { return Bytes::copy_from_slice(answer) };
    object.insert("id".to_owned(), json!(id));
    Bytes::from(Value::Object(object).to_string())
}

/// How far an answer is.
pub(super) enum Progress<'a> {
    /// It comes.
    Running,
    /// It is whole.
    Finished(&'a Finish),
    /// It broke off: the code and the message.
    Failed(&'static str, &'a str),
}

/// What does not change while an answer comes.
#[derive(Debug)]
pub(super) struct Echo(Object);

impl Echo {
    pub(super) fn of(asked: &Asked) -> Self {
        let request = &*asked.request;
        let extra = |name: &str| {
            let members = Some(&request.extra).filter(|extra| extra.family == FAMILY)?;
            members.members.get(name).cloned()
        };
        let names = Names::of(request);
        let tools = names.tools(request, &mut Losses::default());
        let choice = request.tool_choice.as_ref().map(|choice| names.choice(choice, request));
        let mut text = request::text(request, &mut Losses::default()).unwrap_or_else(|| json!({}));
        if text.get("format").is_none() {
            text["format"] = extra("text.format").unwrap_or_else(|| json!({"type": "text"}));
        }
        let thinking = request.thinking.as_ref().and_then(|asked| request::reasoning(asked, &mut Losses::default()));
        let thinking = thinking.unwrap_or_default();
        let Value::Object(mut object) = json!({
            "id": response_id(asked.request_id),
            "object": "response",
            "created_at": asked.now_s,
            "status": "in_progress",
            "background": false,
            "completed_at": null,
            "error": null,
            "incomplete_details": null,
            "instructions": request::instructions(request).map(|text| text.text.as_str()),
            "max_output_tokens": request.sampling.max_output_tokens,
            "max_tool_calls": null,
            "model": request.model,
            "output": [],
            "parallel_tool_calls": request.parallel_tool_calls.unwrap_or(true),
            "previous_response_id": null,
            "prompt_cache_key": request.cache_key,
            "reasoning": {
                "effort": thinking.get("effort"),
                "summary": thinking.get("summary"),
            },
            "safety_identifier": request.user,
            "service_tier": request.service_tier.as_deref().unwrap_or("auto"),
            "store": true,
            "temperature": number(request.sampling.temperature.unwrap_or(1.0)),
            "text": text,
            "tool_choice": choice.or_else(|| extra("tool_choice")).unwrap_or_else(|| json!("auto")),
            "tools": tools,
            "top_logprobs": request.sampling.logprobs.and_then(|logprobs| logprobs.top).unwrap_or(0),
            "top_p": number(request.sampling.top_p.unwrap_or(1.0)),
            "truncation": "disabled",
            "metadata": request.metadata,
        }) else {
            return Self(Object::new());
        };
        for name in ECHOED {
            if let Some(value) = extra(name) {
                object.insert(name.to_owned(), value);
            }
        }
        Self(object)
    }

    pub(super) fn set(&mut self, name: &'static str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// The object with what has come so far.
    pub(super) fn response(
        &self,
        progress: &Progress<'_>,
        output: Vec<Value>,
        usage: Option<Usage>,
        now_s: u64,
    ) -> Value {
        let mut object = self.0.clone();
        let mut set = |name: &str, value: Value| {
            object.insert(name.to_owned(), value);
        };
        set("output", Value::Array(output));
        if let Some(usage) = usage {
            set("usage", usage_object(usage));
        }
        let failed = |code: &str, message: &str| json!({"code": code, "message": message});
        match progress {
            Progress::Running => {}
            Progress::Failed(code, message) => {
                set("status", json!("failed"));
                set("error", failed(code, message));
            }
            Progress::Finished(finish) => match incomplete(finish.reason) {
                Some(reason) => {
                    set("status", json!("incomplete"));
                    set("incomplete_details", json!({"reason": reason}));
                }
                None if finish.reason == FinishReason::Malformed => {
                    set("status", json!("failed"));
                    set("error", failed("server_error", "the model made something that is not an answer"));
                }
                None => {
                    set("status", json!("completed"));
                    set("completed_at", json!(now_s));
                }
            },
        }
        Value::Object(object)
    }
}

/// Why an answer is not complete, in OpenAI's words; `None` if it is.
pub(super) fn incomplete(reason: FinishReason) -> Option<&'static str> {
    match reason {
        FinishReason::Length | FinishReason::ContextLength => Some("max_output_tokens"),
        FinishReason::ContentFilter => Some("content_filter"),
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::ToolCalls
        | FinishReason::Refusal
        | FinishReason::Paused
        | FinishReason::Malformed => None,
    }
}

fn usage_object(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens.saturating_add(usage.output_tokens),
    })
}
