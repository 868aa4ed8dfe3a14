//! From what is configured, or stands in the environment, to what requests get.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::fields::{Digest, Fields};
use super::{
    Authenticator, Authenticators, Surroundings, Wanted, Way, WrongCredential, aws, azure, google, known_fields, way,
};
use crate::attempt::Destination;
use crate::catalog::{Auth, AuthWay};

/// The fields that mean something for every provider that has more than a constant key.
const COMMON_FIELDS: &[&str] = &["source"];
/// What only the operator's own section may say, and no JSON that somebody pasted.
const OPERATORS_FIELDS: &[&str] = &[
    "authority_url",
    "federated_token_file",
    "metadata_url",
    "source",
    "token_url",
    "trusted_urls",
    "web_identity_token_file",
];
/// What only the platform's own variables may say: servers next door, and what is shown to them.
const PLATFORMS_FIELDS: &[&str] = &[
    "container_full_uri",
    "container_relative_uri",
    "container_token",
    "container_token_file",
    "identity_endpoint",
    "identity_header",
];
/// What is configured.
pub struct Settings<'a> {
    /// The key: plain, or JSON with more in it.
    pub api_key: Option<&'a str>,
    /// The fields of the section `credentials`, by their names in the file.
    pub fields: &'a [(&'a str, &'a str)],
    /// Whether the environment may hold a credential for this provider.
    pub is_ambient_allowed: bool,
    /// The environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// A credential, read but not tied to a place yet.
pub struct Credential {
    fields: Fields,
    from_metadata: bool,
    region: Option<String>,
    /// What counts if nothing else says the region.
    ambient_region: Option<String>,
}

/// What requests get.
pub enum Ready {
    /// This header, always. The last is what a person should know where the provider refuses it.
    Header(HeaderName, HeaderValue, Option<String>),
    /// Something of each request's own.
    Each(Arc<Authenticator>),
}

impl Credential {
    /// Reads what is configured, or what the environment holds; `None` if there is nothing.
    ///
    /// # Errors
    /// What is wrong with it; nothing of it is repeated.
    pub fn read(auth: &Auth, settings: &Settings<'_>) -> Result<Option<Self>, WrongCredential> {
        let mut fields = Fields::default();
        let known = known_fields(&auth.way);
        for (name, value) in settings.fields {
            if !known.contains(name) && !COMMON_FIELDS.contains(name) {
                return Err(WrongCredential::at(
                    name,
                    format!("`{name}` means nothing to this type of provider; remove it"),
                ));
            }
            match *name {
                "service_account" => fields.add(pasted(auth, value)?),
                _ => fields.set(name, value),
            }
        }
        let source = fields.get("source").map(str::to_owned);
        let from_metadata = source.as_deref() == Some("metadata");
        if let Some(key) = settings.api_key {
            fields.add(pasted(auth, key)?);
        }
        let is_ambient = match source.as_deref() {
            Some("environment" | "metadata") => true,
            Some(_) => return Err(WrongCredential::at("source", "`source` must be `environment` or `metadata`")),
            None => settings.is_ambient_allowed && !settles_it(&fields),
        };
        if is_ambient {
            let key = auth.env().iter().find_map(|name| (settings.variable)(name)).filter(|_| !from_metadata);
            match key {
                Some(key) => fields.add(pasted(auth, &key)?),
                None => ambient(auth, &mut fields, settings, from_metadata)?,
            }
        }
        if !from_metadata && !settles_it(&fields) {
            return match source {
                Some(_) => Err(WrongCredential::at("source", "the environment holds no credential for this provider")),
                None if settings.api_key.is_some_and(|key| !key.is_empty()) => Err(WrongCredential::new(
                    "the api_key is JSON in which nothing is known that authenticates; check its names",
                )),
                None => Ok(None),
            };
        }
        let is_amazon = matches!(auth.way, AuthWay::Aws { .. });
        let region = fields.get("region").map(str::to_owned);
        let region = region.or_else(|| aws::region_of_key(fields.get("api_key").filter(|_| is_amazon)?));
        let ambient_region = aws::ambient_region(settings.variable).filter(|_| is_amazon);
        Ok(Some(Self { fields, from_metadata, region, ambient_region }))
    }

