//! The signatures are botocore's (1.44) for the same requests, keys and time.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::Method;

use super::*;

fn signed(method: Method, path: &str, pieces: &[&'static str], session_token: Option<&str>) -> Request<RequestBody> {
    let mut request = Request::new(RequestBody::held(pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes()))));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.headers_mut().insert("traceparent", HeaderValue::from_static("00-1-2-01"));
    let keys = Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", session_token);
    let scope = Scope { region: "us-east-1".to_owned(), service: "bedrock".to_owned() };
    let host = HeaderValue::from_static("bedrock-runtime.us-east-1.amazonaws.com");
    sign(&mut request, &host, &keys, &scope, UNIX_EPOCH + Duration::from_secs(1_440_938_160));
    request
}

fn signature(request: &Request<RequestBody>) -> String {
    let value = request.headers()[header::AUTHORIZATION].to_str().unwrap();
    value.rsplit('=').next().unwrap().to_owned()
}

#[test]
fn signatures_are_those_of_amazons_own_tools() {
    let post = |path: &str, body, token| signature(&signed(Method::POST, path, body, token));
    assert_eq!(
        post("/model/anthropic.claude-sonnet-4-5-v1%3A0/converse", &["{\"messages\"", ":[]}"], None),
        "a065ceb903ee72cf68e4de3e8e31b146c2ef28043baa68822f4622c3ce55db93"
    );
    assert_eq!(
        post("/model/anthropic.claude-sonnet-4-5-v1:0/converse-stream", &["{}"], Some("session/token+=")),
        "38cc9958ba9cceadb148ca12bc63e6ced7b49fab9de7de8158c5173b403e28f9"
    );
    assert_eq!(
        post("/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123%3Ainference-profile%2Fx/converse", &[], None),
        "1656ffa887916ad0dd823056d0f783ba72a756f165c95608cab2c5dae02c783d"
    );
    let odd = signed(Method::GET, "//a/./b/../c%20d~e/?b=2&a=x%2Fy&a=1&c", &[], None);
    assert_eq!(signature(&odd), "dcb986898486c0dead0f2e1e06f08fe44b94003ee18e25784acd797666f60d41");
}

#[test]
fn a_request_that_is_signed_again_is_signed_as_if_for_the_first_time() {
    let mut request = signed(Method::POST, "/model/m/converse", &["{}"], Some("old"));
    let first = signature(&signed(Method::POST, "/model/m/converse", &["{}"], None));
    let keys = Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None);
    let scope = Scope { region: "us-east-1".to_owned(), service: "bedrock".to_owned() };
    let host = HeaderValue::from_static("bedrock-runtime.us-east-1.amazonaws.com");
    sign(&mut request, &host, &keys, &scope, UNIX_EPOCH + Duration::from_secs(1_440_938_160));
    assert_eq!(signature(&request), first);
    assert!(!request.headers().contains_key(AMZ_SECURITY_TOKEN));
}

#[test]
fn what_is_secret_is_marked_as_sensitive() {
    let request = signed(Method::POST, "/", &[], Some("token"));
    for name in [header::AUTHORIZATION, AMZ_SECURITY_TOKEN] {
        assert!(request.headers()[&name].is_sensitive(), "{name}");
    }
}
