//! Several endpoints as one model.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rewardanything_core::{Completion, Generate, GenerateError, GenerateJob, Interest};

use crate::RemoteError;
use crate::address::Address;
use crate::bucket::{Bucket, Limits};
use crate::calls;
use crate::endpoint::{Constraint, Endpoint, Outcome};
use crate::health::{Choice, Circuit, Health};
use crate::http::Http;
use crate::key::Keys;
use crate::permits::Permits;
use crate::reply::Reply;
use crate::retry::{MOST_FAILURES, backoff};

/// How long endpoints may take to tell what they serve.
const SETUP: Duration = Duration::from_secs(10);

/// How a pool is used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The model to ask for; without it, the only one that the endpoints serve.
    pub served_model: Option<String>,
    /// The most requests at a time, over all endpoints and callers; at least 1.
    pub concurrency: usize,
    /// How long a job may take from its first request to the end of its last, repetitions and waits included. Waiting
    /// for a free place or for the pool's own limits comes before it.
    pub timeout: Duration,
    /// The most requests in any minute.
    pub requests_per_minute: Option<u64>,
    /// The most tokens in any minute, read and written. A request counts beforehand as an estimate of its prompt and
    /// the most it may write, and afterwards as what it took.
    pub tokens_per_minute: Option<u64>,
    /// Seed of the waits between repetitions. It should differ between processes that share an endpoint.
    pub jitter_seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            served_model: None,
            concurrency: 16,
            timeout: Duration::from_secs(300),
            requests_per_minute: None,
            tokens_per_minute: None,
            jitter_seed: 0,
        }
    }
}

/// One model behind one or several OpenAI-compatible chat endpoints.
///
/// The least loaded endpoint is asked. One that fails is left alone for a growing time and comes back when it answers
/// again; after five failures in a row it has to answer one request before it gets others. What may go better the next
/// time (no connection, 408, 429, 5xx) is repeated after a random wait, or after the `Retry-After` of the server, until
/// the job's time is over; other refusals are not.
pub struct Pool {
    name: String,
    model: String,
    endpoints: Vec<Endpoint>,
    http: Http,
    settings: Settings,
    permits: Permits,
    began: Instant,
    health: Mutex<Health>,
    limits: Mutex<Limits>,
    random: Mutex<ChaCha8Rng>,
    notes: Mutex<Notes>,
}

/// One endpoint of a pool as it is right now, for those who watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Host and port.
    pub name: String,
    /// What it is trusted with.
    pub circuit: Circuit,
    /// Requests that it has not answered yet.
    pub in_flight: usize,
    /// Requests that it answered.
    pub answered: u64,
    /// Requests that it failed or did not answer.
    pub failed: u64,
    /// How often its circuit opened.
    pub opened: u64,
}

#[derive(Default)]
struct Notes {
    seen: HashSet<String>,
    fresh: Vec<String>,
}

/// A job under way.
struct Run<'a> {
    job: &'a GenerateJob,
    /// Asked between attempts: a request that was sent is not taken back.
    interest: &'a Interest,
    /// What one request may cost in tokens.
    estimate: u64,
    began: Instant,
    deadline: Instant,
    attempts: u32,
    failures: u32,
    last: String,
    /// A reply that is all verdict where thinking was asked for; a free one is to show whether that is the form's doing.
    held: Option<Completion>,
}

impl Pool {
    /// A pool over these endpoints. Unless the model is named they are asked what they serve; one that does not answer
    /// is passed over as long as another does.
    ///
    /// # Errors
    /// No endpoint, none that answers, or no single model to ask for.
    pub fn connect(addresses: Vec<Address>, keys: &Keys, settings: Settings) -> Result<Self, RemoteError> {
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
        let bucket = |limit: Option<u64>| limit.map(|limit| Bucket::new(limit, Duration::ZERO));
        Ok(Self {
            name: format!("{model}@{}", hosts.join(",")),
            model,
            http,
            permits: Permits::new(settings.concurrency),
            began: Instant::now(),
            health: Mutex::new(Health::new(endpoints.len())),
            limits: Mutex::new(Limits {
                requests: bucket(settings.requests_per_minute),
                tokens: bucket(settings.tokens_per_minute),
            }),
            random: Mutex::new(ChaCha8Rng::seed_from_u64(settings.jitter_seed)),
            notes: Mutex::default(),
            endpoints,
            settings,
        })
    }

