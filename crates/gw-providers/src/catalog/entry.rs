//! One entry of the catalogue: a type of provider, as its file says.

use std::collections::{BTreeMap, HashMap};

use gw_dialects::DialectId;
use gw_dialects::envelope::{self, Envelope};
use gw_dialects::openai_chat::OptionalMember;
use http::HeaderMap;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::auth::Auth;
use super::base_url::Variable;
use crate::quirks::Quirk;

/// A type of provider. A configured provider is an instance of one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderType {
    /// What configurations call it: the name of its file.
    #[serde(skip)]
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How it is reached.
    #[serde(default)]
    pub kind: Kind,
    /// The vendor's documentation.
    pub docs: Option<String>,
    /// Where a person gets a key.
    pub keys_url: Option<String>,
    /// What stands before the dialects' paths; may hold `{variables}`. Must be configured if `None`.
    pub base_url: Option<String>,
    /// The environment variable in which the vendor's own SDK looks for an endpoint.
    pub endpoint_env: Option<String>,
    /// Other names for it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Whether base URL, authentication and paths were confirmed from a page, schema or SDK of the vendor.
    pub verified: bool,
    /// What a person should know before using it; what is unconfirmed, if not verified.
    pub note: Option<String>,
    /// Where the facts come from.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Whether its answers say in dollars what they cost (`usage.cost`).
    #[serde(default)]
    pub tells_cost: bool,
    /// Hosts that answer from one region, where models may cost more: `*` at the beginning stands for anything.
    #[serde(default)]
    pub regional_hosts: Vec<String>,
    /// How a request is authenticated.
    pub auth: Auth,
    /// Headers that every request must have.
    #[serde(default, deserialize_with = "headers")]
    pub headers: HeaderMap,
    /// The variables of `base_url`.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    /// Its models.
    #[serde(default)]
    pub models: Models,
    /// What it speaks.
    #[serde(deserialize_with = "dialects")]
    dialects: Vec<(DialectId, DialectEntry)>,
}

/// How a provider is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Over HTTP.
    #[default]
    Http,
    /// It is built in.
    Sandbox,
}

/// The models of a provider.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// Current models by their bare names, sorted.
    #[serde(default)]
    pub known: Vec<String>,
    /// How names of models begin that belong to this maker alone, sorted.
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// The type whose models are deployed there, under names that the operator chooses and that usually are theirs.
    #[serde(default)]
    pub deployed: Option<String>,
    /// How names of models begin that give their answers in pieces only, sorted: clients that ask for no stream get the
    /// answer gathered.
    #[serde(default)]
    pub stream_only: Vec<String>,
}

/// A dialect as a provider speaks it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialectEntry {
    /// The path, after the base URL.
    pub path: String,
    /// Whether answers come in pieces only.
    #[serde(default)]
    pub stream: Streaming,
    /// How usage is learned from a stream.
    #[serde(default)]
    pub stream_usage: StreamUsage,
    /// Whether the provider holds conversations (`thread` of Anthropic's Messages); the gateway does it for others.
    #[serde(default)]
    pub holds_threads: bool,
    /// What is changed in a request.
    #[serde(default)]
    pub quirks: Vec<Quirk>,
    /// Which members of messages are known there, of those that not every provider knows.
    #[serde(default)]
    pub knows: Vec<OptionalMember>,
    /// The only models that it is spoken with, by a part of their names; all if empty.
    #[serde(default)]
    pub models: Vec<String>,
    /// Models that it is not spoken with, by a part of their names.
    #[serde(default)]
    pub except_models: Vec<String>,
    /// Whether it is for clients of the same dialect alone: others are served in another that the provider speaks.
    #[serde(default)]
    pub own_clients_only: bool,
    /// The only models that can be asked in it to search the web, by a part of their names; every one of those that search
    /// at all if `None`, none if empty.
    pub search_models: Option<Vec<String>>,
    /// How a model is asked in it to go on with a text; not at all if `None`. Which models can is a fact of theirs
    /// (`prefill`).
    pub prefill: Option<Prefill>,
    /// The name of what stands around it.
    #[serde(default, rename = "envelope")]
    envelope_name: Option<String>,
    /// What stands around it.
    #[serde(skip)]
    pub envelope: Option<&'static dyn Envelope>,
}

/// How a model is asked to go on with the text that the last message begins, which is the model's own. What is not said
/// here needs no saying.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prefill {
    /// Members of that message.
    #[serde(default)]
    pub message: Map<String, Value>,
    /// Members of the body.
    #[serde(default)]
    pub body: Map<String, Value>,
    /// The path, after the host, where it is not the dialect's.
    pub path: Option<String>,
    /// Whether the answer begins with that text, rather than behind it.
    #[serde(default)]
    pub repeats: bool,
}

/// Whether answers come in pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Streaming {
    /// If a stream is asked for.
    #[default]
    Optional,
    /// Always: a request that asks for no stream is refused.
    Only,
}

/// How usage is learned from a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamUsage {
    /// It comes if `stream_options.include_usage` asks for it.
    Option,
    /// It comes unasked; the gateway does not add the option.
    Always,
    /// It does not come, or nothing is streamed.
    #[default]
    None,
}

