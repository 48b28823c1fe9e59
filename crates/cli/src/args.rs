//! The command line: what may be typed, and what each word means.
//!
//! Nothing here does work; the modules named after the commands do.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rewardanything_evals::layout::Layout;
use rewardanything_remote::{ApiKey, ModelId};

use crate::align::args::{ALIGN_HELP, AlignArgs};
use crate::bench::args::{BENCH_HELP, BenchArgs, REPORT_HELP, ReportArgs};
use crate::best_of::{BEST_OF_HELP, BestOfArgs};
use crate::build::args::{AGREEMENT_HELP, AgreementArgs, BUILD_HELP, BuildArgs, DecontaminateArgs};
use crate::principle::args::PrincipleCommand;
use crate::serve::args::{SERVE_HELP, ServeArgs, UI_HELP, UiArgs};
use crate::training::TrainCommand;
use crate::value::{NamedText, Text, counts};

/// A principle goes in as plain language, a verdict comes out as data.
#[derive(Debug, Parser)]
#[command(name = "rewardanything", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  rewardanything judge --principle 'The shorter the answer, the better.' --prompt 'What is Rust?' \\
      --response a='A programming language.' --response b=@long-answer.txt
  rewardanything judge --input items.jsonl --output verdicts.jsonl
  rewardanything principle list --category style

