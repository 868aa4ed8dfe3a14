//! The wall clock, as an argument, so that tests can set it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells what time it is. For durations use `tokio::time::Instant`, which tests can pause.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Source);

#[derive(Debug, Clone, Copy)]
enum Source {
    System,
    Fixed(SystemTime),
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still.
    pub const fn fixed(at: SystemTime) -> Self {
        Self(Source::Fixed(at))
    }

    /// The time now.
    pub fn now(self) -> SystemTime {
        match self.0 {
            Source::System => system_time(),
            Source::Fixed(at) => at,
        }
    }

    /// The time now, in whole seconds since 1970.
    pub fn unix_s(self) -> u64 {
        self.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

#[expect(clippy::disallowed_methods, reason = "everybody else takes the time from here")]
fn system_time() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_stands_still_and_the_system_s_does_not_run_backwards() {
        let fixed = Clock::fixed(SystemTime::UNIX_EPOCH);
        assert_eq!(fixed.now(), SystemTime::UNIX_EPOCH);
        let before = Clock::system().now();
        assert!(Clock::system().now() >= before);
        assert!(before > SystemTime::UNIX_EPOCH);
    }
}
