//! A configuration as short text: what differs from the configuration of a gateway that was given none.

use gw_config::Loaded;
use gw_config::config::{
    Config, Parameters, Provider, ProviderTimeouts, ProviderTls, Proxy, Route, ServerTls, Spanned,
};

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
        line(true, self::provider(provider));
    }
    for route in &config.routes {
        line(true, self::route(route));
    }
    let overrides = if config.default_route_overrides { ", for every request" } else { "" };
    if let Some(index) = config.default_route {
        line(true, format!("default route: {}{overrides}", config.routes[index].name.value));
    }
    for one in &config.price_overrides {
        line(true, format!("price of {}/{}: {}", one.provider.value, one.model.value, rates(&one.rates)));
    }
    line(config.catalog != default.catalog, format!("{:?}", config.catalog));
    line(config.logging != default.logging, format!("{:?}", config.logging));
    line(config.metrics != default.metrics, format!("{:?}", config.metrics));
    lines
}

fn server_tls(tls: &ServerTls) -> String {
    format!("{} {} {:?}", tls.certificate.display(), tls.key.display(), tls.client_ca)
}

fn provider(provider: &Provider) -> String {
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
    text
}

/// In dollars for a million.
fn rates(rates: &gw_core::price::Rates) -> String {
    let all: Vec<_> =
        rates.iter().map(|(dimension, rate)| format!("{}={}", dimension.name(), rate.dollars_per_million())).collect();
    all.join(" ")
}

fn route(route: &Route) -> String {
    let targets = route
        .targets
        .iter()
        .map(|target| format!("{} at {}", optional(target.model.as_ref()), optional(target.provider.as_ref())));
    format!("route {}: {}", route.name.value, targets.collect::<Vec<_>>().join(", "))
}

fn optional(value: Option<&Spanned<String>>) -> &str {
    value.map_or("any", |spanned| spanned.value.as_str())
}
