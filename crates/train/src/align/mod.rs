//! Aligning a model with nothing but a principle: prompts go in, a judge says which of the model's own replies keep to
//! the principle best, and the model learns from it.
//!
//! A step samples a group of replies to each of some prompts and has every group judged in one call, listwise; what a
//! reply earns is its score ([`Reward`]), and [`crate::grpo`] does the rest: advantages within the group, the clipped
//! objective, the divergence from the starting model, adapters, checkpoints, exact resume. Replies are shuffled before
//! every call, and equal ones are shown once. A group without a verdict earns nothing and costs nothing: it is counted,
//! and others are sampled in its place where the recipe allows; a step in which no group has one ends the run.
//!
//! A judge can be deceived, so each step also says what the judge is not asked about ([`guards`]): length, repetition,
//! refusals, any countable quality, and on held-out prompts how often the model is preferred to its own beginning, by the
//! judge and by a second one that nothing is ever trained on.

mod compare;
mod config;
mod environment;
pub mod guards;
mod held_out;
mod pairs;
mod prompts;
mod referee;
mod reward;
mod sample;

pub use compare::{Compared, Comparison, Figure, compare};
pub use config::{AlarmConfig, AlignRecipe, HeldOutConfig, StopBy, WatchConfig};
pub use environment::Aligning;
pub use held_out::text_loss;
pub use pairs::{Preference, Preferred, prefer};
pub use prompts::{Prompt, read as read_prompts};
pub use referee::{Group, Referee, Scored};
pub use reward::Reward;
pub use sample::{Sampled, Writer};

use crate::TrainError;
use crate::folder::file_error;
use crate::grpo::trainer::{Finished, Span, run_in};
use std::path::Path;

/// The judge whose scores are rewards, and one whose verdicts are only reported.
#[derive(Clone, Debug)]
pub struct Judges {
    /// Whose scores are rewards.
    pub judge: Referee,
    /// Who watches.
    pub second: Option<Referee>,
}

/// Aligns as the recipe says, whose paths are relative to `base`.
///
/// # Errors
/// [`TrainError`]; what was trained until the last checkpoint is kept. A run that is resumed under another principle or
/// judge than it began with is refused.
pub fn run(recipe: &AlignRecipe, base: &Path, judges: &Judges, span: Span) -> Result<Finished, TrainError> {
    recipe.check(&judges.judge)?;
    let prompts = prompts::of(recipe, base)?;
    let steps = recipe.steps();
    let folder = base.join(&recipe.output);
    if !base.join(&recipe.policy).join("config.json").is_file() {
        return Err(file_error(
            &base.join(&recipe.policy),
            "is no model: expected a folder that holds config.json, tokenizer.json and model.safetensors",
        ));
    }
    run_in(&steps, base, span, |_, chat| {
        let environment = Aligning::new(recipe, (prompts, judges.clone()), chat, &folder)?;
        environment.claim(span.resume)?;
        let environment = environment.with_texts(recipe, base)?;
        if span.resume {
            environment.resumed()
        } else {
            Ok(environment)
        }
    })
}
