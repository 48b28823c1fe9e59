//! Continuous batching: every pass takes the newest tokens of all running rows and fills up with pieces of prompts.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak, mpsc};

use super::draft::Draft;
use super::{CpuModel, Part, PrefixCache, Sequence, Wanted};
use crate::EngineError;
use crate::row::{Row, Step, TokenReply};

type Result<T> = std::result::Result<T, EngineError>;

/// Tokens of a pass: enough that reading the weights is cheap beside using them, few enough that running rows do not
/// wait long for a prompt.
const PASS_TOKENS: usize = 512;

/// Guessed tokens of a pass at most: prompts, whose tokens are sure to be needed, have a right to the rest.
const PASS_GUESSES: usize = PASS_TOKENS / 2;

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
    draft: Draft,
}

impl Running {
    fn pending(&self) -> usize {
        self.request.row.tokens().len() - self.sequence.len()
    }

    fn reads_prompt(&self) -> bool {
        self.sequence.len() < self.request.row.prompt().len()
    }

    /// Takes the next token from the logits of the last one put in, and one from those of each guess that came true.
    fn advance(&mut self, feed: &Feed, logits: &[Vec<f32>], stop: &[u32]) -> Result<Step> {
        let row = &mut self.request.row;
        let (known, guesses) = feed.tokens.split_at(feed.tokens.len() - feed.guessed);
        let first = self.sequence.len() - feed.tokens.len();
        let mut right = 0;
        for logits in logits {
            let written = row.tokens().len();
            if let Step::Done(reply) = row.step(logits, stop)? {
                return Ok(Step::Done(reply));
            }
            // What a form forces behind a guess was not in this pass.
            let as_guessed = row.tokens()[written..]
                .iter()
                .eq(guesses.get(right..=right).unwrap_or_default());
            if !as_guessed || row.tokens().len() == written {
                break;
            }
            right += 1;
        }
        self.sequence.truncate(first + known.len() + right);
        self.draft.learn(right);
        Ok(Step::Running)
    }
}

