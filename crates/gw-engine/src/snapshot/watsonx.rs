//! Whose budget answers of watsonx.ai are billed to: it wants to hear it in each request.

use gw_config::config;
use gw_config::diagnostic::Diagnostic;
use gw_dialects::DialectId;
use gw_dialects::openai_chat::OpenAiChat;
use gw_dialects::watsonx_chat::{Scope, WatsonxChat};
use gw_providers::auth;
use gw_providers::catalog::ProviderType;

use super::build::Resources;
use super::provider::OwnEgress;

/// The settings, and the variables of the environment that stand in for them.
const PROJECT: (&str, &str) = ("project_id", "WATSONX_PROJECT_ID");
const SPACE: (&str, &str) = ("space_id", "WATSONX_SPACE_ID");
const DEPLOYMENT: (&str, &str) = ("deployment_id", "WATSONX_DEPLOYMENT_ID");
const VERSION: (&str, &str) = ("version", "WATSONX_VERSION");

/// The dialect with the configured project, space or deployment; nothing for providers that do not speak it.
///
/// # Errors
/// If none or more than one is given.
pub(super) fn egress(
    entry: &ProviderType,
    settings: &config::Provider,
    credential: Option<&auth::Credential>,
    resources: &Resources<'_>,
) -> Result<Option<OwnEgress>, Box<Diagnostic>> {
    if entry.dialects().all(|(dialect, _)| dialect != DialectId::WatsonxChat) {
        return Ok(None);
    }
    let written = |(name, _): (&str, &str)| {
        let configured = settings.variables.iter().find(|(known, _)| known.value == name);
        configured.map(|(_, value)| value.value.clone()).or_else(|| credential?.variable(name).map(str::to_owned))
    };
    let scopes = |value: &dyn Fn((&str, &str)) -> Option<String>| -> Vec<Scope> {
        let project = value(PROJECT).map(Scope::Project);
        let space = value(SPACE).map(Scope::Space);
        project.into_iter().chain(space).chain(value(DEPLOYMENT).map(Scope::Deployment)).collect()
    };
    let mut found = scopes(&written);
    if found.is_empty() {
        found = scopes(&|(_, variable)| (resources.variable)(variable));
    }
    let fail = |message: String| Box::new(Diagnostic::error(&settings.kind.place, message));
    let name = &settings.name.value;
    let (Some(scope), None) = (found.pop(), found.pop()) else {
        let (what, help) = ("needs to know which project or space pays", "give one of project_id and space_id");
        return Err(fail(format!("provider \"{name}\" {what}; {help}, or set {} or {}", PROJECT.1, SPACE.1)));
    };
    let (Scope::Project(id) | Scope::Space(id) | Scope::Deployment(id)) = &scope;
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Err(fail(format!("the id of the project, space or deployment of provider \"{name}\" is no id")));
    }
    let mut dialect = WatsonxChat::new(&OpenAiChat).with_scope(scope);
    if let Some(version) = written(VERSION).or_else(|| (resources.variable)(VERSION.1)) {
        let is_date = version.len() == 10 && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if !is_date {
            return Err(fail(format!("the version of provider \"{name}\" must be a date such as 2026-10-14")));
        }
        dialect = dialect.with_version(version);
    }
    Ok(Some((DialectId::WatsonxChat, Box::new(dialect))))
}
