//! Judges behind OpenAI-compatible servers, and models from a hub.
//!
//! The one crate that speaks HTTP. [`Pool`] implements [`Generate`](rewardanything_core::Generate) over one or several
//! chat endpoints (vLLM, SGLang, the llama.cpp server, hosted ones): it asks the least loaded one, holds replies to the
//! form of a verdict where the server can, reads the probabilities behind the scores, and repeats what may be repeated
//! within one deadline. [`Hub`] brings models from a hub into the cache that other programs share, and finds them
//! there.
//!
//! With the feature `otel` it also carries spans to a collector (`Telemetry`), and tells servers for which request they
//! are asked (`traceparent`).
//!
//! [`Scalar`] asks reward models that give a number to a response, which are measured beside judges.
//!
//! Everything runs on plain threads: `Generate` is a blocking seam, and a thread for each request in flight costs less
//! than a second runtime. Nothing is printed, and nothing is read from the environment but the usual variables of proxies;
//! what a caller should be told comes as values ([`Pool::take_notes`]).

mod address;
mod bucket;
mod calls;
mod dates;
mod distribution;
mod endpoint;
mod error;
mod health;
mod http;
mod hub;
mod hub_cache;
mod hub_files;
mod key;
mod names;
mod permits;
mod pool;
mod reply;
mod request;
mod retry;
mod scalar;
#[cfg(feature = "otel")]
mod telemetry;
mod transfer;

pub use address::{Address, AddressError};
pub use error::RemoteError;
pub use health::Circuit;
pub use hub::{Hub, HubError, ModelId, Progress, Pulled};
pub use hub_cache::CacheEntry;
pub use key::{ApiKey, Keys};
pub use pool::{Backend, Pool, Settings};
pub use scalar::{Scalar, ScalarApi, ScalarInput, ScalarReply};
#[cfg(feature = "otel")]
pub use telemetry::{Telemetry, TelemetryError};
pub use transfer::sha256;
