//! `health_checks` and `canary`: who watches providers, and how new ones get a share of the requests, as written.

use std::time::Duration;

use crate::config::Spanned;
use crate::free::Statuses;
use crate::names::{ModelName, ProviderName};
use crate::quantities::Percentage;
use crate::scalar::{Count, Size};
use crate::section::section;
use crate::url::CheckUrl;

section! {
    /// Asking providers for their health.
    HealthChecks {
        /// Whether it is done; it is if the section stands without this.
        enabled: bool;
        /// How often; every 30s if left out.
        interval: Duration;
        /// How long an answer may take; 10s if left out.
        timeout: Duration;
        /// Whom to ask, and how. Every configured provider in the way that its type knows if left out.
        providers: Vec<Spanned<HealthCheck>>;
    }
}

section! {
    /// Asking one provider. Its credential is sent along.
    HealthCheck {
        /// Name or type of a provider; a type means all providers of it.
        name: ProviderName, required;
        /// The URL; the list of its models if left out.
        endpoint or "url": CheckUrl;
        /// The status of a healthy provider, or several. If left out: 200 beside an `endpoint`, else any but 401, 403, 429
        /// and 5xx, since not every provider lists its models.
        expected_status: Statuses;
    }
}

section! {
    /// Giving a new provider or model a share of the requests, until it has shown that it holds.
    Canary {
        /// Whether it is done; it is if the section stands without this.
        enabled: bool;
        /// The new ones.
        rollouts: Vec<Spanned<Rollout>>;
        /// What copies of requests may take, of all rollouts with `shadow: true` together.
        shadow_limits: ShadowLimits;
    }
}

section! {
    /// What copies of requests may take, whose answers are only compared. What does not fit is not copied.
    ShadowLimits {
        /// How many at once, in the whole process; 32 if left out.
        requests_in_flight: Count;
        /// Their bytes, and those of the answers to be compared; 64MiB if left out.
        held_bytes: Size;
        /// How long one may take in all; as long as any request if left out. Its provider's own times hold besides.
        timeout: Duration;
    }
}

section! {
    /// One new provider or model.
    Rollout {
        /// The rollout's name.
        name: String, required;
        /// Name or type of the new provider.
        provider: ProviderName, required;
        /// The model there; the one that was asked for if left out.
        model: ModelName;
        /// Its part of the requests. The requests of a caller go the same way.
        traffic_percentage: Percentage, required;
        /// How long it is watched before it is judged.
        duration: Duration, required;
        /// Calls before it is judged at all; 20 if left out.
        minimum_requests: Count;
        /// What must hold at the end.
        success_criteria: Criteria;
        /// What ends it at once.
        rollback_on: Criteria;
        /// Whether it takes all requests when it has succeeded; if not, it keeps its share until somebody decides.
        auto_promote: bool;
        /// Whether its part of the requests is sent to it besides: they are answered the usual way, and its answers are
        /// only compared with those. It ends with `duration`.
        shadow: bool;
    }
}

section! {
    /// Comparisons such as `<1%` or `>5s`.
    Criteria {
        /// The share of calls that fail.
        error_rate: String;
        /// The time within which 95 of 100 answers come.
        latency_p95: String;
        /// By how much a call costs more than the others' calls.
        cost_increase: String;
    }
}
