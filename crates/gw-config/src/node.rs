//! A configuration file as a tree of values, each with its place. Knows YAML and JSON, but no key of ours.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::diagnostic::{Diagnostic, Place, Report};
use crate::text::quote;

/// How deep values may nest.
const DEPTH_MAX: usize = 64;

/// How many values a file may have.
const NODES_MAX: usize = 100_000;

/// A value and where it stands.
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What stands there.
pub(crate) enum Value {
    /// Text, a number, true, false or null.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file; no key stands twice.
    Map(Vec<Entry>),
}

/// A scalar as written: what is in it is decided by the field that it stands in.
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// How it is written.
    pub(crate) style: ScalarStyle,
}

/// One key of a mapping.
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) value: Node,
}

impl Node {
    /// Whether nothing is written here: `null`, `~`, or no value at all.
    pub(crate) fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar(scalar) => {
                scalar.style == ScalarStyle::Plain
                    && matches!(scalar.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            Value::List(_) | Value::Map(_) => false,
        }
    }

    /// What it is, for a message.
    pub(crate) fn what(&self) -> &'static str {
        match &self.value {
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// Where a text stands.
#[derive(Clone)]
pub(crate) enum Origin {
    /// Its lines are lines of a file, from below some and right of some columns.
    Text { file: Option<Arc<PathBuf>>, lines_above: u32, columns_left: u32 },
    /// It is all in one place, because its own lines are none of the file.
    Point(Place),
}

impl Origin {
    /// The beginning of one of its lines, counted from 1.
    pub(crate) fn line(&self, line: usize) -> Place {
        self.place(&Marker::new(0, line, 0))
    }

    fn place(&self, marker: &Marker) -> Place {
        match self {
            Self::Text { file, lines_above, columns_left } => {
                // The parser counts columns from 0.
                let line = u32::try_from(marker.line()).unwrap_or(u32::MAX).saturating_add(*lines_above);
                let column = u32::try_from(marker.col()).unwrap_or(u32::MAX).saturating_add(*columns_left);
                Place { file: file.clone(), line, column: column.saturating_add(1) }
            }
            Self::Point(place) => place.clone(),
        }
    }
}

/// Parses YAML or JSON. `None` if it is neither, or if nothing stands in it; the report then knows the difference.
/// `added_line` is a line that does not stand in the file, counted from 1.
pub(crate) fn parse(text: &str, origin: &Origin, added_line: Option<usize>, report: &mut Report) -> Option<Node> {
    let options = granit_parser::options! {
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    let mut builder = Builder { origin, added_line, report, open: Vec::new(), root: None, nodes: 0, documents: 0 };
    for event in Parser::new_from_str_with_options(text, options) {
        let carry_on = match event {
            Ok((event, span)) => builder.event(event, &span),
            Err(error) => builder.not_yaml(text, &error),
        };
        if !carry_on {
            return None;
        }
    }
    builder.root
}

/// Builds the tree without recursion, so that no input can exhaust the stack.
struct Builder<'a> {
    origin: &'a Origin,
    /// A line that does not stand in the file.
    added_line: Option<usize>,
    report: &'a mut Report,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
}

/// A list or map whose end has not come yet.
enum Open {
    List { place: Place, items: Vec<Node> },
    Map { place: Place, entries: Vec<Entry>, lines: HashMap<String, u32>, awaiting: Awaiting },
}

/// What a map expects next.
enum Awaiting {
    Key,
    ValueOf {
        key: String,
        key_place: Place,
    },
    /// The value of a key that was refused.
    Nothing,
}

impl Builder<'_> {
    /// Takes the next event; false to stop.
    fn event(&mut self, event: Event<'_>, span: &Span) -> bool {
        let place = self.place(&span.start);
        match event {
            Event::DocumentStart(..) => self.document(&place),
            Event::Scalar(text, style, _, tag) => {
                let style = self.style_of(style, tag.as_deref(), &place);
                self.add(Node { place, value: Value::Scalar(Scalar { text: text.into_owned(), style }) })
            }
            Event::SequenceStart(_, _, tag) => {
                self.refuse_tag(tag.as_deref(), &place);
                self.begin(Open::List { place, items: Vec::new() })
            }
            Event::MappingStart(_, _, tag) => {
                self.refuse_tag(tag.as_deref(), &place);
                self.begin(Open::Map { place, entries: Vec::new(), lines: HashMap::new(), awaiting: Awaiting::Key })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.mistake(&place, "aliases (*name) are not supported", "write the value out");
                self.leave_out();
                true
            }
            // The parser's list of events may grow by ones that carry no value.
            _ => true,
        }
    }

    /// Where something stands in the file.
    fn place(&self, marker: &Marker) -> Place {
        let place = self.origin.place(marker);
        let is_below = self.added_line.is_some_and(|added| marker.line() > added);
        match self.origin {
            Origin::Text { .. } if is_below => Place { line: place.line.saturating_sub(1), ..place },
            Origin::Text { .. } | Origin::Point(_) => place,
        }
    }

    fn document(&mut self, place: &Place) -> bool {
        self.documents += 1;
        if self.documents > 1 {
            self.mistake(place, "a second document begins here", "keep one configuration in a file");
        }
        self.documents == 1
    }

    fn begin(&mut self, open: Open) -> bool {
        if self.open.len() >= DEPTH_MAX {
            let (Open::List { place, .. } | Open::Map { place, .. }) = &open;
            let place = place.clone();
            return self.too_deep(&place);
        }
        self.open.push(open);
        true
    }

    fn end(&mut self) -> bool {
        let node = match self.open.pop() {
            Some(Open::List { place, items }) => Node { place, value: Value::List(items) },
            Some(Open::Map { place, entries, .. }) => Node { place, value: Value::Map(entries) },
            None => return false,
        };
        self.add(node)
    }

    fn add(&mut self, node: Node) -> bool {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            self.mistake(&node.place, &format!("the file has more than {NODES_MAX} values"), "make it smaller");
            return false;
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, awaiting, .. }) => match std::mem::replace(awaiting, Awaiting::Key) {
                Awaiting::Key => self.key(node),
                Awaiting::ValueOf { key, key_place } => entries.push(Entry { key, key_place, value: node }),
                Awaiting::Nothing => {}
            },
        }
        true
    }

    /// Goes on as if a node that was refused were not there.
    fn leave_out(&mut self) {
        if let Some(Open::Map { awaiting, .. }) = self.open.last_mut() {
            *awaiting = match awaiting {
                Awaiting::Key => Awaiting::Nothing,
                Awaiting::ValueOf { .. } | Awaiting::Nothing => Awaiting::Key,
            };
        }
    }

    /// Takes a node as the next key of the innermost map.
    fn key(&mut self, node: Node) {
        let Some(Open::Map { lines, awaiting, .. }) = self.open.last_mut() else {
            return;
        };
        *awaiting = Awaiting::Nothing;
        let Value::Scalar(Scalar { text: key, .. }) = node.value else {
            self.mistake(&node.place, "a list or a map stands where a key is expected", "write the key as one word");
            return;
        };
        let key_place = node.place;
        match lines.insert(key.clone(), key_place.line) {
            None => *awaiting = Awaiting::ValueOf { key, key_place },
            Some(line) => {
                let message = format!("the key {} stands twice, first in line {line}", quote(&key));
                self.mistake(&key_place, &message, "keep one of them");
            }
        }
    }

    /// `!!str` makes any scalar text; other tags mean nothing here.
    fn style_of(&mut self, style: ScalarStyle, tag: Option<&Tag>, place: &Place) -> ScalarStyle {
        match tag {
            Some(tag) if tag.is_yaml_core_schema_tag("str") => ScalarStyle::DoubleQuoted,
            other => {
                self.refuse_tag(other, place);
                style
            }
        }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, place: &Place) {
        if tag.is_some() {
            self.mistake(place, "tags (!name) are not supported", "remove the tag");
        }
    }

    fn not_yaml(&mut self, text: &str, error: &ScanError) -> bool {
        let place = self.place(error.marker());
        let line = text.lines().nth(error.marker().line().saturating_sub(1)).unwrap_or_default();
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            return self.too_deep(&place);
        }
        let help = match error.kind() {
            ErrorKind::TabInBlockIndentation => "indent with spaces",
            ErrorKind::MappingValueNotAllowed => "look at the indentation, and put values with \": \" in quotes",
            _ if line.contains("${") => "inside [ ] and { }, put ${…} in quotes",
            _ if line.contains("//") => "comments begin with #",
            _ => "look at the indentation, brackets and quotes here and above",
        };
        self.mistake(&place, &format!("this is not valid YAML or JSON: {}", error.info()), help);
        false
    }

    fn too_deep(&mut self, place: &Place) -> bool {
        self.mistake(place, &format!("values nest deeper than {DEPTH_MAX}"), "make it flatter");
        false
    }

    fn mistake(&mut self, place: &Place, message: &str, help: &str) {
        self.report.add(Diagnostic::error(place, message).with_help(help));
    }
}
