//! A run of group relative preference learning as a TOML file.

use super::advantage::Scale;
use super::loss::LossConfig;
use super::preference::DpoConfig;
use crate::TrainError;
use crate::adamw::Optim;
use crate::examples::ExampleConfig;
use crate::fused::Compute;
use crate::lora::LoraConfig;
use crate::pool::PoolConfig;
use crate::recipe::Backend;
use rewardanything_core::Profile;
use rewardanything_core::reward::RewardWeights;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything a run depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrplRecipe {
    /// Seed of cases, orders and samples.
    pub seed: u64,
    /// Where the run writes; relative to the recipe's folder, as all paths are.
    pub output: PathBuf,
    /// What it starts from.
    pub model: Start,
    /// How the judge is spoken to; absent, as the model's own `judge.toml` says.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// What is judged.
    pub cases: CaseSource,
    /// The steps of a judge that reads apart, one to a case, in the place of whole judgements in one reply.
    #[serde(default)]
    pub steps: Option<StepsConfig>,
    /// How replies are sampled.
    pub rollout: RolloutConfig,
    /// What replies earn.
    #[serde(default)]
    pub reward: RewardConfig,
    /// What the difference from a group's mean is divided by.
    #[serde(default)]
    pub advantage: Scale,
    /// Clipping, divergence, weights of tokens.
    #[serde(default)]
    pub loss: LossConfig,
    /// Learning from the best and the worst reply of each group, in the place of all of them; clip, divergence and weights
    /// of tokens then mean nothing.
    #[serde(default)]
    pub dpo: Option<DpoConfig>,
    /// Adapters to train in the place of all weights.
    #[serde(default)]
    pub lora: Option<LoraConfig>,
    /// The optimiser; `lr` is that of an update, of which a step may have several.
    pub optim: Optim,
    /// Steps, batches, checkpoints.
    pub run: GrplRun,
    /// Measuring on items that are not trained on.
    #[serde(default)]
    pub validation: Option<ValidationConfig>,
}

/// What a run starts from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// A model folder in the Hugging Face layout. Its weights are also the reference that the divergence is from.
    pub from: PathBuf,
    /// A text with `{prompt}` in it that prompts are put into, in the place of the model's chat template. A model without
    /// one reads the prompt and a line break after it where nothing is said.
    #[serde(default)]
    pub template: Option<String>,
}

/// Where cases come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum CaseSource {
    /// A JSON Lines file of `{"id", "principle", "prompt", "responses", "gold": {"scores", "ranking"}}`.
    File(PathBuf),
    /// Made on the fly, as for supervised training.
    Made(MadeCases),
}

/// Cases that are made on the fly.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MadeCases {
    /// Real text to make them of.
    pub pool: PoolConfig,
    /// The mix; of each stage only the judge examples count.
    pub examples: ExampleConfig,
    /// What stands in the place of every principle: what a judge learns that is not told any.
    pub principle: Option<String>,
}

/// Training a judge that reads apart step by step, as it judges.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepsConfig {
    /// Share of the cases that ask for the conclusion from right notes; the rest ask what the principle asks for.
    pub conclude: f64,
}

/// How replies are sampled: at temperature 1 from the whole distribution, held to no form, so that log-probabilities
/// are the policy's own and the format has to be earned.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutConfig {
    /// G: replies to each case.
    pub group: usize,
    /// Cases of a step, not counting those whose replies all earn the same.
    pub cases: usize,
    /// The most cases that a step samples for; as many as `cases` when absent, so that nothing is sampled again.
    #[serde(default)]
    pub max_cases: Option<usize>,
    /// Longest reply in tokens.
    pub max_new_tokens: usize,
    /// Longest prompt in tokens; cases with a longer one are left out and counted. Absent, what the context leaves.
    #[serde(default)]
    pub max_prompt_tokens: Option<usize>,
    /// Bound on the tokens of all replies that are sampled at the same time.
    #[serde(default = "default_engine_tokens")]
    pub engine_tokens: usize,
}

fn default_engine_tokens() -> usize {
    65_536
}

impl RolloutConfig {
    /// The most cases that a step samples for.
    pub fn most(&self) -> usize {
        self.max_cases.unwrap_or(self.cases)
    }
}

/// What replies earn.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RewardConfig {
    /// λ_f, λ_a, and the four metrics of the accuracy.
    pub weights: RewardWeights,
    /// What long replies lose; nothing when absent.
    pub length: Option<LengthPenalty>,
}

/// A penalty that grows evenly from 0 at `from` tokens to `weight` at the longest reply.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LengthPenalty {
    /// What the longest reply loses.
    pub weight: f64,
    /// Tokens that cost nothing.
    pub from: usize,
}

impl LengthPenalty {
    /// What a reply of `tokens` loses where `longest` is the limit.
    ///
    /// ```
    /// use rewardanything_train::grpo::LengthPenalty;
    ///
    /// let penalty = LengthPenalty { weight: 0.2, from: 100 };
    /// assert_eq!([50, 100, 150, 200].map(|n| penalty.of(n, 200)), [0.0, 0.0, 0.1, 0.2]);
    /// ```
    pub fn of(&self, tokens: usize, longest: usize) -> f64 {
        let over = tokens.saturating_sub(self.from) as f64;
        self.weight * (over / longest.saturating_sub(self.from).max(1) as f64).min(1.0)
    }
}

