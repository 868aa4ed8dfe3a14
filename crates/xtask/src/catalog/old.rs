//! What people wrote into the files, which survives.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::facts::Entry;

/// What people wrote of an entry.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ByHand {
    /// Members that stand as people wrote them; `None` where people left one out.
    pub(crate) members: BTreeMap<String, Option<Value>>,
    /// Names that will become aliases.
    pub(crate) twins: Vec<String>,
}

impl Eq for ByHand {}

/// A file as it was.
pub(crate) struct Old {
    entries: Vec<Table>,
}

/// Reads the file as it was; nothing if there is none.
pub(crate) fn read(path: &Path) -> Result<Old> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(Old { entries: Vec::new() }) };
    let table: Table = text.parse().with_context(|| path.display().to_string())?;
    let models = table.get("model").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(Old { entries: models.into_iter().filter_map(|model| model.as_table().cloned()).collect() })
}

impl Old {
    /// Puts what people wrote into the new entries.
    pub(crate) fn carry_over(&self, entries: &mut BTreeMap<String, Entry>) {
        for old in &self.entries {
            let Some(name) = old.get("name").and_then(Value::as_str) else { continue };
            let listed = old.get("by_hand").and_then(Value::as_array).into_iter().flatten();
            let by_hand: Vec<&str> = listed.filter_map(Value::as_str).collect();
            let whole = by_hand.contains(&"*");
            if whole {
                entries.insert(name.to_owned(), Entry::default());
            }
            let Some(entry) = entries.get_mut(name) else { continue };
            let kept = |key: &str| whole || ["note", "by_hand"].contains(&key) || by_hand.contains(&key);
            let written = old.iter().filter(|(key, _)| *key != "name" && kept(key));
            let left_out = by_hand.iter().map(|key| ((*key).to_owned(), None));
            let members = left_out.chain(written.map(|(key, value)| (key.clone(), Some(value.clone()))));
            entry.by_hand.members.extend(members);
        }
    }
}
