//! Clients that have functions in OpenAI's older way.

use std::rc::Rc;

use bytes::BytesMut;
use gw_core::RequestId;
use gw_core::chat::{Candidate, ChatAnswer, ChatRequest, Finish, FinishReason, Part, ToolCall, ToolInput};
use serde_json::{Value, json};

use super::OpenAiChat;
use crate::chat::{Asked, Ingress, RequestLine};

#[test]
fn who_declares_functions_wants_to_be_told_in_their_way() {
    let is_older = |members: &str| {
        let body = format!(r#"{{"model":"m","messages":[]{members}}}"#);
        OpenAiChat.decode_request(&RequestLine::default(), body.as_bytes()).unwrap().older_functions
    };
    assert!(is_older(r#","functions":[{"name":"f"}]"#));
    assert!(!is_older(r#","tools":[{"type":"function","function":{"name":"f"}}]"#));
    assert!(!is_older(r#","functions":[{"name":"f"}],"tools":[{"type":"function","function":{"name":"g"}}]"#));
    assert!(!is_older(""));
}

#[test]
fn a_client_with_functions_in_the_older_way_is_told_of_calls_in_that_way() {
    // pitfalls A11
    let request = ChatRequest { older_functions: true, stream: true, ..ChatRequest::default() };
    let asked = || Asked { request: Rc::new(request.clone()), request_id: RequestId::from_u128(7), now_s: 0 };
    let call = |id: &str, json: &str| {
        let input = ToolInput::Json(json.to_owned());
        Part::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), input, ..ToolCall::default() })
    };
    let finish = Finish::new(FinishReason::ToolCalls, "tool_calls");
    let parts = vec![call("1", "{\"a\":1}"), call("2", "{}")];
    let answer = ChatAnswer { candidates: vec![Candidate { parts, finish, logprobs: None }], ..ChatAnswer::default() };
    let whole: Value = serde_json::from_slice(&OpenAiChat.encode_answer(&answer, &asked())).unwrap();
    let choice = &whole["choices"][0];
    assert_eq!(choice["message"]["function_call"], json!({"name": "f", "arguments": "{\"a\":1}"}));
    assert_eq!((choice["message"].get("tool_calls"), &choice["finish_reason"]), (None, &json!("function_call")));

    let mut encoder = OpenAiChat.encoder(asked());
    let mut out = BytesMut::new();
    answer.into_events().iter().for_each(|event| encoder.encode(event, &mut out));
    encoder.end(&mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert!(text.contains(r#""function_call":{"name":"f","arguments":""}"#), "{text}");
    assert!(text.contains(r#""function_call":{"arguments":"{\"a\":1}"}"#), "{text}");
    assert!(text.contains(r#""finish_reason":"function_call""#) && !text.contains("tool_calls"), "{text}");
}
