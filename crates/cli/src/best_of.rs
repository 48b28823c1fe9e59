//! `best-of`: several replies of a policy, and the best of them.

use std::io::{self, Write as _};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use rewardanything_core::{JudgeRequest, Knockout, Response};
use rewardanything_models::NANO;
use rewardanything_train::align::{Prompt, Writer};
use serde_json::{Value, json};

use crate::Outcome;
use crate::align::args::JudgeChoice;
use crate::align::policy;
use crate::args::positive;
use crate::records::Record;
use crate::table;
use crate::value::Text;

pub(crate) const BEST_OF_HELP: &str = "\
The policy writes N replies; the judge compares them all in one call. Where N is more than it takes at once, replies meet in
groups whose winners meet again, and the number of calls is said.

Examples:
  rewardanything best-of --policy http://localhost:8000 --judge nano -n 8 \\
      --principle 'The fewer words, the better.' --prompt 'What is the capital of France?'

Exit codes: 0 there is a best reply, 1 there is none, 2 the command could not be carried out.";

/// `best-of`.
#[derive(Debug, Args)]
pub(crate) struct BestOfArgs {
    /// What replies: the URL of an OpenAI-compatible server, a folder, or a GGUF file
    #[arg(long, value_name = "URL|MODEL")]
    policy: String,
    /// The principle to judge by, in plain language
    #[arg(short, long, value_name = "TEXT|@FILE")]
    principle: Text,
    /// What is replied to
    #[arg(short = 'q', long, value_name = "TEXT|@FILE")]
    prompt: Text,
    /// How many replies
    #[arg(short, long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=1024))]
    n: u16,
    /// How the policy decodes
    #[arg(long, value_name = "T", default_value = "1")]
    sampling_temperature: f64,
    /// Longest reply in tokens
    #[arg(long, value_name = "N", default_value = "1024", value_parser = positive)]
    max_new_tokens: usize,
    /// Seed of the replies
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// A text with {prompt} in it that the prompt is put into, for models without a chat template
    #[arg(long, value_name = "TEXT|@FILE")]
    template: Option<Text>,
    /// Print one JSON object: the best reply, the last verdict, all replies, the number of calls
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    judge: JudgeChoice,
}

/// Runs `best-of`.
///
/// # Errors
/// The arguments or a model are unusable.
pub(crate) fn run(args: &BestOfArgs) -> Result<Outcome> {
    let (principle, text) = (args.principle.read()?, args.prompt.read()?);
    let name = args.judge.judge.as_deref().unwrap_or(NANO);
    let orders = args.judge.permutations.unwrap_or(1);
    let judge = policy::judge(name, args.judge.judge_profile.as_deref(), orders, &args.judge)?;
    let places = (&args.judge.local, &args.judge.server);
    let policy = policy::policy(&args.policy, args.template.as_ref(), places).context("--policy")?;
    let start = Instant::now();
    let writer = Writer {
        model: policy.model.as_ref(),
        thinking: false,
        temperature: args.sampling_temperature,
        max_new_tokens: args.max_new_tokens,
        seed: args.seed,
    };
    let prompt = Prompt::of_text("1".to_owned(), text);
    let replies = writer
        .replies(std::slice::from_ref(&prompt), usize::from(args.n))
        .remove(0);
    let replies: Vec<String> = match replies {
        Ok(replies) => replies.into_iter().map(|reply| reply.text).collect(),
        Err(why) => {
            eprintln!("no replies: {}", table::plain(&why));
            return Ok(Outcome::SomeFailed);
        }
    };
    let limit = judge.profile().max_responses;
    let mut knockout = Knockout::new(replies.len(), limit);
    let speaker = judge.judge();
    let mut last = None;
    while knockout.winner().is_none() {
        let round = knockout.round();
        let meeting: Vec<&Vec<usize>> = round.iter().filter(|group| group.len() > 1).collect();
        let requests = meeting
            .iter()
            .map(|group| {
                let named = |&at: &usize| Response::new(format!("sample-{}", at + 1), replies[at].clone());
                Ok(JudgeRequest::new(
                    principle.clone(),
                    prompt.text.clone(),
                    group.iter().map(named).collect(),
                )?)
            })
            .collect::<Result<Vec<_>>>()?;
        let mut judged = requests.iter().zip(speaker.judge_batch(&requests));
        let mut winners = Vec::with_capacity(round.len());
        for group in &round {
            if let &[alone] = group.as_slice() {
                winners.push(alone);
                continue;
            }
            let (request, judgment) = judged.next().context("every group is judged. This is a bug.")?;
            let record = Record::of(
                None,
                request,
                &judgment,
                judge.name(),
                start.elapsed().as_secs_f64(),
            );
            let Ok(verdict) = &judgment.verdict else {
                let why = record.error.map(|failure| failure.message).unwrap_or_default();
                eprintln!(
                    "no verdict on a group of replies, so no best: {}",
                    table::plain(&why)
                );
                return Ok(Outcome::SomeFailed);
            };
            winners.push(group[verdict.ranking[0]]);
            last = Some(record);
        }
        knockout.advance(&winners);
    }
    judge.report_notes();
    let best = knockout
        .winner()
        .context("a knockout ends with a winner. This is a bug.")?;
    ensure!(best < replies.len(), "the policy wrote nothing");
    let mut out = io::stdout().lock();
    if args.json {
        let named = replies
            .iter()
            .enumerate()
            .map(|(at, text)| (format!("sample-{}", at + 1), json!(text)));
        let line = json!({
            "best": {"name": format!("sample-{}", best + 1), "text": replies[best]}, "verdict": last,
            "judge_calls": knockout.calls(), "rounds": knockout.rounds(), "n": replies.len(),
            "policy": policy.model.name(), "samples": Value::Object(named.collect()),
            "seconds": start.elapsed().as_secs_f64(),
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "{}", table::plain(&replies[best]))?;
        eprintln!(
            "the best of {} replies, by {} judge call{} of at most {limit} in {} round{}",
            replies.len(),
            knockout.calls(),
            if knockout.calls() == 1 { "" } else { "s" },
            knockout.rounds(),
            if knockout.rounds() == 1 { "" } else { "s" }
        );
    }
    Ok(Outcome::Done)
}
