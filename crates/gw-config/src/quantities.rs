//! Single values of routing: how often, how much, how long, which status.

use std::time::Duration;

use gw_policy::hedge::Threshold;
use gw_policy::{auto, retry};

use crate::scalar::{Fault, Json, Scalar};

/// How often something is done again: none is a number too.
#[derive(Clone, Copy)]
pub(crate) struct Times(pub(crate) u32);

/// More tries than anybody waits for.
const TIMES_MAX: u32 = 100;

impl Scalar for Times {
    const NAME: &'static str = "a number of times";
    const JSON: Json = Json::Integer { minimum: 0 };

    fn parse(text: &str) -> Result<Self, Fault> {
        let times = text.parse().map_err(|_| Fault::new("is not a whole number", "write digits only"))?;
        if times > TIMES_MAX { Err(Fault::new("is too often", "100 is the most")) } else { Ok(Self(times)) }
    }
}

/// A pause, which may be none.
#[derive(Clone, Copy)]
pub(crate) struct Pause(pub(crate) Duration);

impl Scalar for Pause {
    const NAME: &'static str = "a duration, or 0";
    const JSON: Json = Duration::JSON;

    fn parse(text: &str) -> Result<Self, Fault> {
        let is_zero = matches!(text, "0" | "0ms" | "0s" | "0m" | "0h" | "0d");
        if is_zero { Ok(Self(Duration::ZERO)) } else { Duration::parse(text).map(Self) }
    }
}

/// A part of something: from 0 to 1, or with a percent sign.
#[derive(Clone, Copy)]
pub(crate) struct Share(pub(crate) f64);

impl Scalar for Share {
    const NAME: &'static str = "a share";
    const JSON: Json = Json::NumberOr("^[0-9]+(\\.[0-9]+)? *%$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let (digits, factor) = match text.strip_suffix('%') {
            Some(digits) => (digits.trim_end(), 0.01),
            None => (text, 1.0),
        };
        let share = digits.parse::<f64>().ok().map(|number| number * factor);
        let fits = share.filter(|share| (0.0..=1.0).contains(share));
        fits.map(Self).ok_or_else(|| Fault::new("is not a share", "write a number from 0 to 1, or 50%"))
    }
}

/// From when on an answer is slow: after a time, or by a percentile of the times that were measured.
#[derive(Clone, Copy)]
pub(crate) struct SlowAfter(pub(crate) Threshold);

impl Scalar for SlowAfter {
    const NAME: &'static str = "a duration, or a percentile";
    const JSON: Json = Json::NumberOr("^([0-9]+(\\.[0-9]+)? *(ms|s|m|h|d)?|p[0-9]+(\\.[0-9]+)?)$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let Some(digits) = text.strip_prefix('p') else {
            return Duration::parse(text).map(|after| Self(Threshold::After(after)));
        };
        // Of all answers none is slow, and of none all are.
        let percent = digits.parse::<f64>().ok().filter(|percent| *percent >= 50.0 && *percent < 100.0);
        let share = percent.filter(|_| digits.starts_with(|first: char| first.is_ascii_digit()));
        share
            .map(|percent| Self(Threshold::Quantile(percent / 100.0)))
            .ok_or_else(|| Fault::new("is not a percentile", "write p95, or another from p50 to p99.9"))
    }
}

/// A part of a hundred.
#[derive(Clone, Copy)]
pub(crate) struct Percentage(pub(crate) f64);

impl Scalar for Percentage {
    const NAME: &'static str = "a percentage";
    const JSON: Json = Json::NumberOr("^[0-9]+(\\.[0-9]+)? *%$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let digits = text.strip_suffix('%').unwrap_or(text).trim_end();
        let percentage = digits.parse::<f64>().ok().filter(|number| (0.0..=100.0).contains(number));
        percentage.map(Self).ok_or_else(|| Fault::new("is not a percentage", "write a number from 0 to 100"))
    }
}

/// A target's share against the others'.
#[derive(Clone, Copy)]
pub(crate) struct Weight(pub(crate) f64);

impl Scalar for Weight {
    const NAME: &'static str = "a weight";
    const JSON: Json = Json::NumberOr("^[0-9]+(\\.[0-9]+)?$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let weight = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        weight.map(Self).ok_or_else(|| Fault::new("is not a weight", "write a number of 0 or more"))
    }
}

