//! Puts the house together: configuration, control plane, workers; and runs it to its end.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gw_config::Environment;
use gw_config::config::{Accept, Config, LogFormat};
use gw_core::RequestRecord;
use gw_engine::budget::Budget;
use gw_engine::conversations::Conversations;
use gw_engine::recent::{Memory, Recent};
use gw_engine::relay::Homes;
use gw_engine::routing::control::Places;
use gw_engine::snapshot::Handle;
use gw_engine::{Engine, Ports, Published};
use gw_http::Observer;
use gw_http::serve::{Limits, Timeouts};
use gw_http::tls::{CertificateFiles, ServerCertificate};
use gw_http::workers::{Accepting, Application, Settings as WorkerSettings, Worker, Workers};
use gw_providers::catalog::Catalog;
use gw_runtime::mailbox::{self, Sender};
use gw_runtime::{Clock, Tasks};
use gw_server::ids::RequestIds;
use gw_server::{Api, Control, Health};
use gw_telemetry::Registry;
use gw_telemetry::log::{self, Format, LogControl};
use gw_telemetry::request_log::RequestLog;
use parking_lot::Mutex;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::catalog::Newest;
use crate::cli::{Options, say};
use crate::drain::Ending;
use crate::health_checks::{self, Checkup};
use crate::metrics::Door;
use crate::records::Readers;
use crate::reload::{Reloader, Seen, look};
use crate::settings::{self, Lasting, Settings};
use crate::{banner, catalog, control, drain, records};

/// Conversations kept to be continued, in bytes.
const CONVERSATION_BYTES: usize = 64 << 20;
/// Finished requests that may wait for each worker; more are counted as lost.
const RECORDS_PER_WORKER: usize = 2_048;
/// Finished requests that clients may ask for.
const REQUESTS_REMEMBERED: usize = 10_000;
/// For the last log lines.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);
/// Threads of the control plane.
const CONTROL_THREADS: usize = 1;

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let settings = settings::read(options, &Environment::process())?;
    let seen = look(&settings.config.files);
    let lasting = Arc::new(Lasting::default());
    let snapshot = settings::build(&settings.config, &lasting, 1)?;
    let log = log::init(format(&settings.config), &settings.config.logging.level)?;
    log::log_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
        .context("the control plane cannot be started")?;
    let ended = runtime.block_on(live(options, settings, seen, Published::new(snapshot), lasting, &log));
    log.flush(FLUSH_LIMIT);
    ended
}

async fn live(
    options: &Options,
    settings: Settings,
    seen: Seen,
    published: Arc<Published>,
    lasting: Arc<Lasting>,
    log: &LogControl,
) -> anyhow::Result<()> {
    let config = &settings.config;
    // Before anything is said to run: who waits for the banner may signal at once.
    let ending = Ending::listen().context("signals cannot be listened for")?;
    let hangup = signal(SignalKind::hangup()).context("signals cannot be listened for")?;
    let built = published.current();
    for warning in settings.warnings.iter().map(ToString::to_string).chain(built.warnings.iter().cloned()) {
        tracing::warn!("{warning}");
    }
    drop(built);
    let registry = Registry::new(env!("CARGO_PKG_VERSION"));
    let health = Arc::new(Health::default());
    health.configured(1);
    let tasks = background(&registry);
    let (records, finished) = mailbox::mailbox::<RequestRecord>(RECORDS_PER_WORKER);
    let (control, questions) = Control::channel();
    let house = Arc::new(House::new(config, &published, &registry, &health, &lasting, control, records));
    let certificate = certificate(config)?;
    let workers = Workers::start(&worker_settings(config, certificate.clone()), &house)?;

    let request_log = config.logging.requests.then(|| RequestLog::new(log, named));
    tasks.spawn("records", records::run(finished, house.readers(request_log, &lasting)));
    let metrics = control::Metrics::new(&registry, &house.held_bytes, log, &published, house.epoch);
    tasks.spawn_until_stop("control", control::answer(questions, metrics.clone()));
    if let Some(address) = config.metrics.listen.filter(|_| config.metrics.enabled) {
        let served = control::listen(address, config.metrics.path.clone(), metrics, Arc::clone(&health)).await?;
        tasks.spawn_until_stop("metrics", served);
    }
    let reloader = Reloader {
        // The same file again, or an error: a file that is gone must not mean the defaults.
        options: Options { config: settings.found.as_ref().map(|found| found.path.clone()), ..options.clone() },
        running: config.clone(),
        seen,
        published: Arc::clone(&published),
        lasting: Arc::clone(&lasting),
        certificate,
        held_bytes: Arc::clone(&house.held_bytes),
        in_flight: Arc::clone(&house.in_flight),
        health: Arc::clone(&health),
        registry,
        log: log.clone(),
    };
    tasks.spawn_until_stop("reload", reloader.run(hangup));

    tasks.spawn("health checks", health_checks::run(house.checkup(), tasks.stop()));
    models(&tasks, config, &published, &house, Arc::clone(&lasting.newest));
    let source = settings::describe(&settings);
    say(&banner::banner(config, &published.current(), workers.addresses(), &source));
    // What is left of it holds the mailbox of records open, whose end the request log waits for.
    drop(house);
    ending.wanted().await;
    drain::drain(workers, &tasks, &health, config.server.timeouts.drain).await;
    Ok(())
}

