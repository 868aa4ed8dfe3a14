//! What is known of a model at a provider, and what it costs there: what the configuration says of it, else the newest
//! catalogue.

use std::sync::Arc;

use gw_config::config::{ModelDescription, PriceOverride};
use gw_core::price::Rates;
use gw_core::{Dimension, Price, Rate};
use gw_providers::catalog::models::{self, Facts, Update};
use gw_providers::catalog::{Catalog, Kind};

use crate::snapshot::Provider;

/// Prices of the configuration and the catalogue.
pub struct Pricing {
    catalog: &'static Catalog,
    update: Option<Arc<Update>>,
    overrides: Vec<PriceOverride>,
}

impl Pricing {
    /// The catalogue, brought up to date, and the prices of the configuration in its place.
    pub fn new(catalog: &'static Catalog, update: Option<Arc<Update>>, overrides: Vec<PriceOverride>) -> Self {
        Self { catalog, update, overrides }
    }

    /// What is known of a model there.
    pub fn facts(&self, provider: &Provider, model: &str) -> Option<Facts> {
        let found = self.listed(provider, model);
        let price = self.own_price(provider, model, found.as_ref().and_then(|facts| facts.price.as_ref()));
        let facts = match (found, describing(provider, model)) {
            (facts, Some(description)) => description.told(model, facts),
            (Some(facts), None) => facts,
            (None, None) => return None,
        };
        Some(Facts { price: price.or(facts.price), ..facts })
    }

    /// What a model costs there; a price without rates if that is not known.
    pub fn price(&self, provider: &Provider, model: &str) -> Arc<Price> {
        if provider.entry.kind == Kind::Sandbox {
            return Arc::new(Price::flat([(Dimension::Input, Rate(0)), (Dimension::Output, Rate(0))]));
        }
        let listed = self.listed(provider, model).and_then(|facts| facts.price);
        self.own_price(provider, model, listed.as_ref()).or(listed).unwrap_or_default()
    }

    /// What the catalogue says, for where the provider answers from.
    fn listed(&self, provider: &Provider, model: &str) -> Option<Facts> {
        let facts = models::facts(self.catalog, self.update.as_deref(), &provider.entry.id, model)?;
        let percent = facts.model.regional_percent.filter(|_| provider.is_regional());
        match (percent, &facts.price) {
            (Some(percent), Some(price)) => Some(Facts { price: Some(Arc::new(price.hundredths(percent))), ..facts }),
            _ => Some(facts),
        }
    }

    /// Overrides that are far from the catalogue: a slip of a decimal point is seen before the bill.
    pub fn doubtful(&self, providers: &[Arc<Provider>]) -> Vec<String> {
        let mut doubtful = Vec::new();
        for one in &self.overrides {
            let meant = providers.iter().find(|provider| self.means(&one.provider.value, provider));
            let type_id = meant
                .map(|provider| provider.entry.id.as_str())
                .or_else(|| self.catalog.get(&one.provider.value).map(|entry| entry.id.as_str()));
            let Some(listed) = type_id
                .and_then(|type_id| models::facts(self.catalog, self.update.as_deref(), type_id, &one.model.value))
                .and_then(|facts| facts.price)
            else {
                continue;
            };
            for (dimension, rate) in one.rates.iter() {
                let Some(usual) = listed.rates.get(dimension).filter(|usual| is_far(rate, *usual)) else { continue };
                doubtful.push(format!(
                    "{}: the price of \"{}\" for {} is {} dollars for a million, in the catalogue it is {}",
                    one.model.place,
                    one.model.value,
                    dimension.name(),
                    rate.dollars_per_million(),
                    usual.dollars_per_million(),
                ));
            }
        }
        doubtful
    }

    /// The price that the configuration sets: the provider's own description, then by its name, then by its type.
    fn own_price(&self, provider: &Provider, model: &str, listed: Option<&Arc<Price>>) -> Option<Arc<Price>> {
        let described = describing(provider, model).map(|description| &description.rates);
        let described = described.filter(|rates| rates.iter().len() > 0);
        let rates = described.or_else(|| self.overriding(provider, model))?;
        let price = match listed {
            Some(listed) => listed.with(rates),
            None => Price::flat(rates.iter()),
        };
        Some(Arc::new(price))
    }

    fn overriding(&self, provider: &Provider, model: &str) -> Option<&Rates> {
        let by_name = self.overrides.iter().filter(|one| *one.provider.value == *provider.known_as);
        let by_type = self.overrides.iter().filter(|one| self.is_type(&one.provider.value, provider));
        let mut all = by_name.chain(by_type);
        let exact = all.clone().find(|one| one.model.value == model);
        exact
            .or_else(|| all.find(|one| models::is_same(&provider.entry.id, &one.model.value, model)))
            .map(|one| &one.rates)
    }

    fn means(&self, reference: &str, provider: &Provider) -> bool {
        *reference == *provider.known_as || self.is_type(reference, provider)
    }

    fn is_type(&self, reference: &str, provider: &Provider) -> bool {
        self.catalog.get(reference).is_some_and(|entry| entry.id == provider.entry.id)
    }
}

/// A model as the configuration describes it.
pub struct Described {
    /// Its name there.
    pub name: Arc<str>,
    /// What it costs; what is left out is as in the catalogue.
    pub rates: Rates,
    facts: models::Described,
}

impl Described {
    /// As configured.
    ///
    /// # Errors
    /// The word that nobody knows.
    pub fn new(description: &ModelDescription) -> Result<Self, String> {
        let facts = models::Described {
            context_tokens: description.context_tokens,
            output_tokens_max: description.output_tokens_max,
            input: models::Described::modalities(&description.input)?,
            can: models::Described::capabilities(&description.can)?,
        };
        Ok(Self { name: Arc::from(description.name.value.as_str()), rates: description.rates.clone(), facts })
    }

    fn told(&self, model: &str, facts: Option<Facts>) -> Facts {
        self.facts.told(model, facts)
    }
}

fn describing<'a>(provider: &'a Provider, model: &str) -> Option<&'a Described> {
    provider.described.iter().find(|described| &*described.name == model)
}

/// What a million tokens of a usual mix cost, in nanodollars: three of the prompt to one of the answer. `None` if either
/// price is not known.
pub fn usual_price(price: &Price) -> Option<i64> {
    let (input, output) = (price.rates.get(Dimension::Input)?, price.rates.get(Dimension::Output)?);
    Some(input.0.checked_mul(3)?.checked_add(output.0)? / 4)
}

/// Whether a rate differs from the usual one by more than half of it.
fn is_far(rate: Rate, usual: Rate) -> bool {
    i128::from(rate.0).abs_diff(i128::from(usual.0)) * 2 > u128::from(usual.0.unsigned_abs())
}
