//! What was used, in Anthropic's arithmetic: `input_tokens` are those that neither came from the cache nor went into it.

use gw_core::{Nanodollars, Usage};
use serde_json::{Value, json};

use crate::scan::Object;
use crate::told_cost;

/// Counts as they were said so far. Later ones are totals; where some vendors say 0 at the end, the earlier holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    input: u64,
    cache_read: u64,
    cache_write: u64,
    cache_write_1h: u64,
    searches: u64,
    output: u64,
    thinking: u64,
    told_cost: Option<Nanodollars>,
}

impl Counts {
    /// Takes what a `usage` says; what it does not say stays.
    pub(super) fn read(&mut self, usage: &Object<'_>) {
        let take = |name: &str, count: &mut u64, from: &Object<'_>| {
            if let Some(said) = from.get(name).and_then(|number| serde_json::from_str::<u64>(number).ok()) {
                *count = said.max(*count);
            }
        };
        take("input_tokens", &mut self.input, usage);
        take("cache_read_input_tokens", &mut self.cache_read, usage);
        take("cache_creation_input_tokens", &mut self.cache_write, usage);
        take("output_tokens", &mut self.output, usage);
        // OpenRouter.
        self.told_cost = told_cost::in_report(usage).or(self.told_cost);
        if let Some(details) = usage.object("cache_creation") {
            take("ephemeral_1h_input_tokens", &mut self.cache_write_1h, &details);
        }
        if let Some(details) = usage.object("server_tool_use") {
            take("web_search_requests", &mut self.searches, &details);
        }
        if let Some(details) = usage.object("output_tokens_details") {
            take("thinking_tokens", &mut self.thinking, &details);
        }
    }

    /// In our arithmetic.
    pub(super) fn usage(self) -> Usage {
        Usage {
            input_tokens: self.input.saturating_add(self.cache_read).saturating_add(self.cache_write),
            output_tokens: self.output,
            cached_input_tokens: self.cache_read,
            cache_write_tokens: self.cache_write,
            cache_write_1h_tokens: self.cache_write_1h,
            searches: self.searches,
            reasoning_tokens: self.thinking,
            told_cost: self.told_cost,
            ..Usage::default()
        }
    }
}

/// In Anthropic's arithmetic.
pub(super) fn encode(usage: &Usage) -> Value {
    let cached = usage.cached_input_tokens.saturating_add(usage.cache_write_tokens);
    let mut value = json!({
        "input_tokens": usage.input_tokens.saturating_sub(cached),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
    });
    // What is not for an hour is for minutes.
    let for_an_hour = usage.cache_write_1h_tokens.min(usage.cache_write_tokens);
    if for_an_hour > 0 {
        value["cache_creation"] = json!({
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - for_an_hour,
            "ephemeral_1h_input_tokens": for_an_hour,
        });
    }
    if usage.searches > 0 {
        value["server_tool_use"] = json!({"web_search_requests": usage.searches, "web_fetch_requests": 0});
    }
    if usage.reasoning_tokens > 0 {
        value["output_tokens_details"] = json!({"thinking_tokens": usage.reasoning_tokens});
    }
    value
}

/// Which service was given, in OpenAI's words, which all dialects know.
pub(super) fn tier_in(vendor: &str) -> String {
    if vendor == "standard" { "default".to_owned() } else { vendor.to_owned() }
}

/// Which service was given, in Anthropic's words, if it has one.
pub(super) fn tier_out(tier: &str) -> Option<&'static str> {
    match tier {
        "default" | "standard" => Some("standard"),
        "priority" => Some("priority"),
        "batch" => Some("batch"),
        _ => None,
    }
}
