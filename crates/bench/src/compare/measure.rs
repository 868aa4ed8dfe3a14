//! One measurement: load on a target, or the memory and the start of a fresh program.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use super::phase::{BURST, HELD, Load};
use super::program::{Ground, Instance};
use super::results::{Figure, Spread};
use super::target::Target;
use crate::exchange::Shape;
use crate::load::plan::{Drive, Plan, Report};
use crate::system::{THIS_PROGRAM, usage};

/// The most that one answer may take.
const ANSWER_S: f64 = 20.0;
/// What a run of the load generator may take beyond its window.
const GRACE: Duration = Duration::from_secs(60);
/// How long a program rests before its memory is read.
const REST: Duration = Duration::from_secs(2);
/// How long a program may take to give memory back after a burst.
const AFTER_BURST: Duration = Duration::from_secs(5);
/// Over how long is seen whether the machine is quiet, and how much of it others may use then.
const GLANCE: Duration = Duration::from_millis(500);
const QUIET_SHARE: f64 = 0.05;
/// Starts in one phase.
const STARTS: u32 = 5;

/// What was measured.
pub(super) type Figures = BTreeMap<Figure, f64>;

/// How long, and beside whom, is measured.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// Seconds of a window.
    pub(super) window_s: f64,
    /// Seconds before it.
    pub(super) warmup_s: f64,
    /// The mock.
    pub(super) upstream: SocketAddr,
    /// Its process.
    pub(super) mock: u32,
    /// Processors of the machine.
    pub(super) processors: usize,
    /// How long is waited, at most, for others to leave the machine.
    pub(super) patience: Duration,
}

