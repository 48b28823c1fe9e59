//! The page at the root, and what it asks for beside verdicts: the library of principles, lint, and the curves of runs.
//!
//! The page is files in this program. It loads nothing but itself and may ask nobody but this server: its policy says so.
//! It is open to everybody, since it holds nothing; what it asks for is behind the door.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rewardanything_principles::lint::lint;
use rewardanything_principles::{Principle, library};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::fault::Fault;

const FRAME: &str = include_str!("page/index.html");
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// What the frame loads: names, kinds, contents.
const FILES: [(&str, &str, &str); 10] = [
    ("style.css", CSS, include_str!("page/style.css")),
    ("code.js", JS, include_str!("page/code.js")),
    ("dom.js", JS, include_str!("page/dom.js")),
    ("form.js", JS, include_str!("page/form.js")),
    ("jobs.js", JS, include_str!("page/jobs.js")),
    ("library.js", JS, include_str!("page/library.js")),
    ("main.js", JS, include_str!("page/main.js")),
    ("server.js", JS, include_str!("page/server.js")),
    ("state.js", JS, include_str!("page/state.js")),
    ("verdict.js", JS, include_str!("page/verdict.js")),
];

/// Only what came from here, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Writes the page of the runs, as they are now.
pub(crate) type Runs = Box<dyn Fn() -> String + Send + Sync>;

/// The page itself.
pub(crate) fn open() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(frame))
        .route("/page/{file}", get(file))
}

/// What it asks for.
pub(crate) fn behind_the_door() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/principles", get(principles))
        .route("/v1/lint", post(remarks))
        .route("/runs", get(runs))
}

/// An answer for a browser: it asks anew each time, so that page and program are of one version.
fn shown(kind: &'static str, text: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}

/// `GET /`.
async fn frame(State(app): State<Arc<App>>) -> Response {
    let runs = if app.runs.get().is_some() { "yes" } else { "no" };
    let text = FRAME.replacen(
        "<html lang=\"en\">",
        &format!("<html lang=\"en\" data-runs=\"{runs}\">"),
        1,
    );
    let mut response = shown("text/html; charset=utf-8", text);
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        header::HeaderValue::from_static(POLICY),
    );
    response
}

/// `GET /page/{file}`.
async fn file(Path(asked): Path<String>) -> Response {
    match FILES.iter().find(|(name, ..)| *name == asked) {
        Some(&(_, kind, text)) => shown(kind, text),
        None => Fault::new(StatusCode::NOT_FOUND, "page", "the page has no such file").into_response(),
    }
}

/// `GET /v1/principles`: the library, in its order.
async fn principles() -> Json<Value> {
    let all: Vec<Value> = library().iter().map(told).collect();
    Json(json!({"principles": all}))
}

fn told(principle: &Principle) -> Value {
    json!({
        "id": principle.id,
        "category": principle.category,
        "kind": principle.kind,
        "text": principle.text,
        "check": principle.check(),
        "held_out": principle.held_out,
    })
}

/// A principle to look at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    principle: String,
}

/// `POST /v1/lint`: what is wrong with a principle. An empty list is no praise: it says that no rule spoke.
async fn remarks(body: Bytes) -> Response {
    match serde_json::from_slice::<Draft>(&body) {
        Ok(draft) => Json(json!({"findings": lint(&draft.principle)})).into_response(),
        Err(error) => Fault::input(format!("expected {{\"principle\": TEXT}}: {error}")).into_response(),
    }
}

/// `GET /runs`: the curves of the runs that this server was told of. Files are read, so a thread that may block does it.
async fn runs(State(app): State<Arc<App>>) -> Response {
    if app.runs.get().is_none() {
        let why = "this server shows no runs: start it with --runs FOLDER";
        return Fault::new(StatusCode::NOT_FOUND, "runs", why).into_response();
    }
    let page = tokio::task::spawn_blocking(move || app.runs.get().map(|page| page()));
    match page.await {
        Ok(Some(text)) => shown("text/html; charset=utf-8", text),
        _ => Fault::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "runs",
            "the runs cannot be read",
        )
        .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that the frame and its modules load is there, and everything that is there is loaded.
    #[test]
    fn the_page_is_whole() {
        let texts = || FILES.iter().map(|(.., text)| *text).chain([FRAME]);
        for (name, ..) in FILES {
            let loads = [format!("'./{name}'"), format!("\"page/{name}\"")];
            let loaded = texts().any(|text| loads.iter().any(|load| text.contains(load.as_str())));
            assert!(loaded, "{name} is loaded by nobody");
        }
        for text in texts() {
            for part in text.split("from './").skip(1) {
                let name = part.split('\'').next().unwrap_or_default();
                assert!(
                    FILES.iter().any(|(known, ..)| *known == name),
                    "{name} is not there"
                );
            }
        }
        for (name, _, text) in FILES {
            assert!(
                text.starts_with("//") || text.starts_with("/*"),
                "{name} does not say what it is for"
            );
        }
        assert!(FRAME.contains("<html lang=\"en\">"), "where it is told of runs");
        // Nothing from elsewhere, not even by a slip of the pen that the policy would stop.
        assert!(texts().all(|text| !text.contains("https://") && !text.contains("http://")));
    }
}
