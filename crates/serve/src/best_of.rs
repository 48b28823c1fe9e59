//! `POST /v1/best-of`: samples from a policy, and the best of them under a principle.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::join_all;
use rewardanything_core::record::{self, Record};
use rewardanything_core::{
    Completion, Generate, GenerateError, GenerateJob, JudgeRequest, Knockout, Message, Response as Candidate,
    Role, Sampling, Waiter, answer as without_thinking,
};
use rewardanything_evals::item::Id;
use rewardanything_evals::raw::as_text;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::fault::Fault;
use crate::judging::WhenFull;
use crate::spans;

/// The most samples of a call.
const MOST_SAMPLES: usize = 64;

/// What writes the samples.
#[derive(Clone)]
pub struct Policy(pub Arc<dyn Generate>);

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Policy").field(&self.0.name()).finish()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    principle: Option<String>,
    prompt: Value,
    #[serde(default = "eight")]
    n: usize,
    #[serde(default = "one")]
    temperature: f64,
    #[serde(default = "most_tokens")]
    max_new_tokens: usize,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    thinking: bool,
    /// Whether all samples are given back.
    #[serde(default)]
    samples: bool,
}

fn eight() -> usize {
    8
}

fn one() -> f64 {
    1.0
}

fn most_tokens() -> usize {
    1_024
}

/// A call that was checked.
struct Order {
    principle: String,
    prompt: String,
    jobs: Vec<GenerateJob>,
    samples: bool,
}

/// The endpoint. A sample that the policy did not write is counted and left out; where the judge gives no verdict on a
/// group, there is no answer, since the best may have been in it.
pub(crate) async fn best_of(State(app): State<Arc<App>>, body: Bytes) -> Response {
    match answer(&app, &body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(fault) => fault.into_response(),
    }
}

async fn answer(app: &Arc<App>, body: &[u8]) -> Result<Value, Fault> {
    let began = Instant::now();
    let policy = app.settings.policy.clone().ok_or_else(|| {
        Fault::request(
            "there is no policy to sample from: the server's configuration names none (policy = URL)",
        )
    })?;
    let order = Order::read(app, body)?;
    let written = written(Arc::clone(&policy.0), order.jobs.clone()).await?;
    let (samples, failed) = parted(written);
    let samples = match (samples.is_empty(), failed.last()) {
        (true, Some(why)) => return Err(Fault::of_judge(record_failure(why))),
        _ => samples,
    };
    let mut knockout = Knockout::new(samples.len(), app.judging.setup().profile.max_responses);
    let mut last: Option<Record<Id>> = None;
    while knockout.winner().is_none() {
        let round = knockout.round();
        let judged = join_all(round.iter().map(|group| judged(app, &order, &samples, group))).await;
        let mut winners = Vec::with_capacity(round.len());
        for result in judged {
            let (winner, record) = result?;
            winners.push(winner);
            last = record.or(last);
        }
        knockout.advance(&winners);
    }
    let best = knockout
        .winner()
        .expect("a knockout ends with a winner. This is a bug.");
    let (index, completion) = &samples[best];
    let tokens = |of: fn(&Completion) -> usize| samples.iter().map(|(_, sample)| of(sample)).sum::<usize>();
    let mut answer = json!({
        "best": {"name": name(*index), "text": completion.text, "finish": completion.finish},
        "verdict": last,
        "judge_calls": knockout.calls(),
        "rounds": knockout.rounds(),
        "n": order.jobs.len(),
        "failed": failed.len(),
        "policy": policy.0.name(),
        "policy_usage": {
            "prompt_tokens": tokens(|sample| sample.prompt_tokens),
            "completion_tokens": tokens(|sample| sample.completion_tokens),
        },
        "seconds": (began.elapsed().as_secs_f64() * 1e3).round() / 1e3,
    });
    if order.samples {
        let all = samples
            .iter()
            .map(|(index, sample)| (name(*index), json!(sample.text)));
        answer["samples"] = Value::Object(all.collect());
    }
    Ok(answer)
}

