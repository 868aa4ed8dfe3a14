//! The configuration's keys as data: decoder, JSON Schema and reference are drawn from the same tables.

use std::time::Duration;

use crate::scalar::{Fault, Json, Kind, kind};

/// What may stand somewhere.
pub(crate) enum Shape {
    /// One value.
    Scalar(Kind),
    /// One of these words.
    Choice(&'static [Choice]),
    /// A list.
    List(&'static Shape),
    /// A map whose keys are free.
    Map(&'static Shape),
    /// A map whose keys are ours.
    Section(&'static Section),
    /// Either of two, told apart by being a single value, a list or a map.
    Either(&'static Shape, &'static Shape),
}

/// One word of a choice.
pub(crate) struct Choice {
    pub(crate) word: &'static str,
    pub(crate) about: &'static str,
}

/// A map whose keys are ours.
pub(crate) struct Section {
    /// What it is for.
    pub(crate) about: &'static str,
    /// The keys that this version executes.
    pub(crate) fields: &'static [Field],
    /// The keys that the schema knows and this version cannot execute.
    pub(crate) planned: &'static [Planned],
    /// Whether keys that nobody knows are to be treated as planned ones.
    pub(crate) open: bool,
}

/// A key that this version executes.
pub(crate) struct Field {
    pub(crate) key: &'static str,
    /// Another spelling.
    pub(crate) alias: Option<&'static str>,
    pub(crate) about: &'static str,
    pub(crate) shape: &'static Shape,
    pub(crate) presence: Presence,
}

/// What happens if a key is left out.
#[derive(Clone, Copy)]
pub(crate) enum Presence {
    /// Nothing, or what the description says.
    Optional,
    /// This value is taken.
    Default(&'static str),
    /// It is a mistake.
    Required,
}

/// A key that the schema knows and this version cannot execute.
pub(crate) struct Planned {
    pub(crate) key: &'static str,
    pub(crate) alias: Option<&'static str>,
    pub(crate) about: &'static str,
    pub(crate) shape: &'static Shape,
    pub(crate) off: Off,
}

/// When a planned key asks for nothing, so that it may stand.
#[derive(Clone, Copy)]
pub(crate) enum Off {
    /// Only if nothing is in it.
    Never,
    /// If it is a section with `enabled: false`.
    Switch,
    /// If it has this value.
    When(&'static str),
    /// If one of these siblings is given: it only refines them, and they are judged themselves.
    With(&'static [&'static str]),
    /// If the section that it stands in has `enabled: false`.
    Disabled,
    /// If everything in it is off.
    Inside,
}

impl Section {
    /// A section of which this version executes nothing.
    pub(crate) const fn planned(about: &'static str, planned: &'static [Planned]) -> Self {
        Self { about, fields: &[], planned, open: false }
    }

    /// Every key that may stand in it.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> {
        let fields = self.fields.iter().flat_map(|field| [Some(field.key), field.alias]);
        let planned = self.planned.iter().flat_map(|field| [Some(field.key), field.alias]);
        fields.chain(planned).flatten()
    }
}

/// A planned key that is refused unless nothing is in it.
pub(crate) const fn planned(key: &'static str, shape: &'static Shape, about: &'static str) -> Planned {
    Planned { key, alias: None, about, shape, off: Off::Never }
}

impl Planned {
    pub(crate) const fn off(self, off: Off) -> Self {
        Self { off, ..self }
    }

    pub(crate) const fn alias(self, alias: &'static str) -> Self {
        Self { alias: Some(alias), ..self }
    }
}

pub(crate) const TEXT: Shape = Shape::Scalar(kind::<String>());
pub(crate) const BOOLEAN: Shape = Shape::Scalar(kind::<bool>());
pub(crate) const INTEGER: Shape = Shape::Scalar(kind::<i64>());
pub(crate) const NUMBER: Shape = Shape::Scalar(kind::<f64>());
pub(crate) const DURATION: Shape = Shape::Scalar(kind::<Duration>());
pub(crate) const TEXTS: Shape = Shape::List(&TEXT);
pub(crate) const NUMBERS: Shape = Shape::List(&NUMBER);

/// Anything, of whatever form.
pub(crate) const ANYTHING: Shape = Shape::Scalar(Kind { name: "anything", json: Json::Anything, check: accept });

#[expect(clippy::unnecessary_wraps, reason = "it stands in a table of checks that can fail")]
fn accept(_: &str) -> Result<(), Fault> {
    Ok(())
}
