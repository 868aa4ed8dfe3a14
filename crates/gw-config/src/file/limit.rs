//! What a limit of a route is made of, as written.

use gw_core::Nanodollars;
use gw_policy::limit::{Counts, Technique};

use crate::scalar::{Fault, Json, Scalar};
use crate::section::choices;

/// What a limit counts.
pub(crate) type LimitType = Counts;

choices! {
    LimitType {
        "count" => Counts::Requests, "Requests, when they are sent.";
        "cost" => Counts::Cost, "What they cost, when that is known. Those under way when it is reached go on.";
    }
}

/// Where the span of a limit begins.
pub(crate) type LimitTechnique = Technique;

choices! {
    LimitTechnique {
        "fixed" => Technique::Fixed, "At multiples of the interval since 1970 (UTC): each full hour, each day.";
        "sliding" => Technique::Sliding, "Anywhere: no span of the interval's length has more.";
    }
}

/// What tells requests apart that are counted each for itself; nothing if they are counted together.
#[derive(Clone)]
pub(crate) struct LimitKey(pub(crate) String);

impl Scalar for LimitKey {
    const NAME: &'static str = "a fact of requests";
    const JSON: Json = Json::Pattern("^((metadata|params|headers)\\..+|user|key)?$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let (root, rest) = text.split_once('.').unwrap_or((text, ""));
        let is_known = match root {
            "metadata" | "params" | "headers" => !rest.is_empty(),
            "user" | "key" | "" => text == root,
            _ => false,
        };
        let help = "write metadata.NAME, params.NAME, headers.NAME, user or key; \"\" counts all together";
        is_known.then(|| Self(text.to_owned())).ok_or_else(|| Fault::new("is no fact of requests", help))
    }
}

/// How much a limit lets through: requests, or dollars.
#[derive(Clone)]
pub(crate) struct Amount {
    /// As a number of requests, if it is a whole one.
    pub(crate) requests: Option<u64>,
    /// As dollars.
    pub(crate) nanodollars: u64,
}

impl Scalar for Amount {
    const NAME: &'static str = "an amount";
    const JSON: Json = Json::NumberOr("^[0-9]+(\\.[0-9]+)?$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let dollars = Nanodollars::from_dollars(text).and_then(|amount| u64::try_from(amount.0).ok());
        let fault = || Fault::new("is no amount", "write a number of 0 or more, such as 100, or 2.50 dollars");
        Ok(Self { requests: text.parse().ok(), nanodollars: dollars.ok_or_else(fault)? })
    }
}
