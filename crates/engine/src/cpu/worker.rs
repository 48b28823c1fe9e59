//! The thread that computes: rows of all callers go through its passes together.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rewardanything_core::Interest;

use super::schedule::{Activity, Request, Scheduler};
use super::{CpuModel, PrefixCache};
use crate::EngineError;
use crate::row::{Row, TokenJob, TokenReply};

type Result<T> = std::result::Result<T, EngineError>;

/// Submissions that may queue before a caller has to wait. What waits for its turn is bounded by the callers.
const QUEUE: usize = 64;

/// How a [`Worker`] runs.
#[derive(Debug, Clone, Copy)]
pub struct WorkerOptions {
    /// Threads that compute; 0 means one for each processor.
    pub threads: usize,
    /// Bound on the tokens that all running rows may come to hold; a single row may exceed it.
    pub max_tokens: usize,
    /// Bytes for the beginnings of prompts that later prompts may share.
    pub prefix_cache_bytes: usize,
}

/// A model on a thread of its own. Dropping it ends the thread once the pass that is going on is done.
pub struct Worker {
    model: Arc<CpuModel>,
    activity: Arc<Activity>,
    /// `None` only while it is being dropped.
    submissions: Option<Mutex<SyncSender<Vec<Request>>>>,
    thread: Option<JoinHandle<()>>,
}

/// Replies on their way. Dropped before they are all there, it takes the unfinished rows with it; those of a caller
/// whose [`Interest`] is gone never come.
#[derive(Debug)]
pub struct Replies {
    receiver: Receiver<(usize, Result<TokenReply>)>,
    left: usize,
    /// Where no other interest in them was named.
    _ticket: Option<Arc<()>>,
}

impl Worker {
    /// Starts the thread. Replies end at one of the `stop` tokens.
    ///
    /// # Errors
    /// [`EngineError::Call`] when the system gives no thread.
    pub fn start(model: CpuModel, stop: Vec<u32>, options: WorkerOptions) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| EngineError::Call(format!("no thread: {error}"));
        // A pool of its own, in which the scheduler sits too: it can wait for work there without taking a thread away
        // from anyone, and hands out its loops without waking a sleeper first.
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .thread_name(|index| format!("engine-{index}"))
            .build()
            .map_err(|error| failed(&error))?;
        let (sender, receiver) = mpsc::sync_channel(QUEUE);
        let (model, activity) = (Arc::new(model), Arc::new(Activity::default()));
        let mut scheduler = Scheduler::new(
            Arc::clone(&model),
            PrefixCache::new(options.prefix_cache_bytes),
            stop,
            options.max_tokens,
            Arc::clone(&activity),
        );
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || pool.install(move || run(&mut scheduler, &receiver)))
            .map_err(|error| failed(&error))?;
        Ok(Self {
            model,
            activity,
            submissions: Some(Mutex::new(sender)),
            thread: Some(thread),
        })
    }

    /// The model.
    pub fn model(&self) -> &CpuModel {
        &self.model
    }

    /// What it is doing.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Hands in jobs. Their replies come as they finish, each with the place of its job; a job that fails leaves the
    /// others alone.
    ///
    /// Per job: [`EngineError::Call`] for a prompt that is empty or leaves no room in the context,
    /// [`EngineError::TokenOutOfRange`], [`EngineError::NotFinite`].
    pub fn submit(&self, jobs: &[TokenJob]) -> Replies {
        self.submit_for(jobs, &Interest::default())
    }

    /// As [`Worker::submit`]; rows end, too, when the interest in them is gone.
    pub fn submit_for(&self, jobs: &[TokenJob], interest: &Interest) -> Replies {
        let (sender, receiver) = mpsc::channel();
        let own = interest.ticket().is_none().then(|| Arc::new(()));
        let ticket = match (interest.ticket(), &own) {
            (Some(ticket), _) => ticket.clone(),
            (None, own) => own.as_ref().map(Arc::downgrade).unwrap_or_default(),
        };
        let mut requests = Vec::with_capacity(jobs.len());
        for (index, job) in jobs.iter().enumerate() {
            match Row::new(self.model.config(), index, job) {
                Ok(row) => requests.push(Request {
                    row,
                    sender: sender.clone(),
                    ticket: ticket.clone(),
                }),
                Err(error) => sender
                    .send((index, Err(error)))
                    .expect("the receiver is here. This is a bug."),
            }
        }
        if let Some(submissions) = &self.submissions {
            let submissions = submissions.lock().unwrap_or_else(PoisonError::into_inner);
            // Without a thread the senders are gone, which the receiver reports.
            let _ = submissions.send(requests);
        }
        Replies {
            receiver,
            left: jobs.len(),
            _ticket: own,
        }
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("model", &self.model)
            .field("activity", &self.activity)
            .finish_non_exhaustive()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.submissions = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported where it happened.
            let _ = thread.join();
        }
    }
}

impl Replies {
    /// Waits for all of them, in the order of the jobs.
    pub fn wait(mut self) -> Vec<Result<TokenReply>> {
        let mut replies: Vec<Option<Result<TokenReply>>> = (0..self.left).map(|_| None).collect();
        for (index, reply) in self.by_ref() {
            replies[index] = Some(reply);
        }
        let lost = || EngineError::Call("the engine's thread has ended".to_owned());
        replies
            .into_iter()
            .map(|reply| reply.unwrap_or_else(|| Err(lost())))
            .collect()
    }
}

impl Iterator for Replies {
    type Item = (usize, Result<TokenReply>);

    /// Waits for the next that is done; `None` after the last, and when the engine is gone.
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        self.receiver.recv().ok()
    }
}

/// Until nobody can submit any more.
fn run(scheduler: &mut Scheduler, submissions: &Receiver<Vec<Request>>) {
    loop {
        if scheduler.is_idle() {
            match submissions.recv() {
                Ok(requests) => scheduler.submit(requests),
                Err(mpsc::RecvError) => return,
            }
        }
        loop {
            match submissions.try_recv() {
                Ok(requests) => scheduler.submit(requests),
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => return,
            }
        }
        scheduler.pass();
    }
}