    /// The value of a variable of the base URL, or of another setting, that the credential brings along.
    pub fn variable(&self, name: &str) -> Option<&str> {
        match name {
            "region" | "location" => self.region.as_deref().or(self.ambient_region.as_deref()),
            "project" => self.fields.get("project_id"),
            "resource" => self.fields.get("resource_name"),
            "project_id" | "space_id" => self.fields.get(name),
            _ => None,
        }
    }

    /// What requests to `destination` get. `region` is the configured one, if one is.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn prepare(
        &self,
        auth: &Auth,
        region: Option<&str>,
        destination: &Destination,
        around: &Surroundings<'_>,
        known: &Authenticators,
    ) -> Result<Ready, WrongCredential> {
        let host = match destination {
            Destination::Origin(origin) => Some(origin.settings.host.as_str()),
            Destination::Sandbox => None,
        };
        let region = region.or(self.region.as_deref());
        let ambient_region = self.ambient_region.as_deref();
        let wanted = Wanted { fields: &self.fields, from_metadata: self.from_metadata, region, ambient_region, host };
        match way(auth, &wanted, around)? {
            Way::Fixed { name, value, hint } => Ok(Ready::Header(name, value, hint)),
            Way::Each(method) => {
                Ok(Ready::Each(known.intern(self.fingerprint(auth, &wanted, around), || Authenticator(method))))
            }
        }
    }

    /// What tells two authenticators apart: all that they are made from.
    fn fingerprint(&self, auth: &Auth, wanted: &Wanted<'_>, around: &Surroundings<'_>) -> [u8; 32] {
        let mut digest = Digest::new();
        digest.add(&format!("{:?}", auth.way));
        digest.add(if self.from_metadata { "metadata" } else { "" });
        digest.add(wanted.region.unwrap_or_default());
        digest.add(wanted.ambient_region.unwrap_or_default());
        digest.add(wanted.host.unwrap_or_default());
        around.add_to(&mut digest);
        self.fields.add_to(&mut digest);
        digest.finish()
    }
}

/// What the environment says beside the variables that the catalogue names.
fn ambient(
    auth: &Auth,
    fields: &mut Fields,
    settings: &Settings<'_>,
    from_metadata: bool,
) -> Result<(), WrongCredential> {
    match auth.way {
        AuthWay::Aws { .. } if !from_metadata => aws::ambient(fields, settings.variable),
        AuthWay::Google if !from_metadata => {
            if let Some(text) = google::ambient(settings.variable)? {
                fields.add(pasted(auth, &text)?);
            }
        }
        AuthWay::Azure(_) => azure::ambient(fields, settings.variable, from_metadata),
        _ => {}
    }
    Ok(())
}

/// What somebody pasted. It may name no address that we would ask, and no file that we would send.
fn pasted(auth: &Auth, text: &str) -> Result<Fields, WrongCredential> {
    let mut fields = Fields::pasted(text)?;
    // Google's files for foreign identities name their endpoint; it is looked at where it is used.
    if matches!(auth.way, AuthWay::Google) {
        fields.rename("token_url", "pasted_token_url");
    }
    for (names, place) in
        [(OPERATORS_FIELDS, "the provider's section `credentials`"), (PLATFORMS_FIELDS, "the environment")]
    {
        if let Some(name) = names.iter().find(|name| fields.has(name)) {
            let message = format!("the pasted credential holds `{name}`, which may only stand in {place}");
            return Err(WrongCredential::new(message));
        }
    }
    Ok(fields)
}

/// Whether somebody said what to authenticate with, and not just where.
fn settles_it(fields: &Fields) -> bool {
    const PROOFS: [&str; 9] = [
        "access_key_id",
        "api_key",
        "client_secret",
        "container_full_uri",
        "container_relative_uri",
        "federated_token_file",
        "private_key",
        "type",
        "web_identity_token_file",
    ];
    PROOFS.iter().any(|name| fields.has(name)) || fields.has("secret_access_key") || fields.has("client_email")
}
