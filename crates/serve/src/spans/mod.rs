//! Spans of requests and of their stages, for whoever traces.
//!
//! With the feature `otel` they go to the global tracer of OpenTelemetry, which the program installs, or to nobody; a
//! caller's `traceparent` makes its span the parent. Without the feature all of this is nothing, at no cost. Spans say
//! what [`Event`](crate::watch::Event) says: nobody's texts, and no query, which may hold a token.
//!
//! ```text
//! POST /v1/judge                the whole request, until the last byte of its answer is made
//!   ├─ assemble                 a sample waits for its siblings' verdict
//!   ├─ queue                    until the judge takes it
//!   └─ judge                    from there to the verdict
//!        └─ POST /v1/chat/…     each call of a server, made by whoever makes it
//! job item                      of each item of a job, with the same beneath it
//! group                         of a group that its deadline sent to the judge, and no request
//! ```
//!
//! A group's own `queue` and `judge` stand under the request of the sample that made it full.

#[cfg(feature = "otel")]
mod traced;
#[cfg(feature = "otel")]
pub(crate) use traced::{Span, here, note, request, root, stage};

#[cfg(not(feature = "otel"))]
mod untraced;
#[cfg(not(feature = "otel"))]
pub(crate) use untraced::{Span, here, note, request, root, stage};

/// What is known of a request when it comes.
#[cfg_attr(not(feature = "otel"), expect(dead_code, reason = "only a tracer reads it"))]
pub(crate) struct Incoming<'a> {
    pub(crate) headers: &'a axum::http::HeaderMap,
    pub(crate) method: &'a str,
    pub(crate) route: &'a str,
    pub(crate) path: &'a str,
    pub(crate) id: &'a str,
}
