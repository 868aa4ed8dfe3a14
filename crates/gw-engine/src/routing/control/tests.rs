use gw_dialects::DialectId;
use gw_dialects::request;
use gw_policy::balance::Balance;
use gw_policy::credentials::CredentialOrder;
use gw_policy::plan::Node;
use http::{HeaderName, HeaderValue};

use super::wish::{Need, RetryWish, Wanted};
use super::*;

/// What a request with these headers and this body wishes.
fn wish(headers: &[(&str, &str)], body: &str) -> Result<Wish, Error> {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.replace('\n', " ").as_bytes()).unwrap())
    };
    let headers: HeaderMap = headers.iter().map(pair).collect();
    let body = Bytes::from(body.to_owned());
    let head = request::scan(DialectId::OpenAiChat, &body).unwrap();
    let asked = Asked {
        headers: &headers,
        head: &head,
        body: &body,
        foreign_key: Some("sk-bearer"),
        provider: None,
        own_key: None,
        presets: &Presets::default(),
    };
    read(&asked)
}

fn in_body(body: &str) -> Wish {
    wish(&[], body).unwrap()
}

fn in_header(name: &str, value: &str) -> Wish {
    wish(&[(name, value)], "{}").unwrap()
}

/// `provider*` for each target, with a star where the caller's own key is used.
fn shown(node: &Node<Wanted>) -> String {
    let one = |wanted: &&Wanted| {
        let own = if wanted.own.is_some() { "*" } else { "" };
        format!("{}{own}", wanted.provider.as_deref().unwrap_or("any"))
    };
    node.targets().iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_header_that_is_read_is_told_from_others_by_its_first_bytes() {
    for prefix in READERS.iter().flat_map(|reader| reader.headers) {
        assert!(may_be_ours(prefix), "{prefix}");
    }
    for name in ["accept", "x-api-key", "x-stainless-lang", "user-agent", "cf-connecting-ip", "x-request-id"] {
        assert!(readers_of(name).next().is_none(), "{name}");
    }
}

#[test]
fn openrouters_members_say_whom_to_ask() {
    let wish = in_body(
        r#"{"models":["a","b"],"route":"fallback","provider":{"order":["x"],"only":["x","y"],"ignore":["z"],
            "allow_fallbacks":false,"require_parameters":true,"sort":{"by":"price","partition":"none"},
            "data_collection":"deny","quantizations":["fp8","fp4"],"max_price":{"prompt":1,"completion":"2.5"},"new":1}}"#,
    );
    assert_eq!(wish.models, ["a".into(), "b".into()]);
    assert_eq!((wish.order.len(), wish.only.as_ref().map(Vec::len), wish.ignore.len()), (1, Some(2), 1));
    assert!(wish.no_fallbacks && wish.needs_parameters);
    assert_eq!(wish.sort, Some(Balance::LeastCost));
    assert_eq!(wish.price_max.len(), 2);
    let any = |names: &[&str]| Need::Any(names.iter().map(|name| Box::from(*name)).collect());
    assert_eq!(wish.needs, [any(&["no-data-collection"]), any(&["quantization:fp8", "quantization:fp4"])]);
    let mut wish = wish;
    assert_eq!(wish.take_idle(), ["provider.new"], "what is not known is told");
}

#[test]
fn vercels_member_says_the_same_in_its_words() {
    let wish = in_body(
        r#"{"providerOptions":{"gateway":{"order":["x"],"only":["x"],"models":["b"],"sort":"tps",
            "zeroDataRetention":true,"headquarters":["!CN"]},"openai":{}}}"#,
    );
    assert_eq!((wish.order.len(), wish.models.len(), wish.sort), (1, 1, Some(Balance::Throughput)));
    assert_eq!(wish.needs.len(), 2);
    let told = |names: &[&str]| names.iter().map(|name| std::sync::Arc::from(*name)).collect::<Vec<_>>();
    assert!(wish.needs[1].is_met(&told(&["headquarters:US"]), None));
    assert!(!wish.needs[1].is_met(&told(&["headquarters:CN"]), None));
    assert!(!wish.needs[1].is_met(&told(&["zdr"]), None), "a home that nobody knows is not known to be another");
}

