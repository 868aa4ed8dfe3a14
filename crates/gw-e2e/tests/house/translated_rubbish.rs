//! Requests that make no sense, in every format: a 400 in the client's own format, and never worse.

use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, Upstream};
use crate::translated::{Format, HELLO, House, configured, pairs};
use crate::translated_vendors::Vendor;

/// Members of each format that the gateway must read to say them in other words, with a value of theirs.
fn members(format: Format) -> Value {
    let schema = json!({"type": "object", "properties": {}});
    match format {
        Format::Chat => json!({
            "messages": [{"role": "user", "content": "x"}], "stream": false, "temperature": 0.5, "top_p": 0.5,
            "max_tokens": 5, "max_completion_tokens": 5, "stop": ["x"], "n": 1, "seed": 7, "presence_penalty": 0.5,
            "frequency_penalty": 0.5, "logit_bias": {"1": 1}, "logprobs": true, "top_logprobs": 1,
            "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}], "tool_choice": "auto",
            "parallel_tool_calls": true, "response_format": {"type": "text"}, "reasoning_effort": "low",
            "stream_options": {"include_usage": true}, "user": "u", "metadata": {"a": "b"}, "store": false,
        }),
        Format::Responses => json!({
            "input": [{"role": "user", "content": "x"}], "instructions": "x", "stream": false, "temperature": 0.5,
            "top_p": 0.5, "max_output_tokens": 5, "tools": [{"type": "function", "name": "f", "parameters": schema}],
            "tool_choice": "auto", "parallel_tool_calls": true, "text": {"format": {"type": "text"}},
            "reasoning": {"effort": "low"}, "top_logprobs": 1, "metadata": {"a": "b"}, "store": false, "include": [],
            "previous_response_id": null, "truncation": "auto",
        }),
        Format::Messages => json!({
            "messages": [{"role": "user", "content": "x"}], "system": "x", "max_tokens": 5, "stream": false,
            "temperature": 0.5, "top_p": 0.5, "top_k": 5, "stop_sequences": ["x"],
            "tools": [{"name": "f", "input_schema": schema}], "tool_choice": {"type": "auto"},
            "thinking": {"type": "disabled"}, "metadata": {"user_id": "u"},
        }),
        Format::Gemini => json!({
            "contents": [{"role": "user", "parts": [{"text": "x"}]}], "systemInstruction": {"parts": [{"text": "x"}]},
            "generationConfig": {"temperature": 0.5}, "tools": [{"functionDeclarations": [{"name": "f"}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}}, "safetySettings": [], "labels": {"a": "b"},
        }),
    }
}

/// Which of those may not be of a wrong type, whatever that is.
fn required(format: Format) -> &'static [&'static str] {
    match format {
        Format::Chat => &["messages", "temperature", "max_completion_tokens", "tools", "stream"],
        Format::Responses => &["input", "temperature", "max_output_tokens", "tools", "stream"],
        Format::Messages => &["messages", "temperature", "max_tokens", "tools", "stream"],
        // It takes one tool for a list of one.
        Format::Gemini => &["contents", "generationConfig"],
    }
}

fn bad_request(format: Format) -> &'static [&'static str] {
    match format {
        Format::Chat | Format::Responses => &[
            "invalid_request",
            "invalid_json",
            "duplicate_field",
            "model_required",
            "unsupported_parameter",
            "previous_response_not_found",
        ],
        Format::Messages => &["invalid_request_error"],
        Format::Gemini => &["INVALID_ARGUMENT"],
    }
}

fn assert_refused(format: Format, answer: &Answer, what: &str) {
    assert_eq!(answer.status, 400, "{format:?}, {what}: {}", answer.text());
    let word = format.error_word(answer);
    assert!(bad_request(format).contains(&word.as_str()), "{format:?}, {what}: {}", answer.text());
    assert!(answer.is_whole);
}

/// Sends bodies on one connection, and checks that each is refused, none reaches the provider, and the gateway still serves.
async fn refused(vendor: Vendor, format: Format, bodies: &[(String, Vec<u8>)]) {
    let house = House::start(vendor).await;
    let model = house.model();
    let mut client = house.gateway.client().await;
    for (what, body) in bodies {
        client.post(&format.path(&model, false), &[], body).await;
        assert_refused(format, &client.answer().await, &format!("to {vendor:?}, {what}"));
    }
    assert!(house.upstream.requests().is_empty());
    still_serves(&house.gateway, format, &model).await;
}

