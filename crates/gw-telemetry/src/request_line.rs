//! A finished request as a line of the log.

use std::fmt::Display;
use std::io::Write as _;
use std::time::Duration;

use gw_core::chat::Loss;
use gw_core::{Blame, Cost, CostSource, ErrorCode, Outcome, RequestRecord, Try, Unused};
use tracing::Level;

use crate::redact::redact;
use crate::registry::blame_name;
use crate::rfc3339::Timestamp;
use crate::story::{self, Named};

/// Longer texts, which come from elsewhere, are cut.
const TEXT_BYTES_MAX: usize = 256;
/// Of more attempts that came to nothing, the first are told.
pub(crate) const TRIES_MAX: usize = 32;

/// How important a request is to those who look after the gateway.
pub(crate) fn level(record: &RequestRecord) -> Level {
    match record.outcome {
        Outcome::Completed | Outcome::Cancelled => Level::INFO,
        Outcome::Panicked => Level::ERROR,
        Outcome::Failed => match record.error.map(|code| code.blame()) {
            Some(Blame::Client) => Level::INFO,
            Some(Blame::Provider) | None => Level::WARN,
            Some(Blame::Gateway) => Level::ERROR,
        },
    }
}

/// Appends one JSON object and a line break. What is not known is left out.
pub(crate) fn push_json(line: &mut Vec<u8>, record: &RequestRecord) {
    line.extend_from_slice(b"{\"timestamp\":\"");
    line.extend_from_slice(finished_at(record).as_bytes());
    line.push(b'"');
    let mut fields = Fields(line);
    fields.text("level", level(record).as_str());
    fields.text("target", "request");
    fields.text("event", "request");
    fields.text("request_id", record.request_id.as_str());
    fields.foreign("client_request_id", record.client_request_id.as_deref());
    fields.foreign("trace_id", record.trace_id.as_deref());
    fields.known("shadow", record.shadow.as_deref());
    fields.known("key", record.key_name.as_deref());
    fields.known("environment", record.environment.as_deref());
    fields.text("operation", record.operation.name());
    fields.text("dialect", record.dialect);
    fields.foreign("model_requested", record.model_requested.as_deref());
    fields.foreign("model_used", record.model_used.as_deref());
    fields.known("route", record.route.as_deref());
    fields.known("provider", record.provider.as_deref());
    fields.known("provider_type", record.provider_type.as_deref());
    if record.callers_key {
        fields.raw("callers_key", b"true");
    }
    fields.foreign("provider_request_id", record.provider_request_id.as_deref());
    fields.raw("stream", if record.stream { b"true" } else { b"false" });
    if let Some(time) = record.time {
        fields.number("deadline_ms", u64::try_from(time.limit.as_millis()).unwrap_or(u64::MAX));
        fields.text("deadline_of", time.of);
    }
    fields.number("status", u64::from(record.status));
    fields.text("outcome", record.outcome.name());
    if let Some(code) = record.error {
        fields.text("error", code.name());
        fields.text("blame", blame_name(code.blame()));
    }
    push_tokens(&mut fields, record);
    push_cost(&mut fields, record);
    if let Some(why) = record.uncharged {
        fields.text("insured", why.name());
        fields.raw("billed_usd", b"0");
    }
    fields.number("request_bytes", record.request_bytes);
    fields.number("response_bytes", record.response_bytes);
    fields.number("attempts", u64::from(record.attempts));
    fields.raw("fallback", if record.fallback { b"true" } else { b"false" });
    if record.resumed > 0 {
        fields.number("resumed", u64::from(record.resumed));
    }
    if let Some(passed) = &record.passed_over {
        fields.text("passed_over", &passed.provider);
        fields.text("passed_over_reason", passed.reason);
    }
    fields.tries(&record.tries);
    fields.unused(&record.unused);
    fields.losses(&record.losses);
    fields.millis("total_ms", record.timings.total_us);
    if let Some(first_byte_us) = record.timings.first_byte_us {
        fields.millis("first_byte_ms", first_byte_us);
    }
    fields.millis("upstream_ms", record.timings.upstream_us);
    fields.millis("overhead_ms", record.timings.overhead_us);
    line.extend_from_slice(b"}\n");
}

