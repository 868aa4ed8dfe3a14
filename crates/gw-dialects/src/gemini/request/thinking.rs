//! How the model thinks: Gemini 2.5 takes a number of tokens, Gemini 3 a word (`formats.md` §2; ai.google.dev, "Gemini
//! thinking").

use gw_core::Error;
use gw_core::chat::{ChatRequest, Effort, Loss, Thinking, ThinkingDisplay, ThinkingMode};
use serde_json::{Map, Value, json};

use crate::gemini::FAMILY;
use crate::gemini::wire::Object;
use crate::shared::losses::Losses;
use crate::shared::thinking as shared;

/// As much as the model sees fit.
const DYNAMIC: i64 = -1;

/// A model, by the words of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    /// Its generation, such as 2.5 in (2, 5). A name without one is of the newest.
    generation: (u32, u32),
    is_pro: bool,
    is_lite: bool,
}

impl Model {
    /// What a name says.
    pub(super) fn of(name: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or_default();
        if name.starts_with("gemma") {
            // Its numbers count another series, which neither thinks nor signs.
            return Self { generation: (0, 0), is_pro: false, is_lite: false };
        }
        let words = || name.split(['-', '@', ':']);
        let generation = words().find_map(|word| {
            let (major, minor) = word.split_once('.').unwrap_or((word, "0"));
            // A date or the number of a revision is no generation.
            if major.len() > 2 || major.starts_with('0') {
                return None;
            }
            Some((major.parse().ok()?, minor.parse().ok()?))
        });
        Self {
            generation: generation.unwrap_or((u32::MAX, 0)),
            is_pro: words().any(|word| word == "pro"),
            is_lite: words().any(|word| word == "lite"),
        }
    }

    /// Whether it signs its calls and takes a word for how much it thinks.
    pub(super) fn is_third(self) -> bool {
        self.generation >= (3, 0)
    }

    /// The least and the most tokens it thinks, and whether it can do without.
    fn budgets(self) -> (u64, u64, bool) {
        match (self.is_pro, self.is_lite) {
            (true, _) => (128, 32_768, false),
            (_, true) => (512, 24_576, true),
            _ => (1, 24_576, true),
        }
    }
}

/// Reads `thinkingConfig`.
pub(super) fn read(mut config: Object<'_>) -> Result<Option<Thinking>, Error> {
    let mut thinking = Thinking::default();
    match config.integer("thinkingBudget")? {
        None => {}
        Some(0) => thinking.mode = Some(ThinkingMode::Disabled),
        Some(budget) => match u64::try_from(budget) {
            Ok(budget) => {
                thinking.mode = Some(ThinkingMode::Enabled);
                thinking.budget_tokens = Some(budget);
            }
            Err(_) => thinking.mode = Some(ThinkingMode::Adaptive),
        },
    }
    if let Some(level) = config.string("thinkingLevel")? {
        thinking.effort = Effort::from_name(&level.to_ascii_lowercase());
    }
    let shows: Option<bool> = config.read("includeThoughts", "must be a boolean")?;
    thinking.display = shows.map(|shows| if shows { ThinkingDisplay::Auto } else { ThinkingDisplay::Omitted });
    Ok((thinking != Thinking::default()).then_some(thinking))
}

/// Writes `thinkingConfig`.
pub(super) fn write(request: &ChatRequest, model: &str, losses: &mut Losses) -> Option<Value> {
    let thinking = request.thinking.as_ref()?;
    let model = Model::of(model);
    let mut config = Map::new();
    if request.extra.family == FAMILY {
        own_words(thinking, &mut config);
    } else if model.is_third() {
        level(thinking, model, &mut config, losses);
    } else if model.generation >= (2, 5) {
        budget(thinking, model, &mut config, losses);
    } else {
        if thinking.mode != Some(ThinkingMode::Disabled) && thinking.effort != Some(Effort::None) {
            losses.push(Loss::dropped("reasoning_effort", "the model does not think"));
        }
        return None;
    }
    let shows = match thinking.display {
        Some(ThinkingDisplay::Omitted) => Some(false),
        Some(ThinkingDisplay::Auto) => Some(true),
        Some(ThinkingDisplay::Concise | ThinkingDisplay::Detailed) => {
            losses.push(Loss::replaced("reasoning.summary", "the provider chooses the length of its summaries"));
            Some(true)
        }
        None => (thinking.mode == Some(ThinkingMode::Enabled) && request.extra.family != FAMILY).then_some(true),
    };
    config.extend(shows.map(|shows| ("includeThoughts".to_owned(), Value::Bool(shows))));
    (!config.is_empty()).then_some(Value::Object(config))
}

/// What a client of Google's dialect said, literally: it knows its model.
fn own_words(thinking: &Thinking, config: &mut Map<String, Value>) {
    if let Some(effort) = thinking.effort {
        config.insert("thinkingLevel".to_owned(), Value::from(effort.name().to_ascii_uppercase()));
        return;
    }
    let budget = match (thinking.budget_tokens, thinking.mode) {
        (Some(budget), _) => json!(budget),
        (None, Some(ThinkingMode::Disabled)) => json!(0),
        (None, Some(ThinkingMode::Adaptive)) => json!(DYNAMIC),
        (None, _) => return,
    };
    config.insert("thinkingBudget".to_owned(), budget);
}

