//! The comparer: starts everything, measures in interleaved rounds, reports.
//!
//! Read in this order: [`phase`], [`program`], [`target`], [`mod@measure`], [`results`], [`report`].

mod measure;
mod phase;
mod program;
mod report;
mod results;
mod target;

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use self::measure::{Setting, received};
use self::phase::{Field, PHASES, Phase, QUICK, Work};
use self::program::{Ground, Instance};
use self::results::{Cell, Results};
use self::target::Target;
use crate::system::child::{Launch, Running};
use crate::system::{self, THIS_PROGRAM};
use crate::task;

/// Between two measurements, for sockets to close and logs to be written.
const BREATH: Duration = Duration::from_millis(300);
/// How often the mock is asked whether it is there, before it is given up.
const MOCK_ASKS: u32 = 500;

/// What is measured, how often and how long.
#[derive(Args, Debug, Clone)]
pub(crate) struct Options {
    /// Rounds; in each, every phase is done on every target in turn (memory, which hardly varies, in the first only).
    #[arg(long)]
    rounds: Option<u32>,
    /// Seconds of a measured window.
    #[arg(long)]
    secs: Option<f64>,
    /// Only these targets; the direct way and the pass-through always take part.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these phases.
    #[arg(long, value_delimiter = ',')]
    phases: Vec<String>,
    /// A first look: the most important phases, one round of short windows.
    #[arg(long)]
    quick: bool,
    /// Gives the measured programs half of the processors and the rig the other half.
    #[arg(long)]
    pin: bool,
    /// A program that is running already, as NAME=URL or NAME=URL,PID; its answers are checked by what they say.
    #[arg(long, value_name = "NAME=URL[,PID]")]
    target: Vec<String>,
    /// Another build of the gateway, measured in the same run.
    #[arg(long, value_name = "PATH")]
    baseline_binary: Option<PathBuf>,
    /// The gateway, if it is not the one beside this program.
    #[arg(long, value_name = "PATH")]
    gateway_binary: Option<PathBuf>,
    /// Configuration for the target `gateway`; %LISTEN% and %UPSTREAM% in it are replaced.
    #[arg(long, value_name = "PATH")]
    gateway_config: Option<PathBuf>,
    /// Waits before each measurement until nobody else works on the machine, so many seconds at most.
    #[arg(long, default_value_t = 0)]
    wait_secs: u64,
    /// Port of the mock, for programs that are running already; any free one if not given.
    #[arg(long)]
    mock_port: Option<u16>,
    /// Event loops of the mock.
    #[arg(long, default_value_t = 1)]
    mock_threads: usize,
    /// Where the figures go as compare.json, and logs and configurations below run; target/bench if not given.
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
    /// A Markdown file; the figures go between its lines `<!-- figures -->` and `<!-- end of figures -->`.
    #[arg(long, value_name = "PATH")]
    markdown: Option<PathBuf>,
}

impl Options {
    fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    fn window_s(&self) -> f64 {
        self.secs.unwrap_or(if self.quick { 1.0 } else { 1.5 })
    }

    /// The folder for everything that is written; it is made if it does not exist.
    fn folder(&self) -> Result<PathBuf> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => env::current_exe()?.ancestors().nth(2).context("this program lies in no folder")?.join("bench"),
        };
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        folder.canonicalize().context("the folder has no absolute path")
    }

    fn gateway_binary(&self) -> Result<PathBuf> {
        match &self.gateway_binary {
            Some(file) => Ok(file.clone()),
            None => Ok(env::current_exe()?.with_file_name("ai-gateway")),
        }
    }

    fn phases(&self) -> Result<Vec<&'static Phase>> {
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