    /// The model that is asked for.
    pub fn served_model(&self) -> &str {
        &self.model
    }

    /// Its endpoints, in the order in which they were given.
    pub fn backends(&self) -> Vec<Backend> {
        let vitals = lock(&self.health).vitals(self.now());
        self.endpoints
            .iter()
            .zip(vitals)
            .map(|(endpoint, vitals)| Backend {
                name: endpoint.address.authority().to_owned(),
                circuit: vitals.circuit,
                in_flight: vitals.in_flight,
                answered: vitals.answered,
                failed: vitals.failed,
                opened: vitals.opened,
            })
            .collect()
    }

    /// What the caller should be told of and has not been told yet: what an endpoint does not take, and what that
    /// means. Each note is given once.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.notes).fresh)
    }

    fn note(&self, note: String) {
        let mut notes = lock(&self.notes);
        if notes.seen.insert(note.clone()) {
            notes.fresh.push(note);
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn answer(&self, job: &GenerateJob, interest: &Interest) -> Result<Completion, GenerateError> {
        let _permit = self.permits.take();
        if interest.is_gone() {
            return Err(GenerateError::Abandoned);
        }
        let read: usize = job.messages.iter().map(|message| message.content.len()).sum();
        let mut run = Run {
            job,
            interest,
            estimate: (read / 4 + job.sampling.max_new_tokens) as u64,
            began: Instant::now(),
            deadline: Instant::now(),
            attempts: 0,
            failures: 0,
            last: "none was sent".to_owned(),
            held: None,
        };
        // Our own limits are no fault of the server's, so waiting for them the first time costs the job nothing.
        self.admit(run.estimate, None);
        run.began = Instant::now();
        run.deadline = run.began + self.settings.timeout;
        let result = self.pursue(&mut run);
        match (result, run.held) {
            // Half of an answer is better than none: what it lacks, the judge will say.
            (Err(_), Some(held)) => Ok(held),
            (result, _) => result,
        }
    }

    fn pursue(&self, run: &mut Run<'_>) -> Result<Completion, GenerateError> {
        loop {
            let index = self.choose(run)?;
            if run.attempts > 0 && !self.admit(run.estimate, Some(run.deadline)) {
                lock(&self.health).unsent(index);
                return Err(self.too_late(run));
            }
            run.attempts += 1;
            let endpoint = &self.endpoints[index];
            let free =
                run.held.is_some() || (run.job.thinking && endpoint.constraint() == Constraint::Swallows);
            let left = run
                .deadline
                .saturating_duration_since(Instant::now())
                .max(Duration::from_millis(1));
            let outcome = endpoint.ask(&self.http, run.job, &self.model, free, left);
            let now = self.now();
            let actual = match &outcome {
                Outcome::Replied(reply) => {
                    (reply.completion.prompt_tokens + reply.completion.completion_tokens) as u64
                }
                _ => 0,
            };
            // A server that does not say what a reply took leaves the estimate standing.
            if actual > 0 || !matches!(outcome, Outcome::Replied(_)) {
                lock(&self.limits).settle(run.estimate, actual);
            }
            {
                let mut health = lock(&self.health);
                match &outcome {
                    Outcome::Failed(wait, _) => {
                        health.failed(index, now);
                        if let Some(wait) = wait {
                            health.pause(index, now + *wait);
                        }
                    }
                    Outcome::Busy(Some(wait), _) => health.pause(index, now + *wait),
                    _ => health.succeeded(index),
                }
                health.ended(index);
            }
            match outcome {
                Outcome::Replied(reply) => {
                    if let Some(completion) = self.accept(endpoint, run, *reply, free) {
                        return Ok(completion);
                    }
                }
                Outcome::Again(note) => self.note(note),
                Outcome::Final(error) => return Err(error),
                Outcome::Busy(Some(_), said) => run.last = said,
                Outcome::Busy(None, said) => self.pause(run, said, false)?,
                Outcome::Failed(_, said) => self.pause(run, said, true)?,
            }
        }
    }

    /// A reply as the job's completion; `None` where a second, free one is to be had first.
    fn accept(&self, endpoint: &Endpoint, run: &mut Run<'_>, reply: Reply, free: bool) -> Option<Completion> {
        let says = |what: &str| self.note(endpoint.says(what));
        if reply.misplaced {
            says(
                "it sends verdicts in the place of reasoning; they are read where they are nothing but the verdict",
            );
        }
        if run.job.form.is_some() && !reply.probabilities && reply.answers {
            says("it sends no log-probabilities, so there are no soft scores");
        }
        let mut completion = reply.completion;
        if let Some(held) = run.held.take() {
            let better = reply.reasons && reply.answers;
            endpoint.set_constraint(if better {
                Constraint::Swallows
            } else {
                Constraint::Harmless
            });
            says(if better {
                "held to the form of a verdict the model cannot think, so replies that think are left free (vLLM and \
                 SGLang hold only what follows the thinking when started with a reasoning parser)"
            } else {
                "thinking was asked for, and replies hold none"
            });
            let (mut chosen, other) = if better {
                (completion, held)
            } else {
                (held, completion)
            };
            chosen.prompt_tokens += other.prompt_tokens;
            chosen.completion_tokens += other.completion_tokens;
            return Some(chosen);
        }
        let complete = completion.finish == rewardanything_core::FinishReason::Stop;
        let odd = run.job.form.is_some() && run.job.thinking && !free && complete;
        if odd && !(reply.reasons && reply.answers) && endpoint.constraint() == Constraint::Unknown {
            run.held = Some(std::mem::replace(&mut completion, empty()));
            return None;
        }
        if odd && reply.reasons && reply.answers {
            endpoint.set_constraint(Constraint::Harmless);
        }
        Some(completion)
    }

    /// An endpoint to ask, waiting for one if need be.
    fn choose(&self, run: &Run<'_>) -> Result<usize, GenerateError> {
        loop {
            if run.interest.is_gone() {
                return Err(GenerateError::Abandoned);
            }
            let left = run.deadline.saturating_duration_since(Instant::now());
            let choice = lock(&self.health).choose(self.now());
            match choice {
                Choice::Ask(index) => return Ok(index),
                Choice::Probe(index) => {
                    let back = self.endpoints[index].probe(&self.http, left.max(Duration::from_millis(1)));
                    let mut health = lock(&self.health);
                    if back {
                        health.is_there(index);
                        return Ok(index);
                    }
                    health.failed(index, self.now());
                    health.ended(index);
                }
                Choice::Wait(until) => {
                    let wait = until.saturating_sub(self.now());
                    if wait >= left {
                        return Err(self.too_late(run));
                    }
                    // Everybody waits for the same moment; a little later each, they do not arrive as one.
                    let spread: f64 = lock(&self.random).random();
                    thread::sleep(wait + (wait / 10).mul_f64(spread));
                }
            }
        }
    }

    /// Waits before a repetition.
    fn pause(&self, run: &mut Run<'_>, said: String, failed: bool) -> Result<(), GenerateError> {
        run.last = said;
        run.failures += 1;
        let wait = backoff(run.failures, &mut *lock(&self.random));
        let left = run.deadline.saturating_duration_since(Instant::now());
        if wait >= left || (failed && run.failures >= MOST_FAILURES) {
            return Err(self.too_late(run));
        }
        thread::sleep(wait);
        Ok(())
    }

    /// Waits until the limits let a request through. False, and nothing is taken, if that is later than the deadline.
    fn admit(&self, tokens: u64, deadline: Option<Instant>) -> bool {
        loop {
            let taken = lock(&self.limits).take(tokens, self.now());
            let Err(wait) = taken else { return true };
            if deadline.is_some_and(|deadline| Instant::now() + wait >= deadline) {
                return false;
            }
            thread::sleep(wait);
        }
    }

    fn too_late(&self, run: &Run<'_>) -> GenerateError {
        if run.failures >= MOST_FAILURES {
            return GenerateError::Backend(format!(
                "{} attempts failed; the last one: {}",
                run.attempts, run.last
            ));
        }
        GenerateError::Deadline {
            seconds: self.settings.timeout.as_secs(),
            attempts: run.attempts,
            last: run.last.clone(),
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name)
            .field("endpoints", &self.endpoints)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Generate for Pool {
    fn name(&self) -> &str {
        &self.name
    }

    fn generate(&self, jobs: &[GenerateJob]) -> Vec<Result<Completion, GenerateError>> {
        self.generate_for(jobs, &Interest::default())
    }

    fn generate_for(
        &self,
        jobs: &[GenerateJob],
        interest: &Interest,
    ) -> Vec<Result<Completion, GenerateError>> {
        // A server that judges one request after the other need not start a thread for each.
        if let [job] = jobs {
            return vec![self.answer(job, interest)];
        }
        let next = AtomicUsize::new(0);
        let answers: Vec<Mutex<Option<Result<Completion, GenerateError>>>> =
            jobs.iter().map(|_| Mutex::new(None)).collect();
        // Its threads ask for whom this one does.
        let here = calls::here();
        thread::scope(|scope| {
            for _ in 0..self.settings.concurrency.clamp(1, jobs.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(job) = jobs.get(index) else { break };
                        let answer = here.within(|| self.answer(job, interest));
                        *lock(&answers[index]) = Some(answer);
                    }
                });
            }
        });
        answers
            .into_iter()
            .map(|answer| {
                let answer = answer.into_inner().unwrap_or_else(PoisonError::into_inner);
                answer.expect("every job was taken by a thread. This is a bug.")
            })
            .collect()
    }
}

