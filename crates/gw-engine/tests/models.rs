//! What the names of models stand for, from a configuration to a choice.
#![expect(clippy::panic, reason = "tests fail by panicking")]

use gw_config::config::{Config, Provider, Route, RouteNode, Spanned, Target};
use gw_config::diagnostic::Place;
use gw_config::secret::Secret;
use gw_core::ErrorCode;
use gw_engine::Snapshot;
use gw_engine::models::Target as Resolved;
use gw_engine::routing::standing::Standings;
use gw_engine::snapshot::{Credential, Resources, build};
use gw_engine::trials::Trials;
use gw_http::Origins;
use gw_providers::auth::Authenticators;
use gw_providers::catalog::Catalog;

fn spanned(value: &str) -> Spanned<String> {
    Spanned { value: value.to_owned(), place: Place::nowhere() }
}

fn provider(name: &str, kind: &str, models: &[&str], priority: i64) -> Provider {
    Provider {
        name: spanned(name),
        api_key: Some(Secret::new("sk-provider".to_owned())),
        models: models.iter().map(|model| spanned(model)).collect(),
        priority,
        ..Provider::of_type(kind)
    }
}

fn route(name: &str, provider: Option<&str>, model: Option<&str>) -> Route {
    let target = Target { provider: provider.map(spanned), model: model.map(spanned), ..Target::default() };
    Route { name: spanned(name), node: RouteNode::Target(target), version: None }
}

