//! `align`: a model, a judge, a principle and prompts become a model that keeps to the principle.

pub(crate) mod args;
mod best_of_n;
pub(crate) mod policy;
mod report;

use std::path::{Path, PathBuf, absolute};

use anyhow::{Context as _, Result, ensure};
use rewardanything_models::NANO;
use rewardanything_train::align::{self, AlignRecipe, Judges, Referee};
use rewardanything_train::grpo::trainer::Span;
use rewardanything_train::lora::LoraConfig;

use crate::Outcome;
use crate::align::args::{AlignArgs, AlignCommand, AlignRun, Method};
use crate::models::Speaker;
use crate::training::tell;

/// Runs `align`.
///
/// # Errors
/// Arguments, files or models are unusable, or the run fails; what was trained until the last checkpoint is kept.
pub(crate) fn run(args: &AlignArgs) -> Result<Outcome> {
    match &args.command {
        Some(AlignCommand::Report(report)) => report::run(report),
        None => align(&args.run),
    }
}

fn align(args: &AlignRun) -> Result<Outcome> {
    let (recipe, base) = recipe(args)?;
    ensure!(
        !recipe.policy.as_os_str().is_empty(),
        "--policy is missing: name the folder of the model to align"
    );
    ensure!(
        !recipe.principle.trim().is_empty(),
        "--principle is missing: say what replies are to keep to"
    );
    ensure!(
        !recipe.output.as_os_str().is_empty(),
        "--output is missing: name the folder to write into"
    );
    // What is wrong with a file costs no loading of a judge.
    if let Some(prompts) = &recipe.prompts {
        align::read_prompts(&base.join(prompts))?;
    }
    let own = |name: &str| {
        let beside = base.join(name);
        let is_path = args.config.is_some() && beside.exists();
        if is_path {
            beside.to_string_lossy().into_owned()
        } else {
            name.to_owned()
        }
    };
    let judge = match (&args.judge.judge, &recipe.judge) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) => own(name),
        (None, None) => NANO.to_owned(),
    };
    let second = match (&args.watch_judge, &recipe.watch.judge) {
        (Some(name), _) => Some(name.clone()),
        (None, Some(name)) => Some(own(name)),
        (None, None) => None,
    };
    let judge = policy::judge(
        &judge,
        args.judge.judge_profile.as_deref(),
        recipe.permutations,
        &args.judge,
    )?;
    let second = second
        .map(|name| policy::judge(&name, None, recipe.permutations, &args.judge))
        .transpose()
        .context("the second judge")?;
    if args.method == Some(Method::BestOfN) {
        return best_of_n::run(args, &recipe, &base, &judge);
    }
    let judges = Judges {
        judge: referee(&judge),
        second: second.as_ref().map(referee),
    };
    let span = Span {
        resume: args.resume,
        until: args.stop_after,
    };
    let finished = align::run(&recipe, &base, &judges, span)?;
    for speaker in [Some(&judge), second.as_ref()].into_iter().flatten() {
        speaker.report_notes();
    }
    tell(&finished, "the held-out prompts", |goodness| {
        format!("{goodness:.3}")
    });
    Ok(Outcome::Done)
}

fn referee(speaker: &Speaker) -> Referee {
    let setup = speaker.setup();
    Referee {
        model: setup.model,
        profile: setup.profile,
        repeats: setup.repeats,
    }
}

/// The settings of the file with the flags over them, and the folder that paths are relative to.
fn recipe(args: &AlignRun) -> Result<(AlignRecipe, PathBuf)> {
    let mut recipe = match &args.config {
        Some(path) => AlignRecipe::read(path)?,
        None => AlignRecipe::default(),
    };
    let base = args
        .config
        .as_deref()
        .and_then(Path::parent)
        .unwrap_or(Path::new(""));
    let here = |path: &Path| absolute(path).with_context(|| format!("cannot use {}", path.display()));
    if let Some(policy) = &args.policy {
        recipe.policy = if policy.contains("://") {
            policy.into()
        } else {
            here(Path::new(policy))?
        };
    }
    if let Some(principle) = &args.principle {
        recipe.principle = principle.read()?;
    }
    if let Some(prompts) = &args.prompts {
        recipe.prompts = Some(here(prompts)?);
    }
    if let Some(output) = &args.output {
        recipe.output = here(output)?;
    }
    if let Some(template) = &args.template {
        recipe.template = Some(template.read()?);
    }
    if let Some(reward) = args.reward {
        recipe.reward = reward.into();
    }
    recipe.run.steps = args.steps.unwrap_or(recipe.run.steps);
    recipe.rollout.group = args.group.unwrap_or(recipe.rollout.group);
    recipe.rollout.max_new_tokens = args.max_new_tokens.unwrap_or(recipe.rollout.max_new_tokens);
    recipe.loss.beta = args.beta.unwrap_or(recipe.loss.beta);
    recipe.optim.lr = args.lr.unwrap_or(recipe.optim.lr);
    match args.method {
        Some(Method::Dpo) => {
            recipe.dpo.get_or_insert_default();
        }
        Some(Method::Grpo) => recipe.dpo = None,
        Some(Method::BestOfN) | None => {}
    }
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    if args.judge.local.threads > 0 {
        recipe.run.threads = usize::from(args.judge.local.threads);
    }
    recipe.permutations = args.judge.permutations.unwrap_or(recipe.permutations);
    if let Some(rank) = args.lora {
        recipe.lora = Some(LoraConfig {
            rank,
            alpha: 2.0 * rank as f32,
            ..LoraConfig::default()
        });
    }
    recipe.watch.measures.extend(args.watch_measures.iter().cloned());
    if let Some(what) = &args.stop_by {
        recipe.held_out.stop_by.clone_from(what);
    }
    Ok((recipe, base.to_owned()))
}
