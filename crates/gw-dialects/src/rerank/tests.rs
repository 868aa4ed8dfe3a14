//! What must hold of all dialects of reranking.

use gw_core::{ErrorCode, RequestId};
use http::HeaderMap;
use serde_json::{Value, json};

use super::*;
use crate::chat::{RequestLine, Target};
use crate::unary::Reply;

fn asked(body: &Value) -> RerankRequest {
    let ingress = Rerank::ingress(DialectId::JinaRerank).unwrap();
    ingress.decode_request(&RequestLine::default(), body.to_string().as_bytes()).unwrap()
}

fn came(dialect: DialectId, body: &Value) -> Result<RerankAnswer, gw_core::Error> {
    let (headers, body) = (HeaderMap::new(), body.to_string());
    let reply = Reply { headers: &headers, body: body.as_bytes(), provider: "p", model: "m" };
    Rerank::egress(dialect).unwrap().decode_answer(&reply, &RerankRequest::default())
}

#[test]
fn the_best_come_first_with_their_scores_as_they_were_written_and_the_documents_if_wanted() {
    let request = asked(&json!({
        "query": "q", "documents": ["a", {"text": "b", "id": 7}], "top_k": 2, "return_documents": true
    }));
    assert_eq!(request.top_n, Some(2));
    let answer = Rerank::egress(DialectId::CohereRerank).unwrap();
    let body =
        br#"{"results":[{"index":1,"relevance_score":0.10000000000000000555},{"index":0,"relevance_score":1e-9}]}"#;
    let headers = HeaderMap::new();
    let reply = Reply { headers: &headers, body, provider: "p", model: "m" };
    let answer = Rerank::join(&request, vec![answer.decode_answer(&reply, &request).unwrap()]).unwrap();
    let ingress = Rerank::ingress(DialectId::JinaRerank).unwrap();
    let told = ingress.encode_answer(&answer, &request, RequestId::from_u128(1)).unwrap();
    let told = std::str::from_utf8(&told).unwrap();
    let expected = r#"[{"index":1,"relevance_score":0.10000000000000000555,"document":{"text":"b","id":7}},{"index":0,"relevance_score":1e-9,"document":{"text":"a"}}]"#;
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_place_that_was_not_given_or_stands_twice_is_no_answer() {
    let request = asked(&json!({"query": "q", "documents": ["a", "b"]}));
    let answer = |places: &[usize]| {
        let results: Vec<_> = places.iter().map(|index| json!({"index": index, "relevance_score": 0.5})).collect();
        Rerank::join(&request, vec![came(DialectId::JinaRerank, &json!({"results": results})).unwrap()])
    };
    assert!(answer(&[1, 0]).is_ok());
    assert!(answer(&[1]).is_ok());
    assert!(answer(&[2]).is_err());
    assert!(answer(&[0, 0]).is_err());
}

#[test]
fn search_units_and_tokens_are_counted_wherever_they_are_told() {
    let used = |body: Value| {
        came(DialectId::JinaRerank, &body).unwrap().usage.map(|usage| (usage.search_units, usage.input_tokens))
    };
    assert_eq!(used(json!({"results": [], "meta": {"billed_units": {"search_units": 3}}})), Some((3, 0)));
    assert_eq!(used(json!({"results": [], "usage": {"total_tokens": 9}})), Some((0, 9)));
    assert_eq!(used(json!({"results": []})), None);
}

#[test]
fn a_score_that_is_no_number_is_no_answer() {
    let body = json!({"results": [{"index": 0, "relevance_score": "high"}]});
    assert_eq!(came(DialectId::CohereRerank, &body).unwrap_err().code, ErrorCode::ProviderInvalidResponse);
}

#[test]
fn no_more_documents_are_wanted_than_there_are() {
    let request = asked(&json!({"query": "q", "documents": ["a", "b"], "top_n": 10}));
    let target = Target { model: "cohere.rerank-v3-5:0", provider: "p", stream: false };
    let said = Rerank::egress(DialectId::BedrockRerank).unwrap().encode_request(&request, &target).unwrap();
    let call = said.calls.first().unwrap();
    assert_eq!(call.path, "/model/cohere.rerank-v3-5%3A0/invoke");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body, json!({"query": "q", "documents": ["a", "b"], "api_version": 2, "top_n": 2}));
}
