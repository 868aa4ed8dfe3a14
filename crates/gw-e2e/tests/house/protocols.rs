//! HTTP/2, TLS and IPv6, on both sides.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::harness::{
    Authority, CHAT_ANSWER, Client, Gateway, Launch, Upstream, Wire, chat, config, http2_client, json_answer, provider,
    streamed_chat, tls_stream, within,
};

const CHAT: &str = "/v1/chat/completions";
const TLS: &str = "server: { tls: { certificate: server.pem, key: server.key } }";

async fn ask(client: &mut SendRequest<Full<Bytes>>, scheme: &str, body: String) -> Response<Incoming> {
    let request = Request::post(format!("{scheme}://localhost{CHAT}")).body(Full::new(Bytes::from(body))).unwrap();
    within("an answer over HTTP/2", client.send_request(request)).await.unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    let bytes = within("a body over HTTP/2", response.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn tls_client(gateway: &Gateway, authority: &Authority) -> Client {
    let stream = within("a TLS handshake", tls_stream(gateway.address, authority.client(&[], None))).await.unwrap();
    let socket = SockRef::from(stream.get_ref().0).try_clone().unwrap();
    Client::over(Wire::tls(stream, socket))
}

fn launch_with_tls(authority: &Authority) -> Launch {
    let identity = authority.issue("first");
    Launch::with(&config(TLS)).file("server.pem", &identity.certificate).file("server.key", &identity.key)
}

#[tokio::test]
async fn http2_in_clear_text_serves_many_streams_on_one_connection() {
    let gateway = Gateway::start(&config("")).await;
    let mut client = http2_client(TcpStream::connect(gateway.address).await.unwrap()).await;
    let mut streams = Vec::new();
    for number in 0..100 {
        let body = streamed_chat("sandbox/stream-slow-20ms").replace("hello", &format!("I am number {number}"));
        streams.push((number, ask(&mut client, "http", body).await));
    }
    for (number, response) in streams {
        assert_eq!(response.status(), 200);
        let text = text(response).await;
        let said: String = text
            .split_terminator("\n\n")
            .filter_map(|event| serde_json::from_str::<serde_json::Value>(event.strip_prefix("data: ")?).ok())
            .filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned()))
            .collect();
        assert_eq!(said, format!("The sandbox heard: I am number {number}"));
        assert!(text.ends_with("data: [DONE]\n\n"));
    }
}

#[tokio::test]
async fn errors_over_http2_are_told_like_others() {
    let gateway = Gateway::start(&config("server: { limits: { body_bytes: 1MiB } }")).await;
    let mut client = http2_client(TcpStream::connect(gateway.address).await.unwrap()).await;
    let response = ask(&mut client, "http", "not json".to_owned()).await;
    assert_eq!(response.status(), 400);
    assert!(text(response).await.contains("invalid_json"));
    let response = ask(&mut client, "http", " ".repeat(2 << 20)).await;
    assert_eq!(response.status(), 413);
    assert_eq!(ask(&mut client, "http", chat("sandbox/echo")).await.status(), 200);
}

#[tokio::test]
async fn a_stop_lets_the_streams_of_http2_end() {
    let mut gateway = Gateway::start(&config("")).await;
    let mut client = http2_client(TcpStream::connect(gateway.address).await.unwrap()).await;
    let response = ask(&mut client, "http", streamed_chat("sandbox/stream-slow-200ms")).await;
    gateway.signal("TERM");
    assert!(text(response).await.ends_with("data: [DONE]\n\n"));
    assert_eq!(gateway.exit_code().await, Some(0));
}

