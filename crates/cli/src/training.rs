//! `train`: recipes become runs.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use rewardanything_train::grpo::Finished;

use crate::Outcome;
use crate::watch;
use crate::watch::args::{WATCH_HELP, WatchArgs};

/// `train` and what it does.
#[derive(Debug, Subcommand)]
pub(crate) enum TrainCommand {
    /// Train a judge by showing right verdicts
    #[command(after_help = SFT_HELP)]
    Sft(RunArgs),
    /// Train a judge by rewarding its own verdicts (group relative preference learning)
    #[command(after_help = GRPL_HELP)]
    Grpl(RunArgs),
    /// See how runs are doing, while they go on or afterwards
    #[command(after_help = WATCH_HELP)]
    Watch(WatchArgs),
}

/// A run.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The recipe (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Go on from the last checkpoint in the recipe's output folder
    #[arg(long)]
    resume: bool,
    /// Stop with a checkpoint once so many steps are done in all; schedules stay those of the whole run
    #[arg(long, value_name = "STEPS")]
    stop_after: Option<usize>,
}

const SFT_HELP: &str = "\
The output folder holds a model that `judge --model` takes, its checkpoint, and metrics.jsonl with one line a step.

Example:
  rewardanything train sft --config recipes/nano/sft.toml";

const GRPL_HELP: &str = "\
Each step samples several replies to every case from the model itself, rewards them against the gold verdict, and
makes those likelier that earned more than the others to the same case.

The recipe names a model folder to start from and a file of items with gold, as `data verifiable` writes them, or
how to make cases on the fly. Paths in it are relative to its own folder.

The output folder holds a model that `judge --model` takes, its checkpoint, the model that was best on the
validation items (best/), metrics.jsonl with one line a step, and samples.jsonl with some of the replies.

Examples:
  rewardanything data verifiable --responses answers.jsonl.gz --phrasings train --output items.jsonl
  rewardanything train grpl --config recipes/nano/grpl.toml";

/// Runs `train`.
///
/// # Errors
/// The recipe, a file or the run itself; what was trained until the last checkpoint is kept.
pub(crate) fn run(command: &TrainCommand) -> Result<Outcome> {
    match command {
        TrainCommand::Sft(args) => sft(args),
        TrainCommand::Grpl(args) => grpl(args),
        TrainCommand::Watch(args) => watch::run(args),
    }
}

fn sft(args: &RunArgs) -> Result<Outcome> {
    let finished = rewardanything_train::sft::run_until(&args.config, args.resume, args.stop_after)?;
    eprintln!(
        "{} steps, last loss {:.4}: {}",
        finished.steps,
        finished.loss,
        finished.folder.display()
    );
    Ok(Outcome::Done)
}

fn grpl(args: &RunArgs) -> Result<Outcome> {
    let finished = rewardanything_train::grpo::run_until(&args.config, args.resume, args.stop_after)?;
    tell(&finished, "the validation items", |accuracy| {
        format!("pairwise accuracy {:.1}%", 100.0 * accuracy)
    });
    Ok(Outcome::Done)
}

/// Says what a run by reward came to. What it was measured on is called `measured_on`, and `best` says how good the best
/// model was.
pub(crate) fn tell(finished: &Finished, measured_on: &str, best: impl FnOnce(f64) -> String) {
    let folder = finished.folder.display();
    if finished.reward.is_nan() {
        eprintln!("{} steps were done already: {folder}", finished.steps);
    } else {
        eprintln!(
            "{} steps, last reward {:.4}: {folder}",
            finished.steps, finished.reward
        );
    }
    if let Some((step, goodness)) = finished.best {
        eprintln!(
            "best on {measured_on} after {step} steps, {}: {}",
            best(goodness),
            finished.folder.join("best").display()
        );
    }
    if finished.stopped_early {
        eprintln!("ended early: nothing grew on {measured_on} any more");
    }
    let mut told: Vec<&str> = Vec::new();
    for (step, alarm) in finished.alarms.iter().rev() {
        if !told.contains(&alarm.name) {
            told.push(alarm.name);
            let others = finished.alarms.iter();
            let count = others.filter(|(_, other)| other.name == alarm.name).count();
            eprintln!(
                "alarm {} in {count} steps, last at step {step}: {}",
                alarm.name, alarm.message
            );
        }
    }
}