/// Steps, batches, checkpoints.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrplRun {
    /// Steps; each samples anew.
    pub steps: usize,
    /// Times that a step's replies are gone through.
    #[serde(default = "one")]
    pub epochs: usize,
    /// Updates of each time, over equal shares of the replies.
    #[serde(default = "one")]
    pub mini_batches: usize,
    /// Parts that the gradient of an update is summed from. It changes nothing but memory and the last bits.
    #[serde(default = "one")]
    pub accumulation: usize,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Steps between those whose replies are kept in `samples.jsonl`; 0 keeps none.
    #[serde(default)]
    pub samples_every: usize,
    /// Cases of such a step whose replies are kept.
    #[serde(default = "two")]
    pub samples_cases: usize,
    /// Threads; 0 takes all processors. The sum of gradients depends on it in the last bits.
    #[serde(default)]
    pub threads: usize,
    /// Which code computes the gradient.
    #[serde(default)]
    pub backend: Backend,
    /// In which numbers the fused code multiplies.
    #[serde(default)]
    pub compute: Compute,
}

fn one() -> usize {
    1
}

fn two() -> usize {
    2
}

/// Measuring on items that are not trained on, judged as `judge` judges them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationConfig {
    /// Items with gold, in the format of [`CaseSource::File`].
    pub file: PathBuf,
    /// Only the first so many; 0 takes all.
    #[serde(default)]
    pub items: usize,
    /// Steps between measurements; the start is measured too.
    pub every: usize,
    /// Measurements in a row without a new best after which the run ends; 0 never ends it.
    #[serde(default)]
    pub patience: usize,
}

impl GrplRecipe {
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

    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let (run, rollout) = (&self.run, &self.rollout);
        for (field, value, least) in [
            ("run.steps", run.steps, 1),
            ("run.epochs", run.epochs, 1),
            ("run.mini_batches", run.mini_batches, 1),
            ("run.accumulation", run.accumulation, 1),
            ("run.checkpoint_every", run.checkpoint_every, 1),
            ("rollout.group", rollout.group, 2),
            ("rollout.cases", rollout.cases, 1),
            ("rollout.max_cases", rollout.most(), rollout.cases),
            ("rollout.max_new_tokens", rollout.max_new_tokens, 1),
            ("rollout.engine_tokens", rollout.engine_tokens, 1),
            (
                "validation.every",
                self.validation.as_ref().map_or(1, |v| v.every),
                1,
            ),
        ] {
            if value < least {
                return refuse(field, format!("expected at least {least}, got {value}"));
            }
        }
        let replies = rollout.cases * if self.dpo.is_some() { 2 } else { rollout.group };
        if run.mini_batches * run.accumulation > replies {
            let message = format!(
                "{} times run.accumulation of {} are more parts than the {replies} replies of a step",
                run.mini_batches, run.accumulation
            );
            return refuse("run.mini_batches", message);
        }
        let (loss, weights) = (&self.loss, &self.reward.weights);
        let metrics = &weights.metrics;
        for (field, value, most) in [
            ("loss.clip_low", loss.clip_low, 1.0),
            ("loss.clip_high", loss.clip_high, f64::MAX),
            ("loss.beta", loss.beta, f64::MAX),
            ("reward.weights.format", weights.format, f64::MAX),
            ("reward.weights.accuracy", weights.accuracy, f64::MAX),
            ("reward.weights.metrics.pairs", metrics.pairs, f64::MAX),
            (
                "reward.weights.metrics.distribution",
                metrics.distribution,
                f64::MAX,
            ),
            ("reward.weights.metrics.near", metrics.near, f64::MAX),
            ("reward.weights.metrics.rank", metrics.rank, f64::MAX),
            (
                "reward.length.weight",
                self.reward.length.map_or(0.0, |l| l.weight),
                f64::MAX,
            ),
            (
                "steps.conclude",
                self.steps.map_or(0.0, |steps| steps.conclude),
                1.0,
            ),
            ("dpo.beta", self.dpo.map_or(0.0, |dpo| dpo.beta), f64::MAX),
            ("optim.lr", self.optim.lr, f64::MAX),
        ] {
            if !(0.0..=most).contains(&value) {
                let range = if most == 1.0 { "0 to 1" } else { "0 or more" };
                return refuse(field, format!("expected {range}, got {value}"));
            }
        }
        if self.dpo.is_some_and(|dpo| dpo.beta <= 0.0) {
            return refuse(
                "dpo.beta",
                "expected more than 0, at which nothing is learned".to_owned(),
            );
        }
        if weights.format + weights.accuracy <= 0.0 {
            return refuse("reward.weights", "expected one above 0, got only 0".to_owned());
        }
        if let Some(length) = self.reward.length
            && length.from >= rollout.max_new_tokens
        {
            let message = format!(
                "expected less than rollout.max_new_tokens, {}, got {}",
                rollout.max_new_tokens, length.from
            );
            return refuse("reward.length.from", message);
        }
        if self.steps.is_some_and(|steps| steps.conclude > 0.0) && matches!(self.cases, CaseSource::File(_)) {
            let message =
                "expected 0 with cases from a file, of which nobody knows the right notes".to_owned();
            return refuse("steps.conclude", message);
        }
        match &self.cases {
            CaseSource::Made(made) if made.examples.stages.is_empty() => refuse(
                "cases.made.examples.stages",
                "expected at least one stage, got none".to_owned(),
            ),
            CaseSource::Made(made) if made.principle.as_ref().is_some_and(|p| p.trim().is_empty()) => refuse(
                "cases.made.principle",
                "expected a principle, got an empty one".to_owned(),
            ),
            _ => Ok(()),
        }
    }
}

fn refuse(field: &'static str, message: String) -> Result<(), TrainError> {
    Err(TrainError::Recipe { field, message })
}
