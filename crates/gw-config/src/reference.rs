//! The reference page of the configuration.

use std::fmt::Write;

use crate::file::File;
use crate::shape::{Field, Off, Planned, Presence, Section, Shape};

const OPENING: &str = "\
# Configuration reference

Generated from the tables that the loader itself uses; `ai-gateway schema` prints the same as JSON Schema.

The file is YAML or JSON, raw or in a Kubernetes ConfigMap (under `config.yaml`, or the only key of `data`). It is looked
for at `--config`, `AI_GATEWAY_CONFIG`, `ai-gateway-config.yaml` and `gateway-config.json`, in this order.

Every value may hold references: `${NAME}` is an environment variable, `${NAME:-default}` one that may be missing or
empty, `${file:/path}` the content of a file without the newline at its end (a relative path begins at the configuration
file). `$${` stands for a plain `${`. Inside `[ ]` and `{ }` values with references need quotes.

Durations are `30s`, `500ms`, `2m`, `1h` or a number of seconds; sizes are `32MiB`, `64KB` or a number of bytes.

What this version knows and cannot execute yet is a mistake, unless it is empty or switched off as the table says.
";

/// The reference page of the configuration, in Markdown.
pub fn reference() -> String {
    let mut page = String::from(OPENING);
    section(&mut page, "The file", "", &File::SECTION, &mut Vec::new());
    page
}

/// A section that is on the page, and where it stands.
type Shown = (String, &'static Section);

/// A section and, after it, the sections that are in it.
fn section(page: &mut String, title: &str, path: &str, section: &'static Section, shown: &mut Vec<Shown>) {
    let mut inner = Vec::new();
    if let Some((first, _)) = shown.iter().find(|(_, other)| is_same(section, other)) {
        let _ = write!(
            page,
            "\n## {title}\n\n{} The same keys as [`{first}`](#{}).\n",
            section.about.trim(),
            anchor(first)
        );
        return;
    }
    shown.push((path.to_owned(), section));
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## {title}\n\n{}\n", section.about.trim());
    if !section.fields.is_empty() {
        page.push_str("\n| key | value | default | meaning |\n|---|---|---|---|\n");
    }
    for field in section.fields {
        row(page, field);
        nested(&join(path, field.key), field.shape, &mut inner);
    }
    if !section.planned.is_empty() {
        page.push_str("\nNot executed by this version:\n\n| key | value | may stand | meaning |\n|---|---|---|---|\n");
    }
    for planned in section.planned {
        planned_row(page, planned);
        if matches!(planned.off, Off::Inside) {
            nested(&join(path, planned.key), planned.shape, &mut inner);
        }
    }
    for (path, found) in inner {
        self::section(page, &format!("`{path}`"), &path, found, shown);
    }
}

/// Whether two sections have the same keys for the same purpose.
fn is_same(one: &Section, other: &Section) -> bool {
    one.about == other.about && one.keys().eq(other.keys())
}

/// Where a heading's link leads.
fn anchor(heading: &str) -> String {
    heading.chars().filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')).collect()
}

fn row(page: &mut String, field: &Field) {
    let default = match field.presence {
        Presence::Optional => String::new(),
        Presence::Default(default) => format!("`{default}`"),
        Presence::Required => "required".to_owned(),
    };
    let words = words(field.shape);
    let _ = writeln!(
        page,
        "| {} | {} | {default} | {}{words} |",
        spelling(field.key, field.alias),
        value(field.shape),
        field.about.trim()
    );
}

fn planned_row(page: &mut String, planned: &Planned) {
    let off = match planned.off {
        Off::Never => "if empty".to_owned(),
        Off::Switch => "with `enabled: false`".to_owned(),
        Off::Disabled => "beside `enabled: false`".to_owned(),
        Off::When(value) => format!("as `{value}`"),
        Off::With(governors) => {
            format!("beside {}", governors.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "))
        }
        Off::Inside => "if all in it is off".to_owned(),
    };
    let key = spelling(planned.key, planned.alias);
    let _ = writeln!(page, "| {key} | {} | {off} | {} |", value(planned.shape), planned.about.trim());
}

fn spelling(key: &str, alias: Option<&str>) -> String {
    match alias {
        Some(alias) => format!("`{key}` or `{alias}`"),
        None => format!("`{key}`"),
    }
}

/// What may stand there, in words.
fn value(shape: &Shape) -> String {
    match shape {
        Shape::Scalar(kind) => kind.name.to_owned(),
        Shape::Choice(choices) => {
            choices.iter().map(|choice| format!("`{}`", choice.word)).collect::<Vec<_>>().join(", ")
        }
        Shape::List(item) => format!("list of {}", value(item).trim_start_matches("a ").trim_start_matches("an ")),
        Shape::Map(item) => {
            format!("map of names to {}", value(item).trim_start_matches("a ").trim_start_matches("an "))
        }
        Shape::Section(_) => "a section".to_owned(),
        Shape::Either(one, other) => format!("{} or {}", value(one), value(other)),
    }
}

/// What the words of a choice mean.
fn words(shape: &Shape) -> String {
    match shape {
        Shape::Choice(choices) => {
            choices.iter().map(|choice| format!(" `{}`: {}", choice.word, choice.about)).collect()
        }
        Shape::Scalar(_) | Shape::List(_) | Shape::Map(_) | Shape::Section(_) | Shape::Either(..) => String::new(),
    }
}

/// The section that a value holds, if it does.
fn nested(path: &str, shape: &'static Shape, found: &mut Vec<(String, &'static Section)>) {
    match shape {
        Shape::Section(section) => found.push((path.to_owned(), section)),
        Shape::List(item) => nested(&format!("{path}[]"), item, found),
        Shape::Map(value) => nested(&format!("{path}.*"), value, found),
        Shape::Either(one, other) => {
            nested(path, one, found);
            nested(path, other, found);
        }
        Shape::Scalar(_) | Shape::Choice(_) => {}
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
