//! Whether what clients and providers saw of a request is what the log says, and what its route allows.

use serde_json::Value;

use super::ledger::{Asked, Call, End};

/// What is wrong, if anything.
type Verdict = Result<(), &'static str>;

/// What may lead to another attempt.
const PASSING: [&str; 7] = [
    "provider_rate_limited",
    "provider_overloaded",
    "provider_failed",
    "provider_unreachable",
    "provider_disconnected",
    "provider_timeout",
    "provider_invalid_response",
];

/// The attempts of a request, as the log has them.
pub(super) struct Tries<'a> {
    pub(super) attempts: u64,
    /// The codes of those that failed.
    pub(super) codes: Vec<&'a str>,
    /// The providers of all of them.
    providers: Vec<&'a str>,
}

impl<'a> Tries<'a> {
    pub(super) fn of(record: &'a Value) -> Self {
        let failed = record["tries"].as_array().map(Vec::as_slice).unwrap_or_default();
        let texts = |member: &str| failed.iter().filter_map(|failed| failed[member].as_str()).collect::<Vec<_>>();
        let attempts = record["attempts"].as_u64().unwrap_or_default();
        let mut providers = texts("provider");
        if (providers.len() as u64) < attempts {
            providers.extend(record["provider"].as_str());
        }
        Self { attempts, codes: texts("error"), providers }
    }

    /// Whether each attempt but the first follows one that failed in a way that allows another, and each call is one that
    /// an attempt made.
    pub(super) fn explain(&self, calls: &[Call], attempts_max: u64) -> Verdict {
        ensure(self.attempts <= attempts_max, "more attempts than the route allows")?;
        ensure(self.attempts <= self.codes.len() as u64 + 1, "an attempt that follows none that failed")?;
        ensure(self.codes.iter().all(|code| PASSING.contains(code)), "an attempt after a failure that allows none")?;
        ensure(calls.len() as u64 <= self.attempts, "more calls than attempts")?;
        let made = |name| calls.iter().filter(|call| call.provider == name).count();
        let tried = |name| self.providers.iter().filter(|provider| **provider == name).count();
        let is_attempt = |call: &Call| made(call.provider) <= tried(call.provider);
        ensure(calls.iter().all(is_attempt), "more calls of a provider than attempts at it")
    }

    /// Whether what the client heard is what the last call said, and none was made after that.
    pub(super) fn heard(&self, asked: &Asked, calls: &[Call], record: &Value) -> Verdict {
        let (End::Answered(number) | End::Broke(Some(number))) = asked.end else {
            let is_early = asked.is_safe && asked.end == End::Broke(None);
            ensure(!is_early, "a stream was given up before its first word although another target was left")?;
            return self.in_vain(asked, calls, None);
        };
        let Some(call) = calls.iter().find(|call| call.number == number) else {
            return Err("an answer of a call that was not made for it");
        };
        ensure(self.providers.last() == Some(&call.provider), "another attempt after the one that was answered")?;
        if asked.end == End::Answered(number) {
            ensure(call.is_answered, "an answer that was not said to its end")?;
        } else {
            let is_late = record["error"] == "provider_timeout";
            ensure(is_late || call.mood.breaks_off(), "a break that was not the provider's")?;
        }
        self.in_vain(asked, calls, Some(number))
    }

    /// An answer that was given and not heard must have come too late, or its client has left.
    fn in_vain(&self, asked: &Asked, calls: &[Call], heard: Option<u32>) -> Verdict {
        let in_vain = calls.iter().filter(|call| call.is_answered && heard != Some(call.number)).count();
        let late = self.codes.iter().filter(|code| **code == "provider_timeout").count();
        ensure(in_vain <= late || asked.end == End::Left, "another call although one was answered")
    }
}

/// Whether the log tells of a request what its client saw.
pub(super) fn agrees(asked: &Asked, record: &Value, tries: &Tries<'_>) -> Verdict {
    let is_told = asked.attempts == Some(tries.attempts) || matches!(asked.end, End::Lost(_));
    ensure(is_told, "X-Attempt-Count is not what the log has")?;
    let (outcome, status) = (record["outcome"].as_str(), record["status"].as_u64());
    match asked.end {
        End::Answered(_) => ensure(outcome == Some("completed"), "answered, and not recorded so"),
        End::Broke(_) => ensure(outcome == Some("failed"), "broke off, and not recorded so"),
        End::Failed(told) => {
            ensure(outcome == Some("failed") && status == Some(u64::from(told)), "failed, and not recorded so")
        }
        End::Left | End::Lost(_) => Ok(()),
    }
}

fn ensure(holds: bool, otherwise: &'static str) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise) }
}
