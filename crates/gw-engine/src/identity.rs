//! Who is calling: from the key that was presented to a caller.

use std::borrow::Cow;
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

    fn knows(&self, hash: &[u8; 32]) -> bool {
        self.by_hash.contains_key(hash)
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
    /// Whether callers may bring keys of their own for providers.
    pub own_keys: bool,
}

/// The keys that a request presents.
pub struct Presented<'a> {
    /// In headers that hold the key of a gateway and nothing else, so that the usual place is free for a provider's.
    pub house: [Option<&'a str>; 2],
    /// Where SDKs put the key of whoever they speak to: the gateway's, or a provider's.
    pub usual: Option<Cow<'a, str>>,
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
    /// Whether a key was presented beside ours that may not be used here.
    pub unused_key: bool,
}

impl Identity {
    /// Resolves the keys that were presented. One of ours in a header of its own says who calls, and what stands in the
    /// usual place is a provider's. A key in such a header that is not ours is another gateway's, and is not looked at.
    ///
    /// # Errors
    /// `invalid_api_key` where a key is required and none, or an unknown one, was presented; or two different ones of
    /// ours.
    pub fn identify(&self, presented: &Presented<'_>) -> Result<Identified, Error> {
        let usual = presented.usual.as_deref();
        if self.mode == AuthMode::None || presented.house.iter().all(Option::is_none) {
            return self.identify_key(usual);
        }
        let mut house = presented.house.iter().flatten().map(|key| hash(key)).filter(|hash| self.keys.knows(hash));
        let Some(ours) = house.next() else {
            let has_unknown = usual.is_none() && self.mode == AuthMode::Required;
            return if has_unknown { Err(unknown_key()) } else { self.identify_key(usual) };
        };
        let usual_hash = usual.map(hash);
        if house.chain(usual_hash.filter(|hash| self.keys.knows(hash))).any(|other| other != ours) {
            let message = "two different API keys of this gateway were presented; send one";
            return Err(Error::new(ErrorCode::InvalidApiKey, message));
        }
        let caller = Caller { key_name: self.keys.name_of(&ours).cloned() };
        let has_other = usual_hash.is_some_and(|hash| hash != ours);
        let foreign_key = has_other && (self.own_keys || self.mode != AuthMode::Required);
        Ok(Identified { caller, foreign_key, foreign_hash: None, unused_key: has_other && !foreign_key })
    }

    /// Whether a key is one of ours.
    pub fn is_ours(&self, key: &str) -> bool {
        self.mode != AuthMode::None && self.keys.knows(&hash(key))
    }

    /// Resolves the one key that was presented.
    fn identify_key(&self, presented: Option<&str>) -> Result<Identified, Error> {
        let hash = match self.mode {
            AuthMode::None => None,
            AuthMode::Required | AuthMode::Optional | AuthMode::Passthrough => presented.map(hash),
        };
        if let Some(name) = hash.as_ref().and_then(|hash| self.keys.name_of(hash)) {
            let caller = Caller { key_name: Some(Arc::clone(name)) };
            return Ok(Identified { caller, foreign_key: false, foreign_hash: None, unused_key: false });
        }
        let anonymous = |foreign_key, foreign_hash| {
            Ok(Identified { caller: Caller::ANONYMOUS, foreign_key, foreign_hash, unused_key: false })
        };
        match (self.mode, presented) {
            (AuthMode::Required, None) => Err(Error::new(
                ErrorCode::InvalidApiKey,
                "no API key was presented; send one as `Authorization: Bearer KEY`",
            )),
            (AuthMode::Required, Some(_)) => Err(unknown_key()),
            (AuthMode::None, _) => anonymous(false, None),
            (AuthMode::Optional | AuthMode::Passthrough, presented) => {
                anonymous(presented.is_some(), hash.and_then(|hash| hash.first_chunk().copied()))
            }
        }
    }

    /// Whether a request without a key of ours can be served at all.
    pub fn allows_anonymous(&self) -> bool {
        self.mode != AuthMode::Required
    }
}

