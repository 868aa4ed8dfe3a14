//! `routing`, `retry`, `circuit_breaker`: how a provider is chosen and what follows a failure, as written.

use std::time::Duration;

use gw_policy::balance::Balance;
use gw_policy::credentials::CredentialOrder;

use crate::config::{Resume, Spanned};
use crate::expression::ExpressionText;
use crate::free::{Condition, FailureName};
use crate::names::{ModelName, ProviderName};
use crate::quantities::{Growth, Jitter, Pause, Share, SlowAfter, Status, Times};
use crate::scalar::Count;
use crate::section::{choices, section};

section! {
    /// How a provider is chosen, and what follows a failure. What a provider or a route says of itself comes first.
    Routing {
        /// How the providers that serve a model are ordered.
        strategy: Mode, default "priority";
        /// Whether the next provider is tried after a failure. If not, the first is asked even while it rests.
        fallback_enabled: bool, default "true";
        /// The failures after which the next provider is tried: classes, statuses, `4xx`, `5xx`. If left out:
        /// `rate_limit_exceeded`, `service_unavailable`, `timeout`, `server_error`, `network`, `authentication_error`,
        /// `insufficient_quota`, `model_not_found`. Further classes are `context_length_exceeded`, `content_filter`,
        /// `unsupported_parameter`, `invalid_request`.
        fallback_on_errors or "fallback_on": Vec<Spanned<FailureName>>;
        /// The failures after which the same provider is tried again. If left out: `rate_limit_exceeded`,
        /// `service_unavailable`, `timeout`, `server_error`, `network`. A timeout only if no other provider takes calls,
        /// unless it is listed here.
        retry_on: Vec<Spanned<FailureName>>;
        /// Further tries of the same provider after the first.
        retry_attempts: Times, default "2";
        /// The pause before the first of them; it doubles from one to the next.
        retry_delay: Pause, default "500ms";
        /// Which requests go to which providers. The first rule that holds counts.
        rules: Vec<Spanned<Rule>>;
        /// How far back it is measured how long providers take.
        latency_tracking: LatencyTracking;
        /// How long an answer may take to begin before it is slow: a duration; or a percentile of what the provider's own
        /// answers took lately, such as `p95`, with `slow_response: hedge`.
        latency_threshold: SlowAfter;
        /// Whether the next provider is tried when an answer is slow.
        fallback_on_slow_response: bool, default "false";
        /// What becomes of the slow answer; `cancel` if left out.
        slow_response: SlowAction;
        /// With `slow_response: hedge`: the share of the requests to a provider that may be tried beside it, and ten more.
        /// Others are waited for. 10% if left out.
        hedge_budget: Share;
        /// Whether an attempt that others may follow is ended when it has used its part of the request's time: what is
        /// left, divided by the targets that are left, but at least 10 s, or half of it if that is less.
        share_time: bool, default "true";
        /// Leaving out a provider that fails. The same as `circuit_breaker` outside.
        circuit_breaker: CircuitBreaker;
        /// Requests that find every provider at its `max_requests_per_minute`.
        queue: Queue;
        /// What becomes of the stream of a chat that breaks off after a part of it was forwarded. A request may say
        /// `x-gateway-resume: off`.
        resume: Resume, default "off";
        /// Whether fallbacks to lesser models are meant, so that nobody is warned of them.
        allow_downgrade: bool, default "false";
        /// Whether a provider with a `priority` of its own and a list of `models` is the last fallback for chats of models
        /// that it does not serve: it is asked for the first of its list, if its `priority` comes after those of who
        /// serves the model. If left out: where `strategy: priority` is written, with a warning.
        fallback_to_other_models: bool;
        /// What the client is told when a lesser model answered, in place of the usual words.
        downgrade_notice: String;
        /// What stands as `provider` in the body of an answer that is not from the first target. Nothing is added if
        /// left out.
        fallback_marker: String;
        /// Which keys come first where a request brings some of its own: theirs or yours.
        credential_order: CredentialOrder, default "byok-first";
        /// What requests may say of their own routing.
        from_requests: FromRequests;
    }
}

