//! Why a request could not be authenticated.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gw_core::ErrorCode;

/// Why a request could not be authenticated. Cheap to clone: everybody who waited for the same token is told the same. The
/// message holds no secret and nothing that a stranger wrote but short codes.
#[derive(Debug, Clone)]
pub struct AuthError {
    /// `provider_credential_refused` or `provider_credential_unavailable`; `invalid_request` for what cannot be signed.
    pub code: ErrorCode,
    /// What was wrong, where, and what to do; follows the provider's name.
    pub message: Arc<str>,
    /// How long nobody asks again.
    pub retry_after: Option<Duration>,
}

impl AuthError {
    /// What flows is not there to be signed.
    pub(crate) fn unsignable() -> Self {
        let message = "the signature covers the body, which flows and is not held; use a Bedrock API key for this";
        Self { code: ErrorCode::InvalidRequest, message: message.into(), retry_after: None }
    }

    /// Whoever gives out tokens does not accept the credential.
    pub(crate) fn refused(message: impl Into<Arc<str>>) -> Self {
        Self { code: ErrorCode::ProviderCredentialRefused, message: message.into(), retry_after: None }
    }

    /// Whoever gives out tokens could not be asked, or answered with something else.
    pub(crate) fn unavailable(message: impl Into<Arc<str>>) -> Self {
        Self { code: ErrorCode::ProviderCredentialUnavailable, message: message.into(), retry_after: None }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AuthError {}

/// What is wrong with a credential as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongCredential {
    /// The field of the section `credentials` that is at fault, if one is.
    pub field: Option<String>,
    /// What is wrong and what to do. Never a value.
    pub message: String,
}

impl WrongCredential {
    /// Something is wrong with the whole.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { field: None, message: message.into() }
    }

    /// Something is wrong with a field.
    pub(crate) fn at(field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), message: message.into() }
    }
}
