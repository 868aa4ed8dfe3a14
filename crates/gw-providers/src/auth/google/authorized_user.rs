//! A person's own login, as `gcloud auth application-default login` leaves it: a refresh token.

use http::HeaderValue;
use zeroize::Zeroizing;

use super::{Fields, Place, Surroundings, WrongCredential, granted, token_place};
use crate::auth::exchange::Exchange;
use crate::auth::renewed::{Fetching, Source};

/// A person's login.
pub(super) struct AuthorizedUser {
    place: Place,
    client_id: String,
    client_secret: Zeroizing<String>,
    refresh_token: Zeroizing<String>,
}

impl AuthorizedUser {
    pub(super) fn read(fields: &Fields, around: &Surroundings<'_>) -> Result<Self, WrongCredential> {
        Ok(Self {
            place: token_place(fields, around)?,
            client_id: fields.need("client_id", "type")?.to_owned(),
            client_secret: fields.need("client_secret", "type")?.to_owned().into(),
            refresh_token: fields.need("refresh_token", "type")?.to_owned().into(),
        })
    }
}

impl Source<HeaderValue> for AuthorizedUser {
    fn fetch<'a>(&'a self, exchange: &'a Exchange<'a>) -> Fetching<'a, HeaderValue> {
        Box::pin(async move {
            let request = self.place.form(&[
                ("grant_type", "refresh_token"),
                ("client_id", &self.client_id),
                ("client_secret", &self.client_secret),
                ("refresh_token", &self.refresh_token),
            ]);
            granted(
                &exchange.ask(&self.place, request).await?,
                "the login; `gcloud auth application-default login` renews it",
            )
        })
    }
}
