//! What all handlers share, and the routes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use crate::best_of::Policy;
use crate::cache::{Cache, CacheSettings};
use crate::gather::{Gather, GroupSettings};
use crate::jobs::owner::Owners;
use crate::jobs::{self, JobSettings, Jobs};
use crate::judging::{Judging, Limits, Setup};
use crate::metrics::{Gauges, Held, Metrics, Remembered};
use crate::rates::Rates;
use crate::store::Store;
use crate::watch::{self, Log};
use crate::{best_of, chat, native, page, published, rewards, scoring};

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bearer tokens that are let in; with none, everybody is.
    pub tokens: Vec<String>,
    /// The most verdicts a minute that one token may ask for, and all together where there is no token.
    pub rate: Option<u32>,
    /// The most bytes of a body.
    pub max_body: usize,
    /// How much is judged at once, and how much may wait.
    pub limits: Limits,
    /// How long what has begun may go on once the server is to end.
    pub drain: Duration,
    /// Callers of the published package's endpoints get the neutral verdict, all scores 3, where there is none.
    pub neutral: bool,
    /// How jobs are kept.
    pub jobs: JobSettings,
    /// What is remembered of verdicts.
    pub cache: CacheSettings,
    /// How single samples become groups.
    pub groups: GroupSettings,
    /// What rewards are given by.
    pub rewards: RewardSettings,
    /// What `/v1/best-of` samples from; without one, it refuses.
    pub policy: Option<Policy>,
}

/// What rewards for training are given by, where the URL does not say.
#[derive(Debug, Clone, Default)]
pub struct RewardSettings {
    /// The principle.
    pub principle: Option<String>,
    /// Principles that URLs may give by name.
    pub principles: BTreeMap<String, String>,
    /// How many samples each prompt has; 0 and 1 judge each sample alone.
    pub samples: usize,
}

/// What the server has from the program around it.
#[derive(Clone)]
pub struct Host {
    /// Told of every request.
    pub log: Log,
    /// Further lines of metrics, of what the server knows nothing of: the engine.
    pub extra: Arc<dyn Fn() -> String + Send + Sync>,
    /// The time since 1970.
    pub now: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// What the ids of jobs are drawn from; whoever knows it can tell them.
    pub seed: u64,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl Default for Settings {
    /// Everybody as often as he likes, 16 MiB, 64 at a time and 1,024 waiting for at most five minutes, 30 seconds to
    /// drain; nothing is remembered.
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            rate: None,
            max_body: 16 << 20,
            limits: Limits {
                slots: 64,
                queue: 1_024,
                deadline: Duration::from_secs(300),
            },
            drain: Duration::from_secs(30),
            neutral: false,
            jobs: JobSettings::default(),
            cache: CacheSettings::default(),
            groups: GroupSettings::default(),
            rewards: RewardSettings::default(),
            policy: None,
        }
    }
}

/// What all handlers share.
pub struct App {
    pub(crate) settings: Settings,
    pub(crate) judging: Judging,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) gather: Gather,
    pub(crate) jobs: Jobs,
    pub(crate) rates: Rates,
    cache: Option<Arc<Cache>>,
    pub(crate) host: Host,
    pub(crate) draining: AtomicBool,
    pub(crate) runs: OnceLock<page::Runs>,
    ids: AtomicU64,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("judging", &self.judging)
            .finish_non_exhaustive()
    }
}

impl App {
    /// A server around a judge. Jobs and what is remembered are in the store, and go on from there once it serves.
    pub fn new(setup: Setup, settings: Settings, host: Host, store: Arc<Store>) -> Arc<Self> {
        let metrics = Arc::new(Metrics::default());
        let cache = Cache::new(Arc::clone(&store), settings.cache.clone()).map(Arc::new);
        let judging = Judging::new(setup, settings.limits, Arc::clone(&metrics), cache.clone());
        Arc::new(Self {
            gather: Gather::new(settings.groups),
            jobs: Jobs::new(
                (store, Owners::new(&settings.tokens)),
                settings.jobs,
                judging.slots(),
                host.seed,
            ),
            rates: Rates::new(settings.rate, settings.tokens.len()),
            judging,
            cache,
            settings,
            metrics,
            host,
            draining: AtomicBool::new(false),
            runs: OnceLock::new(),
            ids: AtomicU64::new(1),
        })
    }

