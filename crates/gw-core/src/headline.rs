//! What went wrong at a provider, in the words of a headline.

use crate::ErrorCode;

impl ErrorCode {
    /// Two or three words for people, as they stand in the log and in lists of attempts.
    pub const fn headline(self) -> &'static str {
        match self {
            Self::ProviderAuthentication | Self::ProviderCredentialRefused => "Invalid API Key",
            Self::ProviderCredentialMissing => "No API Key",
            Self::ProviderCredentialUnavailable => "No Access Token",
            Self::ProviderRateLimited => "Rate Limit Exceeded",
            Self::ProviderCreditExhausted => "Quota Exceeded",
            Self::ProviderModelNotFound => "Model Not Found",
            Self::ProviderOverloaded => "Service Unavailable",
            Self::ProviderFailed => "Server Error",
            Self::ProviderUnreachable => "Connection Failed",
            Self::ProviderDisconnected | Self::ProviderStreamInterrupted => "Connection Lost",
            Self::ProviderInvalidResponse => "Invalid Response",
            Self::ProviderTimeout | Self::DeadlineExceeded => "Timeout",
            Self::ProviderRejected => "Request Rejected",
            Self::ContextLengthExceeded => "Context Length Exceeded",
            Self::ContentFiltered => "Content Filtered",
            Self::UnsupportedParameter => "Unsupported Parameter",
            // What else there is is no provider's doing, and has its name.
            other => other.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Blame;

    #[test]
    fn whatever_a_provider_does_has_a_headline() {
        for code in ErrorCode::ALL.iter().filter(|code| code.blame() == Blame::Provider) {
            assert_ne!(code.headline(), code.name());
        }
        assert_eq!(ErrorCode::InvalidJson.headline(), "invalid_json");
    }
}
