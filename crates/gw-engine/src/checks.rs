//! Health checks: what each provider is asked without a request of a client, and what its answer says of it.
//!
//! A provider that refuses our credential is not down: leaving it out would not help, and telling so does.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use gw_http::{Pools, RequestBody};
use gw_policy::breaker::Outcome;
use gw_policy::dice::Dice;
use gw_providers::attempt::{self, AttemptTimeouts};
use gw_runtime::clock::Clock;
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode, Uri};
use tokio::time::{Instant, timeout_at};

use crate::snapshot::Provider;

/// How much earlier or later than asked a check may come, as a share of the interval: not all at once, for ever.
const JITTER: f64 = 0.1;

/// The health checks of a snapshot.
#[derive(Default)]
pub struct Checks {
    /// How often each provider is asked.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Who is asked, each at most once.
    pub list: Vec<Arc<Check>>,
}

/// What one provider is asked.
pub struct Check {
    /// The provider.
    pub provider: Arc<Provider>,
    /// The path that is asked for.
    pub path: PathAndQuery,
    /// What counts as healthy.
    pub healthy: Healthy,
}

/// Which answers count as healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Healthy {
    /// These statuses.
    Statuses(Vec<u16>),
    /// Whatever a server says that works: not every vendor lists its models.
    Anything,
}

/// How a provider was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answered as it should.
    Up,
    /// It answered that our credential is not accepted.
    AuthFailed,
    /// It answered that it was asked too often.
    RateLimited,
    /// It did not answer, or not as it should.
    Down,
}

/// The last look at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// How it was found.
    pub state: State,
    /// The status of its answer; `None` if there was none.
    pub status: Option<u16>,
    /// How long that took.
    pub took: Duration,
}

impl Checks {
    /// How long after a check of a provider the next one comes. `round` counts them.
    pub fn pause(&self, provider: &str, round: u64) -> Duration {
        let share = Dice::of(format!("{provider}\u{1f}{round}").as_bytes()).share();
        self.interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * share)
    }
}

impl Check {
    /// Asks the provider once, with its own credential. The rest of its answer is not read.
    pub async fn ask(&self, timeout: Duration, pools: &Rc<Pools>, clock: Clock) -> Checked {
        let began = Instant::now();
        let answered = self.exchange(timeout, pools, clock, began + timeout).await;
        Checked {
            state: self.healthy.judge(answered),
            status: answered.map(|status| status.as_u16()),
            took: began.elapsed(),
        }
    }

    /// The status of the answer, if one came in time.
    async fn exchange(
        &self,
        timeout: Duration,
        pools: &Rc<Pools>,
        clock: Clock,
        deadline: Instant,
    ) -> Option<StatusCode> {
        let provider = &self.provider;
        let mut request = Request::new(RequestBody::empty());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = Uri::from(self.path.clone());
        *request.headers_mut() = provider.headers.clone();
        let mut used = None;
        if let Some(authenticator) = &provider.authenticator {
            let authorizing = authenticator.authorize(&provider.destination, pools, clock, &mut request);
            match timeout_at(deadline, authorizing).await {
                Ok(Ok(authorized)) => used = Some((authenticator, authorized)),
                // No token: whoever gives them out may be down, or refuses us. Requests would find the same.
                Ok(Err(_)) => return Some(StatusCode::UNAUTHORIZED),
                Err(_) => return None,
            }
        }
        let timeouts = AttemptTimeouts { first_byte: timeout, idle: timeout };
        let response = attempt::send(&provider.destination, pools, Box::new(request), timeouts, deadline).await.ok()?;
        if let Some((authenticator, used)) = used {
            authenticator.answered(&used, response.status(), response.headers(), clock);
        }
        Some(response.status())
    }
}

impl Healthy {
    fn judge(&self, status: Option<StatusCode>) -> State {
        let Some(status) = status else { return State::Down };
        match self {
            Self::Statuses(statuses) if statuses.contains(&status.as_u16()) => return State::Up,
            Self::Statuses(_) | Self::Anything => {}
        }
        match (status, self) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => State::AuthFailed,
            (StatusCode::TOO_MANY_REQUESTS, _) => State::RateLimited,
            (status, Self::Anything) if !status.is_server_error() => State::Up,
            (_, Self::Statuses(_) | Self::Anything) => State::Down,
        }
    }
}

impl State {
    /// The name in answers, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::AuthFailed => "auth_failed",
            Self::RateLimited => "rate_limited",
            Self::Down => "down",
        }
    }
}

impl Checked {
    /// What it says to the provider's breaker.
    pub(crate) fn outcome(self) -> Outcome {
        match self.state {
            State::Up => Outcome::Answered(self.took),
            State::AuthFailed | State::RateLimited => Outcome::Neither,
            State::Down => Outcome::Failed(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_credential_is_not_an_outage_unless_it_is_what_was_expected() {
        let judged = |healthy: &Healthy, status: u16| healthy.judge(StatusCode::from_u16(status).ok());
        let ok = Healthy::Statuses(vec![200]);
        let states = [200, 401, 403, 404, 429, 503].map(|status| judged(&ok, status));
        use State::{AuthFailed, Down, RateLimited, Up};
        assert_eq!(states, [Up, AuthFailed, AuthFailed, Down, RateLimited, Down]);
        assert_eq!(judged(&Healthy::Statuses(vec![200, 401]), 401), Up);
        assert_eq!(ok.judge(None), Down);
    }

    #[test]
    fn who_lists_no_models_is_up_as_long_as_it_answers() {
        let judged = |status: u16| Healthy::Anything.judge(StatusCode::from_u16(status).ok());
        assert_eq!([404, 405, 500].map(judged), [State::Up, State::Up, State::Down]);
    }

    #[test]
    fn checks_come_about_as_often_as_asked_and_not_all_at_once() {
        let checks = Checks { interval: Duration::from_secs(30), ..Checks::default() };
        let pauses: Vec<_> = (0..50).map(|round| checks.pause("openai", round)).collect();
        assert!(pauses.iter().all(|pause| (27.0..=33.0).contains(&pause.as_secs_f64())), "{pauses:?}");
        assert_ne!(checks.pause("openai", 1), checks.pause("groq", 1));
    }
}
