//! Who is calling: from the key that was presented to a caller.

use std::collections::HashMap;
use std::sync::Arc;

use gw_config::config::{AuthMode, NamedKey};
use gw_core::record::KeyHash;
use gw_core::{Caller, Error, ErrorCode};

/// The known keys, by their hash: the keys themselves are not kept.
#[derive(Debug, Default)]
pub struct KeyTable {
    by_hash: HashMap<[u8; 32], Arc<str>>,
}

impl KeyTable {
    /// The table of these keys.
    pub fn new(keys: &[NamedKey]) -> Self {
        let by_hash = keys.iter().map(|key| (hash(key.key.expose()), Arc::from(key.name.value.as_str()))).collect();
        Self { by_hash }
    }

    fn name_of(&self, hash: &[u8; 32]) -> Option<&Arc<str>> {
        self.by_hash.get(hash)
    }
}

/// A key is compared by its hash, so that the time taken tells nothing about it.
fn hash(key: &str) -> [u8; 32] {
    *blake3::hash(key.as_bytes()).as_bytes()
}

/// Who may call.
#[derive(Debug)]
pub struct Identity {
    /// Whether keys are asked for.
    pub mode: AuthMode,
    /// The known keys.
    pub keys: KeyTable,
}

/// Who calls, and what became of the key that was presented.
#[derive(Debug, PartialEq, Eq)]
pub struct Identified {
    /// Who calls.
    pub caller: Caller,
    /// Whether the presented key is not ours and may be the provider's own.
    pub foreign_key: bool,
    /// What tells that key apart from others.
    pub foreign_hash: Option<KeyHash>,
}

impl Identity {
    /// Resolves a presented key.
    ///
    /// # Errors
    /// `invalid_api_key` where a key is required and none, or an unknown one, was presented.
    pub fn identify(&self, presented: Option<&str>) -> Result<Identified, Error> {
        let hash = match self.mode {
            AuthMode::None => None,
            AuthMode::Required | AuthMode::Optional | AuthMode::Passthrough => presented.map(hash),
        };
        if let Some(name) = hash.as_ref().and_then(|hash| self.keys.name_of(hash)) {
            let caller = Caller { key_name: Some(Arc::clone(name)) };
            return Ok(Identified { caller, foreign_key: false, foreign_hash: None });
        }
        match (self.mode, presented) {
            (AuthMode::Required, None) => Err(Error::new(
                ErrorCode::InvalidApiKey,
                "no API key was presented; send one as `Authorization: Bearer KEY`",
            )),
            (AuthMode::Required, Some(_)) => {
                Err(Error::new(ErrorCode::InvalidApiKey, "the presented API key is not known to this gateway"))
            }
            (AuthMode::None, _) => Ok(Identified { caller: Caller::ANONYMOUS, foreign_key: false, foreign_hash: None }),
            (AuthMode::Optional | AuthMode::Passthrough, presented) => {
                let foreign_hash = hash.and_then(|hash| hash.first_chunk().copied());
                Ok(Identified { caller: Caller::ANONYMOUS, foreign_key: presented.is_some(), foreign_hash })
            }
        }
    }

    /// Whether a request without a key of ours can be served at all.
    pub fn allows_anonymous(&self) -> bool {
        self.mode != AuthMode::Required
    }
}

#[cfg(test)]
mod tests {
    use gw_config::config::Spanned;
    use gw_config::diagnostic::Place;
    use gw_config::secret::Secret;

    use super::*;

    fn identity(mode: AuthMode) -> Identity {
        let place = Place { file: None, line: 1, column: 1 };
        let name = Spanned { value: "app".to_owned(), place };
        let keys = KeyTable::new(&[NamedKey { name, key: Secret::new("sk-gateway-0123456789".to_owned()) }]);
        Identity { mode, keys }
    }

    #[test]
    fn each_mode_decides_what_a_key_of_ours_a_foreign_one_and_none_mean() {
        let ours = Some("sk-gateway-0123456789");
        let foreign = Some("sk-somebody-else");
        // (mode, presented) -> (key name, foreign key), or refused
        let cases = [
            (AuthMode::Required, ours, Some((Some("app"), false))),
            (AuthMode::Required, foreign, None),
            (AuthMode::Required, None, None),
            (AuthMode::Optional, ours, Some((Some("app"), false))),
            (AuthMode::Optional, foreign, Some((None, true))),
            (AuthMode::Optional, None, Some((None, false))),
            (AuthMode::Passthrough, ours, Some((Some("app"), false))),
            (AuthMode::Passthrough, foreign, Some((None, true))),
            (AuthMode::None, ours, Some((None, false))),
            (AuthMode::None, foreign, Some((None, false))),
        ];
        for (mode, presented, expected) in cases {
            let identified = identity(mode).identify(presented).ok();
            let got = identified.map(|who| (who.caller.key_name.map(|name| name.to_string()), who.foreign_key));
            let expected = expected.map(|(name, foreign)| (name.map(str::to_owned), foreign));
            assert_eq!(got, expected, "{mode:?} {presented:?}");
        }
    }

    #[test]
    fn no_message_repeats_the_key() {
        let error = identity(AuthMode::Required).identify(Some("sk-very-secret")).unwrap_err();
        assert!(!error.to_string().contains("sk-very-secret"));
    }
}
