//! The unit of every ratio: a proxy that only forwards, written as anybody would with hyper.
//!
//! Multi-threaded tokio, hyper's server, hyper-util's pooling client. It is not tuned, and must not be: the goals are
//! given as multiples of it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Args;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Builder;

use crate::{listen, system, task};

const IDLE_CONNECTIONS: usize = 4096;

/// Options of the pass-through.
#[derive(Args, Clone, Copy)]
pub(crate) struct Options {
    /// Loopback address to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// Address of the upstream.
    #[arg(long)]
    upstream: SocketAddr,
}

type Pool = Client<HttpConnector, Incoming>;
type Reply = Response<Either<Incoming, Full<Bytes>>>;

/// Serves until the process is ended.
pub(crate) fn run(options: Options) -> Result<()> {
    system::die_with_parent()?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let runtime =
        Builder::new_multi_thread().worker_threads(threads).enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(accept(options))
}

async fn accept(options: Options) -> Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let pool: Pool = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(IDLE_CONNECTIONS).build(connector);
    let authority: Arc<str> = options.upstream.to_string().into();
    let listener = listen::listen(options.listen)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        stream.set_nodelay(true)?;
        let (pool, authority) = (pool.clone(), Arc::clone(&authority));
        task::spawn(async move {
            let service = service_fn(move |request| forward(pool.clone(), Arc::clone(&authority), request));
            // A connection that breaks is seen by the load generator.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn forward(pool: Pool, authority: Arc<str>, request: Request<Incoming>) -> Result<Reply, Infallible> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let Ok(uri) = Uri::builder().scheme("http").authority(&*authority).path_and_query(path).build() else {
        return Ok(refuse(StatusCode::BAD_REQUEST, "the path cannot be forwarded"));
    };
    head.uri = uri;
    head.headers.remove(HOST);
    head.headers.remove(CONNECTION);
    let Ok(answer) = pool.request(Request::from_parts(head, body)).await else {
        return Ok(refuse(StatusCode::BAD_GATEWAY, "the upstream failed"));
    };
    let (mut head, body) = answer.into_parts();
    head.headers.remove(CONNECTION);
    Ok(Response::from_parts(head, Either::Left(body)))
}

fn refuse(status: StatusCode, reason: &'static str) -> Reply {
    let mut response = Response::new(Either::Right(Full::new(Bytes::from_static(reason.as_bytes()))));
    *response.status_mut() = status;
    response
}
