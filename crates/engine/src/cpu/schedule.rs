//! Continuous batching: every pass takes the newest tokens of all running rows and fills up with pieces of prompts.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak, mpsc};

use super::{CpuModel, Part, PrefixCache, Sequence, Wanted};
use crate::EngineError;
use crate::row::{Row, Step, TokenReply};

type Result<T> = std::result::Result<T, EngineError>;

/// Tokens of a pass: enough that reading the weights is cheap beside using them, few enough that running rows do not
/// wait long for a prompt.
const PASS_TOKENS: usize = 512;

/// A row that waits to run, and where its reply goes.
pub(crate) struct Request {
    pub(crate) row: Row,
    pub(crate) sender: mpsc::Sender<(usize, Result<TokenReply>)>,
    /// Dead once nobody waits for the reply.
    pub(crate) ticket: Weak<()>,
}

impl Request {
    fn is_abandoned(&self) -> bool {
        self.ticket.strong_count() == 0
    }

    fn answer(self, reply: Result<TokenReply>) {
        // Whoever has stopped listening needs no reply.
        let _ = self.sender.send((self.row.job(), reply));
    }
}

struct Running {
    request: Request,
    sequence: Sequence,
}

impl Running {
    fn pending(&self) -> usize {
        self.request.row.tokens().len() - self.sequence.len()
    }

    fn reads_prompt(&self) -> bool {
        self.sequence.len() < self.request.row.prompt().len()
    }
}

/// What the scheduler is doing, for other threads to look at.
#[derive(Debug, Default)]
pub struct Activity {
    waiting: AtomicUsize,
    running: AtomicUsize,
    cached_bytes: AtomicUsize,
    reused_tokens: AtomicU64,
    computed_tokens: AtomicU64,
}

impl Activity {
    /// Rows that have not begun.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Rows on their way.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Bytes of the beginnings of prompts that are kept.
    pub fn cached_bytes(&self) -> usize {
        self.cached_bytes.load(Ordering::Relaxed)
    }

    /// Tokens of prompts that did not have to be computed, since the beginning.
    pub fn reused_tokens(&self) -> u64 {
        self.reused_tokens.load(Ordering::Relaxed)
    }

    /// Tokens computed, since the beginning.
    pub fn computed_tokens(&self) -> u64 {
        self.computed_tokens.load(Ordering::Relaxed)
    }
}

/// Rows, and when each takes part in a pass.
pub(crate) struct Scheduler {
    model: Arc<CpuModel>,
    prefixes: PrefixCache,
    stop: Vec<u32>,
    /// Bound on the tokens that all running rows may come to hold; a single row may exceed it.
    max_tokens: usize,
    waiting: VecDeque<Request>,
    running: Vec<Running>,
    activity: Arc<Activity>,
}

impl Scheduler {
    pub(crate) fn new(
        model: Arc<CpuModel>,
        prefixes: PrefixCache,
        stop: Vec<u32>,
        max_tokens: usize,
        activity: Arc<Activity>,
    ) -> Self {
        Self {
            model,
            prefixes,
            stop,
            max_tokens,
            waiting: VecDeque::new(),
            running: Vec::new(),
            activity,
        }
    }

