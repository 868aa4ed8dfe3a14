//! A service account's key: it signs who asks and for what (RFC 7523), and gets an access token for it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Fields, Place, SCOPE, Surroundings, TOKEN_URL, WrongCredential, granted, token_place};
use crate::auth::AuthError;
use crate::auth::exchange::Exchange;
use crate::auth::renewed::{Fetching, Source};
use crate::auth::skew::Skew;

/// How long a signature is good for: the most that Google takes.
const LIFETIME_S: u64 = 3_600;

/// A service account's key.
pub(super) struct ServiceAccount {
    place: Place,
    key: RsaKeyPair,
    key_id: Option<String>,
    email: String,
    skew: Skew,
}

impl ServiceAccount {
    pub(super) fn read(fields: &Fields, around: &Surroundings<'_>) -> Result<Self, WrongCredential> {
        Ok(Self {
            place: token_place(fields, around)?,
            key: key(fields.need("private_key", "client_email")?)?,
            key_id: fields.get("private_key_id").map(str::to_owned),
            email: fields.need("client_email", "private_key")?.to_owned(),
            skew: Skew::default(),
        })
    }

    /// The signed claim. `iat` and `exp` are the only times in it.
    fn assertion(&self, now: SystemTime) -> Result<String, AuthError> {
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(id) = &self.key_id {
            header["kid"] = id.as_str().into();
        }
        let claims =
            json!({ "iss": self.email, "scope": SCOPE, "aud": TOKEN_URL, "iat": now, "exp": now + LIFETIME_S });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        let signed = self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        signed.map_err(|_| AuthError::refused("the service account's private key could not sign"))?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl Source<HeaderValue> for ServiceAccount {
    fn fetch<'a>(&'a self, exchange: &'a Exchange<'a>) -> Fetching<'a, HeaderValue> {
        Box::pin(async move {
            let assertion = self.assertion(self.skew.now(exchange.clock))?;
            let request = self
                .place
                .form(&[("assertion", &assertion), ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")]);
            let said = exchange.ask(&self.place, request).await?;
            let is_refused = said.code().is_some_and(|code| code == "invalid_grant");
            if is_refused && self.skew.learn(&said.headers, exchange.clock) {
                let told = self.skew.told().unwrap_or_default();
                return Err(AuthError::unavailable(format!("{} refused a signature: {told}", self.place.host())));
            }
            granted(&said, "the service account's key")
        })
    }
}

/// The RSA key in a PEM text. Where it came through an environment variable, its line ends may be written as `\n`.
fn key(pem: &str) -> Result<RsaKeyPair, WrongCredential> {
    let wrong = |what: &str| WrongCredential::at("private_key", format!("`private_key` of the service account {what}"));
    let pem = Zeroizing::new(pem.replace("\\n", "\n"));
    let der = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| wrong("is no PEM text; paste it with its BEGIN and END lines"))?;
    match &der {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        _ => return Err(wrong("is no RSA key")),
    }
    .map_err(|_| wrong("is no RSA key that can be used"))
}
