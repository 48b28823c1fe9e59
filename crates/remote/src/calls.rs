//! Calls to servers, for whoever traces.
//!
//! With the feature `otel` a call that is made for something traced is a span of its own, beneath what is current on its
//! thread, and the server gets its `traceparent`: what the server does for it can be found under the request that it was
//! done for. A call that is made for nothing traced is no span and says nothing. Without the feature all of this is
//! nothing, at no cost.

#[cfg(feature = "otel")]
pub(crate) use traced::{Call, here};
#[cfg(not(feature = "otel"))]
pub(crate) use untraced::{Call, here};

#[cfg(feature = "otel")]
mod traced {
    use std::collections::HashMap;

    use opentelemetry::trace::{SpanKind, Status, TraceContextExt as _, Tracer as _};
    use opentelemetry::{Context, KeyValue, global};
    use ureq::http::Uri;

    /// Whose spans these are, as tracers say it.
    const SCOPE: &str = "rewardanything";

    /// A call. Its span is over when this goes.
    #[derive(Debug)]
    pub(crate) struct Call(Option<Context>);

    impl Call {
        pub(crate) fn begin(method: &'static str, url: &str) -> Self {
            let current = Context::current();
            if !current.span().span_context().is_valid() {
                return Self(None);
            }
            let uri: Uri = url.parse().unwrap_or_default();
            let mut about = vec![
                KeyValue::new("http.request.method", method),
                KeyValue::new("server.address", uri.host().unwrap_or_default().to_owned()),
                KeyValue::new("url.path", uri.path().to_owned()),
            ];
            about.extend(
                uri.port_u16()
                    .map(|port| KeyValue::new("server.port", i64::from(port))),
            );
            let tracer = global::tracer(SCOPE);
            let span = tracer
                .span_builder(format!("{method} {}", uri.path()))
                .with_kind(SpanKind::Client)
                .with_attributes(about)
                .start_with_context(&tracer, &current);
            Self(Some(current.with_span(span)))
        }

        /// What the server is to be told of it: `traceparent`, and `tracestate` where there is one.
        pub(crate) fn headers(&self) -> Vec<(String, String)> {
            let Some(context) = &self.0 else { return Vec::new() };
            let mut headers = HashMap::<String, String>::new();
            global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut headers));
            headers
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect()
        }

        /// The status of the answer.
        pub(crate) fn answered(&self, status: u16) {
            let Some(context) = &self.0 else { return };
            let span = context.span();
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
            if status >= 400 {
                span.set_status(Status::error(""));
            }
        }

        /// No answer came, or only a part of it.
        pub(crate) fn failed(&self) {
            if let Some(context) = &self.0 {
                context.span().set_status(Status::error("no answer"));
            }
        }
    }

    /// What is current where this is made.
    #[derive(Debug, Clone)]
    pub(crate) struct Here(Context);

    pub(crate) fn here() -> Here {
        Here(Context::current())
    }

    impl Here {
        /// Does something, on whatever thread, as a part of that.
        pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
            let _current = self.0.clone().attach();
            work()
        }
    }
}

#[cfg(not(feature = "otel"))]
mod untraced {
    /// Nothing.
    #[derive(Debug)]
    pub(crate) struct Call;

    impl Call {
        pub(crate) fn begin(_: &'static str, _: &str) -> Self {
            Self
        }

        pub(crate) fn headers(&self) -> [(String, String); 0] {
            []
        }

        pub(crate) fn answered(&self, _: u16) {}

        pub(crate) fn failed(&self) {}
    }

    /// Nothing.
    #[derive(Debug, Clone)]
    pub(crate) struct Here;

    pub(crate) fn here() -> Here {
        Here
    }

    impl Here {
        pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
            work()
        }
    }
}

#[cfg(all(test, feature = "otel"))]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
    use opentelemetry::{Context, global};
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    #[test]
    fn a_call_tells_the_server_whose_it_is_and_one_of_nobody_says_nothing() {
        global::set_text_map_propagator(TraceContextPropagator::new());
        global::set_tracer_provider(SdkTracerProvider::builder().build());
        assert!(Call::begin("GET", "http://x/").headers().is_empty());
        let check = |flags: TraceFlags, state: &str, expect: &str| {
            let caller = SpanContext::new(
                TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").expect("a caller that can be told"),
                SpanId::from_hex("b7ad6b7169203331").expect("a caller that can be told"),
                flags,
                true,
                state.parse::<TraceState>().expect("a caller that can be told"),
            );
            let current = Context::new().with_remote_span_context(caller).attach();
            let there = here();
            drop(current);
            // On another thread, as a pool asks.
            let headers = std::thread::spawn(move || {
                there.within(|| Call::begin("POST", "http://x:1/v1/chat/completions").headers())
            });
            let mut headers = headers.join().expect("a caller that can be told");
            headers.sort();
            let (name, parent) = &headers[0];
            assert_eq!(name, "traceparent");
            let parts: Vec<&str> = parent.split('-').collect();
            assert_eq!(
                (parts[0], parts[1], parts[3]),
                ("00", "0af7651916cd43dd8448eb211c80319c", expect)
            );
            assert!(
                parts[2] != "b7ad6b7169203331" && parts[2].len() == 16,
                "a span of its own: {parent}"
            );
            let states: Vec<&str> = headers[1..].iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(states.concat(), state);
        };
        check(TraceFlags::SAMPLED, "vendor=7", "01");
        check(TraceFlags::SAMPLED, "", "01");
        check(TraceFlags::default(), "", "00");
    }
}
