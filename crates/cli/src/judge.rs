//! `judge`: requests in, records out, and the table of a single one.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rewardanything_core::record::{failure, named, usage};
use rewardanything_core::{Judge, JudgeRequest, Judgment, Response, Verdict, Votes};

use crate::Outcome;
use crate::args::JudgeArgs;
use crate::batch;
use crate::items::Key;
use crate::models::{self, Speaker};
use crate::records::Record;
use crate::table::{self, Style, View};

/// Runs `judge`, over a file or on the one request of the command line.
///
/// # Errors
/// The command cannot be carried out: arguments, files or the model are unusable.
pub(crate) fn run(args: &JudgeArgs) -> Result<Outcome> {
    match (&args.input, &args.output) {
        (Some(input), Some(output)) => batch::run(args, input, output),
        _ => one(args),
    }
}

fn one(args: &JudgeArgs) -> Result<Outcome> {
    let request = request(args)?;
    let speaker = models::resolve(&args.model)?;
    let judge = speaker.judge();
    let start = Instant::now();
    let judgment = judge.judge(&request);
    let outcome = Outcome::of(judgment.verdict.is_ok());
    let spent = start.elapsed();
    speaker.report_notes();
    let mut out = io::stdout().lock();
    if args.json {
        let record = Record::of(None, &request, &judgment, speaker.name(), spent.as_secs_f64());
        out.write_all(record.line().as_bytes())?;
        return Ok(outcome);
    }
    match &judgment.verdict {
        Ok(verdict) => out.write_all(shown(&request, &judgment, verdict, &speaker, spent).as_bytes())?,
        Err(_) => {
            let message = failure(&judgment)
                .map(|failure| failure.message)
                .unwrap_or_default();
            eprintln!("no verdict: {}", table::plain(&message));
        }
    }
    Ok(outcome)
}

fn request(args: &JudgeArgs) -> Result<JudgeRequest> {
    let principle = args
        .principle
        .as_ref()
        .context("--principle is missing")?
        .read()?;
    let prompt = args.prompt.as_ref().context("--prompt is missing")?.read()?;
    let responses = args
        .responses
        .iter()
        .map(|response| {
            Ok(Response {
                name: response.name.clone(),
                text: response.text.read()?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(JudgeRequest::new(principle, prompt, responses)?)
}

fn shown(
    request: &JudgeRequest,
    judgment: &Judgment,
    verdict: &Verdict,
    speaker: &Speaker,
    spent: Duration,
) -> String {
    let usage = usage(judgment);
    let reasoning = named(&verdict.reasoning, request, &judgment.mask);
    let view = View {
        ranked: verdict
            .ranking
            .iter()
            .map(|&index| {
                (
                    request.responses()[index].name.as_str(),
                    verdict.scores[index].value(),
                )
            })
            .collect(),
        reasoning: &reasoning,
        repairs: verdict
            .repairs
            .iter()
            .map(|repair| named(&repair.to_string(), request, &judgment.mask))
            .collect(),
        footer: format!(
            "{} · {}{} tokens read, {} written · {:.1} s",
            speaker.name(),
            judgment.votes.map(agreement).unwrap_or_default(),
            usage.prompt_tokens,
            usage.completion_tokens,
            spent.as_secs_f64()
        ),
    };
    table::render(&view, Style::of_stdout())
}

fn agreement(votes: Votes) -> String {
    let share = |name: &str, share: Option<f64>| {
        share.map_or_else(String::new, |share| format!(", {name} {:.0}%", share * 100.0))
    };
    format!(
        "{} of {} runs{}{} · ",
        votes.answered,
        votes.asked,
        share("agreement", votes.agreement),
        share("confidence", votes.confidence)
    )
}

/// Judges requests that have keys, all at once, and gives their records in order. Each record bears its share of
/// the time.
pub(crate) fn records(
    judge: &Judge<'_>,
    requests: Vec<(Key, JudgeRequest)>,
    speaker: &Speaker,
) -> Vec<(Key, Record)> {
    let start = Instant::now();
    let (keys, requests): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
    let judgments = judge.judge_batch(&requests);
    let share = start.elapsed().as_secs_f64() / keys.len().max(1) as f64;
    keys.into_iter()
        .zip(requests.iter().zip(&judgments))
        .map(|(key, (request, judgment))| {
            let id = match &key {
                Key::Id(id) => Some(id.clone()),
                Key::Line(_) => None,
            };
            let record = Record::of(id, request, judgment, speaker.name(), share);
            (key, record)
        })
        .collect()
}
