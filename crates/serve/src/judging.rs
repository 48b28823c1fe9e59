//! The way to the judge: a bounded queue, so many at a time, and nobody judged for who has gone.
//!
//! A judge blocks its thread, so each request that is being judged has one of the runtime's blocking threads. Those of
//! all callers are in the engine, or on their way to servers, at the same time; it is there that they are batched.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rewardanything_core::{
    Completion, Generate, GenerateError, GenerateJob, Interest, Judge, JudgeError, JudgeRequest, Judgment,
    Mask, Profile, Repeats, Waiter,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::cache::{Cache, Remembering};
use crate::metrics::{Metrics, Stage};
use crate::spans;

/// A model and how it is spoken to, owned.
#[derive(Clone)]
pub struct Setup {
    /// The model.
    pub model: Arc<dyn Generate>,
    /// How it is spoken to.
    pub profile: Profile,
    /// Seed of the order in which it sees responses.
    pub seed: u64,
    /// How often it is asked about each request.
    pub repeats: Repeats,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("model", &self.model.name())
            .field("profile", &self.profile.name)
            .finish_non_exhaustive()
    }
}

/// What a request does when all places are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused: a caller of its own can come back.
    Refuse,
    /// It waits: part of something larger that was let in already.
    Wait,
}

/// Why a request was not judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotJudged {
    /// The queue is full.
    #[error("{waiting} requests are waiting already, as many as may; come back later")]
    Full {
        /// How many wait.
        waiting: usize,
    },
    /// It took too long.
    #[error("no verdict within {seconds} s")]
    Late {
        /// The most that a request may take.
        seconds: u64,
    },
}

/// A judgment and how long it took.
#[derive(Debug)]
pub struct Judged {
    /// What was made of the request.
    pub judgment: Judgment,
    /// From the judge's taking it to the verdict.
    pub spent: Duration,
    /// It was judged before, and the model was not asked.
    pub remembered: bool,
}

/// A judge for many callers.
#[derive(Debug)]
pub struct Judging {
    setup: Setup,
    limits: Limits,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    metrics: Arc<Metrics>,
    cache: Option<Arc<Cache>>,
}

/// How much is taken on at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests that are judged at the same time; at least 1.
    pub slots: usize,
    /// Requests that may wait for one of the slots.
    pub queue: usize,
    /// The longest that a request may take, waiting included.
    pub deadline: Duration,
}

impl Judging {
    /// A queue before a judge, and what is remembered of its verdicts.
    pub(crate) fn new(
        setup: Setup,
        limits: Limits,
        metrics: Arc<Metrics>,
        cache: Option<Arc<Cache>>,
    ) -> Self {
        Self {
            cache,
            setup,
            slots: Arc::new(Semaphore::new(limits.slots.max(1))),
            limits,
            waiting: AtomicUsize::new(0),
            metrics,
        }
    }

    /// The model and how it is spoken to.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Requests that wait, and requests that are being judged.
    pub fn load(&self) -> (usize, usize) {
        let free = self.slots.available_permits();
        (
            self.waiting.load(Ordering::Relaxed),
            self.limits.slots.max(1).saturating_sub(free),
        )
    }

    /// How many are judged at a time.
    pub fn slots(&self) -> usize {
        self.limits.slots.max(1)
    }

    /// Judges a request when its turn comes. Dropping the future takes the request back, from the queue or from the
    /// judge.
    ///
    /// # Errors
    /// The queue is full and the request does not wait, or its time is over. What goes wrong in judging stands in the
    /// judgment.
    pub async fn judge(&self, request: Arc<JudgeRequest>, when_full: WhenFull) -> Result<Judged, NotJudged> {
        if let Some(judged) = self.remembered(&request) {
            return Ok(judged);
        }
        let (setup, cache) = (self.setup.clone(), self.cache.clone());
        let asked = Arc::clone(&request);
        let work = move |interest: &Interest| {
            let Some(cache) = cache else {
                return judged(&setup, setup.model.as_ref(), &asked, interest);
            };
            let remembering = Remembering::asking(&cache, setup.model.as_ref());
            let judgment = judged(&setup, &remembering, &asked, interest);
            if judgment.as_ref().is_some_and(|judgment| judgment.verdict.is_ok()) {
                cache.keep(remembering.into_fresh());
            }
            judgment
        };
        let (judgment, spent) = self.run(work, when_full).await?;
        let judgment = judgment.flatten().unwrap_or_else(|| Judgment {
            completion: None,
            verdict: Err(JudgeError::Generate(broken())),
            mask: Mask::identity(request.responses().len()),
            votes: None,
        });
        self.metrics.judgment(&judgment);
        Ok(Judged {
            judgment,
            spent,
            remembered: false,
        })
    }

