//! Configurations that the operator keeps, and that requests call by their names: `x-portkey-config: NAME`, ours, and
//! OpenRouter's `model: "@preset/NAME"`, `"MODEL@preset/NAME"` and `preset: "NAME"`.
//!
//! What is in them is the operator's word: their keys and addresses are not bound by what requests may bring, and no
//! request can send their keys elsewhere. Names that are not known are told as such, and no others are told.

use std::collections::HashMap;
use std::sync::Arc;

use gw_config::config::{self, Spanned};
use gw_config::diagnostic::Diagnostic;
use gw_core::{Error, ErrorCode};
use gw_policy::plan::Node;
use serde_json::Value;

use super::value::{CONFIG_BYTES_MAX, Members, config, place_in, wrong};
use super::wish::{Wanted, Wish};
use super::{Asked, form, guests, openrouter};
use crate::models::Models;
use crate::routing::standing::Rules;
use crate::routing::target::{Target, TargetBreaker};
use crate::snapshot::{self, Resources, references};

/// Before a preset's name, where a model's name stands.
const IN_MODEL: &str = "@preset/";
/// OpenRouter's member of the body.
pub(super) const MEMBER: &str = "preset";
/// Types of providers that have presets of their own.
const KNOWING: [&str; 2] = ["openrouter", "perplexity"];

/// The presets of a snapshot.
#[derive(Default)]
pub struct Presets {
    by_name: HashMap<Box<str>, Preset>,
}

/// One of them, read.
struct Preset {
    wish: Wish,
    /// The model of requests that name none, where no targets are written.
    model: Option<Box<str>>,
}

impl Presets {
    /// Reads presets; what is wrong with them is told with its place.
    pub(crate) fn new(
        written: &[config::Preset],
        models: &Models,
        routing: &config::Routing,
        resources: &Resources<'_>,
        wrong: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut by_name = HashMap::new();
        for one in written {
            let told = wrong.len();
            let checking = Checking { one, models, routing, resources, wrong };
            if let Some(preset) = checking.read().filter(|_| wrong.len() == told) {
                by_name.insert(Box::from(one.name.value.as_str()), preset);
            }
        }
        Self { by_name }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Whether a model's name has that of a preset in it. One that stands behind a provider's name is that provider's.
    pub(super) fn is_in_model(&self, model: &str) -> bool {
        !self.is_empty() && in_model(model).is_some()
    }

    fn get(&self, name: &str) -> Option<&Preset> {
        self.by_name.get(name.strip_prefix(IN_MODEL).unwrap_or(name))
    }
}

/// The name of a model before that of a preset, if there is one; and the preset's.
fn in_model(model: &str) -> Option<(Option<&str>, &str)> {
    let (before, name) = model.rsplit_once(IN_MODEL)?;
    (!before.ends_with('/')).then_some((Some(before).filter(|before| !before.is_empty()), name))
}

/// What OpenRouter's words say. Everything else that a request says comes after it.
pub(super) fn read(asked: &Asked<'_>, wish: &mut Wish) -> Result<(), Error> {
    if asked.presets.is_empty() {
        return Ok(());
    }
    let named = asked.head.model.as_deref();
    let model = named.and_then(in_model).map(|(model, name)| (model, asked.presets.get(name)));
    let bare = match model {
        Some((model, Some(preset))) => {
            preset.tell(wish, model.is_some());
            wish.model = Some(model.map(Box::from));
            model
        }
        Some((_, None)) => {
            wish.has_unknown_preset = true;
            named
        }
        None => named,
    };
    let mut members = asked.head.fields.all(asked.body, MEMBER);
    let Some(field) = members.next() else { return Ok(()) };
    let Some(name) = serde_json::from_slice::<String>(&asked.body[field.value()]).ok() else { return Ok(()) };
    if members.next().is_some() {
        let message = "`preset` stands twice in the request; send it once";
        return Err(Error::new(ErrorCode::DuplicateField, message).with_param(MEMBER));
    }
    match asked.presets.get(&name) {
        Some(preset) => {
            preset.tell(wish, bare.is_some());
            wish.has_preset_member = true;
        }
        None => wish.has_unknown_preset = true,
    }
    Ok(())
}

/// A configuration in a text: the name of a preset, or as it stands.
pub(super) fn configuration(asked: &Asked<'_>, place: &str, text: &str, wish: &mut Wish) -> Result<(), Error> {
    match asked.presets.get(text) {
        Some(preset) => {
            preset.tell(wish, false);
            Ok(())
        }
        None => form::read(config(place, text)?, place, wish),
    }
}

/// A configuration in a member of the body: a text, or as it stands.
pub(super) fn configuration_in_body(
    asked: &Asked<'_>,
    name: &'static str,
    json: &[u8],
    wish: &mut Wish,
) -> Result<(), Error> {
    if json.len() > CONFIG_BYTES_MAX {
        return Err(wrong(name, "must not be longer than 16 KiB"));
    }
    match serde_json::from_slice(json).map_err(|_| wrong(name, "cannot be read as JSON"))? {
        Value::String(text) => configuration(asked, name, &text, wish),
        value => form::read(value, name, wish),
    }
}

/// Whether whoever is asked may know a preset that is none of ours.
pub(super) fn may_know(node: &Node<Target>) -> bool {
    node.targets().iter().all(|target| KNOWING.contains(&target.choice.provider.entry.id.as_str()))
}

/// What a request is told whose preset nobody knows.
pub(super) fn unknown() -> Error {
    let message = "no preset of the name that the request calls is kept here; ask the operator, or leave it out";
    Error::new(ErrorCode::ModelNotFound, message)
}

impl Preset {
    /// Says what is in it. Its own model counts where the request names none besides.
    fn tell(&self, wish: &mut Wish, names_model: bool) {
        wish.take_over(&self.wish);
        if let (Some(model), false) = (&self.model, names_model) {
            wish.everywhere.override_params.insert("model".to_owned(), Value::from(&**model));
        }
    }
}

/// Takes out what OpenRouter's presets say of providers and models, and reads it.
fn preferences(value: &mut Value, wish: &mut Wish) -> Result<(), Error> {
    let Some(members) = value.as_object_mut() else { return Ok(()) };
    if let Some(list) = members.remove("models") {
        wish.models = openrouter::models(list.to_string().as_bytes())?;
    }
    if members.get("provider").is_some_and(Value::is_object)
        && let Some(provider) = members.remove("provider")
    {
        openrouter::provider(Members::of(provider, "provider")?, wish)?;
    }
    Ok(())
}

/// Takes out the model of a preset that names no targets.
fn default_model(value: &mut Value) -> Option<Box<str>> {
    let members = value.as_object_mut()?;
    let names_target = |name: &str| members.contains_key(name);
    if ["targets", "provider", "virtual_key", "virtualKey"].into_iter().any(names_target) {
        return None;
    }
    let model = members.get("model")?.as_str().map(Box::from)?;
    members.remove("model");
    Some(model)
}

/// A preset that is read and checked.
struct Checking<'a> {
    one: &'a config::Preset,
    models: &'a Models,
    routing: &'a config::Routing,
    resources: &'a Resources<'a>,
    wrong: &'a mut Vec<Diagnostic>,
}

