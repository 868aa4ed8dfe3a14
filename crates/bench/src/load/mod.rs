//! The load generator: one run, told by a [`Plan`] on standard input, shown as a [`Report`] on standard output.
//!
//! Read in this order: [`plan`], [`client`] (over [`http1`] with [`framing`], or [`http2`]), [`check`], [`tally`].

mod check;
mod client;
mod framing;
mod http1;
mod http2;
pub(crate) mod plan;
mod tally;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io::{self, Write};
use std::process;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::client::{Client, Clients};
use self::plan::{Check, CpuSeconds, Door, Drive, Plan, Report};
use self::tally::Tally;
use crate::exchange::{Exchange, Shape};
use crate::system::{self, usage};
use crate::task;

/// Clients of an open loop that are busy at once; beyond, the measured program is too slow for the rate.
const OPEN_CLIENTS: usize = 512;
/// Streams that are being opened at once.
const OPENING: usize = 50;
/// How long open streams rest before memory is read.
const REST: Duration = Duration::from_millis(1500);
/// The most that the answer to a probe may take.
const PROBE: Duration = Duration::from_secs(5);
/// A client that had an error does not try again at once.
const AFTER_ERROR: Duration = Duration::from_millis(20);

/// Reads the plan, runs it and writes the report.
pub(crate) fn run() -> Result<()> {
    system::die_with_parent()?;
    let plan: Plan = serde_json::from_reader(io::stdin().lock()).context("cannot read the plan on standard input")?;
    let report = task::block_on(perform(plan))?;
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &report)?;
    writeln!(out)?;
    Ok(())
}

async fn perform(plan: Plan) -> Result<Report> {
    let tally = Tally::new()?;
    let clients = Clients::new(&plan.door, plan.exchange, plan.check, &tally.answer_bytes)?;
    let run = Run { plan: Rc::new(plan), tally, clients };
    match run.plan.drive {
        Drive::Closed { at_once } => run.closed(at_once).await,
        Drive::Open { per_second } => run.open(per_second).await,
        Drive::Hold { streams } => run.hold(streams).await,
    }
}

/// Asks a program for one answer, to see whether it is there.
pub(crate) struct Probe(Client);

impl Probe {
    /// Prepares the request.
    pub(crate) fn new(door: &Door) -> Result<Self> {
        let exchange = Exchange::openai(Shape::Chat, 1 << 10);
        Ok(Self(Clients::new(door, exchange, Check::Meaning, &Rc::default())?.client()))
    }

    /// Asks once.
    pub(crate) async fn ask(&mut self) -> Result<()> {
        let answered = timeout(PROBE, self.0.exchange()).await.unwrap_or_else(|_| Err(anyhow!("no answer in time")));
        self.0.disconnect();
        answered.map(|_| ())
    }
}

/// A run and what it counts.
#[derive(Clone)]
struct Run {
    plan: Rc<Plan>,
    tally: Rc<Tally>,
    clients: Rc<Clients>,
}

/// Counters at one moment.
struct Moment {
    at: Instant,
    answers: u64,
    answer_bytes: u64,
    cpu: CpuSeconds,
}

/// The window's two ends.
struct Moments {
    begin: Moment,
    end: Moment,
}

impl Run {
    async fn closed(&self, at_once: usize) -> Result<Report> {
        let end = Instant::now() + Duration::from_secs_f64(self.plan.warmup_s + self.plan.window_s);
        let stagger = self.stagger(at_once);
        let mut workers = Vec::new();
        for index in 0..at_once {
            let (run, delay) = (self.clone(), stagger.saturating_mul(u32::try_from(index)?));
            workers.push(task::spawn_local(async move {
                sleep(delay).await;
                let mut client = run.clients.client();
                while Instant::now() < end {
                    run.exchange(&mut client).await;
                }
            }));
        }
        let window = self.window().await?;
        for worker in workers {
            worker.await?;
        }
        Ok(self.report(&window))
    }

    /// Streams with pauses start at different times, as those of strangers do.
    fn stagger(&self, at_once: usize) -> Duration {
        let Shape::Stream(stream) = self.plan.exchange.shape else { return Duration::ZERO };
        let whole = Duration::from_millis(u64::from(stream.pause_ms) * u64::from(stream.chunks));
        whole.min(Duration::from_secs_f64(self.plan.warmup_s)) / u32::try_from(at_once).unwrap_or(u32::MAX)
    }

    async fn open(&self, per_second: f64) -> Result<Report> {
        let pacer = self.clone();
        let pacing = task::spawn_local(async move { pacer.pace(per_second).await });
        let window = self.window().await?;
        pacing.await??;
        Ok(self.report(&window))
    }

