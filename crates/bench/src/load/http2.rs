//! Requests over HTTP/2, with hyper's client: several connections, several streams on each.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::check::Checker;
use super::client::Io;
use super::http1::Exchanged;
use crate::task::{self, Here};

/// A share of one connection.
#[derive(Clone)]
pub(super) struct Channel {
    sender: SendRequest<Full<Bytes>>,
    uri: String,
    authorization: String,
}

impl Channel {
    /// Opens a connection; its shares are clones.
    pub(super) async fn open(io: Box<dyn Io>, uri: String, authorization: String) -> Result<Self> {
        let (sender, connection) = handshake(Here, TokioIo::new(io)).await.context("no HTTP/2 connection")?;
        // How a connection ends is seen by the requests on it.
        task::spawn_local(connection);
        Ok(Self { sender, uri, authorization })
    }

    /// Sends a request with this body and reads the whole answer.
    pub(super) async fn exchange(&mut self, body: Bytes, checker: &mut Checker) -> Result<Exchanged> {
        let request = Request::post(&self.uri)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, &self.authorization)
            .body(Full::new(body))?;
        self.sender.ready().await.context("the connection is gone")?;
        let answer = self.sender.send_request(request).await.context("no answer")?;
        ensure!(answer.status() == StatusCode::OK, "status {}", answer.status());
        let mut body = answer.into_body();
        let mut first_byte = None;
        while let Some(frame) = body.frame().await {
            let Ok(part) = frame.context("the answer was cut")?.into_data() else { continue };
            first_byte.get_or_insert_with(Instant::now);
            checker.take(&part)?;
        }
        checker.finish()?;
        Ok(Exchanged { first_byte: first_byte.context("the answer is empty")?, reusable: true })
    }
}
