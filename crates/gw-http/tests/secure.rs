//! TLS towards a provider: whom we trust, what we show, which HTTP is spoken, and the way through a proxy.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and start what they need"
)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gw_http::observer::Deaf;
use gw_http::origin::{Identity, Origin, OriginSettings, Origins, Version};
use gw_http::proxy::ProxyChoice;
use gw_http::{Pools, RequestBody, SendError};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;

/// An authority, and the identities that it vouches for.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Arc<[u8]> {
        self.0.pem().into_bytes().into()
    }

    fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        Identity {
            certificate_pem: certificate.pem().into_bytes().into(),
            key_pem: key.serialize_pem().into_bytes().into(),
        }
    }
}

/// Whether a server asks for a client certificate.
enum Clients {
    Anybody,
    KnownTo(Box<Authority>),
}

/// Starts a server that answers each request with the version of HTTP it came in.
async fn serve(identity: &Identity, clients: &Clients, offered: &[&str]) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Clients::Anybody => builder.with_no_client_auth(),
        Clients::KnownTo(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(&authority.pem()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(&identity.certificate_pem).unwrap()];
    let mut config =
        builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(&identity.key_pem).unwrap()).unwrap();
    config.alpn_protocols = offered.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let io = TokioIo::new(stream);
                if http2 {
                    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(io, service_fn(tell)).await;
                } else {
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service_fn(tell)).await;
                }
            });
        }
    });
    address
}

async fn tell(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let version = format!("{:?}", request.version());
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    Ok(Response::new(Full::new([version.as_bytes(), b" ", &body].concat().into())))
}

fn settings(address: SocketAddr, authority: &Authority) -> OriginSettings {
    OriginSettings {
        label: "test".into(),
        secure: true,
        host: "localhost".to_owned(),
        port: address.port(),
        version: Version::Auto,
        ca_pem: Some(authority.pem()),
        identity: None,
        proxy: ProxyChoice::Direct,
        connect_timeout: Duration::from_secs(5),
        write_timeout: Duration::from_secs(5),
    }
}

fn origin(settings: OriginSettings) -> Arc<Origin> {
    Origins::default().intern(settings).unwrap()
}

/// Sends requests at the same time; gives each answer's body.
async fn ask(origin: &Arc<Origin>, count: usize) -> Vec<Result<Bytes, SendError>> {
    let pools = Rc::new(Pools::new(Rc::new(Deaf)));
    let one = |number: usize| {
        let (pools, origin) = (Rc::clone(&pools), Arc::clone(origin));
        async move {
            let body = RequestBody::held([Bytes::from(number.to_string())]);
            let response = pools.send(&origin, Box::new(Request::post("/x").body(body).unwrap())).await?;
            Ok(response.into_body().collect().await.unwrap().to_bytes())
        }
    };
    LocalSet::new().run_until(futures_util::future::join_all((0..count).map(one))).await
}

#[tokio::test]
async fn the_version_that_both_sides_want_is_spoken() {
    let authority = Authority::new();
    let identity = authority.identity("localhost");
    let both = serve(&identity, &Clients::Anybody, &["h2", "http/1.1"]).await;
    let old = serve(&identity, &Clients::Anybody, &["http/1.1"]).await;
    for (address, version, expected) in [
        (both, Version::Auto, Some("HTTP/2.0 0")),
        (both, Version::Http1, Some("HTTP/1.1 0")),
        (both, Version::Http2, Some("HTTP/2.0 0")),
        (old, Version::Auto, Some("HTTP/1.1 0")),
        (old, Version::Http2, None),
    ] {
        let origin = origin(OriginSettings { version, ..settings(address, &authority) });
        let answer = ask(&origin, 1).await.remove(0).ok();
        assert_eq!(answer.as_deref(), expected.map(str::as_bytes), "{version:?}");
    }
}

#[tokio::test]
async fn many_requests_share_http2_connections_and_each_gets_its_own_answer() {
    let authority = Authority::new();
    let address = serve(&authority.identity("localhost"), &Clients::Anybody, &["h2"]).await;
    let origin = origin(settings(address, &authority));
    let answers = ask(&origin, 300).await;
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), format!("HTTP/2.0 {number}"));
    }
}

#[tokio::test]
async fn a_server_that_nobody_we_trust_vouches_for_is_refused() {
    let authority = Authority::new();
    let stranger = serve(&Authority::new().identity("localhost"), &Clients::Anybody, &[]).await;
    let misnamed = serve(&authority.identity("somewhere.example"), &Clients::Anybody, &[]).await;
    for address in [stranger, misnamed] {
        let answer = ask(&origin(settings(address, &authority)), 1).await.remove(0);
        assert!(matches!(answer, Err(SendError::Unreachable(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_servers_that_want_one() {
    let authority = Authority::new();
    let clients = Authority::new();
    let ours = clients.identity("gateway");
    let address = serve(&authority.identity("localhost"), &Clients::KnownTo(Box::new(clients)), &["http/1.1"]).await;
    let known = OriginSettings { identity: Some(ours), ..settings(address, &authority) };
    assert_eq!(ask(&origin(known), 1).await.remove(0).unwrap(), "HTTP/1.1 0");
    assert!(ask(&origin(settings(address, &authority)), 1).await.remove(0).is_err());
}

#[tokio::test]
async fn tls_goes_through_a_proxys_tunnel_and_a_refusal_of_the_proxy_is_told() {
    let authority = Authority::new();
    let address = serve(&authority.identity("localhost"), &Clients::Anybody, &["http/1.1"]).await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let via = ProxyChoice::Via(format!("http://user:secret@{}", proxy.local_addr().unwrap()));
    let origin = origin(OriginSettings { proxy: via, ..settings(address, &authority) });
    tokio::spawn(async move {
        for refuses in [false, true] {
            let (mut near, _) = proxy.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(near.read_u8().await.unwrap());
            }
            let asked = String::from_utf8(asked).unwrap();
            assert!(asked.starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", address.port())), "{asked}");
            assert!(asked.contains("proxy-authorization: Basic dXNlcjpzZWNyZXQ=\r\n"), "{asked}");
            if refuses {
                near.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await.unwrap();
                continue;
            }
            near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            let mut far = TcpStream::connect(address).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
        }
    });
    assert_eq!(ask(&origin, 1).await.remove(0).unwrap(), "HTTP/1.1 0");
    let refused = ask(&origin, 1).await.remove(0).unwrap_err();
    assert!(refused.to_string().contains("407"), "{refused}");
    assert!(!refused.to_string().contains("secret"), "{refused}");
}
