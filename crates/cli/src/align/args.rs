//! What may be typed after `align`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use rewardanything_train::align::Reward;

use crate::args::{LocalArgs, ServerArgs, positive};
use crate::value::Text;

pub(crate) const ALIGN_HELP: &str = "\
A step samples a group of replies of the policy to each of some prompts, has every group judged in one call, and makes
those replies likelier that the judge prefers. Prompts are JSON Lines of {\"prompt\": TEXT or MESSAGES}, or one a line in a
.txt file. They are rendered by the policy's own chat template; a plain language model, which has none, reads the prompt
and a line break, or what --template says.

The output folder holds the aligned model, its checkpoint, the model that was best on held-out prompts (best/),
metrics.jsonl with one line a step, samples.jsonl, and what the policy said to the held-out prompts before (start.jsonl).
`train watch` shows it. Groups without a verdict are counted and teach nothing.

With --method dpo the policy learns from the best and the worst of each group alone.
With --method best-of-n nothing is trained: the best reply to each prompt goes to kept.jsonl, and best and worst of each
group to pairs.jsonl, in TRL's layout, for training elsewhere.

Examples:
  rewardanything align --policy ./policy --judge nano --principle 'The fewer words, the better.' \\
      --prompts prompts.jsonl --output runs/shorter --watch-measure words
  rewardanything align --config recipes/align/case.toml --principle 'The fewer words, the better.' --output runs/fewer-words
  rewardanything align --method best-of-n --policy http://localhost:8000 --judge nano --principle @principle.txt \\
      --prompts prompts.jsonl --output runs/pairs
  rewardanything align report --before ./policy --after runs/shorter --judge nano \\
      --principle 'The fewer words, the better.' --prompts held-out.jsonl --measure words";

/// `align` and what stands beside it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AlignArgs {
    #[command(subcommand)]
    pub(crate) command: Option<AlignCommand>,
    #[command(flatten)]
    pub(crate) run: AlignRun,
}

/// Beside aligning itself.
#[derive(Debug, Subcommand)]
pub(crate) enum AlignCommand {
    /// Compare two models on the same prompts: what the judge prefers, and what a program counts
    Report(Box<ReportArgs>),
}

/// An alignment. Flags come before the file.
#[derive(Debug, Args)]
pub(crate) struct AlignRun {
    /// Settings in a file (TOML); paths in it are relative to its own folder
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The model to align: a folder in the Hugging Face layout; with --method best-of-n also a URL
    #[arg(long, value_name = "FOLDER|URL")]
    pub(crate) policy: Option<String>,
    /// What the policy's replies are to keep to, in plain language
    #[arg(short, long, value_name = "TEXT|@FILE")]
    pub(crate) principle: Option<Text>,
    /// The prompts
    #[arg(long, value_name = "FILE")]
    pub(crate) prompts: Option<PathBuf>,
    /// Where the run writes
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) output: Option<PathBuf>,
    /// How the policy becomes better. Without it, as the file says, else grpo
    #[arg(long, value_enum)]
    pub(crate) method: Option<Method>,
    /// A text with {prompt} in it that prompts are put into, in the place of the policy's chat template
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(crate) template: Option<Text>,
    /// Which number of a verdict is the reward: the `scores`, the judge's `soft` scores, the `rank`, or the `z-score` of
    /// the soft scores within the group. Without it, soft
    #[arg(long, value_enum)]
    pub(crate) reward: Option<RewardArg>,
    /// Steps in all. Without it 100
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) steps: Option<usize>,
    /// Replies to each prompt, at most as many as the judge takes at once. Without it 8
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) group: Option<usize>,
    /// Longest reply in tokens. Without it 128
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) max_new_tokens: Option<usize>,
    /// Train adapters of this rank over fixed weights, in the place of all weights
    #[arg(long, value_name = "RANK", value_parser = positive)]
    pub(crate) lora: Option<usize>,
    /// Weight of the divergence from the starting model. Without it 0.02
    #[arg(long, value_name = "BETA")]
    pub(crate) beta: Option<f64>,
    /// The learning rate at its highest. Without it 0.00002
    #[arg(long, value_name = "RATE")]
    pub(crate) lr: Option<f64>,
    /// Seed of prompts, orders and samples
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// A quality that a program counts, such as `words`, to report and never to optimise; may be given several times
    #[arg(long = "watch-measure", value_name = "QUALITY")]
    pub(crate) watch_measures: Vec<String>,
    /// A second judge, whose verdicts on held-out prompts are reported and never optimised
    #[arg(long, value_name = "JUDGE")]
    pub(crate) watch_judge: Option<String>,
    /// What has to grow on held-out prompts for the run to go on: `judge`, `watch-judge`, or `more` or `fewer` and a
    /// quality, such as 'fewer words'. Without it, judge
    #[arg(long, value_name = "WHAT")]
    pub(crate) stop_by: Option<String>,
    /// Go on from the last checkpoint in the output folder
    #[arg(long)]
    pub(crate) resume: bool,
    /// Stop with a checkpoint once so many steps are done in all; schedules stay those of the whole run
    #[arg(long, value_name = "STEPS")]
    pub(crate) stop_after: Option<usize>,
    /// With --method best-of-n, write pairs of plain texts in the place of messages
    #[arg(long)]
    pub(crate) plain_pairs: bool,
    /// With --method best-of-n, write the pairs to pairs.parquet too
    #[arg(long)]
    pub(crate) parquet: bool,
    #[command(flatten)]
    pub(crate) judge: JudgeChoice,
}

