//! What may be typed after `principle`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use rewardanything_principles::{Kind, Principle};

use crate::args::ModelArgs;
use crate::value::Text;

#[derive(Debug, Subcommand)]
pub(crate) enum PrincipleCommand {
    /// List the principles, one a line
    List {
        #[command(flatten)]
        filter: Filter,
        /// Print JSON Lines
        #[arg(long)]
        json: bool,
    },
    /// Show principles in full, by their ids or by what they are
    Show {
        /// Ids, as `principle list` prints them
        ids: Vec<String>,
        #[command(flatten)]
        filter: Filter,
        /// Also the ways to say each verifiable one, and which are held out from training
        #[arg(long)]
        wordings: bool,
        /// Print JSON Lines
        #[arg(long)]
        json: bool,
    },
    /// Say what is wrong with a principle, and how to say it better
    #[command(after_help = LINT_HELP)]
    Lint {
        /// The principle: its text, a file, or an id of the library
        #[arg(value_name = "TEXT|@FILE|ID")]
        principle: Text,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Judge items under two principles and show which verdicts flip
    #[command(after_help = DIFF_HELP)]
    Diff(Box<DiffArgs>),
}

const LINT_HELP: &str = "\
Faults: vague (names nothing that can be seen), no_priority (goals that pull apart, and none comes first),
contradiction, unrelated_goals, unseen_facts (what no judge can read), relative_term (a yardstick that is not given),
weights (shares that are not 100% together). Rules find them, not a model; each cites the words it rests on. Silence
means that no rule spoke, not that a principle is good.

Examples:
  rewardanything principle lint 'Prefer responses that are brief and detailed.'
  rewardanything principle lint @principle.txt --json

Exit codes: 0 nothing was found, 1 something was, 2 the command could not be carried out.";

const DIFF_HELP: &str = "\
Each line of the input is an item as `judge --input` reads it; its own principle is replaced. A pair of responses flips
where one principle puts the one strictly above the other and the other principle does the reverse. The order in which
responses are shown depends on the principle; --permutations all takes out what comes from that.

Example:
  rewardanything principle diff structure-shortest 'The more detailed, the better.' --input items.jsonl

Exit codes: 0 all judged, 1 some failed, 2 the command could not be carried out.";

/// Which principles; without any of these, all.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Filter {
    /// content, structure, tone, logic or style
    #[arg(short, long)]
    pub(crate) category: Option<String>,
    /// How it is built
    #[arg(short, long, value_enum)]
    pub(crate) kind: Option<KindArg>,
    /// Those to train on, or those never trained on
    #[arg(short, long, value_enum)]
    pub(crate) split: Option<SplitArg>,
    /// Only those that a program can check
    #[arg(long)]
    pub(crate) verifiable: bool,
}

impl Filter {
    /// True when nothing is filtered.
    pub(crate) fn is_empty(&self) -> bool {
        self.category.is_none() && self.kind.is_none() && self.split.is_none() && !self.verifiable
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArg {
    /// One goal
    Single,
    /// Goals and which of them comes first
    Prioritised,
    /// Rules for cases, points or ranks
    Structured,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Single => Kind::Single,
            KindArg::Prioritised => Kind::Prioritised,
            KindArg::Structured => Kind::Structured,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitArg {
    /// To train on
    Train,
    /// Kept for evaluation
    Novel,
}

impl SplitArg {
    /// The part of the split that a principle belongs to.
    pub(crate) fn of(principle: &Principle) -> Self {
        if principle.held_out {
            SplitArg::Novel
        } else {
            SplitArg::Train
        }
    }

    /// `train` or `novel`.
    pub(crate) fn id(self) -> &'static str {
        match self {
            SplitArg::Train => "train",
            SplitArg::Novel => "novel",
        }
    }
}

/// `principle diff`: two principles and the items to judge under both.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The one principle: its text, a file, or an id of the library
    #[arg(value_name = "TEXT|@FILE|ID")]
    pub(crate) first: Text,
    /// The other
    #[arg(value_name = "TEXT|@FILE|ID")]
    pub(crate) second: Text,
    /// JSON Lines to judge, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// How many of the most changed items to list; JSON always holds all
    #[arg(long, value_name = "N", default_value = "10")]
    pub(crate) top: usize,
    /// How many items are judged at once
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) batch: u16,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}
