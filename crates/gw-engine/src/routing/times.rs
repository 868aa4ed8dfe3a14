//! How long a request may take, and whose word that is: the operator's, its own, or that of its client, which says in a
//! header how long it waits; and how long an answer may take to begin where nobody has said so.
//!
//! A client that has gone has nothing of an answer. So whatever could be tried after an attempt gets its part of the time
//! that the client waits. An attempt that nobody follows is not given up for it: the client knows best when it has waited
//! long enough, and who leaves cancels what is on its way.

use std::time::Duration;

use gw_core::{Operation, RequestTime};
use gw_dialects::head::Head;
use http::{HeaderName, HeaderValue};
use memchr::memmem;
use tokio::time::Instant;

use crate::engine::{Call, Resolved};

/// Where libraries say how many seconds they wait: those made by Stainless (OpenAI's and Anthropic's for Python and for
/// Node, and what is built on them), and Google's.
const HEADERS: [&str; 3] = ["x-stainless-read-timeout", "x-stainless-timeout", "x-server-timeout"];

/// What the way to the client and back may take: a twentieth of the time that it waits, within these bounds, and never
/// more than half.
const MARGIN_MIN: Duration = Duration::from_millis(500);
const MARGIN_MAX: Duration = Duration::from_secs(2);

/// How long a stream may take to say something where another target could be asked: half of what clients wait that have a
/// limit of 30 s.
const STREAM: Duration = Duration::from_secs(15);
/// How long an answer that comes whole may take there, which is not said before its last word is written: two thirds.
const WHOLE: Duration = Duration::from_secs(20);
/// The part of the time that its client waits which it may take besides, if that is more: who is known to wait for ten
/// minutes (usual in the libraries above) is not hurried.
const WHOLE_PART: u32 = 10;
/// How long an answer may take there whose model thinks before its first word.
const THINKING: Duration = Duration::from_secs(120);
/// How long a provider may take that nobody follows, before the head of a stream, or of an answer that is no chat.
pub(crate) const ALONE: Duration = Duration::from_secs(30);

/// Where the operator says how long a request may take.
const OPERATORS: &str = "server.timeouts.request";

/// Members by which requests ask for thoughts.
const THINKS: [&str; 5] = ["reasoning_effort", "reasoning", "thinking", "enable_thinking", "think"];
/// Members that have such a member somewhere inside.
const THINKS_INSIDE: [&str; 3] = ["generationConfig", "generation_config", "additionalModelRequestFields"];
/// Values by which they ask for none, or for few. Objects say `disabled`.
const THINKS_NOT: [&[u8]; 5] = [b"null", b"false", b"\"none\"", b"\"minimal\"", b"\"low\""];

/// How long a client says that it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientTime {
    waits: Duration,
    header: &'static str,
}

impl ClientTime {
    /// What a header says of it. Whatever is no number of seconds above zero says nothing.
    pub(super) fn said(name: &HeaderName, value: &HeaderValue) -> Option<Self> {
        let header = HEADERS.into_iter().find(|header| *header == name.as_str())?;
        let seconds: f64 = value.to_str().ok()?.trim().parse().ok()?;
        let waits = Duration::try_from_secs_f64(seconds).ok().filter(|waits| !waits.is_zero())?;
        Some(Self { waits, header })
    }

    /// The shorter of two.
    pub(super) fn shorter(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).min_by_key(|time| time.waits)
    }

    /// Within which it has to be answered.
    fn limit(self) -> Duration {
        let margin = (self.waits / 20).clamp(MARGIN_MIN, MARGIN_MAX).min(self.waits / 2);
        self.waits - margin
    }
}

/// The times of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Until when somebody is there to hear the answer begin: then nothing new is tried.
    pub(crate) heard_until: Instant,
    /// When the whole answer has to be over.
    pub(crate) end: Instant,
    /// How long it is until the first of them, and whose word that is.
    pub(crate) told: RequestTime,
    /// How long the client waits, if it says so.
    client: Option<Duration>,
}

