//! What is kept at providers: it is found where it was made, by who made it.

use crate::harness::{Answer, Gateway, Upstream, config, http_answer, json_answer, provider};

const SHOP: &str = "sk-gateway-shop-0123456789";
const OTHER: &str = "sk-gateway-other-0123456789";
const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=b");

/// Answers as a provider with files and batches: ids are `name` and what is asked for.
async fn keeper(name: &'static str) -> Upstream {
    Upstream::start(move |mut peer| async move {
        while let Some(request) = peer.request().await {
            let (method, path) = request.head.first_line.rsplit_once(' ').unwrap().0.split_once(' ').unwrap();
            let body = match (method, path) {
                ("POST", "/v1/files") => format!(r#"{{"id":"file-{name}","object":"file"}}"#),
                ("POST", "/v1/batches") => format!(r#"{{"id":"batch-{name}","object":"batch"}}"#),
                ("GET", "/v1/files") => format!(
                    r#"{{"object":"list", "data":[{{"id":"file-alien"}}, {{"id":"file-{name}","x":1.0}}],"first_id":"file-alien","last_id":"file-{name}","has_more":false}}"#
                ),
                ("GET", path) if path.starts_with("/v1/batches/") => {
                    format!(r#"{{"id":"batch-{name}","output_file_id":"file-output-{name}"}}"#)
                }
                ("GET", path) if path.ends_with("/content") => format!("content at {name}"),
                (method, path) => format!(r#"{{"at":"{name}","asked":"{method} {path}"}}"#),
            };
            let kind = if body.starts_with('{') { "application/json" } else { "application/octet-stream" };
            peer.send(http_answer(200, &[("content-type", kind)], body)).await;
        }
    })
    .await
}

struct House {
    gateway: Gateway,
    _upstreams: [Upstream; 2],
}

impl House {
    async fn with(more: &str) -> Self {
        Self::in_mode("required", more).await
    }

    async fn in_mode(mode: &str, more: &str) -> Self {
        let upstreams = [keeper("one").await, keeper("two").await];
        let keys = format!("keys: [{{ name: shop, key: {SHOP} }}, {{ name: other, key: {OTHER} }}]");
        let providers = provider("one", upstreams[0].address, "") + &provider("two", upstreams[1].address, "");
        let config = config(&format!("auth: {{ mode: {mode}, {keys} }}\nproviders:\n{providers}{more}"));
        Self { gateway: Gateway::start(&config).await, _upstreams: upstreams }
    }

    async fn ask(&self, key: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [&[("authorization", bearer.as_str())], headers].concat();
        let mut client = self.gateway.client().await;
        match method {
            "POST" => client.post(path, &headers, body).await,
            "GET" => client.get(path, &headers).await,
            _ => client.send(format!("{method} {path} HTTP/1.1\r\nhost: h\r\nauthorization: {bearer}\r\n\r\n")).await,
        }
        client.answer().await
    }

    async fn get(&self, key: &str, path: &str) -> Answer {
        self.ask(key, "GET", path, &[], "").await
    }

    /// Makes a file at the second provider.
    async fn file(&self) {
        let answer = self.ask(SHOP, "POST", "/v1/files", &[FORM, ("x-gateway-provider", "two")], "--b--").await;
        assert_eq!((answer.status, answer.header("x-provider-used")), (200, Some("two")), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_file_is_found_where_it_was_made_and_by_the_key_that_made_it_alone() {
    let house = House::with("").await;
    house.file().await;
    assert_eq!(house.get(SHOP, "/v1/files/file-two/content").await.text(), "content at two");
    assert_eq!(house.get(SHOP, "/v1/files/file-two").await.json()["at"], "two");
    for path in ["/v1/files/file-two", "/v1/files/file-two/content", "/v1/files/file-two?provider=two"] {
        house.get(OTHER, path).await.assert_error(404, "object_not_found");
    }
    house.ask(OTHER, "DELETE", "/v1/files/file-two", &[], "").await.assert_error(404, "object_not_found");
    house.get(SHOP, "/v1/files/file-unknown").await.assert_error(404, "object_not_found");
    let deleted = house.ask(SHOP, "DELETE", "/v1/files/file-two", &[], "").await;
    assert_eq!(deleted.json()["asked"], "DELETE /v1/files/file-two");
}

#[tokio::test]
async fn a_list_shows_what_the_key_made_and_every_byte_of_that() {
    let house = House::with("").await;
    let list = house.get(SHOP, "/v1/files").await;
    assert_eq!(list.text(), r#"{"object":"list", "data":[],"first_id":null,"last_id":null,"has_more":false}"#);
    house.file().await;
    let list = house.ask(SHOP, "GET", "/v1/files", &[("x-provider", "two")], "").await;
    let wanted = r#"{"object":"list", "data":[{"id":"file-two","x":1.0}],"first_id":"file-two","last_id":"file-two","has_more":false}"#;
    assert_eq!(list.text(), wanted);
}

#[tokio::test]
async fn a_batch_goes_where_its_file_is_and_uses_no_file_of_others() {
    let house = House::with("").await;
    house.file().await;
    let batch = r#"{"input_file_id":"file-two","endpoint":"/v1/chat/completions","completion_window":"24h"}"#;
    house.ask(OTHER, "POST", "/v1/batches", &[], batch).await.assert_error(404, "object_not_found");
    let made = house.ask(SHOP, "POST", "/v1/batches", &[], batch).await;
    assert_eq!((made.status, made.header("x-provider-used")), (200, Some("two")), "{}", made.text());
    // What the batch has written is found once the batch has said its name.
    house.get(SHOP, "/v1/files/file-output-two/content").await.assert_error(404, "object_not_found");
    assert_eq!(house.get(SHOP, "/v1/batches/batch-two").await.status, 200);
    assert_eq!(house.get(SHOP, "/v1/files/file-output-two/content").await.text(), "content at two");
    house.get(OTHER, "/v1/batches/batch-two").await.assert_error(404, "object_not_found");
}

#[tokio::test]
async fn a_file_of_others_is_not_had_by_saying_it_in_another_way() {
    let house = House::with("relay: { fine_tuning: true }").await;
    house.file().await;
    let batch = r#"{"input_file_id":"file-two","endpoint":"/v1/chat/completions"}"#;
    for content_type in ["text/plain", "application/octet-stream", "multipart/form-data; boundary=b"] {
        let answer = house.ask(OTHER, "POST", "/v1/batches", &[("content-type", content_type)], batch).await;
        answer.assert_error(415, "unsupported_media_type");
    }
    house.ask(OTHER, "POST", "/v1/files", &[FORM], "--b--").await;
    for body in [
        r#"{"input_file_id":"file-one","input_file_id":"file-two"}"#,
        r#"{"input_file_id":"file-one","input_file_i\u0064":"file-two"}"#,
        r#"{"input_file_id":"file-one","Input_File_ID":"file-two"}"#,
    ] {
        house.ask(OTHER, "POST", "/v1/batches", &[], body).await.assert_error(404, "object_not_found");
    }
    for path in ["/v1/files//file-two/content", "/v1/files//file-two", "/v1/fine_tuning/jobs//job"] {
        house.get(OTHER, path).await.assert_error(400, "invalid_request");
    }
    house.get(OTHER, "/v1/files/file%2Dtwo").await.assert_error(404, "object_not_found");
    assert_eq!(house.get(SHOP, "/v1/files/file%2Dtwo/content").await.text(), "content at two");
}

#[tokio::test]
async fn an_id_means_what_was_made_at_one_provider_and_not_its_namesake_at_another() {
    let house = House::with("").await;
    house.file().await;
    let answer = house.ask(SHOP, "GET", "/v1/files/file-two", &[("x-gateway-provider", "one")], "").await;
    answer.assert_error(404, "object_not_found");
    let answer = house.ask(SHOP, "GET", "/v1/files/file-two", &[("x-gateway-provider", "two")], "").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn who_has_no_key_is_not_shown_what_is_known_to_be_a_keys() {
    let house = House::in_mode("optional", "").await;
    house.file().await;
    let list = house.gateway.get_with("/v1/files", &[("x-provider", "two")]).await;
    assert!(list.text().contains("file-alien") && !list.text().contains("file-two"), "{}", list.text());
    house.gateway.get("/v1/files/file-two/content").await.assert_error(404, "object_not_found");
    house.gateway.get("/v1/files/file%2Dtwo/content").await.assert_error(404, "object_not_found");
}

#[tokio::test]
async fn where_all_share_the_first_provider_is_asked_for_what_is_not_known() {
    let house = House::with("relay: { shared_storage: true }").await;
    house.file().await;
    assert_eq!(house.get(OTHER, "/v1/files/file-two/content").await.text(), "content at two");
    assert_eq!(house.get(OTHER, "/v1/files/file-unknown").await.json()["at"], "one");
    assert!(house.get(OTHER, "/v1/files").await.text().contains("file-alien"));
}

#[tokio::test]
async fn fine_tuning_is_switched_on_by_the_operator() {
    let house = House::with("").await;
    house.get(SHOP, "/v1/fine_tuning/jobs").await.assert_error(403, "operation_disabled");
    let house = House::with("relay: { fine_tuning: true }").await;
    assert_eq!(house.get(SHOP, "/v1/fine_tuning/jobs").await.json()["asked"], "GET /v1/fine_tuning/jobs");
    let job = r#"{"model":"m","training_file":"file-of-others"}"#;
    house.ask(SHOP, "POST", "/v1/fine_tuning/jobs", &[], job).await.assert_error(404, "object_not_found");
}

#[tokio::test]
async fn a_path_below_an_operation_cannot_leave_it() {
    let house = House::with("relay: { shared_storage: true }").await;
    for path in ["/v1/files/../models", "/v1/files/%2e%2e/models", "/v1/files/a%2f..%2fb"] {
        house.get(SHOP, path).await.assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn a_provider_that_is_not_configured_is_not_asked_by_name() {
    let upstream = Upstream::always(json_answer("{}")).await;
    let gateway = Gateway::start(&config(&format!("providers:\n{}", provider("one", upstream.address, "")))).await;
    let answer = gateway.get_with("/v1/files", &[("x-gateway-provider", "two")]).await;
    answer.assert_error(400, "invalid_request");
    assert!(upstream.requests().is_empty());
}
