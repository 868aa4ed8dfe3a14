//! The models of the sandbox: what each name asks for.

use std::time::Duration;

use http::StatusCode;

/// A model of the sandbox, for listings and hints. Names with a number in them stand for a family: the number may be
/// another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SandboxModel {
    /// Its name, as a request gives it.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// Declares the list without repeating the names of the fields.
macro_rules! models {
    ($($name:literal: $about:literal,)+) => {
        /// Every model, one for each family.
        pub const MODELS: &[SandboxModel] = &[$(SandboxModel { name: $name, about: $about },)+];
    };
}

models! {
    "echo": "answers with what it was told; calls a tool where tools are offered",
    "embedding": "like echo; a name for embeddings",
    "stream-slow": "like echo; streams a chunk every 200 ms",
    "stream-slow-50ms": "like stream-slow, at this pace (`50ms`, `1s`)",
    "stream-fast": "streams a hundred words as fast as they are read",
    "lorem-500": "answers with this many words",
    "huge-100mb": "answers with this many mebibytes",
    "error-400": "fails with this status, 400 to 599",
    "error-401": "fails as for a wrong key",
    "error-403": "fails as for a key without the permission",
    "error-404": "fails as for an unknown model",
    "error-408": "fails as for a request that took too long",
    "error-422": "fails as for a body of the wrong shape",
    "error-429": "fails with `retry-after: 2`",
    "error-429-after-7": "fails with `retry-after: 7`; any error can have one",
    "error-500": "fails as a server",
    "error-502": "fails as a server behind another one",
    "error-503": "fails as an overloaded server",
    "error-529": "fails with a status outside the standard",
    "error-mid-stream": "sends an error event in the middle of a stream",
    "html-error": "fails with a web page",
    "not-json": "answers with something that is not JSON",
    "empty-body": "answers with nothing",
    "no-usage": "does not report usage",
    "no-done": "ends a stream without `[DONE]`",
    "timeout": "never answers",
    "hang-mid-stream": "stops in the middle of an answer and keeps the connection",
    "cut-before-head": "closes the connection before it answers",
    "cut-mid-stream": "closes the connection in the middle of a stream",
    "cut-mid-body": "closes the connection in the middle of a body",
    "refuse": "refuses the connection",
    "panic": "panics before it answers",
    "panic-mid-stream": "panics in the middle of an answer",
}

/// Whether there is a model of this name.
pub fn is_known(model: &str) -> bool {
    Behaviour::of(model).is_some()
}

/// What a model does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    Answer(Answering),
    Error { status: StatusCode, retry_after_s: Option<u32> },
    HtmlError,
    NotJson,
    EmptyBody,
    Huge { mebibytes: u32 },
    Timeout,
    Refuse,
    CutBeforeHead,
    Panic,
}

/// How a model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answering {
    pub(super) words: Words,
    /// Time between two events of a stream.
    pub(super) pace: Option<Duration>,
    pub(super) quirk: Quirk,
}

/// Where the words of an answer come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    Echo,
    Filler { count: usize },
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quirk {
    None,
    /// It stops in the middle, for ever.
    Hang,
    /// It breaks off in the middle.
    Cut,
    /// An error stands in the middle.
    ErrorEvent,
    /// It panics in the middle.
    Panic,
    NoUsage,
    NoDone,
}

impl Behaviour {
    /// What the name asks for; `None` if no model is called so.
    pub(super) fn of(model: &str) -> Option<Self> {
        let echo = Answering { words: Words::Echo, pace: None, quirk: Quirk::None };
        let quirky = |quirk| Some(Self::Answer(Answering { quirk, ..echo }));
        match model {
            "echo" | "embedding" => Some(Self::Answer(echo)),
            "stream-slow" => Some(Self::Answer(Answering { pace: Some(Duration::from_millis(200)), ..echo })),
            "stream-fast" => Some(Self::Answer(Answering { words: Words::Filler { count: 100 }, ..echo })),
            "hang-mid-stream" => quirky(Quirk::Hang),
            "cut-mid-stream" | "cut-mid-body" => quirky(Quirk::Cut),
            "error-mid-stream" => quirky(Quirk::ErrorEvent),
            "panic-mid-stream" => quirky(Quirk::Panic),
            "no-usage" => quirky(Quirk::NoUsage),
            "no-done" => quirky(Quirk::NoDone),
            "html-error" => Some(Self::HtmlError),
            "not-json" => Some(Self::NotJson),
            "empty-body" => Some(Self::EmptyBody),
            "timeout" => Some(Self::Timeout),
            "refuse" => Some(Self::Refuse),
            "cut-before-head" => Some(Self::CutBeforeHead),
            "panic" => Some(Self::Panic),
            family => Self::of_family(family, echo),
        }
    }