fn empty() -> Completion {
    Completion {
        text: String::new(),
        prompt_tokens: 0,
        completion_tokens: 0,
        finish: rewardanything_core::FinishReason::Stop,
        distributions: Vec::new(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one model that all endpoints which answer serve.
pub(crate) fn only_model(endpoints: &[Endpoint], http: &Http) -> Result<String, RemoteError> {
    let mut found: Option<(String, String)> = None;
    let mut silent = Vec::new();
    for endpoint in endpoints {
        let address = endpoint.address.to_string();
        let models = match endpoint.models(http, SETUP) {
            Ok(models) => models,
            Err((false, message)) => {
                silent.push(format!("{address}: {message}"));
                continue;
            }
            Err((true, message)) => {
                return Err(RemoteError::NoList {
                    endpoint: address,
                    message,
                });
            }
        };
        let [model] = &models[..] else {
            return Err(if models.is_empty() {
                RemoteError::NoList {
                    endpoint: address,
                    message: "the list is empty".to_owned(),
                }
            } else {
                RemoteError::SeveralModels {
                    endpoint: address,
                    models,
                }
            });
        };
        match &found {
            Some((first_endpoint, first)) if first != model => {
                return Err(RemoteError::DifferentModels {
                    first_endpoint: first_endpoint.clone(),
                    first: first.clone(),
                    second_endpoint: address,
                    second: model.clone(),
                });
            }
            Some(_) => {}
            None => found = Some((address, model.clone())),
        }
    }
    found
        .map(|(_, model)| model)
        .ok_or(RemoteError::Unreachable(silent))
}
