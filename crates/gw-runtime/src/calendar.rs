//! Days of the Gregorian calendar, in UTC. Years are taken to begin in March, so that the leap day is the last of its year.

const DAYS_PER_ERA: u64 = 146_097; // 400 years
const DAYS_BEFORE_1970: u64 = 719_468; // since 0000-03-01

/// Year, month and day so many days after 1970-01-01.
pub const fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_BEFORE_1970;
    let (era, of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// The days between 1970-01-01 and a date that is not earlier; a month from 1 to 12, a day from 1.
pub const fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    (era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year).saturating_sub(DAYS_BEFORE_1970)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_the_dates_of_the_calendar() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (11_015, (2000, 2, 28)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (47_541, (2100, 3, 1)),
            (2_932_896, (9999, 12, 31)),
        ] {
            assert_eq!(date_of(days), date);
            assert_eq!(days_before(date.0, date.1, date.2), days);
        }
    }

    #[test]
    fn what_is_written_of_a_day_is_read_as_the_same_day() {
        for days in (0..40_000).step_by(17) {
            let (year, month, day) = date_of(days);
            assert_eq!(days_before(year, month, day), days);
        }
    }
}
