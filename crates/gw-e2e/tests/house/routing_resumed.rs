//! Streams that break off after a part of them was forwarded, and that another provider goes on with.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, Peer, Upstream, config, event_stream};
use crate::translated::{Format, events};
use crate::translated_vendors::Vendor;

pub(crate) const ON: &str = "  resume: continue_prefix\n";
const TIMEOUT: &str = "timeout: { connect: 1s, first_byte: 1s, read: 1s, total: 15s }";
const DONE: &str = "data: [DONE]\n\n";

/// Chunks of a chat that say these texts.
pub(crate) fn saying(texts: &[&str]) -> String {
    let chunk = |text: &&str| chunk(&json!({ "content": text }), None);
    texts.iter().map(chunk).collect()
}

pub(crate) fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    format!(
        "data: {}\n\n",
        json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})
    )
}

/// The end of a chat, and what was used.
pub(crate) fn ended(output_tokens: u64) -> String {
    let usage = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage":
        {"prompt_tokens": 20, "completion_tokens": output_tokens, "total_tokens": 20 + output_tokens}});
    format!("{}data: {usage}\n\n{DONE}", chunk(&json!({}), Some("stop")))
}

/// Answers every request with these bytes behind the head of a stream, and then does what `fault` says.
pub(crate) async fn breaking<S, F>(bytes: impl AsRef<[u8]>, fault: S) -> Upstream
where
    S: Fn(Peer) -> F + Send + Sync + Copy + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let bytes: Arc<[u8]> = Arc::from(bytes.as_ref());
    Upstream::start(move |mut peer| {
        let bytes = Arc::clone(&bytes);
        async move {
            if peer.request().await.is_some() {
                peer.send([event_stream(), &bytes].concat()).await;
                fault(peer).await;
            }
        }
    })
    .await
}

pub(crate) async fn streaming(bytes: impl AsRef<[u8]>) -> Upstream {
    breaking(bytes, |peer| async move { drop(peer) }).await
}

/// Answers the first request with the first of these streams, and so on; the last one from then on.
async fn in_turn(streams: Vec<String>) -> Upstream {
    let count = Arc::new(AtomicUsize::new(0));
    Upstream::start(move |mut peer| {
        let (streams, count) = (streams.clone(), Arc::clone(&count));
        async move {
            if peer.request().await.is_some() {
                let at = count.fetch_add(1, Relaxed).min(streams.len() - 1);
                peer.send([event_stream(), streams[at].as_bytes()].concat()).await;
            }
        }
    })
    .await
}

pub(crate) fn compatible(name: &str, upstream: &Upstream, can: &str) -> String {
    Vendor::Compatible.entry(name, upstream.address, &format!(", {TIMEOUT}, models: [{{ name: m, can: [{can}] }}]"))
}

/// Providers of the model `m`, which can all go on with a text, in this order.
pub(crate) fn house(upstreams: &[&Upstream], routing: &str) -> String {
    let each = |(index, upstream): (usize, &&Upstream)| {
        compatible(&format!("p{index}"), upstream, "prefill")
            .replace(", timeout", &format!(", priority: {index}, timeout"))
    };
    let providers: String = upstreams.iter().enumerate().map(each).collect();
    config(&format!("providers:\n{providers}routing:\n  retry_attempts: 0\n{routing}"))
}

pub(crate) fn text(answer: &Answer) -> String {
    let texts = events(answer.text()).into_iter();
    texts.filter_map(|event| Some(event.pointer("/choices/0/delta/content")?.as_str()?.to_owned())).collect()
}

/// Checks that a stream is whole and one.
#[track_caller]
pub(crate) fn assert_whole(answer: &Answer, said: &str) {
    assert_eq!((answer.status, answer.is_whole), (200, true));
    assert_eq!(text(answer), said, "{}", answer.text());
    let stream = answer.text();
    assert!(stream.ends_with(DONE) && stream.matches(DONE).count() == 1, "{stream}");
    let events = events(stream);
    let count =
        |pointer: &str| events.iter().filter(|event| event.pointer(pointer).is_some_and(|is| !is.is_null())).count();
    assert_eq!(
        (count("/choices/0/delta/role"), count("/choices/0/finish_reason"), count("/error")),
        (1, 1, 0),
        "{stream}"
    );
    assert!(events.windows(2).all(|two| two[0]["id"] == two[1]["id"]), "{stream}");
}