section! {
    /// What requests may bring along in headers and members of their own.
    FromRequests {
        /// Whether they may bring keys of their own for any known type of provider. If left out: unless `auth.mode` is
        /// `required`.
        own_keys: bool;
        /// Whether they may name other addresses of those providers (`custom_host`). If left out: in the local profile.
        custom_hosts: bool;
    }
}

/// How the first of several is found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// By order, measurements or chance.
    Balance(Balance),
    /// By weight, the same for requests that agree.
    Sticky,
    /// By conditions on the request.
    Conditional,
    /// The first, and no other.
    Single,
    /// The model that suits the conversation.
    Auto,
    /// The first while it is under a limit.
    Limit,
}

choices! {
    Mode {
        "priority" => Mode::Balance(Balance::Priority), "In their order: providers by `priority`, targets as they stand.";
        "fallback" => Mode::Balance(Balance::Priority), "The same.";
        "round-robin" => Mode::Balance(Balance::RoundRobin), "Each in turn.";
        "weighted" => Mode::Balance(Balance::Weighted), "By chance, by `weight`.";
        "loadbalance" => Mode::Balance(Balance::Weighted), "The same.";
        "least-latency" => Mode::Balance(Balance::LeastLatency), "The one whose answers begin soonest.";
        "latency" => Mode::Balance(Balance::LeastLatency), "The same.";
        "least-cost" => Mode::Balance(Balance::LeastCost), "The cheapest.";
        "price" => Mode::Balance(Balance::LeastCost), "The same.";
        "throughput" => Mode::Balance(Balance::Throughput), "The one that writes fastest.";
        "least-busy" => Mode::Balance(Balance::LeastBusy), "The one that serves the fewest calls.";
        "power-of-two" => Mode::Balance(Balance::PowerOfTwo), "Of two taken by chance, the quicker for the calls it has.";
        "sticky" => Mode::Sticky, "By `weight`, the same for each caller.";
        "conditional" => Mode::Conditional, "By conditions on the request.";
        "single" => Mode::Single, "The first, and no other.";
        "auto" => Mode::Auto, "Of a route: the model that suits the conversation.";
        "limit" => Mode::Limit, "The first while it is under a limit, and then the others.";
    }
}

choices! {
    CredentialOrder {
        "byok-first" => CredentialOrder::ByokFirst, "All of the request's own keys, at all providers; then yours.";
        "provider-first" => CredentialOrder::ProviderFirst, "At each provider the request's own keys, then yours; then the next provider.";
    }
}

/// What is done about a slow answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlowAction {
    Cancel,
    Hedge,
}

choices! {
    SlowAction {
        "cancel" => SlowAction::Cancel, "It is cancelled, and the next provider is tried.";
        "hedge" => SlowAction::Hedge, "The next provider is tried beside it; the first to answer is taken, and both may cost.";
    }
}

choices! {
    Resume {
        "off" => Resume::Off, "It ends in an error event.";
        "on-request" => Resume::OnRequest, "That, unless the request says `x-gateway-resume: continue_prefix`.";
        "continue-prefix" => Resume::ContinuePrefix, "The next provider whose model can goes on from the text so far.";
    }
}

section! {
    /// Requests that go to certain providers, to another model, or nowhere.
    Rule {
        /// The rule's name, for explanations.
        name: String, required;
        /// The requests. All that is given must hold.
        condition: RuleCondition, required;
        /// Names of providers, ids of `targets` or types of providers, the first choice first.
        providers: Vec<Spanned<ProviderName>>;
        /// The model that they get in place of theirs: a route, an alias, `provider/model` or a model; with `providers`,
        /// the model's name there.
        model: ModelName;
        /// What is done with them, if they go nowhere.
        action: RuleAction;
        /// With `action: deny`: what the client is told besides the rule's name.
        message: String;
        /// Whether nothing is done, and it is only counted and told by `POST /gateway/plan`.
        log_only: bool, default "false";
    }
}

