//! The attempts of a request as the client is told them: in a header where it asks, and in errors. Never a secret, and
//! nothing of what a provider said.

use bytes::Bytes;
use gw_core::{Error, Try};
use gw_dialects::scan;
use gw_engine::Meter;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

/// The header is at most this long.
const HEADER_BYTES_MAX: usize = 2 << 10;
/// Of more attempts that came to nothing, an error names the last.
const IN_ERROR_MAX: usize = 16;

/// The value of `X-Gateway-Attempts`: every attempt, the last included, which ended in an answer of this status or in
/// this error.
pub(crate) fn header(meter: &Meter, end: Result<StatusCode, &Error>) -> Option<HeaderValue> {
    let mut told: Vec<Value> = meter.tries().iter().map(|one| attempt(one, false)).collect();
    if let (Some(resolved), true, false) = (meter.resolved(), meter.attempts() > 0, meter.last_is_told()) {
        let mut last = json!({ "provider": &*resolved.choice.provider.name, "model": &*resolved.choice.model });
        last["credential"] = credential(meter.uses_callers_key());
        let status = end.map_or_else(|error| error.provider_status, |status| Some(status.as_u16()));
        if let Some(status) = status {
            last["status"] = status.into();
        }
        if let Err(error) = end {
            last["code"] = error.code.name().into();
        }
        last["ms"] = (meter.attempt_us() / 1_000).into();
        told.push(last);
    }
    HeaderValue::try_from(within(&told)).ok()
}

/// An error's body, with the attempts as a member of its `error`: where there was more than one, or the client asks.
pub(crate) fn in_error(body: Bytes, meter: &Meter) -> Bytes {
    let tries = meter.tries();
    if tries.is_empty() || (tries.len() == 1 && !meter.tells_attempts()) {
        return body;
    }
    let Some(at) = inside_error(&body) else { return body };
    let last = &tries[tries.len().saturating_sub(IN_ERROR_MAX)..];
    let told: Value = last.iter().map(|one| attempt(one, true)).collect();
    // What an error object holds already follows, so that there is always something behind the comma.
    Bytes::from([&body[..at], format!("\"attempts\":{told},").as_bytes(), &body[at..]].concat())
}

fn attempt(one: &Try, with_reason: bool) -> Value {
    let mut told = json!({ "provider": &*one.provider, "model": &*one.model });
    told["credential"] = credential(one.callers_key);
    if let Some(status) = one.status {
        told["status"] = status.into();
    }
    match one.error {
        Some(error) => told["code"] = error.name().into(),
        None => told["outcome"] = one.outcome_name().into(),
    }
    told["ms"] = (one.duration_us / 1_000).into();
    if let Some(error) = one.error.filter(|_| with_reason) {
        told["reason"] = error.headline().into();
    }
    told
}

/// Whose credential it was, in Vercel's words.
fn credential(is_callers: bool) -> Value {
    Value::from(if is_callers { "byok" } else { "system" })
}

/// As a list that fits into the header, in ASCII. Where attempts are left out in the middle, their number stands there.
fn within(told: &[Value]) -> String {
    let whole = ascii(&Value::from(told.to_vec()));
    if whole.len() <= HEADER_BYTES_MAX {
        return whole;
    }
    let Some((last, others)) = told.split_last() else { return whole };
    let ending = |left_out: usize| format!("{{\"left_out\":{left_out}}},{}]", ascii(last));
    let mut list = String::from("[");
    for (index, one) in others.iter().enumerate() {
        let one = ascii(one);
        let ending = ending(others.len() - index);
        if list.len() + one.len() + 1 + ending.len() > HEADER_BYTES_MAX {
            list.push_str(&ending);
            return if list.len() <= HEADER_BYTES_MAX { list } else { "[]".to_owned() };
        }
        list.push_str(&one);
        list.push(',');
    }
    list + &ascii(last) + "]"
}

/// JSON whose strings have escapes for what is not ASCII: names may be anything.
fn ascii(value: &Value) -> String {
    let mut told = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() {
            told.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| told.push_str(&format!("\\u{unit:04x}")));
        }
    }
    told
}

/// Where the object called `error` can take a member before those that it has.
fn inside_error(body: &[u8]) -> Option<usize> {
    let error = scan::top_level(body).ok()?.get(body, "error")?.value();
    let object = &body[error.clone()];
    let fields = scan::top_level(object).ok()?;
    let has_room = fields.iter().next().is_some() && fields.get(object, "attempts").is_none();
    has_room.then(|| error.start + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_keeps_its_beginning_and_its_end() {
        let told: Vec<_> =
            (0..100).map(|number| json!({ "provider": format!("provider-{number}"), "ms": 1 })).collect();
        let list = within(&told);
        assert!(list.len() <= HEADER_BYTES_MAX);
        let list: Vec<Value> = serde_json::from_str(&list).unwrap();
        assert_eq!((&list[0], list.last().unwrap()), (&told[0], &told[99]));
        let left_out = list[list.len() - 2]["left_out"].as_u64().unwrap();
        assert_eq!(usize::try_from(left_out).unwrap() + list.len() - 1, told.len());
    }

    #[test]
    fn a_list_of_any_names_can_stand_in_a_header() {
        let told = [json!({ "provider": "提供者😀" })];
        let list = within(&told);
        assert!(HeaderValue::try_from(&list).is_ok());
        assert_eq!(serde_json::from_str::<Vec<Value>>(&list).unwrap(), told);
    }

    #[test]
    fn only_an_error_object_takes_a_member() {
        for (body, at) in [
            (r#"{"error":{"message":"m"}}"#, Some(10)),
            (r#"{"type":"error","error": { "type":"t"}}"#, Some(26)),
            (r#"{"error":"m"}"#, None),
            (r#"{"error":{}}"#, None),
            (r#"[{"error":{"code":1}}]"#, None),
            ("not JSON", None),
        ] {
            assert_eq!(inside_error(body.as_bytes()), at, "{body}");
        }
    }
}
