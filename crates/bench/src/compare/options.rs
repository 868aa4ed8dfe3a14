//! What is measured, how often and how long, as told on the command line.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::phase::{PHASES, Phase, QUICK};

/// What is measured, how often and how long.
#[derive(Args, Debug, Clone)]
pub(crate) struct Options {
    /// Rounds; in each, every phase is done on every target in turn (memory, which hardly varies, in the first only).
    #[arg(long)]
    pub(super) rounds: Option<u32>,
    /// Seconds of a measured window.
    #[arg(long)]
    pub(super) secs: Option<f64>,
    /// Only these targets; the direct way and the pass-through always take part.
    #[arg(long, value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// Only these phases.
    #[arg(long, value_delimiter = ',')]
    pub(super) phases: Vec<String>,
    /// A first look: the most important phases, one round of short windows.
    #[arg(long)]
    pub(super) quick: bool,
    /// Gives the measured programs half of the processors and the rig the other half.
    #[arg(long)]
    pub(super) pin: bool,
    /// A program that is running already, as NAME=URL or NAME=URL,PID; its answers are checked by what they say.
    #[arg(long, value_name = "NAME=URL[,PID]")]
    pub(super) target: Vec<String>,
    /// Another build of the gateway, measured in the same run.
    #[arg(long, value_name = "PATH")]
    pub(super) baseline_binary: Option<PathBuf>,
    /// The gateway, if it is not the one beside this program.
    #[arg(long, value_name = "PATH")]
    pub(super) gateway_binary: Option<PathBuf>,
    /// Configuration for the target `gateway`; %LISTEN% and %UPSTREAM% in it are replaced.
    #[arg(long, value_name = "PATH")]
    pub(super) gateway_config: Option<PathBuf>,
    /// Waits before each measurement until nobody else works on the machine, so many seconds at most, and measures
    /// again, twice at most, if others came meanwhile.
    #[arg(long, default_value_t = 0)]
    pub(super) wait_secs: u64,
    /// Port of the mock, for programs that are running already; any free one if not given.
    #[arg(long)]
    pub(super) mock_port: Option<u16>,
    /// Event loops of the mock.
    #[arg(long, default_value_t = 1)]
    pub(super) mock_threads: usize,
    /// Where the figures go as compare.json, and logs and configurations below run; target/bench if not given.
    #[arg(long, value_name = "PATH")]
    pub(super) folder: Option<PathBuf>,
    /// A Markdown file; the figures go between its lines `<!-- figures -->` and `<!-- end of figures -->`.
    #[arg(long, value_name = "PATH")]
    pub(super) markdown: Option<PathBuf>,
}

impl Options {
    /// Rounds of the run.
    pub(super) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    /// Seconds of a window.
    pub(super) fn window_s(&self) -> f64 {
        self.secs.unwrap_or(if self.quick { 1.0 } else { 1.5 })
    }

    /// The folder for everything that is written; it is made if it does not exist.
    pub(super) fn folder(&self) -> Result<PathBuf> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => env::current_exe()?.ancestors().nth(2).context("this program lies in no folder")?.join("bench"),
        };
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        folder.canonicalize().context("the folder has no absolute path")
    }

    /// The gateway to measure.
    pub(super) fn gateway_binary(&self) -> Result<PathBuf> {
        match &self.gateway_binary {
            Some(file) => Ok(file.clone()),
            None => Ok(env::current_exe()?.with_file_name("ai-gateway")),
        }
    }

    /// The phases to go through; fails if one is not known.
    pub(super) fn phases(&self) -> Result<Vec<&'static Phase>> {
        for name in &self.phases {
            let known: Vec<_> = PHASES.iter().map(|phase| phase.name).collect();
            ensure!(known.contains(&name.as_str()), "there is no phase {name:?}; there are {}", known.join(", "));
        }
        let wanted = |phase: &&Phase| match self.phases.as_slice() {
            [] => !self.quick || QUICK.contains(&phase.name),
            phases => phases.iter().any(|name| name == phase.name),
        };
        Ok(PHASES.iter().filter(wanted).collect())
    }
}
