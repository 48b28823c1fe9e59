//! Scalar reward models behind a server: a prompt and one response go in, a number comes out.
//!
//! vLLM's `/classify` takes the messages and applies the model's own chat template; `/v1/embeddings`, as SGLang serves
//! reward models, takes text in which the template has been applied already. Either gives the logit that the reward
//! head wrote, of any size and sign. Requests are repeated as those of a [`Pool`](crate::Pool) are, within one deadline
//! for each; endpoints take turns.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rewardanything_core::{GenerateError, Message};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::RemoteError;
use crate::address::Address;
use crate::calls;
use crate::dates;
use crate::endpoint::Endpoint;
use crate::http::Http;
use crate::key::Keys;
use crate::pool::{Settings, only_model};
use crate::reply;
use crate::retry::{MOST_FAILURES, Status, backoff};

/// How the server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarApi {
    /// `POST /classify`.
    Classify,
    /// `POST /v1/embeddings`.
    Embeddings,
}

/// What is to be scored.
#[derive(Debug, Clone, PartialEq)]
pub enum ScalarInput {
    /// A conversation that ends with the response; the server applies the template. Not for embeddings.
    Messages(Vec<Message>),
    /// The conversation as text, the template applied.
    Text(String),
}

/// A score, and what it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalarReply {
    /// The model's number.
    pub score: f64,
    /// Tokens read, as far as the server says.
    pub prompt_tokens: usize,
}

/// One scalar reward model behind one or several endpoints.
#[derive(Debug)]
pub struct Scalar {
    name: String,
    model: String,
    api: ScalarApi,
    endpoints: Vec<Endpoint>,
    http: HttpClient,
    settings: Settings,
}

/// The client, which has nothing to show.
struct HttpClient(Http);

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Http")
    }
}

impl Scalar {
    /// A model over these endpoints; unless it is named, they are asked what they serve.
    ///
    /// # Errors
    /// No endpoint, none that answers, or no single model to ask for.
    pub fn connect(
        addresses: Vec<Address>,
        keys: &Keys,
        settings: Settings,
        api: ScalarApi,
    ) -> Result<Self, RemoteError> {
        let http = Http::new(settings.concurrency.max(1));
        let endpoints: Vec<Endpoint> = addresses
            .into_iter()
            .map(|address| {
                let key = keys.for_address(&address).cloned();
                Endpoint::new(address, key)
            })
            .collect();
        if endpoints.is_empty() {
            return Err(RemoteError::NoAddress);
        }
        let model = match &settings.served_model {
            Some(model) => model.clone(),
            None => only_model(&endpoints, &http)?,
        };
        let hosts: Vec<&str> = endpoints
            .iter()
            .map(|endpoint| endpoint.address.authority())
            .collect();
        Ok(Scalar {
            name: format!("{model}@{}", hosts.join(",")),
            model,
            api,
            endpoints,
            http: HttpClient(http),
            settings,
        })
    }

    /// The name that records give as the judge.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model that is asked for.
    pub fn served_model(&self) -> &str {
        &self.model
    }