impl Times {
    /// The times of a request that came then. What it asks for itself (`x-gateway-timeout`) and what its client says only
    /// ever shortens what the operator allows.
    pub(crate) fn of(came: Instant, operators: Duration, asked: Option<Duration>, client: Option<ClientTime>) -> Self {
        let (whole, of) = match asked {
            Some(asked) if asked < operators => (asked, "x-gateway-timeout"),
            Some(_) | None => (operators, OPERATORS),
        };
        let (limit, of) = match client {
            Some(client) if client.limit() < whole => (client.limit(), client.header),
            Some(_) | None => (whole, of),
        };
        Self {
            heard_until: came + limit,
            end: came + whole,
            told: RequestTime { limit, of },
            client: client.map(|client| client.waits),
        }
    }

    /// The times of what goes on with an answer whose client reads already.
    pub(super) fn going_on(self) -> Self {
        Self { heard_until: self.end, ..self }
    }

    /// How long it is until nothing new is tried, where the request or its client says so.
    pub(crate) fn told_by_request(&self) -> Option<RequestTime> {
        Some(self.told).filter(|told| told.of != OPERATORS)
    }

    /// Whether the client's patience is what bounds the attempts.
    pub(super) fn is_clients(&self) -> bool {
        self.heard_until < self.end
    }
}

/// How long an answer may take to begin: what the operator or the request says, else what is usual for the likes of it.
/// `is_followed` tells whether another target could be asked.
pub(super) fn first_byte(
    target: &Resolved,
    (call, head): (&Call<'_>, &Head),
    times: &Times,
    is_followed: bool,
) -> Duration {
    let provider = &target.choice.provider;
    let written = target.target_settings.first_byte_timeout.or(provider.first_byte);
    written.unwrap_or_else(|| {
        let is_chat = matches!(call.dialect.operation(), Operation::Chat | Operation::Completion);
        let kind = match (is_followed, head.stream) {
            // Of a list of steps, only the list knows which is the last.
            (false, false) if is_chat && call.step.is_none() => Kind::WholeAlone,
            (false, _) => Kind::Alone,
            (true, _) if is_chat && (target.always_thinks || asks_to_think(head, &call.body)) => Kind::Thinking,
            (true, true) => Kind::Stream,
            (true, false) => Kind::Whole,
        };
        kind.usual(provider.total_timeout, times.client)
    })
}

/// What an answer is that nobody has said anything of.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Nobody else could give it, and it comes whole.
    WholeAlone,
    /// Nobody else could give it.
    Alone,
    /// Somebody else could, and its model thinks first.
    Thinking,
    /// Somebody else could, and it comes piece by piece.
    Stream,
    /// Somebody else could, and it comes whole.
    Whole,
}

impl Kind {
    fn usual(self, total: Duration, client: Option<Duration>) -> Duration {
        let usual = match self {
            Self::WholeAlone => total,
            Self::Alone => ALONE,
            Self::Thinking => THINKING,
            Self::Stream => STREAM,
            Self::Whole => client.map_or(WHOLE, |waits| WHOLE.max(waits / WHOLE_PART)),
        };
        usual.min(total)
    }
}

