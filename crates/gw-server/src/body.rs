//! Reads what the client sent, under its limits.

use std::io::Read;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use gw_core::{Error, ErrorCode};
use gw_engine::Snapshot;
use gw_engine::budget::{Budget, Taken};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// What a client's body may be.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Bytes, after decompression.
    pub bytes_max: usize,
    /// Between two reads.
    pub timeout: Duration,
    /// When the request's total time is over.
    pub deadline: Instant,
}

impl BodyLimits {
    /// For a request whose total time began then.
    pub fn of(snapshot: &Snapshot, began: Instant) -> Self {
        Self {
            bytes_max: snapshot.body_bytes_max,
            timeout: snapshot.body_timeout,
            deadline: began + snapshot.request_timeout,
        }
    }
}

/// Reads a body whole, decompressed.
///
/// # Errors
/// `request_too_large`, `request_timeout`, `unsupported_media_type`, `overloaded`, or `client_closed` if it broke off.
pub async fn read(
    mut incoming: Incoming,
    headers: &HeaderMap,
    limits: BodyLimits,
    budget: &Arc<Budget>,
) -> Result<(Bytes, Taken), Error> {
    let encoding = Encoding::of(headers)?;
    if incoming.size_hint().lower() > limits.bytes_max as u64 {
        return Err(too_large(limits.bytes_max));
    }
    let mut held = budget.nothing();
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(piece) = next(&mut incoming, &limits).await? {
        if first.len() + more.len() + piece.len() > limits.bytes_max {
            return Err(too_large(limits.bytes_max));
        }
        held.hold(first.len() + more.len(), piece.len())?;
        if first.is_empty() && more.is_empty() {
            // A small body comes in one piece and is not copied.
            first = piece;
            continue;
        }
        if more.is_empty() {
            let expected = usize::try_from(incoming.size_hint().lower()).unwrap_or(0).min(limits.bytes_max);
            more.reserve(first.len() + piece.len() + expected);
            more.extend_from_slice(&std::mem::take(&mut first));
        }
        more.extend_from_slice(&piece);
    }
    let body = if more.is_empty() { first } else { more.freeze() };
    let body = encoding.decode(body, limits.bytes_max, &mut held)?;
    Ok((body, held))
}

async fn next(incoming: &mut Incoming, limits: &BodyLimits) -> Result<Option<Bytes>, Error> {
    loop {
        let frame = match poll_now(incoming).await {
            Some(ready) => ready,
            None => {
                let silent = Instant::now() + limits.timeout;
                let waited = timeout_at(silent.min(limits.deadline), incoming.frame()).await;
                waited.map_err(|_| late(limits, silent))?
            }
        };
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(Error::new(ErrorCode::ClientClosed, "the request's body broke off")),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn late(limits: &BodyLimits, silent: Instant) -> Error {
    let message = if silent < limits.deadline {
        format!("no part of the request's body came for {} ms", limits.timeout.as_millis())
    } else {
        "the request's body did not come whole within the request's total time".to_owned()
    };
    Error::new(ErrorCode::RequestTimeout, message)
}

type Framed = Option<Result<http_body::Frame<Bytes>, hyper::Error>>;

/// What is there already: most bodies come with their head, and need no timer.
async fn poll_now(incoming: &mut Incoming) -> Option<Framed> {
    let mut frame = pin!(incoming.frame());
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match frame.as_mut().poll(context) {
            std::task::Poll::Ready(ready) => Some(ready),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Deflate,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else {
            return Ok(Self::Identity);
        };
        match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            _ => Err(Error::new(
                ErrorCode::UnsupportedMediaType,
                "the body's content-encoding is not supported; send it as it is, or as gzip or deflate",
            )),
        }
    }

    fn decode(self, body: Bytes, bytes_max: usize, held: &mut Taken) -> Result<Bytes, Error> {
        match self {
            Self::Identity => Ok(body),
            Self::Gzip => inflate(MultiGzDecoder::new(body.reader()), bytes_max, held),
            Self::Deflate => inflate(ZlibDecoder::new(body.reader()), bytes_max, held),
        }
    }
}

/// Decompresses up to the limit and no further: a few kilobytes may stand for gigabytes.
fn inflate(decoder: impl Read, bytes_max: usize, held: &mut Taken) -> Result<Bytes, Error> {
    let mut plain = Vec::new();
    decoder.take(bytes_max as u64 + 1).read_to_end(&mut plain).map_err(|_| {
        Error::new(ErrorCode::InvalidRequest, "the body is not what its content-encoding says, or is cut short")
    })?;
    if plain.len() > bytes_max {
        return Err(too_large(bytes_max));
    }
    held.hold(0, plain.len())?;
    Ok(plain.into())
}

fn too_large(bytes_max: usize) -> Error {
    Error::new(ErrorCode::RequestTooLarge, format!("the request's body is larger than the limit of {bytes_max} bytes"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(plain: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn a_small_body_that_decompresses_beyond_the_limit_is_refused() {
        let budget = Budget::new("held bytes", usize::MAX);
        let mut held = budget.nothing();
        let bomb = gzip(&vec![b'a'; 1 << 20]);
        assert!(bomb.len() < 4_096);
        let error = Encoding::Gzip.decode(bomb, 1 << 16, &mut held).unwrap_err();
        assert_eq!(error.code, ErrorCode::RequestTooLarge);
    }

    #[test]
    fn a_compressed_body_is_read_and_a_broken_one_is_the_clients_fault() {
        let budget = Budget::new("held bytes", usize::MAX);
        let mut held = budget.nothing();
        let whole = gzip(b"{\"model\":\"x\"}");
        assert_eq!(Encoding::Gzip.decode(whole.clone(), 1_000, &mut held).unwrap(), "{\"model\":\"x\"}");
        let error = Encoding::Gzip.decode(whole.slice(..whole.len() - 6), 1_000, &mut held).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest);
    }
}
