//! Google Cloud: an API key, or access tokens. Those are given for a service account's signature (`service_account`), for
//! a token of somebody else (`external`), for a refresh token (`authorized_user`), or by the machine's metadata server
//! (`metadata`).

mod authorized_user;
mod external;
mod metadata;
mod service_account;

use std::path::Path;

use http::{HeaderName, HeaderValue, header};
use serde_json::Value;
use std::time::Duration;
use zeroize::Zeroizing;

use super::exchange::{Place, Said, Surroundings, Whose, sensitive};
use super::fields::Fields;
use super::renewed::{Grant, Renewed, Source};
use super::{AuthError, Method, Wanted, Way, WrongCredential, fixed_header, read_small_file};

/// The fields that mean something here.
pub(super) const FIELDS: &[&str] = &[
    "service_account",
    "project_id",
    "region",
    "private_key",
    "private_key_id",
    "client_email",
    "token_uri",
    "token_url",
    "metadata_url",
    "trusted_urls",
    "quota_project_id",
];
const PERMISSIONS: &str = "it needs aiplatform.endpoints.predict, which the role roles/aiplatform.user has";
/// What a token is for: everything, as far as the account's roles go. Vertex AI has no narrower scope.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const KEY_HEADER: HeaderName = HeaderName::from_static("x-goog-api-key");
const QUOTA_PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");
/// Google's token endpoint, which is also whom a signature is for.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// Token endpoints that a pasted file may name: Google's, of today and of older files.
const TOKEN_URLS: [&str; 4] = [
    TOKEN_URL,
    "https://accounts.google.com/o/oauth2/token",
    "https://oauth2.mtls.googleapis.com/token",
    "https://www.googleapis.com/oauth2/v4/token",
];

/// What the file of `GOOGLE_APPLICATION_CREDENTIALS` says: JSON.
pub(super) fn ambient(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Zeroizing<String>>, WrongCredential> {
    let Some(path) = variable("GOOGLE_APPLICATION_CREDENTIALS") else { return Ok(None) };
    let wrong = |what: &str| WrongCredential::new(format!("the file of GOOGLE_APPLICATION_CREDENTIALS {what}"));
    let text =
        read_small_file(Path::new(&path)).map_err(|error| wrong(&format!("cannot be read: {}", error.kind())))?;
    if text.trim_start().starts_with('{') { Ok(Some(text)) } else { Err(wrong("is no JSON")) }
}

/// How requests are authenticated with these fields.
pub(super) fn method(wanted: &Wanted<'_>, around: &Surroundings<'_>) -> Result<Way, WrongCredential> {
    let fields = wanted.fields;
    if let Some(key) = fields.get("api_key") {
        // An access token that somebody made by hand lives for an hour; it is what the vendor's examples use.
        let (name, prefix) =
            if key.starts_with("ya29.") { (header::AUTHORIZATION, "Bearer ") } else { (KEY_HEADER, "") };
        let (name, value) = fixed_header(name, prefix, key)?;
        return Ok(Way::Fixed { name, value, hint: None });
    }
    let source: Box<dyn Source<HeaderValue>> = match fields.get("type") {
        Some("external_account") => Box::new(external::ExternalAccount::read(fields, around)?),
        Some("authorized_user") => Box::new(authorized_user::AuthorizedUser::read(fields, around)?),
        _ if fields.has("private_key") => Box::new(service_account::ServiceAccount::read(fields, around)?),
        _ if wanted.from_metadata => Box::new(metadata::Metadata::new(fields, around)?),
        Some("service_account") | None => {
            return Err(WrongCredential::new(
                "the credential is neither an API key nor a service account's; it has no `private_key`",
            ));
        }
        Some(_) => {
            return Err(WrongCredential::new(
                "credentials of this `type` are not understood; use a service account's key, `external_account` or \
                 `authorized_user`",
            ));
        }
    };
    let quota = fields.get("quota_project_id").and_then(|project| HeaderValue::try_from(project).ok());
    Ok(Way::Each(Method::Token {
        held: Renewed::new(source),
        beside: quota.map(|project| (QUOTA_PROJECT, project)),
        hint: PERMISSIONS,
    }))
}

/// The endpoint that a field of pasted JSON names: one of the vendor's, or one that the operator trusts by name.
fn named_place(
    fields: &Fields,
    around: &Surroundings<'_>,
    field: &str,
    url: &str,
    is_vendors: bool,
) -> Result<Place, WrongCredential> {
    let trusted = fields.get("trusted_urls").unwrap_or_default();
    if trusted.split_ascii_whitespace().any(|known| known == url) {
        return around.place(url, Whose::Operator, field);
    }
    if !is_vendors {
        let message = format!(
            "`{field}` of the credential is not an address of Google's; if it is right, add it to `trusted_urls` of \
             `credentials`"
        );
        return Err(WrongCredential::at(field, message));
    }
    around.place(url, Whose::Vendor, field)
}

/// Where a grant is exchanged for a token.
fn token_place(fields: &Fields, around: &Surroundings<'_>) -> Result<Place, WrongCredential> {
    if let Some(url) = fields.get("token_url") {
        return around.place(url, Whose::Operator, "token_url");
    }
    let url = fields.get("token_uri").unwrap_or(TOKEN_URL);
    named_place(fields, around, "token_uri", url, TOKEN_URLS.contains(&url))
}

/// The access token of an answer, as the header that carries it.
fn granted(said: &Said, what: &str) -> Result<Grant<HeaderValue>, AuthError> {
    let answer = said.json(what)?;
    let secret = bearer(&answer["access_token"]).ok_or_else(|| said.no_token())?;
    let lifetime = answer["expires_in"].as_u64().ok_or_else(|| said.no_token())?;
    Ok(Grant { secret, lifetime: Duration::from_secs(lifetime) })
}

fn bearer(token: &Value) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {}", token.as_str().filter(|token| !token.is_empty())?))
}