Exit codes: 0 everything was judged; 1 something could not be judged; 2 the command could not be carried out.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Judge responses under a principle: one request, or a file of them
    #[command(after_help = JUDGE_HELP)]
    Judge(Box<JudgeArgs>),
    /// Judge for many callers, over HTTP
    #[command(after_help = SERVE_HELP)]
    Serve(Box<ServeArgs>),
    /// Judge in a browser: open the page of a server of your own
    #[command(after_help = UI_HELP)]
    Ui(Box<UiArgs>),
    /// Look at the library of principles, find faults in one, or see what another changes
    #[command(subcommand)]
    Principle(PrincipleCommand),
    /// Build data sets
    #[command(subcommand)]
    Data(DataCommand),
    /// Compare verdicts with gold scores
    #[command(after_help = SCORE_HELP)]
    Score(ScoreArgs),
    /// Measure a judge on a benchmark, as a run that can be gone on with and repeated
    #[command(after_help = BENCH_HELP)]
    Bench(Box<BenchArgs>),
    /// Show what runs of `bench` have measured, one or several side by side
    #[command(after_help = REPORT_HELP)]
    Report(ReportArgs),
    /// Train a judge
    #[command(subcommand)]
    Train(TrainCommand),
    /// Align a model with a principle
    #[command(after_help = ALIGN_HELP)]
    Align(Box<AlignArgs>),
    /// The best of several replies of a policy, by a principle
    #[command(after_help = BEST_OF_HELP)]
    BestOf(Box<BestOfArgs>),
    /// Look at a model
    #[command(subcommand)]
    Model(ModelCommand),
    /// Say what this machine offers, and what is wrong with it
    #[command(after_help = DOCTOR_HELP)]
    Doctor {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print completions for a shell
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one for each command
    Man {
        /// The folder they go into; pages that are there are written over
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

const DOCTOR_HELP: &str = "\
Nothing is changed and nothing is sent. Keys are said to be there or not, and never shown.

Exit codes: 0 all is well, 1 something is wrong.";

const COMPLETIONS_HELP: &str = "\
Examples:
  rewardanything completions bash > ~/.local/share/bash-completion/completions/rewardanything
  rewardanything completions fish > ~/.config/fish/completions/rewardanything.fish";

const JUDGE_HELP: &str = "\
Texts:
  PRINCIPLE, PROMPT and the TEXT of a response are taken as typed; @FILE reads a file, and a text that
  itself begins with @ is typed with @@.

Files:
  Each line of the input is {\"id\": …, \"principle\": …, \"prompt\": …, \"responses\": {NAME: TEXT, …}}; the
  prompt may also be a list of messages {\"role\", \"content\"}; other keys are ignored, blank lines skipped. Each line of the output is {\"id\", \"scores\", \"ranking\", \"reasoning\",
  \"error\", \"repairs\", \"model\", \"usage\", \"seconds\"}, in the order of the input. An item that fails has its
  line too, with an error {\"kind\", \"message\"}; a line that names no id of its own has the id null.
  Where a request is judged more than once (--permutations, --samples), \"votes\" says how many runs there were,
  how far they agree, and how many of them give the winner the highest score.
  A hyphen stands for standard input and standard output.

  Every line is on disk when the next batch begins, so a run can be stopped at any time and taken up again
  with --resume. An output that exists is never overwritten.

Examples:
  rewardanything judge --principle @principle.txt --prompt @prompt.txt --response a=@a.txt --response b=@b.txt
  rewardanything judge --input items.jsonl --output verdicts.jsonl --resume
  rewardanything judge --input items.jsonl --output verdicts.jsonl --retry-failed
  cat items.jsonl | rewardanything judge --input - --output - | jq .scores

Exit codes: 0 all judged, 1 some failed, 2 the command could not be carried out.";

/// `judge`: one request on the command line, or a file of items.
#[derive(Debug, Args)]
pub(crate) struct JudgeArgs {
    /// The principle to judge by, in plain language
    #[arg(short, long, value_name = "TEXT|@FILE", required_unless_present = "input")]
    pub(crate) principle: Option<Text>,
    /// What the responses answer
    #[arg(
        short = 'q',
        long,
        value_name = "TEXT|@FILE",
        required_unless_present = "input"
    )]
    pub(crate) prompt: Option<Text>,
    /// A response and the name it goes by; give one for each response
    #[arg(
        short,
        long = "response",
        value_name = "NAME=TEXT|@FILE",
        required_unless_present = "input"
    )]
    pub(crate) responses: Vec<NamedText>,
    /// Print the record of the verdict, as in the output of a file run, instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// JSON Lines to judge, or - for standard input
    #[arg(short, long, value_name = "FILE", requires = "output",
        conflicts_with_all = ["principle", "prompt", "responses", "json"])]
    pub(crate) input: Option<PathBuf>,
    /// Where the records go, or - for standard output
    #[arg(short, long, value_name = "FILE", requires = "input")]
    pub(crate) output: Option<PathBuf>,
    /// Go on with an output that an earlier run began: finished items, failed ones too, are not judged again
    #[arg(long, requires = "input")]
    pub(crate) resume: bool,
    /// Like --resume, but items that failed are judged again
    #[arg(long, requires = "input")]
    pub(crate) retry_failed: bool,
    /// Stop at the first line that is no usable item, instead of recording that it failed
    #[arg(long, requires = "input")]
    pub(crate) strict: bool,
    /// How many items are judged at once; without it 8, for a judge that takes them in steps, as nano does, 64, and four
    /// times --concurrency where the judge is a server
    #[arg(long, value_name = "N", requires = "input", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) batch: Option<u16>,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// Which judge, and how it is spoken to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Judge")]
