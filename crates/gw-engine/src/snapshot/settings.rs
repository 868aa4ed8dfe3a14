//! What is peculiar to a provider and to single models of it, prepared.

use std::sync::Arc;

use gw_config::config::{self, ModelSettings};
use gw_providers::parameters::Parameters;

/// What is peculiar to a model at a provider.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What is changed in the parameters of requests for text, if anything is.
    pub parameters: Option<Arc<Parameters>>,
    /// Whether tools are described to it in words, and its calls read from its text.
    pub emulates_tools: bool,
}

/// The settings of a provider's models.
#[derive(Debug, Clone, Default)]
pub struct AllSettings {
    usual: Settings,
    /// The model's name, or how it begins; in the order of the configuration.
    by_model: Vec<(Pattern, Settings)>,
}

#[derive(Debug, Clone)]
enum Pattern {
    Is(Box<str>),
    Begins(Box<str>),
}

impl AllSettings {
    /// As configured.
    pub fn new(provider: &config::Provider) -> Self {
        let settings = |more: Option<&ModelSettings>| {
            let mut parameters = Parameters::default();
            add(&mut parameters, &provider.parameters);
            if let Some(more) = more {
                add(&mut parameters, &more.parameters);
            }
            Settings {
                parameters: (!parameters.is_empty()).then(|| Arc::new(parameters)),
                emulates_tools: more.and_then(|more| more.emulate_tools).unwrap_or(provider.emulate_tools),
            }
        };
        let by_model = provider.model_settings.iter().map(|more| (Pattern::of(&more.model), settings(Some(more))));
        Self { usual: settings(None), by_model: by_model.collect() }
    }

    /// Those of a model.
    pub fn of(&self, model: &str) -> &Settings {
        let found = self.by_model.iter().find(|(pattern, _)| pattern.fits(model));
        found.map_or(&self.usual, |(_, settings)| settings)
    }
}

impl Pattern {
    fn of(written: &str) -> Self {
        match written.strip_suffix('*') {
            Some(begin) => Self::Begins(begin.into()),
            None => Self::Is(written.into()),
        }
    }

    fn fits(&self, model: &str) -> bool {
        match self {
            Self::Is(name) => model == &**name,
            Self::Begins(begin) => model.starts_with(&**begin),
        }
    }
}

fn add(parameters: &mut Parameters, written: &config::Parameters) {
    written.default.iter().for_each(|(name, json)| parameters.set_default(name, json));
    written.fixed.iter().for_each(|(name, json)| parameters.set_fixed(name, json));
    written.drop.iter().for_each(|name| parameters.drop(name));
    written.rename.iter().for_each(|(name, to)| parameters.rename(name, to));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fits_counts_and_adds_to_what_the_provider_says() {
        let parameters = |drop: &str| config::Parameters { drop: vec![drop.to_owned()], ..Default::default() };
        let of = |model: &str, drop: &str, emulate_tools| ModelSettings {
            model: model.to_owned(),
            parameters: parameters(drop),
            emulate_tools,
        };
        let provider = config::Provider {
            parameters: parameters("a"),
            model_settings: vec![of("m-1", "b", Some(true)), of("m-*", "c", None)],
            ..config::Provider::of_type("openai")
        };
        let settings = AllSettings::new(&provider);
        let drops = |model: &str, names: &[&str]| {
            let mut wanted = Parameters::default();
            names.iter().for_each(|name| wanted.drop(name));
            assert_eq!(settings.of(model).parameters.as_deref(), Some(&wanted), "{model}");
        };
        drops("m-1", &["a", "b"]);
        drops("m-2", &["a", "c"]);
        drops("other", &["a"]);
        assert!(settings.of("m-1").emulates_tools && !settings.of("m-2").emulates_tools);
        let plain = AllSettings::new(&config::Provider::of_type("openai"));
        assert!(plain.of("m").parameters.is_none());
    }
}