fn snapshot(config: &Config, environment: &[(&str, &str)]) -> Snapshot {
    let find = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let resources = Resources {
        catalog: Catalog::builtin(),
        origins: &Origins::default(),
        authenticators: &Authenticators::default(),
        standings: &Standings::default(),
        trials: &Trials::default(),
        update: None,
        guard: None,
        variable: &find,
    };
    build(config, &resources, 1).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn shown(target: &Resolved) -> String {
    format!("{} {}", target.choice.provider.name, target.choice.model)
}

/// `provider model` of the first choice, or the code of the error.
fn resolved(snapshot: &Snapshot, requested: Option<&str>, prefer: Option<&str>) -> String {
    match snapshot.models.resolve(requested, prefer) {
        Ok(tree) => shown(tree.targets()[0]),
        Err(error) => error.code.name().to_owned(),
    }
}

fn company() -> Config {
    let azure = Provider {
        endpoint: Some(spanned("https://example.openai.azure.com")),
        ..provider("secondary", "azure-openai", &["gpt-4", "gpt-4o-mini"], 1)
    };
    Config {
        providers: vec![
            azure,
            provider("primary", "openai", &["gpt-4", "gpt-4o", "vendor/with-slash"], 2),
            provider("groq", "groq", &[], 0),
            provider("mistral", "mistral", &[], 0),
            provider("aggregator", "openrouter", &["deepseek/deepseek-chat"], 0),
        ],
        routes: vec![
            route("fast", Some("primary"), Some("gpt-4o")),
            route("by-type", Some("openai"), None),
            route("renamed", None, Some("gpt-4")),
            route("gpt-4o-mini", Some("primary"), Some("gpt-4o")),
        ],
        ..Config::local()
    }
}

#[test]
fn a_name_is_a_route_then_a_listed_model_then_a_providers_then_the_catalogues() {
    let snapshot = snapshot(&company(), &[]);
    for (requested, prefer, expected) in [
        ("fast", None, "primary gpt-4o"),
        ("by-type", None, "primary by-type"),
        ("renamed", None, "secondary gpt-4"),
        // A route hides a model of the same name.
        ("gpt-4o-mini", None, "primary gpt-4o"),
        // Of two that list it, the lower priority comes first, unless the request prefers another.
        ("gpt-4", None, "secondary gpt-4"),
        ("gpt-4", Some("primary"), "primary gpt-4"),
        ("gpt-4", Some("openai"), "primary gpt-4"),
        ("gpt-4", Some("nobody"), "secondary gpt-4"),
        // What a provider lists is found as it stands, slashes included.
        ("deepseek/deepseek-chat", None, "aggregator deepseek/deepseek-chat"),
        ("vendor/with-slash", None, "primary vendor/with-slash"),
        // By the provider's name, then by its type and the type's aliases.
        ("primary/gpt-4o", None, "primary gpt-4o"),
        ("openai/gpt-4o", None, "primary gpt-4o"),
        ("azure/gpt-4", None, "secondary gpt-4"),
        ("groq/anything-at-all", None, "groq anything-at-all"),
        ("groq/org/model", None, "groq org/model"),
        // A provider with a list serves nothing else.
        ("primary/gpt-3.5-turbo", None, "model_not_found"),
        ("openai/gpt-5", None, "model_not_found"),
        // By the catalogue, for those without a list.
        ("codestral-latest", None, "mistral codestral-latest"),
        ("sandbox/echo", None, "sandbox echo"),
        ("sandbox/no-such-model", None, "model_not_found"),
        ("nobody/model", None, "model_not_found"),
        ("groq/", None, "model_not_found"),
        ("no-such-model", None, "model_not_found"),
    ] {
        assert_eq!(resolved(&snapshot, Some(requested), prefer), expected, "{requested} {prefer:?}");
    }
}

#[test]
fn everybody_who_serves_a_model_is_tried_in_the_order_of_priorities() {
    let snapshot = snapshot(&company(), &[]);
    let all = |requested, prefer| -> Vec<String> {
        snapshot.models.resolve(Some(requested), prefer).ok().unwrap().targets().into_iter().map(shown).collect()
    };
    assert_eq!(all("gpt-4", None), ["secondary gpt-4", "primary gpt-4"]);
    assert_eq!(all("gpt-4", Some("primary")), ["primary gpt-4", "secondary gpt-4"]);
    assert_eq!(all("renamed", None), ["secondary gpt-4", "primary gpt-4"]);
    assert_eq!(all("primary/gpt-4", None), ["primary gpt-4"], "who names a provider gets that one");
}

#[test]
fn openrouters_names_of_models_mean_their_makers_or_else_openrouter_itself() {
    let config = Config {
        providers: vec![
            provider("anthropic", "anthropic", &[], 0),
            provider("x", "xai", &[], 0),
            provider("google", "gemini", &[], 0),
            provider("mistral", "mistral", &[], 0),
            provider("router", "openrouter", &[], 0),
        ],
        ..Config::local()
    };
    let snapshot = snapshot(&config, &[]);
    for (requested, expected) in [
        ("anthropic/claude-sonnet-4.5", "anthropic claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4-5", "anthropic claude-sonnet-4-5"),
        ("anthropic/claude-unheard-9.9", "anthropic claude-unheard-9.9"),
        ("google/gemini-2.5-pro", "google gemini-2.5-pro"),
        ("x-ai/grok-4", "x grok-4"),
        ("mistralai/mistral-large-latest", "mistral mistral-large-latest"),
        // Nobody else serves these.
        ("meta-llama/llama-3.3-70b-instruct:free", "router meta-llama/llama-3.3-70b-instruct:free"),
        ("openai/gpt-4o", "router openai/gpt-4o"),
        ("no-such-model", "model_not_found"),
    ] {
        assert_eq!(resolved(&snapshot, Some(requested), None), expected, "{requested}");
    }
}

#[test]
fn a_request_without_a_model_needs_a_configuration_that_supplies_one() {
    let mut config = company();
    assert_eq!(resolved(&snapshot(&config, &[]), None, None), "model_required");
    config.default_route = Some(0);
    let with_default = snapshot(&config, &[]);
    assert_eq!(resolved(&with_default, None, None), "primary gpt-4o");
    assert_eq!(resolved(&with_default, Some("gpt-4"), None), "secondary gpt-4");
    config.default_route_overrides = true;
    assert_eq!(resolved(&snapshot(&config, &[]), Some("gpt-4"), None), "primary gpt-4o");
}

#[test]
fn an_unknown_model_is_answered_with_near_matches_and_no_control_characters() {
    let snapshot = snapshot(&company(), &[]);
    let error = snapshot.models.resolve(Some("gpt4o"), None).err().unwrap();
    assert_eq!(error.code, ErrorCode::ModelNotFound);
    assert!(error.message.contains("did you mean") && error.message.contains("\"gpt-4o\""), "{error}");
    let error = snapshot.models.resolve(Some("x\u{1b}[31m\"y"), None).err().unwrap();
    assert!(!error.message.contains('\u{1b}'), "{error}");
}

#[test]
fn without_configured_providers_those_with_a_key_in_the_environment_are_found() {
    let snapshot = snapshot(&Config::local(), &[("OPENAI_API_KEY", "sk-x"), ("GROQ_API_KEY", "gsk-x")]);
    assert_eq!(resolved(&snapshot, Some("gpt-4o"), None), "openai gpt-4o");
    assert_eq!(resolved(&snapshot, Some("groq/whatever"), None), "groq whatever");
    // Known, but without a key: only a request that names the provider may bring its own.
    assert_eq!(resolved(&snapshot, Some("mistral-large-latest"), None), "provider_credential_missing");
    let named = snapshot.models.resolve(Some("mistral/mistral-large-latest"), None).ok().unwrap();
    let choice = &named.targets()[0].choice;
    assert_eq!((choice.provider.credential, choice.provider_named), (Credential::Missing, true));
}

#[test]
fn a_key_in_the_environment_does_not_go_to_a_place_that_the_configuration_names() {
    let elsewhere = Provider {
        endpoint: Some(spanned("https://example.com/v1")),
        api_key: None,
        ..provider("elsewhere", "openai", &[], 0)
    };
    let config = Config { providers: vec![elsewhere], ..Config::local() };
    let snapshot = snapshot(&config, &[("OPENAI_API_KEY", "sk-x")]);
    let elsewhere = &snapshot.providers()[0];
    assert_eq!(elsewhere.credential, Credential::Missing);
    assert!(elsewhere.headers.is_empty());
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let mut config = company();
    config.routes.push(route("one", Some("nobody"), None));
    config.routes.push(route("two", Some("no-one"), None));
    config.providers.push(Provider { api_key: None, ..provider("placeless", "openai-compatible", &[], 0) });
    let resources = Resources {
        catalog: Catalog::builtin(),
        origins: &Origins::default(),
        authenticators: &Authenticators::default(),
        standings: &Standings::default(),
        trials: &Trials::default(),
        update: None,
        guard: None,
        variable: &|_| None,
    };
    let wrong = build(&config, &resources, 1).err().unwrap().to_string();
    for part in ["\"nobody\"", "\"no-one\"", "openai-compatible", "3 mistakes"] {
        assert!(wrong.contains(part), "{part}: {wrong}");
    }
}

#[test]
fn the_list_names_what_can_be_asked_for_and_nothing_else() {
    let listed = snapshot(&company(), &[]).models.list();
    let names: Vec<_> = listed.iter().map(|listed| listed.name.as_str()).collect();
    for name in ["fast", "gpt-4", "deepseek/deepseek-chat", "mistral/codestral-latest", "sandbox/echo"] {
        assert!(names.contains(&name), "{name}");
    }
    let snapshot = snapshot(&company(), &[]);
    for name in names {
        assert!(snapshot.models.resolve(Some(name), None).is_ok(), "{name}");
    }
}
