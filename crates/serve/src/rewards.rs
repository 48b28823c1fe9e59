//! Rewards for training: one sample a call, judged among its siblings.
//!
//! What is asked of the caller, and can be given in the query string of the URL that the framework is told: the
//! principle (`principle=`, a text or a name), how many samples a prompt has (`n=`), the group's own name (`group=`) and
//! the sample's place in it (`index=`, which needs `group=`), and the scale of rewards (`scale=unit` from 0 to 1, or `raw` from 1 to 5).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::future::join_all;
use rewardanything_core::record::Failure;
use rewardanything_evals::raw::talk;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::fault::Fault;
use crate::gather::{Answer, Key, ask};
use crate::groups::Member;
use crate::rates::Caller;
use crate::transcript;

/// The middle of the scale from 1 to 5.
const NEUTRAL: f64 = 3.0;

/// What a URL says of how to judge.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Ask {
    pub(crate) principle: Option<String>,
    pub(crate) n: Option<usize>,
    pub(crate) group: Option<String>,
    pub(crate) index: Option<u64>,
    #[serde(default)]
    pub(crate) scale: Scale,
    /// Of `/v1/rerank`: whose form the answer takes.
    pub(crate) style: Option<String>,
    /// Of `/rewards/slime`: `number`, or `object`.
    pub(crate) reply: Option<String>,
}

/// The scale of rewards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scale {
    /// From 0 to 1.
    #[default]
    Unit,
    /// From 1 to 5, as the judge gives them.
    Raw,
}

impl Scale {
    /// A score from 1 to 5 on this scale.
    pub(crate) fn of(self, score: f64) -> f64 {
        match self {
            Self::Unit => (score - 1.0) / 4.0,
            Self::Raw => score,
        }
    }
}

/// What a sample got.
#[derive(Debug, Clone)]
pub(crate) struct Reward {
    /// From 1 to 5.
    pub(crate) score: f64,
    /// From 0 for the best of the group.
    pub(crate) rank: usize,
    /// How many were judged together.
    pub(crate) siblings: usize,
    /// Why the score is the neutral one.
    pub(crate) failure: Option<Failure>,
}

impl Ask {
    /// The principle: of the URL, by its name or as it stands, or the server's own.
    pub(crate) fn principle(&self, app: &App) -> Result<String, Fault> {
        let rewards = &app.settings.rewards;
        let given = self.principle.as_ref().or(rewards.principle.as_ref());
        let given = given.filter(|text| !text.trim().is_empty()).ok_or_else(|| {
            Fault::request("there is no principle: expected ?principle=, or one in the server's settings")
        })?;
        Ok(rewards
            .principles
            .get(given)
            .cloned()
            .unwrap_or_else(|| given.clone()))
    }

    /// Judges a sample among its siblings.
    pub(crate) async fn reward(
        &self,
        app: &Arc<App>,
        principle: String,
        prompt: String,
        response: String,
    ) -> Reward {
        let key = Key {
            id: self.group.clone(),
            principle,
            prompt,
        };
        let member = Member {
            // Without the group's name, the same place of two groups would be taken for one.
            index: self.group.as_ref().and(self.index),
            text: response,
        };
        let size = self.n.unwrap_or(app.settings.rewards.samples).max(1);
        match ask(app, key, size, member).await {
            Answer::Conflict => Reward {
                score: NEUTRAL,
                rank: 0,
                siblings: 0,
                failure: Some(Failure {
                    kind: "conflict".to_owned(),
                    message: "another sample has this index in the same group".to_owned(),
                }),
            },
            Answer::Verdict(verdict, place) => Reward {
                score: verdict.scores[place].unwrap_or(NEUTRAL),
                rank: verdict.ranks[place],
                siblings: verdict.scores.len(),
                failure: match verdict.scores[place] {
                    Some(_) => None,
                    None => verdict.failure.clone(),
                },
            },
        }
    }
}

/// Counts a neutral reward where there was no verdict.
fn settle(app: &App, rewards: &[Reward]) {
    for failure in rewards.iter().filter_map(|reward| reward.failure.as_ref()) {
        app.metrics.neutral(&failure.kind);
    }
}