/// Checks that a stream ended in an error, as it does where nobody goes on.
#[track_caller]
pub(crate) fn assert_broken(answer: &Answer, said: &str, code: &str) {
    assert_eq!((answer.status, text(answer).as_str()), (200, said), "{}", answer.text());
    assert_eq!(Format::Chat.stream_error(answer.text()).0, code, "{}", answer.text());
}

pub(crate) async fn ask(gateway: &Gateway, change: impl FnOnce(&mut Value)) -> Answer {
    let mut body = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "tell me"}]});
    change(&mut body);
    gateway.chat(body.to_string()).await
}

#[tokio::test]
async fn the_next_provider_goes_on_in_every_format() {
    let firsts = [Vendor::Anthropic, Vendor::Gemini, Vendor::Bedrock, Vendor::OpenAi];
    let seconds = [Vendor::Anthropic, Vendor::Gemini, Vendor::Bedrock, Vendor::Compatible];
    for (first, second) in firsts.into_iter().flat_map(|first| seconds.map(|second| (first, second))) {
        let broken = Upstream::start(move |mut peer| async move {
            let Some(request) = peer.request().await else { return };
            peer.send([first.stream_head(), first.cut_stream(&request)].concat()).await;
        })
        .await;
        let next = Upstream::start(move |mut peer| async move {
            peer.request().await;
            let rest = second.stream_of(&["lo,".to_owned(), " you".to_owned()]).concat();
            peer.send([second.stream_head(), rest].concat()).await;
        })
        .await;
        let can = format!(", {TIMEOUT}, models: [{{ name: \"{}\", can: [prefill] }}]", second.model());
        let entries = [first.entry("p0", broken.address, ""), second.entry("p1", next.address, &can)].concat();
        let target = |name: &str, vendor: Vendor| format!("{{ provider: {name}, model: \"{}\" }}", vendor.model());
        let targets = format!("[{}, {}]", target("p0", first), target("p1", second));
        let route = format!("routes:\n  - {{ name: chat, strategy: fallback, targets: {targets} }}\n");
        let gateway = Gateway::start(&config(&format!("providers:\n{entries}{route}routing:\n{ON}"))).await;
        for (asked, format) in Format::ALL.into_iter().enumerate() {
            let about = format!("{format:?}, {first:?} and {second:?}");
            let body = format.body("chat", true, "Say hello.").to_string();
            let answer = gateway.post(&format.path("chat", true), body).await;
            let said = format.read_stream(answer.text());
            assert_eq!(
                (said.text.as_str(), said.finish),
                ("Hello, you", format.whole("").finish),
                "{about}: {}",
                answer.text()
            );
            for once in ["message_start", "response.created", "response.output_item.added", "[DONE]"] {
                assert!(answer.text().matches(&format!("event: {once}")).count() <= 1, "{about}: {}", answer.text());
            }
            assert_eq!(answer.text().contains(": gateway {\"resumed\":{\"provider\":\"p1\""), format != Format::Gemini);
            let given = next.requests()[asked].json();
            let given = given.get("messages").or(given.get("contents")).and_then(Value::as_array).unwrap().clone();
            let last = given.last().unwrap();
            assert_eq!(given.len(), 2, "{about}: {given:?}");
            assert!(["assistant", "model"].contains(&last["role"].as_str().unwrap()), "{about}: {last}");
            assert!(last.to_string().contains("\"Hel\""), "{about}: {last}");
            let record = gateway.record(answer.request_id()).await;
            assert_eq!((&record["outcome"], &record["resumed"]), (&"completed".into(), &1.into()), "{about}: {record}");
            assert_eq!((&record["provider"], &record["fallback"]), (&"p1".into(), &true.into()), "{about}: {record}");
            assert_eq!(record["unused"][0]["provider"], "p0", "{about}: {record}");
        }
    }
}

