//! Sections on budgets.

use crate::shape::{BOOLEAN, NUMBER, Section, TEXT, TEXTS, planned};

pub(crate) const BUDGET: Section = Section::planned(
    "What may be spent.",
    &[
        planned("name", &TEXT, "The budget's name."),
        planned("period", &TEXT, "`daily` or `monthly`."),
        planned("limit", &NUMBER, "The amount."),
        planned("alert_threshold", &NUMBER, "The part of it at which somebody is told."),
        planned("scope", &TEXT, "`user` for one budget for each user."),
        planned("hard_limit", &BOOLEAN, "Whether requests beyond it are refused."),
    ],
);

pub(crate) const COST_ALERT: Section = Section::planned(
    "When somebody is to be told of costs.",
    &[
        planned("type", &TEXT, "`budget_threshold` or `cost_spike`."),
        planned("threshold", &NUMBER, "How many times the usual cost."),
        planned("channels", &TEXTS, "By which ways."),
    ],
);

pub(crate) const AUTO_THROTTLE: Section = Section::planned(
    "Serving less when a budget runs out.",
    &[
        planned("enabled", &BOOLEAN, "Whether it is done."),
        planned("trigger_threshold", &NUMBER, "From which part of the budget on."),
        planned("throttle_percentage", &NUMBER, "The part of requests that is still served."),
    ],
);

pub(crate) const TEAM_BUDGET: Section = Section::planned(
    "What a team may spend in a month.",
    &[
        planned("monthly_limit_usd", &NUMBER, "The amount in US dollars."),
        planned("alert_threshold", &NUMBER, "The part of it at which somebody is told."),
    ],
);
