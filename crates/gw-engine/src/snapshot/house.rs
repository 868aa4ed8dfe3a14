//! What of a configured provider holds for callers who bring keys of their own for it: where it is and what is peculiar
//! to it, and nothing that shows who its operator is.

use std::collections::HashMap;

use gw_config::config::{self, ProviderTls, Spanned};
use gw_config::diagnostic::Place;

use super::build::{Resources, SANDBOX};

/// Variables of addresses that name an account, which is the operator's own.
const ACCOUNTS: [&str; 2] = ["project", "account_id"];
/// What is vouched for of an account, and not of a provider.
const OF_ACCOUNTS: [&str; 3] = ["zdr", "no-training", "no-data-collection"];

/// The configured providers as callers' keys find them, by name.
pub(super) fn houses(providers: &[config::Provider], resources: &Resources<'_>) -> HashMap<Box<str>, config::Provider> {
    let places = providers.iter().filter(|provider| provider.kind.value != SANDBOX);
    places.map(|provider| (Box::from(provider.name.value.as_str()), house(provider, resources))).collect()
}

/// A provider without its operator: no credential, no headers (there may be secrets among them), no client certificate,
/// no account. How often it is asked, and which models it serves, is about the operator's account, too.
fn house(provider: &config::Provider, resources: &Resources<'_>) -> config::Provider {
    let variables = resources.catalog.get(&provider.kind.value).map(|entry| &entry.variables);
    let spanned = |value: String| Spanned { value, place: Place::nowhere() };
    let variables = variables.into_iter().flatten().filter(|(name, _)| !ACCOUNTS.contains(&name.as_str()));
    let value_of = |(name, variable): (&String, &gw_providers::catalog::Variable)| {
        let written = provider.variables.iter().find(|(known, _)| known.value == *name);
        let value = written.map(|(_, value)| value.value.clone()).or_else(|| (resources.variable)(&variable.env))?;
        Some((spanned(name.clone()), spanned(value)))
    };
    let is_of_provider = |assurance: &&String| !OF_ACCOUNTS.contains(&assurance.as_str());
    config::Provider {
        api_key: None,
        credentials: Vec::new(),
        headers: Vec::new(),
        tls: ProviderTls { ca: provider.tls.ca.clone(), certificate: None, key: None },
        variables: variables.filter_map(value_of).collect(),
        models: Vec::new(),
        passthrough: None,
        routing: config::ProviderRouting { cap: None, ..provider.routing.clone() },
        assurances: provider.assurances.iter().filter(is_of_provider).cloned().collect(),
        ..provider.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use gw_config::secret::Secret;
    use gw_http::Origins;
    use gw_policy::rate::Cap;
    use gw_providers::auth::Authenticators;
    use gw_providers::catalog::Catalog;

    use super::*;
    use crate::routing::standing::Standings;
    use crate::trials::Trials;

    #[test]
    fn nothing_that_shows_who_the_operator_is_is_left() {
        let spanned = |value: &str| Spanned { value: value.to_owned(), place: Place::nowhere() };
        let secret = || Secret::new("operators-secret".to_owned());
        let configured = config::Provider {
            name: spanned("primary"),
            endpoint: Some(spanned("https://llm.example/v1")),
            api_key: Some(secret()),
            credentials: vec![(spanned("private_key"), secret())],
            headers: vec![(spanned("x-internal-token"), secret())],
            variables: ["project", "project_id"].map(|name| (spanned(name), spanned("operators-secret"))).into(),
            tls: ProviderTls {
                ca: Some(PathBuf::from("ca.pem")),
                certificate: Some(PathBuf::from("operators-secret")),
                key: Some(PathBuf::from("operators-secret")),
            },
            routing: config::ProviderRouting {
                cap: Some(Cap { calls: 1, per: Duration::from_secs(60) }),
                ..Default::default()
            },
            assurances: ["zdr", "headquarters:US"].map(str::to_owned).into(),
            ..config::Provider::of_type("vertex")
        };
        let resources = Resources {
            catalog: Catalog::builtin(),
            origins: &Origins::default(),
            authenticators: &Authenticators::default(),
            standings: &Standings::default(),
            trials: &Trials::default(),
            update: None,
            guard: None,
            variable: &|name| (name == "GOOGLE_CLOUD_LOCATION").then(|| "us-east5".to_owned()),
        };
        let found = houses(&[configured, config::Provider::of_type("sandbox")], &resources);
        assert_eq!(found.len(), 1, "the sandbox takes no keys");
        let house = &found["primary"];
        let told: Vec<_> =
            house.variables.iter().map(|(name, value)| (name.value.as_str(), value.value.as_str())).collect();
        assert_eq!(told, [("region", "us-east5")], "where it is, from the environment, too");
        assert_eq!(house.endpoint.as_ref().map(|endpoint| endpoint.value.as_str()), Some("https://llm.example/v1"));
        assert!(house.api_key.is_none() && house.credentials.is_empty() && house.headers.is_empty());
        assert_eq!(house.tls, ProviderTls { ca: Some(PathBuf::from("ca.pem")), ..ProviderTls::default() });
        assert_eq!((house.routing.cap, &house.assurances[..]), (None, &["headquarters:US".to_owned()][..]));
    }
}