#[tokio::test]
async fn wherever_a_stream_breaks_nothing_is_said_twice_or_missing() {
    let error = "data: {\"error\":{\"message\":\"out of order\",\"type\":\"server_error\",\"code\":null}}\n\n";
    let half = saying(&["🌍"]).into_bytes();
    let half = &half[..half.len() - 80];
    let cut_character = {
        let event = format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": "🌍"}}]}));
        event.as_bytes()[..event.find('🌍').unwrap() + 2].to_vec()
    };
    for rest in [b"".to_vec(), half.to_vec(), cut_character, error.into(), b"data: {\"choices\":[]}\n\n".to_vec()] {
        let first = streaming([saying(&["Once", " upon a ti"]).into_bytes(), rest].concat()).await;
        let second = streaming(saying(&["me"]) + &ended(3)).await;
        let gateway = Gateway::start(&house(&[&first, &second], ON)).await;
        let answer = ask(&gateway, |_| {}).await;
        assert_whole(&answer, "Once upon a time");
        assert!(!answer.text().contains("prompt_tokens"), "nobody asked for it: {}", answer.text());
        assert_eq!(
            second.only_request().json()["messages"][1],
            json!({"role": "assistant", "content": "Once upon a ti"})
        );
    }
}

#[tokio::test]
async fn a_reset_and_a_silent_provider_are_gone_on_from_too() {
    let second = streaming(saying(&[" there"]) + &ended(3)).await;
    let reset = breaking(saying(&["hello"]), |peer| async move {
        // What was sent arrives before the reset does.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        peer.reset();
    });
    let silent = breaking(saying(&["hello"]), |mut peer| async move { peer.gone().await });
    for first in [reset.await, silent.await] {
        let gateway = Gateway::start(&house(&[&first, &second], ON)).await;
        assert_whole(&ask(&gateway, |_| {}).await, "hello there");
    }
}

#[tokio::test]
async fn who_went_on_and_what_was_used_is_told() {
    let usage = "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n";
    let first = streaming(saying(&["hello"]) + usage).await;
    let second = streaming(saying(&[" there"]) + &ended(3)).await;
    let gateway = Gateway::start(&house(&[&first, &second], ON)).await;
    let answer = ask(&gateway, |body| body["stream_options"] = json!({"include_usage": true})).await;
    assert_whole(&answer, "hello there");
    let events = events(answer.text());
    let last = events.last().unwrap();
    assert_eq!(
        (&last["usage"]["prompt_tokens"], &last["usage"]["completion_tokens"]),
        (&20.into(), &5.into()),
        "{last}"
    );
    let told: Vec<_> = events.iter().filter_map(|event| event.get("gateway")).collect();
    assert_eq!(told, [&json!({"resumed": {"provider": "p1", "model": "m"}})]);
    let at = |text: &str| answer.text().find(text).unwrap();
    assert!(at("hello") < at(": gateway {") && at(": gateway {") < at(" there"), "{}", answer.text());
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["resumed"], &record["attempts"]), (&1.into(), &2.into()), "{record}");
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&20.into(), &3.into()), "{record}");
    let unused = &record["unused"][0];
    assert_eq!((&unused["provider"], &unused["output_tokens"]), (&"p0".into(), &2.into()), "{record}");
    let tried = &record["tries"][0];
    assert_eq!(
        (&tried["provider"], &tried["error"]),
        (&"p0".into(), &"provider_stream_interrupted".into()),
        "{record}"
    );
    assert_eq!(gateway.metric("ai_gateway_streams_resumed_total{provider=\"p1\"}").await, Some(1.0));
    let spent = "ai_gateway_tokens_total{provider=\"p0\",model=\"m\",type=\"output\"}";
    assert_eq!(gateway.metric(spent).await, Some(2.0));
}

#[tokio::test]
async fn white_space_at_the_seam_is_read_once() {
    let first = streaming(saying(&["Once upon a", " "])).await;
    let second = streaming(saying(&[" time", "."]) + &ended(3)).await;
    let gateway = Gateway::start(&house(&[&first, &second], ON)).await;
    assert_whole(&ask(&gateway, |_| {}).await, "Once upon a time.");
    assert_eq!(second.only_request().json()["messages"][1]["content"], "Once upon a");
}

