//! The models of the catalogue: what each can do and what it costs, from the files of `catalog/models`.
//!
//! A provider type's models are read when first asked for: a gateway that talks to two providers reads two files. The
//! shape of a file is in [`mod@read`], what a name may leave out in [`mod@names`].

mod described;
mod model;
mod names;
mod read;
#[cfg(test)]
mod soundness;
mod update;

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, LazyLock, OnceLock};

use flate2::read::DeflateDecoder;
use gw_core::Price;

pub use described::Described;
pub use model::{Capabilities, Capability, Modalities, Modality, Model, Task, Tasks, Tier};
pub use update::{Update, UpdateError};

use super::Catalog;

/// Id and text of every file, deflated, sorted by id.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/models.rs"));

static BUILTIN: LazyLock<HashMap<&str, Lazy>> =
    LazyLock::new(|| FILES.iter().map(|(id, text)| (*id, Lazy { text, models: OnceLock::new() })).collect());

/// A file that is read when first asked for.
struct Lazy {
    text: &'static [u8],
    models: OnceLock<ProviderModels>,
}

/// The models of one provider type.
#[derive(Debug, Default)]
pub struct ProviderModels {
    /// Sorted by name.
    models: Vec<Arc<Model>>,
    /// From aliases to an index into `models`.
    aliases: HashMap<Box<str>, usize>,
}

/// What is known of a model at a provider.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What it can do.
    pub model: Arc<Model>,
    /// What it costs there; `None` if that is not known.
    pub price: Option<Arc<Price>>,
}

impl ProviderModels {
    /// The models that are built in for a provider type, if there is a file of it.
    pub fn builtin(type_id: &str) -> Option<&'static ProviderModels> {
        let file = BUILTIN.get(type_id)?;
        Some(file.models.get_or_init(|| Self::inflated(file.text)))
    }

    /// Every model, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Model>> {
        self.models.iter()
    }

    /// The model that a name means, if it says exactly one of the names.
    pub fn get(&self, name: &str) -> Option<&Arc<Model>> {
        let index = self.models.binary_search_by(|model| model.name.as_ref().cmp(name)).ok();
        self.models.get(index.or_else(|| self.aliases.get(name).copied())?)
    }

    /// The model that a name means, where it may be dated, placed in a region or folder, or say less than that.
    pub fn find(&self, name: &str) -> Option<&Arc<Model>> {
        if let Some(model) = self.get(name) {
            return Some(model);
        }
        if let Some(model) = names::plainer(name).iter().find_map(|plainer| self.get(plainer)) {
            return Some(model);
        }
        // Of several that say more, the last in order is the one with the latest date.
        self.models.iter().rev().find(|model| names::says_more(&model.name, name))
    }

    fn new(mut models: Vec<Arc<Model>>) -> Self {
        models.sort_by(|one, other| one.name.cmp(&other.name));
        let named = |(index, model): (usize, &Arc<Model>)| {
            let aliases: Vec<_> = model.aliases.iter().map(|alias| (alias.clone(), index)).collect();
            aliases
        };
        let aliases = models.iter().enumerate().flat_map(named).collect();
        Self { models, aliases }
    }

    /// A file that cannot be read has no models: a test keeps the built-in ones sound.
    fn inflated(text: &[u8]) -> Self {
        let mut inflated = String::new();
        if DeflateDecoder::new(text).read_to_string(&mut inflated).is_err() {
            return Self::default();
        }
        let read = read::read(&inflated).unwrap_or_default();
        Self::new(read.into_iter().map(|(_, model)| Arc::new(model)).collect())
    }
}

/// What the catalogue, brought up to date, knows of a model at a provider of that type.
///
/// A provider that serves models of others as `vendor/model` and has no file of its own, or none that knows the model, is
/// told apart: what the model can do is its maker's to say, what it costs there is not known.
pub fn facts(catalog: &Catalog, update: Option<&Update>, type_id: &str, name: &str) -> Option<Facts> {
    let own = |type_id: &str, name: &str| {
        let updated = update.and_then(|update| update.models(type_id)).and_then(|models| models.find(name));
        updated.or_else(|| ProviderModels::builtin(type_id)?.find(name)).cloned()
    };
    if let Some(model) = own(type_id, name) {
        let price = model.price.clone();
        return Some(Facts { model, price });
    }
    let (vendor, rest) = name.split_once('/')?;
    let maker = catalog.get(vendor)?;
    // Routers put how to route behind a colon: `openai/gpt-4o:floor`.
    let rest = rest.split_once(':').map_or(rest, |(model, _)| model);
    own(&maker.id, rest).map(|model| Facts { model, price: None })
}

/// Whether two names mean the same model at a provider of that type: as the catalogue knows them, or where it knows one of
/// them at most, by what their names may leave out.
pub fn is_same(type_id: &str, one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let models = ProviderModels::builtin(type_id);
    let exact = |name: &str| models.and_then(|models| models.get(name)).map(|model| &model.name);
    if let (Some(one), Some(other)) = (exact(one), exact(other)) {
        return one == other;
    }
    let plainer = |long: &str, short: &str| names::plainer(long).iter().any(|name| name == short);
    plainer(one, other) || plainer(other, one)
}

/// The ids of the provider types that have a file.
pub fn ids() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(id, _)| *id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(type_id: &str, name: &str) -> Option<String> {
        facts(Catalog::builtin(), None, type_id, name).map(|facts| facts.model.name.to_string())
    }

    #[test]
    fn a_model_is_found_by_every_way_of_naming_it() {
        for (type_id, name, expected) in [
            ("openai", "gpt-4o", "gpt-4o"),
            ("openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
            ("openai", "gpt-4o-2031-01-01", "gpt-4o"),
            ("openai", "ft:gpt-4o-2024-08-06:acme::abc", "ft:gpt-4o-2024-08-06"),
            ("azure-openai", "gpt-35-turbo", "gpt-35-turbo"),
            ("azure-openai", "gpt-4.1-2025-04-14", "gpt-4.1"),
            ("anthropic", "claude-sonnet-4-5-20991231", "claude-sonnet-4-5"),
            ("anthropic", "claude-opus-5-5-latest", "claude-opus-5-5"),
            ("gemini", "models/gemini-2.5-pro", "gemini-2.5-pro"),
            ("watsonx", "granite-13b-chat-v2", "ibm/granite-13b-chat-v2"),
            ("watsonx", "ibm/granite-13b-chat-v2", "ibm/granite-13b-chat-v2"),
            ("openrouter", "anthropic/claude-opus-5-5", "claude-opus-5-5"),
            ("openrouter", "openai/gpt-4o:floor", "gpt-4o"),
            ("openrouter", "google/gemini-2.5-pro", "gemini-2.5-pro"),
        ] {
            assert_eq!(found(type_id, name).as_deref(), Some(expected), "{type_id} {name}");
        }
        for (type_id, name) in
            [("openai", "no-such-model"), ("openai", ""), ("no-such-type", "gpt-4o"), ("openai", "gpt")]
        {
            assert_eq!(found(type_id, name), None, "{type_id} {name}");
        }
    }

    #[test]
    fn what_others_serve_of_a_maker_has_its_abilities_and_no_price_that_is_known() {
        let facts = facts(Catalog::builtin(), None, "openrouter", "openai/gpt-4o").unwrap();
        assert!(facts.model.can.has(Capability::Tools) && facts.price.is_none());
    }
}
