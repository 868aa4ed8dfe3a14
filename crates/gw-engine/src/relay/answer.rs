//! What becomes of a provider's answer to a request that was carried: it flows, but for what says where things are kept.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use gw_core::{Error, ErrorCode, Operation, Usage};
use gw_dialects::carried_usage::Learner;
use gw_dialects::scan::{self, Object};
use gw_dialects::{DialectId, carried_counts, edit, error as dialect_error};
use gw_providers::attempt::Answer;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

use super::homes::Asker;
use super::target::object_id;
use super::{Asked, RelayCall};
use crate::budget::Taken;
use crate::dispatch::{Attempt, AttemptCredential};
use crate::masking::Shown;
use crate::media_type::is_json;
use crate::meter::Meter;
use crate::refusal::ERROR_BYTES_MAX;
use crate::reply::{Content, Reply};

/// An answer that says where things are kept: a list of them is the longest.
const OBJECT_BYTES_MAX: usize = 16 << 20;
/// Members of such an answer that name what was made.
const NAMES_MADE: [&str; 5] = ["id", "output_file_id", "error_file_id", "file_id", "result_file_id"];
/// Headers with which a provider would speak for the gateway's own address.
const NOT_OURS: [HeaderName; 4] = [
    HeaderName::from_static("set-cookie2"),
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("service-worker-allowed"),
    HeaderName::from_static("x-api-key"),
];

pub(crate) async fn reply(
    attempt: &Attempt<'_>,
    call: &RelayCall<'_>,
    asker: Asker<'_>,
    used: Option<Usage>,
    response: Response<Answer>,
    meter: &mut Meter,
) -> Result<Reply, Error> {
    let status = response.status();
    if is_refusal(status) && (matches!(call.asked, Asked::Operation(_)) || is_about_our_credential(attempt, status)) {
        return Err(attempt.refusal(response, dialect_error::decode_error).await);
    }
    let (parts, answer) = response.into_parts();
    let headers = forwardable(parts.headers);
    if let Asked::Operation(carried) = call.asked
        && is_about_objects(carried.dialect, carried.rest)
        && is_json(&headers)
    {
        let (mut body, held) = whole(attempt, answer, meter).await?;
        if let Some(used) = used {
            // What is asked of a film that is there is billed only if another is made.
            let told = carried_counts::of_video(&body).filter(|told| told.media_ms > 0 || carried.rest.is_empty());
            meter.used(told.map(|told| used.merge(told)));
        }
        // What was deleted is not remembered.
        if call.method != Method::DELETE {
            remember(attempt, asker, &body);
        }
        if !asker.shared && object_id(carried.dialect, carried.rest).is_none() {
            body = only_own(attempt, asker, body);
        }
        return Ok(Reply { status, headers, content: Content::Whole(body, Some(held)) });
    }
    if is_refusal(status) {
        meter.interrupted(code_of(status));
        let shown = parts.extensions.get::<Shown>();
        return Ok(Reply { status, headers, content: refusal(attempt, answer, shown, meter).await? });
    }
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let mut learner = Box::new(Learner::new(content_type));
    if let (Some(used), Asked::Operation(carried)) = (used, call.asked) {
        if used != Usage::default() {
            // A client that leaves before the answer is over is billed for it.
            meter.used(Some(used));
        }
        *learner = learner.billed(carried.dialect.operation(), used);
    }
    Ok(Reply { status, headers, content: Content::Carried(answer, learner) })
}

/// What a refusal says, our credential masked. It is searched before it flows, as far as errors are read.
async fn refusal(
    attempt: &Attempt<'_>,
    mut answer: Answer,
    shown: Option<&Shown>,
    meter: &mut Meter,
) -> Result<Content, Error> {
    let mut body = BytesMut::new();
    let mut has_ended = false;
    while body.len() < ERROR_BYTES_MAX && !has_ended {
        match answer.data().await {
            Some(piece) => body.extend_from_slice(&piece.map_err(|error| attempt.failed(&error))?),
            None => has_ended = true,
        }
        meter.received();
    }
    let body = shown.and_then(|shown| shown.masked(&body)).unwrap_or_else(|| body.freeze());
    Ok(match has_ended {
        true => Content::Whole(body, None),
        false => Content::Flowing(VecDeque::from([body]), answer),
    })
}

fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// What providers say of a wrong key repeats parts of it.
fn is_about_our_credential(attempt: &Attempt<'_>, status: StatusCode) -> bool {
    matches!(attempt.credential, AttemptCredential::Configured)
        && matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// What the record says of a refusal that goes to the client as it is.
fn code_of(status: StatusCode) -> ErrorCode {
    match status.as_u16() {
        429 => ErrorCode::ProviderRateLimited,
        503 | 529 => ErrorCode::ProviderOverloaded,
        500.. => ErrorCode::ProviderFailed,
        _ => ErrorCode::ProviderRejected,
    }
}

fn forwardable(mut headers: HeaderMap) -> HeaderMap {
    let cors: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in cors.iter().chain(&NOT_OURS) {
        headers.remove(name);
    }
    headers
}

/// Whether an answer says where something is kept, and does not hold what is kept.
fn is_about_objects(dialect: DialectId, rest: &str) -> bool {
    let operation = dialect.operation();
    matches!(operation, Operation::Files | Operation::Batches | Operation::FineTuning | Operation::Videos)
        && !rest.ends_with("/content")
}

async fn whole(attempt: &Attempt<'_>, mut answer: Answer, meter: &mut Meter) -> Result<(Bytes, Taken), Error> {
    let mut held = attempt.ports.held_bytes.nothing();
    let mut body = BytesMut::new();
    while let Some(piece) = answer.data().await {
        let piece = piece.map_err(|error| attempt.failed(&error))?;
        meter.received();
        held.hold(body.len(), piece.len())?;
        body.extend_from_slice(&piece);
        if body.len() > OBJECT_BYTES_MAX {
            let message = "the provider's answer is too long to be read; ask for fewer at once (limit)";
            return Err(Error::new(ErrorCode::ProviderInvalidResponse, message));
        }
    }
    Ok((body.freeze(), held))
}

/// Remembers what the answer names, as the asker's.
fn remember(attempt: &Attempt<'_>, asker: Asker<'_>, body: &Bytes) {
    let Some(object) = std::str::from_utf8(body).ok().and_then(|text| Object::parse(text).ok()) else { return };
    if object.get("data").is_some() {
        // A list names what others have made, too.
        return;
    }
    let provider = &attempt.resolved.choice.provider.name;
    let file = object.object("file");
    let in_file = file.as_ref().and_then(|file| file.string("id"));
    for id in NAMES_MADE.iter().filter_map(|name| object.string(name)).chain(in_file) {
        attempt.ports.homes.remember(&id, provider, asker.key_name);
    }
    object.elements("result_files", |raw| {
        if let Ok(id) = serde_json::from_str::<String>(raw) {
            attempt.ports.homes.remember(&id, provider, asker.key_name);
        }
    });
}

/// A list without what others have made. Where it begins and ends is said by ids as well.
fn only_own(attempt: &Attempt<'_>, asker: Asker<'_>, body: Bytes) -> Bytes {
    let Some(object) = std::str::from_utf8(&body).ok().and_then(|text| Object::parse(text).ok()) else { return body };
    let mut own: Vec<(Option<String>, &str)> = Vec::new();
    let found = object.elements("data", |raw| {
        let id = Object::parse(raw).ok().and_then(|one| one.string("id"));
        if id.as_ref().map_or(!asker.is_limited(), |id| attempt.ports.homes.is_for(id, asker)) {
            own.push((id, raw));
        }
    });
    let Some(all) = found else { return body };
    let Ok(fields) = scan::top_level(&body) else { return body };
    if own.len() == all {
        return body;
    }
    let id = |one: Option<&(Option<String>, &str)>| {
        let id = one.and_then(|(id, _)| id.as_deref());
        id.map_or_else(|| Bytes::from_static(b"null"), edit::json_string)
    };
    let list: Vec<&str> = own.iter().map(|(_, raw)| *raw).collect();
    let list = Bytes::from(format!("[{}]", list.join(",")));
    let parts = [("data", list), ("first_id", id(own.first())), ("last_id", id(own.last()))];
    let edits: edit::Edits = parts
        .into_iter()
        .filter_map(|(name, with)| Some(edit::Edit::Replace { range: fields.get(&body, name)?.value(), with }))
        .collect();
    edit::apply(&body, edits).iter().flat_map(|piece| piece.iter().copied()).collect()
}
