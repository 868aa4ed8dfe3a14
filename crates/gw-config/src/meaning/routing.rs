//! `routing` as meant, and what providers say of it for themselves.

use std::time::Duration;

use gw_policy::balance::Balance;
use gw_policy::breaker;
use gw_policy::failure::{Class, Failure, Failures};
use gw_policy::measure::Tracking;
use gw_policy::rate::Cap;
use gw_policy::retry::Retry;

use super::Meaning;
use crate::config::{FromRequests, Notice, ProviderRouting, Routing, Spanned, StandIns};
use crate::file::{self, File, Mode};
use crate::free::FailureName;
use crate::quantities::Status;

/// Calls before a rate of failures says something.
const RATE_CALLS_MIN: u32 = 20;
/// The span of `max_requests_per_minute`.
const MINUTE: Duration = Duration::from_secs(60);

impl Meaning<'_> {
    /// How targets are chosen and what follows a failure.
    pub(super) fn routing(&mut self, file: &File) -> Routing {
        let default = Routing::default();
        let retry = self.retry(file.retry.given(), &default.retry);
        let empty = file::Routing::default();
        let written = file.routing.value().unwrap_or(&empty);
        let mode = written.strategy.given();
        let mut fallback = written.fallback_on_errors.value().map_or(default.fallback, |names| failures(names));
        if !written.fallback_enabled.value().copied().unwrap_or(true)
            || mode.is_some_and(|mode| mode.value == Mode::Single)
        {
            fallback = Failures::NONE;
        }
        Routing {
            strategy: self.balance(written),
            retry: retry_of_routing(written, retry),
            breaker: self.global_breaker(file),
            tracking: self.tracking(written, default.tracking),
            always_tracks: written.latency_tracking.value().is_some_and(|one| one.enabled.value() != Some(&false)),
            slow: self.slow(written, &fallback),
            shares_time: written.share_time.value().copied().unwrap_or(default.shares_time),
            stand_ins: stand_ins(written, &fallback),
            fallback,
            queue_max_wait: written
                .queue
                .value()
                .and_then(|queue| queue.max_wait.value())
                .map_or(default.queue_max_wait, |wait| wait.0),
            rules: self.rules(written),
            resume: written.resume.value().copied().unwrap_or_default(),
            notice: Notice {
                downgrade: written.downgrade_notice.value().cloned(),
                fallback_marker: written.fallback_marker.value().cloned(),
            },
            allow_downgrade: written.allow_downgrade.value().copied().unwrap_or(false),
            credential_order: written.credential_order.value().copied().unwrap_or_default(),
            from_requests: written.from_requests.value().map_or_else(FromRequests::default, |from| FromRequests {
                own_keys: from.own_keys.value().copied(),
                custom_hosts: from.custom_hosts.value().copied(),
            }),
        }
    }

    /// What a provider says of itself.
    pub(super) fn provider_routing(&mut self, written: &file::Provider, routing: &Routing) -> ProviderRouting {
        let calls = written.max_requests_per_minute.value().map(|count| u32_of(count.0));
        let breaker = written.circuit_breaker.given().map(|own| {
            let base = routing.breaker.clone().unwrap_or_default();
            let slow = own.value.timeout.value().copied().or(base.slow);
            self.breaker(own, &breaker::Settings { slow, ..base })
        });
        ProviderRouting {
            cap: calls.map(|calls| Cap { calls, per: MINUTE }),
            retry: written.retry.given().map(|retry| self.retry(Some(retry), &routing.retry)),
            breaker,
        }
    }

    /// How a target is tried again: what is written, laid over what holds around it.
    pub(super) fn retry(&mut self, written: Option<&Spanned<file::Retry>>, around: &Retry) -> Retry {
        let Some(Spanned { value: written, place }) = written else {
            return around.clone();
        };
        let all = written.max_attempts.value().map(|count| u32_of(count.0).saturating_sub(1));
        let further = written.attempts.value().map(|times| times.0);
        if let (Some(all), Some(further)) = (all, further)
            && all != further
        {
            let message =
                "\"max_attempts\", which counts the first try, and \"attempts\" or \"count\", which do not, say \
                           different things"
                    .to_owned();
            self.mistake(place, message, "keep one of them");
        }
        if all.is_some_and(|all| all >= 100) {
            self.mistake(place, "\"max_attempts\" is more than 100".to_owned(), "write a smaller number");
        }
        let initial_delay = written.initial_delay.value().map_or(around.initial_delay, |pause| pause.0);
        let max_delay = written.max_delay.value().map(|pause| pause.0);
        if let Some(max_delay) = written.max_delay.given().filter(|longest| longest.value.0 < initial_delay) {
            let message = "the longest pause is shorter than the first".to_owned();
            self.mistake(&max_delay.place, message, "raise max_delay, or lower initial_delay");
        }
        let statuses = written.on_status_codes.value().map(|codes| Failures::of_statuses(numbers(codes)));
        let retry_after_max = written.retry_after_max.value().copied().or(around.retry_after_max);
        Retry {
            retries: further.or(all).unwrap_or(around.retries),
            insists_on_timeout: statuses.as_ref().map_or(around.insists_on_timeout, insists_on_timeout),
            on: statuses.unwrap_or_else(|| around.on.clone()),
            initial_delay,
            max_delay: max_delay.unwrap_or(around.max_delay.max(initial_delay)),
            multiplier: written.multiplier.value().map_or(around.multiplier, |growth| growth.0),
            jitter: written.jitter.value().map_or(around.jitter, |jitter| jitter.0),
            retry_after_max: match written.use_retry_after_header.value() {
                Some(false) => None,
                Some(true) => retry_after_max.or(Retry::default().retry_after_max),
                None => retry_after_max,
            },
        }
    }

    fn balance(&mut self, written: &file::Routing) -> Balance {
        let Some(mode) = written.strategy.given() else {
            return Balance::Priority;
        };
        match mode.value {
            Mode::Balance(balance) => balance,
            Mode::Single => Balance::Priority,
            Mode::Conditional => {
                if written.rules.is_absent() || written.rules.value().is_some_and(Vec::is_empty) {
                    let message = "routing.strategy is conditional, and there are no conditions".to_owned();
                    self.mistake(&mode.place, message, "add routing.rules");
                }
                Balance::Priority
            }
            Mode::Sticky | Mode::Auto | Mode::Limit => {
                let word = match mode.value {
                    Mode::Auto => "auto",
                    Mode::Limit => "limit",
                    _ => "sticky",
                };
                let message = format!("routing.strategy cannot be {word}");
                self.mistake(&mode.place, message, "set it for a route: routes[].strategy");
                Balance::Priority
            }
        }
    }

    /// The breaker of those who say nothing of it themselves.
    fn global_breaker(&mut self, file: &File) -> Option<breaker::Settings> {
        let inside = file.routing.value().and_then(|routing| routing.circuit_breaker.given());
        let outside = file.circuit_breaker.given();
        if let (Some(_), Some(second)) = (inside, outside) {
            let message = "circuit_breaker and routing.circuit_breaker are the same".to_owned();
            self.mistake(&second.place, message, "keep one of them");
        }
        let default = breaker::Settings::default();
        let Some(written) = inside.or(outside) else {
            return Some(default);
        };
        // Most libraries call the time that a breaker stays open its timeout; with `reset_timeout` beside it, it is not.
        let timeout = written.value.timeout.value().copied();
        let base = if written.value.reset_timeout.is_absent() {
            breaker::Settings { open_for: timeout.unwrap_or(default.open_for), ..default }
        } else {
            breaker::Settings { slow: timeout, ..default }
        };
        self.breaker(written, &base)
    }

    /// A breaker; what `timeout` means has been decided by the caller.
    fn breaker(
        &mut self,
        written: &Spanned<file::CircuitBreaker>,
        base: &breaker::Settings,
    ) -> Option<breaker::Settings> {
        let Spanned { value: written, place } = written;
        if written.enabled.value() == Some(&false) {
            return None;
        }
        if !written.minimum_requests.is_absent() && written.failure_rate.is_absent() && base.failure_rate.is_none() {
            let message = "\"minimum_requests\" refines \"failure_rate\", and there is none".to_owned();
            self.mistake(place, message, "add failure_rate, or remove it");
        }
        let count =
            |written: &crate::decode::Written<crate::scalar::Count>| written.value().map(|count| u32_of(count.0));
        let (rate, calls) = base.failure_rate.map_or((None, RATE_CALLS_MIN), |(rate, calls)| (Some(rate), calls));
        let rate = written.failure_rate.value().map(|share| share.0).or(rate);
        let calls = count(&written.minimum_requests).unwrap_or(calls);
        Some(breaker::Settings {
            failure_threshold: count(&written.failure_threshold).unwrap_or(base.failure_threshold),
            failure_rate: rate.map(|rate| (rate, calls)),
            window: written.window.value().copied().unwrap_or(base.window),
            success_threshold: count(&written.success_threshold).unwrap_or(base.success_threshold),
            open_for: written.reset_timeout.value().copied().unwrap_or(base.open_for),
            half_open_calls: count(&written.half_open_requests).unwrap_or(base.half_open_calls),
            slow: base.slow,
        })
    }

    fn tracking(&mut self, written: &file::Routing, default: Tracking) -> Tracking {
        let Some(tracking) = written.latency_tracking.given() else {
            return default;
        };
        let goes_by_it =
            written.strategy.value().is_some_and(|mode| matches!(mode, Mode::Balance(balance) if balance.measures()));
        if tracking.value.enabled.value() == Some(&false) && goes_by_it {
            let message = "routing.strategy goes by what routing.latency_tracking would measure".to_owned();
            self.mistake(&tracking.place, message, "enable it, or choose another strategy");
        }
        Tracking {
            window: tracking.value.window.value().copied().unwrap_or(default.window),
            samples_max: tracking.value.sample_size.value().map_or(default.samples_max, |count| count.0),
        }
    }
}

