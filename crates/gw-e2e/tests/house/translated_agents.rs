//! What command-line agents send with every request, where `translation.unsupported` is `reject`: nothing of it changes the
//! answer so much that they could not be served.

use serde_json::{Value, json};

use crate::harness::{Gateway, config};
use crate::translated::{Format, House};
use crate::translated_vendors::Vendor;

/// As Claude Code 2.1 asks.
fn claude_code(model: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]});
    json!({
        "model": model, "max_tokens": 32000, "stream": false,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "metadata": {"user_id": "{\"device_id\":\"d\",\"session_id\":\"s\"}"},
        "system": [
            {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "List the files.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"},
                 "caller": {"type": "direct"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.txt", "is_error": false,
                 "cache_control": {"type": "ephemeral"}}]}
        ],
        "tools": [{"name": "Bash", "description": "Runs a command", "input_schema": schema,
                   "eager_input_streaming": true, "cache_control": {"type": "ephemeral"}}]
    })
}

/// As Codex 0.169 asks.
fn codex(model: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"cmd": {"type": "string"}}, "additionalProperties": false});
    json!({
        "model": model, "stream": false, "store": false, "instructions": "You are Codex.",
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k", "client_metadata": {"session": "s"},
        "parallel_tool_calls": true, "tool_choice": "auto", "reasoning": {"effort": "medium", "summary": "auto"},
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be careful."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "List the files."}]},
            {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "call_1", "name": "shell",
             "arguments": "{\"cmd\":\"ls\"}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "a.txt"}
        ],
        "tools": [
            {"type": "function", "name": "shell", "description": "Runs a command", "parameters": schema, "strict": false},
            {"type": "custom", "name": "apply_patch", "description": "Edits files",
             "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}}
        ]
    })
}

/// As Gemini CLI 0.61 asks.
fn gemini_cli() -> Value {
    let schema = json!({"type": "object", "properties": {"command": {"type": "string"}}});
    json!({
        "systemInstruction": {"role": "user", "parts": [{"text": "You are Gemini CLI."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "List the files."}]},
            {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "shell", "args": {"command": "ls"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "shell", "response": {"output": "a.txt"}}}]}
        ],
        "tools": [{"functionDeclarations": [
            {"name": "shell", "description": "Runs a command", "parametersJsonSchema": schema}]}],
        "generationConfig": {"temperature": 1, "topP": 0.95, "topK": 64, "thinkingConfig": {"includeThoughts": true}}
    })
}

const CLAUDE_AT_BEDROCK: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";

#[tokio::test]
async fn agents_are_served_where_nothing_may_be_left_out() {
    for vendor in Vendor::ALL {
        let upstream = vendor.serve().await;
        let providers = vendor.entry("house", upstream.address, "");
        let gateway =
            Gateway::start(&config(&format!("translation: {{ unsupported: reject }}\nproviders:\n{providers}"))).await;
        let house = House { gateway, upstream, vendor };
        // Claude Code in front of Claude at Bedrock is spoken to in its own format; and Nova, the usual model of this
        // vendor here, does not think.
        let is_bedrock = vendor == Vendor::Bedrock;
        let model = if is_bedrock { format!("house/{CLAUDE_AT_BEDROCK}") } else { house.model() };
        for (format, body) in [
            (Format::Messages, claude_code(&model)),
            (Format::Responses, codex(&model)),
            (Format::Gemini, gemini_cli()),
        ] {
            if is_bedrock && format == Format::Messages {
                continue;
            }
            let answer = house.gateway.post(&format.path(&model, false), body.to_string()).await;
            assert_eq!(answer.status, 200, "{format:?} to {vendor:?}: {}", answer.text());
            let told = answer.header("x-gateway-warnings").unwrap_or_default();
            let drops = told.split("; ").any(|loss| loss.starts_with("dropped "));
            assert!(!drops, "{format:?} to {vendor:?}: {told}");
        }
        // What changes the answer is still refused.
        let mut body = Format::Messages.body(&house.model(), false, "x");
        body["messages"][0]["unheardof"] = json!(1);
        let answer = house.gateway.post("/v1/messages", body.to_string()).await;
        assert_eq!(answer.status, if vendor.speaks(Format::Messages) { 200 } else { 400 }, "{}", answer.text());
    }
}
