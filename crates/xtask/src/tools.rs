//! What the tests need beyond the compiler, and how it is installed.
//!
//! Everything is installed once, at the version named here or in the files of tests/sdk, and found again later.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::{process, project};

/// Something that a check needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// The test runner.
    Nextest,
    /// The check of licences, bans and sources.
    Deny,
    /// The check for unused dependencies.
    Machete,
    /// A Python environment with the SDK and pytest.
    PythonSuite,
    /// Node and the SDK for it.
    NodeSuite,
}

/// Installs what is missing of `tools`, and says so; quiet where nothing is.
pub(crate) fn install(tools: &[Tool]) -> Result<()> {
    for tool in tools {
        match tool {
            Tool::Nextest => cargo_tool("nextest", "cargo-nextest@0.9.143")?,
            Tool::Deny => cargo_tool("deny", "cargo-deny@0.20.2")?,
            Tool::Machete => cargo_tool("machete", "cargo-machete@0.9.2")?,
            Tool::PythonSuite => python_packages()?,
            Tool::NodeSuite => node_packages()?,
        }
    }
    Ok(())
}

/// The Python suite.
pub(crate) fn pytest() -> Command {
    let mut command = Command::new(virtual_environment().join("bin/python"));
    command.args(["-m", "pytest", "--color=no", "-p", "no:cacheprovider"]).current_dir(sdk_tests().join("python"));
    command
}

/// The Node suite.
pub(crate) fn node_test() -> Result<Command> {
    let folder = sdk_tests().join("node");
    let mut files: Vec<_> =
        fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?.iter().map(fs::DirEntry::path).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    files.sort();
    let mut command = Command::new(folder.join("node_modules/.bin/node"));
    command.args(["--test", "--test-reporter=spec", "--test-timeout=30000"]).args(files).current_dir(folder);
    Ok(command)
}

fn sdk_tests() -> PathBuf {
    project::root().join("tests/sdk")
}

fn virtual_environment() -> PathBuf {
    project::root().join(".test-tools/venv")
}

fn cargo_tool(subcommand: &str, package: &str) -> Result<()> {
    if process::works(&mut project::cargo(&[subcommand, "--version"])) {
        return Ok(());
    }
    println!("installing {package} (once; takes some minutes)");
    process::run(&mut project::cargo(&["install", "--locked", "--quiet", package]))
}

fn python_packages() -> Result<()> {
    let wanted = sdk_tests().join("python/requirements.txt");
    let installed = virtual_environment().join("installed.txt");
    if same(&wanted, &installed) {
        return Ok(());
    }
    println!("installing the Python packages of tests/sdk (once)");
    debian_package("python3-venv", Command::new("python3").args(["-c", "import ensurepip"]))?;
    let virtual_environment = virtual_environment();
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&virtual_environment))?;
    process::run(
        Command::new(virtual_environment.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&wanted),
    )?;
    fs::copy(&wanted, &installed)?;
    Ok(())
}

fn node_packages() -> Result<()> {
    let folder = sdk_tests().join("node");
    let wanted = folder.join("package-lock.json");
    let installed = folder.join("node_modules/installed.json");
    if same(&wanted, &installed) {
        return Ok(());
    }
    println!("installing the Node packages of tests/sdk (once)");
    debian_package("npm", Command::new("npm").arg("--version"))?;
    process::run(
        Command::new("npm")
            .args(["ci", "--silent", "--no-audit", "--no-fund", "--foreground-scripts"])
            .current_dir(&folder),
    )?;
    fs::copy(&wanted, &installed)?;
    Ok(())
}

/// Installs a Debian package unless `probe` works already.
fn debian_package(package: &str, probe: &mut Command) -> Result<()> {
    if process::works(probe) {
        return Ok(());
    }
    println!("installing the Debian package {package}");
    let installed = process::works(Command::new("apt-get").args(["update", "-qq"]))
        && process::works(Command::new("apt-get").args(["install", "-y", "-qq", "--no-install-recommends", package]));
    if !installed {
        bail!(
            "{package} is missing and could not be installed; install it by hand (on Debian: apt-get install {package})"
        );
    }
    Ok(())
}

fn same(wanted: &Path, installed: &Path) -> bool {
    match (fs::read(wanted), fs::read(installed)) {
        (Ok(wanted), Ok(installed)) => wanted == installed,
        _ => false,
    }
}
