//! The scoring endpoints of vLLM and SGLang: a reward model's callers find a judge in its place.
//!
//! Where the two use one path for two things, the body tells them apart: `text` is SGLang's, `input` vLLM's. Usage is
//! not counted in tokens here, so it is 0.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::future::join_all;
use rewardanything_core::Message;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::fault::Fault;
use crate::gather::judge_all;
use crate::rates::Caller;
use crate::rewards::{Ask, Reward, Scale};
use crate::transcript;
use rewardanything_evals::raw::as_text;

/// A text or several.
fn texts(value: &Value, field: &str) -> Result<Vec<String>, Fault> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let found = match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list.iter().map(text).collect(),
        _ => None,
    };
    found.ok_or_else(|| {
        Fault::input(format!(
            "{field}: expected a text or a list of texts; token ids cannot be read, they belong to another model's \
             vocabulary"
        ))
    })
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Fault> {
    serde_json::from_slice(body).map_err(|error| Fault::input(format!("not a JSON object: {error}")))
}

fn usage() -> Value {
    json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
}

/// Rewards of chats, each among its siblings. A chat that cannot be judged has the neutral reward nowhere here: these
/// callers repeat what fails.
async fn rewards_of(
    app: &Arc<App>,
    caller: Caller,
    ask: &Ask,
    chats: Vec<(String, String)>,
) -> Result<Vec<Reward>, Fault> {
    let principle = ask.principle(app)?;
    app.rates.owe(caller, chats.len().saturating_sub(1));
    let rewards = join_all(
        chats
            .into_iter()
            .map(|(prompt, response)| ask.reward(app, principle.clone(), prompt, response)),
    )
    .await;
    match rewards.iter().find_map(|reward| reward.failure.clone()) {
        Some(failure) => Err(Fault::of_judge(failure)),
        None => Ok(rewards),
    }
}

/// Prompt and response of templated texts.
fn chats(texts: Vec<String>, field: &str) -> Result<Vec<(String, String)>, Fault> {
    texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            transcript::split(text).ok_or_else(|| {
                Fault::input(format!(
                    "{field}[{index}]: expected a chat in the form of a chat template that ends in the assistant's turn"
                ))
            })
        })
        .collect()
}

/// Prompt and response of a chat whose last message is the response.
fn chat_of(messages: &Value) -> Result<(String, String), Fault> {
    let mut messages =
        Vec::<Message>::deserialize(messages).map_err(|error| Fault::input(format!("messages: {error}")))?;
    match messages.pop() {
        Some(last) if last.role == rewardanything_core::Role::Assistant && !messages.is_empty() => {
            Ok((as_text(&messages), last.content))
        }
        _ => Err(Fault::input(
            "messages: expected a prompt and, as the last message, the assistant's response",
        )),
    }
}

/// `POST /classify`: vLLM's form for `input` or `messages`, SGLang's for `text`.
pub(crate) async fn classify(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Query(ask): Query<Ask>,
    body: Bytes,
) -> Response {
    classified(&app, caller, &ask, &body)
        .await
        .unwrap_or_else(Fault::into_response)
}

