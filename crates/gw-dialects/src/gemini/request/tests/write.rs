//! What Google is asked.

use gw_core::ErrorCode;
use gw_core::chat::*;
use serde_json::{Value, json};

use super::*;

#[test]
fn a_conversation_is_put_into_googles_order() {
    let request = asked(vec![
        Message::new(Role::System, vec!["s1".into()]),
        Message::new(Role::Developer, vec!["s2".into()]),
        user(vec!["q".into(), "".into()]),
        // pitfalls A2: no arguments are an empty object. A17: what is no JSON is kept in one.
        Message::new(
            Role::Assistant,
            vec![
                "".into(),
                call("1", "f", ""),
                call("2", "1g", r#"{"n":123456789012345678901234567890}"#),
                call("3", "f", "{oops"),
            ],
        ),
        user(vec![result("3", "{\"a\": 1}")]),
        user(vec![result("1", "one")]),
        Message::new(Role::System, vec!["mid".into()]),
        user(vec![result("2", "two")]),
    ]);
    let (body, encoded) = sent_to(&request, "gemini-2.5-flash");
    assert!(String::from_utf8(encoded.body.clone()).unwrap().contains("123456789012345678901234567890"));
    assert_eq!(body["systemInstruction"], json!({"parts": [{"text": "s1"}, {"text": "s2"}]}));
    let call = |id: &str, name: &str, args: &Value| json!({"functionCall": {"id": id, "name": name, "args": args}});
    let response = |id: &str, name: &str, response: Value| json!({"functionResponse": {"id": id, "name": name, "response": response}});
    let big = &body["contents"][1]["parts"][1]["functionCall"]["args"];
    assert_eq!(
        body["contents"],
        json!([
            // pitfalls A15: no empty text.
            {"role": "user", "parts": [{"text": "q"}]},
            {"role": "model", "parts": [call("1", "f", &json!({})), call("2", "_1g", big), call("3", "f", &json!({"_raw": "{oops"}))]},
            // pitfalls A13: what stood in the middle stays there.
            {"role": "user", "parts": [
                response("1", "f", json!({"result": "one"})),
                response("2", "_1g", json!({"result": "two"})),
                response("3", "f", json!({"a": 1})),
                {"text": "mid"}
            ]}
        ])
    );
    assert_eq!(lost(&encoded), ["messages[].role"]);
}

#[test]
fn gemini_3_gets_a_signature_on_the_first_call_of_each_step() {
    let own = Opaque {
        family: Family::Gemini,
        provider: "google".to_owned(),
        kind: OpaqueKind::Signature,
        data: "c2ln".to_owned(),
    };
    let thoughts = Reasoning { opaque: Some(own), ..Reasoning::default() };
    let request = asked(vec![
        user(vec!["q".into()]),
        Message::new(Role::Assistant, vec![call("1", "f", "{}"), call("2", "f", "{}")]),
        user(vec![result("1", "a"), result("2", "b")]),
        Message::new(Role::Assistant, vec![Part::Reasoning(thoughts), call("3", "f", "{}")]),
        user(vec![result("3", "c")]),
    ]);
    let signatures = |model: &str| -> Vec<Value> {
        let body = sent_to(&request, model).0;
        let contents = body["contents"].as_array().unwrap().clone();
        let parts = contents.iter().flat_map(|content| content["parts"].as_array().unwrap());
        parts.filter(|part| part.get("functionCall").is_some()).map(|part| part["thoughtSignature"].clone()).collect()
    };
    // pitfalls B9
    assert_eq!(
        signatures("gemini-3-pro-preview"),
        [json!("skip_thought_signature_validator"), Value::Null, json!("c2ln")]
    );
    assert_eq!(signatures("gemini-2.5-pro"), [Value::Null, Value::Null, json!("c2ln")]);
}

#[test]
fn media_of_every_kind_are_sent() {
    let media = |kind, source, name: Option<&str>| {
        Part::Media(Media { name: name.map(str::to_owned), ..Media::new(kind, source) })
    };
    let inline = |media_type: &str| MediaSource::Inline { media_type: media_type.to_owned(), data: "AAAA".to_owned() };
    let file = |id: &str| MediaSource::File { id: id.to_owned(), media_type: None };
    let request = asked(vec![user(vec![
        media(MediaKind::Image, inline("image/png"), None),
        media(MediaKind::Audio, inline("audio/wav"), None),
        media(MediaKind::Document, inline("application/pdf"), Some("a.pdf")),
        media(
            MediaKind::Document,
            MediaSource::Text { media_type: "text/plain".to_owned(), text: "hi".to_owned() },
            None,
        ),
        media(MediaKind::Video, file("https://youtu.be/x"), None),
        media(MediaKind::Document, file("file-abc"), None),
    ])]);
    let (body, encoded) = sent_to(&request, "gemini-2.5-flash");
    assert_eq!(
        body["contents"][0]["parts"],
        json!([
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA", "displayName": "a.pdf"}},
            {"inlineData": {"mimeType": "text/plain", "data": "aGk="}},
            {"fileData": {"fileUri": "https://youtu.be/x"}}
        ])
    );
    // pitfalls A1: what cannot be sent is told.
    assert_eq!(lost(&encoded), ["messages[].file"]);
}

#[test]
fn tools_and_formats_are_written_in_googles_words() {
    let web = |family, kind| {
        Tool::BuiltIn(BuiltInTool { kind, family, value: json!({"type": "web_search_20250305", "name": "web_search"}) })
    };
    let schema = json!({"type": "object", "properties": {"n": {"oneOf": [{"type": "integer", "exclusiveMaximum": 9}]}}, "additionalProperties": false});
    let mut request = asked(vec![user(vec!["q".into()])]);
    request.tools = vec![
        function("a b", schema.clone()),
        function("none", json!({})),
        Tool::Custom(CustomTool { name: "free".to_owned(), ..CustomTool::default() }),
        web(Family::Anthropic, BuiltIn::WebSearch),
        web(Family::Anthropic, BuiltIn::Other),
    ];
    request.tool_choice = Some(ToolChoice::Function("a b".to_owned()));
    request.output = OutputFormat::Schema(OutputSchema { schema: schema.clone(), ..OutputSchema::default() });
    request.sampling.stop = ["a", "", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec();
    request.sampling.seed = Some(1 << 40);
    // pitfalls A3
    request.service_tier = Some("auto".to_owned());
    request.user = Some("u".to_owned());
    request.parallel_tool_calls = Some(false);
    request.thinking = Some(Thinking { effort: Some(Effort::Low), ..Thinking::default() });
    request.extra =
        Extra { family: Family::Anthropic, members: serde_json::Map::from_iter([("container".to_owned(), json!(1))]) };
    let (body, encoded) = sent_to(&request, "gemini-2.5-flash");
    let (sent_name, original) = encoded.names.0[0].clone();
    assert_eq!(original, "a b");
    let input = json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]});
    assert_eq!(
        body["tools"],
        json!([
            {"functionDeclarations": [
                {"name": sent_name, "parametersJsonSchema": schema},
                {"name": "none"},
                {"name": "free", "parametersJsonSchema": input}
            ]}
        ])
    );
    let (of_third, _) = sent_to(&request, "gemini-3-flash-preview");
    assert_eq!(of_third["tools"][1], json!({"googleSearch": {}}), "before the third generation Google refuses both");
    assert_eq!(
        body["toolConfig"]["functionCallingConfig"],
        json!({"mode": "ANY", "allowedFunctionNames": [sent_name]})
    );
    assert_eq!(
        body["generationConfig"],
        json!({
            "stopSequences": ["a", "b", "c", "d", "e"], "seed": 0, "thinkingConfig": {"thinkingBudget": 1024},
            "responseMimeType": "application/json", "responseJsonSchema": schema
        })
    );
    assert_eq!(body.get("serviceTier"), None);
    assert_eq!(
        lost(&encoded),
        [
            "tools[].custom",
            "tools[].web_search",
            "tools[].type",
            "stop",
            "seed",
            "parallel_tool_calls",
            "user",
            "container"
        ]
    );
}

#[test]
fn parts_of_other_families_are_told_as_losses() {
    let native =
        |family| Part::Native(Native { family, kind: "toolCall".to_owned(), value: json!({"toolCall": {"id": "1"}}) });
    let request = asked(vec![user(vec!["q".into(), native(Family::Gemini), native(Family::Anthropic)])]);
    let (body, encoded) = sent_to(&request, "gemini-3-pro-preview");
    assert_eq!(body["contents"][0]["parts"], json!([{"text": "q"}, {"toolCall": {"id": "1"}}]));
    assert_eq!(lost(&encoded), ["messages[].content"]);
}

#[test]
fn instructions_alone_are_the_users() {
    let request = asked(vec![Message::new(Role::System, vec!["do".into()])]);
    assert_eq!(sent(&request), json!({"contents": [{"role": "user", "parts": [{"text": "do"}]}]}));
    let nothing = Gemini.encode_request(&asked(vec![]), &Target { model: "m", provider: "p", stream: true });
    assert_eq!(nothing.unwrap_err().code, ErrorCode::InvalidRequest);
}
