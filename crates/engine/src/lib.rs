//! Tokens in, tokens out: Qwen3 on candle.

mod batch;
mod cache;
mod config;
mod error;
pub mod ops;
mod qwen3;

pub use batch::Batch;
pub use cache::Cache;
pub use config::{ARCHITECTURE, Config, MODEL_TYPE};
pub use error::EngineError;
pub use ops::OpsMode;
pub use qwen3::{Positions, Qwen3};