fn unknown_key() -> Error {
    Error::new(ErrorCode::InvalidApiKey, "the presented API key is not known to this gateway")
}

#[cfg(test)]
mod tests {
    use gw_config::config::Spanned;
    use gw_config::diagnostic::Place;
    use gw_config::secret::Secret;

    use super::*;

    const OURS: &str = "sk-gateway-0123456789";

    fn identity(mode: AuthMode) -> Identity {
        let place = Place { file: None, line: 1, column: 1 };
        let key = |name: &str, key: &str| NamedKey {
            name: Spanned { value: name.to_owned(), place: place.clone() },
            key: Secret::new(key.to_owned()),
            environments: Vec::new(),
        };
        let keys = KeyTable::new(&[key("app", OURS), key("other", "sk-gateway-other-56789")]);
        Identity { mode, keys, own_keys: false }
    }

    fn usual(key: Option<&str>) -> Presented<'_> {
        Presented { house: [None; 2], usual: key.map(Cow::Borrowed) }
    }

    #[test]
    fn each_mode_decides_what_a_key_of_ours_a_foreign_one_and_none_mean() {
        let ours = Some(OURS);
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
            let identified = identity(mode).identify(&usual(presented)).ok();
            let got = identified.map(|who| (who.caller.key_name.map(|name| name.to_string()), who.foreign_key));
            let expected = expected.map(|(name, foreign)| (name.map(str::to_owned), foreign));
            assert_eq!(got, expected, "{mode:?} {presented:?}");
        }
    }

    #[test]
    fn no_message_repeats_the_key() {
        let error = identity(AuthMode::Required).identify(&usual(Some("sk-very-secret"))).unwrap_err();
        assert!(!error.to_string().contains("sk-very-secret"));
    }
    #[test]
    fn a_header_of_its_own_for_our_key_leaves_the_usual_place_to_a_providers() {
        let other = "sk-gateway-other-56789";
        // (mode, own header, usual place, callers' keys allowed) -> (key name, foreign key, unused key), or refused
        let cases = [
            (AuthMode::Required, OURS, Some("sk-theirs"), true, Some((Some("app"), true, false))),
            (AuthMode::Required, OURS, Some("sk-theirs"), false, Some((Some("app"), false, true))),
            (AuthMode::Required, OURS, Some(OURS), false, Some((Some("app"), false, false))),
            (AuthMode::Required, OURS, None, false, Some((Some("app"), false, false))),
            (AuthMode::Required, OURS, Some(other), true, None),
            (AuthMode::Required, "pk-another-gateways", Some(OURS), false, Some((Some("app"), false, false))),
            (AuthMode::Required, "pk-another-gateways", None, false, None),
            (AuthMode::Required, "pk-another-gateways", Some("sk-theirs"), true, None),
            (AuthMode::Optional, OURS, Some("sk-theirs"), false, Some((Some("app"), true, false))),
            (AuthMode::Optional, "pk-another-gateways", None, true, Some((None, false, false))),
            (AuthMode::Optional, "pk-another-gateways", Some("sk-theirs"), true, Some((None, true, false))),
            (AuthMode::None, OURS, Some("sk-theirs"), true, Some((None, false, false))),
        ];
        for (mode, house, in_usual, own_keys, expected) in cases {
            let identity = Identity { own_keys, ..identity(mode) };
            let presented = Presented { house: [None, Some(house)], ..usual(in_usual) };
            let identified = identity.identify(&presented).ok();
            let got = identified
                .map(|who| (who.caller.key_name.map(|name| name.to_string()), who.foreign_key, who.unused_key));
            let expected = expected.map(|(name, foreign, unused)| (name.map(str::to_owned), foreign, unused));
            assert_eq!(got, expected, "{mode:?} {house} {in_usual:?} {own_keys}");
        }
        let two = Presented { house: [Some(OURS), Some(other)], usual: None };
        assert!(identity(AuthMode::Required).identify(&two).is_err(), "nobody knows who calls");
    }
}