async fn still_serves(gateway: &Gateway, format: Format, model: &str) {
    let answer = gateway.post(&format.path(model, false), format.body(model, false, "x").to_string()).await;
    assert_eq!(format.read(&answer.json()).text, HELLO, "{format:?}: {}", answer.text());
    assert_eq!(gateway.metric("ai_gateway_panics_total").await, Some(0.0));
}

#[tokio::test]
async fn what_is_not_json_is_refused_in_the_clients_own_format() {
    let bodies: Vec<(String, Vec<u8>)> = [
        &b""[..],
        b" ",
        b"{",
        b"hello",
        b"{} x",
        b"{'a':1}",
        b"{\"a\":01}",
        b"{\"a\":\"\x01\"}",
        b"{\"a\":\"\xc3\x28\"}",
        b"\xff\xfe{\x00}\x00",
        b"null",
        b"[]",
        b"7",
        b"\"text\"",
    ]
    .iter()
    .map(|body| (String::from_utf8_lossy(body).into_owned(), body.to_vec()))
    .collect();
    for (format, vendor) in pairs() {
        refused(vendor, format, &bodies).await;
    }
}

#[tokio::test]
async fn a_text_of_a_megabyte_is_no_request_and_a_fine_message() {
    let long = "x".repeat(1 << 20);
    for (format, vendor) in pairs() {
        refused(vendor, format, &[("a text".to_owned(), format!("\"{long}\"").into_bytes())]).await;
        let house = House::start(vendor).await;
        let model = house.model();
        let answer =
            house.gateway.post(&format.path(&model, false), format.body(&model, false, &long).to_string()).await;
        assert_eq!(format.read(&answer.json()).text, HELLO, "{format:?} to {vendor:?}");
        assert!(house.last_request().text().contains(&long));
    }
}

#[tokio::test]
async fn a_body_that_is_nested_ten_thousand_deep_is_refused() {
    const DEEP: usize = 10_000;
    let lists = format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP));
    let objects = format!("{}1{}", "{\"a\":".repeat(DEEP), "}".repeat(DEEP));
    let unclosed = "[".repeat(DEEP);
    for (format, vendor) in pairs() {
        let house = House::start(vendor).await;
        let model = house.model();
        let member = if format == Format::Gemini { "contents" } else { "messages" };
        let member = if format == Format::Responses { "input" } else { member };
        for deep in [&lists, &objects, &unclosed] {
            let base = format.body(&model, false, "x");
            for (place, body) in [
                ("alone", deep.clone()),
                ("in the conversation", format!("{{\"model\":\"{model}\",\"{member}\":{deep}}}")),
                ("in a member that nobody knows", with_raw(&base, "nobody_knows", deep)),
                ("in the metadata", with_raw(&base, "metadata", deep)),
                ("in the tools", with_raw(&base, "tools", deep)),
            ] {
                let answer = house.gateway.post(&format.path(&model, false), body).await;
                // What goes through as it comes is for its provider to judge, and Google's format has objects in which
                // unknown members are skipped, however deep.
                if answer.status != 200 || format != Format::Gemini && !vendor.speaks(format) {
                    assert_refused(format, &answer, &format!("to {vendor:?}, {} {place}", &deep[..5]));
                }
            }
        }
        still_serves(&house.gateway, format, &model).await;
    }
}

/// An object with one more member, whose value need not be valid.
fn with_raw(body: &Value, name: &str, raw: &str) -> String {
    let text = body.to_string();
    format!("{},\"{name}\":{raw}}}", text.strip_suffix('}').unwrap())
}

