//! The endpoints of the published package's server, for its unmodified client.
//!
//! Two things differ on purpose. A reply that is no verdict is an error here (502, with the reason), or the neutral
//! verdict where [`Settings::neutral`](crate::Settings::neutral) says so; never an empty one that looks like success.
//! And nothing of what a caller sends decides which server is asked or which file is written.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use rewardanything_core::JudgeRequest;
use rewardanything_core::record::Failure;
use rewardanything_evals::item::Ask;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::fault::{Fault, status_of, with_status};
use crate::jobs::{JobState, Progress};
use crate::judging::WhenFull;
use crate::native::record_of;

/// What a neutral verdict gives each response: the middle of the scale.
const NEUTRAL: u64 = 3;

/// `POST /api/rewardanything`.
pub(crate) async fn one(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let request = match Ask::read(&body).and_then(|item| item.request) {
        Ok(request) => request,
        Err(why) => return detail(StatusCode::UNPROCESSABLE_ENTITY, why),
    };
    match verdict(&app, request, WhenFull::Refuse).await {
        Ok(verdict) => Json(verdict).into_response(),
        Err(failure) => detail(status_of(&failure.kind), reason(&failure)),
    }
}

/// `POST /api/rewardanything_batch`.
pub(crate) async fn batch(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let requests = match requests(&body) {
        Ok(requests) => requests,
        Err(why) => return detail(StatusCode::UNPROCESSABLE_ENTITY, why),
    };
    if requests.is_empty() {
        return detail(StatusCode::BAD_REQUEST, "No requests provided");
    }
    match all(&app, requests, |_| ()).await {
        Ok(verdicts) => Json(verdicts).into_response(),
        Err((index, failure)) => detail(
            status_of(&failure.kind),
            format!("request {index}: {}", reason(&failure)),
        ),
    }
}

/// Reads an array of requests.
fn requests(body: &[u8]) -> Result<Vec<JudgeRequest>, String> {
    let raw: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|error| format!("not a JSON array: {error}"))?;
    raw.into_iter()
        .enumerate()
        .map(|(index, raw)| {
            Ask::read(raw.get().as_bytes())
                .and_then(|item| item.request)
                .map_err(|why| format!("request {index}: {why}"))
        })
        .collect()
}

/// All verdicts, in the order of the requests, or the first failure.
async fn all(
    app: &Arc<App>,
    requests: Vec<JudgeRequest>,
    done: impl Fn(usize),
) -> Result<Vec<Value>, (usize, Failure)> {
    let mut verdicts = Vec::with_capacity(requests.len());
    let mut answers = stream::iter(requests)
        .map(|request| verdict(app, request, WhenFull::Wait))
        .buffered(app.judging.slots());
    let mut failed = None;
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(verdict) => verdicts.push(verdict),
            // The others are waited for all the same: a retry of the whole finds their prompts read.
            Err(failure) => {
                failed.get_or_insert((verdicts.len(), failure));
                verdicts.push(Value::Null);
            }
        }
        done(verdicts.len());
    }
    failed.map_or(Ok(verdicts), Err)
}

/// `{"thoughts", "results": {"scores", "best-to-worst"}}`.
async fn verdict(app: &App, request: JudgeRequest, when_full: WhenFull) -> Result<Value, Failure> {
    let names: Vec<String> = request
        .responses()
        .iter()
        .map(|response| response.name.clone())
        .collect();
    let item = Ask {
        id: None,
        request: Ok(request),
    };
    let record = record_of(app, item, when_full).await;
    match record.error {
        None => Ok(shape(&record.reasoning, record.scores, &record.ranking)),
        // A caller who is to come back later is not to be given something else in the meantime.
        Some(failure) if app.settings.neutral && failure.kind != "full" => {
            let scores = names.iter().map(|name| (name.clone(), NEUTRAL.into())).collect();
            let thoughts = format!(
                "There is no verdict, so all scores are neutral: {}",
                failure.message
            );
            Ok(shape(&thoughts, scores, &names))
        }
        Some(failure) => Err(failure),
    }
}

