//! What clients ask.

use gw_core::ErrorCode;
use gw_core::chat::*;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::gemini::{decode_count_request, signature};

#[test]
fn a_request_that_is_read_and_written_says_the_same() {
    let body = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": "What is here?"},
                {"inlineData": {"mimeType": "image/png", "data": "iVBORw0K"}, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
                {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/film.mp4"}, "videoMetadata": {"fps": 2}}
            ]},
            {"role": "model", "parts": [
                {"text": "Let me see.", "thought": true},
                {"text": "I look.", "thoughtSignature": "c2ln"},
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"functionCall": {"id": "a", "name": "look", "args": {"big": 1, "z": [1.5, null]}}, "thoughtSignature": "YWJj"},
                {"functionCall": {"id": "b", "name": "look", "args": {}}}
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "a", "name": "look", "response": {"result": "a cat"}}},
                {"functionResponse": {"id": "b", "name": "look", "response": {"error": "no light"},
                    "parts": [{"inlineData": {"mimeType": "image/jpeg", "data": "/9j/"}}]}}
            ]}
        ],
        "tools": [
            {"functionDeclarations": [{"name": "look", "description": "Looks.",
                "parametersJsonSchema": {"type": "object", "properties": {"z": {"type": "array"}}}}]},
            {"googleSearch": {"timeRangeFilter": {}}},
            {"computerUse": {"environment": "ENVIRONMENT_BROWSER"}}
        ],
        "toolConfig": {
            "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]},
            "retrievalConfig": {"languageCode": "de"}
        },
        "generationConfig": {
            "temperature": 0.5, "topP": 0.9, "topK": 40, "candidateCount": 2, "maxOutputTokens": 100,
            "stopSequences": ["END"], "seed": 7, "presencePenalty": 0.1, "frequencyPenalty": -0.2,
            "responseLogprobs": true, "logprobs": 3, "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object", "properties": {"a": {"type": "string"}}},
            "responseModalities": ["TEXT", "IMAGE"], "mediaResolution": "MEDIA_RESOLUTION_LOW",
            "speechConfig": {"languageCode": "de"},
            "thinkingConfig": {"thinkingLevel": "XHIGH", "includeThoughts": true}
        },
        "safetySettings": [{"category": "C", "threshold": "T"}],
        "cachedContent": "cachedContents/1",
        "labels": {"team": "a"},
        "serviceTier": "standard"
    });
    let request = decoded(&body);
    assert_eq!((request.model.as_str(), request.stream), ("gemini-3-pro-preview", true));
    assert_eq!(request.tool_choice, Some(ToolChoice::Function("look".to_owned())));
    assert_eq!(request.thinking.as_ref().unwrap().effort, Some(Effort::XHigh));
    let (again, encoded) = sent_to(&request, "gemini-3-pro-preview");
    assert_eq!(again, body);
    assert_eq!(encoded.losses, []);
    assert_eq!(encoded.path, "/models/gemini-3-pro-preview:generateContent");
}

#[test]
fn snake_case_shorthands_and_googles_schemas_are_read() {
    let request = decoded(&json!({
        "system_instruction": "Be brief.",
        "contents": "Hi",
        "tools": {"function_declarations": {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": true}}}}},
        "tool_config": {"function_calling_config": {"mode": "any"}},
        "generation_config": {"max_output_tokens": "5", "thinking_config": {"thinking_budget": -1}, "response_mime_type": "text/x.enum",
            "response_schema": {"type": "STRING", "enum": ["a"]}},
        "safety_settings": []
    }));
    assert_eq!(request.messages, [Message::new(Role::System, vec!["Be brief.".into()]), user(vec!["Hi".into()])]);
    let parameters = json!({"type": "object", "properties": {"a": {"type": ["string", "null"]}}});
    assert_eq!(request.tools, [function("f", parameters)]);
    assert_eq!(request.tool_choice, Some(ToolChoice::Required));
    assert_eq!(request.sampling.max_output_tokens, Some(5));
    assert_eq!(request.thinking.as_ref().unwrap().mode, Some(ThinkingMode::Adaptive));
    let names: Vec<_> = request.extra.members.keys().map(String::as_str).collect();
    assert_eq!(names, ["generationConfig.responseMimeType", "generationConfig.responseSchema", "safetySettings"]);
    let config = &sent(&request)["generationConfig"];
    assert_eq!(config["responseSchema"]["type"], "STRING");
    assert_eq!(config["thinkingConfig"], json!({"thinkingBudget": -1}));
}

#[test]
fn results_without_ids_find_their_calls_by_name_and_then_by_order() {
    let request = decoded(&json!({"contents": [
        {"role": "user", "parts": [{"text": "q"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "g"}}, {"functionCall": {"name": "f"}}]},
        {"role": "function", "parts": [
            {"functionResponse": {"name": "g", "response": {"output": 1}}},
            {"functionResponse": {"name": "f", "response": {"result": "one"}}},
            {"functionResponse": {"name": "f", "response": {"result": "{\"two\":2}"}}}
        ]}
    ]}));
    let ids = |message: &Message| -> Vec<String> {
        let id = |part: &Part| match part {
            Part::ToolCall(call) => call.id.clone(),
            Part::ToolResult(result) => result.call_id.clone(),
            other => panic!("{other:?}"),
        };
        message.parts.iter().map(id).collect()
    };
    assert_eq!(ids(&request.messages[1]), ["call_1", "call_2", "call_3"]);
    assert_eq!(ids(&request.messages[2]), ["call_2", "call_1", "call_3"]);
    let sent = sent(&request);
    let responses: Vec<_> = sent["contents"][2]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| &part["functionResponse"]["response"])
        .collect();
    assert_eq!(responses, [&json!({"result": "one"}), &json!({"output": 1}), &json!({"result": "{\"two\":2}"})]);
}

