//! Parameters, tools and shapes of answers.

use gw_dialects::DialectId;
use gw_dialects::chat::{self, RequestLine};
use serde_json::{Value, json};

use crate::asking::{CLAUDE, encoded, has_loss, message, sent, with_tool};

#[test]
fn a_service_that_was_not_asked_for_is_not_bought() {
    // pitfalls A3: `auto` became `priority`.
    for dialect in [DialectId::Gemini, DialectId::BedrockConverse] {
        let (body, losses) = sent(&json!({"service_tier": "auto"}), dialect, "m");
        assert!(!body.to_string().contains("priority") && body.get("serviceTier").is_none(), "{body}");
        assert_eq!(losses, [""; 0], "{dialect:?}");
    }
}

#[test]
fn cohere_is_told_what_it_knows() {
    // pitfalls A6: choices, formats, probabilities, budgets and names that v2 has.
    let cohere = |members: Value| sent(&members, DialectId::CohereChat, "command-a-03-2025");
    for (choice, word) in [("none", "NONE"), ("required", "REQUIRED")] {
        assert_eq!(cohere(with_tool(&json!({"tool_choice": choice}))).0["tool_choice"], word);
    }
    assert_eq!(cohere(json!({"response_format": {"type": "json_object"}})).0["response_format"]["type"], "json_object");
    let (body, losses) = cohere(json!({"logprobs": true, "top_k": 3, "n": 2, "reasoning_effort": "low"}));
    assert_eq!((&body["logprobs"], &body["k"]), (&json!(true), &json!(3)));
    assert!(body["thinking"]["token_budget"].is_u64() && body.get("num_generations").is_none(), "{body}");
    assert!(has_loss(&losses, "dropped n: "), "{losses:?}");
    let thinks = json!({"messages": [{"role": "user", "content": "q"},
        {"role": "assistant", "content": "a", "reasoning_content": "t", "thinking_blocks": []}, {"role": "user", "content": "q"}]});
    assert!(!cohere(thinks).0.to_string().contains("reasoning_content"));
    let file =
        json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}});
    let (body, losses) = cohere(json!({"messages": [message("user", &json!([{"type": "text", "text": "q"}, file]))]}));
    assert!(!body.to_string().contains("JVBERi0") && has_loss(&losses, "messages[].file"), "{losses:?}");
}

#[test]
fn what_a_provider_of_openais_format_may_know_is_sent() {
    // pitfalls A7: Mistral lists these four.
    let members = json!({"presence_penalty": 0.5, "frequency_penalty": 0.5, "n": 2,
        "prediction": {"type": "content", "content": "x"}});
    let (body, losses) = sent(&members.clone(), DialectId::OpenAiChat, "mistral-large");
    for name in members.as_object().unwrap().keys() {
        assert_eq!(body[name], members[name], "{name}");
    }
    assert_eq!(losses, [""; 0]);
}

