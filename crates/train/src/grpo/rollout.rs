//! Replies from the engine, in groups.

use super::advantage::{advantages, is_flat};
use super::config::{GrplRecipe, RolloutConfig};
use super::environment::{Answered, Environment, Grade, Grades, Reply, Task, Ungraded};
use super::mix;
use crate::TrainError;
use crate::checkpoint::exported;
use crate::layout::Layout;
use rewardanything_core::{FinishReason, Sampling};
use rewardanything_engine::{
    BackendOptions, LoadOptions, LocalModel, ModelFiles, Numerics, TokenJob, TokenReply, Weights,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Bytes of keys and values of prompts that the replies of a group share.
const PREFIX_BYTES: usize = 512 << 20;
/// Prompts in a row that may be too long before a run gives up.
const TOO_LONG: usize = 1000;

/// A reply and what it earned.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// The tokens drawn, that which ended it included.
    pub tokens: Vec<u32>,
    /// The log-probability of each, as the engine had it.
    pub sampled: Vec<f32>,
    /// The reply as text.
    pub text: String,
    /// Whether the limit ended it.
    pub truncated: bool,
    /// What it earned.
    pub grade: Grade,
}

/// The replies to one case.
#[derive(Clone, Debug)]
pub struct Group<C> {
    /// The case.
    pub task: Task<C>,
    /// The replies.
    pub rollouts: Vec<Rollout>,
    /// The advantage of each; empty for a flat group, in which nobody is better than anybody.
    pub advantages: Vec<f64>,
}

impl<C> Group<C> {
    /// Whether all replies earned the same.
    pub fn is_flat(&self) -> bool {
        self.advantages.is_empty()
    }
}

/// What a step sampled.
#[derive(Debug)]
pub struct Sampled<C> {
    /// All groups, flat ones too, in the order of sampling.
    pub groups: Vec<Group<C>>,
    /// Cases that were left out for the length of their prompt.
    pub too_long: usize,
    /// Groups without grades, by what kept them from having some; they are not among `groups`.
    pub ungraded: BTreeMap<&'static str, usize>,
    /// Seconds that the environment took to grade.
    pub graded_seconds: f64,
}

/// A group, or why it has no grades.
type Graded<C> = Result<Group<C>, Ungraded>;

/// Groups that were graded together.
struct Round<C> {
    groups: Vec<Graded<C>>,
    /// What grading them took.
    seconds: f64,
}

/// Makes engines of weights in memory: as a folder of the same weights would be loaded, without the folder.
pub(super) struct Publisher {
    files: ModelFiles<'static>,
    options: LoadOptions,
}

impl Publisher {
    /// For the model whose files, but for the weights, lie in `folder`. Prompts are rendered by `template` where there is
    /// one, in the place of the model's own.
    pub(super) fn new(
        folder: &Path,
        template: Option<&str>,
        threads: usize,
        rollout: &RolloutConfig,
    ) -> Result<Self, TrainError> {
        let mut files = ModelFiles::from_folder(folder)?;
        if let Some(template) = template {
            files.settings.chat_template = Some(template.to_owned());
        }
        Ok(Self {
            files,
            options: LoadOptions {
                backend: BackendOptions::Kernels {
                    numerics: Numerics::Native,
                    threads,
                    prefix_cache_bytes: PREFIX_BYTES,
                },
                max_batch_tokens: rollout.engine_tokens,
            },
        })
    }

    /// An engine that runs `params`, in bf16 as an exported model would.
    pub(super) fn publish(&self, layout: &Layout, params: &[f32]) -> Result<LocalModel, TrainError> {
        let bytes = exported(layout, params).map_err(|e| candle_core::Error::Msg(e.to_string()))?;
        let files = ModelFiles {
            name: self.files.name.clone(),
            config: self.files.config.clone(),
            tokenizer: self.files.tokenizer.clone(),
            settings: self.files.settings.clone(),
            stop: self.files.stop.clone(),
            weights: Weights::from_bytes(&bytes)?,
            profile: self.files.profile.clone(),
        };
        Ok(LocalModel::load(files, &self.options)?)
    }
}

/// Samples the cases of one step.
pub(super) struct Sampler<'a, E> {
    pub(super) recipe: &'a GrplRecipe,
    pub(super) environment: &'a E,
    pub(super) model: &'a LocalModel,
}

