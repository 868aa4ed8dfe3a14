//! State that a provider leaves with its clients: signatures and encrypted thoughts of an answer come back to it, whatever
//! dialect the client keeps the conversation in.

use gw_core::chat::{ChatAnswer, Opaque, Part, Reasoning, Text, ToolCall};
use gw_dialects::chat::Target;
use serde_json::{Value, json};

use crate::fixtures::{self, PROVIDER};
use crate::known::Law;
use crate::report::Report;
use crate::table::{MODELS, egresses, ingresses};

#[test]
fn what_a_provider_wants_to_see_again_comes_back_to_it_through_every_client() {
    let mut report = Report::new(Law::Replay);
    for (origin, egress) in egresses() {
        let model = MODELS.iter().find(|model| model.egress == *origin).map_or("", |model| model.model);
        for file in fixtures::list(origin, "answers") {
            let answer = egress.decode_answer(&file.bytes, &fixtures::origin()).unwrap();
            let state: Vec<&Opaque> = opaque(&answer).collect();
            for (name, ingress) in ingresses().iter().filter(|_| !state.is_empty()) {
                let case = format!("{origin}--{}", file.name);
                let body = ingress.encode_answer(&answer, &fixtures::asked(false));
                let next = continued(name, &serde_json::from_slice(&body).unwrap()).to_string();
                let line = file.line(name);
                let encoded = ingress.decode_request(&line.as_request_line(), next.as_bytes()).and_then(|request| {
                    egress.encode_request(&request, &Target { model, provider: PROVIDER, stream: false })
                });
                let sent = match encoded {
                    Ok(encoded) => String::from_utf8(encoded.body).unwrap(),
                    Err(error) => error.to_string(),
                };
                for state in state.iter().filter(|state| !sent.contains(&state.data)) {
                    report.wrong(name, &case, format!("{:?} is lost in {sent}", state.kind));
                }
            }
        }
    }
    report.finish();
}

fn opaque(answer: &ChatAnswer) -> impl Iterator<Item = &Opaque> {
    let parts = answer.candidates.iter().flat_map(|candidate| &candidate.parts);
    parts.filter_map(|part| match part {
        Part::Text(Text { opaque, .. })
        | Part::Reasoning(Reasoning { opaque, .. })
        | Part::ToolCall(ToolCall { opaque, .. }) => opaque.as_ref(),
        _ => None,
    })
}

/// The next request of a client that was given this answer: it repeats the answer as it came.
fn continued(dialect: &str, answer: &Value) -> Value {
    let user = |text: &str| json!({"role": "user", "content": text});
    match dialect {
        "openai_chat" => json!({
            "model": "m", "reasoning_effort": "high", "max_completion_tokens": 20000,
            "messages": [user("Well?"), answer["choices"][0]["message"], user("Go on.")],
        }),
        "anthropic_messages" => json!({
            "model": "m", "max_tokens": 20000, "thinking": {"type": "enabled", "budget_tokens": 4096},
            "messages": [user("Well?"), {"role": "assistant", "content": answer["content"]}, user("Go on.")],
        }),
        "gemini" => json!({
            "generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}, "maxOutputTokens": 20000},
            "contents": [
                {"role": "user", "parts": [{"text": "Well?"}]},
                answer["candidates"][0]["content"],
                {"role": "user", "parts": [{"text": "Go on."}]},
            ],
        }),
        _ => {
            let items = answer["output"].as_array().into_iter().flatten().cloned();
            let input: Vec<Value> = [user("Well?")].into_iter().chain(items).chain([user("Go on.")]).collect();
            json!({"model": "m", "reasoning": {"effort": "high"}, "max_output_tokens": 20000, "input": input})
        }
    }
}