fn level(thinking: &Thinking, model: Model, config: &mut Map<String, Value>, losses: &mut Losses) {
    let effort = match (thinking.mode, thinking.effort, thinking.budget_tokens) {
        (Some(ThinkingMode::Disabled), ..) => Effort::None,
        (_, Some(effort), _) => effort,
        (_, None, Some(budget)) => {
            losses.push(Loss::replaced("thinking.budget_tokens", "the model takes a level; the nearest is sent"));
            shared::effort(budget)
        }
        // By itself the model thinks as much as it sees fit.
        (_, None, None) => return,
    };
    // Pro, and Flash from 3.8, have no MINIMAL; the first Pro has no MEDIUM.
    let least = if model.is_pro || model.generation >= (3, 8) { "LOW" } else { "MINIMAL" };
    let (level, is_exact) = match effort {
        Effort::None => (least, false),
        Effort::Minimal => (least, least == "MINIMAL"),
        Effort::Low => ("LOW", true),
        Effort::Medium if model.is_pro && model.generation == (3, 0) => ("HIGH", false),
        Effort::Medium => ("MEDIUM", true),
        Effort::High => ("HIGH", true),
        Effort::XHigh | Effort::Max => ("HIGH", false),
    };
    if !is_exact {
        losses.push(Loss::replaced("reasoning_effort", format!("the nearest level of the model is {level}")));
    }
    config.insert("thinkingLevel".to_owned(), Value::from(level));
}

fn budget(thinking: &Thinking, model: Model, config: &mut Map<String, Value>, losses: &mut Losses) {
    let (least, most, can_do_without) = model.budgets();
    let wanted = match (thinking.mode, thinking.budget_tokens, thinking.effort) {
        (Some(ThinkingMode::Disabled), ..) => 0,
        (_, Some(budget), _) => budget,
        (_, None, Some(effort)) => match effort {
            Effort::None => 0,
            Effort::Minimal => 512,
            Effort::Low => 1_024,
            Effort::Medium => 8_192,
            Effort::High => 24_576,
            Effort::XHigh | Effort::Max => most,
        },
        (Some(_), None, None) => {
            config.insert("thinkingBudget".to_owned(), json!(DYNAMIC));
            return;
        }
        (None, None, None) => return,
    };
    let sent = if wanted == 0 && can_do_without { 0 } else { wanted.clamp(least, most) };
    if sent != wanted {
        let param = if thinking.budget_tokens.is_some() { "thinking.budget_tokens" } else { "reasoning_effort" };
        losses.push(Loss::replaced(param, format!("the model thinks for {least} to {most} tokens; {sent} are sent")));
    }
    config.insert("thinkingBudget".to_owned(), json!(sent));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(effort: Effort, model: &str) -> (Value, usize) {
        let thinking = Thinking { effort: Some(effort), ..Thinking::default() };
        let request = ChatRequest { thinking: Some(thinking), ..ChatRequest::default() };
        let mut losses = Losses::default();
        let config = write(&request, model, &mut losses);
        (config.unwrap_or_default(), losses.into_vec().len())
    }

    #[test]
    fn efforts_become_what_the_model_takes() {
        for (effort, model, config, losses) in [
            (Effort::None, "gemini-2.5-flash", json!({"thinkingBudget": 0}), 0),
            (Effort::None, "gemini-2.5-pro", json!({"thinkingBudget": 128}), 1),
            (Effort::Minimal, "gemini-2.5-flash-lite", json!({"thinkingBudget": 512}), 0),
            (Effort::Low, "gemini-2.5-pro", json!({"thinkingBudget": 1024}), 0),
            (Effort::Medium, "models/gemini-2.5-flash-preview-09-2025", json!({"thinkingBudget": 8192}), 0),
            (Effort::Max, "gemini-2.5-flash", json!({"thinkingBudget": 24576}), 0),
            (Effort::None, "gemini-3-flash-preview", json!({"thinkingLevel": "MINIMAL"}), 1),
            (Effort::Minimal, "gemini-3-flash-preview", json!({"thinkingLevel": "MINIMAL"}), 0),
            (Effort::Minimal, "gemini-3-pro-preview", json!({"thinkingLevel": "LOW"}), 1),
            (Effort::Medium, "gemini-3-pro-preview", json!({"thinkingLevel": "HIGH"}), 1),
            (Effort::Medium, "gemini-3.1-pro-preview", json!({"thinkingLevel": "MEDIUM"}), 0),
            (Effort::High, "gemini-flash-latest", json!({"thinkingLevel": "HIGH"}), 0),
            (Effort::XHigh, "gemini-3.8-flash", json!({"thinkingLevel": "HIGH"}), 1),
            (Effort::High, "gemini-2.0-flash-001", Value::Null, 1),
            (Effort::High, "gemma-3-27b-it", Value::Null, 1),
        ] {
            assert_eq!(asked(effort, model), (config, losses), "{effort:?} {model}");
        }
    }
}
