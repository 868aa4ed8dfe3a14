//! The pool against servers that behave badly: plain sockets that speak raw bytes.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and start what they need"
)]

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gw_http::observer::Deaf;
use gw_http::origin::{Origin, OriginSettings, Origins, Version};
use gw_http::proxy::ProxyChoice;
use gw_http::{Pools, RequestBody, SendError};
use http::{Method, Request};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Runs a test on a worker's kind of runtime.
async fn on_a_worker<F: Future>(test: F) -> F::Output {
    LocalSet::new().run_until(test).await
}

fn origin(listener: &TcpListener) -> Arc<Origin> {
    let settings = OriginSettings {
        label: "test".into(),
        secure: false,
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
        version: Version::Auto,
        ca_pem: None,
        identity: None,
        proxy: ProxyChoice::Direct,
        connect_timeout: Duration::from_secs(2),
        write_timeout: Duration::from_millis(300),
    };
    Origins::default().intern(settings).unwrap()
}

fn pools() -> Rc<Pools> {
    Rc::new(Pools::new(Rc::new(Deaf)))
}

fn post(body: &'static [u8]) -> Box<Request<RequestBody>> {
    let body = RequestBody::held([Bytes::from_static(body)]);
    Box::new(Request::builder().method(Method::POST).uri("/v1/x?y=1").body(body).unwrap())
}

/// Reads one request: its head, and as many bytes as its content-length says.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        assert!(stream.read_buf(&mut seen).await.unwrap() > 0, "closed after {text:?}");
    }
}

async fn text(response: http::Response<gw_http::UpstreamBody>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn requests_one_after_another_use_one_connection_and_carry_path_host_and_length() {
    on_a_worker(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (origin, pools) = (origin(&listener), pools());
        let server = tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut requests = Vec::new();
            for _ in 0..3 {
                requests.push(read_request(&mut stream).await);
                stream.write_all(ANSWER).await.unwrap();
            }
            requests
        });
        for _ in 0..3 {
            assert_eq!(text(pools.send(&origin, post(b"hello")).await.unwrap()).await, "ok");
        }
        let requests = server.await.unwrap();
        assert_eq!(requests.len(), 3);
        assert!(requests[2].starts_with("POST /v1/x?y=1 HTTP/1.1\r\n"), "{}", requests[2]);
        assert!(requests[2].contains(&format!("host: {}\r\n", origin.host_header.to_str().unwrap())));
        assert!(requests[2].ends_with("content-length: 5\r\n\r\nhello"), "{}", requests[2]);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced_without_an_error() {
    on_a_worker(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (origin, pools) = (origin(&listener), pools());
        let server = tokio::task::spawn_local(async move {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                read_request(&mut stream).await;
                stream.write_all(ANSWER).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        for _ in 0..2 {
            assert_eq!(text(pools.send(&origin, post(b"hello")).await.unwrap()).await, "ok");
            // The end of the connection arrives.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_request_that_was_written_is_not_sent_again() {
    on_a_worker(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (origin, pools) = (origin(&listener), pools());
        let server = tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(ANSWER).await.unwrap();
            // The second request is read and then the connection dropped.
            read_request(&mut stream).await;
            drop(stream);
            let again = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
            assert!(again.is_err(), "the request was sent again");
        });
        assert_eq!(text(pools.send(&origin, post(b"one")).await.unwrap()).await, "ok");
        let error = pools.send(&origin, post(b"two")).await.err().unwrap();
        assert!(matches!(error, SendError::Disconnected), "{error:?}");
        server.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn dropping_an_answer_closes_its_connection_at_once() {
    on_a_worker(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (origin, pools) = (origin(&listener), pools());
        let server = tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegin").await.unwrap();
            stream.read(&mut [0; 16]).await
        });
        let mut response = pools.send(&origin, post(b"hello")).await.unwrap();
        let begun = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(begun, "begin");
        drop(response);
        let end = tokio::time::timeout(Duration::from_secs(1), server).await.expect("the connection stays open");
        assert!(matches!(end.unwrap(), Ok(0) | Err(_)));
        assert_eq!(pools.idle_count(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_http_or_too_long_is_an_error_and_not_a_hang() {
    on_a_worker(async {
        let endless = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'a'; 200 << 10]].concat();
        for (answer, invalid) in [(b"rubbish\r\n\r\n".to_vec(), true), (endless, true), (Vec::new(), false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let (origin, pools) = (origin(&listener), pools());
            tokio::task::spawn_local(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                read_request(&mut stream).await;
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
                let _ = stream.read(&mut [0; 16]).await;
            });
            let sent = tokio::time::timeout(Duration::from_secs(2), pools.send(&origin, post(b"hello"))).await;
            let error = sent.expect("hangs").err().expect("an error");
            assert_eq!(matches!(error, SendError::Invalid(_)), invalid, "{error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_does_not_read_the_request_is_given_up() {
    on_a_worker(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (origin, pools) = (origin(&listener), pools());
        let large = RequestBody::held([Bytes::from(vec![b'a'; 32 << 20])]);
        let request = Request::builder().method(Method::POST).uri("/").body(large).unwrap();
        let sent = tokio::time::timeout(Duration::from_secs(5), pools.send(&origin, Box::new(request))).await;
        let error = sent.expect("hangs").err().expect("an error");
        assert!(matches!(error, SendError::WriteTimeout), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_refused_connection_is_told_apart() {
    on_a_worker(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (origin, pools) = (origin(&listener), pools());
        drop(listener);
        let error = pools.send(&origin, post(b"hello")).await.err().unwrap();
        assert!(matches!(error, SendError::Unreachable(_)), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_forwarding_proxy_gets_the_whole_url_and_its_own_credential() {
    on_a_worker(async {
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let via = format!("http://user:secret@{}", proxy.local_addr().unwrap());
        let settings = OriginSettings {
            host: "provider.example".to_owned(),
            port: 8000,
            proxy: ProxyChoice::Via(via),
            ..origin(&proxy).settings.clone()
        };
        let origin = Origins::default().intern(settings).unwrap();
        let server = tokio::task::spawn_local(async move {
            let (mut stream, _) = proxy.accept().await.unwrap();
            let request = read_request(&mut stream).await;
            stream.write_all(ANSWER).await.unwrap();
            request
        });
        assert_eq!(text(pools().send(&origin, post(b"hello")).await.unwrap()).await, "ok");
        let request = server.await.unwrap();
        assert!(request.starts_with("POST http://provider.example:8000/v1/x?y=1 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("proxy-authorization: Basic dXNlcjpzZWNyZXQ=\r\n"), "{request}");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_says_how_long_it_keeps_a_connection_is_believed() {
    on_a_worker(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (origin, pools) = (origin(&listener), pools());
        tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            let _ = stream.read(&mut [0; 16]).await;
        });
        assert_eq!(text(pools.send(&origin, post(b"hello")).await.unwrap()).await, "ok");
        pools.sweep();
        assert_eq!(pools.idle_count(), 0);
    })
    .await;
}
