//! Where cases come from and what replies to them earn.
//!
//! The trainer knows prompts of tokens and numbers that replies earn, no more. [`Judging`] is the environment of this
//! project; tests have others, whose best policy is known.

use super::cases::{self, Item};
use super::config::{CaseSource, GrplRecipe, LengthPenalty, MadeCases};
use super::mix;
use super::validation::{Validated, Validation};
use crate::TrainError;
use crate::examples::{Case, Maker};
use crate::pool::Pool;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rewardanything_core::reward::{Reward, RewardWeights, reward};
use rewardanything_core::{JudgeRequest, Mask, Message, Profile, ThinkingPolicy, messages, parse};
use rewardanything_engine::{Chat, LocalModel, Tokenizer};
use std::collections::BTreeMap;
use std::path::Path;

/// A prompt to reply to.
#[derive(Clone, Debug)]
pub struct Task<C> {
    /// What it is called in samples.
    pub id: String,
    /// What the policy reads.
    pub prompt: Vec<u32>,
    /// What grading needs.
    pub case: C,
}

/// A reply as grading sees it.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The tokens written, without the one that ended it.
    pub tokens: &'a [u32],
    /// The same as text.
    pub text: &'a str,
}

/// What a reply earns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grade {
    /// The reward.
    pub total: f64,
    /// Whether it keeps to the format in full.
    pub in_format: bool,
    /// Parts of the reward by name, for the metrics; the same names for every reply, except those that do not apply.
    pub parts: Vec<(&'static str, f64)>,
}

/// A case and all replies to it.
#[derive(Clone, Debug)]
pub struct Answered<'a, C> {
    /// The case.
    pub case: &'a C,
    /// The replies.
    pub replies: Vec<Reply<'a>>,
}

/// Why the replies to a case have no grades: such a group is counted, and teaches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ungraded {
    /// A short fixed name, for counts.
    pub kind: &'static str,
    /// What happened.
    pub message: String,
}

/// What the replies to a case earn, one grade each.
pub type Grades = Result<Vec<Grade>, Ungraded>;

/// Grades where every reply earns by itself.
pub fn each<C>(answered: &[Answered<'_, C>], grade: impl Fn(&C, &Reply<'_>) -> Grade) -> Vec<Grades> {
    answered
        .iter()
        .map(|group| {
            Ok(group
                .replies
                .iter()
                .map(|reply| grade(group.case, reply))
                .collect())
        })
        .collect()
}

/// Something about a step that somebody should look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Which number is beyond its bound, as in the metrics.
    pub name: &'static str,
    /// The number.
    pub value: f64,
    /// What it means, and what the bound is.
    pub message: String,
}

/// A step in the numbers that alarms go by.
#[derive(Clone, Debug, Default)]
pub struct Seen<'a> {
    /// Means of the parts of grades.
    pub parts: BTreeMap<&'static str, f64>,
    /// Mean divergence from the starting weights; `None` in a step without an update.
    pub kl: Option<f64>,
    /// Share of replies that the limit ended.
    pub truncated: f64,
    /// Share of groups without grades.
    pub ungraded: f64,
    /// The measurement after the step, where there was one.
    pub validated: Option<&'a Validated>,
}

/// Cases and rewards.
pub trait Environment {
    /// What kind of training this is, in the run's note.
    const KIND: &'static str = "grpl";

    /// What grading needs of a case.
    type Case;

    /// Case `index` of `step`, at `progress` in 0..1 of the training. The same arguments give the same case.
    ///
    /// # Errors
    /// A case that cannot be had.
    fn task(&self, step: usize, index: usize, progress: f64) -> Result<Task<Self::Case>, TrainError>;

