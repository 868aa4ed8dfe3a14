//! What a model costs at a provider, from a configuration to a price.
#![expect(clippy::panic, reason = "tests fail by panicking")]

use gw_config::config::{Config, Provider, Spanned};
use gw_config::diagnostic::Place;
use gw_config::secret::Secret;
use gw_core::{Dimension, Rate};
use gw_engine::snapshot::{Resources, build};
use gw_http::Origins;
use gw_providers::auth::Authenticators;
use gw_providers::catalog::Catalog;

/// What a token of a prompt costs at OpenAI's, asked there.
fn input_rate(model: &str, endpoint: Option<&str>) -> Option<Rate> {
    let endpoint = endpoint.map(|value| Spanned { value: value.to_owned(), place: Place::nowhere() });
    let api_key = Some(Secret::new("sk-provider".to_owned()));
    let openai = Provider { api_key, endpoint, ..Provider::of_type("openai") };
    let config = Config { providers: vec![openai], ..Config::local() };
    let resources = Resources {
        catalog: Catalog::builtin(),
        origins: &Origins::default(),
        authenticators: &Authenticators::default(),
        standings: &gw_engine::routing::standing::Standings::default(),
        trials: &gw_engine::trials::Trials::default(),
        guard: None,
        update: None,
        variable: &|_| None,
    };
    let snapshot = build(&config, &resources, 1).unwrap_or_else(|wrong| panic!("{wrong}"));
    snapshot.pricing.price(&snapshot.providers()[0], model).rates.get(Dimension::Input)
}

#[test]
fn a_model_costs_more_where_its_maker_asks_more_for_a_region() {
    let usual = input_rate("gpt-6-astra-law", None).unwrap();
    for endpoint in ["https://eu.api.openai.com/v1", "https://us.api.openai.com/v1"] {
        assert_eq!(input_rate("gpt-6-astra-law", Some(endpoint)), Some(usual.hundredths(110)), "{endpoint}");
        assert_eq!(input_rate("gpt-4o", Some(endpoint)), input_rate("gpt-4o", None), "{endpoint}");
    }
    // A proxy on the way, and a name that only looks like it.
    for endpoint in ["https://proxy.example.com/v1", "https://xeu.api.openai.com/v1"] {
        assert_eq!(input_rate("gpt-6-astra-law", Some(endpoint)), Some(usual), "{endpoint}");
    }
}
