//! What must hold of all dialects of embeddings.

use gw_core::RequestId;
use http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::chat::{RequestLine, Target};

const LINE: RequestLine<'_> = RequestLine { model: Some("m"), stream: None, headers: None };

fn openai() -> &'static dyn Ingress<Embed> {
    Embed::ingress(DialectId::OpenAiEmbeddings).unwrap()
}

fn asked(body: &Value) -> EmbedRequest {
    openai().decode_request(&LINE, body.to_string().as_bytes()).unwrap()
}

fn sent(dialect: DialectId, model: &str, request: &EmbedRequest) -> Vec<Value> {
    let target = Target { model, provider: "p", stream: false };
    let said = Embed::egress(dialect).unwrap().encode_request(request, &target).unwrap();
    said.calls.iter().map(|call| serde_json::from_slice(&call.body).unwrap()).collect()
}

fn came(dialect: DialectId, body: &Value) -> Result<EmbedAnswer, Error> {
    let body = body.to_string();
    let headers = HeaderMap::new();
    let reply = Reply { headers: &headers, body: body.as_bytes(), provider: "p", model: "m" };
    Embed::egress(dialect).unwrap().decode_answer(&reply, &EmbedRequest::default())
}

fn told(answer: &EmbedAnswer, request: &EmbedRequest) -> Value {
    serde_json::from_slice(&openai().encode_answer(answer, request, RequestId::from_u128(1)).unwrap()).unwrap()
}

