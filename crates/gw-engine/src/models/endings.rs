//! Words behind a colon that are nobody's: `gpt-4o:foo` is no model of OpenAI's, and would be asked for at an unknown price.

use gw_providers::catalog::models::ProviderModels;

use super::Models;
use crate::routing::control;
use crate::snapshot::Provider;

/// Types of providers that put versions, adapters or whom to ask behind a colon, in names that the catalogue need not know.
const NAMES_WITH_COLONS: [&str; 4] = ["bedrock", "deepinfra", "huggingface", "nebius"];

/// Whether a name is a known model's with a word behind it that means nothing at a provider. What an operator has written
/// of the provider's models means something.
pub(super) fn is_unknown(provider: &Provider, name: &str) -> bool {
    let Some((bare, _)) = name.split_once(':') else { return false };
    let id = provider.entry.id.as_str();
    let is_written = || {
        provider.models.iter().any(|model| **model == *name)
            || provider.described.iter().any(|described| *described.name == *name)
    };
    let is_known = |models: &ProviderModels| models.find(bare).is_some() && models.find(name).is_none();
    !control::has_own_suffixes(provider)
        && !NAMES_WITH_COLONS.contains(&id)
        && !is_written()
        && ProviderModels::builtin(id).is_some_and(is_known)
}

impl Models {
    /// What may be meant by a name with an unknown word behind it: the model with the suffix nearest to the word, and
    /// without any.
    pub(super) fn near_ending(&self, name: &str) -> Vec<String> {
        let Some((bare, word)) = name.split_once(':') else { return Vec::new() };
        if self.find(bare, None, &self.plain).is_err() {
            return Vec::new();
        }
        let suffixed = control::near_suffix(word).map(|suffix| format!("{bare}:{suffix}"));
        suffixed.into_iter().chain([bare.to_owned()]).collect()
    }
}
