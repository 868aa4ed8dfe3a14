//! The structured credential of a provider as meant: a list of fields, whose meaning the provider's type knows.

use super::Meaning;
use crate::config::{Profile, Spanned};
use crate::decode::Written;
use crate::file::{Credentials, GoogleCredentials};
use crate::secret::Secret;
use crate::values::SecretText;

/// Name and value of each field that is given.
type Fields = Vec<(Spanned<String>, Secret)>;

impl Meaning<'_> {
    /// The fields of a structured credential, in the order of the reference.
    pub(super) fn credentials(&mut self, written: &Written<Credentials>, subject: &str) -> Fields {
        let Some(written) = written.value() else { return Vec::new() };
        let mut fields = Vec::new();
        for (name, text) in plain(written) {
            if let Some(text) = text.given() {
                fields.push(field(name, text, &text.value));
            }
        }
        if let Some(urls) = written.trusted_urls.given() {
            let all: Vec<&str> = urls.value.iter().map(|url| url.value.as_str()).collect();
            fields.push(field("trusted_urls", urls, &all.join(" ")));
        }
        let google = written.google_credentials.value();
        if let Some(email) = google.and_then(|google: &GoogleCredentials| google.client_email.given()) {
            fields.push(field("client_email", email, &email.value));
        }
        let nested = google.map(|google| ("private_key", &google.private_key));
        for (name, secret) in secret(written).into_iter().chain(nested) {
            let Some(text) = secret.given() else { continue };
            if text.value.literal && self.profile == Profile::Server {
                let message = format!("the {name} of {subject} stands in the file");
                self.warning(&text.place, message, "give it by reference: ${NAME} or ${file:/path}");
            }
            fields.push(field(name, text, text.value.secret.expose()));
        }
        fields
    }
}

fn field<T>(name: &str, written: &Spanned<T>, value: &str) -> (Spanned<String>, Secret) {
    (Spanned { value: name.to_owned(), place: written.place.clone() }, Secret::new(value.to_owned()))
}

fn plain(written: &Credentials) -> [(&'static str, &Written<String>); 18] {
    [
        ("source", &written.source),
        ("access_key_id", &written.access_key_id),
        ("role_arn", &written.role_arn),
        ("role_session_name", &written.role_session_name),
        ("web_identity_token_file", &written.web_identity_token_file),
        ("region", &written.region),
        ("private_key_id", &written.private_key_id),
        ("client_email", &written.client_email),
        ("project_id", &written.project_id),
        ("quota_project_id", &written.quota_project_id),
        ("tenant_id", &written.tenant_id),
        ("client_id", &written.client_id),
        ("federated_token_file", &written.federated_token_file),
        ("scope", &written.scope),
        ("authority_url", &written.authority_url),
        ("resource_name", &written.resource_name),
        ("token_url", &written.token_url),
        ("metadata_url", &written.metadata_url),
    ]
}

fn secret(written: &Credentials) -> [(&'static str, &Written<SecretText>); 6] {
    [
        ("secret_access_key", &written.secret_access_key),
        ("session_token", &written.session_token),
        ("external_id", &written.external_id),
        ("service_account", &written.service_account),
        ("private_key", &written.private_key),
        ("client_secret", &written.client_secret),
    ]
}
