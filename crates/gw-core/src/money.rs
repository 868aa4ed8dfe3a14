//! Money: whole nanodollars, and the exact reading of decimal texts. No amount is ever a float.

use std::fmt;

/// An amount of money in billionths of a US dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanodollars(pub i64);

impl Nanodollars {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads dollars as others write them, rounded half up to the nanodollar; `None` for what is no decimal of zero or more.
    #[must_use]
    pub fn from_dollars(text: &str) -> Option<Self> {
        rounded(text, PER_MILLION_SCALE).map(Self)
    }

    /// The sum; `None` beyond nine billion dollars.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

/// In dollars, as short as can be and exact: `0.00125`.
impl fmt::Display for Nanodollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, 9)
    }
}

/// What a unit costs, in nanodollars for a million of them: three dollars for a million tokens are `3_000_000_000`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(pub i64);

/// Nanodollars in a dollar, as a power of ten.
const PER_MILLION_SCALE: u32 = 9;
/// The same, for what is said for one unit and kept for a million.
const PER_UNIT_SCALE: u32 = 15;
/// Digits of the largest number that is kept.
const DIGITS_MAX: usize = 19;

impl Rate {
    /// Reads the dollars that a million units cost.
    ///
    /// # Errors
    /// The text is not a decimal that can be kept exactly.
    pub fn per_million(text: &str) -> Result<Self, DecimalError> {
        decimal(text, PER_MILLION_SCALE).map(Self)
    }

    /// Reads the dollars that one unit costs.
    ///
    /// # Errors
    /// The text is not a decimal that can be kept exactly.
    pub fn per_unit(text: &str) -> Result<Self, DecimalError> {
        decimal(text, PER_UNIT_SCALE).map(Self)
    }

    /// The part of this rate that a text such as `40%` says, rounded half up.
    ///
    /// # Errors
    /// The text is not a percentage with at most six decimals.
    pub fn percent(self, text: &str) -> Result<Self, DecimalError> {
        let percent = text.strip_suffix('%').ok_or(DecimalError::NotDecimal)?;
        let millionths = i128::from(decimal(percent.trim_end(), 6)?);
        let scaled = i128::from(self.0) * millionths;
        i64::try_from((scaled + 50_000_000) / 100_000_000).map(Self).map_err(|_| DecimalError::TooLarge)
    }

    /// So many hundredths of this rate, rounded half up; the largest rate where that is more.
    #[must_use]
    pub fn hundredths(self, percent: u16) -> Self {
        let scaled = (i128::from(self.0) * i128::from(percent) + 50) / 100;
        Self(i64::try_from(scaled).unwrap_or(i64::MAX))
    }

    /// What `count` units cost, each of which is `1 / divisor` of the unit that the rate is for; rounded half up to the
    /// nanodollar. `None` if that is more money than there is.
    #[must_use]
    pub fn cost(self, count: u64, divisor: u32) -> Option<Nanodollars> {
        let divisor = i128::from(divisor.max(1)) * 1_000_000;
        let product = i128::from(self.0).checked_mul(i128::from(count))?;
        let rounded = product.checked_add(divisor / 2)? / divisor;
        i64::try_from(rounded).ok().map(Nanodollars)
    }

    /// The dollars that one unit costs, exactly.
    #[must_use]
    pub fn dollars_per_unit(self) -> String {
        Decimal(self.0, PER_UNIT_SCALE).to_string()
    }

    /// The dollars that a million units cost, exactly.
    #[must_use]
    pub fn dollars_per_million(self) -> String {
        Decimal(self.0, PER_MILLION_SCALE).to_string()
    }
}

/// A whole number of fractions, shown as a decimal.
struct Decimal(i64, u32);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, self.1)
    }
}

/// Why a text cannot be read as a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalError {
    /// It is not a decimal number that is zero or more.
    NotDecimal,
    /// It has more digits behind the point than can be kept.
    TooFine,
    /// It is larger than can be kept.
    TooLarge,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDecimal => "is not a decimal number of zero or more",
            Self::TooFine => "has more digits behind the point than can be kept",
            Self::TooLarge => "is too large",
        })
    }
}

impl std::error::Error for DecimalError {}

/// Reads a decimal of zero or more (`0.00003`, `3e-05`) as a whole number of its `10^-scale` parts, exactly.
///
/// # Errors
/// It is not one, or cannot be kept exactly.
pub fn decimal(text: &str, scale: u32) -> Result<i64, DecimalError> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| DecimalError::NotDecimal)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return Err(DecimalError::NotDecimal);
    }
    let digits: String = [whole, fraction].concat();
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    // The value is `significant * 10^shift` parts.
    let lost = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let shift = i64::from(exponent) + i64::from(scale) - lost(fraction.len()) + lost(digits.len() - significant.len());
    let number: i64 = significant.parse().map_err(|_| DecimalError::TooFine)?;
    let shift = u32::try_from(shift).map_err(|_| DecimalError::TooFine)?;
    let factor = 10_i64.checked_pow(shift).ok_or(DecimalError::TooLarge)?;
    number.checked_mul(factor).ok_or(DecimalError::TooLarge)
}

