//! What is said.

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{bytes_of, chat, events, hello, post, until_end, weather_tool, with};
use crate::sandbox::{MODELS, respond};

#[tokio::test]
async fn the_answer_is_made_of_the_last_thing_the_user_said() {
    let answer = chat(hello("echo")).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "The sandbox heard: hello, house");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"]["prompt_tokens"], 3);
    assert_eq!(answer["usage"]["completion_tokens"], 8);
    assert_eq!(answer["usage"]["total_tokens"], 11);
}

#[tokio::test]
async fn the_same_request_gives_the_same_bytes() {
    for more in [json!({}), json!({ "stream": true }), json!({ "tools": [weather_tool()], "seed": 1 })] {
        let body = with(hello("echo"), more);
        let first = bytes_of(post("/chat/completions", &body).await).await;
        assert_eq!(first, bytes_of(post("/v1/chat/completions", &body).await).await);
    }
}

#[tokio::test]
async fn pictures_are_acknowledged() {
    let picture = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } });
    let content = json!([picture, { "type": "text", "text": "what is it?" }]);
    let answer = chat(json!({ "model": "echo", "messages": [{ "role": "user", "content": content }] })).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "The sandbox got 1 image and heard: what is it?");
}

#[tokio::test]
async fn a_stream_says_what_the_whole_answer_says() {
    for more in [
        json!({ "n": 2 }),
        json!({ "max_tokens": 5 }),
        json!({ "stop": ["heard"] }),
        json!({ "tools": [weather_tool()] }),
    ] {
        let body = with(hello("echo"), more);
        let whole = chat(body.clone()).await;
        let stream = with(body, json!({ "stream": true, "stream_options": { "include_usage": true } }));
        let (text, fault) = until_end(post("/chat/completions", &stream).await.into_body()).await;
        assert_eq!(fault, None);
        assert!(text.ends_with("data: [DONE]\n\n"));
        let events = events(&text);
        assert_eq!(events.last().unwrap()["usage"], whole["usage"]);
        assert_eq!(events.last().unwrap()["choices"], json!([]));
        for choice in whole["choices"].as_array().unwrap() {
            assert_eq!(&put_together(&events, choice["index"].as_u64().unwrap()), choice);
        }
    }
}

/// Does what a client does with the chunks of one choice.
fn put_together(events: &[Value], index: u64) -> Value {
    let mut content = None;
    let mut calls: Vec<Value> = Vec::new();
    let mut finish_reason = Value::Null;
    for choice in events.iter().flat_map(|event| event["choices"].as_array().unwrap()).filter(|c| c["index"] == index) {
        assert_eq!(finish_reason, Value::Null, "nothing comes after the finish");
        finish_reason = choice["finish_reason"].clone();
        if let Some(text) = choice["delta"]["content"].as_str() {
            content.get_or_insert_with(String::new).push_str(text);
        }
        for piece in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let position = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
            if position == calls.len() {
                let mut call = piece.clone();
                call.as_object_mut().unwrap().remove("index");
                calls.push(call);
            } else {
                let arguments = calls[position]["function"]["arguments"].as_str().unwrap().to_owned();
                let more = piece["function"]["arguments"].as_str().unwrap();
                calls[position]["function"]["arguments"] = json!(arguments + more);
            }
        }
    }
    let mut message = json!({ "role": "assistant", "content": content, "refusal": null });
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    json!({ "index": index, "message": message, "logprobs": null, "finish_reason": finish_reason })
}

#[tokio::test]
async fn an_offered_tool_is_called_and_its_result_is_quoted() {
    let offered = with(hello("echo"), json!({ "tools": [weather_tool()] }));
    let answer = chat(offered.clone()).await;
    let message = &answer["choices"][0]["message"];
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(message["content"], Value::Null);
    assert_eq!(message["tool_calls"][0]["function"]["name"], "weather");
    let arguments = message["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(arguments).unwrap(), json!({ "city": "sample", "unit": "celsius" }));

    let result = json!({ "role": "tool", "tool_call_id": "call_sandbox_0", "content": "17 degrees" });
    let messages = json!([offered["messages"][0], message, result]);
    let answer = chat(with(offered, json!({ "messages": messages }))).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "The tool said: 17 degrees");
}

