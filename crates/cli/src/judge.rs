//! `judge`: requests in, records out, and the table of a single one.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rewardanything_core::{Judge, JudgeRequest, Judgment, Mask, Response, Verdict, Votes};
use serde_json::{Map, Value};

use crate::Outcome;
use crate::args::JudgeArgs;
use crate::batch;
use crate::items::Key;
use crate::models::{self, Speaker};
use crate::records::{Failure, Record, Tally, Usage, number};
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
        let mut record = record(None, &request, &judgment, &speaker);
        record.seconds = seconds(spent);
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
    let share = seconds(start.elapsed() / u32::try_from(keys.len()).unwrap_or(u32::MAX).max(1));
    keys.into_iter()
        .zip(requests.iter().zip(&judgments))
        .map(|(key, (request, judgment))| {
            let mut record = record(Some(&key), request, judgment, speaker);
            record.seconds = share;
            (key, record)
        })
        .collect()
}

/// A judgment as a record, the time not yet set.
fn record(key: Option<&Key>, request: &JudgeRequest, judgment: &Judgment, speaker: &Speaker) -> Record {
    let name = |&index: &usize| request.responses()[index].name.clone();
    let (scores, ranking, reasoning, repairs) = match &judgment.verdict {
        Err(_) => Default::default(),
        Ok(verdict) => (
            request
                .responses()
                .iter()
                .zip(&verdict.scores)
                .map(|(response, score)| (response.name.clone(), number(rounded(score.value()))))
                .collect::<Map<String, Value>>(),
            verdict.ranking.iter().map(name).collect(),
            named(&verdict.reasoning, request, &judgment.mask),
            verdict
                .repairs
                .iter()
                .map(|repair| serde_json::to_value(repair).expect("a repair is plain data. This is a bug."))
                .collect(),
        ),
    };
    Record {
        id: match key {
            Some(Key::Id(id)) => Some(id.clone()),
            Some(Key::Line(_)) | None => None,
        },
        scores,
        ranking,
        reasoning,
        error: failure(judgment),
        repairs,
        model: speaker.name().to_owned(),
        usage: usage(judgment),
        seconds: 0.0,
        soft: soft(request, judgment),
        votes: judgment.votes.map(|votes| Tally {
            asked: votes.asked,
            answered: votes.answered,
            agreement: votes.agreement.map(rounded),
            confidence: votes.confidence.map(rounded),
        }),
    }
}

/// The probabilities of 1 to 5 behind each score, their mean and their entropy, where they are known.
fn soft(request: &JudgeRequest, judgment: &Judgment) -> Map<String, Value> {
    let Ok(verdict) = &judgment.verdict else {
        return Map::new();
    };
    let responses = request.responses().iter().zip(&verdict.scores);
    responses
        .filter_map(|(response, score)| {
            let entropy = score.entropy()?;
            let probabilities = score.distribution()?.map(rounded);
            let value = serde_json::json!({
                "mean": rounded(score.soft()), "entropy": rounded(entropy), "probabilities": probabilities,
            });
            Some((response.name.clone(), value))
        })
        .collect()
}

/// To four places: the model's own noise is larger.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// Why there is no verdict. Where there is a reply its whole text stands in the message: the record is the only
/// place that keeps it.
fn failure(judgment: &Judgment) -> Option<Failure> {
    let error = judgment.verdict.as_ref().err()?;
    let message = match &judgment.completion {
        None => error.to_string(),
        Some(completion) => format!("{error}; the reply was: {}", completion.text),
    };
    Some(Failure {
        kind: error.kind().to_owned(),
        message,
    })
}

fn usage(judgment: &Judgment) -> Usage {
    if let Some(votes) = judgment.votes {
        return Usage {
            prompt_tokens: votes.prompt_tokens,
            completion_tokens: votes.completion_tokens,
        };
    }
    judgment
        .completion
        .as_ref()
        .map_or_else(Usage::default, |completion| Usage {
            prompt_tokens: completion.prompt_tokens,
            completion_tokens: completion.completion_tokens,
        })
}

/// Seconds to the millisecond.
fn seconds(spent: Duration) -> f64 {
    (spent.as_secs_f64() * 1e3).round() / 1e3
}

/// Puts the caller's names where the judge wrote the labels it was shown (`model-1`), which mean nothing outside
/// of the one request.
fn named(text: &str, request: &JudgeRequest, mask: &Mask) -> String {
    const LABEL: &str = "model-";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(LABEL) {
        let digits = rest[at + LABEL.len()..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        let end = at + LABEL.len() + digits;
        let inside_a_word =
            |character: char| character.is_alphanumeric() || character == '-' || character == '_';
        // A label that stands inside a longer word is part of somebody's own name.
        let whole = !out_tail(&out, &rest[..at]).is_some_and(inside_a_word)
            && !rest[end..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
        out.push_str(&rest[..at]);
        match mask.resolve(&rest[at..end]).filter(|_| whole) {
            Some(index) => out.push_str(&request.responses()[index].name),
            None => out.push_str(&rest[at..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The character before the place where `text` ends, `done` standing before it.
fn out_tail(done: &str, text: &str) -> Option<char> {
    text.chars().next_back().or_else(|| done.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_become_names_in_one_pass() {
        let responses = ["model-2", "b"].map(|name| Response {
            name: name.to_owned(),
            text: "x".to_owned(),
        });
        let request = JudgeRequest::new("p", "q", responses.to_vec()).expect("a valid request");
        // Two responses of the published order are swapped: model-1 is b, model-2 is the one called `model-2`.
        let mask = Mask::published(2).expect("two are few enough");
        let check = |text: &str, expect: &str| assert_eq!(named(text, &request, &mask), expect, "{text}");
        check("", "");
        check("model-1 beats model-2.", "b beats model-2.");
        check("`model-2`,model-1", "`model-2`,b");
        check("model-3 model-12 model-", "model-3 model-12 model-");
        check("submodel-1 my-model-1 model-1x", "submodel-1 my-model-1 model-1x");
        check("model-1 größer", "b größer");
    }
}