/// Appends a line for a person to read; before it, where something failed, what was done about it.
pub(crate) fn push_pretty(line: &mut Vec<u8>, record: &RequestRecord, named: Named) {
    if !record.tries.is_empty() {
        story::push(line, record, named);
    }
    line.extend_from_slice(finished_at(record).as_bytes());
    let name = record.model_used.as_deref().or(record.model_requested.as_deref()).unwrap_or("-");
    push(line, format_args!(" {:>5} request: {} ", level(record).as_str(), record.operation.name()));
    push_word(line, record.provider.as_deref().unwrap_or("-"));
    line.push(b'/');
    push_word(line, name);
    push(line, format_args!(" {} {}", record.status, record.outcome.name()));
    if let Some(code) = record.error {
        push(line, format_args!(" ({code})"));
    }
    push(line, format_args!(" in {} ms", Millis(record.timings.total_us)));
    if let Some(first_byte_us) = record.timings.first_byte_us {
        push(line, format_args!(", first byte {} ms", Millis(first_byte_us)));
    }
    push(line, format_args!(", overhead {} ms", Millis(record.timings.overhead_us)));
    if let Some(usage) = record.usage {
        push(line, format_args!(", tokens {} in {} out", usage.input_tokens, usage.output_tokens));
    }
    if !record.losses.is_empty() {
        push(line, format_args!(", losses {}", record.losses.len()));
    }
    if let Some(total) = record.cost.as_ref().and_then(gw_core::Cost::total) {
        push(line, format_args!(", ${total}"));
    }
    if let Some(why) = record.uncharged {
        push(line, format_args!(", not charged ({})", why.name()));
    }
    if let Some(canary) = &record.shadow {
        line.extend_from_slice(b", shadow of ");
        push_word(line, canary);
    }
    if let Some(key) = &record.key_name {
        line.extend_from_slice(b", key ");
        push_word(line, key);
    }
    push(line, format_args!(", id {}\n", record.request_id));
}

fn push_tokens(fields: &mut Fields<'_>, record: &RequestRecord) {
    let Some(usage) = record.usage else { return };
    fields.number("input_tokens", usage.input_tokens);
    fields.number("output_tokens", usage.output_tokens);
    for (name, tokens) in [
        ("cached_input_tokens", usage.cached_input_tokens),
        ("cache_write_tokens", usage.cache_write_tokens),
        ("cache_write_1h_tokens", usage.cache_write_1h_tokens),
        ("reasoning_tokens", usage.reasoning_tokens),
        ("audio_input_tokens", usage.audio_input_tokens),
        ("audio_output_tokens", usage.audio_output_tokens),
        ("search_units", usage.search_units),
        ("image_input_tokens", usage.image_input_tokens),
        ("image_output_tokens", usage.image_output_tokens),
        ("searches", usage.searches),
        ("images", usage.images),
        ("media_ms", usage.media_ms),
        ("characters", usage.characters),
    ] {
        if tokens > 0 {
            fields.number(name, tokens);
        }
    }
    fields.known("service_tier", usage.service_tier.map(gw_core::ServiceTier::name));
}

/// The whole in dollars, its parts in nanodollars; or else what has no price.
fn push_cost(fields: &mut Fields<'_>, record: &RequestRecord) {
    let Some(cost) = &record.cost else { return };
    if let Some(total) = cost.total() {
        fields.raw("cost_usd", total.to_string().as_bytes());
        let parts: Vec<_> =
            cost.components().map(|(dimension, amount)| format!("\"{}\":{}", dimension.name(), amount.0)).collect();
        fields.raw("cost_nanodollars", format!("{{{}}}", parts.join(",")).as_bytes());
        fields.known(
            "cost_source",
            Some(cost.source()).filter(|source| *source != CostSource::Prices).map(CostSource::name),
        );
    } else {
        fields.text("unpriced", &cost.unpriced().names().collect::<Vec<_>>().join(" "));
    }
    if let Some(told) = cost.told() {
        fields.raw("provider_cost_usd", told.to_string().as_bytes());
    }
}

