//! Servers next door that tell the credentials of a machine's or a container's role.

use http::{HeaderValue, Method};
use serde_json::Value;

use super::Keys;
use crate::auth::exchange::{Exchange, Place, Said, Surroundings, Whose, with_header};
use crate::auth::fields::Fields;
use crate::auth::renewed::{Fetching, Grant, Source};
use crate::auth::{AuthError, WrongCredential, read_token_file, timestamp};

/// Amazon's address of the instance metadata service.
const INSTANCE_URL: &str = "http://169.254.169.254";
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";
const CONTAINER_URL: &str = "http://169.254.170.2";
/// Hosts that may be asked in clear text for a container's credentials, as in Amazon's own tools.
const CONTAINER_HOSTS: [&str; 6] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost", "127.0.0.1", "::1"];

/// The role of a virtual machine (IMDSv2).
pub(super) struct Instance {
    base: Place,
}

impl Instance {
    pub(super) fn new(fields: &Fields, around: &Surroundings<'_>) -> Result<Self, WrongCredential> {
        let url = fields.get("metadata_url").unwrap_or(INSTANCE_URL);
        Ok(Self { base: around.place(url, Whose::Neighbour, "metadata_url")? })
    }
}

impl Source<Keys> for Instance {
    fn fetch<'a>(&'a self, exchange: &'a Exchange<'a>) -> Fetching<'a, Keys> {
        Box::pin(async move {
            let what = "the question for the machine's role";
            let place = self.base.at("/latest/api/token")?;
            let mut request = place.get();
            *request.method_mut() = Method::PUT;
            let ttl = ("x-aws-ec2-metadata-token-ttl-seconds", HeaderValue::from_static("300"));
            request.headers_mut().insert(ttl.0, ttl.1);
            let said = exchange.ask(&place, request).await?;
            let session = said.text(what)?;
            let ask = async |path: &str| {
                let place = self.base.at(path)?;
                exchange.ask(&place, with_header(place.get(), "x-aws-ec2-metadata-token", session)?).await
            };
            let roles = ask(ROLES_PATH).await?;
            let role = roles.text(what)?.lines().next().unwrap_or_default().trim();
            if role.is_empty() {
                return Err(AuthError::refused("this machine has no role; attach one to the instance"));
            }
            granted(&ask(&format!("{ROLES_PATH}{role}")).await?, exchange)
        })
    }
}

/// The role of a container (ECS) or a pod (EKS).
pub(super) struct Container {
    place: Place,
    token: Option<Token>,
}

/// What shows the server who asks.
enum Token {
    Given(zeroize::Zeroizing<String>),
    File(String),
}

impl Container {
    pub(super) fn read(fields: &Fields, around: &Surroundings<'_>) -> Result<Self, WrongCredential> {
        let url = match (fields.get("container_relative_uri"), fields.get("container_full_uri")) {
            (Some(path), _) => format!("{CONTAINER_URL}{path}"),
            (None, full) => full.unwrap_or_default().to_owned(),
        };
        let place = around.place(&url, Whose::Neighbour, "AWS_CONTAINER_CREDENTIALS_FULL_URI")?;
        if !place.origin.settings.secure && !CONTAINER_HOSTS.contains(&place.origin.settings.host.as_str()) {
            return Err(WrongCredential::new(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or on this machine or one of Amazon's link-local addresses",
            ));
        }
        let file = fields.get("container_token_file").map(|file| Token::File(file.to_owned()));
        let given = || fields.get("container_token").map(|token| Token::Given(token.to_owned().into()));
        Ok(Self { place, token: file.or_else(given) })
    }
}

impl Source<Keys> for Container {
    fn fetch<'a>(&'a self, exchange: &'a Exchange<'a>) -> Fetching<'a, Keys> {
        Box::pin(async move {
            let request = self.place.get();
            let request = match &self.token {
                None => request,
                Some(Token::Given(token)) => with_header(request, "authorization", token)?,
                Some(Token::File(file)) => with_header(request, "authorization", &read_token_file(file)?)?,
            };
            granted(&exchange.ask(&self.place, request).await?, exchange)
        })
    }
}

fn granted(said: &Said, exchange: &Exchange<'_>) -> Result<Grant<Keys>, AuthError> {
    let answer: Value = said.json("the question for this role's credentials")?;
    let need = |name: &str| answer[name].as_str().filter(|value| !value.is_empty()).ok_or_else(|| said.no_token());
    let keys = Keys::new(need("AccessKeyId")?, need("SecretAccessKey")?, Some(need("Token")?));
    let end = timestamp::parse(need("Expiration")?).ok_or_else(|| said.no_token())?;
    Ok(Grant { secret: keys, lifetime: said.until(end, exchange.clock) })
}
