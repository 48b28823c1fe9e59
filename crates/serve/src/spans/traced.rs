//! Spans of the global tracer.

use std::future::Future;

use axum::http::HeaderMap;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue, global};

use super::Incoming;

/// Whose spans these are, as tracers say it.
const SCOPE: &str = "rewardanything";

/// A span. It is over when the last of its copies goes, so that a request lasts as long as the stream of its answers, and
/// one that is dropped half-way ends there.
#[derive(Debug, Clone)]
pub(crate) struct Span(Context);

/// Of a request, under its caller's span where it names one.
pub(crate) fn request(incoming: &Incoming<'_>) -> Span {
    let headers = Headers(incoming.headers);
    let parent = global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), &headers)
    });
    let tracer = global::tracer(SCOPE);
    let span = tracer
        .span_builder(format!("{} {}", incoming.method, incoming.route))
        .with_kind(SpanKind::Server)
        .with_attributes([
            KeyValue::new("http.request.method", incoming.method.to_owned()),
            KeyValue::new("http.route", incoming.route.to_owned()),
            KeyValue::new("url.path", incoming.path.to_owned()),
            KeyValue::new("rewardanything.request_id", incoming.id.to_owned()),
        ])
        .start_with_context(&tracer, &parent);
    Span(parent.with_span(span))
}

/// A part of what is going on.
pub(crate) fn stage(name: &'static str) -> Span {
    Span(Context::current_with_span(global::tracer(SCOPE).start(name)))
}

/// Something that goes on for nobody's request.
pub(crate) fn root(name: &'static str) -> Span {
    let parent = Context::new();
    let span = global::tracer(SCOPE).start_with_context(name, &parent);
    Span(parent.with_span(span))
}

/// What is going on, and where that is nothing, something of this name that begins now.
pub(crate) fn here(name: &'static str) -> Span {
    let current = Context::current();
    if current.has_active_span() {
        Span(current)
    } else {
        root(name)
    }
}

/// Says that something happened in what is going on.
pub(crate) fn note(what: &'static str) {
    Context::current().span().add_event(what, Vec::new());
}

impl Span {
    /// What this future does is part of the span, which lasts as long as it.
    pub(crate) fn carry<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        future.with_context(self.0.clone())
    }

    pub(crate) fn number(&self, name: &'static str, value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.0.span().set_attribute(KeyValue::new(name, value));
    }

    /// The status of the answer.
    pub(crate) fn answered(&self, status: u16) {
        self.number("http.response.status_code", u64::from(status));
        if status >= 500 {
            self.0.span().set_status(Status::error(""));
        }
    }

    /// For work on another thread, which is part of the span and does not make it last: it ends with whoever waits.
    pub(crate) fn aside(&self) -> Aside {
        let parent = self.0.span().span_context().clone();
        Aside(Context::new().with_remote_span_context(parent))
    }

    /// Ends it, as dropping it does.
    pub(crate) fn end(self) {}
}

/// A span as others see it.
#[derive(Debug)]
pub(crate) struct Aside(Context);

impl Aside {
    /// Does something as a part of it.
    pub(crate) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        let _current = self.0.attach();
        work()
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