impl ProviderType {
    /// Reads an entry.
    ///
    /// # Errors
    /// What is wrong with it and where.
    pub(super) fn read(id: &str, text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text).map(|entry| Self { id: id.to_owned(), ..entry })
    }

    /// How it speaks a dialect with a model; `None` if it does not.
    pub fn dialect(&self, dialect: DialectId, model: &str) -> Option<&DialectEntry> {
        self.dialects.iter().find(|(id, entry)| *id == dialect && entry.holds_for(model)).map(|(_, entry)| entry)
    }

    /// What it speaks with a model, whoever asks.
    pub fn dialects_of<'a>(&'a self, model: &'a str) -> impl Iterator<Item = (DialectId, &'a DialectEntry)> {
        self.dialects().filter(move |(_, entry)| !entry.own_clients_only && entry.holds_for(model))
    }

    /// What it speaks.
    pub fn dialects(&self) -> impl ExactSizeIterator<Item = (DialectId, &DialectEntry)> {
        self.dialects.iter().map(|(id, entry)| (*id, entry))
    }

    /// Current models by their bare names, sorted.
    pub fn known_models(&self) -> impl ExactSizeIterator<Item = &str> {
        self.models.known.iter().map(String::as_str)
    }

    /// The environment variables that may hold a key, in the order in which they are looked at.
    pub fn credential_variables(&self) -> &[String] {
        self.auth.env()
    }
}

impl DialectEntry {
    /// Whether it is spoken with a model of this name.
    pub fn holds_for(&self, model: &str) -> bool {
        let any = |parts: &[String]| parts.iter().any(|part| model.contains(part.as_str()));
        (self.models.is_empty() || any(&self.models)) && !any(&self.except_models)
    }

    /// Whether a model of this name can be asked in it to search the web, if it does so at all.
    pub fn searches_with(&self, model: &str) -> bool {
        self.search_models.as_deref().is_none_or(|parts| parts.iter().any(|part| model.contains(part.as_str())))
    }
}

fn dialects<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(DialectId, DialectEntry)>, D::Error> {
    let written = BTreeMap::<String, DialectEntry>::deserialize(deserializer)?;
    let named = |(name, mut entry): (String, DialectEntry)| {
        let id =
            DialectId::from_name(&name).ok_or_else(|| de::Error::custom(format!("there is no dialect `{name}`")))?;
        if let Some(around) = &entry.envelope_name {
            let known = envelope::around(around, id);
            entry.envelope = Some(
                known.ok_or_else(|| de::Error::custom(format!("there is no envelope `{around}` around `{name}`")))?,
            );
        }
        Ok((id, entry))
    };
    written.into_iter().map(named).collect()
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderMap, D::Error> {
    let written = HashMap::<String, String>::deserialize(deserializer)?;
    HeaderMap::try_from(&written).map_err(|error: http::Error| de::Error::custom(format!("headers: {error}")))
}

#[cfg(test)]
mod tests {
    use gw_core::Operation;

    use super::super::Catalog;
    use super::*;

    #[test]
    fn the_model_decides_which_dialects_are_spoken_with_it() {
        let spoken = |id: &str, model: &str| -> Vec<&str> {
            let entry = Catalog::builtin().get(id).unwrap();
            let of_chat = entry.dialects_of(model).filter(|(dialect, _)| dialect.operation() == Operation::Chat);
            of_chat.map(|(dialect, _)| dialect.name()).collect()
        };
        assert_eq!(spoken("vertex", "claude-sonnet-4-5@20250929"), ["anthropic_messages"]);
        assert_eq!(spoken("vertex", "google/gemini-2.5-flash"), ["gemini"]);
        assert_eq!(spoken("vertex", "meta/llama-4-scout-17b-16e-instruct-maas"), ["openai_chat"]);
        // Bedrock serves Claude in its own format to those who speak it, and in Converse to everybody else.
        let claude = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
        assert_eq!(spoken("bedrock", claude), ["bedrock_converse"]);
        let bedrock = Catalog::builtin().get("bedrock").unwrap();
        assert!(bedrock.dialect(DialectId::AnthropicMessages, claude).is_some());
        assert!(bedrock.dialect(DialectId::AnthropicMessages, "amazon.nova-pro-v1:0").is_none());
    }

    #[test]
    fn an_entry_that_says_something_unknown_is_refused() {
        let base = "name = \"X\"\nverified = true\n";
        for (rest, wanted) in [
            ("colour = 1\n[auth]\nkind = \"none\"\n[dialects]", "colour"),
            ("[auth]\nkind = \"none\"\nheader = \"x\"\n[dialects]", "for kind `header` and"),
            ("[auth]\nkind = \"none\"\n[headers]\n\"a b\" = \"x\"\n[dialects]", "headers: "),
            ("[auth]\nkind = \"header\"\n[dialects]", "needs `header`"),
            ("[auth]\nkind = \"header\"\nheader = \"a b\"\n[dialects]", "not the name of a header"),
            ("[auth]\nkind = \"none\"\n[dialects.morse]\npath = \"/\"", "no dialect `morse`"),
            ("[auth]\nkind = \"none\"\n[dialects.gemini]\npath = \"/\"\nenvelope = \"bedrock\"", "envelope `bedrock`"),
            ("[auth]\nkind = \"none\"\n[dialects.openai_chat]\npath = \"/\"\nquirks = [{ shout = \"x\" }]", "shout"),
        ] {
            let error = ProviderType::read("x", &format!("{base}{rest}")).unwrap_err().to_string();
            assert!(error.contains(wanted), "{rest}: {error}");
        }
    }
}