/// Priorities that were written are an order of fallbacks, whatever the models; priorities that nobody wrote are none.
fn stand_ins(written: &file::Routing, fallback: &Failures) -> StandIns {
    let is_written = written.strategy.value() == Some(&Mode::Balance(Balance::Priority));
    match written.fallback_to_other_models.value() {
        _ if fallback.is_empty() => StandIns::Never,
        Some(true) => StandIns::Meant,
        None if is_written => StandIns::Warned,
        Some(false) | None => StandIns::Never,
    }
}

/// A set of failures.
pub(super) fn failures(names: &[Spanned<FailureName>]) -> Failures {
    let statuses = |name: &FailureName| match *name {
        FailureName::Class(_) => 0..0,
        FailureName::Status(status) => status..status + 1,
        FailureName::Hundred(first) => first..first + 100,
    };
    let mut set = Failures::NONE;
    for name in names {
        if let FailureName::Class(class) = name.value {
            set = set.with(class);
        }
        for status in statuses(&name.value) {
            set = set.with_status(status);
            // A broken connection has no status, and whoever lists these means it too.
            if (500..=504).contains(&status) {
                set = set.with(Class::Network);
            }
        }
    }
    set
}

/// The statuses of a list.
pub(super) fn numbers(statuses: &[Spanned<Status>]) -> Vec<u16> {
    statuses.iter().map(|status| status.value.0).collect()
}

/// Whether somebody who lists these wants a timeout to be tried again at the same target.
fn insists_on_timeout(listed: &Failures) -> bool {
    listed.contains(&Failure::TIMEOUT)
}

fn retry_of_routing(written: &file::Routing, retry: Retry) -> Retry {
    let initial_delay = written.retry_delay.value().map_or(retry.initial_delay, |pause| pause.0);
    let listed = written.retry_on.value().map(|names| failures(names));
    Retry {
        retries: written.retry_attempts.value().map_or(retry.retries, |times| times.0),
        insists_on_timeout: listed.as_ref().map_or(retry.insists_on_timeout, insists_on_timeout),
        on: listed.unwrap_or(retry.on),
        initial_delay,
        max_delay: retry.max_delay.max(initial_delay),
        ..retry
    }
}

fn u32_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
