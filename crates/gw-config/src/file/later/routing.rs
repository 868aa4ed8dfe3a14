//! Sections on how a provider is chosen and what follows a failure.

use crate::shape::{
    ANYTHING, BOOLEAN, Choice, DURATION, INTEGER, NUMBER, NUMBERS, Off, Section, Shape, TEXT, TEXTS, planned,
};

pub(crate) const ROUTING: Section = Section::planned(
    "How a provider is chosen, and what follows a failure. This version goes by `priority` and tries once.",
    &[
        planned("strategy", &Shape::Choice(STRATEGIES), "How a provider is chosen.").off(Off::When("priority")),
        planned("fallback_enabled", &BOOLEAN, "Whether the next provider is tried after a failure.")
            .off(Off::When("false")),
        planned("fallback_on_errors", &TEXTS, "The failures after which the next provider is tried.")
            .off(Off::With(&["fallback_enabled"])),
        planned("retry_attempts", &INTEGER, "Further tries after the first.").off(Off::When("0")),
        planned("retry_delay", &DURATION, "The pause before the next try.").off(Off::With(&["retry_attempts"])),
        planned("rules", &Shape::List(&Shape::Section(&RULE)), "Which requests go to which providers."),
        planned("latency_tracking", &Shape::Section(&LATENCY_TRACKING), "Measuring how long providers take.")
            .off(Off::Switch),
        planned("latency_threshold", &DURATION, "From when on an answer is slow.")
            .off(Off::With(&["fallback_on_slow_response"])),
        planned("fallback_on_slow_response", &BOOLEAN, "Whether the next provider is tried after a slow answer.")
            .off(Off::When("false")),
        planned("circuit_breaker", &Shape::Section(&CIRCUIT_BREAKER), "Leaving out a provider that fails.")
            .off(Off::Switch),
    ],
);

const STRATEGIES: &[Choice] = &[
    Choice { word: "priority", about: "The provider with the lowest `priority`." },
    Choice { word: "round-robin", about: "Each in turn." },
    Choice { word: "least-latency", about: "The fastest." },
];

const RULE: Section = Section::planned(
    "Which requests go to which providers.",
    &[
        planned("name", &TEXT, "The rule's name."),
        planned("condition", &Shape::Section(&CONDITION), "The requests."),
        planned("providers", &TEXTS, "The providers, the first one first."),
    ],
);

const CONDITION: Section = Section::planned(
    "What requests must be like.",
    &[
        planned("tags", &TEXTS, "One of these tags."),
        planned("batch_size", &TEXT, "A number of inputs, such as `>100`."),
    ],
);

const LATENCY_TRACKING: Section = Section::planned(
    "Measuring how long providers take.",
    &[
        planned("enabled", &BOOLEAN, "Whether it is done."),
        planned("window", &DURATION, "How far back."),
        planned("sample_size", &INTEGER, "Over how many answers."),
    ],
);

pub(crate) const RETRY: Section = Section::planned(
    "Further tries after a failure.",
    &[
        planned("attempts", &INTEGER, "Further tries after the first.").off(Off::When("0")),
        planned("count", &INTEGER, "The same as `attempts`.").off(Off::When("0")),
        planned("max_attempts", &INTEGER, "All tries, the first one included.").off(Off::When("1")),
        planned("initial_delay", &DURATION, "The pause before the second try.").off(Off::With(TRIES)),
        planned("max_delay", &DURATION, "The longest pause.").off(Off::With(TRIES)),
        planned("multiplier", &NUMBER, "By how much the pause grows.").off(Off::With(TRIES)),
        planned("jitter", &NUMBER, "By which part the pause varies.").off(Off::With(TRIES)),
        planned("on_status_codes", &NUMBERS, "The statuses that are failures.").off(Off::With(TRIES)),
        planned("use_retry_after_header", &BOOLEAN, "Whether the provider's own pause is kept.").off(Off::With(TRIES)),
    ],
);

const TRIES: &[&str] = &["attempts", "count", "max_attempts"];

pub(crate) const CIRCUIT_BREAKER: Section = Section::planned(
    "Leaving out a provider that fails.",
    &[
        planned("enabled", &BOOLEAN, "Whether it is done."),
        planned("failure_threshold", &INTEGER, "Failures in a row that open it."),
        planned("success_threshold", &INTEGER, "Successes in a row that close it."),
        planned("timeout", &DURATION, "From when on a call is a failure."),
        planned("reset_timeout", &DURATION, "How long it stays open."),
        planned("half_open_requests", &INTEGER, "Requests that try whether it can be closed."),
    ],
);

pub(crate) const HEALTH_CHECKS: Section = Section::planned(
    "Asking providers for their health.",
    &[
        planned("enabled", &BOOLEAN, "Whether it is done."),
        planned("interval", &DURATION, "How often."),
        planned("timeout", &DURATION, "How long an answer may take."),
        planned("providers", &Shape::List(&Shape::Section(&HEALTH_CHECK)), "Whom to ask."),
    ],
);

const HEALTH_CHECK: Section = Section::planned(
    "Asking one provider.",
    &[
        planned("name", &TEXT, "The provider."),
        planned("endpoint", &TEXT, "The URL."),
        planned("expected_status", &ANYTHING, "The status, or statuses, of a healthy provider."),
    ],
);

pub(crate) const CANARY: Section = Section::planned(
    "Giving a new provider a part of the traffic.",
    &[
        planned("enabled", &BOOLEAN, "Whether it is done."),
        planned("rollouts", &Shape::List(&Shape::Section(&ROLLOUT)), "The new ones."),
    ],
);

const ROLLOUT: Section = Section::planned(
    "One new provider.",
    &[
        planned("name", &TEXT, "The rollout's name."),
        planned("provider", &TEXT, "The provider."),
        planned("traffic_percentage", &NUMBER, "Its part of the requests."),
        planned("duration", &DURATION, "For how long."),
        planned("success_criteria", &Shape::Section(&CRITERIA), "What makes it a success."),
        planned("rollback_on", &Shape::Section(&CRITERIA), "What ends it early."),
    ],
);

const CRITERIA: Section = Section::planned(
    "Comparisons such as `<1%` or `>5s`.",
    &[
        planned("error_rate", &TEXT, "The part of requests that fail."),
        planned("latency_p95", &TEXT, "The time within which 95 of 100 answers come."),
        planned("cost_increase", &TEXT, "How much dearer it is."),
    ],
);
