//! The catalogue: every type of provider that the gateway knows, read from the files of `catalog/`.
//!
//! An id or an alias names one type. A model's bare name may be served by several; [`Catalog::known_model`] says in
//! which order they are meant.

mod auth;
mod base_url;
mod entry;
pub mod models;
mod reference;
#[cfg(test)]
mod soundness;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use auth::{Auth, AuthWay};
pub use base_url::{BaseUrlError, Variable};
pub use entry::{DialectEntry, Kind, Models, Prefill, ProviderType, StreamUsage, Streaming};
pub use reference::reference;

/// Id and text of every entry, sorted by id.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/catalog.rs"));

static BUILTIN: LazyLock<Catalog> = LazyLock::new(|| Catalog::read(FILES));

/// The types of providers.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Sorted by id.
    types: Vec<ProviderType>,
    /// From ids and aliases to an index into `types`.
    names: HashMap<String, usize>,
    /// From the models that somebody lists to what `claims` says of them: requests ask.
    owners: HashMap<String, Vec<usize>>,
    mistakes: Vec<String>,
}

impl Catalog {
    /// The catalogue that is built in, read when first asked for.
    pub fn builtin() -> &'static Catalog {
        &BUILTIN
    }

    /// The type with this id or alias.
    pub fn get(&self, id_or_alias: &str) -> Option<&ProviderType> {
        self.types.get(*self.names.get(id_or_alias)?)
    }

    /// Every type, sorted by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ProviderType> {
        self.types.iter()
    }

    /// Every id and alias, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.names.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The types that serve a model by its bare name, the likeliest first: its maker, others that list it, and last a
    /// maker that is known by the beginning of the name only.
    pub fn known_model(&self, model: &str) -> Vec<&ProviderType> {
        let at = |index: &usize| self.types.get(*index);
        match self.owners.get(model) {
            Some(owners) => owners.iter().filter_map(at).collect(),
            None => self.claims(model).iter().filter_map(at).collect(),
        }
    }

    /// What is wrong with the files; such entries are left out. A test keeps this empty for the built-in catalogue.
    pub fn mistakes(&self) -> &[String] {
        &self.mistakes
    }

    fn read(files: &[(&str, &str)]) -> Self {
        let mut catalog = Self::default();
        for (id, text) in files {
            match ProviderType::read(id, text) {
                Ok(entry) => catalog.add(entry),
                Err(error) => catalog.mistakes.push(format!("catalog/{id}.toml: {error}")),
            }
        }
        let models = catalog.types.iter().flat_map(|entry| &entry.models.known);
        catalog.owners = models.map(|model| (model.clone(), catalog.claims(model))).collect();
        catalog
    }

    fn add(&mut self, entry: ProviderType) {
        let index = self.types.len();
        for name in std::iter::once(&entry.id).chain(&entry.aliases) {
            if let Some(other) = self.names.insert(name.clone(), index) {
                let other = self.types.get(other).map_or(&entry.id, |other| &other.id);
                self.mistakes.push(format!("catalog/{}.toml: `{name}` already names {other}", entry.id));
            }
        }
        self.types.push(entry);
    }

    /// The types that claim a model, the surest first and by id where they are equally sure.
    fn claims(&self, model: &str) -> Vec<usize> {
        let claim = |(index, entry): (usize, &ProviderType)| Some((entry.models.claim(model)?, index));
        let mut claims: Vec<_> = self.types.iter().enumerate().filter_map(claim).collect();
        claims.sort_unstable();
        claims.into_iter().map(|(_, index)| index).collect()
    }
}

/// How sure it is that a type serves a model; the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ModelClaim {
    /// It is listed, and its maker names models so.
    Maker,
    /// It is listed.
    Listed,
    /// Its maker names models so.
    Named,
}

impl Models {
    fn claim(&self, model: &str) -> Option<ModelClaim> {
        let listed = self.known.binary_search_by(|known| known.as_str().cmp(model)).is_ok();
        let named = self.prefixes.iter().any(|prefix| model.starts_with(prefix.as_str()));
        match (listed, named) {
            (true, true) => Some(ModelClaim::Maker),
            (true, false) => Some(ModelClaim::Listed),
            (false, true) => Some(ModelClaim::Named),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(model: &str) -> Vec<&'static str> {
        Catalog::builtin().known_model(model).iter().map(|entry| entry.id.as_str()).collect()
    }

    #[test]
    fn a_provider_is_found_by_its_id_and_by_every_name_that_sources_use_for_it() {
        for (name, id) in [
            ("openai", "openai"),
            ("azure", "azure-openai"),
            ("azure-openai", "azure-openai"),
            ("qwen", "dashscope"),
            ("dashscope", "dashscope"),
            ("zai", "zhipu"),
            ("z-ai", "zhipu"),
            ("kimi", "moonshot"),
            ("doubao", "volcengine-ark"),
            ("volcengine", "volcengine-ark"),
            ("nvidia", "nvidia-nim"),
            ("github", "github-models"),
            ("hf", "huggingface"),
            ("cloudflare", "cloudflare-workers-ai"),
            ("workers-ai", "cloudflare-workers-ai"),
            ("together-ai", "together"),
            ("fireworks-ai", "fireworks"),
        ] {
            assert_eq!(Catalog::builtin().get(name).map(|entry| entry.id.as_str()), Some(id), "{name}");
        }
        assert!(Catalog::builtin().get("OpenAI ").is_none());
    }

    #[test]
    fn a_model_that_several_list_is_its_makers_first() {
        assert_eq!(ids("gpt-4o"), ["openai", "azure-openai"]);
        assert_eq!(ids("MiniMax-M2.7"), ["minimax", "sambanova"]);
    }

    #[test]
    fn a_model_without_a_maker_here_goes_to_those_who_list_it_by_id() {
        assert_eq!(ids("gpt-oss-120b"), ["cerebras", "sambanova"]);
    }

    #[test]
    fn whoever_lists_a_model_comes_before_a_maker_who_only_names_models_so() {
        assert_eq!(ids("glm-4-7-251222"), ["volcengine-ark", "zhipu"]);
    }

    #[test]
    fn a_model_too_new_for_the_list_is_its_makers() {
        assert_eq!(ids("gpt-7.2-nova"), ["openai"]);
        assert_eq!(ids("mistral-large-2712"), ["mistral"]);
        assert_eq!(ids("no-such-model"), [""; 0]);
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_left_out_and_named() {
        let entry = "name = \"X\"\nverified = true\naliases = [\"b\"]\n[auth]\nkind = \"none\"\n[dialects]\n";
        let catalog = Catalog::read(&[("a", entry), ("b", entry), ("c", "name = \"C\"\ncolour = 1")]);
        assert_eq!(catalog.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(catalog.mistakes().len(), 3, "{:?}", catalog.mistakes());
        assert!(catalog.mistakes()[0].contains("`b` already names a"), "{:?}", catalog.mistakes());
        assert!(catalog.mistakes()[2].starts_with("catalog/c.toml: "), "{:?}", catalog.mistakes());
    }
}