#[tokio::test]
async fn a_member_of_a_wrong_type_is_refused_and_never_breaks_anything() {
    let wrong =
        [json!(true), json!(-7.5), json!("x"), json!([]), json!([[1]]), json!({}), json!({"type": 7}), json!(1e300)];
    for (format, vendor) in pairs().filter(|(format, vendor)| !vendor.speaks(*format)) {
        let house = House::start(vendor).await;
        let model = house.model();
        let path = format.path(&model, false);
        let members = members(format);
        let mut whole = members.clone();
        whole["model"] = model.as_str().into();
        let answer = house.gateway.post(&path, whole.to_string()).await;
        assert_eq!(answer.status, 200, "{format:?} to {vendor:?}: {}", answer.text());
        for (name, good) in members.as_object().unwrap() {
            for value in &wrong {
                let mut body = whole.clone();
                body[name] = value.clone();
                let answer = house.gateway.post(&path, body.to_string()).await;
                let is_wrong = std::mem::discriminant(value) != std::mem::discriminant(good);
                // A text stands for a conversation in OpenAI's newer format, and in what Google's SDKs take.
                let is_right = !is_wrong
                    || value.is_string() && matches!(name.as_str(), "input" | "contents")
                    // Nothing is asked, which is for the provider to judge.
                    || format == Format::Gemini && name == "contents" && value.is_object();
                let must_fail = !is_right && required(format).contains(&name.as_str());
                if must_fail || answer.status != 200 {
                    assert_refused(format, &answer, &format!("{name}: {value}"));
                }
            }
        }
        still_serves(&house.gateway, format, &model).await;
    }
}

#[tokio::test]
async fn a_null_is_no_member() {
    for (format, vendor) in pairs().filter(|(format, vendor)| !vendor.speaks(*format)) {
        let house = House::start(vendor).await;
        let model = house.model();
        let mut body = format.body(&model, false, "Say hello.");
        for name in members(format).as_object().unwrap().keys() {
            if body.get(name).is_none() {
                body[name] = Value::Null;
            }
        }
        let answer = house.gateway.post(&format.path(&model, false), body.to_string()).await;
        assert_eq!(answer.status, 200, "{format:?} to {vendor:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_model_of_a_wrong_type_or_length_is_refused() {
    for format in [Format::Chat, Format::Responses, Format::Messages] {
        let upstream: Upstream = Vendor::Gemini.serve().await;
        let gateway = Gateway::start(&configured(Vendor::Gemini, upstream.address)).await;
        for model in [json!(7), json!([]), json!({}), json!(true), json!("")] {
            let mut body = format.body("x", false, "x");
            body["model"] = model.clone();
            let answer = gateway.post(&format.path("x", false), body.to_string()).await;
            assert_refused(format, &answer, &format!("model {model}"));
        }
        for model in ["x".repeat(1 << 20), "nowhere/x".to_owned(), "\u{0}".to_owned(), "../../x".to_owned()] {
            let answer = gateway.post(&format.path("x", false), format.body(&model, false, "x").to_string()).await;
            assert!(matches!(answer.status, 400 | 404), "{format:?}: {}", answer.status);
            format.error_word(&answer);
        }
        assert!(upstream.requests().is_empty());
    }
}

#[tokio::test]
async fn a_models_name_cannot_lead_to_another_path_of_the_provider() {
    let mut led = Vec::new();
    for vendor in [Vendor::Gemini, Vendor::Bedrock] {
        let house = House::start(vendor).await;
        for model in
            ["../../../admin", "x?y=z", "x#y", "x y", "x\r\nevil: 1", "x/../../y", "ü", "%2e%2e%2fx", ".", ".."]
        {
            let body = Format::Chat.body(&format!("house/{model}"), false, "x").to_string();
            let answer = house.gateway.post("/v1/chat/completions", body).await;
            if answer.status != 200 {
                assert!(matches!(answer.status, 400 | 404), "{vendor:?}, {model:?}: {}", answer.text());
                Format::Chat.error_word(&answer);
                continue;
            }
            let request = house.last_request();
            let path = request.head.first_line.split(' ').nth(1).unwrap();
            let (begin, end) = match vendor {
                Vendor::Gemini => ("/v1beta/", ":generateContent"),
                _ => ("/model/", "/converse"),
            };
            let name = path.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end)).unwrap_or_default();
            // RFC 3986 §5.2.4: such parts lead elsewhere, and escaped dots are dots (§6.2.2.2).
            let dots = name.replace("%2E", ".").replace("%2e", ".");
            let leads = name.is_empty()
                || name.contains(['?', '#', ' '])
                || dots.split('/').any(|part| matches!(part, "" | "." | ".."));
            if leads || request.head.get("evil").is_some() {
                led.push(format!("{vendor:?}, {model:?}: {path}"));
            }
        }
    }
    assert!(led.is_empty(), "{led:#?}");
}