#[test]
fn thoughts_that_came_in_pieces_are_joined_with_the_state_of_their_owner() {
    let opaque = Opaque {
        family: Family::Anthropic,
        provider: "a".to_owned(),
        kind: OpaqueKind::Signature,
        data: "sig+/=".to_owned(),
    };
    let sealed = signature(&opaque);
    let request = decoded(&json!({"contents": [
        {"role": "user", "parts": [{"text": "q"}]},
        {"role": "model", "parts": [{"text": "I ", "thought": true}]},
        {"role": "model", "parts": [{"text": "think", "thought": true}]},
        {"role": "model", "parts": [{"text": "", "thought": true, "thoughtSignature": sealed}]},
        {"role": "model", "parts": [{"text": "yes"}, {"text": "", "thoughtSignature": "Z29vZ2xl"}]},
    ]}));
    let reasoning = Reasoning { id: None, text: "I think".to_owned(), is_summary: true, opaque: Some(opaque) };
    let own = Opaque {
        family: Family::Gemini,
        provider: String::new(),
        kind: OpaqueKind::Signature,
        data: "Z29vZ2xl".to_owned(),
    };
    let text = Text { text: "yes".to_owned(), opaque: Some(own), ..Text::default() };
    assert_eq!(request.messages[1].parts, [Part::Reasoning(reasoning), Part::Text(text)]);
    // Google is not shown what is Anthropic's.
    let parts = json!([{"text": "I think", "thought": true}, {"text": "yes", "thoughtSignature": "Z29vZ2xl"}]);
    assert_eq!(sent(&request)["contents"][1]["parts"], parts);
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_not_quoted() {
    let line = RequestLine::default();
    for (body, place) in [
        (json!({"contents": [{"parts": [{"text": 5}]}]}), "contents[0].parts[0].text must"),
        (json!({"contents": [{"role": "secret", "parts": []}]}), "contents[0].role must"),
        (json!({"contents": 5}), "contents must"),
        (
            json!({"contents": [{"parts": [{"functionCall": {"args": {}}}]}]}),
            "contents[0].parts[0].functionCall.name is",
        ),
        (
            json!({"contents": [{"parts": [{"inlineData": {"data": "secret!", "mimeType": "a/b"}}]}]}),
            "contents[0].parts[0].inlineData.data must",
        ),
        (json!({"generationConfig": {"temperature": "secret"}}), "generationConfig.temperature must"),
        (json!({"generationConfig": {"maxOutputTokens": -1}}), "generationConfig.maxOutputTokens must"),
        (json!({"tools": [{"functionDeclarations": [{}]}]}), "tools[0].functionDeclarations[0].name is"),
    ] {
        let error = Gemini.decode_request(&line, body.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest);
        assert!(error.message.contains(place) && !error.message.contains("secret"), "{place}: {}", error.message);
    }
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(500), "]".repeat(500));
    for body in [&b"{"[..], b"\xff", b"[]", b"", deep.as_bytes()] {
        assert!(Gemini.decode_request(&line, body).is_err());
    }
}

#[test]
fn a_point_in_a_clients_own_name_is_a_point() {
    let request = decoded(&json!({"contents": "q", "a.b": 1, "generationConfig": {"c.d": 2}}));
    let body = sent(&request);
    assert_eq!((&body["a.b"], &body["generationConfig"]["c.d"]), (&json!(1), &json!(2)));
}

#[test]
fn tokens_are_counted_of_contents_and_of_whole_requests() {
    let line = RequestLine { model: Some("m"), ..RequestLine::default() };
    let contents = json!({"contents": [{"parts": [{"text": "hi"}]}]});
    for body in [contents.clone(), json!({"generateContentRequest": contents})] {
        let request = decode_count_request(&line, body.to_string().as_bytes()).unwrap();
        assert_eq!((request.model.as_str(), request.messages), ("m", vec![user(vec!["hi".into()])]));
    }
}

#[test]
fn what_has_no_word_of_ours_is_not_lost_without_a_word() {
    let request = decoded(&json!({
        "contents": [{"parts": [{"text": "q", "partMetadata": {"a": 1}}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED", "streamFunctionCallArguments": true}}
    }));
    let (body, encoded) = sent_to(&request, "gemini-3-pro-preview");
    assert_eq!(body["toolConfig"], json!({"functionCallingConfig": {"mode": "VALIDATED"}}));
    assert_eq!(body["contents"][0]["parts"][0], json!({"text": "q", "partMetadata": {"a": 1}}));
    assert_eq!(body["tools"][0]["functionDeclarations"][0], json!({"name": "f", "behavior": "BLOCKING"}));
    assert_eq!(lost(&encoded), ["toolConfig.functionCallingConfig.streamFunctionCallArguments"]);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200), text in r#"\{("(contents|tools|generationConfig)":[\[\]{}":a-z0-9,]{0,40},?){0,3}\}"#) {
        for body in [body.as_slice(), text.as_bytes()] {
            let _ = Gemini.decode_request(&RequestLine::default(), body);
            let _ = decode_count_request(&RequestLine::default(), body);
        }
    }
}
