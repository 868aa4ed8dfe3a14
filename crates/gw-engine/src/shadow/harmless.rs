//! What may be asked twice: a request whose answer is all that comes of it. One that keeps something, continues something
//! or lets the provider's own tools work is not, and neither is one of what a provider has in its keeping, which another
//! could not find.

use gw_dialects::DialectId;
use gw_dialects::head::Head;
use memchr::memmem;
use serde_json::{Map, Value};

use crate::engine::Call;

/// Members that are about something kept, or about tools that the provider runs: OpenAI's, Anthropic's, Gemini's,
/// OpenRouter's, and the gateway's own `thread`.
const TELLING: [&str; 12] = [
    "previous_response_id",
    "conversation",
    "background",
    "prompt",
    "web_search_options",
    "container",
    "mcp_servers",
    "thread",
    "cachedContent",
    "cached_content",
    "plugins",
    "agent_id",
];
/// Names of members, anywhere in a message, that lead to a file which a provider keeps.
const FILES: [&[u8]; 3] = [b"\"file_id\"", b"\"fileUri\"", b"\"file_uri\""];
/// Types of tools that the application runs; Anthropic's have a date behind them.
const OWN_TOOLS: [&str; 3] = ["function", "custom", "local_shell"];
const OWN_TOOLS_WITH_DATE: [&str; 4] = ["bash_", "text_editor_", "computer_", "memory_"];
/// What a tool of Gemini's may hold that the application runs.
const DECLARATIONS: [&str; 2] = ["functionDeclarations", "function_declarations"];

/// Whether nothing but an answer comes of a chat.
pub(super) fn is_harmless(call: &Call<'_>, head: &Head) -> bool {
    let member = |name: &str| head.fields.get(&call.body, name).map(|field| &call.body[field.value()]);
    let said = |name: &str| member(name).filter(|value| !matches!(*value, b"null" | b"false"));
    let is_kept = match (call.dialect, member("store")) {
        (_, Some(b"false")) => false,
        // Kept, unless the client says otherwise.
        (DialectId::OpenAiResponses, _) => true,
        (_, stored) => stored.is_some_and(|stored| stored != b"null"),
    };
    !is_kept
        && TELLING.into_iter().all(|name| said(name).is_none())
        && said("tools").is_none_or(are_run_by_the_application)
        && FILES.into_iter().all(|name| memmem::find(&call.body, name).is_none())
}

fn are_run_by_the_application(tools: &[u8]) -> bool {
    let tools: Option<Vec<Map<String, Value>>> = serde_json::from_slice(tools).ok();
    tools.is_some_and(|tools| tools.iter().all(is_run_by_the_application))
}

fn is_run_by_the_application(tool: &Map<String, Value>) -> bool {
    match tool.get("type").map(Value::as_str) {
        Some(Some(kind)) => {
            OWN_TOOLS.contains(&kind) || OWN_TOOLS_WITH_DATE.into_iter().any(|prefix| kind.starts_with(prefix))
        }
        Some(None) => false,
        // Anthropic's functions, which need no type, and Gemini's, which have none.
        None => tool.contains_key("name") || tool.keys().all(|name| DECLARATIONS.contains(&name.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gw_dialects::request;
    use http::HeaderMap;

    use super::*;
    use crate::budget::Budget;

    fn harmless(dialect: DialectId, members: &str) -> bool {
        let body = Bytes::from(format!(r#"{{"model":"m"{members}}}"#));
        let head = request::scan(dialect, &body).unwrap();
        let headers = HeaderMap::new();
        let call = Call {
            dialect,
            model: None,
            stream: None,
            json_array: false,
            openrouter: false,
            foreign_key: None,
            provider: None,
            own_key: None,
            needs_parameters: false,
            step: None,
            path: "/",
            headers: &headers,
            body,
            held: Budget::new("", 0).nothing(),
        };
        is_harmless(&call, &head)
    }

    #[test]
    fn what_keeps_or_continues_something_is_not_asked_twice() {
        use DialectId::{AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
        for (dialect, members) in [
            (OpenAiChat, r#","messages":[]"#),
            (OpenAiChat, r#","store":false,"tools":[{"type":"function","function":{"name":"f"}}]"#),
            (OpenAiResponses, r#","store":false,"background":false,"previous_response_id":null"#),
            (
                OpenAiResponses,
                r#","store":false,"tools":[{"type":"custom","name":"f"},{"type":"function","name":"g"}]"#,
            ),
            (AnthropicMessages, r#","tools":[{"name":"f","input_schema":{}},{"type":"bash_20250124","name":"bash"}]"#),
            (Gemini, r#","tools":[{"functionDeclarations":[{"name":"f"}]}]"#),
        ] {
            assert!(harmless(dialect, members), "{members}");
        }
        for (dialect, members) in [
            (OpenAiChat, r#","store":true"#),
            (OpenAiChat, r#","web_search_options":{}"#),
            (OpenAiChat, r#","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]"#),
            (OpenAiResponses, ""),
            (OpenAiResponses, r#","store":null"#),
            (OpenAiResponses, r#","store":false,"background":true"#),
            (OpenAiResponses, r#","store":false,"previous_response_id":"resp_1""#),
            (OpenAiResponses, r#","store":false,"conversation":{"id":"conv_1"}"#),
            (OpenAiResponses, r#","store":false,"prompt":{"id":"pmpt_1"}"#),
            (OpenAiResponses, r#","store":false,"tools":[{"type":"mcp","server_url":"https://a"}]"#),
            (OpenAiResponses, r#","store":false,"tools":[{"type":"code_interpreter"}]"#),
            (AnthropicMessages, r#","tools":[{"type":"code_execution_20250825","name":"code_execution"}]"#),
            (AnthropicMessages, r#","mcp_servers":[{"type":"url","url":"https://a"}]"#),
            (AnthropicMessages, r#","container":"c1""#),
            (Gemini, r#","tools":[{"googleSearch":{}}]"#),
            (Gemini, r#","cachedContent":"cachedContents/1""#),
            (OpenAiChat, r#","tools":"all""#),
        ] {
            assert!(!harmless(dialect, members), "{members}");
        }
    }
}
