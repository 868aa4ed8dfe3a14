//! Failures as routing sees them, and sets of failures as configurations name them.

use std::time::Duration;

use gw_core::{Error, ErrorCode};

/// One row per class: its name in configurations, other names for it, and the codes that belong to it.
macro_rules! classes {
    ($($(#[doc = $about:literal])+ $variant:ident, $name:literal, [$($alias:literal),*], [$($code:ident),*];)+) => {
        /// A class of failures.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Class { $($(#[doc = $about])+ $variant,)+ }

        impl Class {
            /// Every class.
            pub const ALL: &'static [Class] = &[$(Class::$variant,)+];

            /// The name in configurations, logs and metrics.
            pub const fn name(self) -> &'static str { match self { $(Class::$variant => $name,)+ } }

            /// Other names that configurations may use.
            pub const fn aliases(self) -> &'static [&'static str] { match self { $(Class::$variant => &[$($alias),*],)+ } }

            /// The class of a code; `None` for what is no failure of a target.
            pub const fn of(code: ErrorCode) -> Option<Class> {
                match code {
                    $($(ErrorCode::$code => Some(Class::$variant),)*)+
                    _ => None,
                }
            }
        }
    };
}

classes! {
    /// The provider limits the rate of requests.
    RateLimit, "rate_limit_exceeded", ["rate_limit", "too_many_requests"], [ProviderRateLimited];
    /// The provider has more requests than it can serve.
    Unavailable, "service_unavailable", ["unavailable", "overloaded"], [ProviderOverloaded];
    /// The provider did not answer in time.
    Timeout, "timeout", [], [ProviderTimeout];
    /// The provider failed.
    ServerError, "server_error", ["internal_server_error"], [ProviderFailed, ProviderInvalidResponse];
    /// No connection could be made, or it broke.
    Network, "network", ["network_error", "connection_error"], [ProviderUnreachable, ProviderDisconnected];
    /// The provider refused the credential, or there is none.
    Authentication, "authentication_error", ["authentication", "invalid_api_key"],
        [ProviderAuthentication, ProviderCredentialMissing];
    /// The provider's account has no money or allowance left.
    Credit, "insufficient_quota", ["payment_required", "credit_exhausted"], [ProviderCreditExhausted];
    /// The provider does not know the model, or does not give it to this account.
    ModelNotFound, "model_not_found", [], [ProviderModelNotFound];
    /// The conversation is longer than the model's context.
    ContextLength, "context_length_exceeded", ["context_window"], [ContextLengthExceeded];
    /// The provider does not answer requests of this content.
    ContentFilter, "content_filter", ["content_policy"], [ContentFiltered];
    /// The provider's format cannot say what is asked.
    Unsupported, "unsupported_parameter", [], [UnsupportedParameter];
    /// The provider refused the request for another reason.
    Rejected, "invalid_request", ["bad_request"], [ProviderRejected];
}

impl Class {
    /// The class of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| class.name() == name || class.aliases().contains(&name))
    }

    /// What a failure of the class shows of the provider itself.
    pub const fn sign(self) -> Sign {
        match self {
            Self::RateLimit
            | Self::Unavailable
            | Self::Timeout
            | Self::ServerError
            | Self::Network
            | Self::Authentication
            | Self::Credit => Sign::Failing,
            Self::ModelNotFound | Self::ContextLength | Self::ContentFilter | Self::Rejected => Sign::Alive,
            // Found before anything was sent.
            Self::Unsupported => Sign::Nothing,
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// What a failure shows of the provider, whatever it means for the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It does not do what it is there for: it fails, is full, or does not let us in.
    Failing,
    /// It is there and has answered; what is wrong is the request, or the model that it names.
    Alive,
    /// Nothing.
    Nothing,
}

/// What went wrong at a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is; `None` for what is no target's failure: the client's mistake, the gateway's.
    pub class: Option<Class>,
    /// The status that the provider gave, or that stands for what happened.
    pub status: u16,
    /// How long the provider wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A target that did not answer in time.
    pub const TIMEOUT: Self = Self { class: Some(Class::Timeout), status: 504, retry_after: None };
    /// A target that has as many requests as it may have.
    pub const FULL: Self = Self { class: Some(Class::RateLimit), status: 429, retry_after: None };

    /// What it shows of the provider.
    pub fn sign(&self) -> Sign {
        self.class.map_or(Sign::Nothing, Class::sign)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        // A connection that cannot be made or breaks is told as 502; as a status for rules it is none.
        let status = match Class::of(error.code) {
            Some(Class::Network) => 0,
            _ => error.status().as_u16(),
        };
        Self { class: Class::of(error.code), status, retry_after: error.retry_after }
    }
}

/// A set of failures: by class, by status, or whatever is a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    classes: u32,
    statuses: Vec<u16>,
    statuses_only: bool,
}

impl Failures {
    /// None.
    pub const NONE: Self = Self { classes: 0, statuses: Vec::new(), statuses_only: false };

    /// What is worth another try at the same target: what passes by itself.
    pub const PASSING: Self =
        Self::of(&[Class::RateLimit, Class::Unavailable, Class::Timeout, Class::ServerError, Class::Network]);

    /// What is worth a try at another target: what passes, and what is wrong with this target alone.
    pub const ELSEWHERE: Self = Self::of(&[
        Class::RateLimit,
        Class::Unavailable,
        Class::Timeout,
        Class::ServerError,
        Class::Network,
        Class::Authentication,
        Class::Credit,
        Class::ModelNotFound,
    ]);

    /// Every failure that has a class.
    pub const ANY: Self = Self::of(Class::ALL);

