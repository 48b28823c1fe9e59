//! `POST /v1/chat/completions`: the judge's model itself, for whoever brings messages of their own.
//!
//! One choice a call, no tools. A stream has its text in one piece: the engine hands replies out whole.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use rewardanything_core::{Completion, FinishReason, GenerateJob, Message, Sampling};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::fault::Fault;
use crate::judging::WhenFull;

#[derive(Deserialize)]
struct Call {
    messages: Vec<Message>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<usize>,
    seed: Option<u64>,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    n: Option<u64>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    chat_template_kwargs: TemplateArguments,
}

#[derive(Default, Deserialize)]
struct TemplateArguments {
    enable_thinking: Option<bool>,
}

impl Call {
    fn job(self, defaults: Sampling) -> Result<GenerateJob, Fault> {
        if self.n.is_some_and(|n| n != 1) {
            return Err(Fault::request("n: expected 1"));
        }
        let temperature = self.temperature.unwrap_or(defaults.temperature);
        let top_p = self.top_p.unwrap_or(defaults.top_p);
        let max_new_tokens = self
            .max_completion_tokens
            .or(self.max_tokens)
            .unwrap_or(defaults.max_new_tokens);
        let sensible =
            (0.0..=2.0).contains(&temperature) && top_p > 0.0 && top_p <= 1.0 && max_new_tokens > 0;
        if !sensible {
            return Err(Fault::request(
                "expected a temperature from 0 to 2, top_p above 0 and at most 1, max_tokens of 1 or more",
            ));
        }
        Ok(GenerateJob {
            messages: self.messages,
            sampling: Sampling {
                temperature,
                top_p,
                top_k: self.top_k.unwrap_or(defaults.top_k),
                seed: self.seed.unwrap_or(defaults.seed),
                max_new_tokens,
            },
            thinking: self.chat_template_kwargs.enable_thinking.unwrap_or(true),
            form: None,
        })
    }
}

/// `POST /v1/chat/completions`.
pub(crate) async fn complete(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let call: Call = match serde_json::from_slice(&body) {
        Ok(call) => call,
        Err(error) => return Fault::input(format!("not a chat: {error}")).into_response(),
    };
    let stream = call.stream;
    let job = match call.job(app.judging.setup().profile.sampling) {
        Ok(job) => job,
        Err(fault) => return fault.into_response(),
    };
    match app.judging.generate(job, WhenFull::Refuse).await {
        Err(why) => Fault::from(why).into_response(),
        Ok(Err(error)) => {
            let error = rewardanything_core::JudgeError::Generate(error);
            Fault::of_judge(rewardanything_core::record::Failure {
                kind: error.kind().to_owned(),
                message: error.to_string(),
            })
            .into_response()
        }
        Ok(Ok(completion)) if stream => streamed(&app, &completion),
        Ok(Ok(completion)) => Json(whole(&app, &completion)).into_response(),
    }
}

fn finish(completion: &Completion) -> &'static str {
    match completion.finish {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
    }
}

fn usage(completion: &Completion) -> Value {
    json!({
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "total_tokens": completion.prompt_tokens + completion.completion_tokens,
    })
}

fn whole(app: &App, completion: &Completion) -> Value {
    json!({
        "id": format!("chatcmpl-{}", app.next_id()),
        "object": "chat.completion",
        "created": (app.host.now)().as_secs(),
        "model": app.model(),
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": completion.text},
            "logprobs": null,
            "finish_reason": finish(completion),
        }],
        "usage": usage(completion),
    })
}

fn streamed(app: &App, completion: &Completion) -> Response {
    let (id, created) = (format!("chatcmpl-{}", app.next_id()), (app.host.now)().as_secs());
    let event = |delta: Value, finish: Option<&str>| {
        let chunk = json!({
            "id": id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": app.model(),
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        });
        format!("data: {chunk}\n\n")
    };
    let body = event(json!({"role": "assistant", "content": completion.text}), None)
        + &event(json!({}), Some(finish(completion)))
        + "data: [DONE]\n\n";
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}
