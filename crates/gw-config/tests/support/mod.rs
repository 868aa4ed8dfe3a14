//! A configuration as short text: what differs from the configuration of a gateway that was given none.

use gw_config::Loaded;
use gw_config::config::{
    Config, Parameters, Provider, ProviderRouting, ProviderTimeouts, ProviderTls, Proxy, Route, RouteNode, Routing,
    ServerTls, Spanned, Target,
};
use gw_policy::failure::{Class, Failure, Failures};
use gw_policy::retry::Retry;

/// The text of a configuration.
pub(crate) fn render(loaded: &Loaded) -> String {
    let warnings: String = loaded.warnings.iter().map(|warning| format!("{warning}\n")).collect();
    let text = warnings.replace("/etc/gateway/config.yaml", "file");
    let lines = lines(&loaded.config);
    if lines.is_empty() { text + "as without a file\n" } else { text + &lines.join("\n") + "\n" }
}

fn lines(config: &Config) -> Vec<String> {
    let default = Config::local();
    let mut lines = Vec::new();
    let mut line = |differs: bool, text: String| lines.extend(differs.then_some(text));
    line(config.files.len() > 1, format!("files: {:?}", &config.files[1..]));
    line(config.environment.is_some(), format!("environment: {}", config.environment.as_deref().unwrap_or_default()));
    line(config.profile != default.profile, format!("profile: {:?}", config.profile));
    line(config.listen != default.listen, format!("listen: {:?}", config.listen));
    let (server, usual) = (&config.server, &default.server);
    line(server.workers != usual.workers, format!("workers: {:?}", server.workers));
    line(server.accept != usual.accept, format!("accept: {:?}", server.accept));
    line(server.tls != usual.tls, format!("tls: {}", server.tls.as_ref().map_or_else(String::new, server_tls)));
    line(server.limits != usual.limits, format!("{:?}", server.limits));
    line(server.timeouts != usual.timeouts, format!("{:?}", server.timeouts));
    line(server.cors_origins != usual.cors_origins, format!("cors: {:?}", server.cors_origins));
    line(config.auth.mode != default.auth.mode, format!("auth: {:?}", config.auth.mode));
    for key in &config.auth.keys {
        line(true, format!("key {}: {}", key.name.value, key.key.expose()));
    }
    for provider in &config.providers {
        line(true, self::provider(provider, &config.routing));
    }
    for route in &config.routes {
        line(true, self::route(route));
    }
    for named in &config.targets {
        line(true, format!("target {}: {}", named.id.value, target(&named.target)));
    }
    for preset in &config.presets {
        line(true, format!("preset {}: {}", preset.name.value, preset.json.expose()));
    }
    let overrides = if config.default_route_overrides { ", for every request" } else { "" };
    if let Some(index) = config.default_route {
        line(true, format!("default route: {}{overrides}", config.routes[index].name.value));
    }
    for one in &config.price_overrides {
        line(true, format!("price of {}/{}: {}", one.provider.value, one.model.value, rates(&one.rates)));
    }
    line(config.custom_costs != default.custom_costs, format!("custom costs: {:?}", config.custom_costs));
    line(config.catalog != default.catalog, format!("{:?}", config.catalog));
    lines.extend(routing(&config.routing));
    let mut line = |differs: bool, text: String| lines.extend(differs.then_some(text));
    line(config.logging != default.logging, format!("{:?}", config.logging));
    line(config.metrics != default.metrics, format!("{:?}", config.metrics));
    if let Some(checks) = &config.health_checks {
        lines.push(format!("health checks every {:?}, for {:?}", checks.interval, checks.timeout));
        lines.extend(checks.checks.iter().map(|check| {
            format!("  {}: {} {:?}", check.provider.value, optional(check.url.as_ref()), check.expected_status)
        }));
    }
    if config.shadow_limits != default.shadow_limits {
        lines.push(format!("{:?}", config.shadow_limits));
    }
    for canary in &config.canaries {
        let (model, provider) = (optional(canary.model.as_ref()), &canary.provider.value);
        let shadow = if canary.shadow { ", in the shadow" } else { "" };
        lines.push(format!("canary {}: {model} at {provider}{shadow}\n  {:?}", canary.name.value, canary.rollout));
    }
    lines
}