/// Reads a decimal of zero or more as a whole number of its `10^-scale` parts, rounded half up; `None` if it is not one, or
/// too large. For what others report: what is configured is read with [`decimal`], which does not round.
#[must_use]
pub fn rounded(text: &str, scale: u32) -> Option<i64> {
    match decimal(text, scale) {
        Ok(parts) => return Some(parts),
        Err(DecimalError::TooFine) => {}
        Err(DecimalError::NotDecimal | DecimalError::TooLarge) => return None,
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse::<i32>().ok()?.into();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // Digits from here on are behind the smallest part.
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?.checked_add(i64::from(scale))?;
    let digits = || whole.bytes().chain(fraction.bytes());
    let kept = usize::try_from(point).unwrap_or(0);
    let mut parts: i64 = 0;
    for digit in digits().chain(std::iter::repeat(b'0')).take(kept.min(DIGITS_MAX + whole.len() + fraction.len())) {
        parts = parts.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
    }
    let next = if point < 0 { None } else { digits().nth(kept) };
    parts.checked_add(i64::from(next.is_some_and(|digit| digit >= b'5')))
}

fn write_decimal(f: &mut fmt::Formatter<'_>, parts: i64, scale: u32) -> fmt::Result {
    let one = 10_u64.pow(scale);
    let (whole, rest) = (parts.unsigned_abs() / one, parts.unsigned_abs() % one);
    if parts < 0 {
        f.write_str("-")?;
    }
    write!(f, "{whole}")?;
    if rest == 0 {
        return Ok(());
    }
    let digits = format!("{rest:0width$}", width = scale as usize);
    write!(f, ".{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_read_exactly_however_it_is_written() {
        for (text, parts) in [
            ("3", 3_000_000_000),
            ("0.075", 75_000_000),
            ("3e-6", 3_000),
            ("3E-06", 3_000),
            ("1.5e1", 15_000_000_000),
            ("000.10", 100_000_000),
            (".5", 500_000_000),
            ("0", 0),
            ("0.000000000000000000", 0),
            ("0e-99", 0),
        ] {
            assert_eq!(decimal(text, 9), Ok(parts), "{text}");
        }
        for text in ["", ".", "-1", "+1", "1,5", "NaN", "inf", "1e", "1 ", "0x1", "1e1.5"] {
            assert_eq!(decimal(text, 9), Err(DecimalError::NotDecimal), "{text}");
        }
        assert_eq!(decimal("1e-10", 9), Err(DecimalError::TooFine));
        assert_eq!(decimal("1e10", 9), Err(DecimalError::TooLarge));
        assert_eq!(decimal("1e2147483647", 9), Err(DecimalError::TooLarge));
        assert_eq!(decimal("1e-2147483648", 9), Err(DecimalError::TooFine));
    }

    #[test]
    fn what_others_report_is_rounded_half_up_to_the_nanodollar() {
        for (text, nanos) in [
            ("0.000138", 138_000),
            ("0.00014039999999999999", 140_400),
            ("1.23456789049e-3", 1_234_568),
            ("0.0000000005", 1),
            ("0.00000000049999999999999999999999999", 0),
            ("12.3456789125", 12_345_678_913),
            ("123456789e-18", 0),
            ("1e-400", 0),
            ("5e-10", 1),
            ("0.5e-9", 1),
            ("95e-11", 1),
            ("0", 0),
        ] {
            assert_eq!(Nanodollars::from_dollars(text), Some(Nanodollars(nanos)), "{text}");
        }
        for text in ["", "-1", "null", "\"1\"", "1e99", "99999999999.00000000001", "1e2147483648"] {
            assert_eq!(Nanodollars::from_dollars(text), None, "{text}");
        }
    }

    #[test]
    fn a_price_for_a_token_and_for_a_million_are_the_same_rate() {
        assert_eq!(Rate::per_unit("0.00003"), Rate::per_million("30"));
        assert_eq!(Rate::per_unit("3e-05"), Ok(Rate(30_000_000_000)));
        assert_eq!(Rate(30_000_000_000).dollars_per_unit(), "0.00003");
        assert_eq!(Rate(30_000_000_000).dollars_per_million(), "30");
    }

    #[test]
    fn a_share_of_a_rate_is_rounded_half_up() {
        assert_eq!(Rate(1_600_000_000).percent("40%"), Ok(Rate(640_000_000)));
        assert_eq!(Rate(5).percent("50%"), Ok(Rate(3)));
        assert_eq!(Rate(5).percent("12.5 %"), Ok(Rate(1)));
        assert!(Rate(5).percent("40").is_err() && Rate(5).percent("%").is_err());
    }

    #[test]
    fn what_units_cost_is_rounded_half_up_and_never_wraps() {
        assert_eq!(Rate(3_000_000_000).cost(1_000, 1), Some(Nanodollars(3_000_000)));
        assert_eq!(Rate(500_000).cost(1, 1), Some(Nanodollars(1)));
        assert_eq!(Rate(499_999).cost(1, 1), Some(Nanodollars(0)));
        assert_eq!(Rate(i64::MAX).cost(u64::MAX, 1), None);
        assert_eq!(Rate(100_000_000_000).cost(1_500, 1_000), Some(Nanodollars(150_000)));
    }

    #[test]
    fn an_amount_is_shown_in_dollars() {
        for (nanos, shown) in
            [(0, "0"), (1, "0.000000001"), (1_250_000, "0.00125"), (2_000_000_000, "2"), (-1_500_000_000, "-1.5")]
        {
            assert_eq!(Nanodollars(nanos).to_string(), shown);
        }
        assert_eq!(Nanodollars(i64::MAX).checked_add(Nanodollars(1)), None);
    }
}
