//! How the model thinks: a budget for older models of Claude, a word for newer ones, Nova's and OpenAI's own fields.

use gw_core::chat::{ChatRequest, Effort, Part, Thinking, ThinkingDisplay, ThinkingMode};
use serde_json::{Map, Value, json};

use super::{Writer, content};
use crate::bedrock_converse::model::Model;
use crate::shared::thinking::{BUDGET_MIN, budget, effort};
use crate::shared::turns::{Side, Turn};

/// Tokens that an answer has besides the thoughts, where the client set no limit.
const ANSWER_TOKENS: u64 = 4_096;

/// No effort is given a larger budget: Opus 4, of the models that think within one, answers with 32,000 tokens at most.
const EFFORT_BUDGET_MAX: u64 = 24_576;

/// What thinking means for the rest of the request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Thinks {
    /// Whether Claude thinks, which then takes no temperature.
    pub(super) is_on: bool,
    /// The tokens that it may think.
    pub(super) budget: Option<u64>,
    /// Nova takes no limits while it thinks hard.
    pub(super) without_limits: bool,
}

/// Says how the model is to think.
pub(super) fn encode(request: &ChatRequest, turns: &[Turn], must_call: bool, writer: &mut Writer<'_>) -> Thinks {
    let Some(thinking) = &request.thinking else { return Thinks::default() };
    let is_off = thinking.mode == Some(ThinkingMode::Disabled)
        || thinking.effort == Some(Effort::None)
        || (thinking.mode.is_none() && thinking.effort.is_none() && thinking.budget_tokens == Some(0));
    if thinking.display == Some(ThinkingDisplay::Omitted) && !is_off && !writer.model.is_claude_from((0, 0)) {
        writer.losses.drop("reasoning.summary", "the model shows its thoughts");
    }
    match writer.model {
        Model::Claude { version, always_thinks } if version >= (4, 6) => {
            let claude = Claude { version, always_thinks };
            claude.adaptive(thinking, is_off, must_call, writer)
        }
        Model::Claude { version, .. } if version >= (3, 7) => {
            if is_off {
                Thinks::default()
            } else {
                budgeted(request, thinking, turns, must_call, writer)
            }
        }
        Model::Nova { generation: 2 } => nova(thinking, is_off, writer),
        Model::GptOss => {
            let (effort, exact) = nearest(wanted(thinking, is_off), Effort::Low, Effort::High);
            not_quite(exact, writer);
            writer.settings.additional.insert("reasoning_effort".to_owned(), Value::from(effort.name()));
            Thinks::default()
        }
        Model::Unknown if !is_off => {
            let (effort, exact) = nearest(wanted(thinking, is_off), Effort::Low, Effort::Max);
            not_quite(exact, writer);
            writer.settings.output.insert("effort".to_owned(), Value::from(effort.name()));
            Thinks::default()
        }
        _ if is_off => Thinks::default(),
        _ => {
            writer.losses.drop("reasoning_effort", "the model's thinking cannot be set");
            Thinks::default()
        }
    }
}

/// A Claude that decides by itself how long it thinks.
struct Claude {
    version: (u32, u32),
    always_thinks: bool,
}

impl Claude {
    fn adaptive(&self, thinking: &Thinking, is_off: bool, must_call: bool, writer: &mut Writer<'_>) -> Thinks {
        let highest = if self.version >= (4, 7) { Effort::Max } else { Effort::High };
        if is_off || must_call {
            if !is_off {
                writer.losses.drop("reasoning_effort", "the model does not think where it must call a tool");
            }
            if self.always_thinks {
                writer.losses.replace("reasoning_effort", "the model always thinks; it is asked for little");
                writer.settings.output.insert("effort".to_owned(), Value::from(Effort::Low.name()));
            } else {
                writer.settings.additional.insert("thinking".to_owned(), json!({"type": "disabled"}));
            }
            return Thinks::default();
        }
        // 4.6 still takes a budget.
        if let (Some(tokens), true) = (thinking.budget_tokens, self.version < (4, 7)) {
            return enabled(tokens.max(BUDGET_MIN), thinking.display, writer);
        }
        if thinking.effort.is_some() || thinking.budget_tokens.is_some() {
            let wanted = wanted(thinking, false);
            // `max` is older than `xhigh`.
            let (effort, exact) =
                if wanted == Effort::Max { (wanted, true) } else { nearest(wanted, Effort::Low, highest) };
            not_quite(exact && thinking.budget_tokens.is_none(), writer);
            writer.settings.output.insert("effort".to_owned(), Value::from(effort.name()));
        }
        let mut said = Map::from_iter([("type".to_owned(), Value::from("adaptive"))]);
        said.extend(display(thinking.display));
        writer.settings.additional.insert("thinking".to_owned(), Value::Object(said));
        Thinks { is_on: true, ..Thinks::default() }
    }
}

