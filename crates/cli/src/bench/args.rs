//! What may be typed after `bench` and `report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rewardanything_evals::benchmark::Benchmark;
use rewardanything_evals::layout::Layout;

use crate::args::ModelArgs;
use crate::value::Text;

pub(crate) const BENCH_HELP: &str = "\
Benchmarks: rabench, verifiable, rm-bench, judgebench, rewardbench, rewardbench2, and items for any file in the item
format. Data is read as it is published (JSON Lines, plain or .gz, or one JSON array) or as items; nothing is fetched.

A run is a folder: header.json (model, revision, template, settings, seed, versions, hash of the data), records.jsonl
(one record for each request) and the report as Markdown, JSON and HTML. A folder that exists is only gone on with,
by --resume or --retry-failed, and only where every setting is the same. An item without a verdict counts as wrong, and
is shown apart.

Examples:
  rewardanything bench verifiable --data items.jsonl --output runs/nano
  rewardanything bench rm-bench --data total_dataset.json --model Qwen/Qwen3-8B --output runs/rm
  rewardanything bench rm-bench --data total_dataset.json --principle-ablation --output runs/ablation
  rewardanything bench judgebench --data pairs.jsonl --baseline longest --output runs/longest
  rewardanything bench rm-bench --data total_dataset.json --model http://h:8000 --scalar classify --output runs/scalar
  rewardanything report runs/nano runs/longest --output runs/report

Exit codes: 0 all judged, 1 some failed or the budget ended, 2 the command could not be carried out.";

/// `bench`: a model on a benchmark.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Which benchmark
    #[arg(value_name = "BENCHMARK")]
    pub(crate) benchmark: Benchmark,
    /// Its data
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// The layout of the data. Without it, what its first line looks like
    #[arg(long, value_name = "items|rm-bench|judgebench|rewardbench|rewardbench2")]
    pub(crate) layout: Option<Layout>,
    /// The folder of the run
    #[arg(short, long, value_name = "RUN")]
    pub(crate) output: PathBuf,
    /// Go on with a run: finished requests, failed ones too, are not judged again
    #[arg(long)]
    pub(crate) resume: bool,
    /// Like --resume, but requests that failed are judged again
    #[arg(long)]
    pub(crate) retry_failed: bool,
    /// Stop at the first line that is no usable item, instead of counting it
    #[arg(long)]
    pub(crate) strict: bool,
    /// Judge by this principle in place of the one that ships for the benchmark, or of the items' own
    #[arg(short, long, value_name = "TEXT|@FILE")]
    pub(crate) principle: Option<Text>,
    /// Run three times: by the default principle, by none, and by --principle where it is given; and compare
    #[arg(long)]
    pub(crate) principle_ablation: bool,
    /// Judge every response alone, as scalar reward models do
    #[arg(long)]
    pub(crate) pointwise: bool,
    /// The model is a scalar reward model behind --model URL: every response is sent alone, and no principle. `classify`
    /// asks vLLM's /classify, `embeddings` the /v1/embeddings of SGLang
    #[arg(long, value_enum, conflicts_with_all = ["recorded", "baseline", "principle", "principle_ablation"])]
    pub(crate) scalar: Option<ScalarArg>,
    /// Make text of a conversation by this template (Jinja, or a tokenizer_config.json) before it is sent
    #[arg(long, value_name = "FILE", requires = "scalar")]
    pub(crate) chat_template: Option<PathBuf>,
    /// A judge that reads nothing, in place of a model
    #[arg(long, value_enum, conflicts_with_all = ["recorded", "pointwise"])]
    pub(crate) baseline: Option<Baseline>,
    /// Score the decisions that the data itself holds, as published outputs of JudgeBench do, in place of a model's
    #[arg(long, conflicts_with_all = ["pointwise", "principle", "principle_ablation"])]
    pub(crate) recorded: bool,
    /// How many items are judged at once; without it as for `judge`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) batch: Option<u16>,
    #[command(flatten)]
    pub(crate) budget: BudgetArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

impl BenchArgs {
    /// Whether responses are judged one at a time.
    pub(crate) fn alone(&self) -> bool {
        self.pointwise || self.scalar.is_some()
    }
}

/// How a scalar model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScalarArg {
    /// POST /classify
    Classify,
    /// POST /v1/embeddings
    Embeddings,
}

/// Where a run ends before its items do. What was judged until then stays, and --resume goes on.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Budget of this call")]
pub(crate) struct BudgetArgs {
    /// Judge at most so many items
    #[arg(long, value_name = "N")]
    pub(crate) max_items: Option<usize>,
    /// Stop once so many tokens were read and written
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// Stop once this was spent, by the prices below
    #[arg(long, value_name = "AMOUNT", requires_all = ["price_read", "price_written"])]
    pub(crate) max_cost: Option<f64>,
    /// Price of a million tokens read
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) price_read: Option<f64>,
    /// Price of a million tokens written
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) price_written: Option<f64>,
}

/// A judge that reads nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Baseline {
    /// The longer a response, the better
    Longest,
    /// The shorter a response, the better
    Shortest,
    /// By lot, from the seed and the item's id
    Random,
}

impl Baseline {
    /// The name that records bear.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Baseline::Longest => "baseline longest",
            Baseline::Shortest => "baseline shortest",
            Baseline::Random => "baseline random",
        }
    }
}

pub(crate) const REPORT_HELP: &str = "\
Figures are computed anew from the records and the data; no model is needed. With several runs, those of one benchmark
over the same data are compared with the first by paired bootstrap.

Example:
  rewardanything report runs/nano runs/longest runs/shortest --output runs/report";

/// `report`: what runs have shown.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Folders of runs
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// A folder for report.md, report.json and report.html. Without it one run's report goes into its own folder, and
    /// that of several is only printed
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) output: Option<PathBuf>,
    /// Where the data lies now, if it was moved; it must be the same to the byte
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// How many of the items that went most wrong are shown in full
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) worst: usize,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