/// Measures and reports. Fails if a measurement had to be thrown away.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let results = task::block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            results = session(options) => results,
            _ = interrupt.recv() => bail!("interrupted"),
            _ = terminate.recv() => bail!("told to end"),
        }
    })?;
    report::write(&results, options)?;
    Ok(if results.thrown_away().next().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn session(options: &Options) -> Result<Results> {
    let phases = options.phases()?;
    system::raise_open_files()?;
    let processors = system::processors()?;
    let (rig, measured) = split(&processors, options.pin)?;
    system::stay_on(&rig)?;
    // Released when this process ends.
    let _alone = lock(options)?;
    let folder = run_folder(options)?;
    let (mock, upstream) = start_mock(options, &folder).await?;
    let ground = Ground { folder, upstream, threads: measured.len(), processors: measured };
    let setting = Setting {
        window_s: options.window_s(),
        warmup_s: 0.5,
        upstream,
        mock: mock.id(),
        processors: processors.len(),
        patience: Duration::from_secs(options.wait_secs),
    };
    let mut results = Results::default();
    let mut targets = target::all(options, &ground.folder)?;
    let mut instances = start_all(&targets, &ground, &mut results).await;
    targets.retain(|target| instances.contains_key(&target.program.name));
    for round in 1..=options.rounds() {
        for phase in &phases {
            // Every other round goes backwards, so that nobody always comes after the same neighbour.
            let mut order: Vec<&Target> = targets.iter().collect();
            if round % 2 == 0 {
                order.reverse();
            }
            for target in order.into_iter().filter(|target| takes_part(target, phase, round)) {
                setting.wait_for_quiet().await?;
                let cell = measure(&setting, &ground, target, &mut instances, phase, round).await?;
                say(&report::line(&cell));
                results.cells.push(cell);
                sleep(BREATH).await;
            }
        }
    }
    Ok(results)
}

fn takes_part(target: &Target, phase: &Phase, round: u32) -> bool {
    let speaks = phase.field == Field::All || target.is_plain();
    match phase.work {
        Work::Load(_) => speaks,
        Work::Start => speaks && target.program.can_start(),
        Work::Memory => speaks && target.program.can_start() && round == 1,
    }
}

async fn measure(
    setting: &Setting,
    ground: &Ground,
    target: &Target,
    instances: &mut BTreeMap<String, Instance>,
    phase: &Phase,
    round: u32,
) -> Result<Cell> {
    let figures = match phase.work {
        Work::Memory => setting.memory(target, ground).await,
        Work::Start => setting.start(target, ground).await,
        Work::Load(load) => {
            let instance = instances.get_mut(&target.program.name).context("the program is not running")?;
            setting.load(target, instance, load).await
        }
    };
    Ok(match figures {
        Ok(figures) => Cell { target: target.name.clone(), phase: phase.name, round, figures, thrown_away: None },
        Err(error) => Cell::thrown_away(&target.name, phase.name, round, &error),
    })
}

/// Processors for the rig and for the measured programs.
fn split(processors: &[usize], pin: bool) -> Result<(Vec<usize>, Vec<usize>)> {
    if !pin {
        return Ok((processors.to_vec(), processors.to_vec()));
    }
    ensure!(processors.len() > 1, "--pin needs two processors");
    let (rig, measured) = processors.split_at(processors.len() / 2);
    Ok((rig.to_vec(), measured.to_vec()))
}

/// Keeps a second comparison away, which would disturb this one and remove its files.
fn lock(options: &Options) -> Result<File> {
    let path = options.folder()?.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.try_lock().with_context(|| format!("{} is locked; another comparison is running", path.display()))?;
    Ok(file)
}

/// A folder for the files of this run; those of the one before are removed.
fn run_folder(options: &Options) -> Result<PathBuf> {
    let folder = options.folder()?.join("run");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

async fn start_mock(options: &Options, folder: &Path) -> Result<(Running, SocketAddr)> {
    let address = match options.mock_port {
        Some(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        None => program::free_address()?,
    };
    let (listen, threads) = (address.to_string(), options.mock_threads.to_string());
    let mut mock = Running::start(&Launch {
        program: PathBuf::from(THIS_PROGRAM),
        arguments: ["mock", "--listen", &listen, "--threads", &threads].map(str::to_owned).to_vec(),
        log: folder.join("mock.log"),
        processors: Vec::new(),
    })?;
    for _ in 0..MOCK_ASKS {
        mock.expect_alive().context("the mock")?;
        if received(address).await.is_ok() {
            return Ok((mock, address));
        }
        sleep(Duration::from_millis(10)).await;
    }
    bail!("the mock does not answer on {address}")
}

/// Starts every program once; targets share one if it has the same name. One that does not start is reported, and left
/// out.
async fn start_all(targets: &[Target], ground: &Ground, results: &mut Results) -> BTreeMap<String, Instance> {
    let mut instances = BTreeMap::new();
    for target in targets {
        if instances.contains_key(&target.program.name) {
            continue;
        }
        match target.program.start(ground, |address| target.door(address)).await {
            Ok(instance) => {
                instances.insert(target.program.name.clone(), instance);
            }
            Err(error) => {
                let cell = Cell::thrown_away(&target.name, "start", 0, &error);
                say(&report::line(&cell));
                results.cells.push(cell);
            }
        }
    }
    instances
}

#[expect(clippy::print_stderr, reason = "a command line tool tells how far it is")]
fn say(line: &str) {
    eprintln!("{line}");
}
