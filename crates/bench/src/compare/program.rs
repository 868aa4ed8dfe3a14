//! The programs that are measured, and how a running one is made of each.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, sleep};

use crate::load::Probe;
use crate::load::plan::Door;
use crate::system::child::{Launch, Running};
use crate::system::{THIS_PROGRAM, usage};

/// The key that every client presents.
pub(super) const KEY: &str = "sk-bench-client-key-00000000000000";
/// How long a program may take to its first answer.
const READY_S: f64 = 20.0;
/// How often a starting program is asked.
const ASK_AGAIN: Duration = Duration::from_micros(500);

/// What is the same for all programs of a run.
pub(super) struct Ground {
    /// Where configurations, logs and certificates lie.
    pub(super) folder: PathBuf,
    /// The mock.
    pub(super) upstream: SocketAddr,
    /// Processors for the measured programs; all if empty.
    pub(super) processors: Vec<usize>,
    /// Number of processors for them.
    pub(super) threads: usize,
}

/// A program that can be measured.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// Its name in files.
    pub(super) name: String,
    /// How a running one is made.
    pub(super) recipe: Recipe,
}

/// How a running program is made.
#[derive(Debug, Clone)]
pub(super) enum Recipe {
    /// Nothing is started: requests go to the mock.
    Direct,
    /// The rig's own pass-through.
    PassThrough,
    /// A program with a configuration file, in which `%LISTEN%`, `%UPSTREAM%`, `%FOLDER%`, `%KEY%` and `%THREADS%`
    /// are replaced.
    Configured {
        /// The program.
        binary: PathBuf,
        /// The arguments in front of the configuration file.
        options: &'static [&'static str],
        /// The configuration.
        template: String,
    },
    /// A program that somebody else has started.
    Foreign {
        /// Where it listens.
        address: SocketAddr,
        /// Its process, if CPU and memory are wanted.
        process: Option<u32>,
    },
}

/// A program that answers.
pub(super) struct Instance {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// From its start to the first answer; `None` if it was not started here.
    pub(super) start_ms: Option<f64>,
    root: Option<u32>,
    running: Option<Running>,
}

impl Program {
    /// Starts it and waits for the first answer, which comes through a door made for its address.
    pub(super) async fn start(&self, ground: &Ground, door: impl Fn(SocketAddr) -> Door) -> Result<Instance> {
        let begin = Instant::now();
        let mut instance = self.launch(ground).with_context(|| format!("cannot start {}", self.name))?;
        instance.wait(&door(instance.address)).await.with_context(|| format!("{} does not answer", self.name))?;
        instance.start_ms = instance.running.is_some().then(|| begin.elapsed().as_secs_f64() * 1000.0);
        Ok(instance)
    }

    /// Whether a fresh one can be started.
    pub(super) fn can_start(&self) -> bool {
        match self.recipe {
            Recipe::PassThrough | Recipe::Configured { .. } => true,
            Recipe::Direct | Recipe::Foreign { .. } => false,
        }
    }

    fn launch(&self, ground: &Ground) -> Result<Instance> {
        let address = free_address()?;
        let (program, arguments) = match &self.recipe {
            Recipe::Direct => return Ok(Instance::foreign(ground.upstream, None)),
            Recipe::Foreign { address, process } => return Ok(Instance::foreign(*address, *process)),
            Recipe::PassThrough => {
                let (listen, upstream) = (address.to_string(), ground.upstream.to_string());
                let arguments = ["pass-through", "--listen", &listen, "--upstream", &upstream].map(str::to_owned);
                (PathBuf::from(THIS_PROGRAM), arguments.to_vec())
            }
            Recipe::Configured { binary, options, template } => {
                let file = ground.folder.join(format!("{}-{}.yaml", self.name, address.port()));
                fs::write(&file, ground.fill(template, address))
                    .with_context(|| format!("cannot write {}", file.display()))?;
                let options = options.iter().map(|option| (*option).to_owned());
                (binary.clone(), options.chain([file.display().to_string()]).collect())
            }
        };
        let log = ground.folder.join(format!("{}-{}.log", self.name, address.port()));
        let running = Running::start(&Launch { program, arguments, log, processors: ground.processors.clone() })?;
        Ok(Instance { address, start_ms: None, root: Some(running.id()), running: Some(running) })
    }
}

impl Ground {
    fn fill(&self, template: &str, address: SocketAddr) -> String {
        template
            .replace("%LISTEN%", &address.to_string())
            .replace("%UPSTREAM%", &self.upstream.to_string())
            .replace("%FOLDER%", &self.folder.display().to_string())
            .replace("%KEY%", KEY)
            .replace("%THREADS%", &self.threads.to_string())
    }
}

impl Instance {
    fn foreign(address: SocketAddr, root: Option<u32>) -> Self {
        Self { address, start_ms: None, root, running: None }
    }

    /// Its processes; none if they are not known.
    pub(super) fn processes(&self) -> Result<Vec<u32>> {
        self.root.map_or(Ok(Vec::new()), usage::family)
    }

    /// Complains if it was started here and has ended.
    pub(super) fn expect_alive(&mut self) -> Result<()> {
        self.running.as_mut().map_or(Ok(()), Running::expect_alive)
    }

    async fn wait(&mut self, door: &Door) -> Result<()> {
        let mut probe = Probe::new(door)?;
        let deadline = Instant::now() + Duration::from_secs_f64(READY_S);
        loop {
            let Err(error) = probe.ask().await else { return Ok(()) };
            self.expect_alive()?;
            if Instant::now() > deadline {
                return Err(error);
            }
            sleep(ASK_AGAIN).await;
        }
    }
}

/// A loopback address at which nobody listens.
pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?)
}

/// Looks for a program as the shell would, and where Debian keeps those for administrators.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Reads `NAME=URL` or `NAME=URL,PID`; gives the program and the path of its base URL.
pub(super) fn foreign(text: &str) -> Result<(Program, String)> {
    let (name, rest) = text.split_once('=').context("a target is given as NAME=URL or NAME=URL,PID")?;
    let (url, process) = match rest.split_once(',') {
        Some((url, process)) => (url, Some(process.parse().context("the process is not a number")?)),
        None => (rest, None),
    };
    let place = url.strip_prefix("http://").context("a target's URL begins with http://")?;
    let (address, base_path) = place.split_once('/').unwrap_or((place, "v1"));
    let address: SocketAddr =
        address.replace("localhost", "127.0.0.1").parse().context("a target's URL has an IP address and a port")?;
    ensure!(address.ip().is_loopback(), "{address} is not a loopback address");
    let program = Program { name: name.to_owned(), recipe: Recipe::Foreign { address, process } };
    Ok((program, format!("/{}", base_path.trim_end_matches('/'))))
}
