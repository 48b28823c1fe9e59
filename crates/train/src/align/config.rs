//! An alignment as data: what a TOML file or the flags of the command say.

use super::guards::quality;
use super::referee::Referee;
use super::reward::Reward;
use crate::TrainError;
use crate::adamw::Optim;
use crate::fused::Compute;
use crate::grpo::{
    CaseSource, DpoConfig, GrplRecipe, GrplRun, LengthPenalty, LossConfig, RewardConfig, RolloutConfig,
    Scale, Start, ValidationConfig,
};
use crate::lora::LoraConfig;
use crate::recipe::Backend;
use crate::texts::TextConfig;
use rewardanything_principles::{Direction, Quality};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything an alignment depends on, but for the judges.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlignRecipe {
    /// Seed of prompts, orders and samples.
    pub seed: u64,
    /// The model folder to start from; relative to the recipe's folder, as all paths are.
    pub policy: PathBuf,
    /// A text with `{prompt}` in it, in the place of the policy's chat template.
    pub template: Option<String>,
    /// Whether the policy may think before its reply, where its chat template knows the word.
    pub thinking: bool,
    /// What replies are to keep to.
    pub principle: String,
    /// The judge, as whoever runs this finds it by name.
    pub judge: Option<String>,
    /// In how many orders each group is shown; scores are the means.
    pub permutations: usize,
    /// A file of prompts; see [`read_prompts`](super::read_prompts).
    pub prompts: Option<PathBuf>,
    /// Prompts out of plain text, where there is no such file.
    pub text: Option<TextConfig>,
    /// Only so many prompts, drawn by the seed; 0 takes all.
    pub most_prompts: usize,
    /// Where the run writes.
    pub output: PathBuf,
    /// Which number of a verdict is the reward.
    pub reward: Reward,
    /// What long replies lose; nothing when absent.
    pub length: Option<LengthPenalty>,
    /// How replies are sampled.
    pub rollout: RolloutConfig,
    /// What the difference from a group's mean is divided by.
    pub advantage: Scale,
    /// Clipping, divergence, weights of tokens.
    pub loss: LossConfig,
    /// Learning from the best and the worst reply of each group, in the place of all of them.
    pub dpo: Option<DpoConfig>,
    /// Adapters to train in the place of all weights.
    pub lora: Option<LoraConfig>,
    /// The optimiser.
    pub optim: Optim,
    /// Steps, batches, checkpoints.
    pub run: GrplRun,
    /// Measuring on prompts that are not trained on.
    pub held_out: HeldOutConfig,
    /// What is reported and never optimised.
    pub watch: WatchConfig,
    /// Bounds beyond which a step raises an alarm.
    pub alarms: AlarmConfig,
}

impl Default for AlignRecipe {
    /// Eight replies to each of eight prompts, 100 steps, soft scores; no policy, principle, prompts and output.
    fn default() -> Self {
        Self {
            seed: 0,
            policy: PathBuf::new(),
            template: None,
            thinking: false,
            principle: String::new(),
            judge: None,
            permutations: 1,
            prompts: None,
            text: None,
            most_prompts: 0,
            output: PathBuf::new(),
            reward: Reward::default(),
            length: None,
            rollout: RolloutConfig {
                group: 8,
                cases: 8,
                max_cases: None,
                max_new_tokens: 128,
                max_prompt_tokens: None,
                engine_tokens: 65_536,
            },
            advantage: Scale::default(),
            loss: LossConfig {
                beta: 0.02,
                ..LossConfig::default()
            },
            dpo: None,
            lora: None,
            optim: Optim {
                lr: 2e-5,
                final_lr: 0.1,
                warmup: 5,
                weight_decay: 0.0,
                ..Optim::default()
            },
            run: GrplRun {
                steps: 100,
                epochs: 1,
                mini_batches: 1,
                accumulation: 1,
                checkpoint_every: 10,
                samples_every: 10,
                samples_cases: 2,
                threads: 0,
                backend: Backend::default(),
                compute: Compute::default(),
            },
            held_out: HeldOutConfig::default(),
            watch: WatchConfig::default(),
            alarms: AlarmConfig::default(),
        }
    }
}

/// Measuring on prompts that are not trained on: one reply of the model to each, beside that of the model it began as.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeldOutConfig {
    /// How many prompts are held out; at most a fifth of all.
    pub prompts: usize,
    /// Steps between measurements; the start is measured too.
    pub every: usize,
    /// Measurements in a row without a new best after which the run ends; 0 never ends it.
    pub patience: usize,
    /// What is to grow: `judge` or `watch-judge`, how often that judge prefers the model to its start; or `more` or
    /// `fewer` and a quality, such as `fewer words`.
    pub stop_by: String,
    /// Text whose loss is measured too: what the policy forgets. Nothing when absent.
    pub text: Option<TextConfig>,
    /// The most pairs of it.
    pub pairs: usize,
}

impl Default for HeldOutConfig {
    fn default() -> Self {
        Self {
            prompts: 32,
            every: 10,
            patience: 5,
            stop_by: "judge".to_owned(),
            text: None,
            pairs: 200,
        }
    }
}

/// What is reported and never optimised.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// Qualities that a program counts, by name.
    pub measures: Vec<String>,
    /// A second judge, found as the first.
    pub judge: Option<String>,
}

