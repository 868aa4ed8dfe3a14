//! Keys that the schema knows and this version cannot execute: an error that says so, unless they are switched off.

use crate::decode::{Decoder, is_named};
use crate::diagnostic::Diagnostic;
use crate::node::{Entry, Node, Value};
use crate::scalar::{Json, Kind};
use crate::shape::{Off, Planned, Section, Shape};
use crate::text::quote;

/// Reports the planned keys of a section that ask for something, and what is misspelt in the others.
pub(crate) fn refuse(decoder: &mut Decoder<'_>, entries: &[Entry], section: &Section) {
    for entry in entries {
        let planned = section.planned.iter().find(|planned| is_named(entry, planned.key, planned.alias));
        if let Some(planned) = planned {
            decoder.within(&entry.key, |decoder| check(decoder, &entry.value, planned.shape));
            judge(decoder, entries, entry, planned);
        } else if section.open && !section.keys().any(|key| key == entry.key) {
            cannot_execute(decoder, entry, "remove it");
        }
    }
}

fn judge(decoder: &mut Decoder<'_>, siblings: &[Entry], entry: &Entry, planned: &Planned) {
    if is_empty(&entry.value) {
        return;
    }
    match planned.off {
        Off::Never => cannot_execute(decoder, entry, "remove it"),
        Off::Switch if is_switched_off(decoder, entry) || is_disabled(decoder, siblings) => {}
        Off::Switch => cannot_execute(decoder, entry, "remove it or set \"enabled: false\""),
        Off::Disabled if is_disabled(decoder, siblings) => {}
        Off::Disabled => cannot_execute(decoder, entry, "remove it or set \"enabled: false\" beside it"),
        Off::When(value) if has_value(decoder, entry, value) => {}
        Off::When(value) => cannot_execute(decoder, entry, &format!("remove it or set it to {value}")),
        Off::With(governors) if is_any_given(siblings, governors) => {}
        Off::With(_) => cannot_execute(decoder, entry, "remove it"),
        Off::Inside => {
            let (Shape::Section(section), Value::Map(entries)) = (planned.shape, &entry.value.value) else { return };
            decoder.within(&entry.key, |decoder| {
                for inner in entries {
                    if let Some(planned) =
                        section.planned.iter().find(|planned| is_named(inner, planned.key, planned.alias))
                    {
                        judge(decoder, entries, inner, planned);
                    }
                }
            });
        }
    }
}

fn cannot_execute(decoder: &mut Decoder<'_>, entry: &Entry, help: &str) {
    let message = format!("this version cannot execute {} yet", quote(&decoder.path_to(&entry.key)));
    decoder.report.add(Diagnostic::error(&entry.key_place, message).with_help(help));
}

fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(_) => node.is_null(),
        Value::List(items) => items.is_empty(),
        Value::Map(_) => false,
    }
}

fn is_any_given(entries: &[Entry], keys: &[&str]) -> bool {
    entries.iter().any(|entry| keys.contains(&entry.key.as_str()) && !entry.value.is_null())
}

fn is_switched_off(decoder: &mut Decoder<'_>, entry: &Entry) -> bool {
    let Value::Map(entries) = &entry.value.value else { return false };
    decoder.within(&entry.key, |decoder| is_disabled(decoder, entries))
}

fn is_disabled(decoder: &mut Decoder<'_>, entries: &[Entry]) -> bool {
    let switch = entries.iter().find(|inner| inner.key == "enabled");
    switch.is_some_and(|switch| has_value(decoder, switch, "false"))
}

fn has_value(decoder: &mut Decoder<'_>, entry: &Entry, value: &str) -> bool {
    match &entry.value.value {
        Value::Scalar(_) if !entry.value.is_null() => {
            let resolved = decoder.within(&entry.key, |decoder| decoder.text(&entry.value, "a value"));
            resolved.is_some_and(|resolved| resolved.text.eq_ignore_ascii_case(value))
        }
        Value::Scalar(_) | Value::List(_) | Value::Map(_) => false,
    }
}

/// Reports unknown keys and wrong forms in a value that is not decoded. Its references are not followed.
fn check(decoder: &mut Decoder<'_>, node: &Node, shape: &Shape) {
    if node.is_null() {
        return;
    }
    match shape {
        Shape::Scalar(kind) => check_scalar(decoder, node, kind),
        Shape::Choice(choices) => {
            let words: Vec<&str> = choices.iter().map(|choice| choice.word).collect();
            decoder.choice(node, &words);
        }
        Shape::List(item) => {
            for (index, node) in decoder.items(node).unwrap_or_default().iter().enumerate() {
                decoder.within_item(index, |decoder| check(decoder, node, item));
            }
        }
        Shape::Map(value) => {
            for entry in decoder.entries(node).unwrap_or_default() {
                decoder.within(&entry.key, |decoder| check(decoder, &entry.value, value));
            }
        }
        Shape::Section(section) => check_section(decoder, node, section),
        Shape::Either(single, other) => {
            let is_single = matches!(node.value, Value::Scalar(_));
            check(decoder, node, if is_single { single } else { other });
        }
    }
}

fn check_scalar(decoder: &mut Decoder<'_>, node: &Node, kind: &Kind) {
    match (&node.value, kind.json) {
        (_, Json::Anything) => {}
        (Value::Scalar(scalar), _) if scalar.text.contains("${") => {}
        (Value::Scalar(scalar), _) => {
            if let Err(fault) = (kind.check)(&scalar.text) {
                let predicate = format!("{}: {}", fault.predicate, quote(&scalar.text));
                decoder.mistake(&node.place, predicate, Some(&fault.help));
            }
        }
        (Value::List(_) | Value::Map(_), _) => {
            decoder.mistake(&node.place, format_args!("must be {}, not {}", kind.name, node.what()), None);
        }
    }
}

fn check_section(decoder: &mut Decoder<'_>, node: &Node, section: &Section) {
    let Some(entries) = decoder.entries(node) else { return };
    decoder.check_keys(entries, section);
    for entry in entries {
        let planned = section.planned.iter().find(|planned| is_named(entry, planned.key, planned.alias));
        if let Some(planned) = planned {
            decoder.within(&entry.key, |decoder| check(decoder, &entry.value, planned.shape));
        }
    }
}
