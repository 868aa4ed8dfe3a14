//! The door against clients that behave badly, over real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and start what they need"
)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gw_http::Observer;
use gw_http::observer::Deaf;
use gw_http::serve::{Connection, Limits, Refusal, Service, Timeouts};
use gw_http::workers::{Accepting, Application, Settings, Worker, Workers};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

struct Echo;

impl Service for Echo {
    type Body = Full<Bytes>;

    async fn call(self: Rc<Self>, request: Request<Incoming>, _: Rc<Connection>) -> Response<Full<Bytes>> {
        match request.uri().path() {
            "/panic" => panic!("asked to"),
            "/slow" => tokio::time::sleep(Duration::from_millis(400)).await,
            _ => {}
        }
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Response::new(Full::new(body))
    }

    fn refuse(&self, refusal: Refusal) -> Response<Bytes> {
        let status = match refusal {
            Refusal::Malformed => StatusCode::BAD_REQUEST,
            Refusal::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refusal::HeadTimeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::TooManyConnections => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Response::builder().status(status).body(Bytes::from(format!("{refusal:?}"))).unwrap()
    }
}

struct House;

impl Application for House {
    type Service = Echo;

    fn observer(&self, _: usize) -> Rc<dyn Observer> {
        Rc::new(Deaf)
    }

    fn service(&self, _: Worker) -> Rc<Echo> {
        Rc::new(Echo)
    }
}

fn start(accepting: Accepting, connections: usize) -> (Workers, SocketAddr) {
    let timeouts =
        Timeouts { head: Duration::from_millis(500), idle: Duration::from_secs(30), write: Duration::from_secs(5) };
    let settings = Settings {
        workers: 2,
        accepting,
        addresses: vec!["127.0.0.1:0".parse().unwrap()],
        limits: Arc::new(Limits::new(8 << 10, connections, timeouts)),
        certificate: None,
    };
    let workers = Workers::start(&settings, &Arc::new(House)).unwrap();
    let address = workers.addresses()[0];
    (workers, address)
}

async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    read.expect("the connection stays open").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn what_the_door_refuses_is_said_in_the_services_words() {
    let (_workers, address) = start(Accepting::Shared, 100);
    let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(20 << 10));
    let cases: [(&[u8], &str, &str); 4] = [
        (large.as_bytes(), "HTTP/1.1 431 ", "HeadTooLarge"),
        (b"rubbish\r\n\r\n", "HTTP/1.1 400 ", "Malformed"),
        (b"GET / HTTP/1.1\r\nx: ", "HTTP/1.1 408 ", "HeadTimeout"),
        (b"GET /panic HTTP/1.1\r\nconnection: close\r\n\r\n", "HTTP/1.1 500 ", "Panicked"),
    ];
    for (request, status, body) in cases {
        let answer = exchange(address, request).await;
        assert!(answer.starts_with(status), "{answer}");
        assert!(answer.ends_with(body), "{answer}");
    }
}

#[tokio::test]
async fn a_panic_ends_its_request_and_not_the_connection() {
    let (_workers, address) = start(Accepting::Shared, 100);
    let requests = b"GET /panic HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
    let answer = exchange(address, requests).await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(answer.contains("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with("hi"), "{answer}");
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_room_is_made_by_those_that_leave() {
    let (_workers, address) = start(Accepting::Shared, 1);
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    first.readable().await.unwrap();
    let answer = exchange(address, b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("TooManyConnections"), "{answer}");
    drop(first);
    let served = async {
        while !exchange(address, b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await.starts_with("HTTP/1.1 200 ") {}
    };
    timeout(Duration::from_secs(5), served).await.expect("no room was made");
}

#[tokio::test]
async fn a_drain_lets_requests_in_flight_end_and_then_refuses_connections() {
    for accepting in [Accepting::Shared, Accepting::HandedOff] {
        let (workers, address) = start(accepting, 100);
        let requests: Vec<_> = (0..20)
            .map(|_| tokio::spawn(async move { exchange(address, b"GET /slow HTTP/1.1\r\n\r\n").await }))
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        timeout(Duration::from_secs(5), workers.drain(Duration::from_secs(10))).await.expect("the drain does not end");
        for request in requests {
            let answer = request.await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        assert!(TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn http2_is_spoken_in_clear_text_to_those_who_begin_with_its_preface() {
    let (_workers, address) = start(Accepting::Shared, 100);
    let stream = TcpStream::connect(address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("http://{address}/");
    let answers = (0..10).map(|number| {
        let mut sender = sender.clone();
        let body = Full::new(Bytes::from(number.to_string())).map_err(|never: Infallible| match never {});
        let request = Request::post(&uri).body(body.boxed()).unwrap();
        async move { sender.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes() }
    });
    let answers = futures_util::future::join_all(answers).await;
    assert_eq!(answers, (0..10).map(|number: i32| Bytes::from(number.to_string())).collect::<Vec<_>>());
}
