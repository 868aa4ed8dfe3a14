//! Azure: the resource's API key, or tokens of Entra ID for an application (its secret, or a token of the cluster) or for
//! the machine's managed identity.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderName, HeaderValue};
use serde_json::Value;
use zeroize::Zeroizing;

use super::exchange::{Exchange, Place, Said, Surroundings, Whose, escape_into, sensitive, with_header};
use super::fields::Fields;
use super::renewed::{Fetching, Grant, Renewed, Source};
use super::{AuthError, Method, Wanted, Way, WrongCredential, fixed_header, read_token_file};

/// The fields that mean something here.
pub(super) const FIELDS: &[&str] = &[
    "tenant_id",
    "client_id",
    "client_secret",
    "federated_token_file",
    "scope",
    "authority_url",
    "token_url",
    "metadata_url",
    "resource_name",
];
const AUTHORITY: &str = "https://login.microsoftonline.com";
const SCOPE: &str = "https://cognitiveservices.azure.com/.default";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const PERMISSIONS: &str = "it needs the role Cognitive Services OpenAI User on the resource";
const METADATA_URL: &str = "http://169.254.169.254";
/// The variables of Azure's own tools, and the fields that they stand for.
const VARIABLES: [(&str, &str); 7] = [
    ("AZURE_TENANT_ID", "tenant_id"),
    ("AZURE_CLIENT_ID", "client_id"),
    ("AZURE_CLIENT_SECRET", "client_secret"),
    ("AZURE_FEDERATED_TOKEN_FILE", "federated_token_file"),
    ("AZURE_AUTHORITY_HOST", "authority_url"),
    ("IDENTITY_ENDPOINT", "identity_endpoint"),
    ("IDENTITY_HEADER", "identity_header"),
];

/// Adds what the environment says.
pub(super) fn ambient(fields: &mut Fields, variable: &dyn Fn(&str) -> Option<String>, from_metadata: bool) {
    let is_application =
        ["AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"].iter().any(|name| variable(name).is_some());
    let is_whole = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"].iter().all(|name| variable(name).is_some());
    for (name, field) in VARIABLES {
        let is_wanted = if field.starts_with("identity_") { from_metadata } else { is_application && is_whole };
        if let Some(value) = variable(name).filter(|_| is_wanted) {
            fields.set(field, &value);
        }
    }
}

/// How requests are authenticated with these fields.
pub(super) fn method(
    wanted: &Wanted<'_>,
    key_header: &HeaderName,
    around: &Surroundings<'_>,
) -> Result<Way, WrongCredential> {
    let fields = wanted.fields;
    if let Some(key) = fields.get("api_key") {
        let (name, value) = fixed_header(key_header.clone(), "", key)?;
        return Ok(Way::Fixed { name, value, hint: None });
    }
    let scope = fields.get("scope").unwrap_or(SCOPE).to_owned();
    let proof = if let Some(secret) = fields.get("client_secret") {
        Proof::Secret(secret.to_owned().into())
    } else if let Some(file) = fields.get("federated_token_file") {
        Proof::File(file.to_owned())
    } else if wanted.from_metadata {
        let source = ManagedIdentity::read(fields, &scope, around)?;
        return Ok(Way::Each(Method::Token { held: Renewed::new(Box::new(source)), beside: None, hint: PERMISSIONS }));
    } else {
        return Err(WrongCredential::new(
            "the credential is neither an API key nor an application's; give `tenant_id`, `client_id` and \
             `client_secret`, or `source: metadata` for a managed identity",
        ));
    };
    let beside = if fields.has("client_secret") { "client_secret" } else { "federated_token_file" };
    let client_id = fields.need("client_id", beside)?.to_owned();
    let place = match fields.get("token_url") {
        Some(url) => around.place(url, Whose::Operator, "token_url")?,
        None => {
            let tenant = fields.need("tenant_id", beside)?;
            if !tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) {
                return Err(WrongCredential::at("tenant_id", "`tenant_id` must be a tenant's id or domain"));
            }
            let (authority, whose) = match fields.get("authority_url") {
                Some(url) => (url.trim_end_matches('/'), Whose::Operator),
                None => (AUTHORITY, Whose::Vendor),
            };
            around.place(&format!("{authority}/{tenant}/oauth2/v2.0/token"), whose, "authority_url")?
        }
    };
    let source = Application { place, client_id, scope, proof };
    Ok(Way::Each(Method::Token { held: Renewed::new(Box::new(source)), beside: None, hint: PERMISSIONS }))
}