/// Lines are in the order in which requests end, and so are their times.
fn finished_at(record: &RequestRecord) -> Timestamp {
    let total = Duration::from_micros(record.timings.total_us);
    Timestamp::of(record.started_at.checked_add(total).unwrap_or(record.started_at))
}

/// The fields of a JSON object that has one already.
struct Fields<'a>(&'a mut Vec<u8>);

impl Fields<'_> {
    fn known(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A text that comes from a client or a provider: it may be long, and it may be a credential in the wrong place.
    fn foreign(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, &redact(cut(value)));
        }
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        // Writing to a vector cannot fail, and neither can a string as JSON.
        let _ = serde_json::to_writer(&mut *self.0, value);
    }

    /// What became of what, as `dropped seed`: the names may be the client's. The reasons are told to the client.
    fn losses(&mut self, losses: &[Loss]) {
        if losses.is_empty() {
            return;
        }
        let told = |loss: &Loss| format!("{} {}", loss.grade.name(), redact(cut(&loss.param)));
        let losses: Vec<String> = losses.iter().map(told).collect();
        self.name("losses");
        // Writing to a vector cannot fail, and neither can strings as JSON.
        let _ = serde_json::to_writer(&mut *self.0, &losses);
    }

    /// The attempts whose answers nobody got.
    fn tries(&mut self, tries: &[Try]) {
        if tries.is_empty() {
            return;
        }
        let told = |attempt: &Try| {
            let mut told = serde_json::json!({
                "provider": &*attempt.provider,
                "model": redact(cut(&attempt.model)),
                "error": attempt.error.map(ErrorCode::name),
                "status": attempt.status,
                "ms": attempt.duration_us / 1_000,
            });
            if attempt.callers_key {
                told["callers_key"] = true.into();
            }
            if attempt.error.is_none() {
                told["outcome"] = attempt.outcome_name().into();
            }
            told
        };
        let tries: Vec<_> = tries.iter().take(TRIES_MAX).map(told).collect();
        self.name("tries");
        // Writing to a vector cannot fail, and neither can these as JSON.
        let _ = serde_json::to_writer(&mut *self.0, &tries);
    }

    /// What was used besides; `null` where it is not known.
    fn unused(&mut self, unused: &[Unused]) {
        if unused.is_empty() {
            return;
        }
        let told = |unused: &Unused| {
            let total = unused.cost.as_ref().and_then(Cost::total);
            let mut told = serde_json::json!({
                "provider": &*unused.provider,
                "model": redact(cut(&unused.model)),
                "input_tokens": unused.usage.map(|usage| usage.input_tokens),
                "output_tokens": unused.usage.map(|usage| usage.output_tokens),
                "cost_nanodollars": total.map(|total| total.0),
            });
            if !unused.charged {
                told["insured"] = true.into();
            }
            told
        };
        let unused: Vec<_> = unused.iter().take(TRIES_MAX).map(told).collect();
        self.name("unused");
        // Writing to a vector cannot fail, and neither can these as JSON.
        let _ = serde_json::to_writer(&mut *self.0, &unused);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.raw(name, itoa::Buffer::new().format(value).as_bytes());
    }

    fn millis(&mut self, name: &str, micros: u64) {
        self.number(name, micros / 1_000);
        let rest = usize::try_from(micros % 1_000).unwrap_or_default();
        let digits = [rest / 100, rest / 10 % 10, rest % 10].map(|digit| b"0123456789"[digit]);
        self.0.push(b'.');
        self.0.extend_from_slice(&digits);
    }

    fn raw(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.0.extend_from_slice(value);
    }

    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }
}

