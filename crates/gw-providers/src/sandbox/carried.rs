//! Pictures, audio, files and batches: just enough that they can be tried.

use bytes::{BufMut, Bytes, BytesMut};
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::problem::Problem;
use super::wire::{self, CREATED};
use super::{SandboxBody, json, with_type};

/// A picture of one grey point.
const PNG_BASE64: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";
/// Of the recording: a tenth of a second of silence, 16 bits for each sample.
const SAMPLES: u32 = 1_600;
const SAMPLE_RATE_HZ: u32 = 16_000;

/// Answers what does not name its model in JSON.
pub(super) fn respond(method: &Method, path: &str, body: &Bytes) -> Response<SandboxBody> {
    let names: Vec<&str> = path.split('/').skip(1).collect();
    match (method.as_str(), names.as_slice()) {
        ("POST", ["images", "edits" | "variations"]) => images(),
        ("POST", ["audio", "transcriptions" | "translations"]) => transcription(body),
        ("POST", ["files"]) => object(&file(&format!("file-sandbox-{:08x}", hash(body)))),
        ("GET", ["files" | "batches"]) => object(&json!({ "object": "list", "data": [], "has_more": false })),
        ("GET", ["files", _, "content"]) => text("application/octet-stream", "the sandbox keeps no files\n"),
        ("GET", ["files", id]) => object(&file(id)),
        ("DELETE", ["files", id]) => object(&json!({ "id": id, "object": "file", "deleted": true })),
        ("POST", ["batches"]) => object(&batch(&format!("batch-sandbox-{:08x}", hash(body)))),
        ("GET", ["batches", id]) | ("POST", ["batches", id, "cancel"]) => object(&batch(id)),
        _ => Problem::unknown_path(path).into_response(),
    }
}

/// One picture.
pub(super) fn images() -> Response<SandboxBody> {
    object(&json!({
        "created": CREATED,
        "data": [{ "b64_json": PNG_BASE64 }],
        "usage": { "input_tokens": 1, "output_tokens": 1, "total_tokens": 2 },
    }))
}

/// A recording of silence (RIFF WAVE).
pub(super) fn speech() -> Response<SandboxBody> {
    let data_bytes = SAMPLES * 2;
    let mut wave = BytesMut::new();
    wave.put_slice(b"RIFF");
    wave.put_u32_le(36 + data_bytes);
    wave.put_slice(b"WAVEfmt ");
    wave.put_u32_le(16);
    // Plain samples, one channel.
    wave.put_u16_le(1);
    wave.put_u16_le(1);
    wave.put_u32_le(SAMPLE_RATE_HZ);
    wave.put_u32_le(SAMPLE_RATE_HZ * 2);
    wave.put_u16_le(2);
    wave.put_u16_le(16);
    wave.put_slice(b"data");
    wave.put_u32_le(data_bytes);
    wave.put_bytes(0, data_bytes as usize);
    with_type(StatusCode::OK, "audio/wav", SandboxBody::whole(wave.freeze()))
}

/// What was heard is how much was sent: as JSON, as a stream, or as text.
fn transcription(body: &Bytes) -> Response<SandboxBody> {
    let says = |field: &str| body.windows(field.len()).any(|part| part == field.as_bytes());
    let heard = format!("The sandbox heard {} bytes.", body.len());
    let usage = json!({ "type": "tokens", "input_tokens": 1, "output_tokens": 5, "total_tokens": 6 });
    if says("name=\"stream\"\r\n\r\ntrue") {
        let delta = wire::event(&json!({ "type": "transcript.text.delta", "delta": heard }));
        let done = wire::event(&json!({ "type": "transcript.text.done", "text": heard, "usage": usage }));
        let body = SandboxBody::flowing([delta, done].into_iter());
        return with_type(StatusCode::OK, "text/event-stream", body);
    }
    if says("name=\"response_format\"\r\n\r\ntext") {
        return text("text/plain; charset=utf-8", &format!("{heard}\n"));
    }
    object(&json!({ "text": heard, "usage": usage }))
}

fn file(id: &str) -> Value {
    json!({
        "id": id, "object": "file", "bytes": 0, "created_at": CREATED, "filename": "sandbox", "purpose": "batch",
        "status": "processed",
    })
}

fn batch(id: &str) -> Value {
    json!({
        "id": id, "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "file-sandbox",
        "completion_window": "24h", "status": "completed", "created_at": CREATED,
        "request_counts": { "total": 0, "completed": 0, "failed": 0 },
    })
}

fn object(value: &Value) -> Response<SandboxBody> {
    json(StatusCode::OK, SandboxBody::whole(wire::to_json(value)))
}

fn text(content_type: &'static str, text: &str) -> Response<SandboxBody> {
    with_type(StatusCode::OK, content_type, SandboxBody::whole(Bytes::copy_from_slice(text.as_bytes())))
}

/// FNV-1a: tells bodies apart.
fn hash(body: &[u8]) -> u32 {
    body.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