/// An application that is registered with Entra ID.
struct Application {
    place: Place,
    client_id: String,
    scope: String,
    proof: Proof,
}

/// What shows that we are the application.
enum Proof {
    Secret(Zeroizing<String>),
    /// A file with a token that somebody else keeps fresh.
    File(String),
}

impl Source<HeaderValue> for Application {
    fn fetch<'a>(&'a self, exchange: &'a Exchange<'a>) -> Fetching<'a, HeaderValue> {
        Box::pin(async move {
            let token;
            let mut form =
                vec![("client_id", &*self.client_id), ("grant_type", "client_credentials"), ("scope", &*self.scope)];
            match &self.proof {
                Proof::Secret(secret) => form.push(("client_secret", secret)),
                Proof::File(file) => {
                    token = read_token_file(file)?;
                    form.extend([("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &token)]);
                }
            }
            let said = exchange.ask(&self.place, self.place.form(&form)).await?;
            granted(&said, exchange, "the application's credential")
        })
    }
}

/// The identity that Azure gave to the machine or the application.
struct ManagedIdentity {
    place: Place,
    /// What App Service wants to see.
    header: Option<Zeroizing<String>>,
}

impl ManagedIdentity {
    fn read(fields: &Fields, scope: &str, around: &Surroundings<'_>) -> Result<Self, WrongCredential> {
        let service = fields.get("identity_endpoint").zip(fields.get("identity_header"));
        let (mut url, header) = match service {
            Some((url, header)) => (format!("{url}?api-version=2019-08-01"), Some(header.to_owned().into())),
            None => {
                let base = fields.get("metadata_url").unwrap_or(METADATA_URL).trim_end_matches('/');
                (format!("{base}/metadata/identity/oauth2/token?api-version=2018-02-01"), None)
            }
        };
        url.push_str("&resource=");
        escape_into(&mut url, scope.strip_suffix("/.default").unwrap_or(scope));
        if let Some(id) = fields.get("client_id") {
            url.push_str("&client_id=");
            escape_into(&mut url, id);
        }
        Ok(Self { place: around.place(&url, Whose::Neighbour, "metadata_url")?, header })
    }
}

impl Source<HeaderValue> for ManagedIdentity {
    fn fetch<'a>(&'a self, exchange: &'a Exchange<'a>) -> Fetching<'a, HeaderValue> {
        Box::pin(async move {
            let request = match &self.header {
                Some(header) => with_header(self.place.get(), "x-identity-header", header)?,
                None => {
                    let mut request = self.place.get();
                    request.headers_mut().insert(HeaderName::from_static("metadata"), HeaderValue::from_static("true"));
                    request
                }
            };
            granted(&exchange.ask(&self.place, request).await?, exchange, "the question for the managed identity")
        })
    }
}

/// Entra says the lifetime as a number, metadata servers as a text, App Service only when it ends.
fn granted(said: &Said, exchange: &Exchange<'_>, what: &str) -> Result<Grant<HeaderValue>, AuthError> {
    let answer = said.json(what)?;
    let token = answer["access_token"].as_str().filter(|token| !token.is_empty()).ok_or_else(|| said.no_token())?;
    let secret = sensitive(&format!("Bearer {token}")).ok_or_else(|| said.no_token())?;
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let lifetime = number(&answer["expires_in"]).map(Duration::from_secs).or_else(|| {
        let end = UNIX_EPOCH.checked_add(Duration::from_secs(number(&answer["expires_on"])?))?;
        Some(said.until(end, exchange.clock))
    });
    Ok(Grant { secret, lifetime: lifetime.ok_or_else(|| said.no_token())? })
}
