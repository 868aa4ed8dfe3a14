//! `logging` and `metrics`: as written.

use super::later::observe;
use crate::config::LogFormat;
use crate::names::{Address, LogLevel};
use crate::section::{choices, section};
use crate::shape::{Shape, planned};
use crate::url::UrlPath;

section! {
    /// The gateway's log.
    Logging {
        /// How lines look. The default in the server profile is `json`.
        format: LogFormat, default "pretty";
        /// Level, for all (`info`) or by module (`info,gw_http=debug`).
        level: LogLevel, default "info";
        /// Whether each finished request is a line.
        requests: bool, default "true";
    }
}

section! {
    /// Metrics in the Prometheus format.
    Metrics {
        /// Whether they are shown at all.
        enabled: bool, default "true";
        /// A port of their own, on the address of `listen`; that of the API if left out.
        port: u16;
        /// An address of their own; the port may stand in `port`.
        listen: Address;
        /// Their path.
        path: UrlPath, default "/metrics";
    }
    planned: [
        planned("custom_metrics", &Shape::List(&Shape::Section(&observe::CUSTOM_METRIC)), "Further metrics."),
    ]
}

choices! {
    LogFormat {
        "pretty" => LogFormat::Pretty, "For a person at a terminal.";
        "json" => LogFormat::Json, "One JSON object a line.";
    }
}
