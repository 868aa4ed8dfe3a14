//! A configured provider as running: everything about it that a request needs, prepared.

use std::sync::Arc;
use std::time::Duration;

use gw_core::Operation;
use gw_dialects::DialectId;
use gw_dialects::chat::{self, Egress};
use gw_http::Origin;
use gw_policy::retry::Retry;
use gw_providers::attempt::{AttemptTimeouts, Destination};
use gw_providers::auth::Authenticator;
use gw_providers::catalog::models::{Model, ProviderModels, Task};
use gw_providers::catalog::{Kind, ProviderType};
use gw_providers::sandbox;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::AllSettings;
use crate::pricing::Described;
use crate::routing::standing::{self, Standing};

/// Whether a provider has a credential of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// It is among the provider's headers, or its authenticator has it.
    Configured,
    /// It needs none.
    NotNeeded,
    /// It needs one and has none: only a key that the client brings can be used.
    Missing,
}

/// A dialect with something in it that this provider alone wants to hear.
pub type OwnEgress = (DialectId, Box<dyn Egress + Send + Sync>);

/// A configured provider.
pub struct Provider {
    /// What it is called everywhere: its name in the configuration, behind that of its environment where that is not the
    /// one in force.
    pub name: Arc<str>,
    /// Its name in the configuration.
    pub known_as: Arc<str>,
    /// The catalogue entry that it is an instance of.
    pub entry: &'static ProviderType,
    /// The entry's id, shared with the records.
    pub type_id: Arc<str>,
    /// Lower comes first where several serve a model.
    pub priority: i64,
    /// Whether the configuration writes its priority.
    pub has_priority: bool,
    /// The only models it serves; whatever the provider knows if empty.
    pub models: Vec<Arc<str>>,
    /// Models that give their answers in pieces only; those that the entry names come besides.
    pub stream_only: Vec<Arc<str>>,
    /// Models that the configuration says something of.
    pub described: Vec<Described>,
    /// Where it is reached.
    pub destination: Destination,
    /// Where it is reached over HTTP/1.1, from which WebSocket begins; `None` if it speaks nothing over that.
    pub upgrades_at: Option<Arc<Origin>>,
    /// How long an attempt may take where nobody else could be asked.
    pub timeouts: AttemptTimeouts,
    /// How long an answer may take to begin, where the operator says so.
    pub first_byte: Option<Duration>,
    /// For a whole attempt.
    pub total_timeout: Duration,
    /// Whether it has a credential.
    pub credential: Credential,
    /// What authenticates each request, where a constant header does not do.
    pub authenticator: Option<Arc<Authenticator>>,
    /// What a person should know where the provider refuses the credential.
    pub hint: Option<Arc<str>>,
    /// Whether callers may use all of its own API with its credential; with a key of their own only if `None`.
    pub passthrough: Option<bool>,
    /// The header that carries a credential, and what stands before the key in it.
    pub credential_header: Option<(HeaderName, &'static str)>,
    /// Headers of every request to it, a constant credential among them.
    pub headers: HeaderMap,
    /// Path of each dialect it speaks.
    pub endpoints: Vec<(DialectId, PathAndQuery)>,
    /// A dialect that it speaks in a way of its own.
    pub egress: Option<OwnEgress>,
    /// What is peculiar to it and to its models.
    pub settings: AllSettings,
    /// How it is tried again.
    pub retry: Retry,
    /// How it stands.
    pub standing: Arc<Standing>,
    /// When it is left out.
    pub standing_rules: Arc<standing::Rules>,
    /// What its operator vouches for, in words that requests may ask for.
    pub assurances: Vec<Arc<str>>,
    /// The credential of the caller that this was made for, and for nobody else.
    pub callers_credential: Option<(HeaderName, HeaderValue)>,
    /// Whether it was made for one caller's account.
    pub callers: bool,
    /// `X-Provider-Used`.
    pub name_header: HeaderValue,
    /// `X-Provider-Type`.
    pub type_header: HeaderValue,
}

impl Provider {
    /// The path of a dialect there; `None` if it does not speak it.
    pub fn endpoint(&self, dialect: DialectId) -> Option<&PathAndQuery> {
        self.endpoints.iter().find(|(spoken, _)| *spoken == dialect).map(|(_, path)| path)
    }

    /// How a dialect is spoken to it; `None` if it is none of chat.
    pub fn egress(&self, dialect: DialectId) -> Option<&dyn Egress> {
        match &self.egress {
            Some((own, egress)) if *own == dialect => Some(&**egress),
            _ => chat::egress(dialect).map(|egress| egress as &dyn Egress),
        }
    }

    /// What a person should know where it refuses our credential.
    pub fn credential_hint(&self) -> Option<String> {
        let constant = || self.hint.as_deref().map(str::to_owned);
        self.authenticator.as_ref().and_then(|authenticator| authenticator.hint()).or_else(constant)
    }

    /// Whether a caller brought it along: what is asked there is on the caller's account.
    pub fn is_callers(&self) -> bool {
        self.callers
    }

    /// Whether requests that do not name it may be sent to it.
    pub fn is_usable(&self) -> bool {
        self.credential != Credential::Missing
    }

    /// The names of models that the catalogue knows there, sorted: those that are described and still served, and those
    /// that are only known by name.
    pub fn known_models(&self) -> Vec<&str> {
        if self.entry.kind == Kind::Sandbox {
            return sandbox::MODELS.iter().map(|model| model.name).collect();
        }
        let described = ProviderModels::builtin(&self.entry.id).into_iter().flat_map(ProviderModels::iter);
        let chats = |model: &&Arc<Model>| self.speaks(model) && model.deprecated.is_none();
        let described = described.filter(chats).map(|model| &*model.name);
        let mut names: Vec<_> = described.chain(self.entry.known_models()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether it can be asked for what a model is for.
    fn speaks(&self, model: &Model) -> bool {
        let operations = [
            (Task::Chat, Operation::Chat),
            (Task::Completion, Operation::Completion),
            (Task::Embedding, Operation::Embeddings),
        ];
        let has = |operation| self.endpoints.iter().any(|(dialect, _)| dialect.operation() == operation);
        operations.into_iter().any(|(task, operation)| model.tasks.has(task) && has(operation))
    }

    /// Whether it serves a model of this name, as far as is known here.
    pub fn serves(&self, model: &str) -> bool {
        let configured = self.models.is_empty() || self.models.iter().any(|known| &**known == model);
        let exists = match self.entry.kind {
            Kind::Http => true,
            Kind::Sandbox => sandbox::is_known(model),
        };
        configured && exists
    }

    /// Whether a model there gives its answers in pieces only.
    pub fn only_streams(&self, model: &str) -> bool {
        let prefixes = &self.entry.models.stream_only;
        self.stream_only.iter().any(|only| &**only == model) || prefixes.iter().any(|prefix| model.starts_with(prefix))
    }

    /// Whether it answers from one region, where models may cost more.
    pub fn is_regional(&self) -> bool {
        let Destination::Origin(origin) = &self.destination else { return false };
        let host = origin.host_header.as_bytes();
        self.entry.regional_hosts.iter().any(|pattern| match pattern.strip_prefix('*') {
            Some(end) => host.ends_with(end.as_bytes()),
            None => host == pattern.as_bytes(),
        })
    }

    /// The value of the credential's header for a key.
    pub fn credential_value(&self, key: &str) -> Option<(HeaderName, HeaderValue)> {
        let (name, prefix) = self.credential_header.as_ref()?;
        let mut value = HeaderValue::try_from(format!("{prefix}{key}")).ok()?;
        value.set_sensitive(true);
        Some((name.clone(), value))
    }
}
