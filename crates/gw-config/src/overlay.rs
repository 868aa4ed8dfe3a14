//! Environments: which one is in force, and its keys laid over the file's.
//!
//! Sections are laid over key by key; everything else, lists included, takes the place of what the file says. What other
//! environments say is checked as far as that is possible without the variables and files that they refer to.

use crate::decode::Decoder;
use crate::diagnostic::{Diagnostic, Place};
use crate::file::File;
use crate::interpolate::Resolved;
use crate::node::{Entry, Node, Value};
use crate::scalar::{Json, Scalar};
use crate::shape::{Section, Shape};
use crate::text::{nearest, one_of, quote};

/// The key under which environments stand.
const KEY: &str = "environments";
/// The key that names the one to take where nobody else does.
const DEFAULT_KEY: &str = "environment";
/// The variables that name one, the first one first.
const VARIABLES: [&str; 2] = ["GATEWAY_ENV", "NODE_ENV"];

/// An environment that somebody named.
struct Named {
    name: String,
    /// The name as messages show it, and whether they may guess at it: what came from elsewhere is not told.
    shown: String,
    literal: bool,
    /// Who named it, for messages.
    by: &'static str,
    place: Place,
}

/// Keys that are the process's own: they are those of the environment in force, whichever serves a request.
const OF_PROCESS: [&str; 7] = ["profile", "listen", "server", "auth", "catalog", "logging", "metrics"];

/// Lays the environment in force over the file; its name. With `beside`, it is another one's configuration that is made,
/// which serves requests in the same process.
pub(crate) fn lay(
    node: &mut Node,
    argument: Option<&str>,
    beside: Option<&str>,
    decoder: &mut Decoder<'_>,
) -> Option<String> {
    let place = node.place.clone();
    let Value::Map(entries) = &mut node.value else {
        return None;
    };
    let Some(at) = entries.iter().position(|entry| entry.key == KEY && !entry.value.is_null()) else {
        if let Some(name) = argument {
            let message = format!("there is no environment {}, since the file has no {KEY:?}", quote(name));
            decoder.report.add(Diagnostic::error(&place, message).with_help("add it, or remove --environment"));
        }
        return None;
    };
    let named = named(entries, &place, argument, decoder);
    let Value::Map(environments) = &mut entries.get_mut(at)?.value.value else {
        return None;
    };
    if let (None, Some(first)) = (&named, environments.first()) {
        let message = format!("no environment is named, so only the keys outside of {KEY:?} are in force");
        let help = "set GATEWAY_ENV, or write which one is usual: \"environment: development\"";
        decoder.report.add(Diagnostic::warning(&first.key_place, message).with_help(help));
    }
    let in_force = named.and_then(|named| choose(environments, &named, decoder));
    let beside = beside.and_then(|name| environments.iter().position(|entry| entry.key == name));
    let chosen = beside.or(in_force);
    for (index, environment) in environments.iter().enumerate() {
        decoder.within(KEY, |decoder| {
            decoder.within(&environment.key, |decoder| check(decoder, environment, chosen == Some(index)));
        });
    }
    let name = environments.get(chosen?)?.key.clone();
    let own = taken(environments.get_mut(chosen?)?);
    let of_process = in_force.filter(|_| beside.is_some()).and_then(|index| environments.get_mut(index)).map(taken);
    merge(entries, of_process.into_iter().flatten().filter(is_of_process).collect());
    merge(entries, own.into_iter().filter(|entry| beside.is_none() || !is_of_process(entry)).collect());
    Some(name)
}

/// The keys of an environment, taken out of it.
fn taken(environment: &mut Entry) -> Vec<Entry> {
    match std::mem::replace(&mut environment.value.value, Value::Map(Vec::new())) {
        Value::Map(entries) => entries.into_iter().filter(|entry| !is_about_environments(entry)).collect(),
        Value::Scalar(_) | Value::List(_) => Vec::new(),
    }
}

fn is_of_process(entry: &Entry) -> bool {
    OF_PROCESS.contains(&entry.key.as_str())
}

/// The environment that is to be taken: the command line's, else a variable's, else the file's.
fn named(entries: &[Entry], root: &Place, argument: Option<&str>, decoder: &mut Decoder<'_>) -> Option<Named> {
    let named = |name: &str, by| {
        Some(Named { name: name.to_owned(), shown: quote(name), literal: true, by, place: root.clone() })
    };
    if let Some(name) = argument {
        return named(name, "--environment");
    }
    for variable in VARIABLES {
        let value = decoder.references.environment.variable(variable);
        if let Some(name) = value.and_then(|value| value.into_string().ok()).filter(|name| !name.is_empty()) {
            return named(&name, variable);
        }
    }
    let default = entries.iter().find(|entry| entry.key == DEFAULT_KEY && !entry.value.is_null())?;
    let Value::Scalar(scalar) = &default.value.value else {
        return None;
    };
    // What is wrong with its references is told when the key is decoded.
    let Resolved { text, shown, literal } = decoder.references.resolve(&scalar.text).ok()?;
    let place = default.value.place.clone();
    Some(Named { name: text.to_string(), shown, literal, by: "\"environment\"", place })
}