/// A Claude that thinks within a budget. It refuses to where it must call a tool, and where the calls that it is given
/// the results of were not preceded by its thoughts.
fn budgeted(
    request: &ChatRequest,
    thinking: &Thinking,
    turns: &[Turn],
    must_call: bool,
    writer: &mut Writer<'_>,
) -> Thinks {
    if must_call {
        writer.losses.drop("reasoning_effort", "the model does not think where it must call a tool");
        return Thinks::default();
    }
    if continues_without_thoughts(turns, writer) {
        writer.losses.replace("reasoning_effort", "off for this turn: the calls before it came without their thoughts");
        return Thinks::default();
    }
    let tokens = thinking.budget_tokens.unwrap_or_else(|| match wanted(thinking, false) {
        // "As much as possible" is what the client's limit leaves.
        Effort::Max => request.sampling.max_output_tokens.map_or(EFFORT_BUDGET_MAX, |max| max.saturating_sub(1)),
        effort => budget(effort).min(EFFORT_BUDGET_MAX),
    });
    enabled(tokens.max(BUDGET_MIN), thinking.display, writer)
}

fn enabled(tokens: u64, shown: Option<ThinkingDisplay>, writer: &mut Writer<'_>) -> Thinks {
    let members = [("type", Value::from("enabled")), ("budget_tokens", Value::from(tokens))];
    let mut said: Map<_, _> = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    // Models before 4.6 know no such word, and show a summary.
    if writer.model.is_claude_from((4, 6)) {
        said.extend(display(shown));
    } else if shown == Some(ThinkingDisplay::Omitted) {
        writer.losses.drop("reasoning.summary", "the model shows its thoughts");
    }
    writer.settings.additional.insert("thinking".to_owned(), Value::Object(said));
    Thinks { is_on: true, budget: Some(tokens), ..Thinks::default() }
}

impl Thinks {
    /// The limit of the answer's tokens that leaves room for it behind the thoughts, which count too.
    pub(super) fn limit(self, max_output_tokens: Option<u64>) -> Option<u64> {
        match (self.budget, max_output_tokens) {
            (Some(budget), Some(max)) if max <= budget => Some(max.saturating_add(budget)),
            (Some(budget), None) => Some(budget.saturating_add(ANSWER_TOKENS)),
            (_, max) => max,
        }
    }
}

fn nova(thinking: &Thinking, is_off: bool, writer: &mut Writer<'_>) -> Thinks {
    if is_off {
        writer.settings.additional.insert("reasoningConfig".to_owned(), json!({"type": "disabled"}));
        return Thinks::default();
    }
    let (effort, exact) = nearest(wanted(thinking, false), Effort::Low, Effort::High);
    not_quite(exact && thinking.budget_tokens.is_none(), writer);
    let said = json!({"type": "enabled", "maxReasoningEffort": effort.name()});
    writer.settings.additional.insert("reasoningConfig".to_owned(), said);
    Thinks { without_limits: effort == Effort::High, ..Thinks::default() }
}

/// Whether the last turns are calls and their results, and no thoughts with a proof stand before the calls.
fn continues_without_thoughts(turns: &[Turn], writer: &Writer<'_>) -> bool {
    let [.., asked, answered] = turns else { return false };
    let is_result = |part: &Part| matches!(part, Part::ToolResult(_));
    let is_shown = |part: &Part| {
        let Part::Reasoning(reasoning) = part else { return false };
        reasoning.opaque.as_ref().is_some_and(|state| content::is_shown(state, writer))
    };
    answered.parts.first().is_some_and(is_result)
        && asked.side == Side::Model
        && !asked.parts.first().is_some_and(is_shown)
}

fn wanted(thinking: &Thinking, is_off: bool) -> Effort {
    if is_off {
        return Effort::None;
    }
    thinking.effort.or(thinking.budget_tokens.map(effort)).unwrap_or(Effort::Medium)
}

/// The effort between the two that comes nearest, and whether it is the one that was asked for.
fn nearest(wanted: Effort, least: Effort, most: Effort) -> (Effort, bool) {
    let effort = wanted.clamp(least, most);
    (effort, effort == wanted)
}

fn not_quite(exact: bool, writer: &mut Writer<'_>) {
    if !exact {
        writer.losses.replace("reasoning_effort", "the model was asked for the nearest effort that it knows");
    }
}

/// What of the thoughts is shown, in Anthropic's words.
fn display(shown: Option<ThinkingDisplay>) -> Option<(String, Value)> {
    let word = match shown? {
        ThinkingDisplay::Omitted => "omitted",
        ThinkingDisplay::Auto | ThinkingDisplay::Concise | ThinkingDisplay::Detailed => "summarized",
    };
    Some(("display".to_owned(), Value::from(word)))
}