impl Order {
    fn read(app: &App, body: &[u8]) -> Result<Self, Fault> {
        let ask: Ask =
            serde_json::from_slice(body).map_err(|e| Fault::input(format!("not a best-of request: {e}")))?;
        let rewards = &app.settings.rewards;
        let given = ask.principle.or_else(|| rewards.principle.clone());
        let given = given.filter(|text| !text.trim().is_empty());
        let given =
            given.ok_or_else(|| Fault::request("principle: expected something to judge by, got nothing"))?;
        if !(1..=MOST_SAMPLES).contains(&ask.n) {
            return Err(Fault::request(format!(
                "n: expected 1 to {MOST_SAMPLES}, got {}",
                ask.n
            )));
        }
        if ask.max_new_tokens == 0 || !(0.0..=100.0).contains(&ask.temperature) {
            let message = "max_new_tokens: expected at least 1; temperature: expected 0 to 100";
            return Err(Fault::request(message));
        }
        let messages: Vec<Message> = match ask.prompt {
            Value::String(content) => vec![Message {
                role: Role::User,
                content,
            }],
            list => serde_json::from_value(list).map_err(|e| {
                Fault::input(format!(
                    "prompt: expected a text, or messages of {{role, content}}: {e}"
                ))
            })?,
        };
        let prompt = as_text(&messages);
        if prompt.trim().is_empty() {
            return Err(Fault::request(
                "prompt: expected something to answer, got nothing",
            ));
        }
        let job = |sample: usize| GenerateJob {
            messages: messages.clone(),
            sampling: Sampling {
                temperature: ask.temperature,
                // Far apart, so that two neighbouring seeds share no sample.
                seed: ask.seed ^ (sample as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15),
                max_new_tokens: ask.max_new_tokens,
                ..Sampling::default()
            },
            thinking: ask.thinking,
            form: None,
        };
        Ok(Self {
            principle: rewards.principles.get(&given).cloned().unwrap_or(given),
            prompt,
            jobs: (0..ask.n).map(job).collect(),
            samples: ask.samples,
        })
    }
}

/// A sample's name in verdicts: its place among all that were asked for, from 1.
fn name(index: usize) -> String {
    format!("sample-{}", index + 1)
}

/// The samples that were written, each with its place, and why others were not.
fn parted(written: Vec<Result<Completion, GenerateError>>) -> (Vec<(usize, Completion)>, Vec<GenerateError>) {
    let (mut samples, mut failed) = (Vec::new(), Vec::new());
    for (index, result) in written.into_iter().enumerate() {
        match result {
            Ok(mut completion) => {
                // Thoughts are no part of the answer, neither for the judge nor for the caller.
                completion.text = without_thinking(&completion.text).to_owned();
                samples.push((index, completion));
            }
            Err(why) => failed.push(why),
        }
    }
    (samples, failed)
}

fn record_failure(why: &GenerateError) -> record::Failure {
    record::Failure {
        kind: "policy".to_owned(),
        message: format!("the policy wrote nothing: {why}"),
    }
}

/// Has the policy write on a thread that may block; it is told when nobody waits any more.
async fn written(
    policy: Arc<dyn Generate>,
    jobs: Vec<GenerateJob>,
) -> Result<Vec<Result<Completion, GenerateError>>, Fault> {
    let waiter = Waiter::default();
    let interest = waiter.interest();
    let aside = spans::here("best-of").aside();
    let task = tokio::task::spawn_blocking(move || aside.run(|| policy.generate_for(&jobs, &interest)));
    let written = task.await;
    drop(waiter);
    written.map_err(|_| {
        Fault::of_judge(record_failure(&GenerateError::Backend(
            "it broke down".to_owned(),
        )))
    })
}

/// The winner of a group, and the verdict behind it; whoever is alone needs none.
async fn judged(
    app: &Arc<App>,
    order: &Order,
    samples: &[(usize, Completion)],
    group: &[usize],
) -> Result<(usize, Option<Record<Id>>), Fault> {
    if let &[alone] = group {
        return Ok((alone, None));
    }
    let candidates = group
        .iter()
        .map(|&at| Candidate::new(name(samples[at].0), samples[at].1.text.clone()))
        .collect();
    let request = JudgeRequest::new(order.principle.clone(), order.prompt.clone(), candidates);
    let request = Arc::new(request.map_err(|error| Fault::request(error.to_string()))?);
    let judged = app
        .judging
        .judge(Arc::clone(&request), WhenFull::Wait)
        .await
        .map_err(Fault::from)?;
    let seconds = judged.spent.as_secs_f64();
    let record: Record<Id> = Record::of(None, &request, &judged.judgment, app.model(), seconds);
    match &judged.judgment.verdict {
        Ok(verdict) => Ok((group[verdict.ranking[0]], Some(record))),
        Err(_) => Err(Fault::of_judge(record.error.unwrap_or_else(|| record::Failure {
            kind: "backend".to_owned(),
            message: "the judge gave no verdict".to_owned(),
        }))),
    }
}
