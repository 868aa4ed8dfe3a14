//! `cost_management` and `catalog`, as written: what models cost, and where newer prices come from.

use std::path::PathBuf;
use std::time::Duration;

use gw_core::Rate;

use super::later::cost;
use crate::config::Spanned;
use crate::decode::{Decode, Decoder, Pairs};
use crate::names::ModelName;
use crate::node::{Node, Value};
use crate::scalar::{Count, Fault, Json, Scalar};
use crate::section::{choices, section};
use crate::shape::{Off, Shape, planned};
use crate::url::BaseUrl;

section! {
    /// Prices, budgets and what happens beyond them.
    CostManagement {
        /// Whether the prices here are used.
        enabled: bool, default "true";
        /// The currency of all amounts.
        currency: Currency, default "USD";
        /// Prices by provider (its name or type) and model, in place of the catalogue's.
        provider_costs: Pairs<Pairs<ModelCost>>;
        /// The names of keys (`auth.keys`) whose callers may say what a request costs, in place of every price, with the header
        /// `cf-aig-custom-cost`; `"*"` for everybody who may call. Whoever may can lower its own bill.
        custom_costs: Vec<Spanned<String>>;
        /// Whether callers are not charged for answers without a token and without a reason to have ended, and for those that
        /// ended in an error, though the provider may ask for them.
        zero_completion_insurance: bool, default "false";
    }
    planned: [
        planned("budgets", &Shape::List(&Shape::Section(&cost::BUDGET)), "What may be spent.").off(Off::Disabled),
        planned("alerts", &Shape::List(&Shape::Section(&cost::COST_ALERT)), "When somebody is to be told.")
            .off(Off::Disabled),
        planned("auto_throttle", &Shape::Section(&cost::AUTO_THROTTLE), "Serving less when a budget runs out.")
            .off(Off::Switch),
    ]
}

section! {
    /// What a model costs, in dollars for each token or request. What is left out keeps its proportion to what is given.
    ModelCost {
        /// A token of the prompt.
        input_token_cost: PerOne;
        /// A token of the answer.
        output_token_cost: PerOne;
        /// A prompt token read from the provider's cache.
        cached_input_token_cost: PerOne;
        /// A prompt token written to the provider's cache.
        cache_write_token_cost: PerOne;
        /// An answer token spent on reasoning.
        reasoning_token_cost: PerOne;
        /// A picture that is made.
        image_cost: PerOne;
        /// A request for itself.
        request_cost: PerOne;
        /// A search of the web.
        search_cost: PerOne;
    }
}

section! {
    /// Models and prices that are newer than the ones built in.
    Catalog {
        /// A file of models (`[[model]]` in TOML, each with its `provider`). A change in it is a reload.
        file: PathBuf;
        /// An `https://` address of such a file.
        url: BaseUrl;
        /// How often the address is asked.
        refresh: Duration, default "24h";
    }
}

section! {
    /// A model with what is said of it in place of what the catalogue knows.
    DescribedModel {
        /// Its name at the provider.
        name: ModelName, required;
        /// Dollars for a million tokens (`input`, `cached_input`, `cache_write`, `cache_write_1h`, `output`, `reasoning`,
        /// `audio_input`, `audio_output`, `image_input`, `image_output`) or characters (`character`), else for one
        /// (`image`, `second`, `request`, `search`); `40%` is a share of `input`.
        price: Pairs<PriceText>;
        /// Tokens that prompt and answer may have.
        context: Count;
        /// Tokens that an answer may have.
        output_max: Count;
        /// What it reads: `text`, `image`, `pdf`, `audio`, `video`.
        input: Vec<Spanned<String>>;
        /// What it can do: `tools`, `reasoning`, `structured_output` and the other words of the catalogue.
        can: Vec<Spanned<String>>;
    }
}

/// The currencies of prices.
#[derive(Clone, Copy)]
pub(crate) enum Currency {
    /// US dollars.
    Usd,
}

choices! {
    Currency {
        "USD" => Currency::Usd, "US dollars.";
    }
}

/// Dollars for one token, picture, request: read exactly.
#[derive(Clone, Copy)]
pub(crate) struct PerOne(pub(crate) Rate);

impl Scalar for PerOne {
    const NAME: &'static str = "a number of dollars";
    const JSON: Json = Json::Number;

    fn parse(text: &str) -> Result<Self, Fault> {
        let fault =
            |error: gw_core::money::DecimalError| Fault::new(error.to_string(), "write a decimal such as 0.00003");
        Rate::per_unit(text).map(Self).map_err(fault)
    }
}

/// A price, or a share of the input's.
pub(crate) struct PriceText(pub(crate) String);

impl Scalar for PriceText {
    const NAME: &'static str = "a price";
    const JSON: Json = Json::NumberOr("^[0-9.]+ *%?$");

    fn parse(text: &str) -> Result<Self, Fault> {
        let number = text.strip_suffix('%').map_or(text, str::trim_end);
        match Rate::per_million(number) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(Fault::new(error.to_string(), "write a decimal such as 2.5, or a share such as 40%")),
        }
    }
}

/// A model that a provider serves: its name, or more.
pub(crate) enum ListedModel {
    /// Its name.
    Named(ModelName),
    /// What is said of it.
    Described(DescribedModel),
}

impl Decode for ListedModel {
    const SHAPE: &'static Shape = &Shape::Either(ModelName::SHAPE, DescribedModel::SHAPE);

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Map(_) => DescribedModel::decode(node, decoder).map(Self::Described),
            Value::Scalar(_) | Value::List(_) => ModelName::decode(node, decoder).map(Self::Named),
        }
    }
}