    /// These classes.
    pub const fn of(classes: &[Class]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < classes.len() {
            bits |= classes[index].bit();
            index += 1;
        }
        Self { classes: bits, statuses: Vec::new(), statuses_only: false }
    }

    /// These statuses and nothing else, as `on_status_codes` means it. A broken connection, which has no status, counts
    /// as a server's failure if any of 500 to 504 is listed.
    pub fn of_statuses(statuses: Vec<u16>) -> Self {
        let broken = statuses.iter().any(|status| (500..=504).contains(status));
        let classes = if broken { Class::Network.bit() } else { 0 };
        Self { classes, statuses, statuses_only: true }
    }

    /// The same and this class.
    #[must_use]
    pub const fn with(mut self, class: Class) -> Self {
        self.classes |= class.bit();
        self
    }

    /// The same and this status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.statuses.push(status);
        self
    }

    /// Whether it is one of them.
    pub fn contains(&self, failure: &Failure) -> bool {
        let Some(class) = failure.class else { return false };
        let by_class = self.classes & class.bit() != 0 && (!self.statuses_only || class == Class::Network);
        by_class || self.statuses.contains(&failure.status)
    }

    /// The names of the classes and the statuses, as configurations name them.
    pub fn names(&self) -> Vec<String> {
        let named = |class: &&Class| self.classes & class.bit() != 0;
        let classes = Class::ALL.iter().filter(named).map(|class| class.name().to_owned());
        classes.chain(self.statuses.iter().map(ToString::to_string)).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.classes == 0 && self.statuses.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: ErrorCode) -> Failure {
        Failure::from(&Error::new(code, ""))
    }

    #[test]
    fn a_class_is_found_by_every_name_that_configurations_use() {
        for class in Class::ALL {
            assert_eq!(Class::from_name(class.name()), Some(*class));
            for alias in class.aliases() {
                assert_eq!(Class::from_name(alias), Some(*class), "{alias}");
            }
        }
        assert_eq!(Class::from_name("bad luck"), None);
    }

    #[test]
    fn a_set_is_told_by_the_names_that_configurations_use() {
        let set = Failures::of(&[Class::RateLimit, Class::Timeout]).with_status(418);
        assert_eq!(set.names(), ["rate_limit_exceeded", "timeout", "418"]);
        assert!(Failures::NONE.names().is_empty());
    }

    #[test]
    fn what_passes_is_tried_again_and_what_is_wrong_with_one_target_is_tried_elsewhere() {
        for (code, again, elsewhere) in [
            (ErrorCode::ProviderRateLimited, true, true),
            (ErrorCode::ProviderOverloaded, true, true),
            (ErrorCode::ProviderTimeout, true, true),
            (ErrorCode::ProviderFailed, true, true),
            (ErrorCode::ProviderUnreachable, true, true),
            (ErrorCode::ProviderAuthentication, false, true),
            (ErrorCode::ProviderCreditExhausted, false, true),
            (ErrorCode::ProviderModelNotFound, false, true),
            (ErrorCode::ContextLengthExceeded, false, false),
            (ErrorCode::ContentFiltered, false, false),
            (ErrorCode::ProviderRejected, false, false),
            (ErrorCode::InvalidRequest, false, false),
            (ErrorCode::ClientClosed, false, false),
            (ErrorCode::DeadlineExceeded, false, false),
        ] {
            assert_eq!(Failures::PASSING.contains(&failure(code)), again, "{code}");
            assert_eq!(Failures::ELSEWHERE.contains(&failure(code)), elsewhere, "{code}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_request_says_nothing_bad_of_the_provider() {
        for (code, sign) in [
            (ErrorCode::ProviderRateLimited, Sign::Failing),
            (ErrorCode::ProviderOverloaded, Sign::Failing),
            (ErrorCode::ProviderTimeout, Sign::Failing),
            (ErrorCode::ProviderFailed, Sign::Failing),
            (ErrorCode::ProviderInvalidResponse, Sign::Failing),
            (ErrorCode::ProviderUnreachable, Sign::Failing),
            (ErrorCode::ProviderDisconnected, Sign::Failing),
            (ErrorCode::ProviderAuthentication, Sign::Failing),
            (ErrorCode::ProviderCreditExhausted, Sign::Failing),
            (ErrorCode::ProviderModelNotFound, Sign::Alive),
            (ErrorCode::ContextLengthExceeded, Sign::Alive),
            (ErrorCode::ContentFiltered, Sign::Alive),
            (ErrorCode::ProviderRejected, Sign::Alive),
            (ErrorCode::UnsupportedParameter, Sign::Nothing),
            (ErrorCode::InvalidRequest, Sign::Nothing),
            (ErrorCode::ClientClosed, Sign::Nothing),
        ] {
            assert_eq!(failure(code).sign(), sign, "{code}");
        }
    }

    #[test]
    fn a_list_of_statuses_means_these_and_no_others() {
        let listed = Failures::of_statuses(vec![429, 503]);
        let of = |class, status| Failure { class: Some(class), status, retry_after: None };
        assert!(listed.contains(&of(Class::RateLimit, 429)));
        assert!(!listed.contains(&of(Class::ServerError, 500)));
        assert!(listed.contains(&of(Class::Network, 0)), "a broken connection is a server's failure");
        assert!(!Failures::of_statuses(vec![429]).contains(&of(Class::Network, 0)));
        assert!(Failures::of_statuses(vec![400]).contains(&of(Class::Rejected, 400)));
    }

    #[test]
    fn the_clients_own_mistake_is_in_no_set() {
        let mistake = Failure { class: None, status: 400, retry_after: None };
        assert!(!Failures::ANY.contains(&mistake));
        assert!(!Failures::of_statuses(vec![400]).contains(&mistake));
    }
}