    async fn pace(&self, per_second: f64) -> Result<()> {
        let begin = Instant::now();
        let planned = ((self.plan.warmup_s + self.plan.window_s) * per_second) as u32;
        let idle = Rc::new(RefCell::new(Vec::new()));
        let mut busy = Vec::new();
        for index in 0..planned {
            sleep_until(begin + Duration::from_secs_f64(f64::from(index) / per_second)).await;
            busy.retain(|task: &JoinHandle<()>| !task.is_finished());
            if busy.len() >= OPEN_CLIENTS {
                self.tally.fail(&anyhow!("{OPEN_CLIENTS} requests wait for their answers"));
                break;
            }
            let mut client = idle.borrow_mut().pop().unwrap_or_else(|| self.clients.client());
            let (run, idle) = (self.clone(), Rc::clone(&idle));
            busy.push(task::spawn_local(async move {
                run.exchange(&mut client).await;
                idle.borrow_mut().push(client);
            }));
        }
        for task in busy {
            task.await?;
        }
        Ok(())
    }

    async fn hold(&self, streams: usize) -> Result<Report> {
        let texts = self.plan.exchange.upstream.texts();
        let opening = texts.opening.len() + texts.event.len();
        let mut open: Vec<Client> = Vec::new();
        while open.len() < streams {
            let batch: Vec<_> = (open.len()..streams)
                .take(OPENING)
                .map(|_| {
                    let run = self.clone();
                    task::spawn_local(async move { run.open_stream(opening).await })
                })
                .collect();
            for client in batch {
                open.push(client.await??);
            }
        }
        sleep(REST).await;
        let window = Moments { begin: self.moment()?, end: self.moment()? };
        let resident_kib = usage::resident_kib(&self.plan.target_processes)?;
        ensure!(open.len() == streams, "{} of {streams} streams are open", open.len());
        Ok(Report { resident_kib, ..self.report(&window) })
    }

    async fn open_stream(&self, bytes: usize) -> Result<Client> {
        let mut client = self.clients.client();
        self.tally.sent.set(self.tally.sent.get() + 1);
        let opened = timeout(Duration::from_secs_f64(self.plan.timeout_s), client.open_stream(bytes)).await;
        opened.context("a stream was not opened in time")??;
        Ok(client)
    }

    async fn exchange(&self, client: &mut Client) {
        self.tally.sent.set(self.tally.sent.get() + 1);
        let sent = Instant::now();
        let limit = Duration::from_secs_f64(self.plan.timeout_s);
        let answered = timeout(limit, client.exchange()).await.unwrap_or_else(|_| Err(anyhow!("no answer in time")));
        match answered {
            Ok(answered) => self.tally.count(sent, &answered),
            Err(error) => {
                self.tally.fail(&error);
                client.disconnect();
                sleep(AFTER_ERROR).await;
            }
        }
    }

    /// Waits for the window to open and to close.
    async fn window(&self) -> Result<Moments> {
        sleep(Duration::from_secs_f64(self.plan.warmup_s)).await;
        self.tally.measuring.set(true);
        let begin = self.moment()?;
        sleep(Duration::from_secs_f64(self.plan.window_s)).await;
        let end = self.moment()?;
        self.tally.measuring.set(false);
        Ok(Moments { begin, end })
    }

    fn moment(&self) -> Result<Moment> {
        let cpu = CpuSeconds {
            target: usage::cpu_seconds(&self.plan.target_processes)?,
            mock: usage::cpu_seconds(&self.plan.mock_processes)?,
            load: usage::cpu_seconds(&[process::id()])?,
            machine: usage::machine_seconds()?,
        };
        let (answers, answer_bytes) = (self.tally.answers.get(), self.tally.answer_bytes.get());
        Ok(Moment { at: Instant::now(), answers, answer_bytes, cpu })
    }

    fn report(&self, Moments { begin, end }: &Moments) -> Report {
        Report {
            sent: self.tally.sent.get(),
            errors: self.tally.errors.get(),
            first_error: self.tally.first_error(),
            answers: end.answers - begin.answers,
            answer_bytes: end.answer_bytes - begin.answer_bytes,
            whole_answer_bytes: self.tally.whole_answer_bytes.get(),
            window_s: (end.at - begin.at).as_secs_f64(),
            cpu: CpuSeconds {
                target: end.cpu.target - begin.cpu.target,
                mock: end.cpu.mock - begin.cpu.mock,
                load: end.cpu.load - begin.cpu.load,
                machine: end.cpu.machine - begin.cpu.machine,
            },
            latency: self.tally.latency(),
            first_byte: self.tally.first_byte(),
            resident_kib: 0,
        }
    }
}