#[test]
fn keys_are_read_in_vercels_shapes_and_in_short() {
    let mut wish = in_body(
        r#"{"providerOptions":{"gateway":{"byok":{
            "bedrock":[{"accessKeyId":"a","secretAccessKey":"s","region":"eu-west-1"}],
            "vertex":[{"project":"p","location":"global","googleCredentials":{"privateKey":"k","clientEmail":"e","new":1}}],
            "azure":[{"apiKey":"k","resourceName":"r","modelMappings":[{"gatewayModelSlug":"m","customModelId":"d"}]}],
            "groq":null},"providerTimeouts":{"byok":{"azure":1500}}}},
            "gateway":{"byok":{"openai":["k1",{"api_key":"k2","assurances":["zdr"]}],"mistral":"k3"}}}"#,
    );
    let named = |own: &wish::Own| {
        let credentials = own.credentials.iter().map(|(name, _)| *name);
        let variables = own.variables.iter().map(|(name, _)| *name);
        own.api_key.iter().map(|_| "key").chain(credentials).chain(variables).collect::<Vec<_>>().join(" ")
    };
    let read: Vec<_> = wish.byok.iter().map(|key| (&*key.provider, named(&key.own))).collect();
    let of = |provider, what: &str| (provider, what.to_owned());
    assert_eq!(
        read,
        [
            of("bedrock", "access_key_id secret_access_key region"),
            of("vertex", "private_key client_email region project"),
            of("azure", "key resource"),
            of("openai", "key"),
            of("openai", "key"),
            of("mistral", "key"),
        ]
    );
    assert_eq!(wish.byok[2].models, [("m".into(), "d".into())]);
    assert_eq!(wish.byok[4].own.assurances, ["zdr".into()]);
    assert_eq!(wish.byok_timeouts, [("azure".into(), std::time::Duration::from_millis(1500))]);
    assert_eq!(wish.credential_order, Some(CredentialOrder::ProviderFirst), "Vercel's form means Vercel's order");
    assert_eq!(wish.take_idle(), ["providerOptions.gateway.byok.vertex[0].googleCredentials.new"]);
    let wish = in_header("x-gateway-config", r#"{"byok":{"openai":"k"},"credential_order":"provider_first"}"#);
    assert_eq!((wish.byok.len(), wish.credential_order), (1, Some(CredentialOrder::ProviderFirst)));
    assert_eq!(in_header("x-gateway-config", r#"{"byok":{"openai":"k"}}"#).credential_order, None);
}

#[test]
fn a_key_goes_where_the_operator_has_the_provider_unless_it_says_where_it_is_good_for() {
    use gw_config::config::{self, Config, Spanned};
    use gw_config::diagnostic::Place;
    use gw_providers::attempt::Destination;

    let spanned = |text: &str| Spanned { value: text.to_owned(), place: Place::nowhere() };
    let house = config::Provider {
        name: spanned("ours"),
        variables: vec![(spanned("resource"), spanned("house"))],
        endpoint: Some(spanned("https://proxy.example/openai")),
        ..config::Provider::of_type("azure-openai")
    };
    let config = Config { providers: vec![house], ..Config::local() };
    let snapshot = snapshot_of(&config);
    let entry = snapshot.models.catalog().get("azure").unwrap();
    let reached = |own: wish::Own| {
        let account = guests::Account { entry, house: snapshot.from_requests.houses.get("ours"), own: &own };
        let made = Guests::default().provider(&snapshot, &Places::default(), account).unwrap();
        let Destination::Origin(origin) = &made.destination else { panic!("a place") };
        (made.name.to_string(), origin.settings.host.clone())
    };
    let own = |resource: Option<&str>, host: Option<&str>| wish::Own {
        api_key: Some(gw_config::secret::Secret::new("sk-own".to_owned())),
        host: host.map(Box::from),
        variables: resource.map(|resource| ("resource", Box::from(resource))).into_iter().collect(),
        ..wish::Own::default()
    };
    let at = |name: &str, host: &str| (name.to_owned(), host.to_owned());
    assert_eq!(reached(own(None, None)), at("ours", "proxy.example"));
    assert_eq!(reached(own(Some("house"), None)), at("ours", "proxy.example"));
    assert_eq!(reached(own(Some("mine"), None)), at("ours", "mine.openai.azure.com"));
    assert_eq!(reached(own(None, Some("https://mine.example/v1"))), at("azure-openai", "mine.example"));
}

#[test]
fn what_openrouter_alone_does_is_told_if_it_says_anything() {
    let wish = in_body(r#"{"transforms":["middle-out"],"plugins":[ ]}"#);
    assert_eq!(wish.openrouters_own, ["transforms"]);
}

#[test]
fn a_member_of_the_wrong_kind_is_a_mistake_that_names_it() {
    for (body, place) in [
        (r#"{"provider":"SECRET"}"#, "`provider`"),
        (r#"{"provider":["SECRET"]}"#, "`provider`"),
        (r#"{"provider":{"order":"SECRET"}}"#, "`provider.order`"),
        (r#"{"provider":{"only":"SECRET"}}"#, "`provider.only`"),
        (r#"{"providerOptions":7}"#, "`providerOptions`"),
        (r#"{"providerOptions":{"gateway":{"order":"SECRET"}}}"#, "`providerOptions.gateway.order`"),
    ] {
        let Err(error) = wish(&[], body) else { panic!("{body} is no mistake") };
        assert_eq!(error.code, ErrorCode::InvalidRequest, "{body}");
        assert!(error.message.contains(place) && !error.message.contains("SECRET"), "{error}");
    }
    assert!(in_body(r#"{"provider":null}"#).order.is_empty());
}

#[test]
fn headers_say_how_often_and_how_long() {
    let headers = [
        ("cf-aig-max-attempts", "3"),
        ("cf-aig-retry-delay", "250"),
        ("cf-aig-backoff", "constant"),
        ("cf-aig-new", "1"),
    ];
    let mut wish = wish(&headers, "{}").unwrap();
    let retry = wish.everywhere.retry.clone().unwrap();
    assert_eq!(
        (retry.retries, retry.delay.map(|delay| delay.as_millis()), retry.multiplier),
        (Some(2), Some(250), Some(1.0))
    );
    assert_eq!(wish.take_idle(), ["cf-aig-new"]);
    let wish = in_header("x-gateway-retry", "4");
    assert_eq!(wish.everywhere.retry, Some(RetryWish { retries: Some(4), ..RetryWish::default() }));
    let wish = in_header("x-portkey-request-timeout", "1500");
    assert_eq!(wish.everywhere.first_byte_timeout.map(|timeout| timeout.as_millis()), Some(1500));
}

#[test]
fn a_request_cannot_try_more_often_or_pause_longer_than_the_bounds() {
    let wanted =
        RetryWish { retries: Some(1_000), delay: Some(std::time::Duration::from_secs(999)), ..RetryWish::default() };
    let retry = wanted.over(&gw_policy::retry::Retry::default());
    assert_eq!((retry.retries, retry.initial_delay.as_secs()), (5, 5));
}

#[test]
fn the_json_form_is_read_with_what_its_targets_inherit() {
    let written = r#"{"retry":{"count":5},"strategy":{"mode":"loadbalance"},"override_params":{"a":1,"b":1},"targets":[
        {"provider":"openai","api_key":"k","weight":0.3,"override_params":{"a":2}},
        {"retry":{"attempts":1},"targets":[{"virtual_key":"house"},{"provider":"@azure","apiKey":"k","deployment_id":"d"}]}]}"#;
    let wish = in_header("x-portkey-config", written);
    let tree = wish.tree.unwrap();
    assert_eq!(shown(&tree), "openai* house azure*");
    let targets = tree.targets();
    let retries: Vec<_> =
        targets.iter().map(|one| one.changes.retry.as_ref().and_then(|retry| retry.retries)).collect();
    assert_eq!(retries, [Some(5), Some(1), Some(1)], "a retry of its own takes the place of the one around it");
    assert_eq!(
        serde_json::Value::Object(targets[0].changes.override_params.clone()),
        serde_json::json!({ "a": 2, "b": 1 })
    );
    let options: Vec<_> = targets.iter().map(|one| &*one.option).collect();
    assert_eq!(options, ["config.targets[0]", "config.targets[1].targets[0]", "config.targets[1].targets[1]"]);
    assert_eq!(targets[2].model.as_deref(), Some("d"));
}

#[test]
fn keys_of_ones_own_may_come_before_shared_ones_in_the_order_that_is_written() {
    // The order of S4-32: the only key of one's own comes first although its provider is the second.
    let written = r#"{"targets":[{"provider":"google-vertex","vertex_region":"us","vertex_service_account_json":
        {"client_email":"e","private_key":"k"}},{"provider":"amazon-bedrock"},{"provider":"google-vertex"}]}"#;
    assert_eq!(
        shown(&in_header("x-gateway-config", written).tree.unwrap()),
        "google-vertex* amazon-bedrock google-vertex"
    );
}

#[test]
fn a_configuration_without_targets_changes_what_the_name_stands_for_and_names_a_provider_with_the_token() {
    let wish = in_header("x-portkey-config", r#"{"request_timeout":9,"override_params":{"temperature":0}}"#);
    assert!(wish.tree.is_none());
    assert_eq!(wish.everywhere.override_params.len(), 1);
    let wish = in_header("x-portkey-provider", "openai");
    let own = wish.provider.unwrap().own.unwrap();
    assert_eq!(own.api_key.unwrap().expose(), "sk-bearer");
}

#[test]
fn mistakes_name_the_place_and_repeat_no_value() {
    let cases = [
        ("x-portkey-config", r#"{"targets":[{"provider":"openai","api_key":["SECRET"]}]}"#, "targets[0].api_key"),
        ("x-portkey-config", r#"{"retry":{"attempts":"SECRET"}}"#, "retry.attempts"),
        ("x-portkey-config", r#"{"strategy":{"mode":"SECRET"},"targets":[{}]}"#, "strategy.mode"),
        ("x-portkey-config", r#"{"targets":[{"provider":"x","custom_host":["SECRET"]}]}"#, "targets[0].custom_host"),
        ("x-gateway-config", "SECRET", "x-gateway-config"),
        ("x-gateway-timeout", "SECRET", "x-gateway-timeout"),
        ("cf-aig-backoff", "SECRET", "cf-aig-backoff"),
    ];
    for (name, value, place) in cases {
        let Err(error) = wish(&[(name, value)], "{}") else { panic!("{value} is no mistake") };
        assert!(error.message.contains(place) && !error.message.contains("SECRET"), "{error}");
    }
}

#[test]
fn targets_are_bounded_in_depth_and_number() {
    let deep = (0..10).fold(r#"{"provider":"openai"}"#.to_owned(), |inner, _| format!(r#"{{"targets":[{inner}]}}"#));
    assert!(wish(&[("x-gateway-config", &deep)], "{}").is_err());
    let many = format!(r#"{{"targets":[{}]}}"#, vec![r#"{"provider":"openai"}"#; 33].join(","));
    assert!(wish(&[("x-gateway-config", &many)], "{}").is_err());
}

#[test]
fn only_what_is_meant_is_taken_out_of_a_body() {
    let stripped = |body: &str, is_openrouters| {
        let body = Bytes::from(body.to_owned());
        let head = request::scan(DialectId::OpenAiChat, &body).unwrap();
        strip(&head, &body, is_openrouters, false, None).map(|body| String::from_utf8(body.to_vec()).unwrap())
    };
    let body = r#"{"model":"m","provider":{},"models":[],"gateway":null,"n":1}"#;
    assert_eq!(stripped(body, false).as_deref(), Some(r#"{"model":"m","n":1}"#));
    assert_eq!(stripped(body, true).as_deref(), Some(r#"{"model":"m","provider":{},"models":[],"n":1}"#));
    let body = r#"{"model":"m","transforms":["middle-out"],"plugins":[]}"#;
    assert_eq!(stripped(body, false).as_deref(), Some(r#"{"model":"m"}"#));
    assert_eq!(stripped(body, true), None);
    assert_eq!(stripped(r#"{"model":"m","models":"b","transforms":"a text"}"#, false), None);
}

#[test]
fn what_a_worker_keeps_is_bounded_and_found_by_a_keyed_hash() {
    let (one, other) = (Guests::default(), Guests::default());
    let hash = |guests: &Guests, text: &str| {
        let mut pieces = guests.pieces();
        pieces.add(text.as_bytes());
        pieces.finish()
    };
    assert_eq!(hash(&one, "config"), hash(&one, "config"));
    assert_ne!(hash(&one, "config"), hash(&other, "config"), "what a hash stands for is known to one process");
    let places = Places::default();
    let snapshot = guests_snapshot();
    let entry = snapshot.models.catalog().get("openai").unwrap();
    for number in 0..300 {
        let key = gw_config::secret::Secret::new(format!("sk-{number}"));
        let own = wish::Own { api_key: Some(key), ..wish::Own::default() };
        let account = guests::Account { entry, house: None, own: &own };
        let made = one.provider(&snapshot, &places, account).unwrap();
        let again = one.provider(&snapshot, &places, account).unwrap();
        assert!(std::sync::Arc::ptr_eq(&made, &again));
        assert!(made.is_callers() && !made.headers.contains_key("authorization"));
    }
    assert!(one.sizes().1 <= 256, "{:?}", one.sizes());
}

fn guests_snapshot() -> crate::Snapshot {
    snapshot_of(&gw_config::config::Config::local())
}

fn snapshot_of(config: &gw_config::config::Config) -> crate::Snapshot {
    let resources = crate::snapshot::Resources {
        catalog: gw_providers::catalog::Catalog::builtin(),
        origins: &gw_http::Origins::default(),
        authenticators: &gw_providers::auth::Authenticators::default(),
        standings: &crate::routing::standing::Standings::default(),
        trials: &crate::trials::Trials::default(),
        update: None,
        guard: None,
        variable: &|_| None,
    };
    crate::snapshot::build(config, &resources, 1).unwrap()
}
