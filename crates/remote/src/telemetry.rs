//! Spans on their way to an OpenTelemetry collector: OTLP over HTTP, as protobuf.
//!
//! Whoever makes spans knows nothing of this: they go through the global tracer, which [`Telemetry::start`] installs. The
//! specification's own variables say where to, under which name and how many; the exporter and the SDK read them. Spans
//! leave in batches from a thread of the SDK. What does not reach the collector is counted, and holds up nobody.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::{KeyValue, global};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::http::Http;

/// Where spans go, of which the first that is set counts.
const ENDPOINT: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];
const PROTOCOL: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const TIMEOUT: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];

/// The protocol that is spoken here.
const HTTP_PROTOBUF: &str = "http/protobuf";

/// What the specification has where nothing is said.
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the last batch may take once the program is to end.
const LAST: Duration = Duration::from_secs(5);

/// Why spans cannot be exported as the environment asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// Another protocol is asked for.
    #[error("{variable}: expected {HTTP_PROTOBUF}, got {value:?}; collectors take it at port 4318")]
    Protocol {
        /// The variable that asks for it.
        variable: &'static str,
        /// What it says.
        value: String,
    },
    /// A variable has no meaning.
    #[error("{variable}: expected milliseconds, got {value:?}")]
    Timeout {
        /// The variable.
        variable: &'static str,
        /// What it says.
        value: String,
    },
    /// The exporter refuses what is asked of it.
    #[error("cannot export spans: {0}")]
    Exporter(String),
}

/// Batches that were sent, and those that did not arrive.
#[derive(Debug, Default)]
struct Sent {
    arrived: AtomicU64,
    failed: AtomicU64,
}

/// The way of spans to a collector, for as long as this lives.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
    sent: Arc<Sent>,
}

impl Telemetry {
    /// Installs a tracer for the whole process that exports what is traced, and has callers' `traceparent` understood.
    /// `None` where the environment names no collector, or says that there is to be no SDK (`OTEL_SDK_DISABLED`) or no
    /// exporter (`OTEL_TRACES_EXPORTER=none`). `variable` looks into the environment; the SDK does so by itself for
    /// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*` and the exporter's headers.
    ///
    /// # Errors
    /// Another protocol than OTLP over HTTP in protobuf is asked for, or the endpoint is none.
    pub fn start(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, TelemetryError> {
        let first = |names: [&'static str; 2]| {
            let mut values = names.into_iter().map(|name| (name, variable(name)));
            values.find_map(|(name, value)| Some((name, value?)))
        };
        let disabled = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let none = variable("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
        if disabled || none || first(ENDPOINT).is_none() {
            return Ok(None);
        }
        if let Some((variable, value)) = first(PROTOCOL).filter(|(_, value)| value != HTTP_PROTOBUF) {
            return Err(TelemetryError::Protocol { variable, value });
        }
        let timeout = match first(TIMEOUT) {
            None => USUAL_TIMEOUT,
            Some((variable, value)) => match value.parse() {
                Ok(milliseconds) => Duration::from_millis(milliseconds),
                Err(_) => return Err(TelemetryError::Timeout { variable, value }),
            },
        };
        let sent = Arc::new(Sent::default());
        let client = Client {
            http: Http::new(1),
            timeout,
            sent: Arc::clone(&sent),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .build()
            .map_err(|error| TelemetryError::Exporter(error.to_string()))?;
        let mut resource =
            Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let named = variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|value| value.contains("service.name="));
        if !named && variable("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("rewardanything");
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        global::set_text_map_propagator(TraceContextPropagator::new());
        global::set_tracer_provider(provider.clone());
        Ok(Some(Self { provider, sent }))
    }

    /// Batches of spans that the collector took, and those that it did not.
    pub fn batches(&self) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.sent.arrived), of(&self.sent.failed))
    }

    /// Sends what is left, for at most five seconds.
    ///
    /// # Errors
    /// It did not arrive; the SDK's reason.
    pub fn end(&self) -> Result<(), TelemetryError> {
        let ended = self.provider.shutdown_with_timeout(LAST);
        ended.map_err(|error| TelemetryError::Exporter(error.to_string()))
    }
}

/// The HTTP client of this crate for the exporter, whose thread may wait.
#[derive(Debug)]
struct Client {
    http: Http,
    timeout: Duration,
    sent: Arc<Sent>,
}

impl Client {
    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.http.forward(request.map(|body| body.to_vec()), self.timeout);
        let arrived = answer.as_ref().is_ok_and(|answer| answer.status().is_success());
        let counter = if arrived {
            &self.sent.arrived
        } else {
            &self.sent.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(answer?.map(Bytes::from))
    }
}

type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl HttpClient for Client {
    fn send_bytes<'client, 'future>(
        &'client self,
        request: Request<Bytes>,
    ) -> Later<'future, Result<Response<Bytes>, HttpError>>
    where
        'client: 'future,
        Self: 'future,
    {
        Box::pin(ready(self.send(request)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_exported_unasked_and_nonsense_is_said() {
        let check = |set: &[(&str, &str)], expect: Result<(), &str>| {
            let variable = |name: &str| {
                let found = set.iter().find(|(set, _)| *set == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let started = Telemetry::start(&variable);
            match expect {
                Ok(()) => assert!(started.unwrap().is_none(), "{set:?}"),
                Err(part) => {
                    let said = started.unwrap_err().to_string();
                    assert!(said.contains(part), "{set:?}: {said}");
                }
            }
        };
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
        check(&[], Ok(()));
        check(&[("OTEL_SERVICE_NAME", "judge")], Ok(()));
        check(&[endpoint, ("OTEL_SDK_DISABLED", "true")], Ok(()));
        check(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")], Ok(()));
        check(
            &[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
            Err("expected http/protobuf, got \"grpc\""),
        );
        check(
            &[endpoint, ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1s")],
            Err("expected milliseconds, got \"1s\""),
        );
    }
}
