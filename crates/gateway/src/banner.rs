//! What a person sees first.

use std::net::SocketAddr;

use gw_config::config::{AuthMode, Config, Profile};
use gw_engine::Snapshot;
use gw_engine::snapshot::Credential;

/// A request that needs no key of a provider.
const SAMPLE: &str = r#"{"model":"sandbox/echo","messages":[{"role":"user","content":"Hello"}]}"#;

/// The lines printed when the gateway is ready.
pub(crate) fn banner(config: &Config, snapshot: &Snapshot, addresses: &[SocketAddr], source: &str) -> String {
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let mut text = String::new();
    for address in addresses {
        text.push_str(&format!("🚀 AI Gateway running on {scheme}://{}\n", shown(*address)));
    }
    text.push_str(&format!("   configuration  {source}\n"));
    let beside: Vec<_> = snapshot.beside().filter_map(|one| one.environment.as_deref()).collect();
    if !beside.is_empty() {
        text.push_str(&format!("   served beside  {}\n", beside.join(", ")));
    }
    let (usable, keyless): (Vec<_>, Vec<_>) =
        snapshot.providers().iter().partition(|provider| provider.credential != Credential::Missing);
    let names = |list: &[&std::sync::Arc<gw_engine::snapshot::Provider>]| {
        list.iter().map(|provider| provider.name.to_string()).collect::<Vec<_>>().join(", ")
    };
    let with_key: Vec<_> =
        usable.iter().copied().filter(|provider| provider.credential == Credential::Configured).collect();
    let without: Vec<_> =
        usable.iter().copied().filter(|provider| provider.credential == Credential::NotNeeded).collect();
    if with_key.is_empty() {
        text.push_str("   providers      none with a key; set for example OPENAI_API_KEY, or try sandbox/echo\n");
    } else {
        text.push_str(&format!("   providers      {}\n", names(&with_key)));
    }
    if !without.is_empty() {
        text.push_str(&format!("   no key needed  {}\n", names(&without)));
    }
    if !config.providers.is_empty() && !keyless.is_empty() {
        text.push_str(&format!("   key missing    {}\n", names(&keyless)));
    }
    text.push_str(&format!("   keys           {}", keys(config)));
    if let Some(address) = addresses.first().filter(|_| usable.iter().any(|provider| &*provider.name == "sandbox")) {
        let key = if config.auth.mode == AuthMode::Required { " -H \"authorization: Bearer $KEY\"" } else { "" };
        text.push_str(&format!(
            "\n   try            curl {scheme}://{}/v1/chat/completions{key} -d '{SAMPLE}'",
            shown(*address)
        ));
    }
    text
}

fn keys(config: &Config) -> String {
    let count = config.auth.keys.len();
    let local = if config.profile == Profile::Local { " (local profile)" } else { "" };
    match config.auth.mode {
        AuthMode::Required => format!("required, {count} known{local}"),
        AuthMode::Optional => format!("optional, {count} known{local}"),
        AuthMode::None => format!("not looked at{local}"),
        AuthMode::Passthrough => format!("passed through, {count} known{local}"),
    }
}

fn shown(address: SocketAddr) -> String {
    if address.ip().is_loopback() && address.is_ipv4() {
        return format!("localhost:{}", address.port());
    }
    address.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_address_is_shown_as_people_type_it() {
        assert_eq!(shown("127.0.0.1:8787".parse().unwrap()), "localhost:8787");
        assert_eq!(shown("0.0.0.0:8080".parse().unwrap()), "0.0.0.0:8080");
        assert_eq!(shown("[::1]:8787".parse().unwrap()), "[::1]:8787");
    }
}
