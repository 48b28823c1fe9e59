//! Tokens in, tokens out: Qwen3 on candle.

mod batch;
mod cache;
mod chat;
mod config;
mod error;
pub mod ops;
mod qwen3;
mod sampler;
mod tokenizer;
mod weights;

pub use batch::Batch;
pub use cache::Cache;
pub use chat::{Chat, ChatTemplate, TokenizerConfig};
pub use config::{ARCHITECTURE, Config, MODEL_TYPE};
pub use error::EngineError;
pub use ops::OpsMode;
pub use qwen3::{Positions, Qwen3};
pub use sampler::{Sampler, log_probability};
pub use tokenizer::Tokenizer;
pub use weights::Weights;
