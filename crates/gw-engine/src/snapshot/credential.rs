//! From a provider's configured credential to what its requests get.

use std::sync::Arc;

use gw_config::config;
use gw_config::diagnostic::Diagnostic;
use gw_config::secret::Secret;
use gw_http::proxy::ProxyChoice;
use gw_providers::attempt::Destination;
use gw_providers::auth::{self, Authenticator, Ready, Settings, Surroundings, WrongCredential};
use gw_providers::catalog::{AuthWay, ProviderType};
use http::HeaderMap;

use super::build::Resources;
use super::place::{proxy, read_file};
use super::provider::Credential;

/// What a provider's requests are authenticated with.
pub(super) struct Prepared {
    /// Whether there is a credential.
    pub(super) credential: Credential,
    /// What authenticates each request, where a constant header does not do.
    pub(super) authenticator: Option<Arc<Authenticator>>,
    /// What a person should know where the provider refuses it.
    pub(super) hint: Option<Arc<str>>,
}

impl Prepared {
    fn only(credential: Credential) -> Self {
        Self { credential, authenticator: None, hint: None }
    }
}

/// Reads the configured credential, else the one in the environment; `None` if there is none, or none is wanted.
pub(super) fn read(
    entry: &ProviderType,
    settings: &config::Provider,
    resources: &Resources<'_>,
) -> Result<Option<auth::Credential>, Box<Diagnostic>> {
    if is_needless(entry, settings) {
        return Ok(None);
    }
    let fields: Vec<_> =
        settings.credentials.iter().map(|(name, value)| (name.value.as_str(), value.expose())).collect();
    let wanted = Settings {
        api_key: settings.api_key.as_ref().map(Secret::expose),
        fields: &fields,
        // A key in the environment belongs to the provider's own place, not to wherever an endpoint points.
        is_ambient_allowed: settings.endpoint.is_none(),
        variable: resources.variable,
    };
    auth::Credential::read(&entry.auth, &wanted).map_err(|wrong| diagnostic(settings, &wrong))
}

/// Prepares it, and puts it among the headers if it is constant.
pub(super) fn prepare(
    entry: &ProviderType,
    settings: &config::Provider,
    resources: &Resources<'_>,
    read: Option<&auth::Credential>,
    destination: &Destination,
    headers: &mut HeaderMap,
) -> Result<Prepared, Box<Diagnostic>> {
    if entry.auth.way == AuthWay::None {
        return Ok(Prepared::only(Credential::NotNeeded));
    }
    if has_own_header(entry, settings) {
        return Ok(Prepared::only(Credential::Configured));
    }
    let Some(read) = read else {
        return Ok(Prepared::only(if entry.auth.optional { Credential::NotNeeded } else { Credential::Missing }));
    };
    let ca_pem = settings.tls.ca.as_ref().map(read_file).transpose();
    let around = Surroundings {
        origins: resources.origins,
        label: &settings.name.value,
        proxy: settings.proxy.as_ref().map_or(ProxyChoice::Environment, proxy),
        ca_pem: ca_pem.map_err(|message| Box::new(Diagnostic::error(&settings.kind.place, message)))?,
    };
    let region = settings.variables.iter().find(|(name, _)| name.value == "region").map(|(_, value)| &*value.value);
    let ready = read.prepare(&entry.auth, region, destination, &around, resources.authenticators);
    Ok(match ready.map_err(|wrong| diagnostic(settings, &wrong))? {
        Ready::Header(name, value, hint) => {
            headers.insert(name, value);
            Prepared { hint: hint.map(Arc::from), ..Prepared::only(Credential::Configured) }
        }
        Ready::Each(authenticator) => {
            Prepared { authenticator: Some(authenticator), ..Prepared::only(Credential::Configured) }
        }
    })
}

/// Whether requests are authenticated without a credential of ours.
fn is_needless(entry: &ProviderType, settings: &config::Provider) -> bool {
    entry.auth.way == AuthWay::None || has_own_header(entry, settings)
}

/// Whether the operator writes the credential's header by hand.
fn has_own_header(entry: &ProviderType, settings: &config::Provider) -> bool {
    let own = |name: &str| settings.headers.iter().any(|(header, _)| header.value.eq_ignore_ascii_case(name));
    match entry.auth.way {
        AuthWay::Ibm => own("authorization"),
        _ => entry.auth.header().is_some_and(|(name, _)| own(name.as_str())),
    }
}

/// A mistake in a credential, at its field if that is known.
fn diagnostic(settings: &config::Provider, wrong: &WrongCredential) -> Box<Diagnostic> {
    let field = |name: &String| settings.credentials.iter().find(|(known, _)| known.value == *name);
    let place = wrong.field.as_ref().and_then(field).map_or(&settings.kind.place, |(name, _)| &name.place);
    let message = format!("provider \"{}\": {}", settings.name.value, wrong.message);
    Box::new(Diagnostic::error(place, message))
}
