//! Single values: what a scalar's text must look like to be a duration, a URL, a name.

use std::borrow::Cow;
use std::time::Duration;

/// Why a text is not what its field needs: a predicate (`is not a duration`) that never repeats the text, and what to
/// write instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) predicate: Cow<'static, str>,
    pub(crate) help: Cow<'static, str>,
}

impl Fault {
    pub(crate) fn new(predicate: impl Into<Cow<'static, str>>, help: impl Into<Cow<'static, str>>) -> Self {
        Self { predicate: predicate.into(), help: help.into() }
    }
}

/// A value that stands in one scalar.
pub(crate) trait Scalar: Sized {
    /// What it is, with its article: `a duration`.
    const NAME: &'static str;
    /// What JSON Schema says of it.
    const JSON: Json;

    /// Reads it.
    fn parse(text: &str) -> Result<Self, Fault>;

    /// Whether a message may repeat a text that is not one; not if a password may be in it.
    fn may_show(_text: &str) -> bool {
        true
    }
}

/// What JSON Schema says of a scalar.
#[derive(Clone, Copy)]
pub(crate) enum Json {
    /// Any text.
    Text,
    /// Text that matches a pattern.
    Pattern(&'static str),
    /// `true` or `false`.
    Boolean,
    /// A whole number, at least this.
    Integer { minimum: i64 },
    /// Any number.
    Number,
    /// A number, or text that matches a pattern.
    NumberOr(&'static str),
    /// Anything at all.
    Anything,
}

/// A scalar's type as data, for the schema and for fields that are only checked.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) json: Json,
    pub(crate) check: fn(&str) -> Result<(), Fault>,
}

/// The type as data.
pub(crate) const fn kind<T: Scalar>() -> Kind {
    Kind { name: T::NAME, json: T::JSON, check: check::<T> }
}

fn check<T: Scalar>(text: &str) -> Result<(), Fault> {
    T::parse(text).map(drop)
}

impl Scalar for String {
    const NAME: &'static str = "text";
    const JSON: Json = Json::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        not_empty(text).map(str::to_owned)
    }
}

impl Scalar for bool {
    const NAME: &'static str = "true or false";
    const JSON: Json = Json::Boolean;

    fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "true" | "True" | "TRUE" => Ok(true),
            "false" | "False" | "FALSE" => Ok(false),
            _ => Err(Fault::new("is neither true nor false", "write true or false")),
        }
    }
}

impl Scalar for i64 {
    const NAME: &'static str = "a whole number";
    const JSON: Json = Json::Integer { minimum: i64::MIN };

    fn parse(text: &str) -> Result<Self, Fault> {
        text.parse().map_err(|_| Fault::new("is not a whole number", "write digits only"))
    }
}

impl Scalar for u16 {
    const NAME: &'static str = "a port";
    const JSON: Json = Json::Integer { minimum: 0 };

    fn parse(text: &str) -> Result<Self, Fault> {
        text.parse().map_err(|_| Fault::new("is not a port", "write a number from 0 to 65535"))
    }
}

impl Scalar for f64 {
    const NAME: &'static str = "a number";
    const JSON: Json = Json::Number;

    fn parse(text: &str) -> Result<Self, Fault> {
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| Fault::new("is not a number", "write digits, with a point for fractions"))
    }
}

/// How many of something: at least one.
#[derive(Clone, Copy)]
pub(crate) struct Count(pub(crate) usize);

impl Scalar for Count {
    const NAME: &'static str = "a count";
    const JSON: Json = Json::Integer { minimum: 1 };

    fn parse(text: &str) -> Result<Self, Fault> {
        let count = text.parse().map_err(|_| Fault::new("is not a whole number", "write digits only"))?;
        more_than_zero(count).map(Count)
    }
}

/// A size in bytes: at least one.
#[derive(Clone, Copy)]
pub(crate) struct Size(pub(crate) usize);