/// Whether a request asks its model to think before it answers.
fn asks_to_think(head: &Head, body: &[u8]) -> bool {
    let value = |name: &&str| head.fields.get(body, name).map(|field| &body[field.value()]);
    let is_thinking = |value: &[u8]| !THINKS_NOT.contains(&value) && memmem::find(value, b"disabled").is_none();
    THINKS.iter().filter_map(value).any(is_thinking)
        || THINKS_INSIDE.iter().filter_map(value).any(|value| memmem::find(value, b"hinking").is_some())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gw_dialects::{DialectId, request};

    use super::*;

    fn said(name: &'static str, value: &str) -> Option<ClientTime> {
        ClientTime::said(&HeaderName::from_static(name), &HeaderValue::from_str(value).unwrap())
    }

    fn limit(client: Option<ClientTime>, operators_s: u64, asked_s: Option<u64>) -> (u64, &'static str) {
        let now = Instant::now();
        let times = Times::of(now, Duration::from_secs(operators_s), asked_s.map(Duration::from_secs), client);
        assert_eq!(times.heard_until, now + times.told.limit);
        (u64::try_from(times.told.limit.as_millis()).unwrap(), times.told.of)
    }

    #[test]
    fn a_request_is_answered_a_little_before_its_client_gives_up() {
        for (value, limit_ms) in [
            ("30", 28_500),
            ("30.0", 28_500),
            ("20", 19_000),
            ("3", 2_500),
            ("1", 500),
            ("0.3", 150),
            ("60", 58_000),
            ("600", 598_000),
        ] {
            let client = said("x-stainless-read-timeout", value);
            assert_eq!(limit(client, 600, None), (limit_ms, "x-stainless-read-timeout"), "{value}");
        }
    }

    #[test]
    fn what_is_no_time_above_zero_says_nothing() {
        for value in ["0", "-5", "0.0", "NOT_GIVEN", "None", "", "nan", "inf", "-inf", "1e300", "30s", "3e-20"] {
            assert_eq!(said("x-stainless-timeout", value), None, "{value}");
        }
        assert_eq!(said("x-stainless-retry-count", "2"), None);
        for header in HEADERS {
            assert!(said(header, "7").is_some(), "{header}");
        }
    }

    #[test]
    fn the_shortest_time_counts_whoever_says_it() {
        let client = said("x-server-timeout", "30");
        assert_eq!(limit(client, 10, None), (10_000, "server.timeouts.request"));
        assert_eq!(limit(client, 600, Some(5)), (5_000, "x-gateway-timeout"));
        assert_eq!(limit(client, 600, Some(60)), (28_500, "x-server-timeout"));
        assert_eq!(limit(None, 600, Some(700)), (600_000, "server.timeouts.request"));
        let (longer, shorter) = (said("x-stainless-timeout", "600"), said("x-stainless-read-timeout", "9"));
        assert_eq!(ClientTime::shorter(longer, shorter), shorter);
        assert_eq!(ClientTime::shorter(None, longer), longer);
    }

    #[test]
    fn the_client_s_time_bounds_what_is_tried_and_not_how_long_it_reads() {
        let now = Instant::now();
        let times = Times::of(now, Duration::from_secs(600), None, said("x-stainless-timeout", "30"));
        assert_eq!((times.end, times.is_clients()), (now + Duration::from_secs(600), true));
        assert_eq!(times.going_on().heard_until, times.end);
        assert!(!Times::of(now, Duration::from_secs(600), Some(Duration::from_secs(5)), None).is_clients());
    }

    #[test]
    fn who_could_be_replaced_is_waited_for_less_than_who_could_not() {
        let s = Duration::from_secs;
        for (kind, client, usual) in [
            (Kind::Stream, None, s(15)),
            (Kind::Stream, Some(s(600)), s(15)),
            (Kind::Whole, None, s(20)),
            (Kind::Whole, Some(s(30)), s(20)),
            (Kind::Whole, Some(s(600)), s(60)),
            (Kind::Alone, None, s(30)),
            (Kind::Thinking, Some(s(30)), s(120)),
            (Kind::WholeAlone, Some(s(30)), s(600)),
        ] {
            assert_eq!(kind.usual(s(600), client), usual, "{kind:?} {client:?}");
            assert_eq!(kind.usual(s(8), client), s(8), "never longer than the attempt: {kind:?}");
        }
    }

    #[test]
    fn a_request_that_asks_for_thoughts_is_known() {
        let asks = |dialect, body: &str| {
            let body = Bytes::from(body.to_owned());
            asks_to_think(&request::scan(dialect, &body).unwrap(), &body)
        };
        for (body, expected) in [
            (r#"{"reasoning_effort":"high"}"#, true),
            (r#"{"reasoning_effort":"none"}"#, false),
            (r#"{"reasoning":{"effort":"medium"}}"#, true),
            (r#"{"thinking":{"type":"enabled","budget_tokens":1024}}"#, true),
            (r#"{"thinking":{"type":"disabled"}}"#, false),
            (r#"{"enable_thinking":true}"#, true),
            (r#"{"enable_thinking":false}"#, false),
            (r#"{"temperature":1}"#, false),
        ] {
            assert_eq!(asks(DialectId::OpenAiChat, body), expected, "{body}");
        }
        let gemini = r#"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":9}}}"#;
        assert!(asks(DialectId::Gemini, gemini));
        assert!(!asks(DialectId::Gemini, r#"{"contents":[],"generationConfig":{"temperature":1}}"#));
    }
}
