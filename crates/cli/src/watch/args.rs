//! The arguments of `train watch`.

use std::path::PathBuf;

use clap::Args;

pub(crate) const WATCH_HELP: &str = "\
A run is the output folder of its recipe. Every number of a line of metrics.jsonl is a curve, and samples.jsonl may
hold rollouts with their rewards. Nothing is written into a run but the page, and that only with --page.

Without --once or --json this goes on until every run has ended: on a terminal the view is drawn anew, elsewhere each
look that finds a new step prints a line. Ctrl-C stops the watching, never the training.

The page is one file that loads nothing. It can be opened while the run goes on, from a disk or copied elsewhere, and
shows itself anew as long as it is written anew. Curves of long runs are drawn in at most 600 points, each with the mean,
the least and the greatest number of the steps it stands for.

Each line of --json is one run: {\"run\", \"kind\", \"state\", \"done\", \"steps\", \"seconds_per_step\", \"seconds_left\",
\"quiet_seconds\", \"unreadable\", \"samples\", \"curves\": {NAME: {\"last\", \"last_step\", \"recent\", \"least\",
\"least_step\", \"most\", \"most_step\", \"count\"}}}; the state is waiting, running, silent, stopped or finished.

Examples:
  rewardanything train watch runs/nano-sft
  rewardanything train watch runs/nano-sft --page
  rewardanything train watch runs/grpl runs/ablation-* --page=compare.html
  rewardanything train watch runs/nano-sft --json | jq .curves.loss.recent";

/// `train watch`: how runs are doing.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The folders of the runs
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// Print the view once
    #[arg(long)]
    pub(crate) once: bool,
    /// Print one JSON object for each run, once
    #[arg(long, conflicts_with = "once")]
    pub(crate) json: bool,
    /// Write a page with all curves and samples, over the runs laid upon each other; without FILE it is watch.html in the
    /// first run's folder
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub(crate) page: Option<Option<PathBuf>>,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) every: u32,
    /// Show all curves, those about tokens and time too, however many lines it takes
    #[arg(long)]
    pub(crate) all: bool,
}

impl WatchArgs {
    /// Where the page goes, if there is to be one.
    pub(super) fn page_file(&self) -> Option<PathBuf> {
        self.page
            .clone()
            .map(|file| file.unwrap_or_else(|| self.runs[0].join("watch.html")))
    }
}