async fn classified(app: &Arc<App>, caller: Caller, ask: &Ask, body: &[u8]) -> Result<Response, Fault> {
    let body = object(body)?;
    if let Some(given) = body.get("text").or_else(|| body.get("input_ids")) {
        let rewards = rewards_of(app, caller, ask, chats(texts(given, "text")?, "text")?).await?;
        let list: Vec<Value> = rewards
            .iter()
            .map(|reward| {
                json!({"embedding": [ask.scale.of(reward.score)],
                    "meta_info": {"id": app.next_id(), "rank": reward.rank, "siblings": reward.siblings}})
            })
            .collect();
        return Ok(Json(list).into_response());
    }
    let chats = match (body.get("input"), body.get("messages")) {
        (Some(input), _) => chats(texts(input, "input")?, "input")?,
        (None, Some(messages)) => vec![chat_of(messages)?],
        (None, None) => {
            return Err(Fault::input(
                "expected input or messages (vLLM), or text (SGLang)",
            ));
        }
    };
    // Without the activation a model with one class gives its bare value.
    let scale = match body.get("use_activation") {
        Some(Value::Bool(false)) => Scale::Raw,
        _ => ask.scale,
    };
    let rewards = rewards_of(app, caller, ask, chats).await?;
    let data: Vec<Value> = rewards
        .iter()
        .enumerate()
        .map(|(index, reward)| {
            json!({"index": index, "label": "reward", "probs": [scale.of(reward.score)], "num_classes": 1})
        })
        .collect();
    Ok(Json(json!({
        "id": format!("classify-{}", app.next_id()),
        "object": "list",
        "created": (app.host.now)().as_secs(),
        "model": app.model(),
        "data": data,
        "usage": usage(),
    }))
    .into_response())
}

/// `POST /v1/embeddings`: one number a chat, which reward models give as their embedding.
pub(crate) async fn embeddings(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Query(ask): Query<Ask>,
    body: Bytes,
) -> Response {
    embedded(&app, caller, &ask, &body)
        .await
        .unwrap_or_else(Fault::into_response)
}

async fn embedded(app: &Arc<App>, caller: Caller, ask: &Ask, body: &[u8]) -> Result<Response, Fault> {
    let body = object(body)?;
    let input = body
        .get("input")
        .ok_or_else(|| Fault::input("input is missing"))?;
    let rewards = rewards_of(app, caller, ask, chats(texts(input, "input")?, "input")?).await?;
    let data: Vec<Value> = rewards
        .iter()
        .enumerate()
        .map(|(index, reward)| json!({"object": "embedding", "index": index, "embedding": [ask.scale.of(reward.score)]}))
        .collect();
    Ok(Json(json!({"object": "list", "model": app.model(), "data": data, "usage": usage()})).into_response())
}

/// Scores of many responses to one prompt, all judged together.
async fn judged(app: &App, ask: &Ask, prompt: &str, responses: &[String]) -> Result<Vec<f64>, Fault> {
    if responses.is_empty() {
        return Ok(Vec::new());
    }
    if responses.len() > app.settings.groups.most {
        return Err(Fault::request(format!(
            "expected at most {} responses, got {}",
            app.settings.groups.most,
            responses.len()
        )));
    }
    let principle = ask.principle(app)?;
    let verdict = judge_all(app, &principle, prompt, responses).await;
    match verdict.failure {
        Some(failure) => Err(Fault::of_judge(failure)),
        None => Ok(verdict
            .scores
            .iter()
            .flatten()
            .map(|&score| ask.scale.of(score))
            .collect()),
    }
}

/// `POST /score` and `/v1/score`: SGLang's form for a single `query` with `items`, else vLLM's.
pub(crate) async fn score(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Query(ask): Query<Ask>,
    body: Bytes,
) -> Response {
    scored(&app, caller, &ask, &body)
        .await
        .unwrap_or_else(Fault::into_response)
}