#[test]
fn json_is_asked_for_where_there_is_no_word_for_it() {
    // pitfalls A8: ignored, and nothing said.
    let json = json!({"response_format": {"type": "json_object"}});
    for (dialect, model) in [
        (DialectId::AnthropicMessages, CLAUDE),
        (DialectId::BedrockConverse, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ] {
        let (body, _) = sent(&json.clone(), dialect, model);
        assert!(body["system"].to_string().contains("JSON"), "{body}");
    }
}

#[test]
fn what_does_not_go_together_with_thinking_gives_way() {
    // pitfalls A9: budgets above the limit, sampling and forced tools beside thinking, calls without their thoughts.
    let claude = |members: Value| sent(&members, DialectId::AnthropicMessages, CLAUDE).0;
    let body = claude(json!({"thinking": {"type": "enabled", "budget_tokens": 4096}, "max_tokens": 500}));
    let budget = body["thinking"]["budget_tokens"].as_u64().unwrap_or_default();
    assert!(budget < body["max_tokens"].as_u64().unwrap(), "{body}");
    let body = claude(with_tool(&json!({"reasoning_effort": "high", "temperature": 0.2, "tool_choice": "required"})));
    let thinks = body.get("thinking").is_some_and(|thinking| thinking["type"] == "enabled");
    assert!(!(thinks && (body["tool_choice"]["type"] == "any" || body.get("temperature").is_some())), "{body}");
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = claude(with_tool(&json!({"reasoning_effort": "high", "messages": [
        {"role": "user", "content": "q"}, {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "r"}]})));
    assert!(body.get("thinking").is_none_or(|thinking| thinking["type"] != "enabled"), "{body}");
}

#[test]
fn texts_that_end_an_answer_and_temperatures_keep_to_the_range() {
    // pitfalls A10: blanks that Anthropic refuses, lists cut without a word, temperatures above 1.
    let stops = json!({"stop": [" ", "a", "b", "c", "d", "e"], "temperature": 1.7});
    let (body, losses) = sent(&stops, DialectId::AnthropicMessages, CLAUDE);
    assert_eq!(body["stop_sequences"], json!(["a", "b", "c", "d", "e"]));
    assert_eq!(body["temperature"], 1.0);
    assert!(has_loss(&losses, "dropped stop") && has_loss(&losses, "replaced temperature"), "{losses:?}");
}

#[test]
fn schemas_keep_what_they_say_and_a_servers_tool_becomes_no_function() {
    // pitfalls A14: `strict` dropped, schemas emptied, a search of the web as an empty function.
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["a"],
        "properties": {"a": {"oneOf": [{"type": "integer", "enum": [1, 2]}, {"type": "null"}]}}});
    let function =
        |strict: bool| json!({"type": "function", "function": {"name": "f", "strict": strict, "parameters": schema}});
    let (body, losses) = sent(&json!({"tools": [function(true)]}), DialectId::AnthropicMessages, CLAUDE);
    assert!(body["tools"][0]["strict"] == true || has_loss(&losses, "tools[].strict"), "{body} {losses:?}");
    let (body, _) = sent(&json!({"tools": [function(false)]}), DialectId::Gemini, "gemini-2.5-pro");
    let declared = &body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"];
    let said = declared.to_string();
    assert!(said.contains("enum") && said.contains("null") && said.contains("additionalProperties"), "{declared}");
    let claude = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}]});
    let ingress = chat::ingress(DialectId::AnthropicMessages).unwrap();
    let request = ingress.decode_request(&RequestLine::default(), claude.to_string().as_bytes()).unwrap();
    for dialect in [DialectId::Gemini, DialectId::CohereChat, DialectId::OpenAiChat] {
        let (body, encoded) = encoded(&request, dialect, "m");
        assert!(!body.to_string().contains("web_search_2025") && !encoded.losses.is_empty(), "{dialect:?}: {body}");
        assert!(body["tools"][0].get("functionDeclarations").is_none(), "{body}");
    }
}

#[test]
fn probabilities_are_asked_for_where_they_can_be_told() {
    // pitfalls A15: refused though Google has them.
    let (body, losses) = sent(&json!({"logprobs": true, "top_logprobs": 3}), DialectId::Gemini, "gemini-2.5-pro");
    let config = &body["generationConfig"];
    assert_eq!((&config["responseLogprobs"], &config["logprobs"]), (&json!(true), &json!(3)), "{body} {losses:?}");
}

#[test]
fn no_credential_stands_in_a_body() {
    // pitfalls A16: watsonx.ai's token was copied into the body.
    let members = json!({"token": "secret", "watsonx_token": "secret", "apikey": "secret"});
    let (body, losses) = sent(&members, DialectId::WatsonxChat, "ibm/granite");
    assert!(!body.to_string().contains("secret"), "{body}");
    for name in ["token", "watsonx_token", "apikey"] {
        assert!(has_loss(&losses, &format!("dropped {name}: ")), "{name}: {losses:?}");
    }
    assert!(losses.iter().all(|loss| !loss.contains("secret")));
}
