//! Amazon's Security Token Service: a role's credentials for those who may assume it.

use std::time::Duration;

use super::sigv4::{self, Scope};
use super::{Keys, Skew};
use crate::auth::exchange::{Exchange, Place, Said};
use crate::auth::fields::Fields;
use crate::auth::renewed::{Fetching, Grant, Source};
use crate::auth::{AuthError, WrongCredential, read_token_file, timestamp};

/// What is asked for; a role may allow less, and then what is granted counts.
const DURATION_S: &str = "3600";
const SESSION_NAME: &str = "ai-gateway";
/// How old a role's credentials get if the answer does not say.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// The regional endpoint.
pub(super) fn url(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://sts.{region}.{suffix}/")
}

/// The role that is assumed.
pub(super) struct Role {
    arn: String,
    external_id: Option<String>,
    session_name: String,
}

impl Role {
    pub(super) fn read(fields: &Fields, beside: &str) -> Result<Self, WrongCredential> {
        let arn = fields.need("role_arn", beside)?;
        if !arn.starts_with("arn:") {
            return Err(WrongCredential::at("role_arn", "`role_arn` must begin with arn:"));
        }
        Ok(Self {
            arn: arn.to_owned(),
            external_id: fields.get("external_id").map(str::to_owned),
            session_name: fields.get("role_session_name").unwrap_or(SESSION_NAME).to_owned(),
        })
    }

    fn form<'a>(&'a self, action: &'a str, token: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
        let mut form = vec![
            ("Action", action),
            ("Version", "2011-06-15"),
            ("RoleArn", &*self.arn),
            ("RoleSessionName", &*self.session_name),
            ("DurationSeconds", DURATION_S),
        ];
        form.extend(self.external_id.as_deref().map(|id| ("ExternalId", id)));
        form.extend(token.map(|token| ("WebIdentityToken", token)));
        form
    }
}

/// Whose credentials assume a role.
pub(super) enum Base {
    /// These.
    Given(Keys),
    /// Those of the machine.
    Asked(Box<dyn Source<Keys>>),
}

/// A role that AWS credentials may assume.
pub(super) struct AssumeRole {
    role: Role,
    base: Base,
    sts: Place,
    scope: Scope,
    skew: Skew,
}

impl AssumeRole {
    pub(super) fn new(role: Role, base: Base, sts: Place, region: &str) -> Self {
        let scope = Scope { region: region.to_owned(), service: "sts".to_owned() };
        Self { role, base, sts, scope, skew: Skew::default() }
    }
}

impl Source<Keys> for AssumeRole {
    fn fetch<'a>(&'a self, exchange: &'a Exchange<'a>) -> Fetching<'a, Keys> {
        Box::pin(async move {
            let keys = match &self.base {
                Base::Given(keys) => keys.clone(),
                Base::Asked(source) => source.fetch(exchange).await?.secret,
            };
            let mut request = self.sts.form(&self.role.form("AssumeRole", None));
            let now = self.skew.now(exchange.clock);
            sigv4::sign(&mut request, &self.sts.origin.host_header, &keys, &self.scope, now);
            let said = exchange.ask(&self.sts, request).await?;
            if !said.status.is_success() && self.skew.learn(&said.headers, exchange.clock) {
                let told = self.skew.told().unwrap_or_default();
                return Err(AuthError::unavailable(format!("{} refused a signature: {told}", self.sts.host())));
            }
            granted(&said, exchange, "these AWS credentials, or that they assume this role")
        })
    }
}

/// A role that the bearer of a token may assume; the token is in a file that somebody else keeps fresh.
pub(super) struct WebIdentity {
    role: Role,
    file: String,
    sts: Place,
}

impl WebIdentity {
    pub(super) fn new(role: Role, file: String, sts: Place) -> Self {
        Self { role, file, sts }
    }
}

impl Source<Keys> for WebIdentity {
    fn fetch<'a>(&'a self, exchange: &'a Exchange<'a>) -> Fetching<'a, Keys> {
        Box::pin(async move {
            let token = read_token_file(&self.file)?;
            let request = self.sts.form(&self.role.form("AssumeRoleWithWebIdentity", Some(&token)));
            let said = exchange.ask(&self.sts, request).await?;
            granted(&said, exchange, "the web identity token, or that it assumes this role")
        })
    }
}

fn granted(said: &Said, exchange: &Exchange<'_>, what: &str) -> Result<Grant<Keys>, AuthError> {
    let text = std::str::from_utf8(&said.body).map_err(|_| said.no_token())?;
    if !said.status.is_success() {
        let plain = |code: &&str| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        return Err(said.refusal(what, element(text, "Code").filter(plain)));
    }
    let need = |name| element(text, name).filter(|value| !value.is_empty()).ok_or_else(|| said.no_token());
    let keys = Keys::new(need("AccessKeyId")?, need("SecretAccessKey")?, Some(need("SessionToken")?));
    let end = element(text, "Expiration").and_then(timestamp::parse);
    let lifetime = end.map_or(LIFETIME, |end| said.until(end, exchange.clock));
    Ok(Grant { secret: keys, lifetime })
}

/// The text of an XML element; none of those that are read here holds elements or escaped letters.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(value, _)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_found_by_its_name() {
        let text =
            "<R><Credentials><AccessKeyId>ASIA1</AccessKeyId><SessionToken>\n a+b/c= </SessionToken></Credentials></R>";
        assert_eq!(element(text, "AccessKeyId"), Some("ASIA1"));
        assert_eq!(element(text, "SessionToken"), Some("a+b/c="));
        assert_eq!(element(text, "Expiration"), None);
        assert_eq!(element("<Code>half", "Code"), None);
    }

    #[test]
    fn the_endpoint_is_the_regions_own() {
        assert_eq!(url("eu-west-1"), "https://sts.eu-west-1.amazonaws.com/");
        assert_eq!(url("cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn/");
    }
}
