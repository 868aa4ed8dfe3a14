//! Parameters as meant.

use super::Meaning;
use crate::config::{ModelSettings, Parameters, Spanned};
use crate::decode::{Pairs, Written};
use crate::file;
use crate::text::quote;

/// What the gateway itself decides, or what a request is about.
const NOT_PARAMETERS: [&str; 6] = ["contents", "input", "messages", "model", "prompt", "stream"];

impl Meaning<'_> {
    /// What is changed in the parameters of requests.
    pub(super) fn parameters(&mut self, written: &Written<file::Parameters>, subject: &str) -> Parameters {
        let Some(written) = written.value() else { return Parameters::default() };
        let mut names = Vec::new();
        let values = |pairs: Option<&Pairs<file::Json>>, names: &mut Vec<Spanned<String>>| {
            let pairs = pairs.map(|pairs| pairs.0.as_slice()).unwrap_or_default();
            names.extend(pairs.iter().map(|(name, _)| name.clone()));
            pairs.iter().map(|(name, value)| (name.value.clone(), value.value.0.to_string())).collect()
        };
        let default = values(written.default.value(), &mut names);
        let fixed = values(written.fixed.value(), &mut names);
        let drop: Vec<Spanned<String>> = written.drop.value().cloned().unwrap_or_default();
        names.extend(drop.iter().cloned());
        let renamed = written.rename.value().map(|pairs| pairs.0.as_slice()).unwrap_or_default();
        for (name, to) in renamed {
            if to.value.contains('.') {
                let message = format!("{subject} renames {} into another object", quote(&name.value));
                self.mistake(&to.place, message, "write the new name alone; the parameter stays in its object");
            }
            names.extend([name.clone(), to.clone()]);
        }
        for name in names {
            self.check_parameter(&name, subject);
        }
        Parameters {
            default,
            fixed,
            drop: drop.into_iter().map(|name| name.value).collect(),
            rename: renamed.iter().map(|(name, to)| (name.value.clone(), to.value.clone())).collect(),
        }
    }

    /// What is peculiar to models.
    pub(super) fn model_settings(
        &mut self,
        written: &Written<Vec<Spanned<file::ModelSettings>>>,
        subject: &str,
    ) -> Vec<ModelSettings> {
        let mut settings = Vec::new();
        for one in written.value().into_iter().flatten() {
            let Some(model) = one.value.model.given() else { continue };
            let subject = format!("{subject}, model {}", quote(&model.value.0));
            settings.push(ModelSettings {
                model: model.value.0.clone(),
                parameters: self.parameters(&one.value.parameters, &subject),
                emulate_tools: one.value.emulate_tools.value().copied(),
            });
        }
        settings
    }

    fn check_parameter(&mut self, name: &Spanned<String>, subject: &str) {
        let is_whole = name.value.split('.').all(|part| !part.is_empty());
        if NOT_PARAMETERS.contains(&name.value.as_str()) || !is_whole {
            let message = format!("{subject} changes {}, which is no parameter", quote(&name.value));
            self.mistake(&name.place, message, "name a parameter such as temperature, or remove it");
        }
    }
}