/// Bounds beyond which a step raises an alarm. The start is the model before its first step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlarmConfig {
    /// The least and the most of the mean number of words, over that of the start.
    pub length_ratio: (f64, f64),
    /// The most mean divergence from the start, in nats a token.
    pub kl: f64,
    /// How much the share of repeated runs of four words may rise.
    pub repetition_rise: f64,
    /// How much the share of refusals may rise.
    pub refusal_rise: f64,
    /// How much the share of replies that their limit ends may rise.
    pub truncated_rise: f64,
    /// The most groups without a verdict, as a share.
    pub ungraded: f64,
    /// How far the second judge's win rate may be below the judge's.
    pub disagreement: f64,
}

impl Default for AlarmConfig {
    fn default() -> Self {
        Self {
            length_ratio: (0.25, 4.0),
            kl: 0.5,
            repetition_rise: 0.1,
            refusal_rise: 0.1,
            truncated_rise: 0.3,
            ungraded: 0.1,
            disagreement: 0.2,
        }
    }
}

/// What has to grow for a run to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopBy {
    /// How often the judge prefers the model to its start.
    Judge,
    /// How often the second judge does.
    WatchJudge,
    /// A quality of the replies, or its negative.
    Quality(Direction, Quality),
}

impl AlignRecipe {
    /// Reads a file. What it does not say is as in the default.
    ///
    /// # Errors
    /// [`TrainError::File`], with the line and column that TOML refuses.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let error = |message: String| TrainError::File {
            path: path.to_owned(),
            message,
        };
        let text = std::fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
        toml::from_str(&text).map_err(|e| error(e.to_string()))
    }

    /// What has to grow for the run to go on.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] for anything else.
    pub fn stop_by(&self) -> Result<StopBy, TrainError> {
        let text = self.held_out.stop_by.trim();
        let of_quality = || {
            let (direction, name) = text.split_once(' ')?;
            let direction = Direction::ALL.into_iter().find(|one| one.id() == direction)?;
            Some(StopBy::Quality(direction, quality(name.trim())?))
        };
        match text {
            "judge" => Ok(StopBy::Judge),
            "watch-judge" => Ok(StopBy::WatchJudge),
            _ => of_quality().ok_or_else(|| TrainError::Recipe {
                field: "held_out.stop_by",
                message: format!(
                    "expected `judge`, `watch-judge`, or `more` or `fewer` and a quality such as `words`, got {text:?}"
                ),
            }),
        }
    }

    /// The qualities that are watched.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] for a name that nobody knows.
    pub fn watched(&self) -> Result<Vec<Quality>, TrainError> {
        let find = |name: &String| {
            quality(name).ok_or_else(|| TrainError::Recipe {
                field: "watch.measures",
                message: format!(
                    "no quality is called {name:?}: expected one such as `words`, `commas` or `long_words`"
                ),
            })
        };
        self.watch.measures.iter().map(find).collect()
    }

    pub(super) fn check(&self, judge: &Referee) -> Result<(), TrainError> {
        let refuse = |field, message: String| Err(TrainError::Recipe { field, message });
        if self.principle.trim().is_empty() {
            return refuse(
                "principle",
                "expected something to judge by, got nothing".to_owned(),
            );
        }
        if self.output.as_os_str().is_empty() {
            return refuse("output", "expected a folder to write into, got none".to_owned());
        }
        let (group, limit) = (self.rollout.group, judge.limit());
        if group > limit {
            let name = &judge.profile.name;
            return refuse(
                "rollout.group",
                format!("the judge's profile {name} takes at most {limit} responses at once, got {group}"),
            );
        }
        if self.held_out.prompts == 0 {
            return refuse("held_out.prompts", "expected at least 1, got 0".to_owned());
        }
        if self.held_out.every == 0 {
            return refuse("held_out.every", "expected at least 1, got 0".to_owned());
        }
        self.stop_by()?;
        self.watched()?;
        self.steps().check()
    }

    /// The recipe of the trainer's steps. Its cases and its rewards are the environment's.
    pub(super) fn steps(&self) -> GrplRecipe {
        GrplRecipe {
            steps: None,
            seed: self.seed,
            output: self.output.clone(),
            model: Start {
                from: self.policy.clone(),
                template: self.template.clone(),
            },
            profile: None,
            cases: CaseSource::File(self.prompts.clone().unwrap_or_default()),
            rollout: self.rollout.clone(),
            reward: RewardConfig {
                length: self.length,
                ..RewardConfig::default()
            },
            advantage: self.advantage,
            loss: self.loss,
            dpo: self.dpo,
            lora: self.lora.clone(),
            optim: self.optim.clone(),
            run: self.run.clone(),
            validation: Some(ValidationConfig {
                file: PathBuf::new(),
                items: self.held_out.prompts,
                every: self.held_out.every,
                patience: self.held_out.patience,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rewardanything_principles::Measure;

    #[test]
    fn what_has_to_grow_is_read() {
        let check = |text: &str, expect: Option<StopBy>| {
            let mut recipe = AlignRecipe::default();
            recipe.held_out.stop_by = text.to_owned();
            assert_eq!(recipe.stop_by().ok(), expect, "{text}");
        };
        check("judge", Some(StopBy::Judge));
        check("watch-judge", Some(StopBy::WatchJudge));
        let words = Quality::Of(Measure::Words);
        check("fewer words", Some(StopBy::Quality(Direction::Fewer, words)));
        check(
            "more emoji",
            Some(StopBy::Quality(Direction::More, Quality::Emoji)),
        );
        check("words", None);
        check("fewer wisdom", None);
    }
}
