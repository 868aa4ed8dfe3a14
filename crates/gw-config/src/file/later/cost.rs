//! Sections on prices and budgets.

use crate::shape::{BOOLEAN, NUMBER, Section, Shape, TEXT, TEXTS, planned};

pub(crate) const COST_MANAGEMENT: Section = Section::planned(
    "Prices, budgets and what happens beyond them.",
    &[
        planned("enabled", &BOOLEAN, "Whether costs are kept."),
        planned("currency", &TEXT, "The currency of all amounts."),
        planned(
            "provider_costs",
            &Shape::Map(&Shape::Map(&Shape::Section(&MODEL_COST))),
            "Prices by provider and model, in place of the built-in ones.",
        ),
        planned("budgets", &Shape::List(&Shape::Section(&BUDGET)), "What may be spent."),
        planned("alerts", &Shape::List(&Shape::Section(&COST_ALERT)), "When somebody is to be told."),
        planned("auto_throttle", &Shape::Section(&AUTO_THROTTLE), "Serving less when a budget runs out."),
    ],
);

const MODEL_COST: Section = Section::planned(
    "The price of a model, for each token.",
    &[planned("input_token_cost", &NUMBER, "Of the request."), planned("output_token_cost", &NUMBER, "Of the answer.")],
);

const BUDGET: Section = Section::planned(
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

const COST_ALERT: Section = Section::planned(
    "When somebody is to be told of costs.",
    &[
        planned("type", &TEXT, "`budget_threshold` or `cost_spike`."),
        planned("threshold", &NUMBER, "How many times the usual cost."),
        planned("channels", &TEXTS, "By which ways."),
    ],
);

const AUTO_THROTTLE: Section = Section::planned(
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