    /// A name with a number in it.
    fn of_family(model: &str, echo: Answering) -> Option<Self> {
        const WORDS_MAX: usize = 100_000;
        const MEBIBYTES_MAX: u32 = 10_240;
        if let Some(pace) = model.strip_prefix("stream-slow-") {
            return Some(Self::Answer(Answering { pace: Some(parse_pace(pace)?), ..echo }));
        }
        if let Some(count) = model.strip_prefix("lorem-") {
            let count = parse_number::<usize>(count).filter(|count| (1..=WORDS_MAX).contains(count))?;
            return Some(Self::Answer(Answering { words: Words::Filler { count }, ..echo }));
        }
        if let Some(size) = model.strip_prefix("huge-") {
            let mebibytes = parse_number(size.strip_suffix("mb")?)?;
            return (1..=MEBIBYTES_MAX).contains(&mebibytes).then_some(Self::Huge { mebibytes });
        }
        let error = model.strip_prefix("error-")?;
        let (status, retry_after) = match error.split_once("-after-") {
            Some((status, seconds)) => (status, Some(parse_number(seconds)?)),
            None => (error, None),
        };
        let status = parse_number(status).filter(|status| (400..600).contains(status))?;
        let status = StatusCode::from_u16(status).ok()?;
        let default = (status == StatusCode::TOO_MANY_REQUESTS).then_some(2);
        Some(Self::Error { status, retry_after_s: retry_after.or(default) })
    }
}

fn parse_pace(text: &str) -> Option<Duration> {
    if let Some(number) = text.strip_suffix("ms") {
        return parse_number::<u32>(number).map(|number| Duration::from_millis(number.into()));
    }
    parse_number::<u32>(text.strip_suffix('s')?).map(|number| Duration::from_secs(number.into()))
}

/// Digits only: the standard parser would take a sign too.
fn parse_number<N: std::str::FromStr>(text: &str) -> Option<N> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_model_exists() {
        for model in MODELS {
            assert!(Behaviour::of(model.name).is_some(), "{}", model.name);
        }
    }

    #[test]
    fn numbers_in_a_name_are_taken_from_it() {
        let pace = |name| match Behaviour::of(name) {
            Some(Behaviour::Answer(answering)) => answering.pace,
            _ => None,
        };
        assert_eq!(pace("stream-slow-50ms"), Some(Duration::from_millis(50)));
        assert_eq!(pace("stream-slow-1s"), Some(Duration::from_secs(1)));
        assert_eq!(Behaviour::of("huge-3mb"), Some(Behaviour::Huge { mebibytes: 3 }));
        let error = |status, retry_after_s| {
            let status = StatusCode::from_u16(status).unwrap();
            Some(Behaviour::Error { status, retry_after_s })
        };
        assert_eq!(Behaviour::of("error-418"), error(418, None));
        assert_eq!(Behaviour::of("error-429"), error(429, Some(2)));
        assert_eq!(Behaviour::of("error-503-after-9"), error(503, Some(9)));
    }

    #[test]
    fn a_name_out_of_its_bounds_is_no_model() {
        for name in [
            "",
            "gpt-4o",
            "Echo",
            "error-",
            "error-200",
            "error-600",
            "error-+429",
            "error-429-after-",
            "lorem-0",
            "lorem-100001",
            "lorem-x",
            "huge-0mb",
            "huge-99999mb",
            "stream-slow-",
            "stream-slow-5",
            "stream-slow-5ms ",
        ] {
            assert_eq!(Behaviour::of(name), None, "{name:?}");
        }
    }
}
