//! A secret that runs out, such as an access token: fetched once for all workers, renewed before it does.
//!
//! - Whoever finds none fetches it; the others wait for that one. Who fetches may leave: the next in line takes over.
//! - When three quarters of its life are over, one request sets off a renewal beside it; all go on with the old one.
//! - What is over is decided by this machine's monotonic clock and the lifetime that was granted: no wall clock.
//! - After a failure nobody asks for a while, which doubles; a secret that still lives is used on.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use gw_http::Pools;
use gw_runtime::Clock;
use parking_lot::Mutex;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::{Instant, timeout};

use super::AuthError;
use super::exchange::Exchange;

/// For one fetch, all of its steps together.
const FETCH_LIMIT: Duration = Duration::from_secs(15);
/// What is left of a secret's life when it is used no more: for the request's own way there.
const RESERVE_MAX: Duration = Duration::from_secs(30);
/// A secret that is over when it comes is used for so long all the same, so that not every request fetches one.
const USE_MIN: Duration = Duration::from_secs(1);
/// Nobody gives a secret for longer; a longer promise is not believed.
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3_600);
/// A provider that goes on refusing new secrets makes us fetch one no more often.
const INVALIDATION_PAUSE: Duration = Duration::from_secs(30);
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Gives out a secret.
pub(crate) trait Source<T>: Send + Sync {
    /// Asks for a new one.
    fn fetch<'a>(&'a self, exchange: &'a Exchange<'a>) -> Fetching<'a, T>;
}

/// A fetch under way; it stays on its worker.
pub(crate) type Fetching<'a, T> = Pin<Box<dyn Future<Output = Result<Grant<T>, AuthError>> + 'a>>;

/// A secret, and for how long it was given.
pub(crate) struct Grant<T> {
    pub(crate) secret: T,
    pub(crate) lifetime: Duration,
}

/// A secret that is renewed.
pub(crate) struct Renewed<T> {
    source: Box<dyn Source<T>>,
    state: Mutex<State<T>>,
    /// Held by whoever fetches.
    fetching: tokio::sync::Mutex<()>,
}

struct State<T> {
    held: Option<Held<T>>,
    failure: Option<Failure>,
    invalidated: Option<Instant>,
}

struct Held<T> {
    secret: T,
    renew_at: Instant,
    usable_until: Instant,
}

struct Failure {
    error: AuthError,
    count: u32,
    until: Instant,
}

/// What is known at a moment.
enum Found<T> {
    Fresh(T),
    /// It is time to renew it, and the one who is told so is to do it.
    Aging(T),
    Failed(AuthError),
    Nothing,
}

impl<T: Clone + PartialEq + 'static> Renewed<T> {
    pub(crate) fn new(source: Box<dyn Source<T>>) -> Arc<Self> {
        let state = State { held: None, failure: None, invalidated: None };
        Arc::new(Self { source, state: Mutex::new(state), fetching: tokio::sync::Mutex::default() })
    }

    /// The secret.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn get(self: &Arc<Self>, pools: &Rc<Pools>, clock: Clock) -> Result<T, AuthError> {
        match self.look(Instant::now()) {
            Found::Fresh(secret) => Ok(secret),
            Found::Aging(secret) => {
                let (this, pools) = (Arc::clone(self), Rc::clone(pools));
                gw_runtime::tasks::spawn_local("renew credential", async move {
                    if let Ok(_alone) = this.fetching.try_lock() {
                        // Whoever waits for a secret is told by the state.
                        let _ = this.fetch(&pools, clock).await;
                    }
                });
                Ok(secret)
            }
            Found::Failed(error) => Err(error),
            Found::Nothing => {
                let _alone = self.fetching.lock().await;
                match self.look(Instant::now()) {
                    Found::Fresh(secret) | Found::Aging(secret) => Ok(secret),
                    Found::Failed(error) => Err(error),
                    // A token request is large, and rare: it does not weigh on every request's future.
                    Found::Nothing => Box::pin(self.fetch(pools, clock)).await,
                }
            }
        }
    }

    /// A provider refused this secret: if it is still the one that is held, the next request fetches another. Says whether
    /// the next one gets another.
    pub(crate) fn invalidate(&self, refused: &T) -> bool {
        let now = Instant::now();
        let mut state = self.state.lock();
        let is_held = state.held.as_ref().is_some_and(|held| held.secret == *refused);
        let is_allowed = state.invalidated.is_none_or(|last| now >= last + INVALIDATION_PAUSE);
        if is_held && is_allowed {
            state.held = None;
            state.invalidated = Some(now);
        }
        // Somebody else may have fetched another since.
        state.held.as_ref().is_none_or(|held| held.secret != *refused)
    }

    fn look(&self, now: Instant) -> Found<T> {
        let mut state = self.state.lock();
        if let Some(held) = state.held.as_mut().filter(|held| now < held.usable_until) {
            if now < held.renew_at {
                return Found::Fresh(held.secret.clone());
            }
            // Should this renewal never end, another one is tried.
            held.renew_at = now + FETCH_LIMIT;
            return Found::Aging(held.secret.clone());
        }
        match &state.failure {
            Some(failure) if now < failure.until => {
                let retry_after = Some(failure.until - now);
                Found::Failed(AuthError { retry_after, ..failure.error.clone() })
            }
            Some(_) | None => Found::Nothing,
        }
    }

    /// To be called by whoever holds `fetching`.
    async fn fetch(&self, pools: &Pools, clock: Clock) -> Result<T, AuthError> {
        let asked_at = Instant::now();
        let exchange = Exchange { pools, clock };
        let late = || AuthError::unavailable(format!("no credential came within {} s", FETCH_LIMIT.as_secs()));
        let fetched = timeout(FETCH_LIMIT, self.source.fetch(&exchange)).await.unwrap_or_else(|_| Err(late()));
        let mut state = self.state.lock();
        match fetched {
            Ok(Grant { secret, lifetime }) => {
                let lifetime = lifetime.min(LIFETIME_MAX);
                let end = asked_at + lifetime.saturating_sub(RESERVE_MAX.min(lifetime / 10));
                let held = Held {
                    secret: secret.clone(),
                    renew_at: asked_at + part(lifetime, 0.7 + 0.1 * random()),
                    usable_until: end.max(Instant::now() + USE_MIN),
                };
                (state.held, state.failure) = (Some(held), None);
                Ok(secret)
            }
            Err(error) => {
                let now = Instant::now();
                let count = state.failure.as_ref().map_or(0, |failure| failure.count);
                let pause = BACKOFF_MIN.saturating_mul(1 << count.min(10)).min(BACKOFF_MAX);
                let pause = part(pause, 0.8 + 0.2 * random());
                state.failure = Some(Failure { error: error.clone(), count: count + 1, until: now + pause });
                if let Some(held) = &mut state.held {
                    held.renew_at = now + pause;
                }
                Err(AuthError { retry_after: Some(pause), ..error })
            }
        }
    }
}

fn part(of: Duration, share: f64) -> Duration {
    of.mul_f64(share.clamp(0.0, 1.0))
}

/// From 0 to 1, so that many gateways do not renew at the same moment.
fn random() -> f64 {
    let mut bytes = [0; 2];
    // Without randomness all of them take the middle.
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
#[path = "renewed_tests.rs"]
mod tests;