/// What models can do and cost: read ahead of the requests, and asked for now and then where there is an address.
fn models(tasks: &Tasks, config: &Config, published: &Published, house: &House, newest: Arc<Newest>) {
    let snapshot = published.current();
    let usable = snapshot.all().flat_map(|one| one.providers()).filter(|provider| provider.is_usable());
    let types = usable.map(|provider| provider.entry.id.as_str()).collect();
    tasks.spawn_until_stop("models", catalog::read_ahead(types));
    if let (Some(url), None) = (&config.catalog.url, &config.catalog.file) {
        let (health, registry) = (Arc::clone(&house.health), Arc::clone(&house.registry));
        let refresh = catalog::refresh(url.clone(), config.catalog.refresh, newest, health, registry);
        tasks.spawn_until_stop("catalog", refresh);
    }
}

/// What people call the provider of a type.
fn named(type_id: &str) -> Option<&'static str> {
    Catalog::builtin().get(type_id).map(|entry| entry.name.as_str())
}

/// The tasks of the control plane.
fn background(registry: &Arc<Registry>) -> Tasks {
    let registry = Arc::clone(registry);
    Tasks::new(tokio::runtime::Handle::current(), move |task, message| {
        registry.panic_caught();
        tracing::error!(task, message, "a background task broke");
    })
}

/// What the workers are made from.
struct House {
    published: Arc<Published>,
    registry: Arc<Registry>,
    /// Each worker takes a clone, which has a queue of its own.
    records: Mutex<Option<Sender<RequestRecord>>>,
    recent: Arc<dyn Recent>,
    held_bytes: Arc<Budget>,
    conversations: Arc<Conversations>,
    homes: Arc<Homes>,
    in_flight: Arc<Budget>,
    health: Arc<Health>,
    control: Control,
    metrics_path: Option<Arc<str>>,
    loopback_only: bool,
    /// From when on time is counted for how providers stand.
    epoch: Instant,
    /// Where requests go and who we are there.
    places: Places,
}

impl House {
    fn new(
        config: &Config,
        published: &Arc<Published>,
        registry: &Arc<Registry>,
        health: &Arc<Health>,
        lasting: &Lasting,
        control: Control,
        records: Sender<RequestRecord>,
    ) -> Self {
        Self {
            published: Arc::clone(published),
            registry: Arc::clone(registry),
            records: Mutex::new(Some(records)),
            recent: Arc::new(Memory::new(REQUESTS_REMEMBERED, Clock::system().now())),
            held_bytes: Budget::new("bytes held in memory", config.server.limits.held_bytes),
            conversations: Arc::new(Conversations::new(CONVERSATION_BYTES)),
            homes: Arc::new(Homes::default()),
            in_flight: Budget::new("requests in flight", config.server.limits.requests_in_flight),
            health: Arc::clone(health),
            control,
            metrics_path: metrics_path(config),
            loopback_only: config.listen.iter().all(|address| address.ip().is_loopback()),
            epoch: Instant::now(),
            places: Places {
                origins: Arc::clone(&lasting.origins),
                authenticators: Arc::clone(&lasting.authenticators),
            },
        }
    }

