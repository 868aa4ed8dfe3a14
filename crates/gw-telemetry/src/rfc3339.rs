//! The time in log lines: RFC 3339, UTC, to the millisecond.

use std::time::SystemTime;

use gw_runtime::calendar::date_of;

const SECONDS_PER_DAY: u64 = 86_400;

/// The last day that fits: 9999-12-31.
const DAY_MAX: u64 = 2_932_896;

/// A moment as text, `2024-02-29T12:34:56.789Z`.
#[must_use]
pub fn text(at: SystemTime) -> String {
    Timestamp::of(at).as_str().to_owned()
}

/// The year and the month (from 1) of a moment.
#[must_use]
pub fn month(at: SystemTime) -> (u64, u64) {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (year, month, _) = date_of((since.as_secs() / SECONDS_PER_DAY).min(DAY_MAX));
    (year, month)
}

/// A moment as text, `2024-02-29T12:34:56.789Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timestamp([u8; 24]);

impl Timestamp {
    /// What does not fit is moved to the nearest moment that does: from 1970 to 9999.
    pub(crate) fn of(at: SystemTime) -> Self {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (seconds, millis) = (since.as_secs(), u64::from(since.subsec_millis()));
        let (year, month, day) = date_of((seconds / SECONDS_PER_DAY).min(DAY_MAX));
        let second = seconds % SECONDS_PER_DAY;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        write_digits(&mut text[0..4], year);
        write_digits(&mut text[5..7], month);
        write_digits(&mut text[8..10], day);
        write_digits(&mut text[11..13], second / 3_600);
        write_digits(&mut text[14..16], second / 60 % 60);
        write_digits(&mut text[17..19], second % 60);
        write_digits(&mut text[20..23], millis);
        Self(text)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        // The bytes are ASCII by construction.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn write_digits(text: &mut [u8], mut number: u64) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn moments_are_written_as_the_standard_says() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_210_096_789, "2024-02-29T12:34:56.789Z"),
            (1_735_689_599_001, "2024-12-31T23:59:59.001Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
            assert_eq!(Timestamp::of(at).as_str(), expected);
        }
    }

    #[test]
    fn a_clock_set_before_1970_is_no_reason_to_break() {
        let at = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::of(at).as_str(), "1970-01-01T00:00:00.000Z");
    }
}
