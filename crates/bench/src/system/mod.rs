//! What the rig asks of Linux: processes that end with their parent, processors, CPU time and memory.

pub(crate) mod child;
pub(crate) mod usage;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The file of this program, which can be started again even if a build has replaced it.
pub(crate) const THIS_PROGRAM: &str = "/proc/self/exe";

/// Ends this process when the one that started it ends, however that happens.
pub(crate) fn die_with_parent() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM)).context("cannot bind this process to its parent")
}

/// The processors on which this process may run.
pub(crate) fn processors() -> Result<Vec<usize>> {
    let allowed = sched_getaffinity(None).context("cannot read the allowed processors")?;
    Ok((0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor)).collect())
}

/// Keeps this process, and what it starts from now on, on these processors.
pub(crate) fn stay_on(processors: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for processor in processors {
        set.set(*processor);
    }
    sched_setaffinity(None, &set).with_context(|| format!("cannot stay on processors {processors:?}"))
}

/// Allows this process, and what it starts, as many open files as the system lets it.
pub(crate) fn raise_open_files() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("cannot raise the limit of open files")
}

/// Options of the wrapper in which every measured program is started.
#[derive(Args)]
pub(crate) struct ExecOptions {
    /// Processors to stay on.
    #[arg(long, value_delimiter = ',')]
    processors: Vec<usize>,
    /// The program.
    program: PathBuf,
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Becomes another program, which ends when the comparer ends. Returns only if that fails.
pub(crate) fn exec(options: &ExecOptions) -> Result<()> {
    die_with_parent()?;
    if !options.processors.is_empty() {
        stay_on(&options.processors)?;
    }
    let error = Command::new(&options.program).args(&options.arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", options.program.display()))
}