#[test]
fn more_inputs_than_one_call_takes_become_several_whose_vectors_stay_in_order() {
    let texts: Vec<_> = (0..200).map(|n| format!("text {n}")).collect();
    let request = asked(&json!({"model": "m", "input": texts}));
    let calls = sent(DialectId::CohereEmbed, "m", &request);
    let sizes: Vec<_> = calls.iter().map(|call| call["texts"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [96, 96, 8]);
    assert_eq!(calls[1]["texts"][0], "text 96");

    let mut next = 0;
    let answers = sizes.iter().map(|size| {
        let vectors: Vec<_> = (next..next + size).map(|n| json!([n])).collect();
        next += size;
        came(
            DialectId::CohereEmbed,
            &json!({"embeddings": {"float": vectors}, "meta": {"billed_units": {"input_tokens": size}}}),
        )
    });
    let whole = Embed::join(&request, answers.collect::<Result<_, _>>().unwrap()).unwrap();
    assert_eq!(whole.usage.unwrap().input_tokens, 200);
    let told = told(&whole, &request);
    assert!((0..200).all(|n| told["data"][n]["embedding"] == json!([n]) && told["data"][n]["index"] == n));
    assert_eq!(told["usage"], json!({"prompt_tokens": 200, "total_tokens": 200}));
}

#[test]
fn titan_takes_one_text_at_a_time_and_no_more_than_a_hundred() {
    let many = |count: usize| asked(&json!({"model": "m", "input": vec!["a"; count], "dimensions": 256}));
    let calls = sent(DialectId::BedrockEmbed, "amazon.titan-embed-text-v2:0", &many(3));
    assert_eq!(calls, vec![json!({"inputText": "a", "dimensions": 256}); 3]);
    let target = Target { model: "amazon.titan-embed-text-v2:0", provider: "p", stream: false };
    let refused = Embed::egress(DialectId::BedrockEmbed).unwrap().encode_request(&many(101), &target).unwrap_err();
    assert_eq!((refused.code, refused.param), (ErrorCode::UnsupportedParameter, Some("input")));
}

#[test]
fn fewer_vectors_than_inputs_are_no_answer() {
    let request = asked(&json!({"model": "m", "input": ["a", "b"]}));
    let one = came(DialectId::OllamaEmbed, &json!({"embeddings": [[1]]})).unwrap();
    assert!(Embed::join(&request, vec![one.clone()]).is_err());
    assert!(Embed::join(&request, vec![one.clone(), one.clone()]).is_ok());
    assert!(Embed::join(&request, vec![one.clone(), one.clone(), one]).is_err());
    assert!(Embed::join(&request, vec![]).is_err());
}

#[test]
fn vectors_stand_in_the_order_of_their_places_and_each_place_once() {
    let datum = |index: usize| json!({"index": index, "embedding": [index]});
    let request = asked(&json!({"model": "m", "input": ["a", "b"], "encoding_format": "base64"}));
    let answer = came(DialectId::OpenAiEmbeddings, &json!({"data": [datum(1), datum(0)]})).unwrap();
    // 0.0 and 1.0 as little-endian floats.
    assert_eq!(told(&answer, &request)["data"][0]["embedding"], "AAAAAA==");
    assert_eq!(told(&answer, &request)["data"][1]["embedding"], "AACAPw==");
    for places in [[0, 0], [1, 2]] {
        let data = places.map(datum);
        assert!(came(DialectId::OpenAiEmbeddings, &json!({"data": data})).is_err(), "{places:?}");
    }
}

#[test]
fn an_error_under_a_status_of_success_is_told_as_one() {
    for (dialect, _) in Embed::EGRESSES {
        let error = came(*dialect, &json!({"error": {"message": "no such model"}})).unwrap_err();
        assert_eq!(error.code, ErrorCode::ProviderFailed, "{dialect:?}");
        assert!(error.message.contains("no such model"), "{dialect:?}: {error}");
    }
}

#[test]
fn what_cannot_be_a_request_is_refused_by_the_name_of_the_parameter() {
    for (body, param) in [
        (json!({"model": "m"}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": [1, "a"]}), "input"),
        (json!({"input": [[1.5]]}), "input"),
        (json!({"input": "a", "dimensions": 0}), "dimensions"),
        (json!({"input": "a", "encoding_format": "hex"}), "encoding_format"),
    ] {
        let error = openai().decode_request(&LINE, body.to_string().as_bytes()).unwrap_err();
        assert_eq!((error.code, error.param), (ErrorCode::InvalidRequest, Some(param)), "{body}");
    }
}

#[test]
fn contents_that_ask_for_different_things_are_not_taken_together() {
    let batch = Embed::ingress(DialectId::GeminiBatchEmbed).unwrap();
    let entry = |task: &str| json!({"content": {"parts": [{"text": "a"}]}, "taskType": task});
    let decoded = |tasks: [&str; 2]| {
        let body = json!({"requests": tasks.map(entry)}).to_string();
        batch.decode_request(&LINE, body.as_bytes())
    };
    assert_eq!(decoded(["CLUSTERING", "CLUSTERING"]).unwrap().inputs.len(), 2);
    assert_eq!(decoded(["CLUSTERING", "CLASSIFICATION"]).unwrap_err().param, Some("requests"));
}

/// JSON with the names that dialects look for.
fn odd_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(|float| json!(float)),
        "[a-zA-Z0-9+/= ]{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["base64", "int8", "search_query", "NONE", "data:image/png;base64,AA=="])
            .prop_map(Value::from),
    ];
    let names = prop::sample::select(vec![
        "model",
        "input",
        "texts",
        "images",
        "inputs",
        "content",
        "parts",
        "text",
        "requests",
        "embedding",
        "embeddings",
        "data",
        "values",
        "index",
        "float",
        "int8",
        "input_type",
        "embedding_types",
        "truncate",
        "usage",
        "meta",
        "billed_units",
        "input_tokens",
        "image_url",
        "url",
        "inlineData",
        "mimeType",
        "taskType",
        "query",
        "documents",
        "results",
        "relevance_score",
        "top_n",
        "top_k",
        "return_documents",
    ]);
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..6)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

fn never_panics<O: Unary>(body: &[u8]) {
    let headers = HeaderMap::new();
    for model in ["m", "amazon.titan-embed-image-v1", "cohere.embed-v4:0"] {
        let target = Target { model, provider: "p", stream: false };
        let reply = Reply { headers: &headers, body, provider: "p", model };
        for (_, ingress) in O::INGRESSES {
            let Ok(request) = ingress.decode_request(&LINE, body) else { continue };
            for (_, egress) in O::EGRESSES {
                if let Ok(said) = egress.encode_request(&request, &target) {
                    assert!(said.calls.iter().all(|call| serde_json::from_slice::<Value>(&call.body).is_ok()));
                    assert!(!said.calls.is_empty());
                }
            }
        }
        for (_, egress) in O::EGRESSES {
            let Ok(answer) = egress.decode_answer(&reply, &O::Request::default()) else { continue };
            for (_, ingress) in O::INGRESSES {
                if let Ok(told) = ingress.encode_answer(&answer, &O::Request::default(), RequestId::from_u128(1)) {
                    assert!(serde_json::from_slice::<Value>(&told).is_ok());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn no_json_makes_a_dialect_panic_or_write_what_is_none(body in odd_json()) {
        never_panics::<Embed>(body.to_string().as_bytes());
        never_panics::<crate::rerank::Rerank>(body.to_string().as_bytes());
    }

    #[test]
    fn no_bytes_make_a_dialect_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        never_panics::<Embed>(&body);
        never_panics::<crate::rerank::Rerank>(&body);
    }
}
