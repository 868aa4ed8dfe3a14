//! IBM Cloud: an API key is exchanged for an access token (IAM).

use std::time::Duration;

use http::HeaderValue;
use zeroize::Zeroizing;

use super::exchange::{Exchange, Place, Surroundings, Whose, sensitive};
use super::renewed::{Fetching, Grant, Renewed, Source};
use super::{Method, Wanted, Way, WrongCredential};

/// The fields that mean something here.
pub(super) const FIELDS: &[&str] = &["token_url", "project_id", "space_id"];
const PERMISSIONS: &str = "whoever owns the key needs access to the project or space";
const TOKEN_URL: &str = "https://iam.cloud.ibm.com/identity/token";

/// How requests are authenticated with these fields.
pub(super) fn method(wanted: &Wanted<'_>, around: &Surroundings<'_>) -> Result<Way, WrongCredential> {
    let Some(key) = wanted.fields.get("api_key") else {
        return Err(WrongCredential::new("the credential has no `api_key`; add an API key of IBM Cloud"));
    };
    let place = match wanted.fields.get("token_url") {
        Some(url) => around.place(url, Whose::Operator, "token_url")?,
        None => around.place(TOKEN_URL, Whose::Vendor, "token_url")?,
    };
    let source = ApiKey { place, key: key.to_owned().into() };
    Ok(Way::Each(Method::Token { held: Renewed::new(Box::new(source)), beside: None, hint: PERMISSIONS }))
}

struct ApiKey {
    place: Place,
    key: Zeroizing<String>,
}

impl Source<HeaderValue> for ApiKey {
    fn fetch<'a>(&'a self, exchange: &'a Exchange<'a>) -> Fetching<'a, HeaderValue> {
        Box::pin(async move {
            let grant = "urn:ibm:params:oauth:grant-type:apikey";
            let form = [("grant_type", grant), ("apikey", &*self.key), ("response_type", "cloud_iam")];
            let request = self.place.form(&form);
            let said = exchange.ask(&self.place, request).await?;
            let answer = said.json("the API key")?;
            let token = answer["access_token"].as_str().filter(|token| !token.is_empty());
            let secret =
                token.and_then(|token| sensitive(&format!("Bearer {token}"))).ok_or_else(|| said.no_token())?;
            let lifetime = answer["expires_in"].as_u64().ok_or_else(|| said.no_token())?;
            Ok(Grant { secret, lifetime: Duration::from_secs(lifetime) })
        })
    }
}
