//! `cargo xtask catalog --from FILE --date DAY`: makes the files of `crates/gw-providers/catalog/models` from a public
//! price file (the shape of LiteLLM's `model_prices_and_context_window.json`).
//!
//! The same input makes the same files. What people wrote survives: `note`, the members that an entry names in `by_hand`,
//! and entries whose `by_hand` is `["*"]`.

mod decimal;
mod facts;
mod old;
mod price;
mod providers;
mod write;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use crate::project;
use facts::Entry;

/// Where the files are.
const FOLDER: &str = "crates/gw-providers/catalog/models";

/// What is made of what.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The price file.
    #[arg(long)]
    from: PathBuf,
    /// The day of its facts, as YYYY-MM-DD.
    #[arg(long)]
    date: String,
    /// Who published it: stands as the source of entries that name none.
    #[arg(long, default_value = "https://github.com/BerriAI/litellm")]
    source: String,
}

/// An entry of the price file.
pub(crate) type Published = Map<String, Value>;

/// Writes the files.
pub(crate) fn run(options: &Options) -> Result<()> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    ensure!(options.date.len() == 10 && digits(&options.date), "--date is not YYYY-MM-DD");
    let text = fs::read_to_string(&options.from).with_context(|| options.from.display().to_string())?;
    let published: BTreeMap<String, Value> = serde_json::from_str(&text).context("not a price file")?;
    let folder = project::root().join(FOLDER);
    fs::create_dir_all(&folder)?;
    let mut count = 0;
    for provider in providers::ALL {
        let path = folder.join(format!("{}.toml", provider.id));
        let old = old::read(&path)?;
        let mut entries = collect(provider, &published);
        facts::share_search(&mut entries);
        facts::join_twins(&mut entries);
        old.carry_over(&mut entries);
        if entries.is_empty() {
            continue;
        }
        count += entries.len();
        fs::write(&path, write::file(provider.id, &options.source, &options.date, &entries))?;
    }
    println!("{count} models of {} providers", providers::ALL.len());
    Ok(())
}

/// The entries of a provider by their names there. Of two for one name the first that has a price holds.
fn collect(provider: &providers::Provider, published: &BTreeMap<String, Value>) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    for (key, value) in published {
        let Some(one) = value.as_object() else { continue };
        let family = one.get("litellm_provider").and_then(Value::as_str).unwrap_or_default();
        let Some(name) = provider.name_of(family, key) else { continue };
        if let Some(entry) = facts::entry(provider.id, &name, one) {
            let known = entries.get(&name).is_some_and(|known: &Entry| !known.price.rates.is_empty());
            if !known {
                entries.insert(name, entry);
            }
        }
    }
    entries
}
