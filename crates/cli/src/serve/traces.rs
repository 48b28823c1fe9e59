//! Traces of `serve` for an OpenTelemetry collector, in builds with the feature `otel`.

use std::sync::Arc;

use anyhow::Result;
use rewardanything_remote::Telemetry;

use crate::hub;

/// The way to a collector, where the environment names one.
pub(super) struct Traces(Option<Arc<Telemetry>>);

impl Traces {
    /// # Errors
    /// The environment asks for what there is not.
    pub(super) fn start() -> Result<Self> {
        Ok(Self(Telemetry::start(&hub::variable)?.map(Arc::new)))
    }

    /// Lines of metrics, and after them what became of batches of spans.
    pub(super) fn beside(
        &self,
        extra: Arc<dyn Fn() -> String + Send + Sync>,
    ) -> Arc<dyn Fn() -> String + Send + Sync> {
        let Some(telemetry) = self.0.clone() else {
            return extra;
        };
        Arc::new(move || {
            let (arrived, failed) = telemetry.batches();
            let name = "rewardanything_span_batches_total";
            format!(
                "{}# HELP {name} Batches of spans that were sent to the collector.\n# TYPE {name} counter\n\
                 {name}{{arrived=\"true\"}} {arrived}\n{name}{{arrived=\"false\"}} {failed}\n",
                extra()
            )
        })
    }

    /// Sends what is left, and says what was lost.
    pub(super) fn end(&self) {
        let Some(telemetry) = &self.0 else { return };
        let ended = telemetry.end();
        let (arrived, failed) = telemetry.batches();
        if let Err(error) = ended {
            eprintln!("note: the last spans may not have reached the collector: {error}");
        }
        if failed > 0 {
            eprintln!("note: {failed} batches of spans did not reach the collector, {arrived} did");
        }
    }
}