async fn scored(app: &Arc<App>, caller: Caller, ask: &Ask, body: &[u8]) -> Result<Response, Fault> {
    let body = object(body)?;
    if let (Some(query), Some(items)) = (body.get("query"), body.get("items")) {
        let query = texts(query, "query")?.concat();
        let scores = judged(app, ask, &query, &texts(items, "items")?).await?;
        let scores: Vec<[f64; 1]> = scores.into_iter().map(|score| [score]).collect();
        return Ok(Json(
            json!({"scores": scores, "model": app.model(), "usage": usage(), "object": "scoring"}),
        )
        .into_response());
    }
    let names = [
        ("queries", "documents"),
        ("queries", "items"),
        ("data_1", "data_2"),
        ("text_1", "text_2"),
    ];
    let (queries, responses) = names
        .iter()
        .find_map(|(first, second)| {
            Some((texts(body.get(*first)?, first), texts(body.get(*second)?, second)))
        })
        .ok_or_else(|| {
            Fault::input("expected queries and documents, data_1 and data_2, or text_1 and text_2")
        })?;
    let (queries, responses) = (queries?, responses?);
    if queries.len() != 1 && queries.len() != responses.len() {
        return Err(Fault::input(format!(
            "expected one query, or as many as there are documents, {}; got {}",
            responses.len(),
            queries.len()
        )));
    }
    // Responses to the same query are judged together.
    let mut scores = vec![0.0; responses.len()];
    let query_of = |index: usize| queries.get(index).unwrap_or(&queries[0]);
    let mut left: Vec<usize> = (0..responses.len()).collect();
    let groups: BTreeSet<&String> = queries.iter().collect();
    app.rates.owe(caller, groups.len().saturating_sub(1));
    while let Some(&first) = left.first() {
        let (own, others): (Vec<usize>, Vec<usize>) = left
            .into_iter()
            .partition(|&index| query_of(index) == query_of(first));
        left = others;
        let texts: Vec<String> = own.iter().map(|&index| responses[index].clone()).collect();
        for (&index, score) in own.iter().zip(judged(app, ask, query_of(first), &texts).await?) {
            scores[index] = score;
        }
    }
    let data: Vec<Value> = scores
        .iter()
        .enumerate()
        .map(|(index, score)| json!({"index": index, "object": "score", "score": score}))
        .collect();
    Ok(Json(json!({
        "id": format!("score-{}", app.next_id()),
        "object": "list",
        "created": (app.host.now)().as_secs(),
        "model": app.model(),
        "data": data,
        "usage": usage(),
    }))
    .into_response())
}

#[derive(Deserialize)]
struct Rerank {
    query: String,
    documents: Vec<Value>,
    #[serde(default)]
    top_n: usize,
    return_documents: Option<bool>,
}

/// `POST /rerank`, `/v1/rerank`, `/v2/rerank`: vLLM's object, or with `?style=sglang` SGLang's list; best first.
pub(crate) async fn rerank(State(app): State<Arc<App>>, Query(ask): Query<Ask>, body: Bytes) -> Response {
    reranked(&app, &ask, &body)
        .await
        .unwrap_or_else(Fault::into_response)
}

async fn reranked(app: &Arc<App>, ask: &Ask, body: &[u8]) -> Result<Response, Fault> {
    let body: Rerank = serde_json::from_slice(body)
        .map_err(|error| Fault::input(format!("not a rerank request: {error}")))?;
    let text = |document: &Value| {
        let text = document.as_str().or_else(|| document.get("text")?.as_str());
        text.map(str::to_owned)
    };
    let documents: Vec<String> = body
        .documents
        .iter()
        .map(text)
        .collect::<Option<_>>()
        .ok_or_else(|| Fault::input("documents: expected texts"))?;
    let scores = judged(app, ask, &body.query, &documents).await?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    if body.top_n > 0 {
        order.truncate(body.top_n);
    }
    if ask.style.as_deref() == Some("sglang") {
        let shown = body.return_documents.unwrap_or(true);
        let list: Vec<Value> = order
            .iter()
            .map(|&index| {
                let mut entry = json!({"score": scores[index], "index": index, "meta_info": {}});
                if shown {
                    entry["document"] = documents[index].clone().into();
                }
                entry
            })
            .collect();
        return Ok(Json(list).into_response());
    }
    let results: Vec<Value> = order
        .iter()
        .map(|&index| {
            json!({"index": index, "document": {"text": documents[index]}, "relevance_score": scores[index]})
        })
        .collect();
    Ok(Json(json!({
        "id": format!("rerank-{}", app.next_id()),
        "model": app.model(),
        "usage": {"prompt_tokens": 0, "total_tokens": 0},
        "results": results,
    }))
    .into_response())
}