impl Scalar for Size {
    const NAME: &'static str = "a size";
    const JSON: Json = Json::NumberOr("^[0-9]+ *(B|KB|MB|GB|KiB|MiB|GiB)?$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let (digits, unit) = split_unit(text);
        let factor = match unit {
            "" | "B" => Some(1),
            "KB" => Some(1_000),
            "MB" => Some(1_000_000),
            "GB" => Some(1_000_000_000),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            _ => None,
        };
        let size = factor.zip(digits.parse::<usize>().ok()).and_then(|(factor, number)| number.checked_mul(factor));
        more_than_zero(size.ok_or_else(|| Fault::new("is not a size", "write 32MiB, 64KB or a number of bytes"))?)
            .map(Size)
    }
}

/// The longest duration: beyond it is a slip, and adding it to a clock might overflow.
const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Scalar for Duration {
    const NAME: &'static str = "a duration";
    const JSON: Json = Json::NumberOr("^[0-9]+(\\.[0-9]+)? *(ms|s|m|h|d)?$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let (digits, unit) = split_unit(text);
        let seconds = match unit {
            "ms" => Some(0.001),
            "" | "s" => Some(1.0),
            "m" => Some(60.0),
            "h" => Some(3_600.0),
            "d" => Some(86_400.0),
            _ => None,
        };
        duration(seconds.zip(digits.parse::<f64>().ok()).map(|(unit, number)| number * unit))
    }
}

/// A duration that is written in milliseconds, as the JSON form does.
#[derive(Clone, Copy)]
pub(crate) struct Milliseconds(pub(crate) Duration);

impl Scalar for Milliseconds {
    const NAME: &'static str = "a number of milliseconds";
    const JSON: Json = Json::Integer { minimum: 1 };

    fn parse(text: &str) -> Result<Self, Fault> {
        let number =
            text.parse::<u32>().map_err(|_| Fault::new("is not a number of milliseconds", "write digits only"))?;
        duration(Some(f64::from(number) / 1_000.0)).map(Milliseconds)
    }
}

fn duration(seconds: Option<f64>) -> Result<Duration, Fault> {
    let Some(duration) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) else {
        return Err(Fault::new("is not a duration", "write 30s, 500ms, 2m, 1h or a number of seconds"));
    };
    if duration > DURATION_MAX {
        return Err(Fault::new("is too long", "366d is the most"));
    }
    more_than_zero(duration)
}

/// The digits in front, and what follows them.
fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    (digits, unit.trim())
}

/// Zero would mean "never" to one reader and "without end" to another.
fn more_than_zero<T: Default + PartialEq>(value: T) -> Result<T, Fault> {
    if value == T::default() {
        Err(Fault::new("must be more than zero", "remove it to get the default"))
    } else {
        Ok(value)
    }
}

fn not_empty(text: &str) -> Result<&str, Fault> {
    if text.is_empty() { Err(Fault::new("is empty", "remove it or give it a value")) } else { Ok(text) }
}

/// The text, if it is not empty, not longer than a name can be and without control characters.
pub(crate) fn one_line(text: &str) -> Result<&str, Fault> {
    if text.chars().any(char::is_control) {
        return Err(Fault::new("has control characters in it", "write it in one line"));
    }
    if text.len() > 512 {
        return Err(Fault::new("is too long", "512 bytes are the most"));
    }
    not_empty(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_any_unit_and_without() {
        for (text, ms) in
            [("30s", 30_000), ("500ms", 500), ("2m", 120_000), ("1h", 3_600_000), ("1.5", 1_500), ("1 d", 86_400_000)]
        {
            assert_eq!(Duration::parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in
            ["", "s", "1.2.3s", "-1s", "30 sec", "1e3", "inf", "NaN", "99999999999999999999d", "367d", "0", "0ms"]
        {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_any_unit_and_without() {
        for (text, bytes) in [("64", 64), ("64KB", 64_000), ("32MiB", 32 << 20), ("1 GiB", 1 << 30)] {
            assert_eq!(Size::parse(text).map(|size| size.0), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5MiB", "-1", "1kb", "0", "99999999999999999999", "99999999999999999GiB"] {
            assert!(Size::parse(text).is_err(), "{text}");
        }
    }
}
