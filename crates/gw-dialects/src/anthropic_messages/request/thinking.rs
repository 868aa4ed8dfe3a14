//! How the model is to think, and what does not go together with it: little room, forced calls, sampling.

use gw_core::chat::{ChatRequest, Effort, Loss, Thinking, ThinkingDisplay, ThinkingMode};
use serde_json::{Value, json};

use super::super::models::{Model, Style};
use super::choice::Choice;
use super::tools::is_own;
use crate::shared::losses::Losses;
use crate::shared::thinking::{BUDGET_MIN, budget, effort};

/// Room for the answer beside the thoughts, where the client did not say how much it wants.
const ANSWER_TOKENS_MIN: u64 = 4_096;

/// What is said of thinking.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// `thinking`.
    pub(super) thinking: Option<Value>,
    /// `output_config.effort`.
    pub(super) effort: Option<Effort>,
    /// `max_tokens`.
    pub(super) max_tokens: u64,
    /// Whether the model is told to think.
    pub(super) is_on: bool,
}

/// What decides it.
pub(super) struct Circumstances<'a> {
    pub(super) model: Model,
    pub(super) choice: &'a mut Choice,
    /// Whether calls that wait for the model to go on were made without thoughts, or their thoughts are lost.
    pub(super) calls_without_thoughts: bool,
}

/// What a client wants, in the model's terms.
enum Wish {
    Nothing,
    Rest,
    Budget(u64),
    /// As it sees fit.
    Adaptive,
    /// An effort, without a word on thinking.
    EffortOnly,
}

/// What is said of thinking.
pub(super) fn plan(request: &ChatRequest, around: &mut Circumstances<'_>, losses: &mut Losses) -> Plan {
    let model = around.model;
    let mut plan = Plan {
        max_tokens: request.sampling.max_output_tokens.unwrap_or_else(|| model.max_tokens()),
        ..Plan::default()
    };
    let asked = request.thinking.clone().unwrap_or_default();
    let mut wish = wish(&asked, is_own(request.extra.family), model, losses);
    if around.choice.is_forced() && (matches!(wish, Wish::Budget(_) | Wish::Adaptive) || model.thinks_unasked()) {
        wish = forced(wish, model, around.choice, losses);
    }
    // Anthropic checks this for budgets alone: where the model thinks as it sees fit, earlier turns may have no thoughts.
    if matches!(wish, Wish::Budget(_)) && around.calls_without_thoughts {
        losses.push(Loss::replaced(
            "reasoning_effort",
            "off for this turn: the calls before it came without their thoughts",
        ));
        wish = Wish::Nothing;
    }
    match wish {
        Wish::Nothing => {}
        Wish::EffortOnly => plan.effort = effort_of(&asked, model, losses),
        Wish::Rest => rest(&mut plan, &asked, model, losses),
        Wish::Adaptive => {
            plan.is_on = true;
            plan.thinking = Some(shown(json!({"type": "adaptive"}), &asked, losses));
            plan.effort = effort_of(&asked, model, losses);
        }
        Wish::Budget(tokens) => {
            plan.is_on = true;
            let tokens = fit(tokens, request.sampling.max_output_tokens, &mut plan.max_tokens, model, losses);
            plan.thinking = Some(shown(json!({"type": "enabled", "budget_tokens": tokens}), &asked, losses));
        }
    }
    if !plan.is_on && asked.display.is_some_and(|display| display != ThinkingDisplay::Omitted) {
        losses.push(Loss::dropped("reasoning.summary", "the model is not told to think, so there is nothing to show"));
    }
    plan
}

/// `is_own` says that the client speaks this dialect, where an effort alone is no word on thinking; elsewhere it is.
fn wish(asked: &Thinking, is_own: bool, model: Model, losses: &mut Losses) -> Wish {
    let mut lose = |why: &'static str| losses.push(Loss::replaced("reasoning_effort", why));
    let off = asked.mode == Some(ThinkingMode::Disabled)
        || (asked.mode.is_none() && (asked.effort == Some(Effort::None) || asked.budget_tokens == Some(0)));
    let says_nothing = asked.mode.is_none() && asked.effort.is_none() && asked.budget_tokens.is_none();
    let budget_of_words = || asked.effort.map_or(budget(Effort::Medium), budget).max(BUDGET_MIN);
    match model.style() {
        _ if says_nothing && asked.display.is_some() && model.thinks_unasked() => Wish::Adaptive,
        _ if says_nothing => Wish::Nothing,
        Style::Never if off => Wish::Nothing,
        Style::Never => {
            losses.push(Loss::dropped("reasoning_effort", "the model does not think"));
            Wish::Nothing
        }
        _ if off => Wish::Rest,
        _ if is_own && model.takes_effort() && asked.mode.is_none() && asked.budget_tokens.is_none() => {
            Wish::EffortOnly
        }
        Style::Budget => match asked.budget_tokens {
            Some(tokens) => Wish::Budget(tokens),
            None => {
                if asked.mode == Some(ThinkingMode::Adaptive) {
                    lose("the model thinks within a budget only; it was given one");
                }
                Wish::Budget(budget_of_words())
            }
        },
        Style::Either => match (asked.mode, asked.budget_tokens) {
            (_, Some(tokens)) => Wish::Budget(tokens),
            (Some(ThinkingMode::Enabled), None) => Wish::Budget(budget_of_words()),
            (None, None) if !model.takes_effort() => Wish::Budget(budget_of_words()),
            (None, None) if asked.effort == Some(Effort::Minimal) => Wish::EffortOnly,
            _ => Wish::Adaptive,
        },
        Style::Adaptive => {
            if asked.budget_tokens.is_some() && asked.effort.is_none() {
                lose("the model takes no budget for thinking; the nearest effort was sent");
            } else if asked.budget_tokens.is_some() {
                lose("the model takes no budget for thinking; the effort was sent alone");
            }
            if asked.mode.is_none() && asked.effort == Some(Effort::Minimal) {
                Wish::EffortOnly
            } else {
                Wish::Adaptive
            }
        }
    }
}