    /// Scores every input: one result for each, in their order; one that fails leaves the others alone.
    pub fn score(&self, inputs: &[ScalarInput]) -> Vec<Result<ScalarReply, GenerateError>> {
        let next = AtomicUsize::new(0);
        let answers: Vec<Mutex<Option<Result<ScalarReply, GenerateError>>>> =
            inputs.iter().map(|_| Mutex::new(None)).collect();
        // Its threads ask for whom this one does.
        let here = calls::here();
        thread::scope(|scope| {
            for _ in 0..self.settings.concurrency.clamp(1, inputs.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(input) = inputs.get(index) else { break };
                        let answer = here.within(|| self.one(index, input));
                        *answers[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                    }
                });
            }
        });
        answers
            .into_iter()
            .map(|answer| {
                let answer = answer.into_inner().unwrap_or_else(PoisonError::into_inner);
                answer.expect("every input was taken by a thread. This is a bug.")
            })
            .collect()
    }

    fn one(&self, index: usize, input: &ScalarInput) -> Result<ScalarReply, GenerateError> {
        let body = self.body(input)?;
        let deadline = Instant::now() + self.settings.timeout;
        let mut random = ChaCha8Rng::seed_from_u64(self.settings.jitter_seed ^ index as u64);
        let (mut attempts, mut failures) = (0u32, 0u32);
        loop {
            let endpoint = &self.endpoints[(index + attempts as usize) % self.endpoints.len()];
            attempts += 1;
            let left = deadline.saturating_duration_since(Instant::now());
            let (wait, said) = match self.ask(endpoint, &body, left.max(Duration::from_millis(1))) {
                Asked::Scored(reply) => return Ok(reply),
                Asked::Refused(error) => return Err(error),
                // A server that says how long to wait is not failing.
                Asked::Later(Some(wait), said) => (wait, said),
                Asked::Later(None, said) => {
                    failures += 1;
                    (backoff(failures, &mut random), said)
                }
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if failures >= MOST_FAILURES || wait >= left {
                return Err(GenerateError::Deadline {
                    seconds: self.settings.timeout.as_secs(),
                    attempts,
                    last: said,
                });
            }
            thread::sleep(wait);
        }
    }

    fn body(&self, input: &ScalarInput) -> Result<Value, GenerateError> {
        Ok(match (self.api, input) {
            // Without the activation the number is the logit itself, which is what reward models are compared by.
            (ScalarApi::Classify, ScalarInput::Messages(messages)) => {
                json!({"model": self.model, "messages": messages, "use_activation": false})
            }
            (ScalarApi::Classify, ScalarInput::Text(text)) => {
                json!({"model": self.model, "input": text, "use_activation": false})
            }
            (ScalarApi::Embeddings, ScalarInput::Text(text)) => json!({"model": self.model, "input": text}),
            (ScalarApi::Embeddings, ScalarInput::Messages(_)) => {
                let message =
                    "expected text with the chat template applied, got messages: embeddings take text alone";
                return Err(GenerateError::Backend(message.to_owned()));
            }
        })
    }

    fn ask(&self, endpoint: &Endpoint, body: &Value, timeout: Duration) -> Asked {
        let url = match self.api {
            ScalarApi::Classify => endpoint.address.beside("classify"),
            ScalarApi::Embeddings => endpoint.address.join("embeddings"),
        };
        let answer = match endpoint.post(&self.http.0, &url, body, timeout) {
            Ok(answer) => answer,
            Err(error) if error.passing => return Asked::Later(None, endpoint.says(&error.message)),
            Err(error) => return Asked::Refused(GenerateError::Backend(endpoint.says(&error.message))),
        };
        let said = || reply::message(&answer.body);
        match Status::of(answer.status) {
            Status::Fine => match read(&answer.body, self.api) {
                Ok(reply) => Asked::Scored(reply),
                Err(message) => Asked::Refused(GenerateError::Backend(endpoint.says(&message))),
            },
            Status::Busy | Status::Failed => {
                let message = endpoint.says(&format!("{}: {}", answer.status, said()));
                Asked::Later(dates::retry_after(&answer.headers), message)
            }
            Status::Refused => Asked::Refused(GenerateError::Refused {
                endpoint: endpoint.address.to_string(),
                status: answer.status,
                message: said(),
            }),
        }
    }
}

/// What became of one request.
enum Asked {
    Scored(ScalarReply),
    /// Not now; after this time, where the server says.
    Later(Option<Duration>, String),
    Refused(GenerateError),
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Entry>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Entry {
    probs: Option<Vec<f64>>,
    embedding: Option<Vec<f64>>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<usize>,
}

/// The number in an answer: the last of the last entry, as the clients of these servers read it.
fn read(bytes: &[u8], api: ScalarApi) -> Result<ScalarReply, String> {
    let answer: Answer =
        serde_json::from_slice(bytes).map_err(|error| format!("unexpected answer: {error}"))?;
    let entry = answer.data.last().ok_or("the answer has no entry")?;
    let (field, numbers) = match api {
        ScalarApi::Classify => ("probs", &entry.probs),
        ScalarApi::Embeddings => ("embedding", &entry.embedding),
    };
    let numbers = numbers
        .as_ref()
        .ok_or_else(|| format!("the answer has no {field}"))?;
    let &score = numbers.last().ok_or_else(|| format!("{field} is empty"))?;
    if api == ScalarApi::Classify && numbers.len() == 1 && score == 1.0 {
        return Err(
            "the score is 1, the probability of an only class, which every response has: this server applies a softmax, \
             ask it for embeddings"
                .to_owned(),
        );
    }
    if !score.is_finite() {
        return Err(format!("expected a finite score, got {score}"));
    }
    Ok(ScalarReply {
        score,
        prompt_tokens: answer.usage.and_then(|usage| usage.prompt_tokens).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_the_servers_write_them() {
        let check = |api: ScalarApi, text: &str, expect: Result<f64, &str>| match (
            read(text.as_bytes(), api).map(|reply| reply.score),
            expect,
        ) {
            (Ok(got), Ok(expect)) => assert_eq!(got, expect, "{text}"),
            (Err(got), Err(expect)) => assert!(got.contains(expect), "{text}: {got}"),
            (got, _) => panic!("{text}: {got:?}"),
        };
        let (classify, embeddings) = (ScalarApi::Classify, ScalarApi::Embeddings);
        check(
            classify,
            r#"{"data": [{"index": 0, "label": "LABEL_0", "probs": [-3.25], "num_classes": 1}]}"#,
            Ok(-3.25),
        );
        check(
            classify,
            r#"{"data": [{"probs": [0.25, 0.75]}], "usage": {"prompt_tokens": 4}}"#,
            Ok(0.75),
        );
        check(classify, r#"{"data": [{"probs": [1.0]}]}"#, Err("softmax"));
        check(classify, r#"{"data": [{"embedding": [1.0]}]}"#, Err("no probs"));
        check(classify, r#"{"data": []}"#, Err("no entry"));
        check(embeddings, r#"{"data": [{"embedding": [5.5]}]}"#, Ok(5.5));
        check(embeddings, r#"{"data": [{"embedding": []}]}"#, Err("empty"));
        check(embeddings, "[]", Err("unexpected"));
    }
}
