//! Providers that callers bring keys for: made of the catalogue for one caller's account, and kept by the worker for the
//! requests that follow. Each stands for itself: a key that is refused says nothing about anybody else's.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;

use gw_config::config::{self, Spanned};
use gw_config::diagnostic::Place;
use gw_core::{Error, ErrorCode};
use gw_http::{AddressGuard, Origins};
use gw_providers::auth::Authenticators;
use gw_providers::catalog::{Kind, ProviderType};
use http::Uri;

use super::run::Controlled;
use super::value::wrong;
use super::wish::Own;
use crate::snapshot::{self, Provider, Snapshot};

/// What a worker keeps of each; beyond, all are forgotten and made again.
const KNOWN_MAX: usize = 256;

/// What requests may bring.
pub struct FromRequests {
    /// Whether they may bring keys of their own.
    pub own_keys: bool,
    /// Which addresses they may name for providers that they bring keys for; none if `None`.
    pub hosts: Option<AddressGuard>,
    /// The operator's providers as keys of callers find them, by name: without anything that shows who the operator is.
    pub houses: HashMap<Box<str>, config::Provider>,
    /// Which addresses those may lead to; any if `None`.
    pub houses_at: Option<AddressGuard>,
    /// What is done at those providers where the request does not say so.
    pub routing: config::Routing,
}

/// Where requests go and who we are there: what outlives every snapshot.
#[derive(Clone, Default)]
pub struct Places {
    /// The places.
    pub origins: Arc<Origins>,
    /// Who we are there.
    pub authenticators: Arc<Authenticators>,
}

/// Where a caller has its account.
#[derive(Clone, Copy)]
pub(super) struct Account<'a> {
    /// The type of the provider.
    pub(super) entry: &'static ProviderType,
    /// The operator's provider of this type, if there is one: it is asked where the operator has it.
    pub(super) house: Option<&'a config::Provider>,
    pub(super) own: &'a Own,
}

/// What a worker has made of the routing that requests brought, found by a keyed hash of it.
pub(crate) struct Guests {
    key: [u8; 32],
    known: RefCell<Known>,
}

#[derive(Default)]
struct Known {
    generation: u64,
    ways: HashMap<[u8; 32], Rc<Controlled>>,
    providers: HashMap<[u8; 32], Arc<Provider>>,
}

impl Default for Guests {
    fn default() -> Self {
        let mut key = [0; 32];
        for (index, piece) in key.chunks_exact_mut(8).enumerate() {
            // The keys of a new `RandomState` come from the system's randomness.
            piece.copy_from_slice(&RandomState::new().hash_one(index).to_le_bytes());
        }
        Self { key, known: RefCell::default() }
    }
}

/// A keyed hash of pieces, each with its length before it.
pub(super) struct Pieces(blake3::Hasher);

impl Pieces {
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.0.update(&(piece.len() as u64).to_le_bytes());
        self.0.update(piece);
    }

    pub(super) fn finish(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

impl Guests {
    pub(super) fn pieces(&self) -> Pieces {
        Pieces(blake3::Hasher::new_keyed(&self.key))
    }

    /// What was made of the same routing before.
    pub(super) fn way(&self, snapshot: &Snapshot, hash: &[u8; 32]) -> Option<Rc<Controlled>> {
        let mut known = self.known.borrow_mut();
        if known.generation != snapshot.generation {
            *known = Known { generation: snapshot.generation, ..Known::default() };
        }
        known.ways.get(hash).map(Rc::clone)
    }

    pub(super) fn keep_way(&self, hash: [u8; 32], way: &Rc<Controlled>) {
        keep(&mut self.known.borrow_mut().ways, hash, Rc::clone(way));
    }

    /// The provider of a caller's own account.
    ///
    /// # Errors
    /// `operation_disabled` where callers may not bring this; `invalid_request` where nothing can be made of it.
    pub(super) fn provider(
        &self,
        snapshot: &Snapshot,
        places: &Places,
        account: Account<'_>,
    ) -> Result<Arc<Provider>, Error> {
        let rules = &snapshot.from_requests;
        let named = permit(rules, account)?;
        let hash = self.hash_of(snapshot.slot, account);
        if let Some(known) = self.known.borrow().providers.get(&hash) {
            return Ok(Arc::clone(known));
        }
        let guard = named.or(rules.houses_at.as_ref().filter(|_| account.house.is_some()));
        let made = snapshot::guest(&settings(account), &rules.routing, places, guard);
        let made = made.map_err(|message| {
            Error::new(ErrorCode::InvalidRequest, format!("a provider that the request brings a key for: {message}"))
        })?;
        let made = Arc::new(made);
        keep(&mut self.known.borrow_mut().providers, hash, Arc::clone(&made));
        Ok(made)
    }

    fn hash_of(&self, slot: usize, Account { entry, house, own }: Account<'_>) -> [u8; 32] {
        let mut pieces = self.pieces();
        // Of another environment it may be another.
        pieces.add(&slot.to_le_bytes());
        pieces.add(entry.id.as_bytes());
        pieces.add(house.map_or("", |house| &house.name.value).as_bytes());
        pieces.add(own.api_key.as_ref().map_or("", |key| key.expose()).as_bytes());
        pieces.add(own.host.as_deref().unwrap_or_default().as_bytes());
        for (name, value) in &own.variables {
            pieces.add(name.as_bytes());
            pieces.add(value.as_bytes());
        }
        for (name, value) in &own.credentials {
            pieces.add(name.as_bytes());
            pieces.add(value.expose().as_bytes());
        }
        own.assurances.iter().for_each(|assurance| pieces.add(assurance.as_bytes()));
        pieces.finish()
    }

    /// How much is kept, for tests.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        let known = self.known.borrow();
        (known.ways.len(), known.providers.len())
    }
}

