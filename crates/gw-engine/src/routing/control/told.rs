//! What clients of other gateways look for in an answer: told to those that spoke like them.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{cloudflare, portkey};
use crate::engine::Resolved;

const OPTION_INDEX: HeaderName = HeaderName::from_static("x-portkey-last-used-option-index");
const RETRY_COUNT: HeaderName = HeaderName::from_static("x-portkey-retry-attempt-count");
const PORTKEY_PROVIDER: HeaderName = HeaderName::from_static("x-portkey-provider");
const TRACE_ID: HeaderName = HeaderName::from_static(portkey::TRACE_ID);
const CACHE_STATUS: HeaderName = HeaderName::from_static("x-portkey-cache-status");
const STEP: HeaderName = HeaderName::from_static("cf-aig-step");
const CLOUDFLARE_PROVIDER: HeaderName = HeaderName::from_static("cf-aig-provider");
const CLOUDFLARE_MODEL: HeaderName = HeaderName::from_static("cf-aig-model");

/// In whose words an answer's headers are told besides ours.
#[derive(Debug, Default)]
pub struct Told {
    portkey: bool,
    cloudflare: bool,
    trace_id: Option<HeaderValue>,
    step: Option<usize>,
}

impl Told {
    /// In those in which the request spoke.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let speaks = |prefix| headers.keys().any(|name| name.as_str().starts_with(prefix));
        Self {
            portkey: speaks(portkey::PREFIX),
            cloudflare: speaks(cloudflare::PREFIX),
            trace_id: headers.get(TRACE_ID).cloned(),
            step: None,
        }
    }

    /// The step of a list of steps that is answered.
    pub(super) fn at_step(self, step: usize) -> Self {
        Self { step: Some(step), cloudflare: true, ..self }
    }

    /// Writes the headers. `used` is who answered, after it had failed so many times; `has_failed` if nobody did in the
    /// end.
    pub fn write(&self, headers: &mut HeaderMap, used: Option<&Resolved>, failures: usize, has_failed: bool) {
        if self.portkey {
            let option = used.and_then(|used| used.target_settings.option.as_deref()).unwrap_or("config");
            headers.insert(OPTION_INDEX, HeaderValue::try_from(option).unwrap_or(HeaderValue::from_static("config")));
            headers.insert(RETRY_COUNT, HeaderValue::from(retries(failures, has_failed)));
            headers.insert(CACHE_STATUS, HeaderValue::from_static("DISABLED"));
            headers.insert(TRACE_ID, self.trace_id.clone().unwrap_or(HeaderValue::from_static("")));
            if let Some(used) = used {
                headers.insert(PORTKEY_PROVIDER, used.choice.provider.type_header.clone());
            }
        }
        if self.cloudflare {
            if let Some(used) = used {
                headers.insert(CLOUDFLARE_PROVIDER, used.choice.provider.type_header.clone());
                headers.insert(CLOUDFLARE_MODEL, used.model_header.clone());
            }
            if let Some(step) = self.step {
                headers.insert(STEP, HeaderValue::from(step));
            }
        }
    }
}

/// How often the last target was tried again, as Portkey counts: -1 if that was in vain.
fn retries(failures: usize, has_failed: bool) -> i64 {
    match (has_failed, failures) {
        (true, 2..) => -1,
        (true, _) => 0,
        (false, failures) => i64::try_from(failures).unwrap_or(i64::MAX),
    }
}
