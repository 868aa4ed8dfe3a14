//! Providers that serve other vendors' models in those vendors' formats: what is in the envelope stays as it was written,
//! what is on it is the provider's. The scripted providers look at requests as the vendors do.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, PROVIDER_KEY, Recorded, Upstream, config, http_answer};
use crate::translated::{Format, HELLO, ok};
use crate::translated_fixtures::{fixture, frame};

const CLAUDE_ON_BEDROCK: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const CLAUDE_ON_VERTEX: &str = "claude-sonnet-4-5@20250929";
const VERTEX: &str = "/v1/projects/p-1/locations/us-east5";

/// A gateway with one provider, called `cloud`.
struct Cloud {
    gateway: Gateway,
    upstream: Upstream,
}

impl Cloud {
    async fn start(kind: &str, upstream: Upstream) -> Self {
        Self::configured(kind, upstream, "").await
    }

    async fn configured(kind: &str, upstream: Upstream, more: &str) -> Self {
        let (address, variables) = (upstream.address, "{ project: p-1, region: us-east5 }");
        let variables = if kind == "vertex" { format!(", variables: {variables}") } else { String::new() };
        let provider = format!(
            "providers:\n  - {{ name: cloud, type: {kind}, endpoint: \"http://{address}\", api_key: {PROVIDER_KEY}, \
             proxy: direct{variables} }}\n{more}"
        );
        Self { gateway: Gateway::start(&config(&provider)).await, upstream }
    }

    async fn ask(&self, format: Format, model: &str, stream: bool) -> Answer {
        let model = format!("cloud/{model}");
        let body = format.body(&model, stream, "Say hello.").to_string();
        self.gateway.post(&format.path(&model, stream), body).await
    }

    async fn assert_recorded(&self, answer: &Answer) {
        let record = self.gateway.record(answer.request_id()).await;
        assert_eq!(
            (&record["outcome"], &record["input_tokens"], &record["output_tokens"]),
            (&"completed".into(), &20.into(), &10.into()),
            "{record}"
        );
    }
}

/// Answers as Claude does, wherever it is: refuses what the places refuse.
async fn claude() -> Upstream {
    Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            match complaint(&request) {
                Some(complaint) => {
                    let body = json!({"message": complaint}).to_string();
                    peer.send(http_answer(400, &[("content-type", "application/json")], body)).await;
                }
                None if request.head.first_line.contains("invoke-with-response-stream") => {
                    peer.send(framed(&fixture("anthropic_messages/streams/text.sse"))).await;
                }
                None if request.json()["stream"] == true => {
                    let events = fixture("anthropic_messages/streams/text.sse");
                    peer.send(http_answer(200, &[("content-type", "text/event-stream")], events)).await;
                }
                None => drop(peer.send(ok(&fixture("anthropic_messages/answers/text.json"))).await),
            }
        }
    })
    .await
}

/// What Vertex AI or Bedrock would refuse.
fn complaint(request: &Recorded) -> Option<String> {
    let (line, body) = (&request.head.first_line, request.json());
    let is_bedrock = line.starts_with("POST /model/");
    let version = if is_bedrock { "bedrock-2023-05-31" } else { "vertex-2023-10-16" };
    if body["anthropic_version"] != version {
        return Some(format!("anthropic_version: {}", body["anthropic_version"]));
    }
    if request.head.get("anthropic-version").is_some() {
        return Some("anthropic-version: a header of another place".to_owned());
    }
    let extra: &[&str] = if is_bedrock { &["model", "stream"] } else { &["model"] };
    let extra = extra.iter().find(|name| body.get(**name).is_some());
    if let Some(extra) = extra.filter(|_| !line.contains("count-tokens")) {
        return Some(format!("{extra}: Extra inputs are not permitted"));
    }
    if is_bedrock && request.text().contains(r#""type":"url""#) {
        return Some("source.type: url is not supported".to_owned());
    }
    (!is_bedrock && line.contains(":stream") && body["stream"] != true).then(|| "stream is missing".to_owned())
}

/// A stream of Anthropic's in Amazon's frames.
fn framed(events: &str) -> Vec<u8> {
    let data = events.lines().filter_map(|line| line.strip_prefix("data: "));
    let frames: Vec<u8> = data.flat_map(chunk).collect();
    http_answer(200, &[("content-type", "application/vnd.amazon.eventstream")], frames)
}

fn chunk(json: &str) -> Vec<u8> {
    frame("chunk", &json!({"bytes": BASE64_STANDARD.encode(json), "p": "abcdefg"}))
}

