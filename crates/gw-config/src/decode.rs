//! From the tree of values to typed sections, collecting every mistake on the way.

use std::collections::HashMap;
use std::fmt;

use crate::config::Spanned;
use crate::diagnostic::{Diagnostic, Place, Report};
use crate::interpolate::{References, Resolved};
use crate::node::{Entry, Node, Value};
use crate::planned;
use crate::scalar::{Fault, Scalar};
use crate::shape::{Presence, Section, Shape};
use crate::text::{nearest, one_of, quote};

/// Words that people write for a choice and that have a section of their own; a word of the choice that is meant; and
/// where they stand.
const ELSEWHERE: [(&str, &str, &str); 1] = [(
    "canary",
    "round-robin",
    "a canary is configured beside it: \"canary: { enabled: true, rollouts: [{ name: …, provider: …, \
     traffic_percentage: 5, duration: 24h }] }\"",
)];

/// What can be read from a node.
pub(crate) trait Decode: Sized {
    /// What may stand there.
    const SHAPE: &'static Shape;

    /// Reads it; `None` if that is not possible, and then the decoder's report says why.
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self>;
}

/// The value of a key, as far as it could be read.
#[derive(Default)]
pub(crate) enum Written<T> {
    /// The key is not there.
    #[default]
    Absent,
    /// It is there, and what is wrong with it was already reported.
    Broken,
    /// It is there.
    Given(Spanned<T>),
}

impl<T> Written<T> {
    /// The value and its place, if it could be read.
    pub(crate) fn given(&self) -> Option<&Spanned<T>> {
        match self {
            Self::Given(spanned) => Some(spanned),
            Self::Absent | Self::Broken => None,
        }
    }

    /// The value, if it could be read.
    pub(crate) fn value(&self) -> Option<&T> {
        self.given().map(|spanned| &spanned.value)
    }

    /// Whether nothing is written.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether something is written that could not be read.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self, Self::Broken)
    }
}

/// What every step of decoding needs.
pub(crate) struct Decoder<'a> {
    pub(crate) references: References<'a>,
    pub(crate) report: &'a mut Report,
    /// How values with references in them are shown, by line and column: as they are written.
    pub(crate) shown: Shown,
    /// Where the decoder is: `providers[0].timeout`.
    path: String,
}

/// How values that must not be shown themselves are shown, by line and column.
pub(crate) type Shown = HashMap<(u32, u32), String>;

impl<'a> Decoder<'a> {
    pub(crate) fn new(references: References<'a>, report: &'a mut Report) -> Self {
        Self { references, report, shown: Shown::new(), path: String::new() }
    }

