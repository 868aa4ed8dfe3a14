//! Workload identity federation: a token of somebody else (a cluster, a CI system) is exchanged for one of Google's
//! (RFC 8693), and that, if wanted, for one of a service account.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Fields, Place, SCOPE, Surroundings, WrongCredential, bearer, granted, named_place};
use crate::auth::exchange::{Exchange, Whose, sensitive};
use crate::auth::renewed::{Fetching, Grant, Source};
use crate::auth::{AuthError, read_token_file, timestamp};

/// Google's endpoint for the exchange.
const STS_URL: &str = "https://sts.googleapis.com/v1/token";
const IMPERSONATION_HOST: &str = "https://iamcredentials.googleapis.com/";
const LIFETIME: &str = "3600s";

/// A foreign identity that Google trusts.
pub(super) struct ExternalAccount {
    sts: Place,
    audience: String,
    subject_token_type: String,
    subject: Subject,
    /// Where the token inside the subject's JSON stands; the whole text if `None`.
    subject_field: Option<String>,
    impersonation: Option<Place>,
}

/// Where the foreign token comes from.
enum Subject {
    /// A file that somebody else keeps fresh.
    File(String),
    /// A server that the operator trusts by name.
    Url(Place, HeaderMap),
}

impl ExternalAccount {
    pub(super) fn read(fields: &Fields, around: &Surroundings<'_>) -> Result<Self, WrongCredential> {
        let wrong = |what: &str| WrongCredential::at("credential_source", format!("`credential_source` {what}"));
        let source = fields.structure("credential_source").ok_or_else(|| wrong("is missing"))?;
        let subject = if let Some(file) = source["file"].as_str() {
            Subject::File(file.to_owned())
        } else if source["environment_id"].is_string() {
            return Err(wrong("is of AWS, which is not supported; use a file or a url"));
        } else if let Some(url) = source["url"].as_str() {
            let place = named_place(fields, around, "credential_source.url", url, false)?;
            Subject::Url(place, headers(&source["headers"]).ok_or_else(|| wrong("has headers that cannot be sent"))?)
        } else {
            return Err(wrong("has neither `file` nor `url`"));
        };
        let sts = match fields.get("token_url") {
            Some(url) => around.place(url, Whose::Operator, "token_url")?,
            None => {
                let url = fields.get("pasted_token_url").unwrap_or(STS_URL);
                named_place(fields, around, "token_url", url, url == STS_URL)?
            }
        };
        let impersonation_url = fields.get("service_account_impersonation_url");
        let impersonation = impersonation_url.map(|url| {
            let is_vendors = url.starts_with(IMPERSONATION_HOST);
            named_place(fields, around, "service_account_impersonation_url", url, is_vendors)
        });
        let is_json = source["format"]["type"] == "json";
        let field = source["format"]["subject_token_field_name"].as_str().unwrap_or("access_token");
        Ok(Self {
            sts,
            audience: fields.need("audience", "type")?.to_owned(),
            subject_token_type: fields.need("subject_token_type", "type")?.to_owned(),
            subject,
            subject_field: is_json.then(|| field.to_owned()),
            impersonation: impersonation.transpose()?,
        })
    }

    async fn subject_token(&self, exchange: &Exchange<'_>) -> Result<Zeroizing<String>, AuthError> {
        let text = match &self.subject {
            Subject::File(file) => read_token_file(file)?,
            Subject::Url(place, headers) => {
                let mut request = place.get();
                request.headers_mut().extend(headers.clone());
                let said = exchange.ask(place, request).await?;
                Zeroizing::new(said.text("the question for the subject token")?.to_owned())
            }
        };
        let Some(field) = &self.subject_field else { return Ok(text) };
        let document: Value = serde_json::from_str(&text).unwrap_or_default();
        document[field.as_str()].as_str().map(|token| Zeroizing::new(token.to_owned())).ok_or_else(|| {
            AuthError::unavailable(
                "the subject token's source holds no JSON with the configured `subject_token_field_name`",
            )
        })
    }

    /// A token of the service account, for one of the foreign identity.
    async fn impersonate(
        &self,
        exchange: &Exchange<'_>,
        place: &Place,
        token: HeaderValue,
    ) -> Result<Grant<HeaderValue>, AuthError> {
        let mut request = place.json(&json!({ "scope": [SCOPE], "lifetime": LIFETIME }));
        request.headers_mut().insert(header::AUTHORIZATION, token);
        let said = exchange.ask(place, request).await?;
        let answer =
            said.json("to let this identity act as the service account; it needs roles/iam.workloadIdentityUser")?;
        let secret = bearer(&answer["accessToken"]).ok_or_else(|| said.no_token())?;
        let end = answer["expireTime"].as_str().and_then(timestamp::parse);
        let lifetime = end.map_or(Duration::from_secs(3_600), |end| said.until(end, exchange.clock));
        Ok(Grant { secret, lifetime })
    }
}

impl Source<HeaderValue> for ExternalAccount {
    fn fetch<'a>(&'a self, exchange: &'a Exchange<'a>) -> Fetching<'a, HeaderValue> {
        Box::pin(async move {
            let subject = self.subject_token(exchange).await?;
            let request = self.sts.form(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("audience", &self.audience),
                ("scope", SCOPE),
                ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
                ("subject_token", &subject),
                ("subject_token_type", &self.subject_token_type),
            ]);
            let grant = granted(&exchange.ask(&self.sts, request).await?, "the foreign identity's token")?;
            match &self.impersonation {
                None => Ok(grant),
                Some(place) => self.impersonate(exchange, place, grant.secret).await,
            }
        })
    }
}

fn headers(written: &Value) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in written.as_object().into_iter().flatten() {
        headers.insert(HeaderName::try_from(name).ok()?, sensitive(value.as_str()?)?);
    }
    Some(headers)
}
