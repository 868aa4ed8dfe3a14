//! Sections on people, personal data and regulations.

use crate::shape::{ANYTHING, BOOLEAN, INTEGER, NUMBER, Off, Section, Shape, TEXT, TEXTS, planned};

pub(crate) const ROLE: Section = Section::planned(
    "What somebody may do.",
    &[
        planned("name", &TEXT, "The role's name."),
        planned("permissions", &TEXTS, "What is allowed."),
        planned("limits", &Shape::Section(&ROLE_LIMITS), "How much of it."),
    ],
);

const ROLE_LIMITS: Section = Section::planned(
    "How much somebody may do.",
    &[
        planned("max_requests_per_day", &INTEGER, "Requests a day."),
        planned("max_cost_per_day", &NUMBER, "Cost a day."),
        planned("allowed_models", &TEXTS, "Which models."),
    ],
);

pub(crate) const USER: Section = Section::planned(
    "Somebody.",
    &[
        planned("username", &TEXT, "Who."),
        planned("role", &TEXT, "Which role."),
        planned("api_key", &TEXT, "The key, by reference."),
    ],
);

pub(crate) const SECURITY: Section = Section::planned(
    "Masking of personal data, and the audit log.",
    &[
        planned("data_masking", &Shape::Section(&DATA_MASKING), "Masking of personal data.").off(Off::Switch),
        planned("pii_detection", &Shape::Section(&PII_DETECTION), "How personal data is found.").off(Off::Switch),
        planned("exclude_from_logs", &TEXTS, "What the log does not hold."),
        planned("audit_log", &Shape::Section(&AUDIT_LOG), "Who did what.").off(Off::Switch),
    ],
);

const DATA_MASKING: Section = Section::planned(
    "Masking of personal data.",
    &[
        planned("enabled", &BOOLEAN, "Whether it is done."),
        planned("pii_detection", &Shape::Section(&PII_DETECTION), "How personal data is found."),
    ],
);

const PII_DETECTION: Section = Section::planned(
    "How personal data is found.",
    &[
        planned("enabled", &BOOLEAN, "Whether it is done."),
        planned("patterns", &Shape::List(&Shape::Section(&PII_PATTERN)), "What it looks like."),
    ],
);

const PII_PATTERN: Section = Section::planned(
    "What a kind of personal data looks like.",
    &[
        planned("type", &TEXT, "The kind."),
        planned("regex", &TEXT, "The pattern."),
        planned("replacement", &TEXT, "What is written in its place."),
    ],
);

const AUDIT_LOG: Section = Section::planned(
    "Who did what.",
    &[
        planned("enabled", &BOOLEAN, "Whether it is kept."),
        planned("retention_days", &INTEGER, "For how long."),
        planned("include_masked_data", &BOOLEAN, "Whether masked text is in it."),
    ],
);

pub(crate) const COMPLIANCE: Section = Section::planned(
    "Regulations to keep.",
    &[
        planned("gdpr", &Shape::Section(&GDPR), "The European Union's data protection.").off(Off::Switch),
        planned("hipaa", &Shape::Section(&HIPAA), "The United States' health data.").off(Off::Switch),
    ],
);

const GDPR: Section = Section::planned(
    "The European Union's data protection.",
    &[
        planned("enabled", &BOOLEAN, "Whether it is kept."),
        planned("data_residency", &TEXT, "Where data must stay."),
        planned("consent_required", &BOOLEAN, "Whether requests must carry a consent."),
    ],
);

const HIPAA: Section = Section::planned(
    "The United States' health data.",
    &[
        planned("enabled", &BOOLEAN, "Whether it is kept."),
        planned("encryption_at_rest", &BOOLEAN, "Whether what is stored is encrypted."),
        planned("encryption_in_transit", &BOOLEAN, "Whether every connection is encrypted."),
        planned("audit_logging", &BOOLEAN, "Whether the audit log is kept."),
    ],
);

pub(crate) const ACCESS_CONTROL: Section = Section::planned(
    "From where and when one may call.",
    &[
        planned("ip_whitelist", &Shape::Section(&IP_WHITELIST), "From which addresses.").off(Off::Switch),
        planned("geo_restriction", &Shape::Section(&GEO_RESTRICTION), "From which countries.").off(Off::Switch),
        planned("time_based_access", &Shape::Section(&TIME_BASED_ACCESS), "At which hours.").off(Off::Switch),
    ],
);

const IP_WHITELIST: Section = Section::planned(
    "From which addresses one may call.",
    &[planned("enabled", &BOOLEAN, "Whether it matters."), planned("allowed_ips", &TEXTS, "The networks.")],
);

const GEO_RESTRICTION: Section = Section::planned(
    "From which countries one may call.",
    &[planned("enabled", &BOOLEAN, "Whether it matters."), planned("allowed_countries", &TEXTS, "The countries.")],
);

const TIME_BASED_ACCESS: Section = Section::planned(
    "At which hours one may call.",
    &[
        planned("enabled", &BOOLEAN, "Whether it matters."),
        planned("allowed_hours", &Shape::Section(&ALLOWED_HOURS), "The hours."),
        planned("timezone", &TEXT, "Where the clock hangs."),
    ],
);

const ALLOWED_HOURS: Section = Section::planned(
    "From when to when.",
    &[
        planned("start", &TEXT, "The first minute."),
        planned("end", &TEXT, "The first minute after."),
        planned("timezone", &TEXT, "Where the clock hangs."),
    ],
);

/// Checks and changes of the JSON form.
pub(crate) const GUARDRAILS: Shape = Shape::List(&ANYTHING);