pub(crate) struct ModelArgs {
    /// `nano`, the model inside this program; a folder in the Hugging Face layout; a GGUF file; the URL of an
    /// OpenAI-compatible server, or several with commas between; or the id of a model that `model pull` has fetched
    #[arg(
        short,
        long,
        value_name = "nano|FOLDER|FILE.gguf|URL|ID",
        env = "REWARDANYTHING_MODEL",
        default_value = "nano"
    )]
    pub(crate) model: String,
    /// How the judge is spoken to: `rewardanything`, `published`, or a TOML file. Without it, the model's own
    /// judge.toml, else `rewardanything`
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) profile: Option<String>,
    /// A file whose text replaces the profile's system message; the profile `published` needs it
    #[arg(long, value_name = "FILE")]
    pub(crate) system_prompt_file: Option<PathBuf>,
    /// Seed of the order in which responses are shown, and of sampling
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// In how many orders each request is shown, `all` for one of each response first; scores are the means.
    /// Orders are rotations of one shuffle, at most as many as there are responses
    #[arg(long, value_name = "N|all", default_value = "1", value_parser = permutations)]
    pub(crate) permutations: usize,
    /// How many replies to each order; scores are the means. More than one needs a --temperature above 0
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) samples: u16,
    /// 0 takes the likeliest token at each step. Without it, as the profile says
    #[arg(long, value_name = "T", value_parser = temperature)]
    pub(crate) temperature: Option<f64>,
    /// The most tokens a reply may have
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) max_new_tokens: Option<usize>,
    /// `on`: the model thinks before its verdict; `off`: it scores at once. Without it, as the profile says
    #[arg(long, value_name = "on|off")]
    pub(crate) thinking: Option<Thinking>,
    /// `constrained`: every reply takes the form of a verdict; `branches`: so it does, without thinking, and every
    /// score is read apart from the others, all at once; `free`: the model writes what it will. Without it, as the
    /// profile says
    #[arg(long, value_name = "constrained|branches|free")]
    pub(crate) decoding: Option<DecodingArg>,
    /// The most tokens of thinking before it is closed and the verdict begins; of each step, where a judge takes several.
    /// Without it, as the profile says
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) thinking_tokens: Option<u32>,
    /// Refuse a judge whose verdicts may depend on what is judged beside them. Those on this machine's processors never
    /// do, to the last bit: not on the batch, nor on what was read before
    #[arg(long)]
    pub(crate) deterministic: bool,
    #[command(flatten)]
    pub(crate) local: LocalArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

impl ModelArgs {
    /// No model yet, and nothing asked of it.
    pub(crate) fn plain(local: &LocalArgs, server: &ServerArgs) -> Self {
        Self {
            model: String::new(),
            profile: None,
            system_prompt_file: None,
            seed: None,
            permutations: 1,
            samples: 1,
            temperature: None,
            max_new_tokens: None,
            thinking: None,
            decoding: None,
            thinking_tokens: None,
            deterministic: false,
            local: local.clone(),
            server: server.clone(),
        }
    }
}

/// How a judge on this machine computes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Judges on this machine")]
pub(crate) struct LocalArgs {
    /// What computes: the processors, or the first NVIDIA device, which only a build with the feature `cuda` knows; there
    /// products are bf16, or 32-bit with --exact, and the other settings below do not count
    #[arg(long, value_name = "cpu|cuda", default_value = "cpu")]
    pub(crate) device: DeviceArg,
    /// Multiply in 32-bit numbers, as the reference does. Without it, weights of 16 bits and fewer are multiplied as
    /// bf16 where the processor has instructions for it, which is several times as fast
    #[arg(long)]
    pub(crate) exact: bool,
    /// Threads that compute; 0 means one for each processor
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) threads: u16,
    /// Memory for the beginnings of prompts that later prompts may share, in MiB
    #[arg(long, value_name = "MIB", default_value = "256")]
    pub(crate) prefix_cache: u32,
}

