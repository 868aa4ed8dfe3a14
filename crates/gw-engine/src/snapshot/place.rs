//! Where a provider is reached: the configured endpoint, the one that the environment names, or the catalogue's.

use std::path::PathBuf;
use std::sync::Arc;

use gw_config::config::{self, HttpVersion};
use gw_config::diagnostic::Diagnostic;
use gw_dialects::DialectId;
use gw_http::Origin;
use gw_http::origin::{Identity, OriginError, OriginSettings, Version};
use gw_http::proxy::ProxyChoice;
use gw_providers::attempt::Destination;
use gw_providers::auth;
use gw_providers::catalog::{Kind, ProviderType, Variable};
use http::Uri;

use super::build::Resources;

/// Where a provider is reached, and the path that all its paths begin with.
pub(super) fn destination(
    entry: &'static ProviderType,
    settings: &config::Provider,
    resources: &Resources<'_>,
    credential: Option<&auth::Credential>,
) -> Result<(Destination, String), Box<Diagnostic>> {
    if entry.kind == Kind::Sandbox {
        return Ok((Destination::Sandbox, String::new()));
    }
    let at = settings.endpoint.as_ref().map_or(&settings.kind.place, |endpoint| &endpoint.place);
    let fail = |message: String| Box::new(Diagnostic::error(at, message));
    let url = match &settings.endpoint {
        Some(endpoint) => endpoint_url(entry, settings, resources, credential, &endpoint.value).map_err(fail)?,
        None => usual_url(entry, settings, resources, credential).map_err(fail)?.ok_or_else(|| {
            fail(format!("provider type \"{}\" has no address of its own; set \"endpoint\"", entry.id))
        })?,
    };
    let uri: Uri = url.parse().map_err(|error| fail(format!("\"{url}\" is not a URL: {error}")))?;
    let secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        Some(_) | None => return Err(fail(format!("\"{url}\" must begin with https:// or http://"))),
    };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let read = |path: &PathBuf| read_file(path).map_err(fail);
    let tls = &settings.tls;
    let identity = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => Some(Identity { certificate_pem: read(certificate)?, key_pem: read(key)? }),
        (Some(_), None) | (None, Some(_)) => {
            return Err(fail("tls.certificate and tls.key go together".to_owned()));
        }
        (None, None) => None,
    };
    let origin = OriginSettings {
        label: Arc::from(settings.name.value.as_str()),
        secure,
        host,
        port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
        version: match settings.http_version {
            HttpVersion::Auto => Version::Auto,
            HttpVersion::Http1 => Version::Http1,
            HttpVersion::Http2 => Version::Http2,
        },
        ca_pem: tls.ca.as_ref().map(read).transpose()?,
        identity,
        proxy: settings.proxy.as_ref().map_or(ProxyChoice::Environment, proxy),
        connect_timeout: settings.timeouts.connect,
        write_timeout: settings.timeouts.write,
    };
    let origin = match resources.guard {
        Some(guard) => resources.origins.guarded(origin, guard.clone()),
        None => resources.origins.intern(origin),
    };
    let origin = origin.map_err(|error| fail(error.to_string()))?;
    Ok((Destination::Origin(origin), uri.path().trim_end_matches('/').to_owned()))
}

/// A file of certificates or keys.
pub(super) fn read_file(path: &PathBuf) -> Result<Arc<[u8]>, String> {
    std::fs::read(path).map(Arc::from).map_err(|error| format!("{}: {error}", path.display()))
}

/// The configured way out.
pub(super) fn proxy(proxy: &config::Proxy) -> ProxyChoice {
    match proxy {
        config::Proxy::Direct => ProxyChoice::Direct,
        config::Proxy::Via(url) => ProxyChoice::Via(url.expose().to_owned()),
    }
}

/// A configured endpoint may leave out the path that the provider's API stands under, as
/// `https://NAME.openai.azure.com` does.
fn endpoint_url(
    entry: &ProviderType,
    settings: &config::Provider,
    resources: &Resources<'_>,
    credential: Option<&auth::Credential>,
    endpoint: &str,
) -> Result<String, String> {
    if endpoint.parse::<Uri>().is_ok_and(|uri| uri.path() != "/" && !uri.path().is_empty()) {
        return Ok(endpoint.to_owned());
    }
    let value_of = |name: &str, variable: &Variable| value_of(settings, resources, credential, name, variable);
    let usual = entry.filled_base_path(value_of).map_err(|error| error.to_string())?;
    Ok(usual.map_or_else(|| endpoint.to_owned(), |path| format!("{}/{path}", endpoint.trim_end_matches('/'))))
}

/// Where a provider is that has no configured endpoint: at the one that the environment names for its type, unless the
/// configuration says what the catalogue's has to be filled in with; else at the catalogue's.
pub(super) fn usual_url(
    entry: &ProviderType,
    settings: &config::Provider,
    resources: &Resources<'_>,
    credential: Option<&auth::Credential>,
) -> Result<Option<String>, String> {
    let named = entry.endpoint_env.as_deref().filter(|_| settings.variables.is_empty());
    match named.and_then(resources.variable) {
        Some(endpoint) => endpoint_url(entry, settings, resources, credential, endpoint.trim()).map(Some),
        None => base_url(entry, settings, resources, credential).map_err(|error| match &entry.endpoint_env {
            Some(endpoint) => format!("{error} or {endpoint}"),
            None => error,
        }),
    }
}

/// The catalogue's base URL, its placeholders filled in from the settings, the credential or the environment.
fn base_url(
    entry: &ProviderType,
    settings: &config::Provider,
    resources: &Resources<'_>,
    credential: Option<&auth::Credential>,
) -> Result<Option<String>, String> {
    let value_of = |name: &str, variable: &Variable| value_of(settings, resources, credential, name, variable);
    entry.filled_base_url(value_of).map_err(|error| error.to_string())
}

fn value_of(
    settings: &config::Provider,
    resources: &Resources<'_>,
    credential: Option<&auth::Credential>,
    name: &str,
    variable: &Variable,
) -> Option<String> {
    let configured = settings.variables.iter().find(|(given, _)| given.value == name);
    configured
        .map(|(_, value)| value.value.clone())
        .or_else(|| credential?.variable(name).map(str::to_owned))
        .or_else(|| (resources.variable)(&variable.env))
}

/// The same place over HTTP/1.1, if anything is spoken there over WebSocket.
pub(super) fn upgrades_at(
    entry: &ProviderType,
    destination: &Destination,
    resources: &Resources<'_>,
) -> Result<Option<Arc<Origin>>, OriginError> {
    match destination {
        Destination::Origin(origin) if entry.dialects().any(|(dialect, _)| dialect == DialectId::OpenAiRealtime) => {
            let settings = OriginSettings { version: Version::Http1, ..origin.settings.clone() };
            resources.origins.intern(settings).map(Some)
        }
        Destination::Origin(_) | Destination::Sandbox => Ok(None),
    }
}
