//! Who serves a model by its name, in which order, who stands in, and what is told of those who never will.
#![expect(clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use gw_config::{Environment, LoadOptions, load_str};
use gw_engine::Snapshot;
use gw_engine::routing::standing::Standings;
use gw_engine::snapshot::{Resources, build};
use gw_engine::trials::Trials;
use gw_http::Origins;
use gw_providers::auth::Authenticators;
use gw_providers::catalog::Catalog;

type Variables<'a> = &'a [(&'a str, &'a str)];

fn built(text: &str, variables: Variables<'_>) -> Result<Snapshot, String> {
    let catalog = Catalog::builtin();
    let types = catalog.names();
    let options = LoadOptions { provider_types: &types, ..LoadOptions::default() };
    let loaded = load_str(text, Path::new("c.yaml"), &Environment::empty(), &options);
    let loaded = loaded.unwrap_or_else(|wrong| panic!("{wrong}"));
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let resources = Resources {
        catalog,
        origins: &Origins::default(),
        authenticators: &Authenticators::default(),
        standings: &Standings::default(),
        trials: &Trials::default(),
        update: None,
        guard: None,
        variable: &find,
    };
    build(&loaded.config, &resources, 1).map_err(|wrong| wrong.to_string())
}

fn snapshot(text: &str) -> Snapshot {
    built(text, &[]).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// `provider model` of each target, in their order.
fn plan(snapshot: &Snapshot, model: &str) -> Vec<String> {
    let tree = snapshot.models.resolve_with_stand_ins(Some(model), None).unwrap_or_else(|error| panic!("{error}"));
    let shown = |target: &gw_engine::models::Target| format!("{} {}", target.choice.provider.name, target.choice.model);
    tree.targets().into_iter().map(shown).collect()
}

#[test]
fn who_lists_a_model_does_not_hide_who_is_known_for_it() {
    let text = "providers:
- { name: first, type: openai, api_key: sk-one, priority: 1 }
- { name: second, type: openai, api_key: sk-two, priority: 2, models: [gpt-4o-mini] }
- { name: groq, api_key: sk-three }
";
    let snapshot = snapshot(text);
    assert_eq!(plan(&snapshot, "gpt-4o-mini"), ["first gpt-4o-mini", "second gpt-4o-mini"]);
    assert_eq!(plan(&snapshot, "gpt-4o"), ["first gpt-4o"]);
}

#[test]
fn of_two_with_the_same_priority_comes_first_who_lists_the_model_and_then_who_stands_first() {
    let text = "providers:
- { name: known, type: openai, api_key: sk-one }
- { name: b, type: openai-compatible, endpoint: \"https://b.example\", models: [gpt-4o], api_key: sk-two }
- { name: a, type: openai-compatible, endpoint: \"https://a.example\", models: [gpt-4o], api_key: sk-two }
- { name: any, type: openai-compatible, endpoint: \"https://any.example\", api_key: sk-two }
";
    let snapshot = snapshot(text);
    assert_eq!(plan(&snapshot, "gpt-4o"), ["b gpt-4o", "a gpt-4o", "known gpt-4o"]);
    assert!(snapshot.models.resolve(Some("my-own-model"), None).is_err(), "who lists nothing is named to be asked");
    assert_eq!(plan(&snapshot, "any/my-own-model"), ["any my-own-model"]);
}

/// Three providers in an order, as operators write them.
const RANKED: &str = "providers:
- { name: openai-primary, type: openai, api_key: sk-one, priority: 1 }
- { name: azure-openai-secondary, type: azure-openai, endpoint: \"https://x.openai.azure.com\", api_key: k, priority: 2 }
- { name: fallback, type: groq, api_key: sk-three, priority: 3, models: [llama-3.3-70b-versatile] }
- { name: unranked, type: groq, api_key: sk-four, models: [llama-3.1-8b-instant] }
routing: { strategy: priority, fallback_enabled: true ROUTING }
";

#[test]
fn written_priorities_are_an_order_of_fallbacks_over_deployments_to_other_models() {
    let snapshot = snapshot(&RANKED.replace(" ROUTING", ""));
    let wanted = ["openai-primary gpt-4", "azure-openai-secondary gpt-4", "fallback llama-3.3-70b-versatile"];
    assert_eq!(plan(&snapshot, "gpt-4"), wanted);
    // Nobody stands in for a model that comes after it, and nobody where the request names its provider.
    assert_eq!(plan(&snapshot, "llama-3.3-70b-versatile"), ["fallback llama-3.3-70b-versatile"]);
    assert_eq!(plan(&snapshot, "openai-primary/gpt-4"), ["openai-primary gpt-4"]);
    let told = snapshot.warnings.join("\n");
    assert!(told.contains("c.yaml:4:") && told.contains("routing.fallback_to_other_models"), "{told}");
    assert!(
        snapshot.models.resolve(Some("gpt-4"), None).ok().unwrap().targets().len() == 2,
        "not for other operations"
    );
}

#[test]
fn whether_other_models_stand_in_is_the_operators_to_say() {
    let asked = |text: &str| {
        let snapshot = snapshot(text);
        (plan(&snapshot, "gpt-4").len(), snapshot.warnings.join("\n"))
    };
    let (targets, told) = asked(&RANKED.replace("ROUTING", ", fallback_to_other_models: true"));
    assert_eq!((targets, told.as_str()), (3, ""));
    let (targets, told) = asked(&RANKED.replace("ROUTING", ", fallback_to_other_models: false"));
    assert_eq!(targets, 2);
    assert!(told.contains("\"fallback\" has a priority and is never a fallback"), "{told}");
    let (targets, _) = asked(&RANKED.replace("strategy: priority, ", "").replace("ROUTING", ""));
    assert_eq!(targets, 2, "nobody wrote that priorities count");
    let (targets, _) = asked(&RANKED.replace("enabled: true ROUTING", "enabled: false"));
    assert_eq!(targets, 2, "there are no fallbacks");
}

#[test]
fn a_deployment_is_guessed_only_where_the_operator_gave_it_a_priority() {
    let snapshot = snapshot(&RANKED.replace(" ROUTING", "").replace("api_key: k, priority: 2", "api_key: k"));
    assert!(!plan(&snapshot, "gpt-4").iter().any(|target| target.starts_with("azure")));
    // Which the catalogue knows to be usual there.
    assert_eq!(plan(&snapshot, "gpt-4o")[0], "azure-openai-secondary gpt-4o");
}

#[test]
fn a_provider_that_could_not_be_made_is_told_of_once() {
    let text = "providers:
- { name: watsonx, type: watsonx, api_key: k }
- { name: openai, api_key: sk-one }
routes: [{ name: chat, targets: [{ provider: watsonx, model: ibm/granite }, { provider: openai, model: gpt-4o }] }]
routing: { rules: [{ name: r, condition: { batch_size: \">1\" }, providers: [watsonx] }] }
";
    let wrong = built(text, &[]).err().unwrap();
    assert!(wrong.contains("1 mistake") && !wrong.contains("has the name or type"), "{wrong}");
}

#[test]
fn azures_endpoint_is_found_where_its_sdk_looks_for_it() {
    let variables = [("AZURE_OPENAI_API_KEY", "key"), ("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com/")];
    let found = built("providers: [{ name: azure, models: [gpt-4] }]", &variables).unwrap();
    let provider = &found.providers()[0];
    assert!(provider.is_usable());
    let gw_providers::attempt::Destination::Origin(origin) = &provider.destination else { panic!("it is no sandbox") };
    assert_eq!(origin.settings.host, "mine.openai.azure.com");
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    let named = built("providers: [{ name: azure, models: [gpt-4], variables: { resource: other } }]", &variables);
    let named = named.unwrap();
    let gw_providers::attempt::Destination::Origin(origin) = &named.providers()[0].destination else { panic!() };
    assert_eq!(origin.settings.host, "other.openai.azure.com", "what the file says counts");
    let local = built("{}", &variables).unwrap();
    assert!(local.providers().iter().any(|provider| &*provider.name == "azure-openai"));
}

#[test]
fn what_will_hardly_do_what_it_looks_like_is_told_with_its_line() {
    for (text, wanted) in [
        (
            "providers: [{ name: a, type: openai, endpoint: \"https://a.example/v1\" }]",
            "is not sent to an \"endpoint\"",
        ),
        ("providers: [{ name: a, type: openai }]", "set OPENAI_API_KEY"),
        ("auth: { mode: passthrough }\nproviders: [{ name: a, type: openai }]", ""),
        ("providers: [{ name: a, type: ollama, models: [m] }]", ""),
        (
            "providers:\n- { name: a, type: openai, api_key: k, priority: 1 }\n\
             - { name: b, type: openai-compatible, endpoint: \"https://b.example\", api_key: k, priority: 2 }",
            "write in \"models\" which it serves",
        ),
        (
            "providers:\n- { name: a, type: openai, api_key: k, priority: 1 }\n\
             - { name: b, type: ollama, priority: 2, models: [m] }\n\
             routes: [{ name: r, targets: [{ provider: a, model: gpt-4o }, { provider: b, model: m }] }]",
            "",
        ),
        (
            "providers:\n- { name: a, type: openai, api_key: k }\n- { name: b, type: ollama, models: [m] }\n\
             canary: { rollouts: [{ name: next, provider: b, traffic_percentage: 5, duration: 1h }] }",
            "the rollout \"next\" gets no request: nobody else serves",
        ),
        (
            "providers:\n- { name: a, type: openai, api_key: k }\n- { name: b, type: ollama, models: [m] }\n\
             canary: { rollouts: [{ name: next, provider: b, model: n, traffic_percentage: 5, duration: 1h }] }",
            "does not list \"n\"",
        ),
        (
            "providers:\n- { name: a, type: openai, api_key: k }\n- { name: b, type: ollama, models: [gpt-4o] }\n\
             canary: { rollouts: [{ name: next, provider: b, traffic_percentage: 5, duration: 1h }] }",
            "",
        ),
    ] {
        let told = snapshot(text).warnings.join("\n");
        match wanted {
            "" => assert_eq!(told, "", "{text}"),
            wanted => assert!(told.contains(wanted) && told.contains("c.yaml:"), "{text}: {told}"),
        }
    }
}