    /// What the replies of `step` earn, group by group in their order; [`each`] where they do not depend on one another.
    ///
    /// # Errors
    /// What ends the run. A group that alone cannot be graded is [`Ungraded`].
    fn grades(&self, step: usize, answered: &[Answered<'_, Self::Case>]) -> Result<Vec<Grades>, TrainError>;

    /// How good the model is at what it is trained for; `None` where nothing measures it.
    ///
    /// # Errors
    /// A model that cannot be run.
    fn validate(&mut self, model: &LocalModel) -> Result<Option<Validated>, TrainError> {
        let _ = model;
        Ok(None)
    }

    /// What somebody should look at after a step.
    fn alarms(&self, seen: &Seen<'_>) -> Vec<Alarm> {
        let _ = seen;
        Vec::new()
    }
}

/// Judging by principles, rewarded against gold verdicts.
pub struct Judging {
    profile: Profile,
    chat: Chat,
    source: Source,
    seed: u64,
    /// Cases of the file that a step may use up.
    per_step: usize,
    weights: RewardWeights,
    length: Option<LengthPenalty>,
    longest: usize,
    validation: Option<Validation>,
}

enum Source {
    Items(Vec<Item>),
    Made { config: MadeCases, pool: Box<Pool> },
}

impl Judging {
    /// The environment of a recipe whose paths are relative to `base`, for a judge that is spoken to as `profile` says
    /// through `chat`.
    ///
    /// # Errors
    /// A file that is missing or malformed, or an item with more responses than the judge takes.
    pub fn new(recipe: &GrplRecipe, base: &Path, profile: Profile, chat: Chat) -> Result<Self, TrainError> {
        let source = match &recipe.cases {
            CaseSource::File(file) => Source::Items(items(&base.join(file), &profile)?),
            CaseSource::Made(made) => {
                let mut pool = Pool::read(&made.pool, base)?;
                pool.index_made_up(recipe.seed);
                Source::Made {
                    config: made.clone(),
                    pool: Box::new(pool),
                }
            }
        };
        let validation = recipe.validation.as_ref().map(|config| {
            let mut items = items(&base.join(&config.file), &profile)?;
            if config.items > 0 {
                items.truncate(config.items);
            }
            Ok::<_, TrainError>(Validation::new(items, profile.clone(), recipe.seed))
        });
        Ok(Self {
            profile,
            chat,
            source,
            seed: recipe.seed,
            per_step: recipe.rollout.most(),
            weights: recipe.reward.weights,
            length: recipe.reward.length,
            longest: recipe.rollout.max_new_tokens,
            validation: validation.transpose()?,
        })
    }

    /// How the judge is spoken to.
    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(super) fn weights(&self) -> &RewardWeights {
        &self.weights
    }

    pub(super) fn tokenizer(&self) -> &Tokenizer {
        self.chat.tokenizer()
    }

    /// A chat as tokens, up to where the judge is to write.
    pub(super) fn encode(&self, messages: &[Message]) -> Result<Vec<u32>, TrainError> {
        let thinking = self.profile.thinking != ThinkingPolicy::Off;
        Ok(self.chat.encode(messages, true, thinking)?)
    }

    /// A case and what it is called.
    pub(super) fn case(&self, step: usize, index: usize, progress: f64) -> (String, Case) {
        match &self.source {
            Source::Items(items) => {
                // Every time through the file in another order.
                let place = step * self.per_step + index;
                let (round, within) = (place / items.len(), place % items.len());
                let mut order: Vec<usize> = (0..items.len()).collect();
                order.shuffle(&mut ChaCha8Rng::seed_from_u64(mix(
                    self.seed,
                    &[0x0DE5, round as u64],
                )));
                let item = &items[order[within]];
                let mask = mix(self.seed, &[0x3A5C, step as u64, index as u64]);
                let case = Case {
                    request: item.request.clone(),
                    mask: Mask::seeded(item.request.responses().len(), mask),
                    gold: item.gold.clone(),
                    rule: None,
                };
                (item.id.clone(), case)
            }
            Source::Made { config, pool } => {
                let maker = Maker {
                    config: &config.examples,
                    pool,
                    profile: &self.profile,
                    seed: self.seed,
                };
                let mut case = maker.case(step, index, progress);
                if let Some(principle) = &config.principle {
                    case.request = under(principle, &case.request);
                }
                (format!("{step}-{index}"), case)
            }
        }
    }
}

/// A request under another principle.
fn under(principle: &str, request: &JudgeRequest) -> JudgeRequest {
    JudgeRequest::new(principle, request.prompt(), request.responses().to_vec())
        .expect("the recipe was checked to have a principle that is not empty. This is a bug.")
}

fn items(path: &Path, profile: &Profile) -> Result<Vec<Item>, TrainError> {
    let items = cases::read(path)?;
    let most = profile.max_responses;
    match items.iter().find(|item| item.request.responses().len() > most) {
        None => Ok(items),
        Some(item) => Err(TrainError::File {
            path: path.to_owned(),
            message: format!(
                "item {}: responses: the profile {} takes at most {most}, got {}",
                item.id,
                profile.name,
                item.request.responses().len()
            ),
        }),
    }
}

impl Environment for Judging {
    type Case = Case;

    fn task(&self, step: usize, index: usize, progress: f64) -> Result<Task<Case>, TrainError> {
        let (id, case) = self.case(step, index, progress);
        let prompt = self.encode(&messages(&self.profile, &case.request, &case.mask))?;
        Ok(Task { id, prompt, case })
    }

    fn grades(&self, _: usize, answered: &[Answered<'_, Case>]) -> Result<Vec<Grades>, TrainError> {
        Ok(each(answered, |case, reply| self.grade(case, reply)))
    }

    fn validate(&mut self, model: &LocalModel) -> Result<Option<Validated>, TrainError> {
        Ok(self.validation.as_ref().map(|validation| validation.of(model)))
    }
}

impl Judging {
    /// What a reply earns by its own verdict.
    pub(super) fn grade(&self, case: &Case, reply: &Reply<'_>) -> Grade {
        let of = reward(reply.text, &case.gold, &case.mask, &self.weights);
        let penalty = self
            .length
            .map_or(0.0, |l| l.of(reply.tokens.len(), self.longest));
        let mut parts = parts(&of);
        parts.push((
            "parsed",
            f64::from(u8::from(parse(reply.text, &case.mask).is_ok())),
        ));
        if self.length.is_some() {
            parts.push(("length_penalty", penalty));
        }
        Grade {
            total: of.total - penalty,
            in_format: of.format.total > 1.0 - 1e-9,
            parts,
        }
    }
}

fn parts(reward: &Reward) -> Vec<(&'static str, f64)> {
    let (format, accuracy) = (&reward.format, &reward.accuracy);
    let always = [
        ("format", format.total),
        ("format.thinking", format.thinking),
        ("format.substantial", format.substantial),
        ("format.json", format.json),
        ("format.keys", format.keys),
        ("format.coverage", format.coverage),
        ("format.consistency", format.consistency),
        ("accuracy", accuracy.total),
        ("accuracy.distribution", accuracy.distribution),
        ("accuracy.near", accuracy.near),
    ];
    let several = [
        ("accuracy.pairs", accuracy.pairs),
        ("accuracy.rank", accuracy.rank),
    ];
    let several = several
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    always.into_iter().chain(several).collect()
}