#[derive(Deserialize)]
struct OpenRlhf {
    query: Vec<String>,
    #[serde(default)]
    prompts: Vec<String>,
}

/// `POST /get_reward`: OpenRLHF. That client takes five failures for the end of the run, so a sample without a verdict
/// gets the neutral reward, and `judge_failed` says so; what is wrong with every call alike is refused.
pub(crate) async fn openrlhf(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Query(ask): Query<Ask>,
    body: Bytes,
) -> Response {
    let body: OpenRlhf = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(error) => return Fault::input(format!("not a reward request: {error}")).into_response(),
    };
    let principle = match ask.principle(&app) {
        Ok(principle) => principle,
        Err(fault) => return fault.into_response(),
    };
    if !body.prompts.is_empty() && body.prompts.len() != body.query.len() {
        return Fault::input(format!(
            "prompts: expected {}, one for each query, got {}",
            body.query.len(),
            body.prompts.len()
        ))
        .into_response();
    }
    let mut samples = Vec::with_capacity(body.query.len());
    for (index, query) in body.query.iter().enumerate() {
        let (prompt, response) = match body.prompts.get(index) {
            Some(prompt) => (transcript::prompt(prompt), transcript::response(query, prompt)),
            None => match transcript::split(query) {
                Some(parts) => parts,
                None => {
                    return Fault::input(format!(
                        "query[{index}]: without prompts, expected a text in the form of a chat template"
                    ))
                    .into_response();
                }
            },
        };
        samples.push((prompt, response));
    }
    app.rates.owe(caller, samples.len().saturating_sub(1));
    let rewards = join_all(
        samples
            .into_iter()
            .map(|(prompt, response)| ask.reward(&app, principle.clone(), prompt, response)),
    )
    .await;
    settle(&app, &rewards);
    let each = |value: &dyn Fn(&Reward) -> f64| rewards.iter().map(value).collect::<Vec<f64>>();
    Json(json!({
        "rewards": each(&|reward| ask.scale.of(reward.score)),
        // Compared with a range from 0 to 1 when groups are filtered.
        "scores": each(&|reward| Scale::Unit.of(reward.score)),
        // Always the same keys, and nothing but numbers: anything else ends the run.
        "extra_logs": {
            "judge_score": each(&|reward| reward.score),
            "judge_rank": each(&|reward| reward.rank as f64),
            "judge_siblings": each(&|reward| reward.siblings as f64),
            "judge_failed": each(&|reward| f64::from(u8::from(reward.failure.is_some()))),
        },
    }))
    .into_response()
}

#[derive(Deserialize)]
struct Slime {
    prompt: Value,
    response: String,
}

/// `POST /rewards/slime`: the whole answer becomes the reward, so it is a bare number; with `?reply=object` an object,
/// for runs with a `--reward-key`.
pub(crate) async fn slime(State(app): State<Arc<App>>, Query(ask): Query<Ask>, body: Bytes) -> Response {
    let read = serde_json::from_slice::<Slime>(&body)
        .map_err(|error| format!("not a sample: {error}"))
        .and_then(|body| {
            let prompt = match body.prompt {
                Value::String(text) => transcript::prompt(&text),
                Value::Array(turns) => talk(&turns)?,
                _ => return Err("prompt must be a string or a list of messages".to_owned()),
            };
            Ok((prompt, transcript::without_end(&body.response).to_owned()))
        });
    let (prompt, response) = match read {
        Ok(sample) => sample,
        Err(why) => return Fault::input(why).into_response(),
    };
    let principle = match ask.principle(&app) {
        Ok(principle) => principle,
        Err(fault) => return fault.into_response(),
    };
    let reward = ask.reward(&app, principle, prompt, response).await;
    settle(&app, std::slice::from_ref(&reward));
    let value = ask.scale.of(reward.score);
    if ask.reply.as_deref() == Some("object") {
        return Json(json!({
            "reward": value,
            "score": reward.score,
            "rank": reward.rank,
            "siblings": reward.siblings,
            "failed": u8::from(reward.failure.is_some()),
        }))
        .into_response();
    }
    Json(value).into_response()
}