/// What differs from how a gateway routes that was told nothing.
fn routing(routing: &Routing) -> Vec<String> {
    let default = Routing::default();
    let mut lines = Vec::new();
    let mut line = |differs: bool, text: String| lines.extend(differs.then_some(text));
    line(routing.strategy != default.strategy, format!("strategy: {:?}", routing.strategy));
    line(routing.fallback != default.fallback, format!("fallback: {}", failures(&routing.fallback)));
    line(routing.retry != default.retry, format!("retry: {}", retry(&routing.retry)));
    line(routing.breaker != default.breaker, format!("breaker: {:?}", routing.breaker));
    line(routing.tracking != default.tracking, format!("{:?}", routing.tracking));
    line(routing.slow != default.slow, format!("slow: {:?}", routing.slow));
    line(!routing.shares_time, "an attempt may use all of the time".to_owned());
    line(routing.queue_max_wait != default.queue_max_wait, format!("queue: {:?}", routing.queue_max_wait));
    for rule in &routing.rules {
        let providers: Vec<&str> = rule.providers.iter().map(|provider| provider.value.as_str()).collect();
        line(true, format!("rule {}: {:?} -> {}", rule.name.value, rule.condition, providers.join(", ")));
        line(rule.model.is_some(), format!("  the model {}", optional(rule.model.as_ref())));
        line(rule.denial.is_some(), format!("  {:?}", rule.denial));
        line(rule.log_only, "  only shown".to_owned());
    }
    line(routing.resume != default.resume, format!("resume: {:?}", routing.resume));
    line(routing.notice != default.notice, format!("{:?}", routing.notice));
    line(routing.allow_downgrade, "downgrades are allowed".to_owned());
    lines
}

fn server_tls(tls: &ServerTls) -> String {
    format!("{} {} {:?}", tls.certificate.display(), tls.key.display(), tls.client_ca)
}

fn provider(provider: &Provider, around: &Routing) -> String {
    let mut text = format!("provider {} ({})", provider.name.value, provider.kind.value);
    let mut add = |differs: bool, more: String| text.extend(differs.then(|| format!("\n  {more}")));
    add(provider.endpoint.is_some(), format!("endpoint: {}", optional(provider.endpoint.as_ref())));
    add(provider.api_key.is_some(), format!("api_key: {}", provider.api_key.as_ref().map_or("", |key| key.expose())));
    let models: Vec<&str> = provider.models.iter().map(|model| model.value.as_str()).collect();
    add(!models.is_empty(), format!("models: {}", models.join(", ")));
    for one in &provider.descriptions {
        let (context, output_max) = (one.context_tokens.unwrap_or(0), one.output_tokens_max.unwrap_or(0));
        let words = [one.input.as_slice(), &one.can].concat().join(" ");
        add(true, format!("{}: {} {context} {output_max} {words}", one.name.value, rates(&one.rates)));
    }
    add(provider.priority != 0, format!("priority: {}", provider.priority));
    add(provider.timeouts != ProviderTimeouts::default(), format!("{:?}", provider.timeouts));
    for (name, value) in &provider.headers {
        add(true, format!("header {}: {}", name.value, value.expose()));
    }
    for (name, value) in &provider.credentials {
        add(true, format!("credential {}: {}", name.value, value.expose()));
    }
    for (name, value) in &provider.variables {
        add(true, format!("variable {}: {}", name.value, value.value));
    }
    add(provider.tls != ProviderTls::default(), format!("{:?}", provider.tls));
    match &provider.proxy {
        None => {}
        Some(Proxy::Direct) => add(true, "proxy: direct".to_owned()),
        Some(Proxy::Via(url)) => add(true, format!("proxy: {}", url.expose())),
    }
    let http = provider.http_version;
    add(http != gw_config::config::HttpVersion::Auto, format!("http: {http:?}"));
    add(provider.parameters != Parameters::default(), format!("{:?}", provider.parameters));
    for settings in &provider.model_settings {
        add(true, format!("{settings:?}"));
    }
    add(provider.emulate_tools, "emulates tools".to_owned());
    let ProviderRouting { cap, retry, breaker } = &provider.routing;
    if let Some(cap) = cap {
        add(true, format!("{cap:?}"));
    }
    // What is the same as for everybody is not worth a line.
    if let Some(own) = retry.as_ref().filter(|own| **own != around.retry) {
        add(true, format!("retry: {}", self::retry(own)));
    }
    if let Some(own) = breaker.as_ref().filter(|own| **own != around.breaker) {
        add(true, format!("breaker: {own:?}"));
    }
    text
}

