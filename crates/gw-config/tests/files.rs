//! Loading from the real file system.

use std::fs;
use std::path::Path;

use gw_config::{Environment, LoadOptions, load};

#[test]
fn a_configuration_is_loaded_with_the_files_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    fs::write(&path, "providers: [{type: openai, api_key: '${file:key.txt}'}]\n").unwrap();
    fs::write(directory.path().join("key.txt"), "sk-1\n").unwrap();
    let options = LoadOptions { provider_types: &["openai"], ..LoadOptions::default() };
    let config = load(&path, &Environment::process(), &options).unwrap().config;
    assert_eq!(config.providers[0].api_key.as_ref().map(|key| key.expose()), Some("sk-1"));
    assert_eq!(config.files, [path, directory.path().join("key.txt")]);
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake_that_names_it() {
    let told = |path: &Path| load(path, &Environment::process(), &LoadOptions::default()).unwrap_err().to_string();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    let name = path.display();
    assert!(told(&path).starts_with(&format!("{name}: cannot be read (no such file);")), "{}", told(&path));
    assert!(told(directory.path()).contains("it is a directory"), "{}", told(directory.path()));
    fs::write(&path, b"listen: 9000\nlogging: \xff\n").unwrap();
    assert!(told(&path).starts_with(&format!("{name}: is not valid UTF-8 in line 2;")), "{}", told(&path));
    fs::write(&path, vec![b'#'; (4 << 20) + 1]).unwrap();
    assert!(told(&path).contains("it is too large"), "{}", told(&path));
}
