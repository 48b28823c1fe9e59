//! What may be typed after `data build`, `data decontaminate` and `data agreement`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::ModelArgs;

pub(crate) const BUILD_HELP: &str = "\
Stages, each a file in the folder that can be looked at, and gone on with by calling again:
  sampled/*.jsonl    responses of the models given by --sample-from, some under a principle
  drafts.jsonl       principles x prompts x responses: items without gold
  verdicts/*.jsonl   records of each judge, as `judge --output` writes them
  consensus.jsonl    items with the exact Kemeny consensus as gold, and how many judges agree with it
  clean.jsonl, removed.jsonl   after the agreement filter and decontamination, and what was taken out and why
  items.jsonl        the balanced sample; build.md says how it went
  validation.html    a page for people to rate pairs on, without the network; validation.csv is the same as a table, and
                     validation-key.csv what the gold says of them

What was drafted and judged is never drafted or judged again; judges can be added, and the later stages are made anew
at each call, so --agree, --against and --keep can be changed.

Example:
  rewardanything data build --responses answers.jsonl.gz --principles novel --draft 1500 --keep 1000 \\
      --judge http://a:8000 --judge http://b:8000 --judge http://c:8000 --judge http://d:8000 \\
      --against rm-bench.jsonl --output rabench";

/// `data build`.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// Files of prompts, with responses or without (JSON Lines, plain or .gz)
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) responses: Vec<PathBuf>,
    /// A model that answers every prompt too; give one or several
    #[arg(long, value_name = "MODEL")]
    pub(crate) sample_from: Vec<String>,
    /// The share of sampled responses that are written under a principle
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = share)]
    pub(crate) steered: f64,
    /// The most prompts that are sampled for and drafted from, drawn by the seed
    #[arg(long, value_name = "N")]
    pub(crate) max_prompts: Option<usize>,
    /// Which principles of the library
    #[arg(long, value_enum, default_value_t = Principles::Train)]
    pub(crate) principles: Principles,
    /// Items to draft, before any is taken out
    #[arg(long, value_name = "N", default_value = "400")]
    pub(crate) draft: usize,
    /// Responses of every item
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u8).range(2..=16))]
    pub(crate) per_item: u8,
    /// Principles that a prompt is used with at most
    #[arg(long, value_name = "N", default_value = "4")]
    pub(crate) per_prompt: usize,
    /// A judge, as for --model; give several
    #[arg(long, value_name = "MODEL")]
    pub(crate) judge: Vec<String>,
    /// How many judges must agree with the consensus: three quarters of them, if it is not said
    #[arg(long, value_name = "N")]
    pub(crate) agree: Option<usize>,
    /// Benchmarks that must not be in the items: files of items or in a published layout
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) against: Vec<PathBuf>,
    /// Items to keep, as many of each category and domain as there are; all, if it is not said
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<usize>,
    /// Pairs for people to check
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) validate: usize,
    /// Stop after this stage
    #[arg(long, value_enum, default_value_t = Stage::Items)]
    pub(crate) until: Stage,
    /// Stop at the first bad line, instead of counting it
    #[arg(long)]
    pub(crate) strict: bool,
    /// The folder
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// A half of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Principles {
    /// The 150 for training
    Train,
    /// The 50 kept for evaluation
    Novel,
}

/// The stages at which a build can stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, ValueEnum)]
pub(crate) enum Stage {
    /// Responses are sampled
    Sampled,
    /// Items are drafted
    Drafts,
    /// Every judge has judged
    Verdicts,
    /// There is gold
    Consensus,
    /// All of it
    Items,
}

/// `data decontaminate`.
#[derive(Debug, Args)]
pub(crate) struct DecontaminateArgs {
    /// Items, or any lines with a prompt
    #[arg(value_name = "FILE")]
    pub(crate) items: PathBuf,
    /// Benchmarks: files of items or in a published layout
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) against: Vec<PathBuf>,
    /// Compare responses too, not prompts alone
    #[arg(long)]
    pub(crate) with_responses: bool,
    /// Jaccard similarity from which two texts are near-duplicates
    #[arg(long, value_name = "SHARE", default_value = "0.8", value_parser = share)]
    pub(crate) near: f64,
    /// Where the lines that stay go, or - for standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Where the lines that go are told, with the reason
    #[arg(long, value_name = "FILE")]
    pub(crate) removed: Option<PathBuf>,
    /// Stop at the first bad line, instead of counting it
    #[arg(long)]
    pub(crate) strict: bool,
}

pub(crate) const AGREEMENT_HELP: &str = "\
Each file of a rater is what the validation.html of `data build` gives to download, or its validation.csv with the column
`preferred` filled in: a, b, or tie where neither is better; empty where the rater does not know. The key is the
validation-key.csv beside it.

Example:
  rewardanything data agreement --key validation-key.csv ratings-anna.csv ratings-ben.json";

/// `data agreement`.
#[derive(Debug, Args)]
pub(crate) struct AgreementArgs {
    /// Files of raters, one for each
    #[arg(value_name = "RATINGS", required = true)]
    pub(crate) raters: Vec<PathBuf>,
    /// What the gold says
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        Ok(number) => Err(format!("must be from 0 to 1, not {number}")),
        Err(error) => Err(format!("{error}")),
    }
}
