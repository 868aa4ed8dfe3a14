//! Prices as meant.

use gw_core::Dimension;
use gw_core::price::Rates;

use super::Meaning;
use crate::config::{CatalogUpdate, CustomCosts, ModelDescription, NamedKey, PriceOverride, Spanned};
use crate::file::{self, DescribedModel, File, ModelCost};

/// Stands for every caller.
const EVERYBODY: &str = "*";

impl Meaning<'_> {
    /// Prices in place of the catalogue's.
    pub(super) fn price_overrides(file: &File) -> Vec<PriceOverride> {
        let Some(written) = file.cost_management.value().filter(|written| written.enabled.value() != Some(&false))
        else {
            return Vec::new();
        };
        // There is one currency: whoever adds another converts the amounts here.
        match written.currency.value() {
            None | Some(file::Currency::Usd) => {}
        }
        let providers = written.provider_costs.value().map(|pairs| pairs.0.as_slice()).unwrap_or_default();
        let of_provider = |(provider, models): &(Spanned<String>, Spanned<crate::decode::Pairs<ModelCost>>)| {
            let models = models.value.0.iter();
            let one = models.map(|(model, cost)| PriceOverride {
                provider: provider.clone(),
                model: model.clone(),
                rates: rates(&cost.value),
            });
            one.collect::<Vec<_>>()
        };
        providers.iter().flat_map(of_provider).collect()
    }

    /// Who may say what requests cost.
    pub(super) fn custom_costs(&mut self, file: &File, keys: &[NamedKey]) -> CustomCosts {
        let written = file.cost_management.value().and_then(|written| written.custom_costs.value());
        let names = written.map(Vec::as_slice).unwrap_or_default();
        for name in names {
            if name.value != EVERYBODY && keys.iter().all(|key| key.name.value != name.value) {
                let shown = self.show(&name.value, &name.place);
                let message = format!("cost_management.custom_costs names the key {shown}, which there is not");
                self.mistake(&name.place, message, "name a key of auth.keys, or \"*\" for everybody");
            }
        }
        match names {
            [] => CustomCosts::Nobody,
            names if names.iter().any(|name| name.value == EVERYBODY) => CustomCosts::Everybody,
            names => CustomCosts::Keys(names.iter().map(|name| name.value.clone()).collect()),
        }
    }

    /// Whether callers are not charged for what failed or came to nothing.
    pub(super) fn zero_completion_insurance(file: &File) -> bool {
        let written = file.cost_management.value().and_then(|written| written.zero_completion_insurance.value());
        written.copied().unwrap_or(false)
    }

    /// Where newer models and prices come from.
    pub(super) fn catalog(&mut self, file: &File) -> CatalogUpdate {
        let default = CatalogUpdate::default();
        let Some(written) = file.catalog.value() else { return default };
        if let Some(url) = written.url.given().filter(|url| !url.value.0.starts_with("https://")) {
            self.mistake(
                &url.place,
                "catalog.url does not begin with https://".to_owned(),
                "prices must not be forged",
            );
        }
        if let (Some(file), Some(_)) = (written.file.given(), written.url.given()) {
            self.mistake(&file.place, "catalog has both \"file\" and \"url\"".to_owned(), "give one of them");
        }
        CatalogUpdate {
            file: written.file.value().cloned(),
            url: written.url.value().map(|url| url.0.clone()),
            refresh: written.refresh.value().copied().unwrap_or(default.refresh),
        }
    }

    /// What is said of a model.
    pub(super) fn description(&mut self, written: &DescribedModel, subject: &str) -> Option<ModelDescription> {
        let name = written.name.given()?;
        let pairs = written.price.value().map(|pairs| pairs.0.as_slice()).unwrap_or_default();
        let texts: Vec<(&str, &str)> =
            pairs.iter().map(|(dimension, text)| (dimension.value.as_str(), text.value.0.as_str())).collect();
        let rates = Rates::read(&texts, &Rates::default()).unwrap_or_else(|what| {
            let place = written.price.given().map_or(&name.place, |price| &price.place);
            let message = format!("the price of a model of {subject}: {what}");
            let known: Vec<_> = Dimension::ALL.iter().map(|dimension| dimension.name()).collect();
            self.mistake(place, message, &format!("there are {}", known.join(", ")));
            Rates::default()
        });
        let words = |list: &crate::decode::Written<Vec<Spanned<String>>>| {
            list.value().into_iter().flatten().map(|word| word.value.clone()).collect()
        };
        Some(ModelDescription {
            name: Spanned { value: name.value.0.clone(), place: name.place.clone() },
            rates,
            context_tokens: written.context.value().map(|count| count.0 as u64),
            output_tokens_max: written.output_max.value().map(|count| count.0 as u64),
            input: words(&written.input),
            can: words(&written.can),
        })
    }
}

fn rates(cost: &ModelCost) -> Rates {
    let rate = |dimension, written: &crate::decode::Written<file::PerOne>| Some((dimension, written.value()?.0));
    let all = [
        rate(Dimension::Input, &cost.input_token_cost),
        rate(Dimension::Output, &cost.output_token_cost),
        rate(Dimension::CachedInput, &cost.cached_input_token_cost),
        rate(Dimension::CacheWrite, &cost.cache_write_token_cost),
        rate(Dimension::Reasoning, &cost.reasoning_token_cost),
        rate(Dimension::Image, &cost.image_cost),
        rate(Dimension::Request, &cost.request_cost),
        rate(Dimension::Search, &cost.search_cost),
    ];
    all.into_iter().flatten().collect()
}