#[tokio::test]
async fn the_tool_choice_decides_what_is_called() {
    let other = json!({ "type": "function", "function": { "name": "other" } });
    let offered = with(hello("echo"), json!({ "tools": [weather_tool(), other] }));
    let called = async |more: Value| {
        let answer = chat(with(offered.clone(), more)).await;
        let calls = answer["choices"][0]["message"]["tool_calls"].as_array().cloned().unwrap_or_default();
        calls.iter().map(|call| call["function"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(called(json!({})).await, ["weather"]);
    assert!(called(json!({ "tool_choice": "none" })).await.is_empty());
    assert_eq!(called(json!({ "tool_choice": "required" })).await, ["weather"]);
    let named = json!({ "type": "function", "function": { "name": "other" } });
    assert_eq!(called(json!({ "tool_choice": named })).await, ["other"]);
    assert_eq!(called(json!({ "parallel_tool_calls": true })).await, ["weather", "other"]);
}

#[tokio::test]
async fn a_tool_choice_that_cannot_be_met_is_the_clients_mistake() {
    let named = json!({ "type": "function", "function": { "name": "nobody" } });
    for choice in [json!("required"), named, json!("sometimes")] {
        let response = post("/chat/completions", &with(hello("echo"), json!({ "tool_choice": choice }))).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{choice}");
    }
}

#[tokio::test]
async fn a_json_answer_is_json() {
    let answer = chat(with(hello("echo"), json!({ "response_format": { "type": "json_object" } }))).await;
    let content = answer["choices"][0]["message"]["content"].as_str().unwrap();
    let content: Value = serde_json::from_str(content).unwrap();
    assert_eq!(content, json!({ "answer": "The sandbox heard: hello, house" }));
}

#[tokio::test]
async fn filler_has_as_many_words_as_the_model_is_called() {
    let answer = chat(hello("lorem-7")).await;
    let content = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(content.split(' ').count(), 7);
}

#[tokio::test]
async fn embeddings_depend_on_the_input_alone_and_both_encodings_agree() {
    let embed = async |more: Value| -> Value {
        let body = with(json!({ "model": "embedding" }), more);
        serde_json::from_slice(&bytes_of(post("/embeddings", &body).await).await).unwrap()
    };
    let both = embed(json!({ "input": ["cat", "dog"], "dimensions": 3 })).await;
    let alone = embed(json!({ "input": "dog", "dimensions": 3 })).await;
    assert_eq!(both["data"][1]["embedding"], alone["data"][0]["embedding"]);
    assert_ne!(both["data"][0]["embedding"], both["data"][1]["embedding"]);
    assert_eq!(both["usage"], json!({ "prompt_tokens": 2, "total_tokens": 2 }));
    assert_eq!(embed(json!({ "input": [1, 2, 3] })).await["usage"]["prompt_tokens"], 3);
    assert_eq!(embed(json!({ "input": "cat" })).await["data"][0]["embedding"].as_array().unwrap().len(), 256);

    let encoded = embed(json!({ "input": "dog", "dimensions": 3, "encoding_format": "base64" })).await;
    // Twelve bytes are sixteen letters, without padding.
    assert_eq!(encoded["data"][0]["embedding"].as_str().unwrap().trim_end_matches('=').len(), 16);
}

#[tokio::test]
async fn a_legacy_completion_answers_each_prompt() {
    let body = json!({ "model": "echo", "prompt": ["one", "two"], "stream": true });
    let (text, fault) = until_end(post("/completions", &body).await.into_body()).await;
    assert_eq!(fault, None);
    let said = |index: u64| -> String {
        let events = events(&text);
        let choices = events.iter().map(|event| event["choices"][0].clone()).filter(|choice| choice["index"] == index);
        choices.map(|choice| choice["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((said(0).as_str(), said(1).as_str()), ("The sandbox heard: one", "The sandbox heard: two"));
}

#[tokio::test]
async fn the_list_of_models_names_them_all() {
    let request = Request::builder().uri("/models").body(Bytes::new()).unwrap();
    let list: Value = serde_json::from_slice(&bytes_of(respond(request).await.unwrap()).await).unwrap();
    assert_eq!(list["data"].as_array().unwrap().len(), MODELS.len());
}
