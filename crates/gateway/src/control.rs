//! The control plane's side of the doors: metrics, on the API's port or on a listener of their own.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use gw_engine::Published;
use gw_engine::budget::Budget;
use gw_server::Health;
use gw_server::control::{ControlAnswer, Question};
use gw_telemetry::log::LogControl;
use gw_telemetry::registry::CONTENT_TYPE;
use gw_telemetry::{Registry, Sampled};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;

const PROMETHEUS: HeaderValue = HeaderValue::from_static(CONTENT_TYPE);
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Renders the metrics.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    held_bytes: Arc<Budget>,
    log: LogControl,
    published: Arc<Published>,
    /// From when on time is counted for how providers stand.
    epoch: Instant,
}

impl Metrics {
    pub(crate) fn new(
        registry: &Arc<Registry>,
        held_bytes: &Arc<Budget>,
        log: &LogControl,
        published: &Arc<Published>,
        epoch: Instant,
    ) -> Self {
        Self {
            registry: Arc::clone(registry),
            held_bytes: Arc::clone(held_bytes),
            log: log.clone(),
            published: Arc::clone(published),
            epoch,
        }
    }

    fn render(&self) -> String {
        self.registry.render(&Sampled {
            held_bytes: self.held_bytes.taken() as u64,
            log_lines_dropped: self.log.lines_dropped(),
            breakers: self.breakers(),
        })
    }

    /// The breakers of the providers that are configured and can be asked.
    fn breakers(&self) -> Vec<(Arc<str>, &'static str)> {
        let (snapshot, now) = (self.published.current(), self.epoch.elapsed());
        let guarded = snapshot
            .all()
            .flat_map(|one| one.providers())
            .filter(|provider| provider.is_usable() && provider.standing_rules.breaker.is_some());
        guarded.map(|provider| (Arc::clone(&provider.name), provider.standing.phase(now).name())).collect()
    }
}

/// Answers what the workers hand over, for as long as they live.
pub(crate) async fn answer(mut questions: mpsc::Receiver<Question>, metrics: Metrics) {
    while let Some(question) = questions.recv().await {
        let body = Bytes::from(metrics.render());
        let answer = ControlAnswer { status: StatusCode::OK, content_type: PROMETHEUS, body };
        // The client may have left.
        let _ = question.answer.send(answer);
    }
}

/// Opens a listener for metrics and health, and returns what serves it.
///
/// # Errors
/// If the address cannot be listened on.
pub(crate) async fn listen(
    address: SocketAddr,
    path: String,
    metrics: Metrics,
    health: Arc<Health>,
) -> anyhow::Result<impl Future<Output = ()>> {
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} for metrics"))?;
    let ready = move || async move { with_type(health.ready(), JSON) };
    let router = Router::new()
        .route(
            &path,
            get(move || async move { with_type((StatusCode::OK, Bytes::from(metrics.render())), PROMETHEUS) }),
        )
        .route("/health/live", get(|| async { with_type(Health::live(), JSON) }))
        .route("/health/ready", get(ready));
    Ok(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the metrics listener broke");
        }
    })
}

fn with_type((status, body): (StatusCode, Bytes), content_type: HeaderValue) -> impl IntoResponse {
    (status, [(header::CONTENT_TYPE, content_type)], body)
}
