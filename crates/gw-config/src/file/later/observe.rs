//! Sections on metrics, traces, alerts and dashboards.

use crate::shape::{ANYTHING, BOOLEAN, INTEGER, NUMBER, NUMBERS, Section, Shape, TEXT, TEXTS, planned};

pub(crate) const CUSTOM_METRIC: Section = Section::planned(
    "A metric.",
    &[
        planned("name", &TEXT, "Its name."),
        planned("type", &TEXT, "`counter` or `histogram`."),
        planned("labels", &TEXTS, "By what it is told apart."),
        planned("buckets", &NUMBERS, "The bounds of a histogram."),
    ],
);

pub(crate) const INSTANA: Section = Section::planned(
    "Metrics and traces for Instana.",
    &[
        planned("enabled", &BOOLEAN, "Whether they are sent."),
        planned("agent_host", &TEXT, "The agent's host."),
        planned("agent_port", &INTEGER, "The agent's port."),
        planned("custom_metrics", &Shape::List(&Shape::Section(&CUSTOM_METRIC)), "Which metrics."),
        planned("tracing", &Shape::Section(&TRACING), "Which traces."),
        planned("tags", &Shape::Map(&TEXT), "What is attached to all."),
    ],
);

const TRACING: Section = Section::planned(
    "Which traces are sent.",
    &[
        planned("enabled", &BOOLEAN, "Whether they are."),
        planned("sample_rate", &NUMBER, "The part of requests."),
        planned("include_request_body", &BOOLEAN, "Whether requests are in them."),
        planned("include_response_body", &BOOLEAN, "Whether answers are in them."),
    ],
);

pub(crate) const ALERT: Section = Section::planned(
    "When somebody is to be told.",
    &[
        planned("name", &TEXT, "The alert's name."),
        planned("condition", &Shape::Section(&ALERT_CONDITION), "When."),
        planned("actions", &Shape::List(&Shape::Section(&ALERT_ACTION)), "Who, and how."),
    ],
);

const ALERT_CONDITION: Section = Section::planned(
    "What is watched.",
    &[
        planned("metric", &TEXT, "The metric."),
        planned("threshold", &NUMBER, "What it must not exceed."),
        planned("percentile", &TEXT, "Which part of a histogram, such as `p95`."),
        planned("value", &ANYTHING, "What it must not be."),
        planned("window", &crate::shape::DURATION, "Over how long."),
    ],
);

const ALERT_ACTION: Section = Section::planned(
    "Who is told, and how.",
    &[
        planned("type", &TEXT, "`slack`, `pagerduty` or `email`."),
        planned("channel", &TEXT, "The channel."),
        planned("service", &TEXT, "The service."),
        planned("severity", &TEXT, "How bad it is."),
        planned("message", &TEXT, "What is said."),
        planned("recipients", &TEXTS, "To whom."),
    ],
);

pub(crate) const DASHBOARD: Section = Section::planned(
    "Panels to show.",
    &[
        planned("name", &TEXT, "The dashboard's name."),
        planned("widgets", &Shape::List(&Shape::Section(&WIDGET)), "The panels."),
    ],
);

const WIDGET: Section = Section::planned(
    "A panel.",
    &[
        planned("type", &TEXT, "`metric` or `table`."),
        planned("title", &TEXT, "Its title."),
        planned("query", &TEXT, "What it shows."),
        planned("columns", &TEXTS, "The columns of a table."),
    ],
);
