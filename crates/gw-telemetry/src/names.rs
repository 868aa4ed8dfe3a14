//! Every metric: its name, kind, labels and meaning, in one list.

use std::fmt::Write as _;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often something took how long; the upper bounds of its buckets in microseconds. Of a ratio, in millionths.
    Histogram(&'static [u64]),
}

impl Kind {
    /// The word in the exposition format.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The whole name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

/// From 10 ms to 10 minutes.
const DURATION_US: &[u64] = &[
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    20_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
];

/// From 10 ms to one minute, finest where people notice.
const FIRST_TOKEN_US: &[u64] = &[
    10_000, 25_000, 50_000, 100_000, 200_000, 300_000, 500_000, 750_000, 1_000_000, 1_500_000, 2_000_000, 3_000_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Of a whole, in tenths, and closer where it is nearly all.
const MILLIONTHS: &[u64] =
    &[100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 700_000, 800_000, 900_000, 950_000, 990_000, 1_000_000];

/// From 10 µs to one second.
const OVERHEAD_US: &[u64] =
    &[10, 25, 50, 75, 100, 150, 200, 300, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 1_000_000];

macro_rules! metrics {
    ($($constant:ident, $kind:expr, $name:literal, [$($label:literal),*], $help:literal;)+) => {
        $(pub(crate) const $constant: Metric = Metric {
            name: concat!("ai_gateway_", $name), kind: $kind, labels: &[$($label),*], help: $help,
        };)+

        /// Every metric, in the order in which they are shown.
        pub const ALL: &[Metric] = &[$($constant),+];
    };
}

metrics! {
    REQUESTS, Kind::Counter, "requests_total", ["operation", "provider", "model", "status", "outcome"],
        "Finished requests, by the HTTP status sent to the client (499: it left first) and by how they ended.";
    ERRORS, Kind::Counter, "errors_total", ["code", "blame", "provider"],
        "Finished requests that went wrong, by error code and by whose fault it was.";
    TOKENS, Kind::Counter, "tokens_total", ["provider", "model", "type"],
        "Tokens as reported by providers. Types input and output are whole; the others are parts of them.";
    COST, Kind::Counter, "cost_nanodollars_total", ["provider", "model", "type"],
        "What requests cost at list price, in billionths of a US dollar, by what was billed. Requests of unknown cost are missing. Type undivided is what the provider or the caller tells as a whole.";
    UNPRICED, Kind::Counter, "unpriced_requests_total", ["provider", "model"],
        "Requests of which something was used that has no price here: their cost is unknown.";
    CONTRADICTED, Kind::Counter, "contradicted_costs_total", ["provider", "model"],
        "Requests that cost something else as the provider tells it: more than a hundredth more or less.";
    ATTEMPTS, Kind::Counter, "provider_attempts_total", ["provider", "outcome"],
        "Attempts at providers of requests that are over, by how they ended: completed, cancelled (the client left, or another attempt was faster), or the code of the error.";
    RETRIES, Kind::Counter, "provider_retries_total", ["provider", "reason"],
        "Times that the same target was asked again, by the code of the error before.";
    FAILOVERS, Kind::Counter, "provider_failover_total", ["provider", "fallback_provider", "reason"],
        "Times that another target was asked than one before it: after it had failed, by the code of its error, or because it took no calls (resting, rate_cap).";
    RULES, Kind::Counter, "rule_matches_total", ["rule", "action", "effect"],
        "Requests that a rule has refused (effect done), or would have refused or led elsewhere if it did more than show itself (effect logged), or whose expression failed for them (effect failed): it does not hold then.";
    RESUMED, Kind::Counter, "streams_resumed_total", ["provider"],
        "Streams that had broken off and were continued, by the provider that went on last.";
    HEDGES, Kind::Counter, "hedges_total", ["provider", "outcome"],
        "Attempts at a provider that were slow while another could be made beside them: the other answered first (won), or second (lost), neither did (failed), the client left (cancelled); or none was made, for the budget was used up (over_budget) or whoever was next took no calls (unavailable).";
    BREAKER_STATE, Kind::Gauge, "circuit_breaker_state", ["provider", "state"],
        "1 for the state that a provider's breaker is in (closed, half_open, open), 0 for the others.";
    DURATION, Kind::Histogram(DURATION_US), "request_duration_seconds", ["operation", "provider", "model"],
        "From the head of a request to the last byte of its answer.";
    FIRST_TOKEN, Kind::Histogram(FIRST_TOKEN_US), "time_to_first_token_seconds", ["operation", "provider", "model"],
        "From sending a streamed request to the provider to the first byte of the answer's body.";
    OVERHEAD, Kind::Histogram(OVERHEAD_US), "overhead_seconds", ["operation"],
        "What the gateway itself added to a request that was sent to a provider.";
    IN_FLIGHT, Kind::Gauge, "requests_in_flight", [],
        "Requests that are being answered.";
    OPEN_STREAMS, Kind::Gauge, "open_streams", [],
        "Streamed answers that are being forwarded.";
    CLIENT_CONNECTIONS, Kind::Gauge, "client_connections", [],
        "Open connections from clients.";
    CLIENT_CONNECTIONS_REFUSED, Kind::Counter, "client_connections_refused_total", [],
        "Connections from clients that were turned away because there were too many.";
    UPSTREAM_CONNECTIONS, Kind::Gauge, "upstream_connections", ["provider", "state"],
        "Open connections to providers: active ones carry a request, idle ones wait for the next.";
    UPSTREAM_CONNECTIONS_OPENED, Kind::Counter, "upstream_connections_opened_total", ["provider"],
        "Connections to providers that were made.";
    HELD_BYTES, Kind::Gauge, "held_bytes", [],
        "Bytes of request and answer bodies held in memory.";
    PANICS, Kind::Counter, "panics_total", [],
        "Panics that were caught.";
    WORKER_RESTARTS, Kind::Counter, "worker_restarts_total", [],
        "Workers that died and were started again.";
    CONFIG_RELOADS, Kind::Counter, "config_reloads_total", ["result"],
        "Times the configuration was read again: success, or failure, after which the old one stays.";
    CONFIG_LAST_RELOAD_SUCCESS, Kind::Gauge, "config_last_reload_success", [],
        "1 if the configuration last read is the one that runs, 0 if it had to be refused.";
    CONFIG_GENERATION, Kind::Gauge, "config_generation", [],
        "The number of the configuration that runs, counted from the start.";
    CATALOG_REFRESHES, Kind::Counter, "catalog_refreshes_total", ["result"],
        "Times an address was asked for newer models and prices: success, or failure, after which the last ones stay.";
    RECORDS_DROPPED, Kind::Counter, "records_dropped_total", [],
        "Finished requests that are missing from the request log because its queue was full.";
    LOG_LINES_DROPPED, Kind::Counter, "log_lines_dropped_total", [],
        "Log lines that were lost because they could not be written fast enough, or at all.";
    SERIES_OVERFLOW, Kind::Counter, "series_overflow_total", [],
        "Times that a series was asked for and refused because there were too many: it counts as provider and model other.";
    PROVIDER_HEALTH, Kind::Gauge, "provider_health", ["provider", "state"],
        "1 for the state in which the last health check found the provider: up, auth_failed, rate_limited or down.";
    CANARY, Kind::Gauge, "canary", ["name", "stage"],
        "1 for the stage of a canary: watched, rolled_back, promoted, ready or undecided.";
    SHADOWS, Kind::Counter, "shadows_total", ["canary", "provider", "result"],
        "Requests that a shadow was to get: compared (equal, different, unread, shadow_failed, usual_failed, both_failed), skipped because there was no room or the provider rests, or stopped.";
    SHADOW_FIRST_CONTENT, Kind::Histogram(FIRST_TOKEN_US), "shadow_first_content_seconds", ["canary", "provider", "side"],
        "Of answers that were compared, from the first attempt to the first content: of the usual ones and of the shadow's.";
    SHADOW_DURATION, Kind::Histogram(DURATION_US), "shadow_duration_seconds", ["canary", "provider", "side"],
        "Of answers that were compared, from the first attempt to the last byte: of the usual ones and of the shadow's.";
    SHADOW_SIMILARITY, Kind::Histogram(MILLIONTHS), "shadow_similarity_ratio", ["canary", "provider"],
        "What the texts of answers that were compared have in common: the Sørensen–Dice coefficient of their words.";
    BUILD_INFO, Kind::Gauge, "build_info", ["version"],
        "Always 1; the label tells the version.";
}

/// The page docs/reference/metrics.md.
pub fn reference() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         Generated by `cargo xtask docs`; do not edit.\n\n\
         Prometheus text format 0.0.4. Durations are in seconds. Requests that reached no provider have the provider and\n\
         model `none`. There is a bound on the number of series; beyond it, provider and model are `other`.\n\n\
         | metric | kind | labels | meaning |\n\
         |---|---|---|---|\n",
    );
    for metric in ALL {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        // Writing to a string cannot fail.
        let _ =
            writeln!(page, "| `{}` | {} | {} | {} |", metric.name, metric.kind.name(), labels.join(", "), metric.help);
    }
    page.push_str("\n## Buckets\n\nUpper bounds, in seconds; of a ratio, as a share of 1.\n\n");
    for metric in ALL {
        if let Kind::Histogram(bounds_us) = metric.kind {
            let bounds: Vec<_> = bounds_us.iter().map(|bound_us| seconds(*bound_us).to_string()).collect();
            let _ = writeln!(page, "- `{}`: {}", metric.name, bounds.join(", "));
        }
    }
    page
}

/// Microseconds as seconds, as text: exact below 2^53 µs, which is 285 years.
pub(crate) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        let names: HashSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.starts_with("ai_gateway_"), "{}", metric.name);
            assert!(metric.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            if let Kind::Histogram(bounds_us) = metric.kind {
                assert!(["_seconds", "_ratio"].iter().any(|unit| metric.name.ends_with(unit)), "{}", metric.name);
                assert!(bounds_us.is_sorted_by(|smaller, larger| smaller < larger), "{}", metric.name);
            }
        }
    }

    #[test]
    fn the_reference_names_every_metric_and_every_label() {
        let page = reference();
        for metric in ALL {
            assert!(page.contains(&format!("| `{}` |", metric.name)), "{}", metric.name);
            assert!(metric.labels.iter().all(|label| page.contains(&format!("`{label}`"))), "{}", metric.name);
        }
        assert!(page.contains("`ai_gateway_overhead_seconds`: 0.00001, 0.000025,"));
    }
}
