use std::sync::atomic::{AtomicU64, Ordering};

use gw_http::observer::Deaf;
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::*;

/// Gives out its number of fetches after a second, or refuses.
#[derive(Default)]
struct Counting {
    fetches: AtomicU64,
    refuses: AtomicU64,
    lifetime_s: u64,
}

struct Shared(Arc<Counting>);

impl Source<u64> for Shared {
    fn fetch<'a>(&'a self, _: &'a Exchange<'a>) -> Fetching<'a, u64> {
        Box::pin(async move {
            let number = self.0.fetches.fetch_add(1, Ordering::Relaxed) + 1;
            sleep(Duration::from_secs(1)).await;
            if self.0.refuses.load(Ordering::Relaxed) > 0 {
                return Err(AuthError::refused("no"));
            }
            Ok(Grant { secret: number, lifetime: Duration::from_secs(self.0.lifetime_s) })
        })
    }
}

struct House {
    source: Arc<Counting>,
    renewed: Arc<Renewed<u64>>,
    pools: Rc<Pools>,
}

impl House {
    fn new() -> Self {
        let source = Arc::new(Counting { lifetime_s: 3_600, ..Counting::default() });
        let renewed = Renewed::new(Box::new(Shared(Arc::clone(&source))));
        Self { source, renewed, pools: Rc::new(Pools::new(Rc::new(Deaf))) }
    }

    async fn get(&self) -> Result<u64, AuthError> {
        self.renewed.get(&self.pools, Clock::fixed(std::time::UNIX_EPOCH)).await
    }

    fn fetches(&self) -> u64 {
        self.source.fetches.load(Ordering::Relaxed)
    }
}

async fn local<T>(future: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(future).await
}

#[tokio::test(start_paused = true)]
async fn many_who_need_a_token_at_once_wait_for_one_fetch() {
    let house = House::new();
    let all = local(async { tokio::join!(house.get(), house.get(), house.get()) }).await;
    assert_eq!((all.0.unwrap(), all.1.unwrap(), all.2.unwrap(), house.fetches()), (1, 1, 1, 1));
    assert_eq!((house.get().await.unwrap(), house.fetches()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn whoever_fetches_may_leave_and_the_next_in_line_fetches() {
    let house = House::new();
    local(async {
        let impatient = timeout(Duration::from_millis(500), house.get());
        let (left, patient) = tokio::join!(impatient, house.get());
        assert!(left.is_err());
        assert_eq!((patient.unwrap(), house.fetches()), (2, 2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_beside_the_requests_before_it_ends() {
    let house = House::new();
    local(async {
        assert_eq!(house.get().await.unwrap(), 1);
        sleep(Duration::from_secs(2_500)).await;
        assert_eq!((house.get().await.unwrap(), house.fetches()), (1, 1));
        sleep(Duration::from_secs(600)).await;
        // The old one still lives: nobody waits, and one renewal is set off.
        let started = Instant::now();
        assert_eq!((house.get().await.unwrap(), house.get().await.unwrap()), (1, 1));
        assert_eq!(started.elapsed(), Duration::ZERO);
        sleep(Duration::from_secs(2)).await;
        assert_eq!((house.get().await.unwrap(), house.fetches()), (2, 2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_refused_leaves_the_old_token_until_its_end() {
    let house = House::new();
    local(async {
        assert_eq!(house.get().await.unwrap(), 1);
        house.source.refuses.store(1, Ordering::Relaxed);
        sleep(Duration::from_secs(3_000)).await;
        for _ in 0..500 {
            assert_eq!(house.get().await.unwrap(), 1);
            sleep(Duration::from_secs(1)).await;
        }
        // A pause that doubles lets few through in five hundred seconds.
        assert!((4..20).contains(&house.fetches()), "{}", house.fetches());
        sleep(Duration::from_secs(120)).await;
        assert!(house.get().await.is_err());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_nobody_asks_for_a_while_and_then_one_does() {
    let house = House::new();
    house.source.refuses.store(1, Ordering::Relaxed);
    local(async {
        let (one, other) = tokio::join!(house.get(), house.get());
        assert!(one.is_err() && other.is_err());
        assert_eq!(house.fetches(), 1);
        let told = house.get().await.unwrap_err();
        assert!(told.retry_after.is_some_and(|after| after <= BACKOFF_MIN));
        assert_eq!(house.fetches(), 1);
        house.source.refuses.store(0, Ordering::Relaxed);
        sleep(BACKOFF_MIN).await;
        assert_eq!((house.get().await.unwrap(), house.fetches()), (2, 2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_provider_refuses_is_fetched_anew_but_not_at_every_refusal() {
    let house = House::new();
    local(async {
        assert_eq!(house.get().await.unwrap(), 1);
        house.renewed.invalidate(&7);
        assert_eq!((house.get().await.unwrap(), house.fetches()), (1, 1), "another's refusal");
        house.renewed.invalidate(&1);
        assert_eq!(house.get().await.unwrap(), 2);
        house.renewed.invalidate(&2);
        assert_eq!((house.get().await.unwrap(), house.fetches()), (2, 2), "a new one at every refusal cures nothing");
        sleep(INVALIDATION_PAUSE).await;
        house.renewed.invalidate(&2);
        assert_eq!(house.get().await.unwrap(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_is_silent_does_not_hold_requests_for_ever() {
    struct Silent;
    impl Source<u64> for Silent {
        fn fetch<'a>(&'a self, _: &'a Exchange<'a>) -> Fetching<'a, u64> {
            Box::pin(std::future::pending())
        }
    }
    let renewed = Renewed::new(Box::new(Silent));
    let pools = Rc::new(Pools::new(Rc::new(Deaf)));
    let started = Instant::now();
    let error = local(renewed.get(&pools, Clock::system())).await.unwrap_err();
    assert_eq!(error.code, gw_core::ErrorCode::ProviderCredentialUnavailable);
    assert_eq!(started.elapsed(), FETCH_LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_over_when_it_comes_is_not_fetched_for_every_request() {
    let source = Arc::new(Counting::default());
    let renewed = Renewed::new(Box::new(Shared(Arc::clone(&source))));
    let pools = Rc::new(Pools::new(Rc::new(Deaf)));
    local(async {
        for _ in 0..50 {
            renewed.get(&pools, Clock::system()).await.unwrap();
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(source.fetches.load(Ordering::Relaxed) < 50);
}