fn shape(thoughts: &str, scores: Map<String, Value>, ranking: &[String]) -> Value {
    json!({"thoughts": thoughts, "results": {"scores": scores, "best-to-worst": ranking}})
}

fn reason(failure: &Failure) -> String {
    format!("{}: {}", failure.kind, failure.message)
}

/// An error in the form of that server.
fn detail(status: StatusCode, message: impl Into<String>) -> Response {
    with_status(
        status,
        Json(json!({"detail": format!("Error: {}", message.into())})),
    )
}

#[derive(Deserialize)]
struct Submission<'a> {
    #[serde(borrow)]
    requests: &'a RawValue,
}

/// `POST /api/batch_request`: a job. What it says of paths, endpoints, keys and generation is not taken, and named in
/// the reply.
pub(crate) async fn submit(State(app): State<Arc<App>>, body: Bytes) -> Response {
    // Twice: as it stands, for the requests, and as a map, for the names of the rest.
    let parsed = serde_json::from_slice::<Submission<'_>>(&body)
        .and_then(|submission| Ok((submission, serde_json::from_slice::<Map<String, Value>>(&body)?)));
    let (submission, rest) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return detail(StatusCode::UNPROCESSABLE_ENTITY, format!("not a job: {error}")),
    };
    let requests = match requests(submission.requests.get().as_bytes()) {
        Ok(requests) => requests,
        Err(why) => return detail(StatusCode::UNPROCESSABLE_ENTITY, why),
    };
    if requests.is_empty() {
        return detail(StatusCode::BAD_REQUEST, "No requests provided");
    }
    let count = requests.len();
    let work = |progress: Arc<Progress>| {
        let app = Arc::clone(&app);
        async move {
            all(&app, requests, |done| progress.set(done))
                .await
                .map_err(|(index, failure)| format!("request {index}: {}", reason(&failure)))
        }
    };
    match app.jobs.start(count, (app.host.now)(), work) {
        None => Fault::new(
            StatusCode::TOO_MANY_REQUESTS,
            "full",
            "as many jobs as may be are not done yet",
        )
        .into_response(),
        Some(id) => {
            let ignored: Vec<&String> = rest
                .iter()
                .filter(|(key, value)| *key != "requests" && !value.is_null())
                .map(|(key, _)| key)
                .collect();
            Json(json!({
                "batch_request_id": id,
                "requests": count,
                "start_time": crate::dates::iso((app.host.now)()),
                "ignored": ignored,
            }))
            .into_response()
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Patience {
    max_timeout: Option<f64>,
}

/// `GET /api/batch_request/{id}`: waits for the end of the job.
pub(crate) async fn fetch(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(patience): Query<Patience>,
) -> Response {
    let seconds = patience.max_timeout.unwrap_or(600.0).clamp(0.0, 86_400.0);
    match app
        .jobs
        .wait(&id, std::time::Duration::from_secs_f64(seconds))
        .await
    {
        None => detail(StatusCode::NOT_FOUND, "no job has this id"),
        Some(JobState::Running) => detail(StatusCode::REQUEST_TIMEOUT, "Request timed out"),
        Some(JobState::Failed(why)) => detail(StatusCode::BAD_GATEWAY, format!("Task failed: {why}")),
        Some(JobState::Done(verdicts)) => Json(&*verdicts).into_response(),
    }
}

/// `GET /api/list_tasks`.
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let jobs = app.jobs.list().into_iter().map(|job| {
        let value = json!({
            "start_time": crate::dates::iso(job.started),
            "complete": job.state_is_final,
            "has_error": job.failed,
            "num_requests": job.requests,
            "output_path": null,
            "judged": job.judged,
        });
        (job.id, value)
    });
    Json(Value::Object(jobs.collect()))
}

/// `POST /api/clear_tasks`: ends all jobs, running or not.
pub(crate) async fn clear(State(app): State<Arc<App>>) -> Json<Value> {
    app.jobs.clear();
    Json(json!({"message": "All tasks cleared"}))
}

/// `GET /health`.
pub(crate) async fn health() -> Json<Value> {
    Json(json!({"status": "healthy", "service": "RewardAnything API"}))
}