/// A call that is forced is what the client's program waits for; thinking only makes it better. So thinking gives way,
/// unless the model cannot but think.
fn forced(wish: Wish, model: Model, choice: &mut Choice, losses: &mut Losses) -> Wish {
    if !model.can_rest() {
        losses.push(Loss::replaced("tool_choice", "\"auto\": the model always thinks, and then no call can be forced"));
        *choice = Choice::Auto;
        return wish;
    }
    if matches!(wish, Wish::Budget(_) | Wish::Adaptive) {
        losses.push(Loss::dropped("reasoning_effort", "a model that must call a tool cannot think before"));
    }
    if model.thinks_unasked() { Wish::Rest } else { Wish::Nothing }
}

fn rest(plan: &mut Plan, asked: &Thinking, model: Model, losses: &mut Losses) {
    if !model.can_rest() {
        losses.push(Loss::replaced("reasoning_effort", "the model always thinks; the least effort was sent"));
        plan.effort = Some(Effort::Low);
        return;
    }
    plan.thinking = Some(json!({"type": "disabled"}));
    let Some(effort) = asked.effort.filter(|effort| *effort > Effort::Minimal && model.takes_effort()) else { return };
    let known = model.effort(effort);
    plan.effort = Some(if model.rests_below_xhigh() { known.min(Effort::High) } else { known });
    if plan.effort != Some(effort) {
        losses.push(Loss::replaced("reasoning_effort", "the greatest effort that goes without thinking was sent"));
    }
}

fn effort_of(asked: &Thinking, model: Model, losses: &mut Losses) -> Option<Effort> {
    let wanted = asked.effort.or_else(|| asked.budget_tokens.map(effort)).filter(|effort| *effort != Effort::None)?;
    if !model.takes_effort() && model.style() != Style::Either {
        return None;
    }
    let known = model.effort(wanted);
    if known != wanted {
        losses
            .push(Loss::replaced("reasoning_effort", format!("the nearest that the model knows is {}", known.name())));
    }
    Some(known)
}

/// A budget that leaves room for the answer: what the client allows is taken to be for the answer, if it is smaller.
fn fit(wanted: u64, asked: Option<u64>, max_tokens: &mut u64, model: Model, losses: &mut Losses) -> u64 {
    let mut tokens = wanted.max(BUDGET_MIN);
    if tokens != wanted {
        losses.push(Loss::replaced("reasoning_effort", "the least budget for thinking is 1024 tokens"));
    }
    match asked {
        None => tokens = tokens.min(max_tokens.saturating_sub(ANSWER_TOKENS_MIN)).max(BUDGET_MIN),
        Some(asked) if tokens >= asked => {
            let wider = asked.saturating_add(tokens);
            *max_tokens = model.tokens_limit().map_or(wider, |limit| wider.min(limit.max(asked))).max(BUDGET_MIN + 1);
            tokens = tokens.min(max_tokens.saturating_sub(asked)).max(BUDGET_MIN).min(*max_tokens - 1);
            losses.push(Loss::replaced("max_tokens", "raised, so that the answer has room beside the thoughts"));
        }
        Some(_) => {}
    }
    tokens
}

fn shown(mut thinking: Value, asked: &Thinking, losses: &mut Losses) -> Value {
    let display = match asked.display {
        None => return thinking,
        Some(ThinkingDisplay::Omitted) => "omitted",
        Some(ThinkingDisplay::Auto) => "summarized",
        Some(ThinkingDisplay::Concise | ThinkingDisplay::Detailed) => {
            losses.push(Loss::replaced("reasoning.summary", "a summary is as long as the provider sees fit"));
            "summarized"
        }
    };
    thinking["display"] = Value::from(display);
    thinking
}
