//! The load generator against the mock, and against servers that lie.

use std::convert::Infallible;
use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::client::Io;
use super::plan::Protocol;
use super::*;
use crate::exchange::{Stream, openai::chat};
use crate::mock::Mock;
use crate::task::Here;
use crate::{certificates, listen};

const CHAT: Exchange = Exchange::openai(Shape::Chat, 1 << 10);
const STREAM: Exchange = Exchange::openai(Shape::Stream(Stream { chunks: 4, pause_ms: 1, usage: true }), 1 << 10);
const HELD: Exchange = Exchange::openai(Shape::Stream(Stream { chunks: 2, pause_ms: 60_000, usage: false }), 1 << 10);

fn plan(address: SocketAddr, protocol: Protocol, exchange: Exchange) -> Plan {
    Plan {
        door: Door { address, base_path: "/v1".to_owned(), key: "key".to_owned(), protocol, authority: None },
        exchange,
        check: Check::Exact,
        drive: Drive::Closed { at_once: 20 },
        warmup_s: 0.1,
        window_s: 0.2,
        timeout_s: 5.0,
        target_processes: vec![process::id()],
        mock_processes: Vec::new(),
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = listen::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn acceptor(folder: &std::path::Path, protocol: Protocol) -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_file(folder.join(certificates::CERTIFICATE)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.join(certificates::KEY)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = match protocol {
        Protocol::Http1 => vec![b"http/1.1".to_vec()],
        Protocol::Http2 => vec![b"h2".to_vec()],
    };
    TlsAcceptor::from(Arc::new(config))
}

/// Starts a mock; returns its address and how many requests it has received.
fn mock(protocol: Protocol, tls: Option<TlsAcceptor>) -> (SocketAddr, Arc<AtomicU64>) {
    let (listener, address) = listener();
    let received = Arc::new(AtomicU64::new(0));
    let mock = Mock::new(Arc::clone(&received));
    task::spawn_local(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (mock, tls) = (mock.clone(), tls.clone());
            task::spawn_local(async move {
                let io: Box<dyn Io> = match tls {
                    Some(tls) => Box::new(tls.accept(stream).await.unwrap()),
                    None => Box::new(stream),
                };
                let service = service_fn(move |request| {
                    let mock = mock.clone();
                    async move { mock.serve(request).await }
                });
                let _ = match protocol {
                    Protocol::Http1 => http1::Builder::new().serve_connection(TokioIo::new(io), service).await,
                    Protocol::Http2 => http2::Builder::new(Here).serve_connection(TokioIo::new(io), service).await,
                };
            });
        }
    });
    (address, received)
}

/// A folder that is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = env::temp_dir().join(format!("bench-load-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_request_is_answered_and_counted_over_every_protocol() {
    let folder = Folder::new();
    let authority = certificates::make(&folder.0).unwrap();
    for exchange in [CHAT, STREAM] {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            for tls in [None, Some(acceptor(&folder.0, protocol))] {
                let report = task::block_on(async {
                    let authority = tls.is_some().then(|| authority.clone());
                    let (address, received) = mock(protocol, tls);
                    let mut plan = plan(address, protocol, exchange);
                    plan.door.authority = authority;
                    let report = perform(plan).await?;
                    assert_eq!(received.load(Ordering::Relaxed), report.sent);
                    Ok(report)
                });
                let report = report.unwrap();
                assert_eq!(report.first_error, None, "{protocol:?} {exchange:?}");
                assert!(report.answers > 0, "{protocol:?} {exchange:?}");
                assert!(report.latency.p50_us > 0.0 && report.first_byte.p50_us <= report.latency.p99_us);
            }
        }
    }
}

#[test]
fn an_open_loop_sends_at_its_own_rate() {
    let report = task::block_on(async {
        let (address, _) = mock(Protocol::Http1, None);
        perform(Plan { drive: Drive::Open { per_second: 100.0 }, ..plan(address, Protocol::Http1, CHAT) }).await
    });
    let report = report.unwrap();
    assert_eq!((report.sent, report.errors), (30, 0));
}

#[test]
fn held_streams_are_open_at_the_same_time() {
    let report = task::block_on(async {
        let (address, received) = mock(Protocol::Http1, None);
        let held = Plan { drive: Drive::Hold { streams: 70 }, ..plan(address, Protocol::Http1, HELD) };
        let report = perform(held).await?;
        assert_eq!(received.load(Ordering::Relaxed), 70);
        Ok(report)
    });
    let report = report.unwrap();
    assert_eq!((report.sent, report.errors), (70, 0));
    assert!(report.resident_kib > 0);
}

#[test]
fn an_answer_to_somebody_else_is_an_error() {
    let report = task::block_on(async {
        let (listener, address) = listener();
        task::spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service =
                    service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(chat())))) });
                task::spawn_local(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        perform(plan(address, Protocol::Http1, CHAT)).await
    });
    let report = report.unwrap();
    assert_eq!((report.errors, report.answers), (report.sent, 0));
    assert!(report.first_error.unwrap().contains("differs"));
}

#[test]
fn a_program_that_is_not_on_this_machine_is_never_asked() {
    let address = SocketAddr::from(([192, 0, 2, 1], 80));
    let error = task::block_on(perform(plan(address, Protocol::Http1, CHAT))).unwrap_err();
    assert_eq!(error.to_string(), "192.0.2.1:80 is not a loopback address");
}
