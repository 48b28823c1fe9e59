//! Who is let in, and what is said of each request.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::app::App;
use crate::fault::Fault;
use crate::metrics::Stage;
use crate::rates::Caller;
use crate::spans::{self, Incoming, Span};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The status under which requests are counted whose caller went away before the answer.
const GONE: u16 = 499;

/// What is said of one request. It holds nothing of its body, and no query, which may hold a token.
#[derive(Debug, Clone, Serialize)]
pub struct Event<'a> {
    /// The caller's `x-request-id`, or one of ours; the answer bears it too.
    pub request_id: &'a str,
    /// GET, POST, …
    pub method: &'a str,
    /// The path without its query.
    pub path: &'a str,
    /// The HTTP status; 499 when the caller went away before the answer.
    pub status: u16,
    /// Until the answer began.
    pub seconds: f64,
}

/// Told of every request when it is over.
pub type Log = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// Lets in who has a token, in the header `Authorization` or, for clients that cannot set one, as `?token=`, and has not
/// used it too often. Looking is free, and so is giving something up: GET and DELETE cost no verdict.
pub(crate) async fn door(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    if let Some(caller) = who(&app.settings.tokens, request.headers(), request.uri()) {
        let looks = [Method::GET, Method::HEAD, Method::DELETE].contains(request.method());
        if !looks && let Err(wait) = app.rates.take(caller) {
            return Fault::too_often(wait).into_response();
        }
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(app.jobs.owners.of(caller));
        return next.run(request).await;
    }
    let mut response = Fault::new(
        StatusCode::UNAUTHORIZED,
        "token",
        "expected `Authorization: Bearer TOKEN` with a token of this server",
    )
    .into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Whose token it is; `None` without one.
fn who(tokens: &[String], headers: &HeaderMap, uri: &Uri) -> Option<Caller> {
    if tokens.is_empty() {
        return Some(Caller(0));
    }
    let header = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let query = || {
        uri.query()?
            .split('&')
            .find_map(|pair| pair.strip_prefix("token="))
    };
    let given = header.or_else(query)?.trim();
    // Every token is looked at, whichever fits.
    tokens.iter().enumerate().fold(None, |found, (place, token)| {
        let fits = same(token.as_bytes(), given.as_bytes());
        if fits { Some(Caller(place)) } else { found }
    })
}

/// Whether two texts are equal, in a time that depends on their lengths alone.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differ = a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differ) == 0
}

/// Gives each request an id, and counts and logs it when it is over, however it ends.
pub(crate) async fn watch(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic()))
        .map_or_else(|| app.next_id(), str::to_owned);
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("other", MatchedPath::as_str)
        .to_owned();
    let span = spans::request(&Incoming {
        headers: request.headers(),
        method: request.method().as_str(),
        route: &route,
        path: request.uri().path(),
        id: &id,
    });
    let mut seen = Seen {
        app: Arc::clone(&app),
        id,
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        route,
        began: Instant::now(),
        status: GONE,
        span: span.clone(),
    };
    let mut response = span.carry(next.run(request)).await;
    seen.status = response.status().as_u16();
    if let Ok(id) = HeaderValue::from_str(&seen.id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// A request on its way. When it ends, answered or dropped with its connection, it is counted.
struct Seen {
    app: Arc<App>,
    id: String,
    method: String,
    path: String,
    route: String,
    began: Instant,
    status: u16,
    span: Span,
}

impl Drop for Seen {
    fn drop(&mut self) {
        let spent = self.began.elapsed();
        self.span.answered(self.status);
        self.app.metrics.request(&self.route, self.status);
        self.app.metrics.stage(Stage::Request, spent);
        (self.app.host.log)(&Event {
            request_id: &self.id,
            method: &self.method,
            path: &self.path,
            status: self.status,
            seconds: (spent.as_secs_f64() * 1e6).round() / 1e6,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_token_opens() {
        let tokens = ["one".to_owned(), "two2".to_owned()];
        let check = |header: &str, query: &str, expect: bool| {
            let mut headers = HeaderMap::new();
            if !header.is_empty() {
                headers.insert(header::AUTHORIZATION, header.parse().unwrap());
            }
            let uri: Uri = format!("/x?{query}").parse().unwrap();
            assert_eq!(who(&tokens, &headers, &uri).is_some(), expect, "{header} {query}");
            assert_eq!(who(&[], &headers, &uri), Some(Caller(0)));
        };
        check("Bearer one", "", true);
        check("Bearer two2", "", true);
        check("", "n=8&token=one", true);
        check("Bearer on", "", false);
        check("Bearer onee", "", false);
        check("Bearer ", "", false);
        check("one", "", false);
        check("", "token=", false);
        check("", "", false);
        check("Bearer no", "token=one", false);
    }
}
