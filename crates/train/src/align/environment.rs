//! Prompts, verdicts as rewards, and what is watched: an environment of the trainer.

use super::Judges;
use super::config::{AlarmConfig, AlignRecipe, StopBy};
use super::guards;
use super::held_out::HeldOut;
use super::prompts::{Prompt, Split};
use super::referee::{Group, Scored};
use super::reward::Reward;
use super::sample::Writer;
use crate::checkpoint::write_atomically;
use crate::folder::file_error;
use crate::grpo::environment::{Answered, Environment, Grade, Grades, Task};
use crate::grpo::{Alarm, LengthPenalty, Seen, Validated, mix};
use crate::{TrainError, texts};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rewardanything_core::answer;
use rewardanything_engine::{Chat, LocalModel};
use rewardanything_principles::Quality;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Aligning a policy by a judge.
pub struct Aligning {
    prompts: Vec<Prompt>,
    held_out: HeldOut,
    chat: Chat,
    thinking: bool,
    principle: String,
    judges: Judges,
    reward: Reward,
    length: Option<LengthPenalty>,
    longest: usize,
    watched: Vec<Quality>,
    alarms: AlarmConfig,
    seed: u64,
    /// Prompts that a step may use up.
    per_step: usize,
    folder: PathBuf,
}

impl Aligning {
    /// The environment of a recipe, for a policy that reads through `chat` and writes into `folder`.
    pub(super) fn new(
        recipe: &AlignRecipe,
        (prompts, judges): (Split, Judges),
        chat: Chat,
        folder: &Path,
    ) -> Result<Self, TrainError> {
        let watched = recipe.watched()?;
        let by = (recipe.stop_by()?, watched_for(recipe)?);
        let asked = (recipe.principle.clone(), judges.clone());
        Ok(Self {
            prompts: prompts.train,
            held_out: HeldOut::new(prompts.held_out, asked, by, folder),
            chat,
            thinking: recipe.thinking,
            principle: recipe.principle.clone(),
            judges,
            reward: recipe.reward,
            length: recipe.length,
            longest: recipe.rollout.max_new_tokens,
            watched,
            alarms: recipe.alarms,
            seed: recipe.seed,
            per_step: recipe.rollout.most(),
            folder: folder.to_owned(),
        })
    }

    /// Says in the run's folder what is aligned to, or makes sure that a resumed run is aligned to the same.
    pub(super) fn claim(&self, resume: bool) -> Result<(), TrainError> {
        let path = self.folder.join("align.json");
        let own = json!({
            "principle": self.principle,
            "judge": self.judges.judge.model.name(),
            "second_judge": self.judges.second.as_ref().map(|second| second.model.name()),
            "reward": self.reward,
        });
        if resume {
            let error = |message: &str| file_error(&path, message);
            let text = std::fs::read_to_string(&path).map_err(|e| error(&e.to_string()))?;
            let found: serde_json::Value = serde_json::from_str(&text).map_err(|e| error(&e.to_string()))?;
            for key in ["principle", "judge", "reward"] {
                if found[key] != own[key] {
                    let message = format!("the run began with the {key} {}, not {}", found[key], own[key]);
                    return Err(error(&message));
                }
            }
            return Ok(());
        }
        write_atomically(&path, format!("{own:#}\n").as_bytes())
    }

    /// With the text whose loss is measured, where there is some.
    pub(super) fn with_texts(mut self, recipe: &AlignRecipe, base: &Path) -> Result<Self, TrainError> {
        if let Some(text) = &recipe.held_out.text {
            let mut pairs = texts::shuffled(texts::read(text, base)?, mix(self.seed, &[0x7E57]));
            pairs.truncate(recipe.held_out.pairs);
            self.held_out.texts = pairs;
        }
        Ok(self)
    }

    /// With the start's replies that an earlier part of the run left.
    pub(super) fn resumed(mut self) -> Result<Self, TrainError> {
        self.held_out.resume()?;
        Ok(self)
    }

    fn grade(&self, (text, tokens): (&str, usize), reward: f64, (score, soft): (f64, Option<f64>)) -> Grade {
        let mut parts = vec![("score", score)];
        parts.extend(soft.map(|soft| ("soft", soft)));
        parts.extend(guards::of_reply(text, &self.watched));
        let penalty = self.length.map(|length| length.of(tokens, self.longest));
        parts.extend(penalty.map(|penalty| ("length_penalty", penalty)));
        Grade {
            total: reward - penalty.unwrap_or(0.0),
            in_format: !text.is_empty(),
            parts,
        }
    }
}

/// What is counted on held-out prompts: what is watched, and what the run stops by.
fn watched_for(recipe: &AlignRecipe) -> Result<Vec<Quality>, TrainError> {
    let mut watched = recipe.watched()?;
    if let StopBy::Quality(_, quality) = recipe.stop_by()?
        && !watched.contains(&quality)
    {
        watched.push(quality);
    }
    Ok(watched)
}

impl Environment for Aligning {
    const KIND: &'static str = "align";

    type Case = usize;

    fn task(&self, step: usize, index: usize, _: f64) -> Result<Task<usize>, TrainError> {
        let place = step * self.per_step + index;
        let (round, within) = (place / self.prompts.len(), place % self.prompts.len());
        let mut order: Vec<usize> = (0..self.prompts.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(mix(
            self.seed,
            &[0xA119, round as u64],
        )));
        let prompt = &self.prompts[order[within]];
        Ok(Task {
            id: prompt.id.clone(),
            prompt: self.chat.encode(&prompt.messages, true, self.thinking)?,
            case: order[within],
        })
    }

    fn grades(&self, step: usize, answered: &[Answered<'_, usize>]) -> Result<Vec<Grades>, TrainError> {
        let groups: Vec<Group<'_>> = answered
            .iter()
            .map(|group| Group {
                prompt: &self.prompts[*group.case].text,
                replies: group.replies.iter().map(|reply| answer(reply.text)).collect(),
            })
            .collect();
        // Cases differ within a step, so that groups which are sampled later in it are shuffled in another way.
        let first = answered.first().map_or(0, |group| *group.case);
        let seed = mix(self.seed, &[0x07DE, step as u64, first as u64]);
        let judged = self.judges.judge.judge(&self.principle, &groups, seed);
        let grades = judged.into_iter().zip(groups.iter().zip(answered));
        Ok(grades
            .map(|(scored, (group, answered))| {
                let scored: Scored = scored?;
                let share = scored.tokens as f64 / group.replies.len().max(1) as f64;
                let rewards = self.reward.of(&scored).into_iter();
                let scores = scored.values.iter().copied().zip(scored.soft.iter().copied());
                Ok(rewards
                    .zip(scores)
                    .zip(group.replies.iter().zip(&answered.replies))
                    .map(|((reward, scores), (text, reply))| {
                        let mut grade = self.grade((text, reply.tokens.len()), reward, scores);
                        grade.parts.push(("judge_tokens", share));
                        grade
                    })
                    .collect())
            })
            .collect())
    }

    fn validate(&mut self, model: &LocalModel) -> Result<Option<Validated>, TrainError> {
        let writer = Writer {
            model,
            thinking: self.thinking,
            temperature: 1.0,
            max_new_tokens: self.longest,
            seed: mix(self.seed, &[0x4E1D]),
        };
        self.held_out.measure(&writer, model).map(Some)
    }

    fn alarms(&self, seen: &Seen<'_>) -> Vec<Alarm> {
        guards::alarms(&self.alarms, &self.held_out.start(), seen)
    }
}
