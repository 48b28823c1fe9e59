//! Tokens in, tokens out: Qwen3 on candle.
//!
//! [`LocalModel`] is a model folder or GGUF file ([`ModelFiles`]) as a [`Generate`](rewardanything_core::Generate): it renders the messages with the
//! model's own chat template, runs prompts of unequal length together and decodes the replies. On a CPU it runs a
//! [`CpuModel`], which is ours down to the kernels. On other devices, and wherever gradients are wanted, it is
//! [`Qwen3`], which takes its [`Cache`] as an argument (see [`OpsMode`]), under [`generate`](fn@generate), the loop
//! over tokens. Both compute the same.

mod batch;
mod cache;
mod chat;
mod config;
mod convert;
pub mod cpu;
pub mod device;
mod error;
mod files;
mod generate;
mod gguf;
mod guide;
mod kernel_ops;
mod model;
pub mod ops;
mod qwen3;
mod reading;
mod row;
mod sampler;
mod tokenizer;
mod weights;

pub use batch::Batch;
pub use cache::Cache;
pub use chat::{Chat, ChatTemplate, TokenizerConfig};
pub use config::{ARCHITECTURE, Config, MODEL_TYPE};
pub use convert::{GgufFormat, write_gguf};
pub use cpu::CpuModel;
pub use error::EngineError;
pub use files::{ModelBytes, ModelFiles};
pub use generate::generate;
pub use guide::Guide;
pub use model::{BackendOptions, LoadOptions, LocalModel};
pub use ops::OpsMode;
pub use qwen3::{Positions, Qwen3};
pub use rewardanything_kernels::{Isa, Numerics};
pub use row::{TokenJob, TokenReply};
pub use sampler::{Sampler, log_probability};
pub use tokenizer::Tokenizer;
pub use weights::Weights;
