//! Where a provider is reached: the base URL of an entry and its variables.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ProviderType;

/// A variable of a base URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// The environment variable that may hold it.
    pub env: String,
    /// What it is, as a part of a sentence.
    pub about: String,
    /// Values for which the provider has another base URL, and which.
    #[serde(default)]
    pub base_urls: BTreeMap<String, String>,
}

/// Why a base URL is not complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// A variable has no value.
    #[error("provider type `{provider}` needs the variable `{variable}`, {about}; configure it or set {env}")]
    Missing {
        /// The type's id.
        provider: String,
        /// The variable.
        variable: String,
        /// What it is.
        about: String,
        /// The environment variable that may hold it.
        env: String,
    },
    /// A value cannot be a part of a URL.
    #[error(
        "the variable `{variable}` of provider type `{provider}` may hold letters, digits, `.`, `-` and `_` only; \
         check its value"
    )]
    Invalid {
        /// The type's id.
        provider: String,
        /// The variable.
        variable: String,
    },
}

impl ProviderType {
    /// The base URL with its variables filled in; `value_of` is given a variable's name and the variable.
    ///
    /// # Errors
    /// Which variable is missing or cannot be a part of a URL.
    pub fn filled_base_url(
        &self,
        value_of: impl Fn(&str, &Variable) -> Option<String>,
    ) -> Result<Option<String>, BaseUrlError> {
        let Some(usual) = &self.base_url else { return Ok(None) };
        let special = self.variables.iter().find_map(|(name, variable)| {
            if variable.base_urls.is_empty() {
                return None;
            }
            variable.base_urls.get(value_of(name, variable)?.trim())
        });
        self.filled(special.unwrap_or(usual), value_of).map(Some)
    }

    /// The path of the base URL with its variables filled in, without the first `/`; `None` if there is none. The variables
    /// of the host need no values.
    ///
    /// # Errors
    /// As for [`ProviderType::filled_base_url`].
    pub fn filled_base_path(
        &self,
        value_of: impl Fn(&str, &Variable) -> Option<String>,
    ) -> Result<Option<String>, BaseUrlError> {
        let base_url = self.base_url.as_deref();
        let path = base_url.and_then(|url| url.split_once("://")?.1.split_once('/').map(|(_, path)| path));
        path.map(|path| self.filled(path, value_of)).transpose()
    }

    fn filled(
        &self,
        template: &str,
        value_of: impl Fn(&str, &Variable) -> Option<String>,
    ) -> Result<String, BaseUrlError> {
        let mut filled = template.to_owned();
        for (name, variable) in &self.variables {
            let placeholder = format!("{{{name}}}");
            if !template.contains(&placeholder) {
                continue;
            }
            let value = value_of(name, variable).ok_or_else(|| BaseUrlError::Missing {
                provider: self.id.clone(),
                variable: name.clone(),
                about: variable.about.clone(),
                env: variable.env.clone(),
            })?;
            // A host is often copied from the browser, or stands in the environment as the vendor's SDK wants it.
            let value = value.trim().trim_start_matches("https://").trim_end_matches('/');
            // Nothing else, so that a value cannot lead requests and their key to another host or path.
            let is_plain =
                |value: &str| value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
            if value.is_empty() || !is_plain(value) {
                return Err(BaseUrlError::Invalid { provider: self.id.clone(), variable: name.clone() });
            }
            filled = filled.replace(&placeholder, value);
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalog;
    use super::*;

    fn filled(id: &str, value: Option<&str>) -> Result<Option<String>, BaseUrlError> {
        let entry = Catalog::builtin().get(id).unwrap();
        entry.filled_base_url(|_, _| value.map(str::to_owned))
    }

    #[test]
    fn the_variables_of_a_base_url_are_filled_in() {
        let url = filled("azure", Some("contoso-east")).unwrap();
        assert_eq!(url.as_deref(), Some("https://contoso-east.openai.azure.com/openai/v1"));
    }

    #[test]
    fn a_host_may_be_given_as_the_vendors_own_tools_write_it() {
        let url = filled("databricks", Some("https://dbc-1.cloud.databricks.com/")).unwrap();
        assert_eq!(url.as_deref(), Some("https://dbc-1.cloud.databricks.com/serving-endpoints"));
    }

    #[test]
    fn a_value_that_would_lead_to_another_host_is_refused() {
        for value in ["evil.example/#", "user@evil.example", "a b", "", "https://", "evil.example/x?"] {
            assert!(matches!(filled("azure", Some(value)), Err(BaseUrlError::Invalid { .. })), "{value:?}");
        }
    }

    #[test]
    fn a_value_may_mean_a_place_of_its_own() {
        let vertex = |region: &str| {
            let entry = Catalog::builtin().get("vertex").unwrap();
            let value_of = |name: &str, _: &Variable| Some(if name == "region" { region } else { "p-1" }.to_owned());
            assert_eq!(entry.filled_base_path(value_of), Ok(Some(format!("v1/projects/p-1/locations/{region}"))));
            entry.filled_base_url(value_of).unwrap().unwrap()
        };
        for (region, host) in [
            ("us-east5", "us-east5-aiplatform.googleapis.com"),
            ("global", "aiplatform.googleapis.com"),
            ("us", "aiplatform.us.rep.googleapis.com"),
            ("eu", "aiplatform.eu.rep.googleapis.com"),
        ] {
            assert_eq!(vertex(region), format!("https://{host}/v1/projects/p-1/locations/{region}"));
        }
    }

    #[test]
    fn a_missing_variable_is_named_with_the_environment_variable_that_may_hold_it() {
        let message = filled("cloudflare", None).unwrap_err().to_string();
        assert!(message.contains("account_id") && message.contains("CLOUDFLARE_ACCOUNT_ID"), "{message}");
    }

    #[test]
    fn a_base_url_without_variables_is_itself_and_a_generic_server_has_none() {
        assert_eq!(filled("groq", None), Ok(Some("https://api.groq.com/openai/v1".to_owned())));
        assert_eq!(filled("openai-compatible", None), Ok(None));
    }
}