    /// The current path followed by a key.
    pub(crate) fn path_to(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Does something one key deeper.
    pub(crate) fn within<R>(&mut self, key: &str, act: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.path.len();
        self.path = self.path_to(&shorten(key));
        let result = act(self);
        self.path.truncate(length);
        result
    }

    /// Does something one item deeper.
    pub(crate) fn within_item<R>(&mut self, index: usize, act: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.path.len();
        self.path.push_str(&format!("[{index}]"));
        let result = act(self);
        self.path.truncate(length);
        result
    }

    /// Reports that what stands here is wrong: `providers[0].timeout is not a duration`.
    pub(crate) fn mistake(&mut self, place: &Place, predicate: impl fmt::Display, help: Option<&str>) {
        let subject = if self.path.is_empty() { "the configuration" } else { &self.path };
        let diagnostic = Diagnostic::error(place, format!("{subject} {predicate}"));
        self.report.add(Diagnostic { help: help.map(str::to_owned), ..diagnostic });
    }

    pub(crate) fn fault(&mut self, place: &Place, fault: &Fault) {
        self.mistake(place, &fault.predicate, Some(&fault.help));
    }

    /// The text of a scalar with its references replaced.
    pub(crate) fn text(&mut self, node: &Node, expected: &str) -> Option<Resolved> {
        let Value::Scalar(scalar) = &node.value else {
            self.mistake(&node.place, format_args!("must be {expected}, not {}", node.what()), None);
            return None;
        };
        if node.is_null() {
            self.mistake(&node.place, format_args!("must be {expected}, and nothing is written"), None);
            return None;
        }
        match self.references.resolve(&scalar.text) {
            Ok(resolved) => {
                if scalar.text.contains("${") {
                    self.shown.insert((node.place.line, node.place.column), resolved.shown.clone());
                }
                Some(resolved)
            }
            Err(faults) => {
                faults.iter().for_each(|fault| self.fault(&node.place, fault));
                None
            }
        }
    }

    /// A scalar of a type.
    pub(crate) fn scalar<T: Scalar>(&mut self, node: &Node) -> Option<T> {
        let resolved = self.text(node, T::NAME)?;
        match T::parse(&resolved.text) {
            Ok(value) => Some(value),
            Err(fault) if T::may_show(&resolved.text) => {
                self.mistake(&node.place, format_args!("{}: {}", fault.predicate, resolved.shown), Some(&fault.help));
                None
            }
            Err(fault) => {
                self.fault(&node.place, &fault);
                None
            }
        }
    }

    /// One of the words of a choice; `-` and `_`, small and capital letters are the same.
    pub(crate) fn choice<'w>(&mut self, node: &Node, words: &[&'w str]) -> Option<&'w str> {
        let expected = one_of(words.iter().copied());
        let resolved = self.text(node, &expected)?;
        let written = resolved.text.replace('_', "-");
        let found = words.iter().find(|word| word.replace('_', "-").eq_ignore_ascii_case(&written));
        if found.is_none() {
            // What came from elsewhere must not be guessed at: the guess would tell it.
            let near = if resolved.literal { nearest(&resolved.text, words.iter().copied()) } else { None };
            let elsewhere = ELSEWHERE.iter().find(|(word, beside, _)| *word == written && words.contains(beside));
            let help = match elsewhere.filter(|_| resolved.literal) {
                Some((_, _, where_else)) => Some((*where_else).to_owned()),
                None => near.map(|word| format!("did you mean {}?", quote(word))),
            };
            self.mistake(&node.place, format_args!("must be {expected}, not {}", resolved.shown), help.as_deref());
        }
        found.copied()
    }

    /// The items of a list.
    pub(crate) fn items<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        match &node.value {
            Value::List(items) => Some(items),
            Value::Scalar(_) | Value::Map(_) => {
                self.mistake(&node.place, format_args!("must be a list, not {}", node.what()), None);
                None
            }
        }
    }

    /// The keys of a map.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            Value::Scalar(_) | Value::List(_) => {
                self.mistake(&node.place, format_args!("must be a map, not {}", node.what()), None);
                None
            }
        }
    }

    /// The keys of one of our sections, after those that nobody knows, that are missing or that this version cannot
    /// execute were reported.
    pub(crate) fn section<'n>(&mut self, node: &'n Node, section: &Section) -> Option<&'n [Entry]> {
        let entries = self.entries(node)?;
        self.check_keys(entries, section);
        for field in section.fields.iter().filter(|field| matches!(field.presence, Presence::Required)) {
            if !entries.iter().any(|entry| is_named(entry, field.key, field.alias) && !entry.value.is_null()) {
                self.mistake(&node.place, format_args!("has no {}", quote(field.key)), Some("add it"));
            }
        }
        planned::refuse(self, entries, section);
        Some(entries)
    }

    /// Reports keys that nobody knows, and keys given under two spellings.
    pub(crate) fn check_keys(&mut self, entries: &[Entry], section: &Section) {
        for entry in entries {
            if section.open || section.keys().any(|key| key == entry.key) {
                continue;
            }
            let subject = if self.path.is_empty() { String::new() } else { format!(" in {}", self.path) };
            let message = format!("unknown key {}{subject}", quote(&entry.key));
            let help = match entry.key.as_str() {
                "<<" => Some("merge keys are not supported, write the keys out".to_owned()),
                key if key.starts_with("//") => Some("comments begin with #".to_owned()),
                _ if self.report.is_full() => None,
                key => nearest(key, section.keys()).map(|known| format!("did you mean {}?", quote(known))),
            };
            self.report.add(Diagnostic { help, ..Diagnostic::error(&entry.key_place, message) });
        }
        let twins = section.fields.iter().map(|field| (field.key, field.alias));
        for (key, alias) in twins.chain(section.planned.iter().map(|field| (field.key, field.alias))) {
            let Some(alias) = alias else { continue };
            let has = |name: &str| entries.iter().find(|entry| entry.key == name);
            if let (Some(_), Some(second)) = (has(key), has(alias)) {
                let message = format!("{} and {} are the same", self.path_to(key), self.path_to(alias));
                self.report.add(Diagnostic::error(&second.key_place, message).with_help("keep one of them"));
            }
        }
    }

    /// The value of one key of a section.
    pub(crate) fn field<T: Decode>(&mut self, entries: &[Entry], key: &'static str, alias: Option<&str>) -> Written<T> {
        let found = entries.iter().find(|entry| is_named(entry, key, alias));
        let Some(entry) = found.filter(|entry| !entry.value.is_null()) else {
            return Written::Absent;
        };
        match self.within(&entry.key, |decoder| T::decode(&entry.value, decoder)) {
            Some(value) => Written::Given(Spanned { value, place: entry.value.place.clone() }),
            None => Written::Broken,
        }
    }
}

/// Whether a key is the one that is looked for.
pub(crate) fn is_named(entry: &Entry, key: &str, alias: Option<&str>) -> bool {
    entry.key == key || alias == Some(entry.key.as_str())
}

/// A key as it may stand in a path of a message.
fn shorten(key: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | '/' | ':');
    if key.len() <= 60 && !key.is_empty() && key.chars().all(fits) { key.to_owned() } else { quote(key) }
}

impl<T: Decode> Decode for Vec<Spanned<T>> {
    const SHAPE: &'static Shape = &Shape::List(T::SHAPE);

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let items = decoder.items(node)?.iter().enumerate();
        let decoded = items.filter_map(|(index, item)| {
            let value = decoder.within_item(index, |decoder| T::decode(item, decoder))?;
            Some(Spanned { value, place: item.place.clone() })
        });
        Some(decoded.collect())
    }
}

/// A map whose keys are free, in the order of the file.
pub(crate) struct Pairs<T>(pub(crate) Vec<(Spanned<String>, Spanned<T>)>);

impl<T: Decode> Decode for Pairs<T> {
    const SHAPE: &'static Shape = &Shape::Map(T::SHAPE);

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let entries = decoder.entries(node)?.iter();
        let decoded = entries.filter_map(|entry| {
            let value = decoder.within(&entry.key, |decoder| T::decode(&entry.value, decoder))?;
            let key = Spanned { value: entry.key.clone(), place: entry.key_place.clone() };
            Some((key, Spanned { value, place: entry.value.place.clone() }))
        });
        Some(Self(decoded.collect()))
    }
}
