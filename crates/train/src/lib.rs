//! Training of the judge: supervised fine-tuning on verifiable principles.
//!
//! A recipe ([`recipe::Recipe`], TOML) goes in, a model folder in the Hugging Face layout comes out. Data is made on
//! the fly ([`examples`]) from real or self-made text; the gradient comes from hand-written passes ([`fused`]) whose
//! plain twin is candle's autograd ([`candle_twin`]). [`grpo`] trains a judge by reward, and [`align`] any model by a
//! judge's verdicts, through the same trainer.

pub mod adamw;
pub mod align;
pub mod bpe;
pub mod candle_twin;
pub mod checkpoint;
pub mod encode;
mod error;
pub mod examples;
mod folder;
pub mod fused;
pub mod grpo;
pub(crate) mod jsonl;
pub mod layout;
pub mod load;
pub mod lora;
pub mod pool;
pub mod recipe;
mod record;
pub mod replica;
pub mod sequence;
pub mod sft;
pub mod showing;
pub mod synth;
pub mod texts;
mod trainable;
pub mod watch;

pub use error::TrainError;
