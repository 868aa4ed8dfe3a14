//! A hand-written HTTP/1.1 client: one prepared request after the other on one connection.
//!
//! It does as little as possible, so that the load generator takes little of the processors it shares.

use anyhow::{Context, Result, ensure};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::check::Checker;
use super::client::Io;
use super::framing::Head;

const BUFFER_BYTES: usize = 64 << 10;

/// One connection.
pub(super) struct Connection {
    io: Box<dyn Io>,
    buffer: Vec<u8>,
}

/// What an exchange has shown.
pub(super) struct Exchanged {
    /// When the first byte of the body came.
    pub(super) first_byte: Instant,
    /// Whether the connection may be used again.
    pub(super) reusable: bool,
}

impl Connection {
    /// Uses a connection that has just been made.
    pub(super) fn new(io: Box<dyn Io>) -> Self {
        Self { io, buffer: Vec::with_capacity(BUFFER_BYTES) }
    }

    /// Sends a prepared request and reads the whole answer.
    pub(super) async fn exchange(&mut self, request: &[u8], checker: &mut Checker) -> Result<Exchanged> {
        let (mut head, mut at) = self.send(request).await?;
        let mut first_byte = None;
        loop {
            if at < self.buffer.len() {
                first_byte.get_or_insert_with(Instant::now);
            }
            let mut take = |part: &[u8]| checker.take(part);
            if head.framing.feed(&self.buffer[at..], &mut take)? {
                break;
            }
            at = 0;
            ensure!(self.read_more().await?, "the connection ended within the answer");
        }
        checker.finish()?;
        Ok(Exchanged { first_byte: first_byte.context("the answer is empty")?, reusable: head.reusable })
    }

    /// Sends a request that is answered by a stream, and reads so many bytes of the answer.
    pub(super) async fn open(&mut self, request: &[u8], checker: &mut Checker, bytes: usize) -> Result<()> {
        let (mut head, mut at) = self.send(request).await?;
        let mut left = bytes;
        loop {
            let mut take = |part: &[u8]| {
                left = left.saturating_sub(part.len());
                checker.take(part)
            };
            ensure!(!head.framing.feed(&self.buffer[at..], &mut take)?, "the stream ended early");
            if left == 0 {
                return Ok(());
            }
            at = 0;
            ensure!(self.read_more().await?, "the connection ended within the stream");
        }
    }

    /// Sends a request and reads the head of the answer; the body begins in the buffer at the place returned.
    async fn send(&mut self, request: &[u8]) -> Result<(Head, usize)> {
        self.io.write_all(request).await.context("cannot send")?;
        self.io.flush().await.context("cannot send")?;
        self.buffer.clear();
        loop {
            let read = self.io.read_buf(&mut self.buffer).await.context("cannot read")?;
            ensure!(read > 0, "the connection ended before the answer");
            ensure!(self.buffer.len() < BUFFER_BYTES, "the answer's head is too long");
            if let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") {
                let at = end + 4;
                let head = Head::read(&self.buffer[..at])?;
                ensure!(head.status == 200, "status {}: {}", head.status, self.buffer[at..].escape_ascii());
                return Ok((head, at));
            }
        }
    }

    async fn read_more(&mut self) -> Result<bool> {
        self.buffer.clear();
        Ok(self.io.read_buf(&mut self.buffer).await.context("cannot read")? > 0)
    }
}