const HEADERS: [(&str, &str); 2] = [("anthropic-version", "2023-06-01"), ("anthropic-beta", "a-1,b-2")];

/// A request that only goes through if nobody reads it.
fn odd(model: &str, stream: bool) -> String {
    format!(
        "{{\"model\":\"cloud/{model}\", \"max_tokens\" : 1e2, \"stream\":{stream}, \"x\":{{\"big\":12345678901234567890123}},\
         \"messages\":[ {{\"role\":\"user\",\"content\":\"h\\u00e9llo\"}} ] }}\n"
    )
}

#[tokio::test]
async fn claude_on_vertex_gets_its_clients_requests_byte_for_byte_but_for_the_envelope() {
    let cloud = Cloud::start("vertex", claude().await).await;
    for stream in [false, true] {
        let body = odd(CLAUDE_ON_VERTEX, stream);
        let answer = cloud.gateway.post_with("/v1/messages", &HEADERS, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let request = cloud.upstream.requests().pop().unwrap();
        let rest = body.split_once(", ").unwrap().1;
        assert_eq!(request.text(), format!("{{\"anthropic_version\":\"vertex-2023-10-16\",{rest}"));
        let verb = if stream { "streamRawPredict" } else { "rawPredict" };
        let path = format!("{VERTEX}/publishers/anthropic/models/{CLAUDE_ON_VERTEX}:{verb}");
        assert_eq!(request.head.first_line, format!("POST {path} HTTP/1.1"));
        assert_eq!(request.head.get("anthropic-beta"), Some("a-1,b-2"));
        assert_eq!(request.head.get("x-goog-api-key"), Some(PROVIDER_KEY));
        let file = if stream { "streams/text.sse" } else { "answers/text.json" };
        assert_eq!(answer.text(), fixture(&format!("anthropic_messages/{file}")));
        cloud.assert_recorded(&answer).await;
    }
}

#[tokio::test]
async fn claude_on_bedrock_gets_its_clients_requests_and_its_frames_become_events() {
    let cloud = Cloud::start("bedrock", claude().await).await;
    for stream in [false, true] {
        let body = odd(CLAUDE_ON_BEDROCK, stream);
        let answer = cloud.gateway.post_with("/v1/messages", &HEADERS, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let request = cloud.upstream.requests().pop().unwrap();
        let verb = if stream { "invoke-with-response-stream" } else { "invoke" };
        let model = CLAUDE_ON_BEDROCK.replace(':', "%3A");
        assert_eq!(request.head.first_line, format!("POST /model/{model}/{verb} HTTP/1.1"));
        let rest = body.split_once("\"x\":").unwrap().1;
        assert!(request.text().ends_with(&format!("\"max_tokens\" : 1e2, \"x\":{rest}")), "{}", request.text());
        assert_eq!(request.json()["anthropic_beta"], json!(["a-1", "b-2"]));
        assert_eq!(request.head.get("anthropic-beta"), None);
        let file = if stream { "streams/text.sse" } else { "answers/text.json" };
        assert_eq!(answer.text(), fixture(&format!("anthropic_messages/{file}")));
        let media_type = if stream { "text/event-stream" } else { "application/json" };
        assert_eq!(answer.header("content-type"), Some(media_type));
        cloud.assert_recorded(&answer).await;
    }
}

#[tokio::test]
async fn everybody_is_answered_by_claude_on_vertex() {
    let cloud = Cloud::start("vertex", claude().await).await;
    for format in [Format::Chat, Format::Responses, Format::Gemini] {
        for stream in [false, true] {
            let answer = cloud.ask(format, CLAUDE_ON_VERTEX, stream).await;
            assert_eq!(answer.status, 200, "{format:?}: {}", answer.text());
            let said = if stream { format.read_stream(answer.text()) } else { format.read(&answer.json()) };
            assert_eq!(said, format.whole(HELLO), "{format:?}");
            cloud.assert_recorded(&answer).await;
        }
    }
}

#[tokio::test]
async fn clients_of_other_formats_get_claude_on_bedrock_in_converse() {
    let cloud =
        Cloud::start("bedrock", Upstream::always(ok(&fixture("bedrock_converse/answers/text.json"))).await).await;
    for format in [Format::Chat, Format::Responses, Format::Gemini] {
        let answer = cloud.ask(format, CLAUDE_ON_BEDROCK, false).await;
        assert_eq!(format.read(&answer.json()), format.whole(HELLO), "{format:?}");
        let request = cloud.upstream.requests().pop().unwrap();
        assert!(request.head.first_line.ends_with("/converse HTTP/1.1"), "{}", request.head.first_line);
    }
}

#[tokio::test]
async fn an_image_at_an_address_is_fetched_for_bedrock() {
    let image = http_answer(200, &[("content-type", "image/png")], b"\x89PNG\r\n\x1a\n-");
    let images = Upstream::always(image).await;
    let allowed = "translation: { media: { allow: [\"127.0.0.0/8\"] } }\n";
    let cloud = Cloud::configured("bedrock", claude().await, allowed).await;
    let source = json!({"type": "url", "url": format!("http://{}/a.png", images.address)});
    for stream in [false, true] {
        let content = json!([{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]);
        let mut body = Format::Messages.body(&format!("cloud/{CLAUDE_ON_BEDROCK}"), stream, "");
        body["messages"][0]["content"] = content;
        let answer = cloud.gateway.post("/v1/messages", body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let said = match stream {
            true => Format::Messages.read_stream(answer.text()),
            false => Format::Messages.read(&answer.json()),
        };
        assert_eq!(said, Format::Messages.whole(HELLO));
        let source = &cloud.upstream.requests().pop().unwrap().json()["messages"][0]["content"][0]["source"];
        assert_eq!(source, &json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgot"}));
        cloud.assert_recorded(&answer).await;
    }
}

#[tokio::test]
async fn frames_in_writes_of_one_byte_say_the_same() {
    let upstream = Upstream::start(|mut peer| async move {
        let Some(_) = peer.request().await else { return };
        for byte in framed(&fixture("anthropic_messages/streams/text.sse")) {
            peer.send([byte]).await;
        }
    })
    .await;
    let cloud = Cloud::start("bedrock", upstream).await;
    let answer = cloud.ask(Format::Messages, CLAUDE_ON_BEDROCK, true).await;
    assert_eq!(answer.text(), fixture("anthropic_messages/streams/text.sse"));
}

#[tokio::test]
async fn a_stream_of_frames_that_fails_or_breaks_off_ends_in_the_clients_own_error() {
    let events = fixture("anthropic_messages/streams/text.sse");
    let begun: Vec<u8> =
        events.lines().filter_map(|line| line.strip_prefix("data: ")).take(4).flat_map(chunk).collect();
    // Our own writer makes no exceptions: the fixture of Converse has one as Amazon frames it.
    let converse = crate::translated_fixtures::stream_fixture("bedrock_converse", "broken-throttled");
    let exception = converse[last_frame(&converse)..].to_vec();
    for (end, code) in [(exception, "provider_rate_limited"), (Vec::new(), "provider_stream_interrupted")] {
        let body = [begun.clone(), end].concat();
        let stream = http_answer(200, &[("content-type", "application/vnd.amazon.eventstream")], body);
        let cloud = Cloud::start("bedrock", Upstream::always(stream).await).await;
        let answer = cloud.ask(Format::Messages, CLAUDE_ON_BEDROCK, true).await;
        assert!(answer.text().contains("Hel"), "{}", answer.text());
        Format::Messages.stream_error(answer.text());
        let record = cloud.gateway.record(answer.request_id()).await;
        assert_eq!((&record["outcome"], &record["error"]), (&"failed".into(), &code.into()), "{record}");
    }
}

/// Where the last frame begins.
fn last_frame(stream: &[u8]) -> usize {
    let mut place = 0;
    while let Some(length) = stream[place..].first_chunk::<4>() {
        let next = place + u32::from_be_bytes(*length) as usize;
        if next >= stream.len() {
            break;
        }
        place = next;
    }
    place
}

#[tokio::test]
async fn a_refusal_of_bedrocks_is_told_in_anthropics_words() {
    let headers = [("content-type", "application/json"), ("x-amzn-errortype", "ThrottlingException:http://x/")];
    let refusal = http_answer(429, &headers, r#"{"message":"Too many tokens, please wait."}"#);
    let cloud = Cloud::start("bedrock", Upstream::always(refusal).await).await;
    let answer = cloud.ask(Format::Messages, CLAUDE_ON_BEDROCK, false).await;
    assert_eq!((answer.status, Format::Messages.error_word(&answer).as_str()), (429, "rate_limit_error"));
}

#[tokio::test]
async fn googles_own_refusal_of_claude_is_told_in_anthropics_words() {
    let body = json!({"error": {"code": 404, "message": "Publisher Model was not found", "status": "NOT_FOUND"}});
    let refusal = http_answer(404, &[("content-type", "application/json")], body.to_string());
    let cloud = Cloud::start("vertex", Upstream::always(refusal).await).await;
    let answer = cloud.ask(Format::Messages, CLAUDE_ON_VERTEX, false).await;
    assert_eq!(Format::Messages.error_word(&answer), "not_found_error");
}

#[tokio::test]
async fn gemini_on_vertex_is_asked_in_its_own_format_whoever_asks() {
    let cloud = Cloud::start("vertex", Upstream::always(ok(&fixture("gemini/answers/text.json"))).await).await;
    for format in Format::ALL {
        let answer = cloud.ask(format, "gemini-2.5-flash", false).await;
        assert_eq!(format.read(&answer.json()), format.whole(HELLO), "{format:?}: {}", answer.text());
        let request = cloud.upstream.requests().pop().unwrap();
        let path = format!("{VERTEX}/publishers/google/models/gemini-2.5-flash:generateContent");
        assert_eq!(request.head.first_line, format!("POST {path} HTTP/1.1"));
        if format == Format::Gemini {
            assert_eq!(request.text(), format.body("", false, "Say hello.").to_string());
        }
    }
    cloud.ask(Format::Gemini, "google/gemini-2.5-flash", true).await;
    let line = cloud.upstream.requests().pop().unwrap().head.first_line;
    let path = format!("{VERTEX}/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
    assert_eq!(line, format!("POST {path} HTTP/1.1"));
}

#[tokio::test]
async fn other_models_on_vertex_are_asked_in_openais_format_by_their_publishers_names() {
    let cloud = Cloud::start("vertex", Upstream::always(ok(&fixture("openai_chat/answers/text.json"))).await).await;
    for format in [Format::Chat, Format::Messages] {
        let answer = cloud.ask(format, "meta/llama-4-scout-17b-16e-instruct-maas", false).await;
        assert_eq!(format.read(&answer.json()), format.whole(HELLO), "{format:?}: {}", answer.text());
        let request = cloud.upstream.requests().pop().unwrap();
        assert_eq!(request.head.first_line, format!("POST {VERTEX}/endpoints/openapi/chat/completions HTTP/1.1"));
        assert_eq!(request.json()["model"], "meta/llama-4-scout-17b-16e-instruct-maas");
    }
}

#[tokio::test]
async fn tokens_are_counted_by_vertex_and_guessed_for_bedrock() {
    let count = |model: &str| {
        json!({"model": format!("cloud/{model}"), "messages": [{"role": "user", "content": "hello"}]}).to_string()
    };
    let vertex = Cloud::start("vertex", Upstream::always(ok(r#"{"input_tokens":7}"#)).await).await;
    let answer = vertex.gateway.post("/v1/messages/count_tokens", count(CLAUDE_ON_VERTEX)).await;
    assert_eq!(answer.json(), json!({"input_tokens": 7}));
    let request = vertex.upstream.only_request();
    let path = format!("{VERTEX}/publishers/anthropic/models/count-tokens:rawPredict");
    assert_eq!(request.head.first_line, format!("POST {path} HTTP/1.1"));
    let body = request.json();
    assert_eq!((&body["model"], &body["anthropic_version"]), (&CLAUDE_ON_VERTEX.into(), &"vertex-2023-10-16".into()));

    let bedrock = Cloud::start("bedrock", Upstream::always(ok("{}")).await).await;
    let answer = bedrock.gateway.post("/v1/messages/count_tokens", count(CLAUDE_ON_BEDROCK)).await;
    assert!(answer.json()["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{}", answer.text());
    assert_eq!(bedrock.upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_name_that_would_lead_elsewhere_stays_one_name() {
    let cloud = Cloud::start("vertex", claude().await).await;
    for model in ["claude-../../x", "claude-x?y=1", "claude-x/../y", "claude-x:predict"] {
        let body: Value = Format::Messages.body(&format!("cloud/{model}"), false, "x");
        let answer = cloud.gateway.post("/v1/messages", body.to_string()).await;
        assert_eq!(answer.status, 200, "{model}: {}", answer.text());
        let line = cloud.upstream.requests().pop().unwrap().head.first_line;
        let rest = line.strip_prefix(&format!("POST {VERTEX}/publishers/anthropic/models/")).unwrap();
        assert!(!rest.contains(['/', '?']) || rest.ends_with(":rawPredict HTTP/1.1"), "{line}");
        assert_eq!(rest.matches('/').count(), 1, "{line}");
    }
}
