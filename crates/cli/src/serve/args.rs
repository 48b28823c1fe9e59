//! What may be typed after `serve`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Args, CommandFactory as _, FromArgMatches as _, ValueEnum};

use crate::args::{Cli, Command, ModelArgs};
use crate::value::Text;

pub(crate) const SERVE_HELP: &str = "\
Endpoints:
  POST /v1/judge           an item, as on a line of `judge --input`; the id may be left out. Answers its record
  POST /v1/judge/batch     a JSON array of items, or items line by line; answers in their order, as they are there
  POST /v1/jobs            {\"items\": [...], \"key\": NAME}: judged as there is room. GET lists; /v1/jobs/ID?wait=S,
                           /v1/jobs/ID/results, /v1/jobs/ID/resume; DELETE stops one that runs, forgets one that ended
  POST /v1/chat/completions, and for reward models' callers /classify /score /rerank /v1/embeddings
  POST /get_reward         OpenRLHF, and /rewards/slime; samples of one prompt are judged together (?n=, ?principle=)
  POST /api/...            all that the published package's server has
  POST /v1/best-of         samples of the policy that --policy names, and the best under a principle
  POST /v1/lint and GET /v1/principles, /v1/models /healthz /readyz /metrics /openapi.json
  GET  / in a browser      a page to judge, compare principles and look around with; /runs, curves of training

Tokens: with --token-file, or REWARDANYTHING_SERVER_TOKEN, callers need `Authorization: Bearer TOKEN`, or ?token=TOKEN
where they cannot set headers.

Jobs and verdicts outlive the server in the file of --store; without it they end with the server.

Examples:
  rewardanything serve --port 8000
  rewardanything serve --model http://10.0.0.1:8000,http://10.0.0.2:8000 --concurrency 256
  curl -s localhost:8000/v1/judge -d '{\"principle\": \"Be brief.\", \"prompt\": \"What is Rust?\",
      \"responses\": {\"a\": \"A language.\", \"b\": \"Rust is a language that has many features.\"}}'";

/// `serve`: a judge for many callers.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Settings in a file: our TOML, or the JSON of the published package. Flags come before it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The address to listen on; without it this machine alone, 127.0.0.1
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) host: Option<String>,
    /// The port; without it 8000, and 0 takes a free one
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
    /// A file of tokens, one a line, of which callers need one
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The most verdicts a minute for each token, and for all callers together where there is none
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate_limit: Option<u32>,
    /// A file for jobs and remembered verdicts, made where it is not there; without it they end with the server
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    /// The most MiB of verdicts that are remembered; 0 remembers none. Without it 256 with --store, else 0
    #[arg(long, value_name = "MIB")]
    pub(crate) cache: Option<u32>,
    /// How long jobs are kept once they have ended: 90s, 30m, 12h, 7d; without it 7d
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(crate) keep: Option<Duration>,
    /// How many requests are judged at a time; without it 64, and --concurrency where the judge is a server
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) slots: Option<u16>,
    /// How many requests may wait beyond these before callers are told to come back; without it 1024
    #[arg(long, value_name = "N")]
    pub(crate) queue: Option<u32>,
    /// The most seconds a request may take, waiting included; without it 300
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) deadline: Option<u32>,
    /// The largest body, in MiB; without it 16
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) max_body: Option<u32>,
    /// How many seconds requests that have begun may go on when the server is to end; without it 30
    #[arg(long, value_name = "SECONDS")]
    pub(crate) drain: Option<u32>,
    /// What is said of each request on standard error; without it json
    #[arg(long, value_enum)]
    pub(crate) log: Option<LogForm>,
    /// Answer the neutral verdict, all scores 3, to callers of the published package's endpoints where there is none
    #[arg(long)]
    pub(crate) neutral: bool,
    /// The principle that rewards for training are given by, where their URL names none
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(crate) principle: Option<Text>,
    /// How many samples each prompt has, where the URL does not say; they are judged together. Without it 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) samples_per_prompt: Option<u16>,
    /// How many seconds a sample waits for its siblings at most; without it 30
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) group_wait: Option<u32>,
    /// Show the curves of the training runs in a folder, its own or those in it, at /runs
    #[arg(long, value_name = "FOLDER")]
    pub(crate) runs: Option<PathBuf>,
    /// What /v1/best-of samples from: the URL of an OpenAI-compatible server, or a folder
    #[arg(long, value_name = "URL|MODEL")]
    pub(crate) policy: Option<String>,
    /// The model to ask that server for. Without it, the only one that it serves
    #[arg(long, value_name = "NAME", requires = "policy")]
    pub(crate) policy_model: Option<String>,
    /// Taken from the published package's command, and without meaning: jobs write no files
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub(crate) base_output_path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// The arguments that were typed, or stand in the environment, by their names: a file does not come before these
    #[arg(skip)]
    pub(crate) given: BTreeSet<String>,
}

impl Cli {
    /// Reads the words of a command line, and notes which of those after `serve` were typed.
    ///
    /// # Errors
    /// They are no command, or ask for help.
    pub(crate) fn read<W: Into<OsString> + Clone>(
        words: impl IntoIterator<Item = W>,
    ) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(words)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        if let (Command::Serve(args), Some(matches)) = (&mut cli.command, matches.subcommand_matches("serve"))
        {
            args.given = matches
                .ids()
                .filter(|id| {
                    let source = matches.value_source(id.as_str());
                    source.is_some_and(|source| source != ValueSource::DefaultValue)
                })
                .map(|id| id.as_str().to_owned())
                .collect();
        }
        Ok(cli)
    }
}

/// Reads a span of time, as `90s`, `30m`, `12h` or `7d`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let read = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        Some(Duration::from_secs(
            number.parse::<u64>().ok()?.checked_mul(seconds)?,
        ))
    };
    read()
        .filter(|span| !span.is_zero())
        .ok_or_else(|| format!("expected a number and s, m, h or d, as in 7d; got {text:?}"))
}

pub(crate) const UI_HELP: &str = "\
Serves as `serve` does, to this machine alone unless --host says otherwise, and opens the page. Without --port it takes
port 8000, or a free one where that is taken. Ctrl+C ends it.

Examples:
  rewardanything ui
  rewardanything ui --model http://10.0.0.1:8000 --runs runs";

/// `ui`: a judge for one, in a browser.
#[derive(Debug, Args)]
pub(crate) struct UiArgs {
    /// Only say where the page is
    #[arg(long)]
    pub(crate) no_browser: bool,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// How requests are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogForm {
    /// One JSON object a line
    Json,
    /// One line to read
    Text,
    /// Nothing
    Off,
}
