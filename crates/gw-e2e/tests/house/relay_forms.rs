//! Forms: the model is found wherever it stands, and everything else arrives as it was sent.

use crate::harness::{Answer, Gateway, Upstream, config, json_answer, provider, scripted};

const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";
const TEXT: &str =
    r#"{"text":"hello","usage":{"type":"tokens","input_tokens":14,"output_tokens":45,"total_tokens":59}}"#;
const TYPE: (&str, &str) = ("content-type", "multipart/form-data; boundary=b0");

fn model(name: &str) -> String {
    format!("--b0\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{name}\r\n")
}

fn file(content: &str) -> String {
    format!(
        "--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n\
         {content}\r\n"
    )
}

async fn house() -> (Upstream, Gateway) {
    let upstream = Upstream::always(json_answer(TEXT)).await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    (upstream, gateway)
}

async fn send(gateway: &Gateway, headers: &[(&str, &str)], form: &str) -> Answer {
    gateway.post_with(TRANSCRIPTIONS, &[&[TYPE], headers].concat(), form).await
}

#[tokio::test]
async fn the_model_is_found_before_and_behind_the_file_and_written_as_the_provider_calls_it() {
    let (upstream, gateway) = house().await;
    let large = "\u{1}sound ".repeat(500_000);
    for (place, content) in ["short", &large].into_iter().enumerate() {
        let before = send(&gateway, &[], &(model("scripted/whisper-1") + &file(content) + "--b0--\r\n")).await;
        assert_eq!((before.status, before.text()), (200, TEXT));
        assert_eq!(before.header("x-model-used"), Some("whisper-1"));
        let behind = send(&gateway, &[], &(file(content) + &model("scripted/whisper-1") + "--b0--\r\n")).await;
        assert_eq!((behind.status, behind.text()), (200, TEXT));
        let requests = upstream.requests();
        assert_eq!(requests[2 * place].text(), model("whisper-1") + &file(content) + "--b0--\r\n");
        assert_eq!(requests[2 * place + 1].text(), file(content) + &model("whisper-1") + "--b0--\r\n");
        assert_eq!(requests[2 * place].head.get("content-type"), Some(TYPE.1));
        assert!(requests[2 * place].head.get("content-length").is_some());
    }
    let record = gateway.record(send(&gateway, &[], &(model("scripted/m") + "--b0--\r\n")).await.request_id()).await;
    assert_eq!((&record["operation"], &record["input_tokens"]), (&"transcription".into(), &14.into()), "{record}");
}

#[tokio::test]
async fn a_form_in_chunks_stays_in_chunks_and_is_changed_alike() {
    let (upstream, gateway) = house().await;
    let form = model("scripted/whisper-1") + &file("x") + "--b0--\r\n";
    let mut client = gateway.client().await;
    client
        .send(format!(
            "POST {TRANSCRIPTIONS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {}\r\ntransfer-encoding: chunked\r\n\r\n",
            TYPE.1
        ))
        .await;
    for byte in form.as_bytes() {
        client.send([b"1\r\n", &[*byte][..], b"\r\n"].concat()).await;
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.answer().await.text(), TEXT);
    assert_eq!(upstream.only_request().text(), model("whisper-1") + &file("x") + "--b0--\r\n");
}

#[tokio::test]
async fn a_model_beside_the_form_is_put_into_it() {
    let (upstream, gateway) = house().await;
    let form = file("x") + "--b0--\r\n";
    let named = ("x-gateway-model", "scripted/whisper-1");
    assert_eq!(send(&gateway, &[named], &form).await.status, 200);
    let query = format!("{TRANSCRIPTIONS}?model=scripted/whisper-1&x=y");
    assert_eq!(gateway.post_with(&query, &[TYPE], &form).await.status, 200);
    for request in upstream.requests() {
        let field = model("whisper-1").replace("Content-Disposition", "content-disposition");
        assert_eq!(request.text(), field + &form);
    }
    assert_eq!(upstream.requests()[1].head.first_line, format!("POST {TRANSCRIPTIONS}?x=y HTTP/1.1"));
    // A field that comes later would be a second one.
    let large = file(&"x".repeat(1 << 20)) + &model("other") + "--b0--\r\n";
    send(&gateway, &[named], &large).await.assert_error(400, "duplicate_field");
}

#[tokio::test]
async fn azures_clients_name_the_model_in_the_path() {
    let (upstream, gateway) = house().await;
    let config = scripted(upstream.address) + "aliases: { my-whisper: scripted/whisper-1 }\n";
    drop(gateway);
    let gateway = Gateway::start(&config).await;
    let path = "/openai/deployments/my-whisper/audio/transcriptions?api-version=2025-03-01-preview";
    assert_eq!(gateway.post_with(path, &[TYPE], file("x") + "--b0--\r\n").await.status, 200);
    assert_eq!(upstream.only_request().head.first_line, format!("POST {TRANSCRIPTIONS} HTTP/1.1"));
}