/// By how much a pause grows.
#[derive(Clone, Copy)]
pub(crate) struct Growth(pub(crate) f64);

impl Scalar for Growth {
    const NAME: &'static str = "a factor";
    const JSON: Json = Json::Number;

    fn parse(text: &str) -> Result<Self, Fault> {
        let factor = text.parse::<f64>().ok().filter(|factor| (1.0..=1_000.0).contains(factor));
        factor.map(Self).ok_or_else(|| Fault::new("is not a factor", "write a number from 1 to 1000"))
    }
}

/// By how much a pause varies.
#[derive(Clone, Copy)]
pub(crate) struct Jitter(pub(crate) retry::Jitter);

impl Scalar for Jitter {
    const NAME: &'static str = "a share, or full";
    const JSON: Json = Json::NumberOr("^(full|[0-9]+(\\.[0-9]+)? *%)$");

    fn parse(text: &str) -> Result<Self, Fault> {
        if text.eq_ignore_ascii_case("full") {
            return Ok(Self(retry::Jitter::Full));
        }
        let share = Share::parse(text);
        let fault = |_| Fault::new("is not a share", "write a number from 0 to 1, 10%, or full");
        share.map(|share| Self(retry::Jitter::Part(share.0))).map_err(fault)
    }
}

/// The price of a model against how able it is.
#[derive(Clone, Copy)]
pub(crate) struct Tradeoff(pub(crate) auto::Tradeoff);

impl Scalar for Tradeoff {
    const NAME: &'static str = "a trade-off";
    const JSON: Json = Json::Integer { minimum: 0 };

    fn parse(text: &str) -> Result<Self, Fault> {
        let tradeoff = text.parse().ok().and_then(auto::Tradeoff::new);
        tradeoff.map(Self).ok_or_else(|| Fault::new("is not a trade-off", "write a whole number from 0 to 10"))
    }
}

/// A status of HTTP.
#[derive(Clone, Copy)]
pub(crate) struct Status(pub(crate) u16);

impl Scalar for Status {
    const NAME: &'static str = "a status";
    const JSON: Json = Json::Integer { minimum: 100 };

    fn parse(text: &str) -> Result<Self, Fault> {
        let status = text.parse().ok().filter(|status| (100..=599).contains(status));
        status.map(Self).ok_or_else(|| Fault::new("is not a status", "write a number from 100 to 599"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_numbers_up_to_one_or_have_a_percent_sign() {
        for (text, share) in [("0.1", 0.1), ("1", 1.0), ("50%", 0.5), ("5 %", 0.05), ("0", 0.0)] {
            assert!(Share::parse(text).is_ok_and(|read| (read.0 - share).abs() < 1e-9), "{text}");
        }
        for text in ["", "%", "1.5", "101%", "-0.1", "NaN", "half"] {
            assert!(Share::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_pause_is_a_pause_too() {
        for (text, ms) in [("0", 0), ("0s", 0), ("0ms", 0), ("1s", 1_000), ("0.5", 500)] {
            assert!(Pause::parse(text).is_ok_and(|pause| pause.0 == Duration::from_millis(ms)), "{text}");
        }
        assert!(Pause::parse("").is_err() && Pause::parse("0 weeks").is_err());
    }

    #[test]
    fn an_answer_is_slow_after_a_time_or_a_percentile() {
        let read = |text| SlowAfter::parse(text).ok().map(|slow| slow.0);
        assert_eq!(read("3s"), Some(Threshold::After(Duration::from_secs(3))));
        for (text, share) in [("p95", 0.95), ("p50", 0.5), ("p99.9", 0.999)] {
            assert!(matches!(read(text), Some(Threshold::Quantile(read)) if (read - share).abs() < 1e-9), "{text}");
        }
        for text in ["", "p", "p100", "p49", "p-95", "pinf", "pNaN", "p95%"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_pause_may_grow_and_not_shrink() {
        assert!(Growth::parse("1.5").is_ok() && Growth::parse("0.5").is_err() && Growth::parse("NaN").is_err());
    }
}