/// Which judge.
#[derive(Debug, Args)]
#[command(next_help_heading = "Judge")]
pub(crate) struct JudgeChoice {
    /// The judge, as `judge --model` takes it. Without it, nano
    #[arg(short, long, value_name = "nano|FOLDER|FILE.gguf|URL|ID")]
    pub(crate) judge: Option<String>,
    /// How the judge is spoken to, as `judge --profile` takes it
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) judge_profile: Option<String>,
    /// In how many orders each group is shown; scores are the means. Without it 1
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) permutations: Option<usize>,
    #[command(flatten)]
    pub(crate) local: LocalArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// How a policy becomes better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// Group relative policy optimisation
    Grpo,
    /// Direct preference optimisation on the best and the worst of its own replies
    Dpo,
    /// Nothing is trained: sample, and keep the best
    BestOfN,
}

/// Which number of a verdict is the reward.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RewardArg {
    Scores,
    Soft,
    Rank,
    ZScore,
}

impl From<RewardArg> for Reward {
    fn from(reward: RewardArg) -> Self {
        match reward {
            RewardArg::Scores => Self::Scores,
            RewardArg::Soft => Self::Soft,
            RewardArg::Rank => Self::Rank,
            RewardArg::ZScore => Self::ZScore,
        }
    }
}

/// `align report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The one model: a folder, a GGUF file, or the URL of an OpenAI-compatible server
    #[arg(long, value_name = "MODEL|URL")]
    pub(crate) before: String,
    /// The other model
    #[arg(long, value_name = "MODEL|URL")]
    pub(crate) after: String,
    /// The prompts: JSON Lines or a .txt file as for `align`, or a .csv with a column `prompt`. Where there is a `label` of
    /// `safe` or `unsafe`, as in XSTest, needless refusals and unsafe answers are counted
    #[arg(long, value_name = "FILE", required_unless_present = "text")]
    pub(crate) prompts: Option<PathBuf>,
    /// Text in a file (TOML, as `[text]` of a recipe) whose prompts are taken where there is no file of them, and whose loss
    /// is measured for models on this machine
    #[arg(long, value_name = "FILE")]
    pub(crate) text: Option<PathBuf>,
    /// Only so many prompts; 0 takes all
    #[arg(long, value_name = "N", default_value = "200")]
    pub(crate) most: usize,
    /// The principle that the judge prefers by; without it, nothing is judged
    #[arg(short, long, value_name = "TEXT|@FILE")]
    pub(crate) principle: Option<Text>,
    /// A quality that a program counts, such as `words`; may be given several times
    #[arg(long = "measure", value_name = "QUALITY")]
    pub(crate) measures: Vec<String>,
    /// A text with {prompt} in it that prompts are put into, for models without a chat template
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(crate) template: Option<Text>,
    /// Longest reply in tokens
    #[arg(long, value_name = "N", default_value = "128", value_parser = positive)]
    pub(crate) max_new_tokens: usize,
    /// 0 takes the likeliest token
    #[arg(long, value_name = "T", default_value = "1")]
    pub(crate) temperature: f64,
    /// Seed of samples and orders
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) seed: u64,
    /// How many prompts are shown with both replies
    #[arg(long, value_name = "N", default_value = "3")]
    pub(crate) samples: usize,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) judge: JudgeChoice,
}