/// Microseconds, shown as milliseconds.
struct Millis(u64);

impl Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

pub(crate) fn push(line: &mut Vec<u8>, text: impl Display) {
    // Writing to a vector cannot fail.
    let _ = write!(line, "{text}");
}

/// A text that comes from elsewhere: it must not look like another line, or move the terminal's cursor.
pub(crate) fn push_word(line: &mut Vec<u8>, text: &str) {
    push(line, redact(cut(text)).escape_debug());
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use gw_core::{PassedOver, Uncharged};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::record;

    fn json_line(record: &RequestRecord) -> Value {
        let mut line = Vec::new();
        push_json(&mut line, record);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        serde_json::from_slice(&line).unwrap()
    }

    fn pretty_line(record: &RequestRecord) -> String {
        let mut line = Vec::new();
        push_pretty(&mut line, record, |_| None);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_json_line_holds_every_fact_that_is_known() {
        let expected = json!({
            "timestamp": "2024-02-29T12:34:58.023Z", "level": "INFO", "target": "request", "event": "request",
            "request_id": "01935f000000700080000000000000ff", "key": "dev", "operation": "chat",
            "dialect": "openai_chat", "model_requested": "fast", "model_used": "gpt-5-mini", "provider": "openai",
            "provider_type": "openai", "provider_request_id": "req_1", "stream": true, "status": 200,
            "outcome": "completed", "input_tokens": 12, "output_tokens": 34, "reasoning_tokens": 5,
            "request_bytes": 321, "response_bytes": 4567, "attempts": 1, "fallback": false, "total_ms": 1234.567,
            "first_byte_ms": 200.0, "upstream_ms": 1234.48, "overhead_ms": 0.087,
        });
        assert_eq!(json_line(&record()), expected);
    }

    #[test]
    fn a_copy_of_a_request_is_marked_as_a_shadow() {
        let copy = RequestRecord { shadow: Some("next".into()), key_name: None, ..record() };
        let line = json_line(&copy);
        assert_eq!((&line["shadow"], &line["event"]), (&"next".into(), &"request".into()));
        assert!(pretty_line(&copy).contains(", shadow of next, id "), "{}", pretty_line(&copy));
    }

    #[test]
    fn what_a_provider_could_not_be_told_is_on_the_line() {
        let losses = vec![Loss::dropped("seed", "x"), Loss::ignored("user", "x"), Loss::replaced("stop", "x")];
        let lossy = RequestRecord { losses, ..record() };
        assert_eq!(json_line(&lossy)["losses"], json!(["dropped seed", "ignored user", "replaced stop"]));
        assert!(pretty_line(&lossy).contains(", losses 3, key dev"), "{}", pretty_line(&lossy));
        let named = RequestRecord { losses: vec![Loss::dropped("sk-abcdefghijklmnop", "x")], ..record() };
        assert_eq!(json_line(&named)["losses"], json!(["dropped sk-***"]));
    }

    #[test]
    fn what_nobody_is_charged_for_says_why() {
        let insured = RequestRecord { uncharged: Some(Uncharged::Empty), ..record() };
        let line = json_line(&insured);
        assert_eq!((&line["insured"], &line["billed_usd"]), (&"empty".into(), &0.into()));
        assert!(pretty_line(&insured).contains(", not charged (empty), key dev"), "{}", pretty_line(&insured));
    }

    #[test]
    fn attempts_that_came_to_nothing_are_on_the_line_in_their_order() {
        let failed = |provider: &str, error, status| Try {
            provider: provider.into(),
            model: "m".into(),
            callers_key: provider == "a",
            target: 1,
            error,
            status,
            duration_us: 12_345,
        };
        let tries = vec![
            failed("a", Some(ErrorCode::ProviderAuthentication), Some(401)),
            failed("b", Some(ErrorCode::ProviderTimeout), None),
            failed("c", None, None),
        ];
        let passed_over = Some(PassedOver { provider: "z".into(), reason: "resting" });
        let line = json_line(&RequestRecord { tries, passed_over, fallback: true, ..record() });
        assert_eq!((&line["passed_over"], &line["passed_over_reason"]), (&"z".into(), &"resting".into()));
        let expected = json!([
            { "provider": "a", "model": "m", "error": "provider_authentication", "status": 401, "ms": 12,
              "callers_key": true },
            { "provider": "b", "model": "m", "error": "provider_timeout", "status": null, "ms": 12 },
            { "provider": "c", "model": "m", "error": null, "status": null, "ms": 12, "outcome": "cancelled" },
        ]);
        assert_eq!((&line["tries"], &line["fallback"]), (&expected, &true.into()));
    }

    #[test]
    fn a_failure_names_its_code_and_whose_fault_it_was() {
        let failed = RequestRecord { outcome: Outcome::Failed, error: Some(ErrorCode::ProviderTimeout), ..record() };
        let line = json_line(&failed);
        assert_eq!(
            (&line["level"], &line["error"], &line["blame"]),
            (&"WARN".into(), &"provider_timeout".into(), &"provider".into())
        );
    }

    #[test]
    fn what_the_gateway_is_to_blame_for_is_an_error_and_what_a_client_did_is_not() {
        for (outcome, error, expected) in [
            (Outcome::Completed, None, Level::INFO),
            (Outcome::Cancelled, Some(ErrorCode::ClientClosed), Level::INFO),
            (Outcome::Failed, Some(ErrorCode::InvalidJson), Level::INFO),
            (Outcome::Failed, Some(ErrorCode::ProviderFailed), Level::WARN),
            (Outcome::Failed, Some(ErrorCode::Overloaded), Level::ERROR),
            (Outcome::Panicked, Some(ErrorCode::InternalError), Level::ERROR),
        ] {
            assert_eq!(level(&RequestRecord { outcome, error, ..record() }), expected, "{outcome:?} {error:?}");
        }
    }

    #[test]
    fn a_pretty_line_says_what_a_person_wants_to_know_first() {
        assert_eq!(
            pretty_line(&record()),
            "2024-02-29T12:34:58.023Z  INFO request: chat openai/gpt-5-mini 200 completed in 1234.567 ms, \
             first byte 200.000 ms, overhead 0.087 ms, tokens 12 in 34 out, key dev, \
             id 01935f000000700080000000000000ff\n"
        );
    }

    #[test]
    fn a_name_from_a_client_cannot_forge_a_line() {
        let forged = "a\"\n2024-02-29T12:34:58.023Z ERROR \u{1b}[2J\u{0}é";
        let record = RequestRecord {
            model_requested: Some(forged.into()),
            client_request_id: Some(forged.into()),
            model_used: None,
            ..record()
        };
        assert_eq!(json_line(&record)["client_request_id"], forged);
        let pretty = pretty_line(&record);
        assert_eq!(pretty.lines().count(), 1);
        assert!(!pretty.contains('\u{1b}'), "{pretty}");
    }

    #[test]
    fn a_key_that_a_client_sent_in_the_wrong_place_is_masked() {
        let key = "sk-abcdefghijklmnop";
        let record = RequestRecord {
            model_requested: Some(key.into()),
            client_request_id: Some(key.into()),
            model_used: None,
            ..record()
        };
        let (json, pretty) = (json_line(&record), pretty_line(&record));
        assert_eq!((&json["model_requested"], &json["client_request_id"]), (&"sk-***".into(), &"sk-***".into()));
        assert!(pretty.contains("openai/sk-*** 200"), "{pretty}");
    }

    #[test]
    fn a_long_name_from_a_client_is_cut_between_characters() {
        let record = RequestRecord { model_requested: Some("é".repeat(10_000).into()), ..record() };
        assert_eq!(json_line(&record)["model_requested"], "é".repeat(TEXT_BYTES_MAX / 2));
    }
}
