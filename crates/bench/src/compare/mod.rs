//! The comparer: starts everything, measures in interleaved rounds, reports.
//!
//! Read in this order: [`options`], [`phase`], [`program`], [`target`], [`mod@measure`], [`results`], [`report`].

mod measure;
mod options;
mod phase;
mod program;
mod report;
mod results;
mod target;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use self::measure::{Setting, received};
pub(crate) use self::options::Options;
use self::phase::{Field, Phase, Work};
use self::program::{Ground, Instance};
use self::results::{Cell, Results};
use self::target::Target;
use crate::system::child::{Launch, Running};
use crate::system::{self, THIS_PROGRAM};
use crate::task;

/// Between two measurements, for sockets to close and logs to be written.
const BREATH: Duration = Duration::from_millis(300);
/// How often is measured, at most, until others take no more of the machine than this.
const ATTEMPTS: u32 = 3;
const QUIET_PERCENT: f64 = 10.0;
/// How often the mock is asked whether it is there, before it is given up.
const MOCK_ASKS: u32 = 500;

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
                let who = Who { target, phase, round };
                results.cells.push(measure_quietly(&setting, &ground, &who, &mut instances).await?);
            }
        }
    }
    Ok(results)
}

fn takes_part(target: &Target, phase: &Phase, round: u32) -> bool {
    let speaks = match phase.field {
        Field::All => true,
        Field::Http1 => target.is_http1(),
        Field::Plain => target.is_http1() && !target.is_translated(),
    };
    match phase.work {
        Work::Load(_) => speaks,
        Work::Start => speaks && target.program.can_start(),
        Work::Memory => speaks && target.program.can_start() && round == 1,
    }
}

/// What is measured next.
struct Who<'a> {
    target: &'a Target,
    phase: &'a Phase,
    round: u32,
}

/// Measures, and with patience measures again while others work on the machine. The measurement which they disturbed
/// least counts; the choice does not look at its figures, and one with an error always counts.
async fn measure_quietly(
    setting: &Setting,
    ground: &Ground,
    who: &Who<'_>,
    instances: &mut BTreeMap<String, Instance>,
) -> Result<Cell> {
    let mut kept: Option<Cell> = None;
    for _ in 0..if setting.patience.is_zero() { 1 } else { ATTEMPTS } {
        setting.wait_for_quiet().await?;
        let cell = measure(setting, ground, who, instances).await?;
        say(&report::line(&cell));
        sleep(BREATH).await;
        let is_final = cell.thrown_away.is_some() || cell.foreign_percent() <= QUIET_PERCENT;
        match &kept {
            Some(kept) if !is_final && kept.foreign_percent() <= cell.foreign_percent() => {}
            _ => kept = Some(cell),
        }
        if is_final {
            break;
        }
    }
    kept.context("nothing was measured")
}

async fn measure(
    setting: &Setting,
    ground: &Ground,
    &Who { target, phase, round }: &Who<'_>,
    instances: &mut BTreeMap<String, Instance>,
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
