//! Jobs: many requests handed in at once, and fetched later.
//!
//! They live in this process and end with it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Jobs that may be unfinished at a time.
const UNFINISHED: usize = 256;
/// Finished jobs that are kept; the oldest go first.
const FINISHED: usize = 1_024;

/// How far a job has come.
#[derive(Debug, Default)]
pub(crate) struct Progress(AtomicUsize);

impl Progress {
    pub(crate) fn set(&self, judged: usize) {
        self.0.store(judged, Ordering::Relaxed);
    }
}

/// What has become of a job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum JobState {
    Running,
    /// In the order of the requests.
    Done(Arc<Vec<Value>>),
    Failed(String),
}

#[derive(Debug)]
struct Job {
    id: String,
    started: Duration,
    requests: usize,
    progress: Arc<Progress>,
    state: watch::Receiver<JobState>,
    task: AbortHandle,
}

impl Drop for Job {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A job in a list.
#[derive(Debug)]
pub(crate) struct JobLine {
    pub(crate) id: String,
    pub(crate) started: Duration,
    pub(crate) requests: usize,
    pub(crate) judged: usize,
    pub(crate) state_is_final: bool,
    pub(crate) failed: bool,
}

/// All jobs, in the order they were handed in.
#[derive(Debug)]
pub(crate) struct Jobs {
    jobs: Mutex<BTreeMap<u64, Job>>,
    ids: Mutex<ChaCha8Rng>,
}

impl Jobs {
    /// No jobs. The ids of those to come are drawn from the seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            jobs: Mutex::default(),
            ids: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
        }
    }

    pub(crate) fn unfinished(&self) -> usize {
        unfinished(&self.lock())
    }

    /// Starts a job of so many requests and gives its id; `None` where there are too many.
    pub(crate) fn start<W, F>(&self, requests: usize, now: Duration, work: W) -> Option<String>
    where
        W: FnOnce(Arc<Progress>) -> F,
        F: Future<Output = Result<Vec<Value>, String>> + Send + 'static,
    {
        let mut jobs = self.lock();
        if unfinished(&jobs) >= UNFINISHED {
            return None;
        }
        let finished: Vec<u64> = jobs
            .iter()
            .filter(|(_, job)| *job.state.borrow() != JobState::Running)
            .map(|(&number, _)| number)
            .collect();
        for number in finished
            .iter()
            .take((finished.len() + 1).saturating_sub(FINISHED))
        {
            jobs.remove(number);
        }
        let id = self.id();
        let progress = Arc::new(Progress::default());
        let (tell, state) = watch::channel(JobState::Running);
        let work = work(Arc::clone(&progress));
        let task = tokio::spawn(async move {
            let end = match work.await {
                Ok(verdicts) => JobState::Done(Arc::new(verdicts)),
                Err(why) => JobState::Failed(why),
            };
            // Nobody may be waiting; the state is kept all the same.
            tell.send_replace(end);
        });
        let number = jobs.last_key_value().map_or(0, |(&last, _)| last + 1);
        jobs.insert(
            number,
            Job {
                id: id.clone(),
                started: now,
                requests,
                progress,
                state,
                task: task.abort_handle(),
            },
        );
        Some(id)
    }

    /// A job's state, once it is final or the time is over; `None` where there is no such job, or no longer.
    pub(crate) async fn wait(&self, id: &str, most: Duration) -> Option<JobState> {
        let mut state = {
            let jobs = self.lock();
            jobs.values().find(|job| job.id == id)?.state.clone()
        };
        let ended = async {
            state
                .wait_for(|state| *state != JobState::Running)
                .await
                .ok()
                .map(|state| state.clone())
        };
        match tokio::time::timeout(most, ended).await {
            Ok(state) => state,
            Err(_) => Some(JobState::Running),
        }
    }

    pub(crate) fn list(&self) -> Vec<JobLine> {
        self.lock()
            .values()
            .map(|job| {
                let state = job.state.borrow();
                JobLine {
                    id: job.id.clone(),
                    started: job.started,
                    requests: job.requests,
                    judged: job.progress.0.load(Ordering::Relaxed),
                    state_is_final: *state != JobState::Running,
                    failed: matches!(*state, JobState::Failed(_)),
                }
            })
            .collect()
    }

    /// Ends and forgets all jobs.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// An id that callers cannot guess from others.
    fn id(&self) -> String {
        let mut random = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let (high, low) = (random.next_u64(), random.next_u64());
        let (high, low) = ((high & !0xf000) | 0x4000, (low & !(0b11 << 62)) | (0b10 << 62));
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unfinished(jobs: &BTreeMap<u64, Job>) -> usize {
    jobs.values()
        .filter(|job| *job.state.borrow() == JobState::Running)
        .count()
}