    /// Who wants to know of finished requests.
    fn readers(&self, log: Option<RequestLog>, lasting: &Arc<Lasting>) -> Readers {
        Readers {
            log,
            recent: Arc::clone(&self.recent),
            lasting: Arc::clone(lasting),
            registry: Arc::clone(&self.registry),
            epoch: self.epoch,
        }
    }

    /// What health checks work with.
    fn checkup(&self) -> Checkup {
        Checkup {
            published: Arc::clone(&self.published),
            health: Arc::clone(&self.health),
            registry: Arc::clone(&self.registry),
            epoch: self.epoch,
        }
    }
}

impl Application for House {
    type Service = Api;

    fn observer(&self, index: usize) -> Rc<dyn Observer> {
        Rc::new(Door(self.registry.bank(index)))
    }

    fn service(&self, worker: Worker) -> Rc<Api> {
        let ports = Ports {
            snapshot: Handle::new(&self.published),
            pools: worker.pools,
            bank: self.registry.bank(worker.index),
            records: self.records.lock().clone(),
            clock: Clock::system(),
            held_bytes: Arc::clone(&self.held_bytes),
            conversations: Arc::clone(&self.conversations),
            homes: Arc::clone(&self.homes),
            in_flight: Arc::clone(&self.in_flight),
            epoch: self.epoch,
            places: self.places.clone(),
        };
        Rc::new(Api {
            engine: Engine::new(Rc::new(ports), worker.index as u64),
            health: Arc::clone(&self.health),
            control: self.control.clone(),
            metrics_path: self.metrics_path.clone(),
            loopback_only: self.loopback_only,
            recent: Arc::clone(&self.recent),
            ids: RequestIds::default(),
        })
    }

    fn restarted(&self, index: usize) {
        tracing::error!(worker = index, "a worker broke and is started again");
        self.registry.worker_restarted();
    }
}

fn worker_settings(config: &Config, certificate: Option<Arc<ServerCertificate>>) -> WorkerSettings {
    let (limits, timeouts) = (config.server.limits, config.server.timeouts);
    let patience = Timeouts { head: timeouts.header, idle: timeouts.idle, write: timeouts.write };
    WorkerSettings {
        workers: config.server.workers.unwrap_or_else(cores),
        accepting: match config.server.accept {
            Accept::Shared => Accepting::Shared,
            Accept::Handoff => Accepting::HandedOff,
        },
        addresses: config.listen.clone(),
        limits: Arc::new(Limits::new(limits.header_bytes, limits.connections, patience)),
        certificate,
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn certificate(config: &Config) -> anyhow::Result<Option<Arc<ServerCertificate>>> {
    let Some(tls) = &config.server.tls else {
        return Ok(None);
    };
    let files = CertificateFiles {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        client_ca: tls.client_ca.clone(),
    };
    let certificate = ServerCertificate::load(files).map_err(anyhow::Error::msg)?;
    Ok(Some(Arc::new(certificate)))
}

/// Where metrics are on the API's port: there unless they have a listener of their own.
fn metrics_path(config: &Config) -> Option<Arc<str>> {
    (config.metrics.enabled && config.metrics.listen.is_none()).then(|| Arc::from(config.metrics.path.as_str()))
}

fn format(config: &Config) -> Format {
    match config.logging.format {
        LogFormat::Pretty => Format::Pretty,
        LogFormat::Json => Format::Json,
    }
}
