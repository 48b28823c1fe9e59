//! The endpoints of the published package's server, for its unmodified client.
//!
//! Three things differ on purpose. A reply that is no verdict is an error here (502, with the reason), or the neutral
//! verdict where [`Settings::neutral`](crate::Settings::neutral) says so; never an empty one that looks like success.
//! Nothing of what a caller sends decides which server is asked or which file is written. And names are always masked:
//! a request that asks for none is refused, rather than judged as it did not ask to be.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State};
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
use crate::fault::{status_of, with_status};
use crate::jobs::owner::Owner;
use crate::jobs::{self, Handed};
use crate::judging::WhenFull;
use crate::native::{Record, record_of};
use crate::rates::Caller;
use crate::store::StoreError;
use crate::store::jobs::{self as table, State as Stand};

/// What a neutral verdict gives each response: the middle of the scale.
const NEUTRAL: u64 = 3;

/// What is said of a request whose names were to be shown to the judge.
const MASKED: &str = "mask_responses: expected true, got false; the judge never sees the names of responses";

/// `POST /api/rewardanything`.
pub(crate) async fn one(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let request = match request(&body) {
        Ok(request) => request,
        Err(why) => return detail(StatusCode::UNPROCESSABLE_ENTITY, why),
    };
    match verdict(&app, request, WhenFull::Refuse).await {
        Ok(verdict) => Json(verdict).into_response(),
        Err(failure) => detail(status_of(&failure.kind), reason(&failure)),
    }
}

/// `POST /api/rewardanything_batch`.
pub(crate) async fn batch(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    let requests = match requests(&body) {
        Ok(requests) => requests,
        Err(why) => return detail(StatusCode::UNPROCESSABLE_ENTITY, why),
    };
    if requests.is_empty() {
        return detail(StatusCode::BAD_REQUEST, "No requests provided");
    }
    app.rates.owe(caller, requests.len() - 1);
    match all(&app, requests).await {
        Ok(verdicts) => Json(verdicts).into_response(),
        Err((index, failure)) => detail(
            status_of(&failure.kind),
            format!("request {index}: {}", reason(&failure)),
        ),
    }
}

/// A request whose names may be masked.
fn request(body: &[u8]) -> Result<JudgeRequest, String> {
    #[derive(Deserialize)]
    struct Masks {
        mask_responses: Option<Value>,
    }
    let request = Ask::read(body).and_then(|item| item.request)?;
    let masks = serde_json::from_slice::<Masks>(body).ok();
    if masks.and_then(|masks| masks.mask_responses) == Some(Value::Bool(false)) {
        return Err(MASKED.to_owned());
    }
    Ok(request)
}

/// Reads an array of requests.
fn requests(body: &[u8]) -> Result<Vec<JudgeRequest>, String> {
    raw(body)?
        .into_iter()
        .enumerate()
        .map(|(index, raw)| request(raw.get().as_bytes()).map_err(|why| format!("request {index}: {why}")))
        .collect()
}

fn raw(body: &[u8]) -> Result<Vec<&RawValue>, String> {
    serde_json::from_slice(body).map_err(|error| format!("not a JSON array: {error}"))
}

/// All verdicts, in the order of the requests, or the first failure.
async fn all(app: &Arc<App>, requests: Vec<JudgeRequest>) -> Result<Vec<Value>, (usize, Failure)> {
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
    }
    failed.map_or(Ok(verdicts), Err)
}

/// `{"thoughts", "results": {"scores", "best-to-worst"}}`.
async fn verdict(app: &App, request: JudgeRequest, when_full: WhenFull) -> Result<Value, Failure> {
    let names: Vec<String> = names(&request);
    let item = Ask {
        id: None,
        request: Ok(request),
    };
    of_record(app, record_of(app, item, when_full).await, names)
}

fn names(request: &JudgeRequest) -> Vec<String> {
    let responses = request.responses().iter();
    responses.map(|response| response.name.clone()).collect()
}

