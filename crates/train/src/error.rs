//! What can go wrong in training.

use std::path::PathBuf;

/// Why a training run did not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        message: String,
    },
    /// The recipe asks for something impossible.
    #[error("recipe: {field}: {message}")]
    Recipe {
        /// The field, as written in the file.
        field: &'static str,
        /// What was expected and what came.
        message: String,
    },
    /// The tokenizer could not be trained or used.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The loss is no number any more.
    #[error("step {step}: the loss is {loss}; lower optim.lr or raise optim.warmup, then resume")]
    Diverged {
        /// The step.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// A judge that rewards depend on gives none.
    #[error(
        "step {step}: the judge gave no verdict on any of {groups} groups of replies; the last: {message}"
    )]
    NoVerdict {
        /// The step.
        step: usize,
        /// Groups that were to be judged.
        groups: usize,
        /// What became of the last.
        message: String,
    },
    /// The engine refused a model.
    #[error(transparent)]
    Engine(#[from] rewardanything_engine::EngineError),
    /// candle failed.
    #[error("candle: {0}")]
    Candle(#[from] candle_core::Error),
}
