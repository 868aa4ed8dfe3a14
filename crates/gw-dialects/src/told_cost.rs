//! What a provider itself says that a request cost, beside its counts: OpenRouter's `cost`, Perplexity's `cost.total_cost`.

use gw_core::Nanodollars;
use serde_json::Value;

use crate::scan::Object;

/// The dollars in a report of usage. Whether the provider means dollars is for the catalogue to say (`tells_cost`).
pub(crate) fn in_report(report: &Object<'_>) -> Option<Nanodollars> {
    let raw = report.get("cost")?;
    if raw.starts_with('{') {
        return Nanodollars::from_dollars(Object::parse(raw).ok()?.get("total_cost")?);
    }
    let cost = Nanodollars::from_dollars(raw)?;
    if report.get("is_byok") != Some("true") {
        return Some(cost);
    }
    // Who asks OpenRouter with a maker's key is billed by the maker besides.
    let details = report.object("cost_details")?;
    cost.checked_add(Nanodollars::from_dollars(details.get("upstream_inference_cost")?)?)
}

/// The same, of a report that was read into values.
pub(crate) fn in_value(report: &Value) -> Option<Nanodollars> {
    report.get("cost").filter(|cost| !cost.is_null())?;
    in_report(&Object::parse(&report.to_string()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_says_is_read_exactly() {
        for (report, nanos) in [
            (r#"{"cost":0.00014}"#, Some(140_000)),
            (r#"{"cost":1.4e-05,"is_byok":false}"#, Some(14_000)),
            (r#"{"cost":0}"#, Some(0)),
            (r#"{"cost":{"input_tokens_cost":0.1,"total_cost":0.0051}}"#, Some(5_100_000)),
            (r#"{"cost":0.05,"is_byok":true,"cost_details":{"upstream_inference_cost":1}}"#, Some(1_050_000_000)),
            (r#"{"cost":0.05,"is_byok":true,"cost_details":{"upstream_inference_cost":null}}"#, None),
            (r#"{"cost":0.05,"is_byok":true}"#, None),
            (r#"{"cost":"0.05"}"#, None),
            (r#"{"cost":null}"#, None),
            (r#"{"cost":-1}"#, None),
            (r#"{"cost":{}}"#, None),
            ("{}", None),
        ] {
            assert_eq!(in_report(&Object::parse(report).unwrap()), nanos.map(Nanodollars), "{report}");
            let value: Value = serde_json::from_str(report).unwrap();
            assert_eq!(in_value(&value), nanos.map(Nanodollars), "{report}");
        }
    }
}