#[tokio::test]
async fn a_model_too_far_behind_is_asked_for_at_the_front() {
    let upstream = Upstream::always(json_answer(TEXT)).await;
    let gateway = Gateway::start(&(scripted(upstream.address) + "server: { limits: { body_bytes: 64KiB } }\n")).await;
    let form = file(&"x".repeat(1_000_000)) + &model("scripted/whisper-1") + "--b0--\r\n";
    let answer = send(&gateway, &[], &form).await;
    answer.assert_error(400, "model_required");
    assert!(answer.text().contains("before the files") && answer.text().contains("X-Gateway-Model"));
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn what_is_no_form_or_names_two_models_is_the_clients_mistake() {
    let (_upstream, gateway) = house().await;
    let end = "--b0--\r\n";
    let two = model("scripted/a") + &model("scripted/b") + end;
    send(&gateway, &[], &two).await.assert_error(400, "duplicate_field");
    send(&gateway, &[], &(file("x") + end)).await.assert_error(400, "model_required");
    send(&gateway, &[], &(model("scripted/a") + &file("x"))).await.assert_error(400, "invalid_request");
    send(&gateway, &[], "rubbish").await.assert_error(400, "invalid_request");
    send(&gateway, &[("content-encoding", "gzip")], &two).await.assert_error(415, "unsupported_media_type");
    let audio = gateway.post_with(TRANSCRIPTIONS, &[("content-type", "audio/mpeg")], "x").await;
    audio.assert_error(415, "unsupported_media_type");
    let form = model("scripted/a") + end;
    let without = gateway.post_with(TRANSCRIPTIONS, &[("content-type", "multipart/form-data")], form).await;
    without.assert_error(415, "unsupported_media_type");
}

#[tokio::test]
async fn json_is_carried_and_its_answer_flows_whatever_it_is() {
    let upstream = Upstream::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let is_speech = request.head.first_line.contains("speech");
            let answer = if is_speech {
                crate::harness::http_answer(200, &[("content-type", "audio/mpeg")], b"ID3\xff\x00")
            } else {
                let events = "event: image_generation.partial_image\ndata: {\"b64_json\":\"x\"}\n\n\
                              event: image_generation.completed\ndata: {\"b64_json\":\"y\",\"usage\":{\"input_tokens\":5,\"output_tokens\":6}}\n\n";
                crate::harness::http_answer(200, &[("content-type", "text/event-stream")], events)
            };
            peer.send(answer).await;
        }
    })
    .await;
    let gateway = Gateway::start(&scripted(upstream.address)).await;
    let speech = gateway.post("/v1/audio/speech", r#"{ "input":"hi", "model":"scripted/tts-1", "new":[1.0] }"#).await;
    assert_eq!((speech.status, &*speech.body), (200, &b"ID3\xff\x00"[..]));
    assert_eq!(speech.header("content-type"), Some("audio/mpeg"));
    assert_eq!(upstream.requests()[0].text(), r#"{ "input":"hi", "model":"tts-1", "new":[1.0] }"#);
    let images =
        r#"{"model":"scripted/gpt-image-1","prompt":"x","stream":true,"partial_images":1,"prefer_provider":"x"}"#;
    let images = gateway.post("/v1/images/generations", images).await;
    assert!(images.text().ends_with("\"output_tokens\":6}}\n\n"), "{}", images.text());
    let sent = r#"{"model":"gpt-image-1","prompt":"x","stream":true,"partial_images":1}"#;
    assert_eq!(upstream.requests()[1].text(), sent);
    let record = gateway.record(images.request_id()).await;
    assert_eq!((&record["operation"], &record["output_tokens"]), (&"images".into(), &6.into()), "{record}");
}

#[tokio::test]
async fn a_provider_that_does_not_offer_the_operation_is_not_asked() {
    let upstream = Upstream::always(json_answer(TEXT)).await;
    let deepseek = provider("deepseek", upstream.address, "").replace("openai-compatible", "deepseek");
    let gateway = Gateway::start(&config(&format!("providers:\n{deepseek}"))).await;
    let answer = gateway.post("/v1/audio/speech", r#"{"model":"deepseek/x","input":"hi"}"#).await;
    answer.assert_error(400, "invalid_request");
    gateway.get("/v1/files").await;
    assert!(upstream.requests().is_empty());
}
