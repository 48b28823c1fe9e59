//! What all handlers share, and the routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use crate::judging::{Judging, Limits, Setup};
use crate::metrics::{Gauges, Metrics};
use crate::native;
use crate::watch::{self, Log};

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bearer tokens that are let in; with none, everybody is.
    pub tokens: Vec<String>,
    /// The most bytes of a body.
    pub max_body: usize,
    /// How much is judged at once, and how much may wait.
    pub limits: Limits,
    /// How long what has begun may go on once the server is to end.
    pub drain: Duration,
}

impl Default for Settings {
    /// Everybody, 16 MiB, 64 at a time and 1,024 waiting for at most five minutes, 30 seconds to drain.
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            max_body: 16 << 20,
            limits: Limits {
                slots: 64,
                queue: 1_024,
                deadline: Duration::from_secs(300),
            },
            drain: Duration::from_secs(30),
        }
    }
}

/// Lines of metrics that the server knows nothing of: what the engine does.
pub type Extra = Arc<dyn Fn() -> String + Send + Sync>;

/// What all handlers share.
pub struct App {
    pub(crate) settings: Settings,
    pub(crate) judging: Judging,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Log,
    pub(crate) draining: AtomicBool,
    ids: AtomicU64,
    extra: Extra,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("judging", &self.judging)
            .finish_non_exhaustive()
    }
}

impl App {
    /// A server around a judge. `log` is told of every request, `extra` gives further lines of metrics.
    pub fn new(setup: Setup, settings: Settings, log: Log, extra: Extra) -> Arc<Self> {
        let metrics = Arc::new(Metrics::default());
        Arc::new(Self {
            judging: Judging::new(setup, settings.limits, Arc::clone(&metrics)),
            settings,
            metrics,
            log,
            draining: AtomicBool::new(false),
            ids: AtomicU64::new(1),
            extra,
        })
    }

    /// The name of the judge's model.
    pub fn model(&self) -> &str {
        self.judging.setup().model.name()
    }

    /// An id for a request that brings none.
    pub(crate) fn next_id(&self) -> String {
        format!("r{}", self.ids.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn metrics_text(&self) -> String {
        let (queued, judging) = self.judging.load();
        let now = Gauges {
            queued,
            judging,
            slots: self.judging.slots(),
            ..Gauges::default()
        };
        self.metrics.text(now, &(self.extra)())
    }
}

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    let behind_the_door = Router::new()
        .route("/v1/judge", post(native::judge))
        .route("/v1/judge/batch", post(native::batch))
        .route("/v1/models", get(models))
        .route("/metrics", get(metrics))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), watch::door));
    let open = Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready));
    behind_the_door
        .merge(open)
        .layer(DefaultBodyLimit::max(app.settings.max_body))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), watch::watch))
        .with_state(app)
}

async fn healthy() -> &'static str {
    "ok\n"
}

async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.draining.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

async fn models(State(app): State<Arc<App>>) -> Json<serde_json::Value> {
    Json(json!({
        "object": "list",
        "data": [{"id": app.model(), "object": "model", "created": 0, "owned_by": "rewardanything"}],
    }))
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        app.metrics_text(),
    )
}
