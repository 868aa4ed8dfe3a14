//! Decimal texts, moved by powers of ten without ever being floats.

/// Digits beyond these are what binary fractions left behind.
const DIGITS_MAX: i32 = 12;
/// Digits behind the point that a price can have.
const DECIMALS_MAX: i32 = 9;

/// The number `text`, times `10^shift`, as short as can be: `("3e-06", 6)` is `3`. `None` if it is not one of zero or more.
pub(crate) fn shifted(text: &str, shift: i32) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The point stands behind this many digits.
    let mut point = i32::try_from(whole.len()).ok()? + exponent + shift;
    let zeros = digits.len() - digits.trim_start_matches('0').len();
    digits.drain(..zeros);
    point -= i32::try_from(zeros).ok()?;
    point += round(&mut digits, usize::try_from(DIGITS_MAX.min(point + DECIMALS_MAX)).unwrap_or(0));
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    let length = i32::try_from(digits.len()).ok()?;
    Some(match usize::try_from(point) {
        Ok(0) | Err(_) => format!("0.{}{digits}", "0".repeat(usize::try_from(-point).unwrap_or(0))),
        Ok(_) if point >= length => format!("{digits}{}", "0".repeat(usize::try_from(point - length).unwrap_or(0))),
        Ok(point) => format!("{}.{}", &digits[..point], &digits[point..]),
    })
}

/// Rounds half up to the digits that count; says by how many digits the number became longer.
fn round(digits: &mut String, kept: usize) -> i32 {
    let up = digits.as_bytes().get(kept).is_some_and(|next| *next >= b'5');
    digits.truncate(kept);
    let Ok(number) = digits.parse::<u64>() else { return 0 };
    let before = digits.len();
    if up {
        *digits = (number + 1).to_string();
    }
    i32::from(digits.len() > before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_for_a_token_becomes_one_for_a_million() {
        for (text, expected) in [
            ("3e-06", "3"),
            ("0.000003", "3"),
            ("1.25e-7", "0.125"),
            ("2.9999999999999997e-07", "0.3"),
            ("9.999999999999999e-07", "1"),
            ("1.0", "1000000"),
            ("0.0", "0"),
            ("15", "15000000"),
            ("1.2345678901234e-7", "0.123456789"),
            ("6e-17", "0"),
        ] {
            assert_eq!(shifted(text, 6).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(shifted("0.134", 0).as_deref(), Some("0.134"));
        assert_eq!(shifted("-1", 0), None);
        assert_eq!(shifted("x", 0), None);
    }
}
