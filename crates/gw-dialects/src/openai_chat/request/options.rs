//! Options that several members say, or that are said differently by vendors: thinking, and what the answer is expected
//! to equal.

use gw_core::chat::{ChatRequest, Effort, Loss, Thinking, ThinkingDisplay, ThinkingMode};
use serde_json::{Map, Value};

use super::read::{self, Members, Wrong};
use super::write::Writer;
use crate::openai_chat::FAMILY;
use crate::shared::thinking as table;

/// How the model is to think: OpenAI's `reasoning_effort`, OpenRouter's `reasoning` and the `thinking` of several others.
/// What of it has no place in the canonical form comes second.
pub(super) fn thinking(body: &mut Members) -> Result<(Option<Thinking>, Members), Wrong> {
    let mut unknown = Members::new();
    let mut thinking = Thinking::default();
    if let Some(word) = read::take(body, "reasoning_effort") {
        match word.as_str().and_then(Effort::from_name) {
            Some(effort) => thinking.effort = Some(effort),
            // Words and numbers of single vendors, such as Groq's `default`.
            None => drop(unknown.insert("reasoning_effort".to_owned(), word)),
        }
    }
    if let Some(Value::Object(reasoning)) = body.get("reasoning") {
        let mut reasoning = reasoning.clone();
        of_reasoning(&mut reasoning, &mut thinking).map_err(|wrong| wrong.within("reasoning"))?;
        read::take(body, "reasoning");
        if !reasoning.is_empty() {
            unknown.insert("reasoning".to_owned(), Value::Object(reasoning));
        }
    }
    if let Some(mut other) = read::object(body, "thinking")? {
        of_thinking(&mut other, &mut thinking).map_err(|wrong| wrong.within("thinking"))?;
        if !other.is_empty() {
            unknown.insert("thinking".to_owned(), Value::Object(other));
        }
    }
    Ok(((thinking != Thinking::default()).then_some(thinking), unknown))
}

/// OpenRouter's.
fn of_reasoning(reasoning: &mut Members, thinking: &mut Thinking) -> Result<(), Wrong> {
    if let Some(effort) = reasoning.get("effort").and_then(Value::as_str).and_then(Effort::from_name) {
        read::take(reasoning, "effort");
        thinking.effort = thinking.effort.or(Some(effort));
    }
    thinking.budget_tokens = read::count(reasoning, "max_tokens")?;
    match read::boolean(reasoning, "enabled")? {
        Some(true) => thinking.mode = Some(ThinkingMode::Enabled),
        Some(false) => thinking.mode = Some(ThinkingMode::Disabled),
        None => {}
    }
    thinking.display = match reasoning.get("summary").and_then(Value::as_str) {
        Some("auto") => Some(ThinkingDisplay::Auto),
        Some("concise") => Some(ThinkingDisplay::Concise),
        Some("detailed") => Some(ThinkingDisplay::Detailed),
        _ => None,
    };
    if thinking.display.is_some() {
        read::take(reasoning, "summary");
    }
    if read::boolean(reasoning, "exclude")? == Some(true) {
        thinking.display = Some(ThinkingDisplay::Omitted);
    }
    Ok(())
}

/// Anthropic's, which DeepSeek, Moonshot, Z.ai and LiteLLM's clients use too.
fn of_thinking(other: &mut Members, thinking: &mut Thinking) -> Result<(), Wrong> {
    let mode = match other.get("type").and_then(Value::as_str) {
        Some("disabled") => Some(ThinkingMode::Disabled),
        Some("enabled") => Some(ThinkingMode::Enabled),
        Some("adaptive") => Some(ThinkingMode::Adaptive),
        _ => None,
    };
    if mode.is_some() {
        read::take(other, "type");
        thinking.mode = mode;
    }
    if let Some(budget) = read::count(other, "budget_tokens")? {
        thinking.budget_tokens = Some(budget);
    }
    Ok(())
}

/// Says how the model is to think in the one way that OpenAI has.
pub(super) fn encode_thinking(thinking: &Thinking, writer: &mut Writer) {
    let Thinking { mode, effort, budget_tokens, display } = thinking;
    let effort = match (mode, effort, budget_tokens) {
        (Some(ThinkingMode::Disabled), ..) => Some(Effort::None),
        (_, Some(effort), budget) => {
            if budget.is_some() {
                writer
                    .lose(Loss::dropped("reasoning.max_tokens", "the format has a word for the effort and no budget"));
            }
            Some(*effort)
        }
        (_, None, Some(budget)) => {
            writer.lose(Loss::replaced("reasoning.max_tokens", "a budget is sent as the effort nearest to it"));
            Some(table::effort(*budget))
        }
        (Some(ThinkingMode::Enabled), None, None) => {
            writer.lose(Loss::replaced("thinking", "thinking without an effort is sent as the effort `medium`"));
            Some(Effort::Medium)
        }
        (Some(ThinkingMode::Adaptive) | None, None, None) => None,
    };
    if let Some(effort) = effort {
        writer.body.insert("reasoning_effort".to_owned(), Value::from(effort.name()));
    }
    if matches!(display, Some(ThinkingDisplay::Auto | ThinkingDisplay::Concise | ThinkingDisplay::Detailed)) {
        writer.lose(Loss::dropped("reasoning.summary", "the format cannot ask for a summary of the thoughts"));
    }
}

/// The text that much of the answer is expected to equal.
pub(super) fn prediction(body: &mut Members) -> Result<Option<String>, Wrong> {
    let Some(mut prediction) = read::object(body, "prediction")? else { return Ok(None) };
    let must = || Wrong::new("content", "must be a string or a list of texts").within("prediction");
    match read::take(&mut prediction, "content") {
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Array(parts)) => {
            let texts: Option<String> = parts.iter().map(|part| part.get("text").and_then(Value::as_str)).collect();
            texts.map(Some).ok_or_else(must)
        }
        _ => Err(must()),
    }
}

/// Members that only this family understands, as they were; those of another are losses.
pub(super) fn encode_extra(request: &ChatRequest, writer: &mut Writer) {
    for (name, value) in writer.losses.own_extra(request, FAMILY).into_iter().flatten() {
        match (writer.body.get_mut(name), value) {
            (None, _) => drop(writer.body.insert(name.clone(), value.clone())),
            (Some(Value::Object(written)), Value::Object(more)) => merge(written, more),
            // What the canonical form says stands.
            (Some(_), _) => {}
        }
    }
}

fn merge(written: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (name, value) in more {
        written.entry(name.clone()).or_insert_with(|| value.clone());
    }
}
