//! OpenRouter's `web` plugin: a search of the web, with what it is to keep to. Providers that search by themselves are
//! asked for it in their own words; OpenRouter is given the plugins as they came.

use std::sync::Arc;

use gw_core::chat::{BuiltInTool, Loss};
use gw_core::{Error, ErrorCode};
use gw_dialects::shared::search;
use serde_json::{Map, Value, json};

use super::arrange::Offered;
use super::resolve::Resolving;
use super::value::{Members, wrong};
use super::wish::Wish;
use crate::models::{Choice, Target};
use crate::search::why_not;

/// The member of the body.
pub(super) const PLUGINS: &str = "plugins";
/// The id of the plugin.
const WEB: &str = "web";
/// Its options that nobody else's search has.
const OPENROUTERS: [&str; 4] = ["engine", "max_results", "mode", "search_prompt"];
/// As many of its options that only OpenRouter takes are told.
const UNKNOWN_MAX: usize = 16;
/// As many of those who cannot search are named.
const NAMED_MAX: usize = 4;

/// A search of the web that a request wants.
pub(crate) struct Search {
    /// As every provider is asked that searches by itself.
    pub(super) tool: Arc<BuiltInTool>,
    /// The plugins as they came, for OpenRouter.
    pub(super) plugins: Value,
    /// What only OpenRouter can do of it.
    pub(super) lost: Vec<Loss>,
}

/// A target that is left out because it cannot search.
pub(crate) struct Unable {
    pub(crate) provider: Arc<str>,
    pub(crate) model: Arc<str>,
    pub(crate) why: &'static str,
}

/// Reads `plugins`. All but the search, and the choice of a model, is OpenRouter's own.
pub(super) fn read(json: &[u8], wish: &mut Wish) -> Result<(), Error> {
    let plugins: Vec<Value> = serde_json::from_slice(json).map_err(|_| wrong(PLUGINS, "must be a list of objects"))?;
    let mut tool = None;
    let mut lost = Vec::new();
    for (index, plugin) in plugins.iter().enumerate() {
        let place = format!("{PLUGINS}[{index}]");
        let mut members = Members::of(plugin.clone(), place.as_str())?;
        let id = members.text("id")?;
        if wish.auto.take_plugin(id.as_deref().unwrap_or_default(), &place, plugin) {
            continue;
        }
        if id.as_deref() != Some(WEB) {
            wish.openrouters_own = with(std::mem::take(&mut wish.openrouters_own), PLUGINS);
        } else if members.flag("enabled")? != Some(false) {
            tool = Some(Arc::new(search::wanted(options(members, &mut lost)?)));
        }
    }
    wish.search = tool.map(|tool| Search { tool, plugins: Value::Array(plugins), lost });
    Ok(())
}

fn with(mut all: Vec<&'static str>, one: &'static str) -> Vec<&'static str> {
    if !all.contains(&one) {
        all.push(one);
    }
    all
}

/// What the search is to keep to.
fn options(mut members: Members, lost: &mut Vec<Loss>) -> Result<Map<String, Value>, Error> {
    let mut told = |name: &str| {
        let why = match OPENROUTERS.contains(&name) {
            true => "only OpenRouter's search takes it",
            false => "it is not known",
        };
        lost.push(Loss::dropped(format!("{PLUGINS}.{name}"), why));
    };
    let mut options = Map::new();
    for (name, option) in [("include_domains", search::ALLOWED), ("exclude_domains", search::BLOCKED)] {
        let domains = members.list(name)?.filter(|domains| !domains.is_empty());
        options.extend(domains.map(|domains| (option.to_owned(), json!(domains))));
    }
    if let Some(uses) = members.take(search::USES_MAX) {
        if uses.as_u64().is_none() {
            return Err(members.wrong(search::USES_MAX, "must be a whole number"));
        }
        options.insert(search::USES_MAX.to_owned(), uses);
    }
    match members.take(search::PLACE) {
        None => {}
        Some(place) if is_place(&place) => drop(options.insert(search::PLACE.to_owned(), place)),
        Some(_) => return Err(members.wrong(search::PLACE, "must be an object of texts")),
    }
    // The engine that there is.
    if members.text("engine")?.is_some_and(|engine| !matches!(&*engine, "native" | "auto")) {
        told("engine");
    }
    // What is not known here is not known to others either.
    members.into_pairs().take(UNKNOWN_MAX).for_each(|(name, _)| told(&name.chars().take(60).collect::<String>()));
    Ok(options)
}

/// Whether a value says where about the user is, at most one level deeper.
fn is_place(value: &Value) -> bool {
    let said = value.as_object().map(|place| place.get("approximate").and_then(Value::as_object).unwrap_or(place));
    said.is_some_and(|place| place.values().all(|value| value.is_string() || value.is_null()))
}

impl Resolving<'_> {
    /// Why a target is left out that is to search the web; `None` if it can, or need not.
    pub(super) fn why_no_search(&self, target: &Target) -> Option<&'static str> {
        target.settings.search.as_ref()?;
        let Choice { provider, model, .. } = &target.choice;
        let facts = self.snapshot.pricing.facts(provider, model);
        why_not(provider, model, facts.as_ref().map(|facts| &*facts.model), self.dialect)
    }

    /// Who is left out because it cannot search the web.
    ///
    /// # Errors
    /// `unsupported_parameter` if nobody can.
    pub(super) fn unable_to_search(&self, offered: &[Offered]) -> Result<Vec<Unable>, Error> {
        let offers = offered.iter().flat_map(|one| one.offers.targets());
        let targets: Vec<&Target> = offers.flat_map(|offer| offer.targets()).collect();
        let unable = targets.iter().filter_map(|target| {
            let Choice { provider, model, .. } = &target.choice;
            let why = self.why_no_search(target)?;
            Some(Unable { provider: Arc::clone(&provider.name), model: Arc::clone(model), why })
        });
        let unable: Vec<_> = unable.collect();
        if unable.is_empty() || unable.len() < targets.len() {
            return Ok(unable);
        }
        Err(nobody_can(&message(&unable)))
    }
}

/// What a request is told whose conditions leave it none but those who cannot search.
pub(super) fn unserved(unable: &[Unable]) -> Option<Box<str>> {
    (!unable.is_empty()).then(|| message(unable).into())
}

/// The answer where nobody can search.
pub(crate) fn nobody_can(message: &str) -> Error {
    Error::new(ErrorCode::UnsupportedParameter, message.to_owned()).with_param("model")
}

fn message(unable: &[Unable]) -> String {
    let named = unable.iter().take(NAMED_MAX).map(|one| format!("\"{}\": {}", one.provider, one.why));
    format!(
        "the request wants the web searched (`:online`, or the plugin `web`), and nobody who serves the model can: {}",
        named.collect::<Vec<_>>().join("; ")
    )
}
