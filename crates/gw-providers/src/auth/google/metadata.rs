//! Google's metadata server, which tells machines, pods and functions the token of their own account.

use http::{HeaderName, HeaderValue};

use super::{Fields, Place, Surroundings, WrongCredential, granted};
use crate::auth::exchange::{Exchange, Whose};
use crate::auth::renewed::{Fetching, Source};

const URL: &str = "http://metadata.google.internal";
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

/// The machine's own account.
pub(super) struct Metadata {
    place: Place,
}

impl Metadata {
    pub(super) fn new(fields: &Fields, around: &Surroundings<'_>) -> Result<Self, WrongCredential> {
        let base = fields.get("metadata_url").unwrap_or(URL).trim_end_matches('/');
        Ok(Self { place: around.place(&format!("{base}{PATH}"), Whose::Neighbour, "metadata_url")? })
    }
}

impl Source<HeaderValue> for Metadata {
    fn fetch<'a>(&'a self, exchange: &'a Exchange<'a>) -> Fetching<'a, HeaderValue> {
        Box::pin(async move {
            let mut request = self.place.get();
            let flavor = (HeaderName::from_static("metadata-flavor"), HeaderValue::from_static("Google"));
            request.headers_mut().insert(flavor.0, flavor.1);
            granted(&exchange.ask(&self.place, request).await?, "the question for the machine's account")
        })
    }
}
