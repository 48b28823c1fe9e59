//! Our own endpoints: an item goes in, a record comes out, one or many.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use rewardanything_core::record;
use rewardanything_evals::item::{Ask, Id};
use serde_json::value::RawValue;

use crate::app::App;
use crate::fault::{Fault, status_of, with_status};
use crate::judging::WhenFull;
use crate::rates::Caller;
use crate::spans;

/// What became of an item.
pub(crate) type Record = record::Record<Id>;

/// `POST /v1/judge`. The answer is the record, also where it says that there is no verdict; the status then says why.
pub(crate) async fn judge(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let item = match Ask::read(&body) {
        Ok(item) => item,
        Err(why) => return Fault::input(why).into_response(),
    };
    let record = record_of(&app, item, WhenFull::Refuse).await;
    match &record.error {
        None => Json(record).into_response(),
        Some(failure) => with_status(status_of(&failure.kind), Json(&record)),
    }
}

/// Judges an item. Whatever goes wrong stands in its record.
pub(crate) async fn record_of(app: &App, item: Ask, when_full: WhenFull) -> Record {
    let model = app.model();
    let request = match item.request {
        Ok(request) => Arc::new(request),
        Err(why) => return Record::without_verdict(item.id, "request", why, model),
    };
    match app.judging.judge(Arc::clone(&request), when_full).await {
        Ok(judged) => Record {
            cached: judged.remembered,
            ..Record::of(
                item.id,
                &request,
                &judged.judgment,
                model,
                judged.spent.as_secs_f64(),
            )
        },
        Err(why) => {
            let failure = Fault::from(why).failure;
            Record::without_verdict(item.id, &failure.kind, failure.message, model)
        }
    }
}

/// `POST /v1/judge/batch`: a JSON array, answered by one, or lines, answered by lines. Answers come in the order of the
/// items, each as soon as those before it are there; an item that fails has a record that says so.
pub(crate) async fn batch(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    let is_array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let items: Vec<Result<Ask, String>> = if is_array {
        match serde_json::from_slice::<Vec<&RawValue>>(&body) {
            Ok(items) => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| {
                    Ask::read(item.get().as_bytes()).map_err(|why| format!("item {index}: {why}"))
                })
                .collect(),
            Err(error) => return Fault::input(format!("not a JSON array: {error}")).into_response(),
        }
    } else {
        lines(&body)
    };
    let count = items.len();
    app.rates.owe(caller, count.saturating_sub(1));
    let side_by_side = app.judging.slots();
    // Answers are made while they are sent, when this is over.
    let span = spans::here("batch");
    let answers = stream::iter(items.into_iter().enumerate())
        .map(move |(index, item)| {
            let (app, span) = (Arc::clone(&app), span.clone());
            async move {
                let record = match item {
                    Ok(item) => span.carry(record_of(&app, item, WhenFull::Wait)).await,
                    Err(why) => Record::without_verdict(None, "input", why, app.model()),
                };
                let mut line = record.line();
                if is_array && index + 1 < count {
                    line.insert(line.len() - 1, ',');
                }
                Ok::<_, Infallible>(line)
            }
        })
        .buffered(side_by_side);
    let (kind, body) = if is_array {
        let edge = |text: &'static str| stream::once(async move { Ok(text.to_owned()) });
        let body = edge("[\n").chain(answers).chain(edge("]\n"));
        ("application/json", Body::from_stream(body))
    } else {
        ("application/x-ndjson", Body::from_stream(answers))
    };
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

fn lines(body: &[u8]) -> Vec<Result<Ask, String>> {
    body.strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(body)
        .split(|&byte| byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| Ask::read(line).map_err(|why| format!("line {}: {why}", index + 1)))
        .collect()
}
