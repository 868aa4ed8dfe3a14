//! The mock upstream: answers like OpenAI, Anthropic, Google or Amazon Bedrock, whoever's path is asked, at once, with
//! what the request's directive says.
//!
//! `GET /bench/received` tells how many requests arrived.

mod answer;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::Result;
use bytes::Bytes;
use clap::Args;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use memchr::memmem;

use self::answer::{Answer, Texts};
use crate::exchange::{Directive, Wire};
use crate::{listen, system, task};

/// Options of the mock upstream.
#[derive(Args, Clone, Copy)]
pub(crate) struct Options {
    /// Loopback address to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// Single-threaded event loops.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

/// Serves until the process is ended.
pub(crate) fn run(options: Options) -> Result<()> {
    system::die_with_parent()?;
    let received = Arc::new(AtomicU64::new(0));
    task::per_core(options.threads, move || accept(options.listen, Mock::new(Arc::clone(&received))))
}

async fn accept(address: SocketAddr, mock: Mock) -> Result<()> {
    let listener = listen::listen(address)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        stream.set_nodelay(true)?;
        let mock = mock.clone();
        task::spawn_local(async move {
            let service = service_fn(|request| mock.serve(request));
            // A client that leaves in the middle of an answer is not the mock's mistake: the load generator counts.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// What answers.
#[derive(Clone)]
pub(crate) struct Mock {
    received: Arc<AtomicU64>,
    texts: Rc<Texts>,
}

impl Mock {
    /// Prepares the answers; requests are counted.
    pub(crate) fn new(received: Arc<AtomicU64>) -> Self {
        Self { received, texts: Rc::new(Texts::prepare()) }
    }

    /// Answers one request.
    pub(crate) async fn serve(&self, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
        let (head, body) = request.into_parts();
        if head.method == Method::GET {
            let count = Bytes::from(self.received.load(Relaxed).to_string());
            return Ok(response(StatusCode::OK, "text/plain", Answer::Whole(count)));
        }
        self.received.fetch_add(1, Relaxed);
        let Ok(body) = body.collect().await else { return Ok(refuse("the request's body was cut")) };
        let body = body.to_bytes();
        let Some(directive) = Directive::read(&body) else { return Ok(refuse("the request is not whole")) };
        let template = match (head.uri.path(), Wire::of_path(head.uri.path())) {
            ("/v1/embeddings", _) => &self.texts.embeddings,
            (_, Some((wire, stream))) if stream.unwrap_or_else(|| asks(&body, "stream")) => {
                return Ok(self.stream(wire, directive, asks(&body, "include_usage")));
            }
            (_, Some((wire, _))) => &self.texts.of(wire).chat,
            (_, None) => return Ok(refuse("the path is not one of the mock's")),
        };
        Ok(response(StatusCode::OK, "application/json", Answer::Whole(template.filled(directive.nonce, 0))))
    }

    fn stream(&self, wire: Wire, directive: Directive, usage: bool) -> Response<Answer> {
        let answer = Answer::stream(Rc::clone(&self.texts), wire, directive, usage);
        let mut streamed = response(StatusCode::OK, wire.stream_media_type(), answer);
        // As servers of streams tell nginx, which would collect them otherwise.
        streamed.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        streamed
    }
}

/// Whether a flag stands in the body, set to true. Quotes inside of strings are escaped, so prompts cannot set it.
fn asks(body: &[u8], flag: &str) -> bool {
    let key = format!("\"{flag}\":");
    memmem::rfind(body, key.as_bytes()).is_some_and(|at| body[at + key.len()..].trim_ascii_start().starts_with(b"true"))
}

fn refuse(reason: &'static str) -> Response<Answer> {
    response(StatusCode::BAD_REQUEST, "text/plain", Answer::Whole(Bytes::from_static(reason.as_bytes())))
}

fn response(status: StatusCode, content_type: &'static str, answer: Answer) -> Response<Answer> {
    let mut response = Response::new(answer);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_counts_only_when_it_is_true_and_not_part_of_a_prompt() {
        assert!(asks(br#"{"messages":[],"stream":true}"#, "stream"));
        assert!(asks(br#"{"stream": true,"stream_options":{"include_usage": true}}"#, "include_usage"));
        assert!(!asks(br#"{"stream":false}"#, "stream"));
        assert!(!asks(br#"{"content":"\"stream\":true"}"#, "stream"));
    }
}