/// How a judge behind a URL is asked.
///
/// Keys come from the environment: REWARDANYTHING_API_KEY, else OPENAI_API_KEY for api.openai.com alone.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Judges behind a URL (with a key: REWARDANYTHING_API_KEY)")]
pub(crate) struct ServerArgs {
    /// The model to ask the server for. Without it, the only one that it serves
    #[arg(long, value_name = "NAME")]
    pub(crate) served_model: Option<String>,
    /// The most requests at a time, over all servers
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) concurrency: u16,
    /// How many seconds a request may take, repetitions included
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout: u32,
    /// The most requests in any minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) requests_per_minute: Option<u64>,
    /// The most tokens in any minute, read and written
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tokens_per_minute: Option<u64>,
    /// A key that a file of settings gave; it comes before those of the environment.
    #[arg(skip)]
    pub(crate) key: Option<ApiKey>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceArg {
    #[default]
    Cpu,
    Cuda,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Thinking {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DecodingArg {
    Constrained,
    Branches,
    Free,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Bring a published data set into the item format
    #[command(after_help = IMPORT_HELP)]
    Import(ExchangeArgs),
    /// Write items in a published layout
    Export(ExchangeArgs),
    /// Build items whose gold is the consensus of several judges
    #[command(after_help = BUILD_HELP)]
    Build(Box<BuildArgs>),
    /// Take out items whose texts stand in benchmarks
    Decontaminate(DecontaminateArgs),
    /// How far people agree with the gold, and with one another
    #[command(after_help = AGREEMENT_HELP)]
    Agreement(AgreementArgs),
    /// Build items whose gold verdict a program measured
    #[command(after_help = VERIFIABLE_HELP)]
    Verifiable(VerifiableArgs),
}

const IMPORT_HELP: &str = "\
Layouts: rm-bench, judgebench, rewardbench, rewardbench2 (JSON Lines, plain or .gz, or one JSON array), and items.
Each item carries the principle that ships for its benchmark and domain; responses that are right have the gold score
1 and the others 0. Files by the name of *.parquet are read and written as Parquet, where this build has it.

Example:
  rewardanything data import --layout rm-bench total_dataset.json --output rm-bench.jsonl";

/// `data import` and `data export`: published layouts to items and back.
#[derive(Debug, Args)]
pub(crate) struct ExchangeArgs {
    /// The published layout
    #[arg(long, value_name = "rm-bench|judgebench|rewardbench|rewardbench2|items")]
    pub(crate) layout: Layout,
    /// What to read, or - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Where to write, or - for standard output; a file that exists is never overwritten
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Stop at the first bad line, instead of counting it
    #[arg(long)]
    pub(crate) strict: bool,
}

const VERIFIABLE_HELP: &str = "\
Each line of a response file is {\"prompt\": …, \"responses\": [{\"text\": …, \"model\": …}, …]}; files that end in
.gz are unpacked. Each item has a gold verdict: {\"id\", \"principle\", \"prompt\", \"responses\", \"gold\":
{\"scores\", \"ranking\"}, \"measure\", \"direction\", \"difficulty\"}. Items of the library name the id of their principle as
\"measure\", and beside it their \"category\", \"kind\" and whether they ask for a \"new_quality\", one that no principle
for training asks for. The same seed and files give the same items.

Example:
  rewardanything data verifiable --responses answers.jsonl.gz --max-words 30 --items 300 \\
      --principles novel --phrasings held-out --output novel.jsonl
  rewardanything judge --input novel.jsonl --output verdicts.jsonl
  rewardanything score --items novel.jsonl --verdicts verdicts.jsonl --baselines";

/// `data verifiable`: items with exact gold, out of any file of prompts with several responses.
#[derive(Debug, Args)]
pub(crate) struct VerifiableArgs {
    /// Files of prompts with several responses each (JSON Lines, plain or .gz)
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) responses: Vec<PathBuf>,
    /// Responses are trimmed to whole sentences of at most this many words
    #[arg(long, value_name = "N", default_value = "30", value_parser = positive)]
    pub(crate) max_words: usize,
    /// Responses in each item: a number, or two, as in 4-8, between which it is drawn anew
    #[arg(long, value_name = "N|N-N", default_value = "4", value_parser = counts)]
    pub(crate) per_item: RangeInclusive<usize>,
    /// How many items to build
    #[arg(long, value_name = "N", default_value = "300", value_parser = positive)]
    pub(crate) items: usize,
    /// Which principles: those nano was trained on, or those it never met
    #[arg(long, value_enum, default_value_t = Share::Train)]
    pub(crate) principles: Share,
    /// Which wordings of them: those used in training, or those held out from it
    #[arg(long, value_enum, default_value_t = Wording::HeldOut)]
    pub(crate) phrasings: Wording,
    /// Seed of every draw
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) seed: u64,
    /// Say only "Judge the responses." where the principle would stand; the gold stays
    #[arg(long)]
    pub(crate) blank_principle: bool,
    /// Stop at the first bad line, instead of counting it
    #[arg(long)]
    pub(crate) strict: bool,
    /// Where the items go, or - for standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

/// A part of the verifiable principles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Share {
    /// Principles that training may use
    Train,
    /// Principles held out from training
    Novel,
    /// Verifiable principles of the library for training: priorities, limits and points beside single measures
    LibraryTrain,
    /// Verifiable principles of the library that are novel
    LibraryNovel,
    /// Ten intents over trained qualities, each said vaguely, as a single goal, with a priority and as structured rules,
    /// over the same responses
    Intents,
}

/// A part of a principle's wordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wording {
    /// Wordings that training may use
    Train,
    /// Wordings held out from training
    HeldOut,
    /// Wordings by others, who had seen none of those for training; the basic qualities alone have some
    Unseen,
}

const SCORE_HELP: &str = "\
Pairwise accuracy counts every pair whose gold scores differ; a predicted tie counts one half. An item without
a verdict counts as wrong in the headline, and is shown apart. Intervals are 95% bootstrap intervals over items.";

/// `score`: verdicts against gold.
#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// Items with gold, as `data verifiable` writes them
    #[arg(long, value_name = "FILE")]
    pub(crate) items: PathBuf,
    /// Records of these items, as `judge --output` writes them
    #[arg(long, value_name = "FILE")]
    pub(crate) verdicts: PathBuf,
    /// Also score three judges that read nothing: longest first, shortest first, and random
    #[arg(long)]
    pub(crate) baselines: bool,
    /// Stop at the first bad line, instead of counting it
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Print what a model is
    Info {
        /// `nano`, a folder in the Hugging Face layout, a GGUF file, or the id of a model that was fetched
        #[arg(value_name = "nano|FOLDER|FILE.gguf|ID")]
        model: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the models at hand: the one inside this program, and those that were fetched
    List {
        /// Print JSON Lines
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model from a hub
    #[command(after_help = PULL_HELP)]
    Pull {
        /// The model: all that a judge needs of it, or one GGUF file
        #[arg(value_name = "ORG/NAME[@REVISION][:FILE.gguf]")]
        model: ModelId,
    },
    /// Write a model as one GGUF file
    #[command(after_help = CONVERT_HELP)]
    Convert(ConvertArgs),
}

const PULL_HELP: &str = "\
The model goes into the cache that other programs of this kind share. A transfer that was cut is gone on with, and
every file is held to its hash. The environment says where: HF_ENDPOINT (the hub), HF_HOME or HF_HUB_CACHE (the
cache), HF_TOKEN (for gated models), HF_HUB_OFFLINE (1 forbids fetching).

Example:
  rewardanything model pull Qwen/Qwen3-0.6B
  rewardanything judge --model Qwen/Qwen3-0.6B --input items.jsonl --output verdicts.jsonl";

const CONVERT_HELP: &str = "\
The file holds the weights, the tokenizer, the chat template and the model's judge.toml; programs that read GGUF
can run it where they know its tokenizer. Norms stay in full precision.

Example:
  rewardanything model convert Qwen3-0.6B Qwen3-0.6B-Q8_0.gguf
  rewardanything judge --model Qwen3-0.6B-Q8_0.gguf --input items.jsonl --output verdicts.jsonl";

/// `model convert`: a folder as one file.
#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// `nano`, a folder in the Hugging Face layout, a GGUF file, or the id of a model that was fetched
    #[arg(value_name = "nano|FOLDER|FILE.gguf|ID")]
    pub(crate) model: String,
    /// The file to write; one that exists is never overwritten
    #[arg(value_name = "OUTPUT.gguf")]
    pub(crate) output: PathBuf,
    /// Number format of the matrices
    #[arg(long, value_enum, default_value_t = NumberFormat::Q8_0)]
    pub(crate) format: NumberFormat,
}

/// A number format to store weights in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NumberFormat {
    /// 8 bits, and a scale for every 32 weights
    #[value(name = "q8_0")]
    Q8_0,
    /// 16 bits, the range of 32
    Bf16,
    /// 16 bits, less range and more precision
    F16,
}

/// A number of at least one, or all that there are.
fn permutations(text: &str) -> Result<usize, String> {
    if text == "all" {
        return Ok(usize::MAX);
    }
    positive(text)
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=100.0).contains(&number) => Ok(number),
        Ok(number) => Err(format!("must be from 0 to 100, not {number}")),
        Err(error) => Err(format!("{error}")),
    }
}

/// A number of at least one.
pub(crate) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

#[cfg(test)]
mod tests;