    /// The name of the judge's model.
    pub fn model(&self) -> &str {
        self.judging.setup().model.name()
    }

    /// Has `/runs` answer what `page` writes, anew at each call; it may block. The first one stays.
    pub fn show_runs(&self, page: impl Fn() -> String + Send + Sync + 'static) {
        // Whoever comes second finds the first, as said.
        let _ = self.runs.set(Box::new(page));
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
            groups: self.gather.unfinished(),
            jobs: self.jobs.unfinished(),
        };
        let remembered = self.cache.as_deref().map(|cache| {
            let ((hits, misses), (entries, bytes)) = (cache.counts(), cache.size());
            Remembered {
                hits,
                misses,
                entries,
                bytes,
            }
        });
        let mut extra = remembered.map(|remembered| remembered.text()).unwrap_or_default();
        let (groups, group_calls) = self.gather.held();
        let held = Held {
            groups,
            group_calls,
            job_tasks: self.jobs.watched(),
            store_changes: self.jobs.store.waiting(),
            replies: self.cache.as_deref().map_or(0, Cache::pending),
            tasks: tokio::runtime::Handle::try_current()
                .map_or(0, |runtime| runtime.metrics().num_alive_tasks()),
            page_bytes: self.jobs.store.pages_in_memory(),
        };
        extra += &held.text();
        extra += &(self.host.extra)();
        self.metrics.text(now, &extra)
    }
}

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    let behind_the_door = Router::new()
        .route("/v1/judge", post(native::judge))
        .route("/v1/judge/batch", post(native::batch))
        .route("/v1/jobs", post(jobs::routes::submit).get(jobs::routes::list))
        .route(
            "/v1/jobs/{id}",
            get(jobs::routes::status).delete(jobs::routes::end),
        )
        .route("/v1/jobs/{id}/results", get(jobs::routes::results))
        .route("/v1/jobs/{id}/resume", post(jobs::routes::resume))
        .route("/v1/best-of", post(best_of::best_of))
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(chat::complete))
        .route("/metrics", get(metrics))
        .merge(of_the_published_package())
        .merge(of_frameworks())
        .merge(page::behind_the_door())
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), watch::door));
    let open = Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/health", get(published::health))
        .route("/openapi.json", get(openapi))
        .merge(page::open());
    behind_the_door
        .merge(open)
        .layer(DefaultBodyLimit::max(app.settings.max_body))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), watch::watch))
        .with_state(app)
}

fn of_the_published_package() -> Router<Arc<App>> {
    Router::new()
        .route("/api/rewardanything", post(published::one))
        .route("/api/rewardanything_batch", post(published::batch))
        .route("/api/batch_request", post(published::submit))
        .route("/api/batch_request/{id}", get(published::fetch))
        .route("/api/list_tasks", get(published::list))
        .route("/api/clear_tasks", post(published::clear))
        // Its documentation names these two; its server does not have them.
        .route("/api/new_batch_request", post(published::submit))
        .route("/api/fetch_results/{id}", get(published::fetch))
}

fn of_frameworks() -> Router<Arc<App>> {
    Router::new()
        .route("/get_reward", post(rewards::openrlhf))
        .route("/rewards/openrlhf", post(rewards::openrlhf))
        .route("/rewards/slime", post(rewards::slime))
        .route("/classify", post(scoring::classify).put(scoring::classify))
        .route("/v1/classify", post(scoring::classify))
        .route("/v1/embeddings", post(scoring::embeddings))
        .route("/score", post(scoring::score))
        .route("/v1/score", post(scoring::score))
        .route("/rerank", post(scoring::rerank))
        .route("/v1/rerank", post(scoring::rerank))
        .route("/v2/rerank", post(scoring::rerank))
}

/// All of this for programs.
async fn openapi() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        include_str!("openapi.json"),
    )
}

async fn healthy() -> &'static str {
    "ok\n"
}

async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.draining.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else if app.jobs.store.fails() {
        (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be written\n")
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
