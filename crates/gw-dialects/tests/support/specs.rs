//! The vendors' own schemas, for tests: what we send must be allowed by the provider's, what we return by the client's.
//! They lie in `shared/specs` beside the workspace, or where `GATEWAY_SPECS` says.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError, Validator};
use serde_json::{Value, json};

/// A schema: the file and the place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Schema {
    /// The name of the file.
    pub(crate) file: &'static str,
    /// A JSON pointer, as in `$ref`.
    pub(crate) pointer: &'static str,
}

/// The schemas that are here, each compiled once.
pub(crate) struct Specs {
    folder: Option<PathBuf>,
    compiled: HashMap<Schema, Validator>,
}

impl Specs {
    /// Finds the schemas. Where there are none, says so, and everything is valid.
    pub(crate) fn find() -> Self {
        let folder = match std::env::var_os("GATEWAY_SPECS") {
            Some(named) => Some(PathBuf::from(named)),
            // Beside the workspace; beside the folder of work trees, one deeper.
            None => ["../../../shared/specs", "../../../../shared/specs"]
                .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
                .into_iter()
                .find(|folder| folder.is_dir()),
        };
        let folder = folder.filter(|folder| folder.is_dir());
        if folder.is_none() {
            // Not by a macro: what those print, a test that passes does not show.
            static SAID: Once = Once::new();
            SAID.call_once(|| drop(writeln!(std::io::stderr(), "SKIPPED: vendor schemas are not here")));
        }
        Self { folder, compiled: HashMap::new() }
    }

    /// Whether there are any.
    pub(crate) fn are_here(&self) -> bool {
        self.folder.is_some()
    }

    /// What the schema finds wrong; nothing if there are no schemas.
    pub(crate) fn faults(&mut self, schema: Schema, instance: &Value) -> Vec<String> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let validator = match self.compiled.entry(schema) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(compile(folder, schema)),
        };
        validator.iter_errors(instance).take(3).map(|error| short(&error.to_owned())).collect()
    }
}

fn compile(folder: &Path, schema: Schema) -> Validator {
    let path = folder.join(schema.file);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut document: Value = serde_json::from_slice(&text).unwrap();
    loosen(&mut document);
    // The rest of the document stays, for the references into it.
    document["$ref"] = json!(schema.pointer);
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(false)
        .build(&document)
        .unwrap_or_else(|error| panic!("{}{}: {error}", schema.file, schema.pointer))
}

/// Vendors write `oneOf` where alternatives overlap and a discriminator, which schemas do not know, decides.
fn loosen(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(alternatives) = members.remove("oneOf") {
                let place = if members.contains_key("anyOf") { "x-oneOf" } else { "anyOf" };
                members.insert(place.to_owned(), alternatives);
            }
            members.values_mut().for_each(loosen);
        }
        Value::Array(items) => items.iter_mut().for_each(loosen),
        _ => {}
    }
}

/// What is wrong, and where. An error quotes what it is about, which may be the whole request.
fn short(error: &ValidationError<'static>) -> String {
    let cause = cause(error);
    let words: String = cause.to_string().chars().take(200).collect();
    format!("at {:?}: {words}", cause.instance_path().to_string())
}

/// Of alternatives that all fail, the error of the one that was meant: none of its constants is another, and it was
/// followed the deepest.
fn cause<'a>(error: &'a ValidationError<'static>) -> &'a ValidationError<'static> {
    let ValidationErrorKind::AnyOf { context } = error.kind() else { return error };
    let meant = |branch: &&Vec<ValidationError<'static>>| {
        let others = branch.iter().filter(|error| is_constant(error)).count();
        let depth = branch.iter().map(|error| error.instance_path().to_string().len()).max();
        (Reverse(others), depth)
    };
    let errors = context.iter().max_by_key(meant).and_then(|branch| branch.first());
    errors.map_or(error, cause)
}

fn is_constant(error: &ValidationError<'_>) -> bool {
    matches!(error.kind(), ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. })
}