/// What is done with requests that go nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleAction {
    Deny,
}

choices! {
    RuleAction {
        "deny" => RuleAction::Deny, "They are refused (403).";
    }
}

section! {
    /// What requests must be like.
    RuleCondition {
        /// Tags of the request (header `x-gateway-tags`, or `metadata.tags`).
        tags: Vec<Spanned<String>>;
        /// How many of the tags there must be; `any` if left out.
        tags_match: TagsMatch;
        /// The number of inputs, such as `>100`: with `>`, `>=`, `<`, `<=` or `==`.
        batch_size: String;
        /// Anything else of the request, such as `{"metadata.plan": {"$eq": "paid"}}`: members of `metadata`, `params`
        /// (the body) and `headers`, `url.pathname`, with `$eq`, `$ne`, `$in`, `$nin`, `$all`, `$gt`, `$gte`, `$lt`,
        /// `$lte`, `$regex`, `$and`, `$or`.
        query: Condition;
        /// Anything of the request as an expression (CEL), such as
        /// `request.model.startsWith("gpt-4") && metadata.team == "x"`: see docs/routing.md.
        expression: ExpressionText;
    }
}

/// How many of some tags a request must have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TagsMatch {
    Any,
    All,
}

choices! {
    TagsMatch {
        "any" => TagsMatch::Any, "One of them.";
        "all" => TagsMatch::All, "All of them.";
    }
}

section! {
    /// How far back it is measured how long providers take.
    LatencyTracking {
        /// Whether it is measured. If `latency_tracking` is left out: where a strategy goes by it.
        enabled: bool, default "true";
        /// Older answers do not count.
        window: Duration, default "5m";
        /// Of more answers, the newest count.
        sample_size: Count, default "100";
    }
}

section! {
    /// Requests that find every provider at its `max_requests_per_minute`.
    Queue {
        /// How long they wait for a place before they are refused; 0 refuses them at once.
        max_wait: Pause, default "5s";
    }
}

section! {
    /// Further tries of the same target after a failure.
    Retry {
        /// Further tries after the first; 2 if left out.
        attempts or "count": Times;
        /// All tries, the first one included: another way to say `attempts`.
        max_attempts: Count;
        /// The pause before the second try.
        initial_delay: Pause, default "500ms";
        /// The longest pause.
        max_delay: Pause, default "10s";
        /// By how much the pause grows from one to the next.
        multiplier: Growth, default "2";
        /// By which part the pause varies: `0.1` is 10 % more or less; `full` is anything from nothing to the pause.
        jitter: Jitter, default "full";
        /// The statuses after which it is tried again, in place of the usual failures.
        on_status_codes: Vec<Spanned<Status>>;
        /// Whether the provider's own `Retry-After` is kept.
        use_retry_after_header: bool, default "true";
        /// The longest `Retry-After` that is waited for where no other target takes calls.
        retry_after_max: Duration, default "60s";
    }
}

section! {
    /// Leaving out a provider that fails, until it has recovered.
    CircuitBreaker {
        /// Whether it is done.
        enabled: bool, default "true";
        /// Failures in a row after which the provider is left out.
        failure_threshold: Count, default "5";
        /// The share of failed calls after which it is left out, such as `50%`. Only failures in a row count if left out.
        failure_rate: Share;
        /// Calls in the window before `failure_rate` is looked at; 20 if left out.
        minimum_requests: Count;
        /// How far back calls count for `failure_rate`.
        window: Duration, default "60s";
        /// Successes in a row that bring it back.
        success_threshold: Count, default "2";
        /// A call that takes so long counts as a failure. Outside of a provider and without `reset_timeout` it is how long
        /// the provider is left out, as most libraries have it.
        timeout: Duration;
        /// How long it is left out before it is tried again; 30s if left out.
        reset_timeout: Duration;
        /// Calls at once that try whether it has recovered.
        half_open_requests: Count, default "3";
    }
}
