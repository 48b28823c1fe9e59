//! Tokens in, tokens out: Qwen3 on candle.
//!
//! [`LocalModel`] is a model folder as a [`Generate`](rewardanything_core::Generate): it renders the messages with the
//! model's own chat template, runs prompts of unequal length together and decodes the replies. Below it lie
//! [`Qwen3`], which takes its [`Cache`] as an argument and serves inference and training alike (see [`OpsMode`]), and
//! [`generate`](fn@generate), the loop over tokens.

mod batch;
mod cache;
mod chat;
mod config;
mod error;
mod generate;
mod model;
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
pub use generate::{TokenJob, TokenReply, generate};
pub use model::{LoadOptions, LocalModel, ModelBytes};
pub use ops::OpsMode;
pub use qwen3::{Positions, Qwen3};
pub use sampler::{Sampler, log_probability};
pub use tokenizer::Tokenizer;
pub use weights::Weights;