/// In dollars for a million.
fn rates(rates: &gw_core::price::Rates) -> String {
    let all: Vec<_> =
        rates.iter().map(|(dimension, rate)| format!("{}={}", dimension.name(), rate.dollars_per_million())).collect();
    all.join(" ")
}

fn route(route: &Route) -> String {
    let version = route.version.as_ref().map(|version| {
        let state = if version.is_deployed { "deployed" } else { "a draft" };
        format!(" (version {} of {}, {state}, open: {})", version.number, version.route, version.is_open)
    });
    format!("route {}{}: {}", route.name.value, version.unwrap_or_default(), node(&route.node, "\n  "))
}

fn node(node: &RouteNode, line: &str) -> String {
    let group = match node {
        RouteNode::Target(target) => return self::target(target),
        RouteNode::Group(group) => group,
    };
    let mut text = format!("{:?}, next after {}", group.strategy, failures(&group.fallback));
    for (member, weight) in &group.members {
        let weight = if *weight == 1.0 { String::new() } else { format!(" ({weight})") };
        text.push_str(&format!("{line}{}{weight}", self::node(member, &format!("{line}  "))));
    }
    text
}

fn target(target: &Target) -> String {
    let mut text = format!("{} at {}", optional(target.model.as_ref()), optional(target.provider.as_ref()));
    let mut add = |differs: bool, more: String| text.extend(differs.then(|| format!(", {more}")));
    let params = serde_json::to_string(&target.override_params).unwrap_or_default();
    add(!target.override_params.is_empty(), format!("with {params}"));
    add(target.retry.is_some(), format!("retry: {}", target.retry.as_ref().map(retry).unwrap_or_default()));
    add(
        target.first_byte_timeout.is_some(),
        format!("first byte in {:?}", target.first_byte_timeout.unwrap_or_default()),
    );
    text
}

fn retry(retry: &Retry) -> String {
    let Retry { retries, on, initial_delay, max_delay, multiplier, jitter, retry_after_max, insists_on_timeout } =
        retry;
    let on = failures(on);
    let insists = if *insists_on_timeout { ", timeouts too where others follow" } else { "" };
    format!(
        "{retries} times after {on}{insists}, pausing {initial_delay:?} x {multiplier} up to {max_delay:?} with {jitter:?}, \
         or up to {retry_after_max:?} as asked"
    )
}

/// The usual sets by their names, others by classes and statuses.
fn failures(set: &Failures) -> String {
    let usual = [
        (Failures::PASSING, "what passes"),
        (Failures::ELSEWHERE, "what may go elsewhere"),
        (Failures::NONE, "nothing"),
    ];
    if let Some((_, name)) = usual.into_iter().find(|(usual, _)| usual == set) {
        return name.to_owned();
    }
    let failure = |class, status| Failure { class: Some(class), status, retry_after: None };
    let classes = Class::ALL.iter().copied().filter(|class| set.contains(&failure(*class, 0))).collect::<Vec<_>>();
    // A class that is not in it by itself shows the statuses.
    let other = Class::ALL.iter().copied().find(|class| !classes.contains(class));
    let statuses = (100..600).filter(|status| other.is_some_and(|class| set.contains(&failure(class, *status))));
    let mut names: Vec<String> = classes.iter().map(|class| class.name().to_owned()).collect();
    let mut open: Option<(u16, u16)> = None;
    let mut close = |range: Option<(u16, u16)>| match range {
        Some((from, to)) if from == to => names.push(from.to_string()),
        Some((from, to)) => names.push(format!("{from}-{to}")),
        None => {}
    };
    for status in statuses {
        open = match open {
            Some((from, to)) if to + 1 == status => Some((from, status)),
            other => {
                close(other);
                Some((status, status))
            }
        };
    }
    close(open);
    names.join(" ")
}

fn optional(value: Option<&Spanned<String>>) -> &str {
    value.map_or("any", |spanned| spanned.value.as_str())
}
