//! Lists the files of `catalog/`, so that a new provider is one new file and no other change. The models' files are
//! deflated: they are many, and most of them are never read.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::DeflateEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=catalog");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut list = String::from("&[\n");
    for id in ids("catalog")? {
        let path = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/catalog/{id}.toml\")");
        writeln!(list, "    (\"{id}\", include_str!({path})),")?;
    }
    list.push(']');
    fs::write(out.join("catalog.rs"), list)?;

    let mut list = String::from("&[\n");
    for id in ids("catalog/models")? {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&fs::read(format!("catalog/models/{id}.toml"))?)?;
        fs::write(out.join(format!("models-{id}")), encoder.finish()?)?;
        let path = format!("concat!(env!(\"OUT_DIR\"), \"/models-{id}\")");
        writeln!(list, "    (\"{id}\", include_bytes!({path})),")?;
    }
    list.push(']');
    fs::write(out.join("models.rs"), list)?;
    Ok(())
}

/// The names of a folder's files without their extension, sorted.
fn ids(folder: impl AsRef<Path>) -> Result<Vec<String>, Box<dyn Error>> {
    let mut ids = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "toml")
            && let Some(id) = path.file_stem().and_then(|stem| stem.to_str())
        {
            ids.push(id.to_owned());
        }
    }
    ids.sort();
    Ok(ids)
}