    /// The verdict on a request that was judged before. It needs no place and no turn: reading takes less than waiting.
    fn remembered(&self, request: &JudgeRequest) -> Option<Judged> {
        let cache = self.cache.as_deref()?;
        let began = Instant::now();
        let remembering = Remembering::alone(cache, self.setup.model.as_ref());
        let judgment = judged(&self.setup, &remembering, request, &Interest::default())?;
        let hit = remembering.knew_all() && judgment.verdict.is_ok();
        cache.count(hit);
        if hit {
            spans::note("remembered");
        }
        hit.then(|| Judged {
            judgment,
            spent: began.elapsed(),
            remembered: true,
        })
    }

    /// Has the model write a text when its turn comes.
    ///
    /// # Errors
    /// As [`Judging::judge`]; within, what went wrong in writing.
    pub async fn generate(
        &self,
        job: GenerateJob,
        when_full: WhenFull,
    ) -> Result<Result<Completion, GenerateError>, NotJudged> {
        let model = Arc::clone(&self.setup.model);
        let work = move |interest: &Interest| model.generate_for(std::slice::from_ref(&job), interest).pop();
        let (completion, _) = self.run(work, when_full).await?;
        Ok(completion.flatten().unwrap_or_else(|| Err(broken())))
    }

    /// Has work done on a thread that may block, in its turn and its time. `None` where it panicked: a panic behind the
    /// seam is one request's failure.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Interest) -> T + Send + 'static,
        when_full: WhenFull,
    ) -> Result<(Option<T>, Duration), NotJudged> {
        let arrived = Instant::now();
        let late = NotJudged::Late {
            seconds: self.limits.deadline.as_secs(),
        };
        let queue = spans::stage("queue");
        let slot = tokio::time::timeout(self.limits.deadline, self.slot(when_full));
        let slot = slot.await.map_err(|_| late.clone())??;
        queue.end();
        self.metrics.stage(Stage::Queue, arrived.elapsed());
        let began = Instant::now();
        let judge = spans::stage("judge");
        let aside = judge.aside();
        // Dropped with this future, it tells those who work that nobody waits.
        let waiter = Waiter::default();
        let interest = waiter.interest();
        let task = tokio::task::spawn_blocking(move || {
            let done = aside.run(|| work(&interest));
            // Given back here, so that the place stays taken for as long as there is work, whoever waits for it.
            drop(slot);
            done
        });
        let left = self.limits.deadline.saturating_sub(arrived.elapsed());
        let done = tokio::time::timeout(left, task).await.map_err(|_| late)?;
        let spent = began.elapsed();
        judge.end();
        self.metrics.stage(Stage::Judge, spent);
        Ok((done.ok(), spent))
    }

    async fn slot(&self, when_full: WhenFull) -> Result<OwnedSemaphorePermit, NotJudged> {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(slot);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Counted(&self.waiting);
        if when_full == WhenFull::Refuse && before >= self.limits.queue {
            return Err(NotJudged::Full { waiting: before });
        }
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        Ok(slot.expect("the semaphore is never closed. This is a bug."))
    }
}

fn judged(
    setup: &Setup,
    model: &dyn Generate,
    request: &JudgeRequest,
    interest: &Interest,
) -> Option<Judgment> {
    let judge = Judge::new(model, setup.profile.clone(), setup.seed).with_repeats(setup.repeats);
    judge
        .judge_batch_for(std::slice::from_ref(request), interest)
        .pop()
}

fn broken() -> GenerateError {
    GenerateError::Backend("the judge broke down over this request".to_owned())
}

/// One that is counted for as long as this lives.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
