//! Sections on keeping answers.

use crate::shape::{ANYTHING, BOOLEAN, INTEGER, NUMBER, Section, Shape, TEXT, TEXTS, planned};

pub(crate) const CACHING: Section = Section::planned(
    "Keeping answers for equal requests.",
    &[
        planned("enabled", &BOOLEAN, "Whether answers are kept."),
        planned("backend", &TEXT, "Where: `memory` or `redis`."),
        planned("redis", &Shape::Section(&REDIS), "The Redis server."),
        planned("strategy", &Shape::Section(&STRATEGY), "Which answers, and for how long."),
        planned("key_components", &TEXTS, "What must be equal."),
        planned("cache_conditions", &Shape::List(&Shape::Map(&ANYTHING)), "What requests must be like."),
    ],
);

const REDIS: Section = Section::planned(
    "The Redis server.",
    &[
        planned("host", &TEXT, "Its host."),
        planned("port", &INTEGER, "Its port."),
        planned("db", &INTEGER, "The database."),
    ],
);

const STRATEGY: Section = Section::planned(
    "Which answers are kept, and for how long.",
    &[
        planned("ttl", &NUMBER, "Seconds."),
        planned("max_size", &INTEGER, "How many."),
        planned("key_components", &TEXTS, "What must be equal."),
        planned("cache_conditions", &Shape::List(&Shape::Map(&ANYTHING)), "What requests must be like."),
    ],
);

pub(crate) const CACHE: Section = Section::planned(
    "The JSON form of `caching`.",
    &[
        planned("mode", &TEXT, "`simple` or `semantic`."),
        planned("ttl", &NUMBER, "Seconds."),
        planned("max_age", &NUMBER, "How long an answer may be used."),
    ],
);

pub(crate) const CACHE_RULES: Section = Section::planned(
    "Which paths may be cached.",
    &[planned("cacheable", &TEXTS, "These."), planned("nocache", &TEXTS, "Never these.")],
);
