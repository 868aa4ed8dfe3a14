//! Environments beside the one in force: which are read, and what of them counts.

use std::path::Path;

use gw_config::config::{Config, Profile};
use gw_config::{Environment, LoadOptions, Loaded, load_str};

fn load(text: &str, in_force: Option<&str>) -> Result<Loaded, String> {
    let options =
        LoadOptions { provider_types: &["openai", "ollama"], environment: in_force, ..LoadOptions::default() };
    let variables = Environment::empty().with_variable("KEY", "sk-gateway-0123456789").with_variable("PROD", "sk-prod");
    load_str(text, Path::new("c.yaml"), &variables, &options).map_err(|wrong| wrong.to_string())
}

/// Names of the environments beside the one in force, with their providers.
fn beside(config: &Config) -> Vec<(String, Vec<&str>)> {
    let all = config.environments.beside.iter();
    let names = |one: &'_ Config| one.environment.clone().unwrap_or_default();
    all.map(|one| (names(one), one.providers.iter().map(|provider| provider.name.value.as_str()).collect())).collect()
}

const FILE: &str = "environment: development
auth: { mode: required, keys: [{ name: app, key: \"${KEY}\" KEYS }] }
providers: [{ name: shared, type: ollama }]
environments:
  development: { aliases: { cheap: shared/m } }
  production:
    profile: server
    listen: \"127.0.0.1:9999\"
    auth: { keys: [{ name: other, key: \"${NOT_SET}\" }] }
    providers: [{ name: prod, type: openai, api_key: \"${PROD}\" }]
  staging: { providers: [{ name: stage, type: openai, api_key: \"${NOT_SET}\" }] }
";

#[test]
fn only_environments_that_keys_name_are_read() {
    let config = load(&FILE.replace(" KEYS", ""), None).unwrap().config;
    assert_eq!(beside(&config), []);
    let config = load(&FILE.replace("KEYS", ", environment: production"), None).unwrap().config;
    assert_eq!(beside(&config), [("production".to_owned(), vec!["prod"])]);
    assert_eq!(config.auth.keys[0].environments[0].value, "production");
    let config = load(&FILE.replace("KEYS", ", environments: [development]"), None).unwrap().config;
    assert_eq!(beside(&config), [], "it is in force");
    let wrong = load(&FILE.replace("KEYS", ", environments: [staging]"), None).err().unwrap();
    assert!(wrong.contains("c.yaml:11:") && wrong.contains("NOT_SET") && wrong.contains("1 mistake"), "{wrong}");
}

#[test]
fn what_is_the_processs_own_is_that_of_the_environment_in_force() {
    let config = load(&FILE.replace("KEYS", ", environment: production"), None).unwrap().config;
    let production = &config.environments.beside[0];
    assert_eq!((production.profile, &production.listen), (Profile::Local, &config.listen));
    assert_eq!(production.auth.keys[0].name.value, "app");
    assert!(production.routes.is_empty(), "the aliases are those of development");
}

#[test]
fn on_a_laptop_that_asks_for_no_key_all_are_read_that_can_be() {
    let config = load(&FILE.replace(" KEYS", "").replace("required", "optional"), None).unwrap().config;
    assert_eq!(beside(&config), [("production".to_owned(), vec!["prod"])]);
}

#[test]
fn a_keys_environment_must_be_there() {
    let wrong = load(&FILE.replace("KEYS", ", environment: produktion"), None).err().unwrap();
    assert!(wrong.contains("c.yaml:2:") && wrong.contains("did you mean \"production\"?"), "{wrong}");
}

#[test]
fn an_environment_that_is_not_in_force_may_go_around_the_proxy_too() {
    let text = "environment: a\nenvironments: { a: {}, b: { providers: [{ type: openai, proxy: direct }] } }";
    assert!(load(text, None).is_ok());
}
