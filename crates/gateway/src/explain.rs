//! What would be done with a request, by the configuration alone: nobody has failed yet, nobody is busy.

use std::io::Read;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context;
use axum::http::HeaderMap;
use bytes::Bytes;
use gw_config::Environment;
use gw_engine::budget::Budget;
use gw_engine::conversations::Conversations;
use gw_engine::relay::Homes;
use gw_engine::routing::control::Places;
use gw_engine::snapshot::Handle;
use gw_engine::{Engine, Ports, Published};
use gw_http::Pools;
use gw_runtime::Clock;
use gw_server::ids::RequestIds;
use gw_server::plan::Asked;
use gw_telemetry::Registry;

use tokio::time::Instant;

use crate::cli::{Options, Question};
use crate::metrics::Door;
use crate::settings::{self, Lasting};

/// The plan, for a person or a program.
///
/// # Errors
/// If the configuration or the request cannot be read, or the request would be refused.
pub(crate) fn explain(options: &Options, question: Question) -> anyhow::Result<String> {
    let settings = settings::read(options, &Environment::process())?;
    let snapshot = settings::build(&settings.config, &Lasting::default(), 1)?;
    let request = read(&question.request).with_context(|| format!("{} cannot be read", question.request.display()))?;
    let asked = Asked::read(request, question.path)?;
    let published = Published::new(snapshot);
    let engine = Engine::new(Rc::new(ports(&published)), 0);
    let plan = asked.explain(
        &engine,
        &published.current(),
        &HeaderMap::new(),
        (None, None),
        RequestIds::default().next(Clock::system().now()),
    )?;
    Ok(serde_json::to_string_pretty(&plan)?)
}

fn read(path: &Path) -> std::io::Result<Bytes> {
    let mut text = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut text)?;
    } else {
        std::fs::File::open(path)?.read_to_end(&mut text)?;
    }
    Ok(Bytes::from(text))
}

/// What an engine works with that sends nothing.
fn ports(published: &Arc<Published>) -> Ports {
    let registry = Registry::new(env!("CARGO_PKG_VERSION"));
    let bank = registry.bank(0);
    Ports {
        snapshot: Handle::new(published),
        pools: Rc::new(Pools::new(Rc::new(Door(Rc::clone(&bank))))),
        bank,
        records: None,
        clock: Clock::system(),
        held_bytes: Budget::new("bytes held in memory", usize::MAX),
        conversations: Arc::new(Conversations::new(0)),
        homes: Arc::new(Homes::default()),
        in_flight: Budget::new("requests in flight", 1),
        epoch: Instant::now(),
        places: Places::default(),
    }
}