impl Setting {
    /// Waits until nobody works on the machine, or patience ends.
    pub(super) async fn wait_for_quiet(&self) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < self.patience {
            let (from, worked_s) = (Instant::now(), usage::machine_seconds()?);
            sleep(GLANCE).await;
            let worked_s = usage::machine_seconds()? - worked_s;
            if worked_s / (from.elapsed().as_secs_f64() * self.processors as f64) <= QUIET_SHARE {
                break;
            }
        }
        Ok(())
    }

    /// Puts load on a target.
    pub(super) async fn load(&self, target: &Target, instance: &mut Instance, load: Load) -> Result<Figures> {
        let report = self.run(target, instance, load).await?;
        ensure!(report.answers > 0, "there was no whole answer within the window");
        let cpu = report.cpu;
        let mut figures = Figures::from([
            (Figure::RequestsPerSecond, report.answers as f64 / report.window_s),
            (Figure::LatencyP50Us, report.latency.p50_us),
            (Figure::LatencyP99Us, report.latency.p99_us),
            (Figure::FirstByteP50Us, report.first_byte.p50_us),
            (Figure::FirstByteP99Us, report.first_byte.p99_us),
            (Figure::LoadCpuPercent, cpu.load / report.window_s * 100.0),
            (Figure::MockCpuPercent, cpu.mock / report.window_s * 100.0),
        ]);
        let foreign = (cpu.machine - cpu.target - cpu.mock - cpu.load).max(0.0);
        let foreign_percent = foreign / (report.window_s * self.processors as f64) * 100.0;
        figures.insert(Figure::ForeignCpuPercent, foreign_percent);
        if cpu.target > 0.0 {
            figures.insert(Figure::CpuPerRequestUs, cpu.target / report.answers as f64 * 1e6);
        }
        if let (Shape::Stream(stream), true) = (load.exchange.shape, cpu.target > 0.0) {
            ensure!(report.whole_answer_bytes > 0, "no stream came to its end");
            let answers = report.answer_bytes as f64 / report.whole_answer_bytes as f64;
            let chunks = answers * f64::from(stream.events());
            figures.insert(Figure::CpuPerChunkUs, cpu.target / chunks * 1e6);
        }
        Ok(figures)
    }

    /// Reads a fresh program's memory: at rest, with open streams, after a burst.
    pub(super) async fn memory(&self, target: &Target, ground: &Ground) -> Result<Figures> {
        let mut instance = target.program.start(ground, |address| target.door(address)).await?;
        sleep(REST).await;
        let rest_kib = usage::resident_kib(&instance.processes()?)? as f64;
        let mut figures = Figures::from([(Figure::RestMb, rest_kib / 1024.0)]);
        for (streams, figure) in [(500, Figure::StreamOf500Kb), (2000, Figure::StreamOf2000Kb)] {
            let held = Load { drive: Drive::Hold { streams }, exchange: HELD, stretch: 1.0 };
            let open_kib = self.run(target, &mut instance, held).await?.resident_kib as f64;
            figures.insert(figure, (open_kib - rest_kib) / streams as f64);
            sleep(REST).await;
        }
        for load in BURST {
            self.run(target, &mut instance, load).await?;
        }
        sleep(AFTER_BURST).await;
        let after_kib = usage::resident_kib(&instance.processes()?)? as f64;
        figures.insert(Figure::AfterBurstMb, after_kib / 1024.0);
        figures.insert(Figure::AfterBurstRatio, after_kib / rest_kib);
        Ok(figures)
    }

    /// Starts a program a few times.
    pub(super) async fn start(&self, target: &Target, ground: &Ground) -> Result<Figures> {
        let mut times_ms = Vec::new();
        for _ in 0..STARTS {
            let instance = target.program.start(ground, |address| target.door(address)).await?;
            times_ms.extend(instance.start_ms);
        }
        let start_ms = Spread::of(times_ms).context("nothing was started")?.median;
        Ok(Figures::from([(Figure::StartMs, start_ms)]))
    }

    /// Runs the load generator, and does not accept one error, nor one request more or less at the mock.
    async fn run(&self, target: &Target, instance: &mut Instance, load: Load) -> Result<Report> {
        instance.expect_alive()?;
        let plan = Plan {
            door: target.door(instance.address),
            exchange: target.exchange(load.exchange),
            check: target.check,
            drive: load.drive,
            warmup_s: self.warmup_s,
            window_s: self.window_s * load.stretch,
            timeout_s: ANSWER_S,
            target_processes: instance.processes()?,
            mock_processes: vec![self.mock],
        };
        let before = received(self.upstream).await?;
        let report = generate(&plan).await?;
        let arrived = received(self.upstream).await? - before;
        instance.expect_alive()?;
        if report.errors > 0 {
            let first = report.first_error.unwrap_or_default();
            bail!("{} of {} requests failed, the first with: {first}", report.errors, report.sent);
        }
        ensure!(arrived == report.sent, "{} requests were sent, but {arrived} arrived upstream", report.sent);
        Ok(report)
    }
}

async fn generate(plan: &Plan) -> Result<Report> {
    let mut child = Command::new(THIS_PROGRAM)
        .arg("load")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the load generator")?;
    let mut input = child.stdin.take().context("the load generator takes no plan")?;
    input.write_all(&serde_json::to_vec(plan)?).await?;
    drop(input);
    let limit = Duration::from_secs_f64(plan.warmup_s + plan.window_s) + GRACE;
    let output = timeout(limit, child.wait_with_output()).await.context("the load generator does not end")??;
    ensure!(output.status.success(), "the load generator ended with {}", output.status);
    serde_json::from_slice(&output.stdout).context("the load generator's report cannot be read")
}

/// How many requests have arrived at the mock.
pub(super) async fn received(mock: SocketAddr) -> Result<u64> {
    let asked = async {
        let mut stream = TcpStream::connect(mock).await?;
        stream.write_all(b"GET /bench/received HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer = timeout(Duration::from_secs_f64(ANSWER_S), asked).await.context("the mock does not answer")??;
    let (_, count) = answer.rsplit_once("\r\n\r\n").context("the mock's answer has no body")?;
    count.parse().context("the mock's count is not a number")
}