    pub(crate) fn submit(&mut self, requests: Vec<Request>) {
        self.waiting.extend(requests);
        self.report();
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    /// Lets go of abandoned rows, lets waiting ones in, and takes every running row one pass further.
    pub(crate) fn pass(&mut self) {
        self.waiting.retain(|request| !request.is_abandoned());
        self.running.retain(|running| !running.request.is_abandoned());
        self.admit();
        if !self.running.is_empty() {
            self.compute();
        }
        self.report();
    }

    fn report(&self) {
        let activity = &self.activity;
        activity.waiting.store(self.waiting.len(), Ordering::Relaxed);
        activity.running.store(self.running.len(), Ordering::Relaxed);
        activity
            .cached_bytes
            .store(self.prefixes.bytes(), Ordering::Relaxed);
        activity
            .reused_tokens
            .store(self.prefixes.hits(), Ordering::Relaxed);
    }

    /// Lets rows in, in order, while the next pass and the memory have room. A row whose beginning another one is
    /// reading right now waits for it.
    fn admit(&mut self) {
        let mut pending: usize = self.running.iter().map(Running::pending).sum();
        let mut held: usize = self
            .running
            .iter()
            .map(|running| running.request.row.expected())
            .sum();
        let mut next = 0;
        while next < self.waiting.len() && pending < PASS_TOKENS {
            let row = &self.waiting[next].row;
            if !self.running.is_empty() && held + row.expected() > self.max_tokens {
                return;
            }
            let known = self.prefixes.matching(row.prompt());
            let soon = self.running.iter().filter(|running| {
                let length = running.request.row.prompt().len();
                running.reads_prompt() && self.prefixes.has_room_for(length, &running.sequence)
            });
            let soon = soon
                .map(|running| common(running.request.row.prompt(), row.prompt()))
                .max();
            if soon.is_some_and(|soon| soon > known + rewardanything_kernels::PAGE / 2) {
                next += 1;
                continue;
            }
            let Some(request) = self.waiting.remove(next) else {
                return;
            };
            let mut sequence = self.model.sequence();
            self.prefixes.restore(request.row.prompt(), &mut sequence);
            held += request.row.expected();
            let running = Running { request, sequence };
            pending += running.pending();
            self.running.push(running);
        }
    }

    /// How many tokens of each running row the next pass takes.
    fn shares(&self) -> Vec<usize> {
        let mut left = PASS_TOKENS;
        let mut shares = vec![0; self.running.len()];
        // Rows that write come first: they are nearest to their end.
        for reads_prompt in [false, true] {
            for (share, running) in shares.iter_mut().zip(&self.running) {
                if running.reads_prompt() == reads_prompt {
                    *share = running.pending().min(left);
                    left -= *share;
                }
            }
        }
        shares
    }

    /// One pass, after which every row that has all its tokens read takes its next.
    fn compute(&mut self) {
        let shares = self.shares();
        let taking = |share: &usize| *share > 0;
        let mut parts: Vec<Part<'_>> = self
            .running
            .iter_mut()
            .zip(&shares)
            .filter(|(_, share)| taking(share))
            .map(|(running, &share)| {
                let Running { request, sequence } = running;
                let pending = &request.row.tokens()[sequence.len()..];
                Part {
                    tokens: &pending[..share],
                    wanted: if share == pending.len() {
                        request.row.wanted()
                    } else {
                        Wanted::Nothing
                    },
                    sequence,
                }
            })
            .collect();
        let computed: usize = shares.iter().sum();
        let logits = match self.model.forward(&mut parts) {
            Ok(logits) => logits,
            Err(error) => return self.fail(&error),
        };
        self.activity
            .computed_tokens
            .fetch_add(computed as u64, Ordering::Relaxed);
        let mut logits = logits.into_iter();
        let mut running = Vec::with_capacity(self.running.len());
        for (mut row, share) in std::mem::take(&mut self.running).into_iter().zip(&shares) {
            if !taking(share) {
                running.push(row);
                continue;
            }
            self.remember(&row, *share);
            let own = logits.next().and_then(|mut positions| positions.pop());
            match own.map(|logits| row.request.row.step(&logits, &self.stop)) {
                None | Some(Ok(Step::Running)) => running.push(row),
                Some(Ok(Step::Done(reply))) => row.request.answer(Ok(reply)),
                Some(Err(error)) => row.request.answer(Err(error)),
            }
        }
        self.running = running;
    }

    /// Keeps what a row has read of its prompt for others: page by page, so that they need not wait for its end.
    fn remember(&mut self, row: &Running, share: usize) {
        let prompt = row.request.row.prompt();
        let read = row.sequence.len();
        if read - share >= prompt.len() {
            return;
        }
        let whole = if read < prompt.len() {
            read / rewardanything_kernels::PAGE * rewardanything_kernels::PAGE
        } else {
            prompt.len()
        };
        self.prefixes.insert(&prompt[..whole], &row.sequence);
    }

    /// A pass only fails on tokens that [`Row::new`] has checked, so this is no one row's fault.
    fn fail(&mut self, error: &EngineError) {
        for running in self.running.drain(..) {
            running.request.answer(Err(EngineError::Call(error.to_string())));
        }
    }
}

fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rewardanything_core::Sampling;
    use rewardanything_kernels::Numerics;

