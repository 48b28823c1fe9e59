//! A training run as a TOML file.

use crate::TrainError;
use crate::adamw::Optim;
use crate::examples::{ExampleConfig, ShownConfig};
use crate::fused::Compute;
use crate::lora::LoraConfig;
use crate::pool::PoolConfig;
use crate::texts::TextConfig;
use rewardanything_core::Profile;
use rewardanything_engine::Config;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything a supervised run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Seed of the weights, the data and the order.
    pub seed: u64,
    /// Where the run writes; relative to the recipe's folder.
    pub output: PathBuf,
    /// Where the weights come from.
    pub model: ModelSource,
    /// How the judge is spoken to; written beside the weights as `judge.toml`, unless they are trained on plain text.
    #[serde(default = "Profile::rewardanything")]
    pub profile: Profile,
    /// Real text to train on.
    #[serde(default)]
    pub pool: PoolConfig,
    /// The curriculum.
    #[serde(default)]
    pub examples: ExampleConfig,
    /// Items with gold that are shown too.
    #[serde(default)]
    pub items: ShownConfig,
    /// Plain text, in the place of everything else: what comes out is a language model, and no judge.
    #[serde(default)]
    pub text: Option<TextConfig>,
    /// The optimiser.
    #[serde(default)]
    pub optim: Optim,
    /// Adapters to train in the place of all weights.
    #[serde(default)]
    pub lora: Option<LoraConfig>,
    /// Length, batches, checkpoints.
    pub run: Run,
}

/// From scratch, or from a model folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum ModelSource {
    /// Fresh weights of this shape, and a fresh tokenizer of `vocab_size` tokens.
    Scratch(Box<Config>),
    /// Weights, configuration and tokenizer of a folder in the Hugging Face layout.
    From(PathBuf),
}

/// Which code computes the gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// Hand-written passes on the CPU.
    #[default]
    Fused,
    /// candle's autograd: the slow twin.
    Candle,
}

/// Where candle computes the gradient. The fused passes know the CPU alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceChoice {
    /// This machine's processors, in `f32`.
    #[default]
    Cpu,
    /// The first NVIDIA device; only in a build with the feature `cuda`. With `compute = "native"` products are bf16,
    /// with `"exact"` all is `f32`.
    Cuda,
}

/// Length, batches, checkpoints.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Optimiser steps.
    pub steps: usize,
    /// Tokens of one step, at least; the last example may exceed it.
    pub batch_tokens: usize,
    /// Longest example in tokens; longer ones are left out and counted.
    pub max_tokens: usize,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Weight of predicting the prompt, against 1 for the reply.
    #[serde(default)]
    pub context_weight: f32,
    /// Weight of the reply's tokens that carry a decision (quality, levels, scores), against 1 for its other tokens. The
    /// rest of a reply is form, learned within minutes.
    #[serde(default = "one")]
    pub decision_weight: f32,
    /// Share of prompt tokens that are predicted at all; their weight is raised to make up for it.
    #[serde(default = "one")]
    pub context_share: f32,
    /// Threads; 0 takes all processors. The sum of gradients depends on it in the last bits.
    #[serde(default)]
    pub threads: usize,
    /// Which code computes the gradient.
    #[serde(default)]
    pub backend: Backend,
    /// In which numbers the fused code multiplies: `native` or `exact`. A run that is resumed on a processor without
    /// bf16 goes on in `exact`.
    #[serde(default)]
    pub compute: Compute,
    /// Where candle computes; `cuda` needs `backend = "candle"`.
    #[serde(default)]
    pub device: DeviceChoice,
}

fn one() -> f32 {
    1.0
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// [`TrainError::File`] for what TOML refuses, with line and column; [`TrainError::Recipe`] for impossible values.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let error = |message: String| TrainError::File {
            path: path.to_owned(),
            message,
        };
        let text = std::fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
        let recipe: Self = toml::from_str(&text).map_err(|e| error(e.to_string()))?;
        recipe.check()?;
        Ok(recipe)
    }

    fn check(&self) -> Result<(), TrainError> {
        let refuse = |field, message: String| Err(TrainError::Recipe { field, message });
        if self.run.steps == 0 {
            return refuse("run.steps", "expected at least 1, got 0".into());
        }
        if self.run.batch_tokens < 2 {
            return refuse(
                "run.batch_tokens",
                format!("expected at least 2, got {}", self.run.batch_tokens),
            );
        }
        if self.run.checkpoint_every == 0 {
            return refuse("run.checkpoint_every", "expected at least 1, got 0".into());
        }
        if self.run.device == DeviceChoice::Cuda && self.run.backend != Backend::Candle {
            return refuse(
                "run.device",
                "the fused passes know the CPU alone; \"cuda\" needs run.backend = \"candle\"".into(),
            );
        }
        if !(0.0..=1.0).contains(&self.run.context_share) || self.run.context_weight < 0.0 {
            return refuse(
                "run.context_share",
                "expected a share in 0..=1 and a weight of at least 0".into(),
            );
        }
        if self.text.is_none() && self.examples.stages.is_empty() {
            return refuse("examples.stages", "expected at least one stage, got none".into());
        }
        // Plain text is in the place of stages.
        let stages = self.examples.stages.iter().filter(|_| self.text.is_none());
        for (at, stage) in stages.enumerate() {
            let (least, most) = stage.responses;
            if least == 0 || least > most || most > self.profile.max_responses {
                let limit = self.profile.max_responses;
                let got =
                    format!("stage {at}: expected 1 <= least <= most <= {limit}, got {least} and {most}");
                return refuse("examples.stages.responses", got);
            }
            let shares = [stage.measure, stage.name, stage.count, stage.decide];
            let sum: f64 = shares.iter().sum();
            if shares.iter().any(|share| *share < 0.0) || sum > 1.0 + 1e-9 {
                let got = format!(
                    "stage {at}: expected measure, name, count and decide of at least 0 that sum up to at most 1, got {shares:?}"
                );
                return refuse("examples.stages", got);
            }
            let (fewest, most) = stage.qualities;
            if fewest == 0 || fewest > most {
                let got = format!("stage {at}: expected 1 <= least <= most, got {fewest} and {most}");
                return refuse("examples.stages.qualities", got);
            }
            if stage.max_words.is_empty() || stage.prompt_words.is_empty() {
                let got = format!("stage {at}: expected lengths in max_words and prompt_words, got none");
                return refuse("examples.stages", got);
            }
            if stage
                .max_words
                .iter()
                .chain(&stage.prompt_words)
                .any(|words| *words == 0)
            {
                let got = format!("stage {at}: expected lengths of at least 1 word, got 0");
                return refuse("examples.stages", got);
            }
        }
        Ok(())
    }
}
