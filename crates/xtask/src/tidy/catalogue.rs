//! The provider catalogue: every entry can be read, and its lists are sorted, so that two people who add a name do not
//! add it twice.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

const FOLDER: &str = "crates/gw-providers/catalog";
/// The lists that are kept sorted, as paths into an entry.
const SORTED: &[&[&str]] = &[&["aliases"], &["models", "known"], &["models", "prefixes"]];

/// Reports entries that cannot be read and lists that are not sorted.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut mistakes = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(root.join(FOLDER))
        .context(FOLDER)?
        .collect::<Result<Vec<_>, _>>()?
        .iter()
        .map(fs::DirEntry::path)
        .collect();
    entries.sort();
    for entry in entries.iter().filter(|file| file.extension().is_some_and(|extension| extension == "toml")) {
        let text = fs::read_to_string(entry)?;
        let shown = entry.strip_prefix(root).unwrap_or(entry).display();
        match text.parse() {
            Ok(table) => mistakes.extend(check_entry(&table).into_iter().map(|mistake| format!("{shown}: {mistake}"))),
            Err(error) => mistakes.push(format!("{shown}: {error}")),
        }
    }
    Ok(mistakes)
}

fn check_entry(entry: &Table) -> Vec<String> {
    let mut mistakes = Vec::new();
    for path in SORTED {
        let names = list(entry, path);
        for pair in names.windows(2) {
            if let [first, second] = pair
                && first >= second
            {
                mistakes.push(format!("{}: {second:?} must not come after {first:?}", path.join(".")));
            }
        }
    }
    mistakes
}

fn list<'a>(entry: &'a Table, path: &[&str]) -> Vec<&'a str> {
    let [first, rest @ ..] = path else { return Vec::new() };
    let value = rest.iter().try_fold(entry.get(*first), |value, key| Some(value?.get(*key))).flatten();
    let Some(names) = value.and_then(Value::as_array) else { return Vec::new() };
    names.iter().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_out_of_order_and_a_name_given_twice_are_found() {
        let entry = r#"
            aliases = ["b", "a"]
            models = { known = ["m-1", "m-1", "m-2"], prefixes = ["x-", "y-"] }
        "#;
        assert_eq!(
            check_entry(&entry.parse().unwrap()),
            [r#"aliases: "a" must not come after "b""#, r#"models.known: "m-1" must not come after "m-1""#]
        );
    }
}