#[tokio::test]
async fn tls_negotiates_the_version_of_http() {
    let authority = Authority::new();
    let gateway = launch_with_tls(&authority).start().await;
    for (offered, chosen) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1"), (&["h2"], "h2")] {
        let stream =
            within("a TLS handshake", tls_stream(gateway.address, authority.client(offered, None))).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(chosen.as_bytes()));
    }
    let mut client = tls_client(&gateway, &authority).await;
    client.post(CHAT, &[], streamed_chat("sandbox/echo")).await;
    let answer = client.answer().await;
    assert!(answer.status == 200 && answer.text().ends_with("data: [DONE]\n\n"));

    let stream = tls_stream(gateway.address, authority.client(&["h2"], None)).await.unwrap();
    let mut client = http2_client(stream).await;
    assert_eq!(ask(&mut client, "https", chat("sandbox/echo")).await.status(), 200);
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_does_not_harm_the_others() {
    let authority = Authority::new();
    let gateway = launch_with_tls(&authority).start().await;
    let mut clear = Client::connect(gateway.address).await;
    clear.get("/health/live", &[]).await;
    let mut client = tls_client(&gateway, &authority).await;
    client.get("/health/live", &[]).await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let authority = Authority::new();
    let gateway = launch_with_tls(&authority).start().await;
    let mut old = tls_client(&gateway, &authority).await;
    let shown = async || {
        let stream = tls_stream(gateway.address, authority.client(&[], None)).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone()
    };
    let first = shown().await;
    let second = authority.issue("second");
    gateway.write("server.key", &second.key);
    gateway.write("server.pem", &second.certificate);
    gateway.signal("HUP");
    gateway.generation(2).await;
    assert_ne!(first, shown().await);
    old.get("/health/live", &[]).await;
    assert_eq!(old.answer().await.status, 200);

    gateway.write("server.pem", "not a certificate");
    gateway.signal("HUP");
    gateway.log_line("refused").await;
    assert_ne!(first, shown().await);
}

#[tokio::test]
async fn where_client_certificates_are_asked_for_others_are_not_served() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let identity = authority.issue("server");
    let tls = "server: { tls: { certificate: server.pem, key: server.key, client_ca: clients.pem } }";
    let launch = Launch::with(&config(tls)).file("server.pem", &identity.certificate).file("server.key", &identity.key);
    let gateway = launch.file("clients.pem", &clients.pem).start().await;

    let known = clients.issue("an application");
    let stream = tls_stream(gateway.address, authority.client(&["h2"], Some(&known))).await.unwrap();
    assert_eq!(ask(&mut http2_client(stream).await, "https", chat("sandbox/echo")).await.status(), 200);

    let stranger = authority.issue("a stranger");
    for identity in [None, Some(&stranger)] {
        let stream = tls_stream(gateway.address, authority.client(&[], identity)).await;
        // With TLS 1.3 the refusal comes after the client's side of the handshake.
        if let Ok(stream) = stream {
            let socket = SockRef::from(stream.get_ref().0).try_clone().unwrap();
            let mut client = Client::over(Wire::tls(stream, socket));
            client.get("/health/live", &[]).await;
            assert!(client.is_closed().await);
        }
    }
}

#[tokio::test]
async fn ipv6_is_served_beside_ipv4() {
    let config = config("").replace("\"127.0.0.1:0\"", "[\"[::1]:0\"]");
    let gateway = Gateway::start(&config).await;
    assert!(gateway.address.is_ipv6());
    let port = gateway.address.port().to_string();
    let answer = gateway.get_with("/health/live", &[("host", &format!("[::1]:{port}"))]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(gateway.chat(chat("sandbox/echo")).await.status, 200);
}

#[tokio::test]
async fn one_acceptor_serves_as_well_as_shared_ports() {
    let gateway = Gateway::start(&config("server: { accept: handoff, workers: 3 }")).await;
    for _ in 0..20 {
        assert_eq!(gateway.chat(chat("sandbox/echo")).await.status, 200);
    }
}

#[tokio::test]
async fn a_provider_behind_tls_is_trusted_by_the_configured_authority_only() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls(authority.server(), |mut peer| async move {
        while peer.request().await.is_some() {
            peer.send(json_answer(CHAT_ANSWER)).await;
        }
    })
    .await;
    let entry = |name: &str, more: &str| {
        provider(name, upstream.address, more).replace("http://127.0.0.1", "https://localhost")
    };
    let both = entry("trusted", ", tls: { ca: authority.pem }") + &entry("unknown", "");
    let launch = Launch::with(&config(&format!("providers:\n{both}"))).file("authority.pem", &authority.pem);
    let gateway = launch.start().await;
    assert_eq!(gateway.chat(chat("trusted/m")).await.text(), CHAT_ANSWER);
    gateway.chat(chat("unknown/m")).await.assert_error(502, "provider_unreachable");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_provider_that_does_not_finish_its_tls_handshake_is_given_up_in_time() {
    let upstream = Upstream::start(|mut peer| async move { peer.gone().await }).await;
    let entry = provider("silent", upstream.address, ", timeout: { connect: 500ms }").replace("http:", "https:");
    let gateway = Gateway::start(&config(&format!("providers:\n{entry}"))).await;
    let answer = within("the answer", async {
        tokio::time::timeout(Duration::from_secs(5), gateway.chat(chat("silent/m"))).await.unwrap()
    })
    .await;
    answer.assert_error(502, "provider_unreachable");
}
