//! A Kubernetes ConfigMap around the configuration: unwraps it, and keeps lines and columns those of the outer file.

use granit_parser::ScalarStyle;

use crate::diagnostic::{Diagnostic, Report};
use crate::node::{Entry, Node, Origin, Value};
use crate::repair::parse;
use crate::text::{one_of, quote};

/// The key of the configuration, where a ConfigMap has several.
const USUAL_KEY: &str = "config.yaml";

/// What is in a file.
pub(crate) enum Content {
    /// The configuration.
    Plain(Node),
    /// A ConfigMap, and the configuration that was in it; `None` if there is none, which was reported.
    Wrapped(Option<Node>),
}

/// Looks whether a document is a ConfigMap, and unwraps it.
pub(crate) fn unwrap(node: Node, report: &mut Report) -> Content {
    let Value::Map(entries) = &node.value else {
        return Content::Plain(node);
    };
    let Some(kind) = find(entries, "kind") else {
        return Content::Plain(node);
    };
    let Value::Scalar(scalar) = &kind.value.value else {
        return Content::Plain(node);
    };
    if scalar.text != "ConfigMap" {
        let message = format!("the manifest is of kind {}, not ConfigMap", quote(&scalar.text));
        report.add(Diagnostic::error(&kind.value.place, message).with_help("put the configuration into a ConfigMap"));
        return Content::Wrapped(None);
    }
    Content::Wrapped(configuration(&node, entries, report))
}

fn configuration(manifest: &Node, entries: &[Entry], report: &mut Report) -> Option<Node> {
    let Some(data) = find(entries, "data") else {
        report.add(
            Diagnostic::error(&manifest.place, "the ConfigMap has no \"data\"")
                .with_help("add \"data\" with \"config.yaml\" in it"),
        );
        return None;
    };
    let Value::Map(files) = &data.value.value else {
        let message = format!("\"data\" of the ConfigMap must be a map, not {}", data.value.what());
        report.add(Diagnostic::error(&data.value.place, message));
        return None;
    };
    let only = || if let [only] = files.as_slice() { Some(only) } else { None };
    let Some(file) = find(files, USUAL_KEY).or_else(only) else {
        let keys = one_of(files.iter().map(|file| file.key.as_str()));
        let message = format!("\"data\" of the ConfigMap has no \"config.yaml\" among {}", quote(&keys));
        report.add(Diagnostic::error(&data.key_place, message).with_help("name the configuration \"config.yaml\""));
        return None;
    };
    for unread in files.iter().filter(|other| other.key != file.key) {
        let message = format!("{} in \"data\" of the ConfigMap is not read", quote(&unread.key));
        let help = "move what the gateway needs into \"config.yaml\"";
        report.add(Diagnostic::warning(&unread.key_place, message).with_help(help));
    }
    let Value::Scalar(scalar) = &file.value.value else {
        let message =
            format!("{} in \"data\" of the ConfigMap must be text, not {}", quote(&file.key), file.value.what());
        let help = format!("write \"{}: |\" and the configuration indented below it", file.key);
        report.add(Diagnostic::error(&file.value.place, message).with_help(help));
        return None;
    };
    let place = &file.value.place;
    let inner = match scalar.style {
        // The text of a literal block begins at its first line that is not empty, and has the lines of the file.
        ScalarStyle::Literal => Origin::Text {
            file: place.file.clone(),
            lines_above: place.line.saturating_sub(1 + leading_newlines(&scalar.text)),
            columns_left: place.column.saturating_sub(1),
        },
        ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted | ScalarStyle::Folded => {
            Origin::Point(place.clone())
        }
    };
    parse(&scalar.text, &inner, report)
}

fn find<'a>(entries: &'a [Entry], key: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| entry.key == key)
}

fn leading_newlines(text: &str) -> u32 {
    u32::try_from(text.len() - text.trim_start_matches('\n').len()).unwrap_or(u32::MAX)
}
