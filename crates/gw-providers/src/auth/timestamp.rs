//! Times as Amazon and Google write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gw_runtime::calendar::{date_of, days_before};

const DAY_S: u64 = 86_400;

/// `20150830T123600Z`: ISO 8601's basic form, in UTC. Its first eight letters are the day.
pub(crate) fn basic(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = date_of(seconds / DAY_S);
    let (hour, minute, second) = (seconds % DAY_S / 3_600, seconds % 3_600 / 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Reads `2026-11-20T10:00:00Z`, with or without a fraction of a second (RFC 3339 in UTC).
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(str::parse::<u64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut time = time.split('.').next()?.splitn(3, ':').map(str::parse::<u64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    let fits = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let seconds = || days_before(year, month, day) * DAY_S + hour * 3_600 + minute * 60 + second;
    fits.then(|| UNIX_EPOCH + Duration::from_secs(seconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn times_are_written_as_amazon_wants_them() {
        for (seconds, wanted) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_440_938_160, "20150830T123600Z"),
            (1_798_761_599, "20261231T235959Z"),
        ] {
            assert_eq!(basic(at(seconds)), wanted);
        }
    }

    #[test]
    fn times_are_read_with_and_without_a_fraction() {
        assert_eq!(parse("2015-08-30T12:36:00Z"), Some(at(1_440_938_160)));
        assert_eq!(parse("2015-08-30T12:36:00.123Z"), Some(at(1_440_938_160)));
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(at(0)));
        for wrong in
            ["", "2015-08-30", "2015-13-30T12:36:00Z", "2015-08-30T12:36Z", "1960-01-01T00:00:00Z", "x-y-zT::Z"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
