//! What a caller says that its request costs, in place of every price: `cf-aig-custom-cost`, as Cloudflare's clients write it,
//! or `x-gateway-custom-cost`. Who may is the operator's to say (`cost_management.custom_costs`).

use gw_config::config::CustomCosts;
use gw_core::chat::Loss;
use gw_core::{Cost, CostSource, Dimension, Error, ErrorCode, Nanodollars, Price, Rate, Usage};
use gw_dialects::scan::Object;
use http::{HeaderMap, HeaderName};

use crate::meter::Meter;
use crate::snapshot::Snapshot;

/// The headers, the first that is there counts.
static HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("x-gateway-custom-cost"), HeaderName::from_static("cf-aig-custom-cost")];

/// What a caller says.
#[derive(Clone)]
pub(crate) enum CustomCost {
    /// What a token costs.
    Rates(Price),
    /// What the request costs.
    Total(Nanodollars),
}

impl CustomCost {
    /// What was used costs.
    pub(crate) fn of(&self, usage: &Usage) -> Cost {
        match self {
            // A rate by the hour cannot be said.
            Self::Rates(price) => Cost::of(usage, price, std::time::UNIX_EPOCH).by(CostSource::Caller),
            Self::Total(total) => Cost::said(*total, CostSource::Caller),
        }
    }
}

/// Notes what the caller says, if it may; the caller is told if it may not.
///
/// # Errors
/// `invalid_request`, if it may and what it says is not understood.
pub(crate) fn priced_by_caller(headers: &HeaderMap, snapshot: &Snapshot, meter: &mut Meter) -> Result<(), Error> {
    let Some((name, value)) = HEADERS.iter().find_map(|name| Some((name, headers.get(name)?))) else { return Ok(()) };
    let may = match &snapshot.custom_costs {
        CustomCosts::Nobody => false,
        CustomCosts::Everybody => true,
        CustomCosts::Keys(names) => meter.key_name().is_some_and(|key| names.iter().any(|name| **name == **key)),
    };
    if !may {
        meter.lost(&[Loss::dropped(name.as_str(), "this caller may not say what its requests cost")]);
        return Ok(());
    }
    let understood = value.to_str().ok().and_then(read);
    meter.priced_by_caller(understood.ok_or_else(|| {
        let message = format!(
            "the header `{name}` is not understood; send {{\"per_token_in\": 0.000003, \"per_token_out\": 0.000015}} or \
             {{\"total_cost\": 0.01}}, in dollars"
        );
        Error::new(ErrorCode::InvalidRequest, message).with_param(name.as_str())
    })?);
    Ok(())
}

fn read(text: &str) -> Option<CustomCost> {
    let said = Object::parse(text).ok()?;
    if let Some(total) = said.get("total_cost") {
        return Nanodollars::from_dollars(total).map(CustomCost::Total);
    }
    let rate = |name: &str| said.get(name).map(|rate| Rate::per_unit(rate).ok());
    let (input, output) = (rate("per_token_in"), rate("per_token_out"));
    if input.is_none() && output.is_none() {
        return None;
    }
    // One that is not said is unknown, not free.
    let rates = [(Dimension::Input, input), (Dimension::Output, output)];
    let rates: Option<Vec<_>> =
        rates.into_iter().filter_map(|(dimension, rate)| rate.map(|rate| Some((dimension, rate?)))).collect();
    Some(CustomCost::Rates(Price::flat(rates?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_cost_is_read_exactly() {
        let usage = Usage { input_tokens: 11, output_tokens: 7, ..Usage::default() };
        let of = |text: &str| read(text).and_then(|cost| cost.of(&usage).total()).map(|total| total.0);
        assert_eq!(of(r#"{"per_token_in":0.000003,"per_token_out":1.5e-5}"#), Some(138_000));
        assert_eq!(of(r#"{"per_token_in":0,"per_token_out":0}"#), Some(0));
        assert_eq!(of(r#"{"total_cost":0.01}"#), Some(10_000_000));
        let half = read(r#"{"per_token_in":0.000003}"#).unwrap().of(&usage);
        assert_eq!((half.total(), half.unpriced().names().collect::<Vec<_>>()), (None, vec!["output"]));
        for text in ["", "{}", "0.01", r#"{"per_token_in":"x"}"#, r#"{"total_cost":-1}"#, r#"{"per_token_out":1e-40}"#]
        {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
