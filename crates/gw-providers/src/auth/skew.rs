//! How wrong this machine's clock is, learnt from those who refuse what it signs.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use gw_runtime::Clock;
use http::{HeaderMap, header};

/// Differences below are nobody's reason to refuse: Amazon and Google allow five minutes.
const TOLERATED: Duration = Duration::from_secs(240);

/// The seconds that have to be added to this machine's clock; 0 until somebody complains.
#[derive(Debug, Default)]
pub(crate) struct Skew(AtomicI64);

impl Skew {
    /// The time, as far as is known.
    pub(crate) fn now(&self, clock: Clock) -> SystemTime {
        shifted(clock.now(), self.0.load(Ordering::Relaxed))
    }

    /// Learns from the `date` of a refusal; says whether the time that was signed differs from it too much.
    pub(crate) fn learn(&self, refusal: &HeaderMap, clock: Clock) -> bool {
        let Some(theirs) = date(refusal) else { return false };
        if distance_s(self.now(clock), theirs).unsigned_abs() < TOLERATED.as_secs() {
            return false;
        }
        self.0.store(distance_s(clock.now(), theirs), Ordering::Relaxed);
        true
    }

    /// What a person should know of it; `None` if nobody has complained.
    pub(crate) fn told(&self) -> Option<String> {
        let seconds = self.0.load(Ordering::Relaxed);
        (seconds.unsigned_abs() >= TOLERATED.as_secs()).then(|| {
            let (minutes, way) = ((seconds.unsigned_abs() + 30) / 60, if seconds > 0 { "slow" } else { "fast" });
            format!(
                "this machine's clock is about {minutes} min {way}; requests are signed with the provider's time from \
                 now on, but set the clock"
            )
        })
    }
}

/// The time at which an answer was made, as it says.
pub(crate) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()
}

fn shifted(time: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    let moved = if seconds < 0 { time.checked_sub(by) } else { time.checked_add(by) };
    moved.unwrap_or(time)
}

/// From one time to another, in seconds.
fn distance_s(from: SystemTime, to: SystemTime) -> i64 {
    let seconds = |distance: Duration| i64::try_from(distance.as_secs()).unwrap_or(i64::MAX);
    match to.duration_since(from) {
        Ok(later) => seconds(later),
        Err(earlier) => -seconds(earlier.duration()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn refused_at(time: SystemTime) -> HeaderMap {
        HeaderMap::from_iter([(header::DATE, HeaderValue::try_from(httpdate::fmt_http_date(time)).unwrap())])
    }

    #[test]
    fn a_clock_that_is_an_hour_wrong_is_corrected_and_told_and_found_right_again() {
        let truth = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let wrong = Clock::fixed(truth - Duration::from_secs(3_600));
        let skew = Skew::default();
        assert_eq!(skew.told(), None);
        assert!(skew.learn(&refused_at(truth), wrong));
        assert_eq!(skew.now(wrong), truth);
        assert!(skew.told().unwrap().contains("60 min slow"));
        // A refusal for another reason changes nothing.
        assert!(!skew.learn(&refused_at(truth), wrong));
        // The clock was set: what was learnt is wrong now.
        assert!(skew.learn(&refused_at(truth), Clock::fixed(truth)));
        assert_eq!((skew.now(Clock::fixed(truth)), skew.told()), (truth, None));
    }

    #[test]
    fn a_small_difference_or_no_date_teaches_nothing() {
        let truth = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let skew = Skew::default();
        assert!(!skew.learn(&refused_at(truth), Clock::fixed(truth - Duration::from_secs(100))));
        assert!(!skew.learn(&HeaderMap::new(), Clock::fixed(truth)));
        assert_eq!(skew.told(), None);
    }
}
