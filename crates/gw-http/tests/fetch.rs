//! Fetching what a client names, from hosts that behave badly and by URLs that lead where they should not.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and start what they need"
)]

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use gw_http::{AddressGuard, FetchError, FetchLimits, Fetched, fetch};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

const LIMITS: FetchLimits = FetchLimits { bytes_max: 100 << 10, timeout: Duration::from_secs(5), redirects_max: 3 };
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: image/PNG; x=y\r\ncontent-length: 5\r\n\r\nbytes";

fn loopback() -> AddressGuard {
    AddressGuard::public().allowing("127.0.0.0/8".parse().unwrap()).allowing("::1".parse().unwrap())
}

/// A host that gives these answers, each on a connection of its own, and then tells what it was asked.
struct Host {
    address: SocketAddr,
    asked: JoinHandle<Vec<String>>,
}

impl Host {
    async fn new<A: AsRef<[u8]> + Send + 'static>(answers: impl IntoIterator<Item = A>) -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").await.unwrap(), answers)
    }

    fn at<A: AsRef<[u8]> + Send + 'static>(listener: TcpListener, answers: impl IntoIterator<Item = A>) -> Self {
        let address = listener.local_addr().unwrap();
        let answers: Vec<A> = answers.into_iter().collect();
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                asked.push(read_head(&mut stream).await);
                // Whoever has read enough is gone.
                let _ = stream.write_all(answer.as_ref()).await;
            }
            asked
        });
        Self { address, asked }
    }

    fn url(&self) -> String {
        format!("http://{}/a", self.address)
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Fetches from a host that gives one answer.
async fn answered_with(answer: impl AsRef<[u8]> + Send + 'static) -> Result<Fetched, FetchError> {
    let host = Host::new([answer]).await;
    fetch(&host.url(), LIMITS, &loopback()).await
}

fn redirect_to(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}

#[tokio::test]
async fn bytes_and_their_type_are_fetched_and_nothing_is_told_of_the_gateway() {
    let host = Host::new([OK]).await;
    let url = format!("http://LOCALHOST:{}/a b?c=d#e", host.address.port());
    let fetched = fetch(&url, LIMITS, &loopback()).await.unwrap();
    assert_eq!(fetched, Fetched { media_type: Some("image/png".to_owned()), bytes: "bytes".into() });
    let expected = format!(
        "GET /a%20b?c=d HTTP/1.1\r\nhost: localhost:{}\r\nuser-agent: ai-gateway\r\naccept: */*\r\n\
         accept-encoding: identity\r\nconnection: close\r\n\r\n",
        host.address.port()
    );
    assert_eq!(host.asked.await.unwrap(), [expected]);
}

#[tokio::test]
async fn a_body_in_chunks_or_to_the_end_of_the_connection_is_fetched_whole() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nbyt\r\n2\r\nes\r\n0\r\n\r\n";
    for answer in
        [chunked, "HTTP/1.0 200 OK\r\n\r\nbytes", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbytes"]
    {
        let fetched = answered_with(answer).await.unwrap();
        assert_eq!(fetched, Fetched { media_type: None, bytes: "bytes".into() }, "{answer}");
    }
    assert!(answered_with("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap().bytes.is_empty());
}

#[tokio::test]
async fn an_ipv6_address_is_fetched_from() {
    // Not every machine has one.
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
    let host = Host::at(listener, [OK]);
    assert_eq!(fetch(&host.url(), LIMITS, &loopback()).await.unwrap().bytes, "bytes");
    assert!(host.asked.await.unwrap()[0].contains(&format!("\r\nhost: {}\r\n", host.address)));
}

#[tokio::test]
async fn redirects_are_followed_but_not_for_ever() {
    let other = Host::new([OK]).await;
    let last = redirect_to(&other.url());
    let host = Host::new([redirect_to("b/c"), redirect_to("/d?e"), last]).await;
    assert_eq!(fetch(&host.url(), LIMITS, &loopback()).await.unwrap().bytes, "bytes");
    let asked: Vec<String> =
        host.asked.await.unwrap().iter().map(|head| head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(asked, ["GET /a HTTP/1.1", "GET /b/c HTTP/1.1", "GET /d?e HTTP/1.1"]);

    let host = Host::new((0..4).map(|_| redirect_to("/a"))).await;
    let error = fetch(&host.url(), LIMITS, &loopback()).await.unwrap_err();
    assert!(matches!(error, FetchError::TooManyRedirects(3)), "{error:?}");
    assert_eq!(host.asked.await.unwrap().len(), 4);

    let host = Host::new([redirect_to("/a")]).await;
    let limits = FetchLimits { redirects_max: 0, ..LIMITS };
    assert!(matches!(fetch(&host.url(), limits, &loopback()).await, Err(FetchError::TooManyRedirects(0))));
}

#[tokio::test]
async fn a_redirect_to_where_a_url_may_not_lead_is_refused() {
    let guard = AddressGuard::public().allowing("127.0.0.1".parse().unwrap());
    for location in [
        "http://127.0.0.2/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "https://192.168.0.1/",
        "//172.16.0.1/",
    ] {
        let host = Host::new([redirect_to(location)]).await;
        let error = fetch(&host.url(), LIMITS, &guard).await.unwrap_err();
        assert!(matches!(error, FetchError::NotPublic), "{location}: {error:?}");
    }
    for location in
        ["ftp://127.0.0.1/", "file:///etc/passwd", "http://user@127.0.0.1/", "http://0x7f.1/", "//2130706433/"]
    {
        let host = Host::new([redirect_to(location)]).await;
        let error = fetch(&host.url(), LIMITS, &guard).await.unwrap_err();
        assert!(matches!(error, FetchError::Url(_)), "{location}: {error:?}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_public_is_not_even_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[::7f00:1]", "0.0.0.0", "[::]"]
    {
        let error = fetch(&format!("http://{host}:{port}/"), LIMITS, &AddressGuard::public()).await.unwrap_err();
        assert!(matches!(error, FetchError::NotPublic), "{host}: {error:?}");
        assert_eq!(error.to_string(), "the host does not have a public address");
    }
    // Allowed or not, an address has one spelling.
    for host in ["0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.1"] {
        let error = fetch(&format!("http://{host}:{port}/"), LIMITS, &loopback()).await.unwrap_err();
        assert!(matches!(error, FetchError::Url(_)), "{host}: {error:?}");
    }
    let user = format!("http://user:password@127.0.0.1:{port}/");
    assert!(matches!(fetch(&user, LIMITS, &loopback()).await, Err(FetchError::Url(_))));
    let knock = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(knock.is_err(), "there was a connection");
}

#[tokio::test]
async fn what_is_too_large_is_given_up_whether_it_says_so_or_not() {
    let limit = LIMITS.bytes_max;
    let body = "x".repeat(limit + 1);
    let declared = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", u64::MAX);
    let until_close = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
    let chunked =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", limit + 1);
    for answer in [declared, until_close, chunked] {
        let error = answered_with(answer).await.unwrap_err();
        assert!(matches!(error, FetchError::TooLarge(max) if max == limit), "{error:?}");
    }
    let just = &body[1..];
    let declared = format!("HTTP/1.1 200 OK\r\ncontent-length: {limit}\r\n\r\n{just}");
    for answer in [declared, format!("HTTP/1.1 200 OK\r\n\r\n{just}")] {
        assert_eq!(answered_with(answer).await.unwrap().bytes, just);
    }
}

#[tokio::test]
async fn a_host_that_is_slow_is_given_up_at_any_stage() {
    let limits = FetchLimits { timeout: Duration::from_millis(150), ..LIMITS };
    for begun in ["", "HTTP/1.1 200 OK\r\nx: ", "HTTP/1.1 200 OK\r\n\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            // Always something, never the end.
            while stream.write_all(if begun.is_empty() { b"" } else { b"x" }).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let fetched = tokio::time::timeout(Duration::from_secs(2), fetch(&url, limits, &loopback())).await;
        let error = fetched.expect("hangs").unwrap_err();
        assert!(matches!(error, FetchError::Timeout(_)), "{begun}: {error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_a_whole_200_is_an_error_of_its_own_kind() {
    type Kind = fn(&FetchError) -> bool;
    let cases: [(&str, Kind); 10] = [
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", |error| {
            error.to_string() == "the host answered with status 404"
        }),
        ("HTTP/1.1 206 Partial Content\r\n\r\nx", |error| matches!(error, FetchError::Status(_))),
        ("HTTP/1.1 304 Not Modified\r\n\r\n", |error| matches!(error, FetchError::Status(_))),
        ("HTTP/1.1 302 Found\r\n\r\n", |error| matches!(error, FetchError::NoLocation)),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nx", |error| matches!(error, FetchError::Compressed)),
        ("SSH-2.0-OpenSSH_9.9\r\n", |error| matches!(error, FetchError::NotHttp)),
        ("+PONG\r\n", |error| matches!(error, FetchError::NotHttp)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", |error| matches!(error, FetchError::NotHttp)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", |error| matches!(error, FetchError::Interrupted)),
        ("", |error| matches!(error, FetchError::Interrupted)),
    ];
    for (answer, is_expected) in cases {
        let error = answered_with(answer).await.unwrap_err();
        assert!(is_expected(&error), "{answer:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = fetch(&url, LIMITS, &loopback()).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    // A label of more than 63 bytes (RFC 1035 §2.3.4): the resolver need not ask anybody.
    let url = format!("http://{}.invalid/", "x".repeat(64));
    let error = fetch(&url, LIMITS, &loopback()).await.unwrap_err();
    assert!(matches!(error, FetchError::Unresolved(_)), "{error:?}");
}

/// A host that speaks TLS under the name of `localhost`, and the PEM of the authority that vouches for it.
async fn secure_host(answers: Vec<String>) -> (SocketAddr, String) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut answers = answers.into_iter().cycle();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            read_head(&mut stream).await;
            stream.write_all(answers.next().unwrap().as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
        }
    });
    (address, authority.pem())
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_for_the_name_in_the_url() {
    // Which authorities the system trusts is read once a process, so that the trusting half is another process.
    const URL: &str = "GW_HTTP_TEST_URL";
    if let Ok(url) = std::env::var(URL) {
        assert_eq!(fetch(&url, LIMITS, &loopback()).await.unwrap().bytes, "bytes");
        let error = fetch(&url, LIMITS, &loopback()).await.unwrap_err();
        assert!(matches!(error, FetchError::Downgrade), "{error:?}");
        let error = fetch(&url.replace("localhost", "127.0.0.1"), LIMITS, &loopback()).await.unwrap_err();
        assert!(matches!(error, FetchError::Tls(_)), "{error:?}");
        return;
    }
    let (address, authority) = secure_host(vec![OK.to_owned(), redirect_to("http://127.0.0.1:1024/")]).await;
    let url = format!("https://localhost:{}/", address.port());
    let error = fetch(&url, LIMITS, &loopback()).await.unwrap_err();
    assert!(matches!(error, FetchError::Tls(_)), "{error:?}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, authority).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "a_certificate_must_be_trusted_and_for_the_name_in_the_url"]);
    child.env(URL, url).env("SSL_CERT_FILE", file).env_remove("SSL_CERT_DIR");
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}
