//! One endpoint: what it was asked, and what it turned out not to take.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use rewardanything_core::{GenerateError, GenerateJob};
use serde::Deserialize;

use crate::address::Address;
use crate::dates;
use crate::http::{Answer, Ask, Http, NoAnswer};
use crate::key::{ApiKey, scrubbed};
use crate::reply::{self, Reply};
use crate::request::{self, Extra, Extras};
use crate::retry::Status;

/// How long an endpoint may take to say that it is there.
const PROBE: Duration = Duration::from_secs(5);

/// What became of one request.
#[derive(Debug)]
pub(crate) enum Outcome {
    Replied(Box<Reply>),
    /// The endpoint turned out not to take something; without it, it may answer. With what to tell the caller.
    Again(String),
    /// Not now, says the endpoint, and for how long if it says.
    Busy(Option<Duration>, String),
    /// No answer, or a failure of the server, and for how long it asks to be left alone.
    Failed(Option<Duration>, String),
    /// The job has no reply here, and will have none.
    Final(GenerateError),
}

/// What the form of a verdict does to thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constraint {
    Unknown,
    /// Replies are the same kind with it and without.
    Harmless,
    /// Held to the form, the model cannot think.
    Swallows,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: Address,
    key: Option<ApiKey>,
    without: AtomicU32,
    /// It has answered a request with everything in it that it was to get.
    proven: AtomicBool,
    constraint: AtomicU8,
}

impl Endpoint {
    pub(crate) fn new(address: Address, key: Option<ApiKey>) -> Self {
        Self {
            without: AtomicU32::new(Extras::unknown_to(&address).0),
            proven: AtomicBool::new(false),
            constraint: AtomicU8::new(0),
            address,
            key,
        }
    }

    pub(crate) fn constraint(&self) -> Constraint {
        match self.constraint.load(Ordering::Relaxed) {
            0 => Constraint::Unknown,
            1 => Constraint::Harmless,
            _ => Constraint::Swallows,
        }
    }

    pub(crate) fn set_constraint(&self, constraint: Constraint) {
        self.constraint.store(constraint as u8, Ordering::Relaxed);
    }

    /// Sends a job once. It asks for the job's form unless it is to be `free`.
    pub(crate) fn ask(
        &self,
        http: &Http,
        job: &GenerateJob,
        model: &str,
        free: bool,
        timeout: Duration,
    ) -> Outcome {
        let without = Extras(self.without.load(Ordering::Relaxed));
        let constrained = !free && job.form.is_some() && !without.has(Extra::ResponseFormat);
        let body = request::body(job, model, without, !free);
        let url = self.address.join("chat/completions");
        let json = serde_json::to_vec(&body).expect("a request is plain data. This is a bug.");
        let ask = Ask {
            headers: self.headers(),
            json: Some(json),
            timeout: Some(timeout),
            ..Ask::get(&url)
        };
        let answer = match http.send(ask) {
            Ok(answer) => answer,
            Err(error) => {
                let message = self.says(&error.message);
                return if error.passing {
                    Outcome::Failed(None, message)
                } else {
                    Outcome::Final(GenerateError::Backend(message))
                };
            }
        };
        let wait = dates::retry_after(&answer.headers);
        let said = || self.says(&format!("{}: {}", answer.status, reply::message(&answer.body)));
        match Status::of(answer.status) {
            Status::Busy => Outcome::Busy(wait, said()),
            Status::Failed => Outcome::Failed(wait, said()),
            Status::Refused => self.refused((job, &body, without), answer.status, &answer.body),
            Status::Fine => match reply::read(&answer.body, job, constrained) {
                Ok(reply) => {
                    self.proven.store(true, Ordering::Relaxed);
                    Outcome::Replied(Box::new(reply))
                }
                Err(message) => Outcome::Final(GenerateError::Backend(self.says(&message))),
            },
        }
    }

    /// Sends JSON to a URL of this endpoint.
    pub(crate) fn post(
        &self,
        http: &Http,
        url: &str,
        body: &serde_json::Value,
        timeout: Duration,
    ) -> Result<Answer, NoAnswer> {
        http.send(Ask {
            headers: self.headers(),
            json: Some(body.to_string().into_bytes()),
            timeout: Some(timeout),
            ..Ask::get(url)
        })
    }

    /// What to make of a refusal of a job, sent as a body that did `without` some parts.
    fn refused(
        &self,
        sent: (&GenerateJob, &serde_json::Value, Extras),
        status: u16,
        bytes: &[u8],
    ) -> Outcome {
        let (job, body, without) = sent;
        let endpoint = self.address.to_string();
        let message = scrubbed(self.key.as_ref(), &reply::message(bytes));
        if let Some(error) = reply::overlong(bytes, &endpoint, job.sampling.max_new_tokens) {
            return Outcome::Final(error);
        }
        if matches!(status, 400 | 422) {
            // Some servers name it in a field beside the message.
            let everything = format!("{message} {}", String::from_utf8_lossy(bytes));
            let named = request::named_in(&message, body).or_else(|| request::named_in(&everything, body));
            let less = match named {
                Some(extra) => Some((without.with(extra), extra.describe())),
                // A server that says nothing useful and has never answered yet may be one that knows the bare form
                // alone.
                None if !self.proven.load(Ordering::Relaxed) => Some((
                    Extras(without.0 | Extras::all().0),
                    "one of its optional parts: it is asked with none of them",
                )),
                None => None,
            };
            if let Some((less, what)) = less.filter(|(less, _)| *less != without) {
                self.without.fetch_or(less.0, Ordering::Relaxed);
                return Outcome::Again(format!("{endpoint} does not take {what} (it says: {message})"));
            }
        }
        Outcome::Final(GenerateError::Refused {
            endpoint,
            status,
            message,
        })
    }

    /// Whether the endpoint answers at all.
    pub(crate) fn probe(&self, http: &Http, timeout: Duration) -> bool {
        let answer = self.models_answer(http, timeout.min(PROBE));
        answer.is_ok_and(|answer| Status::of(answer.status) != Status::Failed)
    }

    /// The models that the endpoint serves.
    ///
    /// # Errors
    /// What came instead, and whether it came from the endpoint.
    pub(crate) fn models(&self, http: &Http, timeout: Duration) -> Result<Vec<String>, (bool, String)> {
        #[derive(Deserialize)]
        struct List {
            data: Vec<Model>,
        }
        #[derive(Deserialize)]
        struct Model {
            id: String,
        }
        let answer = self
            .models_answer(http, timeout)
            .map_err(|message| (false, message))?;
        if Status::of(answer.status) != Status::Fine {
            let said = format!("{}: {}", answer.status, reply::message(&answer.body));
            return Err((true, scrubbed(self.key.as_ref(), &said)));
        }
        let list: List = serde_json::from_slice(&answer.body).map_err(|error| (true, error.to_string()))?;
        Ok(list.data.into_iter().map(|model| model.id).collect())
    }

    fn models_answer(&self, http: &Http, timeout: Duration) -> Result<Answer, String> {
        let url = self.address.join("models");
        let ask = Ask {
            headers: self.headers(),
            timeout: Some(timeout),
            ..Ask::get(&url)
        };
        http.send(ask)
            .map_err(|error| scrubbed(self.key.as_ref(), &error.message))
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        self.key
            .iter()
            .map(|key| ("authorization", key.bearer()))
            .collect()
    }

    /// A message with the endpoint's name before it and without its key.
    pub(crate) fn says(&self, message: &str) -> String {
        format!("{}: {}", self.address, scrubbed(self.key.as_ref(), message))
    }
}