#[tokio::test]
async fn a_list_in_json_stays_one() {
    let begun = |text: &str, rest: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"role\":\"model\",\"parts\":[{{\"text\":\"{text}\"}}]}}{rest}}}]}}\n\n"
        )
    };
    let first = streaming(begun("hello", "")).await;
    let whole = streaming(begun(" there", ",\"finishReason\":\"STOP\"")).await;
    let broken = streaming(begun(" there", "")).await;
    for (second, end) in [(&whole, "/candidates/0/finishReason"), (&broken, "/error/message")] {
        let can = ", models: [{ name: gemini-3-pro, can: [prefill] }]";
        let providers = Vendor::Gemini.entry("p0", first.address, &format!("{can}, priority: 0"))
            + &Vendor::Gemini.entry("p1", second.address, &format!("{can}, priority: 1"));
        let routing = format!("routing:\n  retry_attempts: 0\n{ON}");
        let gateway = Gateway::start(&config(&format!("providers:\n{providers}{routing}"))).await;
        let body = Format::Gemini.body("", true, "Say hello.").to_string();
        let answer = gateway.post("/v1beta/models/gemini-3-pro:streamGenerateContent", body).await;
        let told = answer.json();
        let texts = [0, 1].map(|place| told[place]["candidates"][0]["content"]["parts"][0]["text"].clone());
        assert_eq!(texts, ["hello", " there"], "{told}");
        assert_eq!(told.as_array().unwrap().len(), 3, "{told}");
        assert!(told[2].pointer(end).is_some(), "{told}");
    }
}

#[tokio::test]
async fn an_answer_is_continued_twice_and_no_more_often() {
    let cut = |text: &str| saying(&[text]);
    let upstreams = [streaming(cut("a")).await, streaming(cut("b")).await, streaming(saying(&["c"]) + &ended(1)).await];
    let [first, second, third] = &upstreams;
    let gateway = Gateway::start(&house(&[first, second, third], ON)).await;
    let answer = ask(&gateway, |_| {}).await;
    assert_whole(&answer, "abc");
    assert_eq!(third.only_request().json()["messages"][1]["content"], "ab");
    assert_eq!(gateway.record(answer.request_id()).await["resumed"], 2);

    let broken = streaming(cut("c")).await;
    let gateway = Gateway::start(&house(&[first, second, &broken, third], ON)).await;
    assert_broken(&ask(&gateway, |_| {}).await, "abc", "provider_stream_interrupted");
    assert_eq!(third.requests().len(), 1);
}

#[tokio::test]
async fn the_same_provider_is_asked_again_where_it_may_be_and_there_is_no_other() {
    let only = in_turn(vec![saying(&["hello"]), saying(&[" there"]) + &ended(3)]).await;
    let again = house(&[&only], ON).replace("retry_attempts: 0", "retry_attempts: 1");
    let gateway = Gateway::start(&again).await;
    let answer = ask(&gateway, |_| {}).await;
    assert_whole(&answer, "hello there");
    let record = gateway.record(answer.request_id()).await;
    assert_eq!((&record["resumed"], &record["fallback"]), (&1.into(), &false.into()), "{record}");

    let only = in_turn(vec![saying(&["hello"]), saying(&[" there"]) + &ended(3)]).await;
    let gateway = Gateway::start(&house(&[&only], ON)).await;
    assert_broken(&ask(&gateway, |_| {}).await, "hello", "provider_stream_interrupted");
    assert_eq!(only.requests().len(), 1);
}