fn keep<T>(known: &mut HashMap<[u8; 32], T>, hash: [u8; 32], value: T) {
    if known.len() >= KNOWN_MAX {
        known.clear();
    }
    known.insert(hash, value);
}

/// Whether a caller may bring this; the addresses that it may lead to where it names one.
fn permit<'a>(
    rules: &'a FromRequests,
    Account { entry, own, .. }: Account<'_>,
) -> Result<Option<&'a AddressGuard>, Error> {
    let disabled = |message: &'static str| Err(Error::new(ErrorCode::OperationDisabled, message));
    if !rules.own_keys {
        return disabled(
            "keys of your own are not taken here; leave them out, or ask the operator (routing.from_requests.own_keys)",
        );
    }
    // Pasted credentials may name files and addresses, which are the operator's to name.
    if own.api_key.as_ref().is_some_and(|key| key.expose().trim_start().starts_with('{')) {
        return Err(wrong("api_key", "must be a key, and not JSON"));
    }
    if entry.kind == Kind::Sandbox {
        return Err(wrong("provider", "needs no key"));
    }
    let Some(host) = &own.host else { return Ok(None) };
    let Some(guard) = &rules.hosts else {
        return disabled("other addresses of providers are not taken here (routing.from_requests.custom_hosts)");
    };
    let is_plain = host.parse::<Uri>().is_ok_and(|uri| {
        let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        has_scheme
            && uri.query().is_none()
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    if !is_plain || host.contains('#') {
        return Err(wrong("custom_host", "must be an http:// or https:// URL without a user, a query or a fragment"));
    }
    Ok(Some(guard))
}

/// The provider of an account: as the operator has it, or as the catalogue knows it where the caller says where it is.
pub(super) fn settings(Account { entry, house, own }: Account<'_>) -> config::Provider {
    let spanned = |value: &str| Spanned { value: value.to_owned(), place: Place::nowhere() };
    let base = house.filter(|_| own.host.is_none()).cloned().unwrap_or_else(|| config::Provider::of_type(&entry.id));
    let mut variables = base.variables;
    let mut is_elsewhere = false;
    // What a type has no use for would be a mistake in a file; clients send what they have.
    for (name, value) in own.variables.iter().filter(|(name, _)| entry.variables.contains_key(*name)) {
        is_elsewhere |= !variables.iter().any(|(known, usual)| known.value == *name && usual.value == **value);
        variables.retain(|(known, _)| known.value != *name);
        variables.push((spanned(name), spanned(value)));
    }
    let endpoint = base.endpoint.filter(|_| !is_elsewhere);
    config::Provider {
        api_key: own.api_key.clone(),
        endpoint: own.host.as_deref().map(spanned).or(endpoint),
        variables,
        credentials: own.credentials.iter().map(|(name, value)| (spanned(name), value.clone())).collect(),
        assurances: base.assurances.into_iter().chain(own.assurances.iter().map(ToString::to_string)).collect(),
        ..base
    }
}
