//! Lists the files of `catalog/`, so that a new provider is one new file and no other change.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=catalog");
    let mut ids = Vec::new();
    for file in fs::read_dir("catalog")? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "toml")
            && let Some(id) = path.file_stem().and_then(|stem| stem.to_str())
        {
            ids.push(id.to_owned());
        }
    }
    ids.sort();
    let mut list = String::from("&[\n");
    for id in ids {
        let path = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/catalog/{id}.toml\")");
        writeln!(list, "    (\"{id}\", include_str!({path})),")?;
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("catalog.rs"), list)?;
    Ok(())
}
