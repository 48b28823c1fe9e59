//! Jobs over HTTP: `/v1/jobs`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::app::App;
use crate::fault::Fault;
use crate::jobs::owner::Owner;
use crate::rates::Caller;
use crate::store::StoreError;
use crate::store::jobs::{self as table, Job};

/// Records that are read from the store at a time.
const TOGETHER: usize = 256;

/// The longest name that a caller may give a job, in bytes.
const LONGEST_KEY: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Submission<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    #[serde(default)]
    key: Option<String>,
}

/// `POST /v1/jobs`: 202 with the job once it is on the disk, 200 where a job of this key is there already.
pub(crate) async fn submit(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(owner): Extension<Owner>,
    body: Bytes,
) -> Response {
    let submission: Submission<'_> = match serde_json::from_slice(&body) {
        Ok(submission) => submission,
        Err(error) => return Fault::input(format!("not a job: {error}")).into_response(),
    };
    if submission.items.is_empty() {
        return Fault::request("items: expected at least one, got none").into_response();
    }
    if let Some(key) = &submission.key
        && (key.is_empty() || key.len() > LONGEST_KEY)
    {
        let message = format!("key: expected 1 to {LONGEST_KEY} bytes, got {}", key.len());
        return Fault::request(message).into_response();
    }
    let handed = super::Handed {
        items: submission
            .items
            .iter()
            .map(|item| item.get().as_bytes().to_vec())
            .collect(),
        key: submission.key,
        owner,
        published: false,
    };
    let rest = handed.items.len().saturating_sub(1);
    match super::submit(&app, handed).await {
        Ok(Some((job, new))) => {
            if new {
                app.rates.owe(caller, rest);
            }
            let status = if new { StatusCode::ACCEPTED } else { StatusCode::OK };
            (status, Json(shown(&job))).into_response()
        }
        Ok(None) => full().into_response(),
        Err(error) => Fault::from(error).into_response(),
    }
}

/// Too many jobs run.
pub(crate) fn full() -> Fault {
    Fault::new(
        StatusCode::TOO_MANY_REQUESTS,
        "full",
        "as many jobs as may be are not done yet",
    )
}

fn missing() -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "job", "no job has this id")
}

fn answer(found: Result<Option<Job>, StoreError>) -> Response {
    match found {
        Ok(Some(job)) => Json(shown(&job)).into_response(),
        Ok(None) => missing().into_response(),
        Err(error) => Fault::from(error).into_response(),
    }
}

fn shown(job: &Job) -> Value {
    let time = |milliseconds| crate::dates::iso(Duration::from_millis(milliseconds));
    json!({
        "id": job.id,
        "key": job.key,
        "state": job.state,
        "items": job.items,
        "judged": job.judged,
        "failed": job.failed,
        "created": time(job.created),
        "ended": job.ended.map(time),
        "model": job.model,
    })
}

/// `GET /v1/jobs`: all of the caller's, in the order they were handed in.
pub(crate) async fn list(State(app): State<Arc<App>>, Extension(owner): Extension<Owner>) -> Response {
    match app.jobs.list(&owner) {
        Ok(jobs) => {
            let jobs: Vec<Value> = jobs.iter().map(|(_, job)| shown(job)).collect();
            Json(json!({"jobs": jobs})).into_response()
        }
        Err(error) => Fault::from(error).into_response(),
    }
}

#[derive(Deserialize)]
pub(crate) struct Wait {
    /// Seconds.
    #[serde(default)]
    wait: f64,
}

/// `GET /v1/jobs/{id}`, with `?wait=` when it has ended or the time is over.
pub(crate) async fn status(
    State(app): State<Arc<App>>,
    Extension(owner): Extension<Owner>,
    Path(id): Path<String>,
    Query(Wait { wait }): Query<Wait>,
) -> Response {
    let wait = Duration::from_secs_f64(if wait > 0.0 { wait.min(86_400.0) } else { 0.0 });
    let found = app.jobs.wait((&owner, &id), wait).await;
    answer(found.map(|found| found.map(|(_, job)| job)))
}

/// `DELETE /v1/jobs/{id}`: stops a job that runs, forgets one that has ended.
pub(crate) async fn end(
    State(app): State<Arc<App>>,
    Extension(owner): Extension<Owner>,
    Path(id): Path<String>,
) -> Response {
    answer(super::end(&app, &owner, &id).await)
}

#[derive(Deserialize)]
pub(crate) struct Resume {
    #[serde(default)]
    failed: bool,
}

/// `POST /v1/jobs/{id}/resume`: goes on with a job that was stopped; `?failed=true` judges anew what has no verdict.
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(owner): Extension<Owner>,
    Path(id): Path<String>,
    Query(Resume { failed }): Query<Resume>,
) -> Response {
    let resumed = super::resume(&app, (&owner, &id), failed).await;
    if let Ok(Some((_, again))) = &resumed {
        // What was never judged is owed since it was handed in.
        let again = usize::try_from(*again).unwrap_or(usize::MAX);
        app.rates.owe(caller, again.saturating_sub(1));
    }
    answer(resumed.map(|resumed| resumed.map(|(job, _)| job)))
}

/// `GET /v1/jobs/{id}/results`: a line for each item that has a record, in the order of the items: the record, and
/// before it the item's place.
pub(crate) async fn results(
    State(app): State<Arc<App>>,
    Extension(owner): Extension<Owner>,
    Path(id): Path<String>,
) -> Response {
    let number = match app.jobs.find(&owner, &id) {
        Ok(Some((number, _))) => number,
        Ok(None) => return missing().into_response(),
        Err(error) => return Fault::from(error).into_response(),
    };
    let lines = stream::try_unfold(Some(0), move |from| {
        let app = Arc::clone(&app);
        async move {
            let Some(from) = from else { return Ok(None) };
            let lines = app
                .jobs
                .store
                .read(|store| table::results(store, (number, from), TOGETHER))?;
            let next = lines
                .last()
                .filter(|_| lines.len() == TOGETHER)
                .map(|(place, _)| place + 1);
            let mut text = Vec::new();
            for (place, line) in &lines {
                text.extend_from_slice(format!("{{\"index\":{place},").as_bytes());
                // A record is an object, and not an empty one.
                text.extend_from_slice(line.text.get(1..).unwrap_or_default());
                text.push(b'\n');
            }
            Ok::<_, StoreError>(Some((text, next)))
        }
    });
    (
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(lines),
    )
        .into_response()
}