/// What a row puts into a pass.
#[derive(Default)]
struct Feed {
    tokens: Vec<u32>,
    /// So many of them, the last, are guesses.
    guessed: usize,
    /// Whether nothing that is known of the row is left behind.
    ends: bool,
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
    /// Whether rows guess ahead. It changes no reply.
    guesses: bool,
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
            guesses: true,
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
            let running = Running {
                request,
                sequence,
                draft: Draft::new(),
            };
            pending += running.pending();
            self.running.push(running);
        }
    }

    /// What each running row puts into the next pass.
    fn feeds(&mut self) -> Vec<Feed> {
        let mut left = PASS_TOKENS;
        let mut feeds: Vec<Feed> = self.running.iter().map(|_| Feed::default()).collect();
        // Rows that write come first: they are nearest to their end.
        for reads_prompt in [false, true] {
            for (feed, running) in feeds.iter_mut().zip(&self.running) {
                if running.reads_prompt() == reads_prompt {
                    let pending = &running.request.row.tokens()[running.sequence.len()..];
                    feed.tokens.extend(&pending[..pending.len().min(left)]);
                    feed.ends = feed.tokens.len() == pending.len();
                    left -= feed.tokens.len();
                }
            }
            if !reads_prompt && self.guesses {
                left -= self.guess(&mut feeds, left.min(PASS_GUESSES));
            }
        }
        feeds
    }

    /// Lets rows that write add guesses to what they put in; returns how many.
    fn guess(&mut self, feeds: &mut [Feed], room: usize) -> usize {
        let mut left = room;
        for (feed, running) in feeds.iter_mut().zip(&mut self.running) {
            let row = &running.request.row;
            if feed.ends && !running.reads_prompt() {
                let guess = running.draft.guess(row.tokens(), row.room_to_guess().min(left));
                feed.tokens.extend(guess);
                feed.guessed = guess.len();
                left -= guess.len();
            }
        }
        room - left
    }

    /// One pass, after which every row that has all its tokens read takes its next, and more where it guessed right.
    fn compute(&mut self) {
        let feeds = self.feeds();
        let mut parts: Vec<Part<'_>> = self
            .running
            .iter_mut()
            .zip(&feeds)
            .filter(|(_, feed)| !feed.tokens.is_empty())
            .map(|(running, feed)| Part {
                tokens: &feed.tokens,
                wanted: match (feed.ends, feed.guessed) {
                    (false, _) => Wanted::Nothing,
                    (true, 0) => running.request.row.wanted(),
                    (true, guessed) => Wanted::Tail(1 + guessed),
                },
                sequence: &mut running.sequence,
            })
            .collect();
        let logits = match self.model.forward(&mut parts) {
            Ok(logits) => logits,
            Err(error) => return self.fail(&error),
        };
        let computed: usize = feeds.iter().map(|feed| feed.tokens.len()).sum();
        self.activity
            .computed_tokens
            .fetch_add(computed as u64, Ordering::Relaxed);
        let mut logits = logits.into_iter();
        let mut running = Vec::with_capacity(self.running.len());
        for (mut row, feed) in std::mem::take(&mut self.running).into_iter().zip(&feeds) {
            if feed.tokens.is_empty() {
                running.push(row);
                continue;
            }
            self.remember(&row, feed.tokens.len());
            match row.advance(feed, &logits.next().unwrap_or_default(), &self.stop) {
                Ok(Step::Running) => running.push(row),
                Ok(Step::Done(reply)) => row.request.answer(Ok(reply)),
                Err(error) => row.request.answer(Err(error)),
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

    #[test]
    fn guesses_leave_no_trace_in_any_bit() {
        let sampled = |index: u32, temperature: f64| {
            let mut job = job((index..index + 30 + 40 * (index % 2)).collect(), 90);
            job.sampling.temperature = temperature;
            job.sampling.seed = u64::from(index);
            job.log_probabilities = true;
            job
        };
        let jobs: Vec<TokenJob> = (0..12)
            .map(|index| sampled(index, [0.0, 0.0, 0.05, 1.0][index as usize % 4]))
            .collect();
        let run = |guesses: bool, stop: &[u32]| {
            let mut scheduler = scheduler(1 << 24);
            scheduler.guesses = guesses;
            scheduler.stop = stop.to_vec();
            let ticket = Arc::new(());
            let replies = submit(&mut scheduler, &jobs, &ticket);
            while !scheduler.is_idle() {
                scheduler.pass();
            }
            let mut replies: Vec<_> = replies
                .try_iter()
                .map(|(index, reply)| (index, reply.unwrap()))
                .collect();
            replies.sort_by_key(|(index, _)| *index);
            assert_eq!(replies.len(), jobs.len());
            replies
        };
        let replies = run(false, &[]);
        assert_eq!(run(true, &[]), replies);
        let stop = replies[0].1.tokens[60];
        let stopped = run(false, &[stop]);
        assert!(stopped.iter().any(|(_, reply)| reply.stop.is_some()));
        assert_eq!(run(true, &[stop]), stopped);
    }

    #[test]
    fn a_reply_that_repeats_itself_takes_fewer_passes() {
        let mut passes = Vec::new();
        for guesses in [false, true] {
            let mut scheduler = scheduler(0);
            scheduler.guesses = guesses;
            let ticket = Arc::new(());
            let replies = submit(&mut scheduler, &[job((0..30).collect(), 200)], &ticket);
            let mut count = 0;
            while !scheduler.is_idle() {
                scheduler.pass();
                count += 1;
            }
            let (_, reply) = replies.recv().unwrap();
            passes.push((reply.unwrap().tokens, count));
        }
        assert_eq!(passes[0].0, passes[1].0);
        assert!(passes[1].1 < passes[0].1, "{} of {}", passes[1].1, passes[0].1);
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