#[tokio::test]
async fn each_provider_is_asked_in_its_own_words() {
    let first = streaming(saying(&["hello"])).await;
    for (type_id, base, model, line, wanted) in [
        (
            "deepseek",
            "",
            "deepseek-v4-pro",
            "POST /beta/chat/completions",
            json!({"prefix": true, "thinking": {"type": "disabled"}}),
        ),
        (
            "deepseek",
            "/v1",
            "deepseek-v4-pro",
            "POST /beta/chat/completions",
            json!({"prefix": true, "thinking": {"type": "disabled"}}),
        ),
        (
            "vllm",
            "/v1",
            "m",
            "POST /v1/chat/completions",
            json!({"continue_final_message": true, "add_generation_prompt": false}),
        ),
        ("moonshot", "/v1", "m", "POST /v1/chat/completions", json!({"partial": true})),
        ("mistral", "/v1", "mistral-large-latest", "POST /v1/chat/completions", json!({"prefix": true})),
    ] {
        let rest = if type_id == "mistral" { "hello there" } else { " there" };
        let second = streaming(saying(&[rest]) + &ended(3)).await;
        let described = if model == "m" { ", models: [{ name: m, can: [prefill] }]" } else { "" };
        let next = crate::translated::entry("p1", type_id, second.address, base, described);
        let targets = format!("[{{ provider: p0, model: m }}, {{ provider: p1, model: {model} }}]");
        let route = format!("routes:\n  - {{ name: chat, strategy: fallback, targets: {targets} }}\n");
        let providers = compatible("p0", &first, "tools") + &next;
        let gateway = Gateway::start(&config(&format!("providers:\n{providers}{route}routing:\n{ON}"))).await;
        assert_whole(&ask(&gateway, |body| body["model"] = "chat".into()).await, "hello there");
        let request = second.only_request();
        assert!(request.head.first_line.starts_with(line), "{}", request.head.first_line);
        let body = request.json();
        let last = body["messages"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["role"], &last["content"]), (&"assistant".into(), &"hello".into()), "{type_id}");
        for (name, value) in wanted.as_object().unwrap() {
            assert!(last.get(name) == Some(value) || body.get(name) == Some(value), "{type_id} {name}: {body}");
        }
    }
}

#[tokio::test]
async fn an_error_that_a_provider_tells_in_its_stream_is_gone_on_from() {
    for first in [Vendor::Anthropic, Vendor::Gemini, Vendor::Bedrock, Vendor::OpenAi] {
        let failing = Upstream::always([first.stream_head(), first.failing_stream().0].concat()).await;
        let second = streaming(saying(&["…"]) + &ended(3)).await;
        let targets = format!("[{{ provider: p0, model: \"{}\" }}, {{ provider: p1, model: m }}]", first.model());
        let route = format!("routes:\n  - {{ name: chat, strategy: fallback, targets: {targets} }}\n");
        let providers = first.entry("p0", failing.address, "") + &compatible("p1", &second, "prefill");
        let routing = format!("routing:\n  retry_attempts: 0\n{ON}");
        let gateway = Gateway::start(&config(&format!("providers:\n{providers}{route}{routing}"))).await;
        for format in [Format::Chat, Format::Messages, Format::Gemini] {
            let body = format.body("chat", true, "Say hello.").to_string();
            let answer = gateway.post(&format.path("chat", true), body).await;
            let said = format.read_stream(answer.text()).text;
            let given = second.requests().pop().unwrap().json()["messages"][1]["content"].clone();
            assert!(said.starts_with("Hel"), "{format:?} {first:?}: {said}");
            assert_eq!(said, given.as_str().unwrap().to_owned() + "…", "{format:?} {first:?}");
        }
    }
}

#[tokio::test]
async fn a_call_may_follow_the_text_that_was_gone_on_with() {
    let call = json!({"tool_calls": [
        {"index": 0, "id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    ]});
    let first = streaming(saying(&["Let me"])).await;
    let called = saying(&[" look."]) + &chunk(&call, None) + &chunk(&json!({}), Some("tool_calls")) + DONE;
    let second = streaming(called).await;
    let gateway = Gateway::start(&house(&[&first, &second], ON)).await;
    let tool = json!({"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}});
    let answer = ask(&gateway, |body| body["tools"] = json!([tool])).await;
    assert_whole(&answer, "Let me look.");
    assert_eq!(second.only_request().json()["tools"][0]["function"]["name"], "look");
    let events = events(answer.text());
    let calls: Vec<_> = events.iter().filter_map(|event| event.pointer("/choices/0/delta/tool_calls/0/id")).collect();
    assert_eq!(calls, ["c"], "{}", answer.text());
    assert!(answer.text().contains("\"finish_reason\":\"tool_calls\""), "{}", answer.text());
}
