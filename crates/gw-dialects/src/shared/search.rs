//! What a search of the web is to keep to: read out of whichever vendor's words, or the gateway's own, so that each dialect
//! says what it can and tells what it cannot.

use gw_core::chat::{BuiltIn, BuiltInTool, Family, Loss};
use serde_json::{Map, Value, json};

/// How much of what is found is read: `low`, `medium`, `high`.
pub const CONTEXT_SIZE: &str = "search_context_size";
/// Where about the user is.
pub const PLACE: &str = "user_location";
/// Where alone is searched.
pub const ALLOWED: &str = "allowed_domains";
/// Where is not.
pub const BLOCKED: &str = "blocked_domains";
/// How often is searched at most.
pub const USES_MAX: &str = "max_uses";

/// Every option that more than one vendor has.
const OPTIONS: [&str; 5] = [CONTEXT_SIZE, PLACE, ALLOWED, BLOCKED, USES_MAX];

/// The search of the web that the gateway asks for on a client's behalf. `options` are named as in this file; `user_location`
/// is `{"type": "approximate", "city": …}`.
pub fn wanted(options: Map<String, Value>) -> BuiltInTool {
    BuiltInTool { kind: BuiltIn::WebSearch, family: Family::Gateway, value: Value::Object(options) }
}

/// Where a client said a search: as a tool, or in OpenAI's older format as a member of its own.
pub(crate) fn param(tool: &BuiltInTool) -> &'static str {
    match tool.family == Family::OpenAiChat && tool.value.get("type").is_none() {
        true => "web_search_options",
        false => "tools[].web_search",
    }
}

/// What a search is to keep to.
#[derive(Debug, Default)]
pub(crate) struct SearchOptions(Map<String, Value>);

impl SearchOptions {
    /// What a tool says, whoever wrote it. Chat completions have a place one level deeper, Responses have the domains so.
    pub(crate) fn of(tool: &BuiltInTool) -> Self {
        let told = |value: Option<&Value>| value.filter(|value| !value.is_null()).cloned();
        let around = ["web_search_options", "parameters"].into_iter().find_map(|name| tool.value.get(name));
        let said = around.unwrap_or(&tool.value);
        let filter = |name: &str| said.get("filters").and_then(|filters| told(filters.get(name)));
        let mut options = Map::new();
        for name in OPTIONS {
            let found = match name {
                PLACE => said.get(PLACE).and_then(place),
                ALLOWED => told(said.get(ALLOWED)).or_else(|| filter(ALLOWED)),
                BLOCKED => told(said.get(BLOCKED)).or_else(|| told(said.get("excluded_domains"))),
                name => told(said.get(name)),
            };
            options.extend(found.map(|value| (name.to_owned(), value)));
        }
        Self(options)
    }

    /// One of them.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Where about the user is, without the word that it is about there.
    pub(crate) fn place(&self) -> Option<Map<String, Value>> {
        let mut place = self.get(PLACE)?.as_object()?.clone();
        place.shift_remove("type");
        Some(place)
    }

    /// Those that a dialect cannot say, which says these.
    pub(crate) fn lost(&self, said: &[&str]) -> impl Iterator<Item = Loss> {
        let unsaid = self.0.keys().filter(|name| !said.contains(&name.as_str()));
        unsaid.map(|name| {
            Loss::dropped(format!("tools[].web_search.{name}"), "the provider's search of the web has no such option")
        })
    }
}

fn place(value: &Value) -> Option<Value> {
    let mut place = value.get("approximate").unwrap_or(value).as_object()?.clone();
    place.retain(|_, value| !value.is_null());
    place.insert("type".to_owned(), json!("approximate"));
    Some(Value::Object(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(family: Family, value: Value) -> Value {
        Value::Object(SearchOptions::of(&BuiltInTool { kind: BuiltIn::WebSearch, family, value }).0)
    }

    #[test]
    fn the_same_wish_is_read_out_of_every_vendors_words() {
        let place = json!({"type": "approximate", "city": "Kyoto"});
        let all = json!({"search_context_size": "low", "user_location": place, "allowed_domains": ["a.example"]});
        let chat = json!({"search_context_size": "low", "user_location": {"type": "approximate", "approximate": {"city": "Kyoto"}},
            "filters": {"allowed_domains": ["a.example"]}});
        let responses = json!({"type": "web_search", "search_context_size": "low",
            "user_location": {"type": "approximate", "city": "Kyoto", "region": null}, "filters": {"allowed_domains": ["a.example"]}});
        assert_eq!(said(Family::OpenAiChat, chat), all);
        assert_eq!(said(Family::OpenAiResponses, responses), all);
        let anthropic = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "blocked_domains": ["b.example"]});
        assert_eq!(said(Family::Anthropic, anthropic), json!({"blocked_domains": ["b.example"], "max_uses": 3}));
        assert_eq!(said(Family::Gemini, json!({"googleSearch": {}})), json!({}));
    }

    #[test]
    fn what_a_dialect_cannot_say_is_told_by_name() {
        let tool = wanted(Map::from_iter([(USES_MAX.to_owned(), json!(2)), (CONTEXT_SIZE.to_owned(), json!("low"))]));
        let options = SearchOptions::of(&tool);
        let lost: Vec<_> = options.lost(&[CONTEXT_SIZE]).map(|loss| loss.param).collect();
        assert_eq!(lost, ["tools[].web_search.max_uses"]);
    }
}