fn choose(environments: &[Entry], named: &Named, decoder: &mut Decoder<'_>) -> Option<usize> {
    let found = environments.iter().position(|entry| entry.key == named.name);
    if found.is_none() {
        let names = || environments.iter().map(|entry| entry.key.as_str());
        let message = format!("{} names the environment {}, which is not under {KEY:?}", named.by, named.shown);
        let near = if named.literal { nearest(&named.name, names()) } else { None };
        let help = match near {
            Some(near) => format!("did you mean {}?", quote(near)),
            None if environments.is_empty() => format!("add it to {KEY:?}"),
            None => format!("name {}, or add it to {KEY:?}; GATEWAY_ENV counts before NODE_ENV", one_of(names())),
        };
        decoder.report.add(Diagnostic::error(&named.place, message).with_help(help));
    }
    found
}

/// Reports what is wrong with an environment as such, and with the keys of one that is not decoded.
fn check(decoder: &mut Decoder<'_>, environment: &Entry, is_chosen: bool) {
    if let Err(fault) = crate::names::EnvironmentName::parse(&environment.key) {
        decoder.fault(&environment.key_place, &fault);
    }
    if environment.value.is_null() {
        return;
    }
    let Some(entries) = decoder.entries(&environment.value) else { return };
    for entry in entries.iter().filter(|entry| is_about_environments(entry)) {
        decoder.mistake(&entry.key_place, "is an environment and cannot have environments", Some("move it out"));
    }
    if !is_chosen {
        look(decoder, &environment.value, &Shape::Section(&File::SECTION));
    }
}

fn is_about_environments(entry: &Entry) -> bool {
    entry.key == KEY || entry.key == DEFAULT_KEY
}

/// Lays keys over others.
fn merge(base: &mut Vec<Entry>, over: Vec<Entry>) {
    for entry in over {
        match base.iter_mut().find(|known| known.key == entry.key) {
            None => base.push(entry),
            Some(known) => match (&mut known.value.value, entry.value.value) {
                (Value::Map(inner), Value::Map(over)) => merge(inner, over),
                (_, value) => {
                    *known = Entry { value: Node { place: entry.value.place, value }, ..entry };
                }
            },
        }
    }
}

/// Reports unknown keys and wrong forms. No value is shown, since any of them may be a secret, and no reference followed.
fn look(decoder: &mut Decoder<'_>, node: &Node, shape: &Shape) {
    if node.is_null() {
        return;
    }
    let has_references = matches!(&node.value, Value::Scalar(scalar) if scalar.text.contains("${"));
    match (shape, &node.value) {
        (Shape::Scalar(kind), _) if has_references || matches!(kind.json, Json::Anything) => {}
        (Shape::Scalar(kind), Value::Scalar(scalar)) => {
            if let Err(fault) = (kind.check)(&scalar.text) {
                decoder.fault(&node.place, &fault);
            }
        }
        (Shape::Scalar(kind), Value::List(_) | Value::Map(_)) => {
            decoder.mistake(&node.place, format_args!("must be {}, not {}", kind.name, node.what()), None);
        }
        (Shape::Choice(_), _) if has_references => {}
        (Shape::Choice(choices), _) => {
            let words: Vec<&str> = choices.iter().map(|choice| choice.word).collect();
            decoder.choice(node, &words);
        }
        (Shape::List(item), _) => {
            for (index, node) in decoder.items(node).unwrap_or_default().iter().enumerate() {
                decoder.within_item(index, |decoder| look(decoder, node, item));
            }
        }
        (Shape::Map(value), _) => {
            for entry in decoder.entries(node).unwrap_or_default() {
                decoder.within(&entry.key, |decoder| look(decoder, &entry.value, value));
            }
        }
        (Shape::Section(section), _) => look_inside(decoder, node, section),
        (Shape::Either(single, other), _) => {
            let is_single = matches!(node.value, Value::Scalar(_));
            look(decoder, node, if is_single { single } else { other });
        }
    }
}

fn look_inside(decoder: &mut Decoder<'_>, node: &Node, section: &Section) {
    let Some(entries) = decoder.entries(node) else { return };
    decoder.check_keys(entries, section);
    let fields = || section.fields.iter().map(|field| (field.key, field.alias, field.shape));
    let planned = || section.planned.iter().map(|field| (field.key, field.alias, field.shape));
    for entry in entries {
        let found = fields().chain(planned()).find(|(key, alias, _)| crate::decode::is_named(entry, key, *alias));
        if let Some((_, _, shape)) = found {
            decoder.within(&entry.key, |decoder| look(decoder, &entry.value, shape));
        }
    }
}