/// What a record says, in that form.
fn of_record(app: &App, record: Record, names: Vec<String>) -> Result<Value, Failure> {
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
pub(crate) async fn submit(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(owner): Extension<Owner>,
    body: Bytes,
) -> Response {
    // Twice: as it stands, for the requests, and as a map, for the names of the rest.
    let parsed = serde_json::from_slice::<Submission<'_>>(&body)
        .and_then(|submission| Ok((submission, serde_json::from_slice::<Map<String, Value>>(&body)?)));
    let (submission, rest) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return detail(StatusCode::UNPROCESSABLE_ENTITY, format!("not a job: {error}")),
    };
    let text = submission.requests.get().as_bytes();
    let items = match raw(text).and_then(|items| requests(text).map(|_| items)) {
        Ok(items) => items,
        Err(why) => return detail(StatusCode::UNPROCESSABLE_ENTITY, why),
    };
    if items.is_empty() {
        return detail(StatusCode::BAD_REQUEST, "No requests provided");
    }
    let count = items.len();
    let handed = Handed {
        items: items.iter().map(|item| item.get().as_bytes().to_vec()).collect(),
        key: None,
        owner,
        published: true,
    };
    match jobs::submit(&app, handed).await {
        Err(error) => detail(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        Ok(None) => jobs::routes::full().into_response(),
        Ok(Some((job, _))) => {
            app.rates.owe(caller, count - 1);
            let ignored: Vec<&str> = rest
                .iter()
                .filter(|(key, value)| *key != "requests" && !value.is_null())
                .map(|(key, _)| key.as_str())
                .collect();
            Json(json!({
                "batch_request_id": job.id,
                "requests": count,
                "start_time": crate::dates::iso(Duration::from_millis(job.created)),
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
    Extension(owner): Extension<Owner>,
    Path(id): Path<String>,
    Query(patience): Query<Patience>,
) -> Response {
    let seconds = patience.max_timeout.unwrap_or(600.0).clamp(0.0, 86_400.0);
    let patience = Duration::from_secs_f64(seconds);
    match app.jobs.wait((&owner, &id), patience).await {
        Err(error) => detail(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        Ok(None) => detail(StatusCode::NOT_FOUND, "no job has this id"),
        Ok(Some((number, job))) => match job.state {
            Stand::Running => detail(StatusCode::REQUEST_TIMEOUT, "Request timed out"),
            Stand::Cancelled => detail(StatusCode::BAD_GATEWAY, "Task failed: it was cancelled"),
            Stand::Done => match verdicts(&app, number) {
                Ok(Ok(verdicts)) => Json(verdicts).into_response(),
                Ok(Err(why)) => detail(StatusCode::BAD_GATEWAY, format!("Task failed: {why}")),
                Err(error) => detail(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            },
        },
    }
}

/// The verdicts of a job that is done, or why there are none.
fn verdicts(app: &App, number: u64) -> Result<Result<Vec<Value>, String>, StoreError> {
    app.jobs.store.read(|store| {
        let lines = table::results(store, (number, 0), usize::MAX)?;
        let mut verdicts = Vec::with_capacity(lines.len());
        for (place, line) in lines {
            let record = serde_json::from_slice::<Record>(&line.text)
                .map_err(|error| StoreError::Failed(format!("not a record: {error}")))?;
            let item = table::item(store, (number, place))?.unwrap_or_default();
            // It was read when it was handed in.
            let verdict = request(&item)
                .and_then(|request| of_record(app, record, names(&request)).map_err(|why| reason(&why)));
            match verdict {
                Ok(verdict) => verdicts.push(verdict),
                Err(why) => return Ok(Err(format!("request {place}: {why}"))),
            }
        }
        Ok(Ok(verdicts))
    })
}

/// `GET /api/list_tasks`.
pub(crate) async fn list(State(app): State<Arc<App>>, Extension(owner): Extension<Owner>) -> Response {
    let jobs = match app.jobs.list(&owner) {
        Ok(jobs) => jobs,
        Err(error) => return detail(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    };
    let jobs = jobs.into_iter().filter(|(_, job)| job.published).map(|(_, job)| {
        let ended = job.state != Stand::Running;
        let value = json!({
            "start_time": crate::dates::iso(Duration::from_millis(job.created)),
            "complete": ended,
            "has_error": ended && (job.failed > 0 && !app.settings.neutral || job.state == Stand::Cancelled),
            "num_requests": job.items,
            "output_path": null,
            "judged": job.judged,
        });
        (job.id, value)
    });
    Json(Value::Object(jobs.collect())).into_response()
}

/// `POST /api/clear_tasks`: ends and forgets all of the caller's jobs of this endpoint, running or not.
pub(crate) async fn clear(State(app): State<Arc<App>>, Extension(owner): Extension<Owner>) -> Response {
    match jobs::clear(&app, owner).await {
        Ok(()) => Json(json!({"message": "All tasks cleared"})).into_response(),
        Err(error) => detail(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    }
}

/// `GET /health`.
pub(crate) async fn health() -> Json<Value> {
    Json(json!({"status": "healthy", "service": "RewardAnything API"}))
}
