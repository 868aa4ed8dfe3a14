//! Models and prices that are newer than the built-in ones: a file of the same shape, in which each entry names its
//! provider type. An entry takes the place of the built-in one.

use std::collections::HashMap;
use std::sync::Arc;

use super::ProviderModels;
use super::read::read;
use crate::catalog::Catalog;

/// Models that take the place of built-in ones.
#[derive(Debug, Default)]
pub struct Update {
    providers: HashMap<Box<str>, ProviderModels>,
    count: usize,
}

/// Why a file was not taken. Nothing of it is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// It is not a file of models.
    #[error("the catalogue file cannot be read: {0}")]
    Malformed(String),
    /// It names a provider type that is not known.
    #[error("model \"{model}\" of the catalogue file has the provider \"{provider}\", which is not a provider type")]
    UnknownProvider {
        /// The model.
        model: String,
        /// What it names.
        provider: String,
    },
    /// There is nothing in it.
    #[error("the catalogue file has no models in it")]
    Empty,
}

impl Update {
    /// Reads a file. All of it is checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str, catalog: &Catalog) -> Result<Self, UpdateError> {
        let models = read(text).map_err(|error| UpdateError::Malformed(error.to_string()))?;
        let mut by_type: HashMap<Box<str>, Vec<Arc<super::Model>>> = HashMap::new();
        let count = models.len();
        for (provider, model) in models {
            let Some(entry) = catalog.get(&provider) else {
                let shown = |text: &str| text.chars().take(100).flat_map(char::escape_default).collect();
                return Err(UpdateError::UnknownProvider { model: shown(&model.name), provider: shown(&provider) });
            };
            by_type.entry(Box::from(entry.id.as_str())).or_default().push(Arc::new(model));
        }
        if count == 0 {
            return Err(UpdateError::Empty);
        }
        let providers = by_type.into_iter().map(|(id, models)| (id, ProviderModels::new(models))).collect();
        Ok(Self { providers, count })
    }

    /// How many models it has.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Its models of a provider type.
    pub fn models(&self, type_id: &str) -> Option<&ProviderModels> {
        self.providers.get(type_id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts;
    use super::*;

    const NEWER: &str = "date = \"2027-01-01\"\n[[model]]\nprovider = \"openai\"\nname = \"gpt-4o\"\n\
                         operations = [\"chat\"]\nprice = { input = \"1\", output = \"2\" }\n";

    #[test]
    fn a_newer_entry_takes_the_place_of_the_built_in_one() {
        let catalog = Catalog::builtin();
        let update = Update::read(NEWER, catalog).unwrap();
        let facts = |update, name| facts(catalog, update, "openai", name).unwrap();
        assert_eq!(&*facts(Some(&update), "gpt-4o").model.date, "2027-01-01");
        assert_ne!(&*facts(None, "gpt-4o").model.date, "2027-01-01");
        assert_ne!(&*facts(Some(&update), "gpt-4o-mini").model.date, "2027-01-01");
    }

    #[test]
    fn a_file_with_a_mistake_is_refused_as_a_whole() {
        let read = |text: &str| Update::read(text, Catalog::builtin()).unwrap_err().to_string();
        assert!(read("").contains("no models"));
        assert!(read("not a file").contains("cannot be read"));
        assert!(read(&NEWER.replace("openai", "nobody")).contains("\"nobody\""));
        assert!(
            read(&format!("{NEWER}{}", NEWER.replace("date = \"2027-01-01\"", "").replace("\"1\"", "\"-1\"")))
                .contains("not a decimal")
        );
    }
}
