//! What an operator says of a model: it takes the place of what the catalogue knows.

use std::sync::Arc;

use super::{Capabilities, Capability, Facts, Modalities, Modality, Model, Task};

/// What an operator says of a model. What is left out is as in the catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// Tokens that prompt and answer may have.
    pub context_tokens: Option<u64>,
    /// Tokens that an answer may have.
    pub output_tokens_max: Option<u64>,
    /// What it reads.
    pub input: Option<Modalities>,
    /// What it can do.
    pub can: Option<Capabilities>,
}

impl Described {
    /// The modalities of these words; `None` for none.
    ///
    /// # Errors
    /// A word that is none.
    pub fn modalities(words: &[String]) -> Result<Option<Modalities>, String> {
        let one = |word: &String| {
            Modality::from_name(word)
                .ok_or_else(|| unknown(word, "modality", Modality::ALL.iter().map(|one| one.name())))
        };
        words.iter().map(one).collect::<Result<_, _>>().map(|all| (!words.is_empty()).then_some(all))
    }

    /// The capabilities of these words; `None` for none.
    ///
    /// # Errors
    /// A word that is none.
    pub fn capabilities(words: &[String]) -> Result<Option<Capabilities>, String> {
        let one = |word: &String| {
            Capability::from_name(word)
                .ok_or_else(|| unknown(word, "capability", Capability::ALL.iter().map(|one| one.name())))
        };
        words.iter().map(one).collect::<Result<_, _>>().map(|all| (!words.is_empty()).then_some(all))
    }

    /// The facts with these in place of the catalogue's.
    pub fn told(&self, name: &str, facts: Option<Facts>) -> Facts {
        let (mut model, price) = match facts {
            Some(facts) => (Model::clone(&facts.model), facts.price),
            None => (Model::unknown(name), None),
        };
        model.context_tokens = self.context_tokens.or(model.context_tokens);
        model.output_tokens_max = self.output_tokens_max.or(model.output_tokens_max);
        model.input = self.input.unwrap_or(model.input);
        model.can = self.can.unwrap_or(model.can);
        Facts { model: Arc::new(model), price }
    }
}

impl Model {
    /// A model of which nothing is known but that it chats.
    fn unknown(name: &str) -> Self {
        let text = || Modalities::from_iter([Modality::Text]);
        Self {
            name: name.into(),
            aliases: Vec::new(),
            tasks: [Task::Chat].into_iter().collect(),
            tier: None,
            context_tokens: None,
            output_tokens_max: None,
            dimensions: None,
            cache_tokens_min: None,
            input: text(),
            output: text(),
            can: Capabilities::default(),
            deprecated: None,
            price: None,
            regional_percent: None,
            source: Arc::from("the configuration"),
            date: Arc::from(""),
            note: None,
        }
    }
}

fn unknown(word: &str, what: &str, known: impl Iterator<Item = &'static str>) -> String {
    let shown: String = word.chars().take(40).flat_map(char::escape_default).collect();
    format!("there is no {what} \"{shown}\"; there are {}", known.collect::<Vec<_>>().join(", "))
}
