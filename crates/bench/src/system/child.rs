//! A program that is started for a measurement and surely ended after it.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use super::THIS_PROGRAM;

/// How often is looked whether a program has ended after it was asked to, and how long one look takes.
const LOOKS: u32 = 60;
const LOOK: Duration = Duration::from_millis(50);

/// How a program is started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Where its output goes.
    pub(crate) log: PathBuf,
    /// The processors it stays on; all that this process has if empty.
    pub(crate) processors: Vec<usize>,
}

/// A running program, in a process group of its own; the whole group is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program.
    pub(crate) fn start(launch: &Launch) -> Result<Self> {
        let log = File::create(&launch.log).with_context(|| format!("cannot write to {}", launch.log.display()))?;
        let mut command = Command::new(THIS_PROGRAM);
        command.arg("exec");
        if !launch.processors.is_empty() {
            let list: Vec<_> = launch.processors.iter().map(usize::to_string).collect();
            command.args(["--processors", &list.join(",")]);
        }
        command.arg("--").arg(&launch.program).args(&launch.arguments).process_group(0);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", launch.program.display()))?;
        Ok(Self { child, log: launch.log.clone() })
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Complains if it has ended.
    pub(crate) fn expect_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("the program ended with {status}; see {}", self.log.display()),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        // An error means that the group is gone, which is what is wanted.
        let _ = kill_process_group(group, Signal::TERM);
        for _ in 0..LOOKS {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            thread::sleep(LOOK);
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}