impl<E: Environment> Sampler<'_, E> {
    /// Groups until as many as the recipe asks for are not flat, or as many cases as it allows were tried.
    ///
    /// # Errors
    /// A case that cannot be had, a failure of the engine, or no case whose prompt is short enough.
    pub(super) fn step(&self, step: usize) -> Result<Sampled<E::Case>, TrainError> {
        let rollout = &self.recipe.rollout;
        let context = self.model.config().max_position_embeddings;
        let limit = rollout
            .max_prompt_tokens
            .unwrap_or(context.saturating_sub(rollout.max_new_tokens));
        let progress = step as f64 / self.recipe.run.steps as f64;
        let (mut groups, mut too_long, mut index) = (Vec::new(), 0, 0);
        let (mut ungraded, mut failed, mut last) = (BTreeMap::new(), 0, None);
        let mut graded_seconds = 0.0;
        loop {
            let good = groups.iter().filter(|g: &&Group<E::Case>| !g.is_flat()).count();
            let missing = (rollout.cases - good).min(rollout.most() - groups.len() - failed);
            if missing == 0 {
                if let (Some(message), true) = (last, groups.is_empty()) {
                    return Err(TrainError::NoVerdict {
                        step,
                        groups: failed,
                        message,
                    });
                }
                return Ok(Sampled {
                    groups,
                    too_long,
                    ungraded,
                    graded_seconds,
                });
            }
            let mut tasks = Vec::with_capacity(missing);
            while tasks.len() < missing {
                let task = self.environment.task(step, index, progress)?;
                index += 1;
                if task.prompt.len() <= limit {
                    tasks.push((index - 1, task));
                    continue;
                }
                too_long += 1;
                if too_long >= TOO_LONG {
                    return Err(TrainError::Recipe {
                        field: "rollout.max_prompt_tokens",
                        message: format!("{TOO_LONG} prompts of a step are longer than {limit} tokens"),
                    });
                }
            }
            let round = self.round(step, tasks)?;
            graded_seconds += round.seconds;
            for group in round.groups {
                match group {
                    Ok(group) => groups.push(group),
                    Err(why) => {
                        failed += 1;
                        *ungraded.entry(why.kind).or_insert(0) += 1;
                        last = Some(why.message);
                    }
                }
            }
        }
    }

    fn round(&self, step: usize, tasks: Vec<(usize, Task<E::Case>)>) -> Result<Round<E::Case>, TrainError> {
        let size = self.recipe.rollout.group;
        let jobs: Vec<TokenJob> = tasks
            .iter()
            .flat_map(|(index, task)| (0..size).map(move |reply| (*index, reply, &task.prompt)))
            .map(|(index, reply, prompt)| TokenJob {
                prompt: prompt.clone(),
                sampling: Sampling {
                    temperature: 1.0,
                    top_p: 1.0,
                    top_k: 0,
                    seed: mix(
                        self.recipe.seed,
                        &[0x5A3B, step as u64, index as u64, reply as u64],
                    ),
                    max_new_tokens: self.recipe.rollout.max_new_tokens,
                },
                log_probabilities: true,
                guide: None,
            })
            .collect();
        let replies = self.model.generate_tokens(&jobs);
        let drawn = replies
            .into_iter()
            .map(|reply| self.drawn(reply?))
            .collect::<Result<Vec<Drawn>, TrainError>>()?;
        let answered: Vec<Answered<'_, E::Case>> = tasks
            .iter()
            .zip(drawn.chunks(size))
            .map(|((_, task), drawn)| Answered {
                case: &task.case,
                replies: drawn.iter().map(Drawn::seen).collect(),
            })
            .collect();
        let started = Instant::now();
        let grades = self.environment.grades(step, &answered)?;
        let seconds = started.elapsed().as_secs_f64();
        let mut drawn = drawn.into_iter();
        let groups = tasks
            .into_iter()
            .zip(grades)
            .map(|((_, task), grades)| {
                let drawn: Vec<Drawn> = drawn.by_ref().take(size).collect();
                self.group(task, drawn, grades)
            })
            .collect();
        Ok(Round { groups, seconds })
    }

    fn group(&self, task: Task<E::Case>, drawn: Vec<Drawn>, grades: Grades) -> Graded<E::Case> {
        let rollouts: Vec<Rollout> = drawn
            .into_iter()
            .zip(grades?)
            .map(|(drawn, grade)| drawn.graded(grade))
            .collect();
        let rewards: Vec<f64> = rollouts.iter().map(|r| r.grade.total).collect();
        let advantages = if is_flat(&rewards) {
            Vec::new()
        } else {
            advantages(&rewards, self.recipe.advantage)
        };
        Ok(Group {
            task,
            rollouts,
            advantages,
        })
    }

    fn drawn(&self, reply: TokenReply) -> Result<Drawn, TrainError> {
        Ok(Drawn {
            text: self.model.chat().decode(&reply.tokens)?,
            truncated: reply.finish() == FinishReason::Length,
            tokens: reply.tokens,
            stop: reply.stop,
            sampled: reply.log_probabilities,
        })
    }
}

/// A reply that has no grade yet.
struct Drawn {
    tokens: Vec<u32>,
    stop: Option<u32>,
    sampled: Vec<f32>,
    text: String,
    truncated: bool,
}

impl Drawn {
    fn seen(&self) -> Reply<'_> {
        Reply {
            tokens: &self.tokens,
            text: &self.text,
        }
    }

    fn graded(mut self, grade: Grade) -> Rollout {
        self.tokens.extend(self.stop);
        Rollout {
            tokens: self.tokens,
            sampled: self.sampled,
            text: self.text,
            truncated: self.truncated,
            grade,
        }
    }
}
