//! HTTP/1.1 by hand, so that what is on the wire can be compared byte for byte. Both sides of a test use it.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use socket2::{SockRef, Socket};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// What bytes come through: a socket, or TLS over one.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The connection ended in the middle.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut;

/// One end of a connection.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    /// The socket under the stream, for what TLS does not offer.
    socket: Socket,
    pending: Vec<u8>,
}

/// The head of a request or of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// The whole of it, with the empty line.
    pub(crate) raw: String,
    /// The request line or the status line.
    pub(crate) first_line: String,
    /// Names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Left(usize),
    Chunked,
    UntilClose,
    Ended,
}

impl Wire {
    pub(crate) fn clear(stream: TcpStream) -> Self {
        let socket = SockRef::from(&stream).try_clone().unwrap();
        Self { stream: Box::new(stream), socket, pending: Vec::new() }
    }

    /// `stream` speaks TLS over `socket`.
    pub(crate) fn tls(stream: impl Stream + 'static, socket: Socket) -> Self {
        Self { stream: Box::new(stream), socket, pending: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Ends the connection as a process that dies does: whatever was not read is thrown away on both sides.
    pub(crate) fn reset(self) {
        self.reset_when_dropped();
    }

    /// From now on, dropping it ends the connection as a process that dies does.
    pub(crate) fn reset_when_dropped(&self) {
        self.socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Sends nothing more, and still takes what the other side sends.
    pub(crate) fn half_close(&self) {
        // The other side may be gone already.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Reads until the other side is gone.
    pub(crate) async fn gone(&mut self) {
        while self.read_more().await {
            self.pending.clear();
        }
    }

    /// The next head; `None` if the connection ended before it began.
    pub(crate) async fn head(&mut self) -> Result<Option<Head>, Cut> {
        loop {
            if let Some(end) = find(&self.pending, b"\r\n\r\n") {
                let raw: Vec<u8> = self.pending.drain(..end + 4).collect();
                return Ok(Some(Head::parse(&String::from_utf8(raw).unwrap())));
            }
            if !self.read_more().await {
                return if self.pending.is_empty() { Ok(None) } else { Err(Cut) };
            }
        }
    }

    /// The next piece of a body, as it comes; `None` at its end.
    pub(crate) async fn piece(&mut self, framing: &mut Framing) -> Result<Option<Vec<u8>>, Cut> {
        match *framing {
            Framing::Ended | Framing::Left(0) => Ok(None),
            Framing::Left(left) => {
                if self.pending.is_empty() && !self.read_more().await {
                    return Err(Cut);
                }
                let piece: Vec<u8> = self.pending.drain(..left.min(self.pending.len())).collect();
                *framing = Framing::Left(left - piece.len());
                Ok(Some(piece))
            }
            Framing::UntilClose => {
                if self.pending.is_empty() && !self.read_more().await {
                    *framing = Framing::Ended;
                    return Ok(None);
                }
                Ok(Some(std::mem::take(&mut self.pending)))
            }
            Framing::Chunked => {
                let line = self.line().await?;
                let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).unwrap();
                let mut piece = self.exactly(size + 2).await?;
                assert_eq!(piece.split_off(size), b"\r\n");
                if size == 0 {
                    *framing = Framing::Ended;
                    return Ok(None);
                }
                Ok(Some(piece))
            }
        }
    }

    /// The rest of a body.
    pub(crate) async fn rest(&mut self, framing: &mut Framing) -> (Vec<u8>, Result<(), Cut>) {
        let mut body = Vec::new();
        loop {
            match self.piece(framing).await {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => return (body, Ok(())),
                Err(cut) => return (body, Err(cut)),
            }
        }
    }

    async fn line(&mut self) -> Result<String, Cut> {
        loop {
            if let Some(end) = find(&self.pending, b"\r\n") {
                let line: Vec<u8> = self.pending.drain(..end + 2).take(end).collect();
                return Ok(String::from_utf8(line).unwrap());
            }
            if !self.read_more().await {
                return Err(Cut);
            }
        }
    }

    async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Cut> {
        while self.pending.len() < count {
            if !self.read_more().await {
                return Err(Cut);
            }
        }
        Ok(self.pending.drain(..count).collect())
    }

    async fn read_more(&mut self) -> bool {
        let mut buffer = vec![0; 64 << 10];
        let count = self.stream.read(&mut buffer).await.unwrap_or(0);
        self.pending.extend_from_slice(&buffer[..count]);
        count > 0
    }
}

impl Head {
    fn parse(raw: &str) -> Self {
        let mut lines = raw.split("\r\n").filter(|line| !line.is_empty());
        let first_line = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a header: {line:?}"));
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        Self { raw: raw.to_owned(), first_line, headers }
    }

    /// The header's value, if it is there once.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let first = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice:\n{}", self.raw);
        first
    }

    /// How the body after this head ends, if nothing else says so: `otherwise`.
    pub(crate) fn framing(&self, otherwise: Framing) -> Framing {
        if self.get("transfer-encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked")) {
            return Framing::Chunked;
        }
        self.get("content-length").map_or(otherwise, |length| Framing::Left(length.parse().unwrap()))
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