    use super::*;
    use crate::row::TokenJob;
    use crate::{Config, Weights};

    fn model() -> Arc<CpuModel> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny-tied");
        let config = Config::from_json(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
        Arc::new(CpuModel::new(&config, &Weights::open(&folder).unwrap(), Numerics::Native).unwrap())
    }

    fn scheduler(budget: usize) -> Scheduler {
        Scheduler::new(
            model(),
            PrefixCache::new(budget),
            Vec::new(),
            10_000,
            Arc::default(),
        )
    }

    fn job(prompt: Vec<u32>, max_new_tokens: usize) -> TokenJob {
        TokenJob {
            prompt,
            sampling: Sampling {
                max_new_tokens,
                ..Sampling::default()
            },
            log_probabilities: false,
            guide: None,
        }
    }

    type Replies = mpsc::Receiver<(usize, Result<TokenReply>)>;

    fn submit(scheduler: &mut Scheduler, jobs: &[TokenJob], ticket: &Arc<()>) -> Replies {
        let (sender, receiver) = mpsc::channel();
        let request = |(index, job): (usize, &TokenJob)| Request {
            row: Row::new(scheduler.model.config(), index, job).unwrap(),
            sender: sender.clone(),
            ticket: Arc::downgrade(ticket),
        };
        let requests = jobs.iter().enumerate().map(request).collect();
        scheduler.submit(requests);
        receiver
    }

    /// Rows that begin alike, let in together, are read once up to where they part.
    #[test]
    fn a_common_beginning_is_read_once() {
        let shared: Vec<u32> = (0..100).collect();
        let jobs: Vec<TokenJob> = (0..5)
            .map(|own| job([&shared[..], &[200 + own, 7]].concat(), 3))
            .collect();
        for (budget, read_once) in [(1 << 24, 4 * 100), (0, 0)] {
            let mut scheduler = scheduler(budget);
            let ticket = Arc::new(());
            let replies = submit(&mut scheduler, &jobs, &ticket);
            while !scheduler.is_idle() {
                scheduler.pass();
            }
            assert!(replies.try_iter().all(|(_, reply)| reply.is_ok()));
            let activity = &scheduler.activity;
            assert_eq!(activity.reused_tokens(), read_once, "budget {budget}");
            assert_eq!(activity.computed_tokens(), 5 * (102 + 2) - read_once);
        }
    }

    /// Whoever stops waiting for a reply takes its rows along, running or not, and the memory that they hold.
    #[test]
    fn abandoned_rows_leave_with_the_next_pass() {
        let mut scheduler = scheduler(0);
        scheduler.max_tokens = 170;
        let (kept, dropped) = (Arc::new(()), Arc::new(()));
        let prompt = |first: u32| (first..first + 20).collect::<Vec<u32>>();
        let long: Vec<TokenJob> = (0..3).map(|i| job(prompt(i), 130)).collect();
        let abandoned = submit(&mut scheduler, &long, &dropped);
        let replies = submit(&mut scheduler, &[job(prompt(9), 2)], &kept);
        for _ in 0..3 {
            scheduler.pass();
        }
        let activity = Arc::clone(&scheduler.activity);
        assert_eq!(
            (activity.running(), activity.waiting()),
            (1, 3),
            "one row fills the room"
        );
        drop(dropped);
        scheduler.pass();
        assert_eq!(
            (activity.running(), activity.waiting()),
            (1, 0),
            "the other user's row runs"
        );
        while !scheduler.is_idle() {
            scheduler.pass();
        }
        assert_eq!(replies.try_iter().count(), 1);
        assert_eq!(abandoned.try_iter().count(), 0);
    }
}
