//! How long a client is asked to wait: what a provider says of it is passed on only where it says how long.

use gw_dialects::error;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};

/// OpenAI's, in milliseconds.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Takes out what is neither a time nor a date: clients that trust it would wait for ever, or not at all.
pub(crate) fn keep_valid(headers: &mut HeaderMap) {
    for (name, is_valid) in
        [(RETRY_AFTER, error::is_retry_after as fn(&str) -> bool), (RETRY_AFTER_MS, error::is_retry_after_ms)]
    {
        let mut values = headers.get_all(&name).iter().map(HeaderValue::to_str);
        if !values.all(|value| value.is_ok_and(|text| is_valid(text.trim()))) {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_time_or_a_date_is_passed_on() {
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        for (value, is_kept) in [
            ("7", true),
            ("0", true),
            ("1.5", true),
            (date, true),
            ("banana", false),
            ("Never, 21 Oct 2015 07:28 GMT ", false),
            ("-1", false),
            ("inf", false),
            ("NaN", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            headers.insert(RETRY_AFTER_MS, HeaderValue::from_static(value));
            keep_valid(&mut headers);
            assert_eq!(headers.contains_key(RETRY_AFTER), is_kept, "{value}");
            assert_eq!(headers.contains_key(RETRY_AFTER_MS), is_kept && value != date, "{value}");
        }
    }
}
