//! What is said of an attempt that failed: the provider refused, could not be heard, or does not offer what is asked.

use bytes::{Bytes, BytesMut};
use gw_core::{Error, ErrorCode, UpstreamError};
use gw_dialects::chat::{self, Egress};
use gw_dialects::envelope::Envelope;
use gw_dialects::{DialectId, error as dialect_error, scan};
use gw_providers::attempt::{Answer, AttemptError};
use gw_providers::catalog::DialectEntry;
use http::Response;

use crate::dispatch::{Attempt, AttemptCredential};
use crate::engine::Call;
use crate::masking::Shown;
use crate::snapshot::Provider;

/// The most that is read of a provider's error.
pub(crate) const ERROR_BYTES_MAX: usize = 64 << 10;

impl Attempt<'_> {
    /// A refusal of a provider that was asked in the client's own dialect.
    pub(crate) async fn refused(&self, entry: &DialectEntry, call: &Call<'_>, response: Response<Answer>) -> Error {
        let own = || chat::egress(call.dialect.chat()).filter(|_| !call.dialect.is_plain_openai());
        self.refusal(response, |refusal| match (entry.envelope.and_then(Envelope::refuses_in), own()) {
            (Some(stranger), _) => stranger.decode_error(refusal),
            (None, Some(egress)) => refused_in_own_words(call.dialect, egress, refusal),
            (None, None) => dialect_error::decode_error(refusal),
        })
        .await
    }

    /// The provider refused: what that means, as somebody reads it who knows its words.
    pub(crate) async fn refusal(
        &self,
        response: Response<Answer>,
        decode: impl FnOnce(dialect_error::Refusal<'_>) -> Error,
    ) -> Error {
        let status = response.status().as_u16();
        let mut error = self.explained(decode(self.said(response).await));
        error.provider_status = Some(status);
        error
    }

    /// What a refusal says, without our credential.
    async fn said(&self, response: Response<Answer>) -> dialect_error::Refusal<'_> {
        let (parts, mut answer) = response.into_parts();
        let mut body = BytesMut::new();
        while body.len() < ERROR_BYTES_MAX {
            match answer.data().await {
                Some(Ok(piece)) => body.extend_from_slice(&piece[..piece.len().min(ERROR_BYTES_MAX - body.len())]),
                // An error that breaks off is still the provider's refusal.
                Some(Err(_)) | None => break,
            }
        }
        let masked = parts.extensions.get::<Shown>().and_then(|shown| shown.masked(&body));
        dialect_error::Refusal {
            status: parts.status,
            headers: parts.headers,
            body: masked.unwrap_or_else(|| body.freeze()),
            provider: &self.resolved.choice.provider.name,
            credential_is_callers: matches!(self.credential, AttemptCredential::Client(..)),
            now: self.ports.clock.now(),
        }
    }

    /// The exchange with the provider did not come to an answer.
    pub(crate) fn failed(&self, error: &AttemptError) -> Error {
        let provider = &self.resolved.choice.provider.name;
        let (code, what) = match error {
            AttemptError::Unreachable(_) => (ErrorCode::ProviderUnreachable, "could not be reached"),
            AttemptError::Disconnected(_) => (ErrorCode::ProviderDisconnected, "closed the connection"),
            AttemptError::Invalid(_) => (ErrorCode::ProviderInvalidResponse, "sent what is not an answer"),
            AttemptError::Timeout(_) => (ErrorCode::ProviderTimeout, "did not answer in time"),
            AttemptError::Deadline => (ErrorCode::DeadlineExceeded, "did not answer in time"),
            AttemptError::Interrupted => (ErrorCode::ClientClosed, "was not sent the whole request"),
        };
        Error::new(code, format!("provider \"{provider}\" {what}: {error}"))
    }

    /// What came whole is not JSON.
    pub(crate) fn invalid(&self, body: &Bytes) -> Error {
        let provider = &self.resolved.choice.provider.name;
        let what = if body.is_empty() { "an empty answer" } else { "an answer that is not valid JSON" };
        Error::new(ErrorCode::ProviderInvalidResponse, format!("provider \"{provider}\" sent {what}"))
    }
}

/// What a provider's refusal in the client's own dialect means; its words go to the client as they came, unless they may be
/// about the gateway's own credential or account.
fn refused_in_own_words(dialect: DialectId, egress: &dyn Egress, refusal: dialect_error::Refusal<'_>) -> Error {
    let (status, headers, body) = (refusal.status, refusal.headers.clone(), refusal.body.clone());
    let is_told = refusal.credential_is_callers;
    let mut error = egress.decode_error(refusal);
    // Whoever serves Claude besides Anthropic may refuse in words of its own.
    let members: &[&str] = if dialect == DialectId::AnthropicMessages { &["error", "type"] } else { &["error"] };
    let has = |fields: scan::Fields| members.iter().all(|name| fields.get(&body, name).is_some());
    let is_own_format = scan::top_level(&body).is_ok_and(has);
    let is_ours =
        matches!(error.code, ErrorCode::ProviderAuthentication | ErrorCode::ProviderCreditExhausted) && !is_told;
    if is_own_format && !is_ours {
        error.upstream = Some(Box::new(UpstreamError { status, headers, body }));
    }
    error
}

/// The provider has no dialect in which this could be asked.
pub(crate) fn not_spoken(provider: &Provider, call: &Call<'_>) -> Error {
    let message = format!(
        "provider \"{}\" does not offer {}; choose a model of another provider",
        provider.name,
        call.dialect.operation().name()
    );
    Error::new(ErrorCode::InvalidRequest, message).with_param("model")
}