impl Checking<'_> {
    fn read(mut self) -> Option<Preset> {
        let mut value: Value = serde_json::from_str(self.one.json.expose()).unwrap_or_default();
        let mut wish = Wish::of_operator();
        let preferred = preferences(&mut value, &mut wish);
        let model = default_model(&mut value);
        let read = preferred.and_then(|()| form::read(value, "", &mut wish));
        for path in wish.take_idle() {
            self.mistake(&path, &format!("\"{path}\" is not known here"), "remove it");
        }
        if let Err(error) = read {
            let path = place_in(&error).to_owned();
            self.mistake(&path, &error.message, "see docs/routing-presets.md");
            return None;
        }
        if let Some(tree) = &mut wish.tree {
            form::for_each(tree, &mut |wanted| self.target(wanted));
        }
        Some(Preset { wish, model })
    }

    /// Checks who a target names, and makes what it shares with all requests.
    fn target(&mut self, wanted: &mut Wanted) {
        let path = wanted.option.trim_start_matches("config").trim_start_matches('.').to_owned();
        let name = format!("preset {}{} {}", self.models.prefix(), self.one.name.value, wanted.option);
        let at = |member: &str| if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") };
        match (&wanted.provider, &wanted.own) {
            (Some(provider), None) => {
                let reference =
                    Spanned { value: provider.to_string(), place: self.one.place_of(&at("provider")).clone() };
                references::meant(self.models, &reference, self.wrong);
            }
            (Some(provider), Some(own)) => {
                let Some(entry) = self.models.catalog().get(provider) else {
                    self.mistake(
                        &at("provider"),
                        "a target with a key of its own names the type of a provider",
                        "write \"openai\"",
                    );
                    return;
                };
                let settings = guests::settings(guests::Account { entry, house: None, own });
                match snapshot::kept(&settings, self.routing, self.resources, &format!("account of {name}")) {
                    Ok(provider) => wanted.kept = Some(Arc::new(provider)),
                    Err(message) => self.mistake(&path, &message, "correct it, or name a configured provider"),
                }
            }
            (None, Some(_)) => {
                self.mistake(&path, "a target with a key of its own has no \"provider\"", "add its type");
            }
            (None, None) => {}
        }
        if let Some(breaker) = wanted.changes.breaker.take() {
            wanted.breaker = Some(Arc::new(TargetBreaker {
                standing: self.resources.standings.of(&name),
                rules: Rules { breaker: Some(breaker.settings), ..Rules::default() },
                failures: breaker.failures,
            }));
        }
    }

    fn mistake(&mut self, path: &str, message: &str, help: &str) {
        let message = format!("preset \"{}\": {message}", self.one.name.value);
        self.wrong.push(Diagnostic::error(self.one.place_of(path), message).with_help(help));
    }
}
