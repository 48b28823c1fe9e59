//! Continuous batching: every pass takes the newest tokens of all running rows and fills up with pieces of prompts.

use super::{CpuModel, Part, PrefixCache, Sequence, Wanted};
use crate::EngineError;
use crate::row::{Row, Step, TokenJob, TokenReply};

type Result<T> = std::result::Result<T, EngineError>;

/// Tokens of a pass: enough that reading the weights is cheap beside using them, few enough that running rows do not
/// wait long for a prompt.
const PASS_TOKENS: usize = 512;

struct Running {
    row: Row,
    sequence: Sequence,
}

impl Running {
    fn pending(&self) -> &[u32] {
        &self.row.tokens()[self.sequence.len()..]
    }

    fn reads_prompt(&self) -> bool {
        self.sequence.len() < self.row.prompt().len()
    }
}

/// As [`crate::generate`](fn@crate::generate). `max_tokens` bounds the tokens that all running rows may come to hold; a
/// single row may exceed it.
pub(crate) fn generate(
    model: &CpuModel,
    prefixes: &mut PrefixCache,
    jobs: &[TokenJob],
    stop: &[u32],
    max_tokens: usize,
) -> Vec<Result<TokenReply>> {
    let mut scheduler = Scheduler {
        model,
        prefixes,
        stop,
        max_tokens,
        running: Vec::new(),
        replies: jobs.iter().map(|_| None).collect(),
    };
    let mut waiting = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        match Row::new(model.config(), index, job) {
            Ok(row) => waiting.push(row),
            Err(error) => scheduler.replies[index] = Some(Err(error)),
        }
    }
    while !(waiting.is_empty() && scheduler.running.is_empty()) {
        scheduler.admit(&mut waiting);
        scheduler.pass();
    }
    scheduler
        .replies
        .into_iter()
        .map(|reply| reply.expect("a row leaves only with a reply. This is a bug."))
        .collect()
}

struct Scheduler<'a> {
    model: &'a CpuModel,
    prefixes: &'a mut PrefixCache,
    stop: &'a [u32],
    max_tokens: usize,
    running: Vec<Running>,
    /// By place of the job.
    replies: Vec<Option<Result<TokenReply>>>,
}

impl Scheduler<'_> {
    /// Lets rows in, in order, while the next pass and the memory have room. A row whose beginning another one is
    /// reading right now waits for it.
    fn admit(&mut self, waiting: &mut Vec<Row>) {
        let mut pending: usize = self.running.iter().map(|running| running.pending().len()).sum();
        let mut held: usize = self.running.iter().map(|running| running.row.expected()).sum();
        let mut next = 0;
        while next < waiting.len() && pending < PASS_TOKENS {
            let row = &waiting[next];
            if !self.running.is_empty() && held + row.expected() > self.max_tokens {
                return;
            }
            let known = self.prefixes.matching(row.prompt());
            let soon = self.running.iter().filter(|running| {
                running.reads_prompt()
                    && self
                        .prefixes
                        .has_room_for(running.row.prompt().len(), &running.sequence)
            });
            let soon = soon
                .map(|running| common(running.row.prompt(), row.prompt()))
                .max();
            if soon.is_some_and(|soon| soon > known + rewardanything_kernels::PAGE / 2) {
                next += 1;
                continue;
            }
            let row = waiting.remove(next);
            let mut sequence = self.model.sequence();
            self.prefixes.restore(row.prompt(), &mut sequence);
            held += row.expected();
            let running = Running { row, sequence };
            pending += running.pending().len();
            self.running.push(running);
        }
    }

    /// One pass, after which every row that has all its tokens read takes its next.
    fn pass(&mut self) {
        let mut left = PASS_TOKENS;
        let mut taken: Vec<(usize, Vec<u32>)> = Vec::new();
        // Rows that write come first: they are nearest to their end.
        for reads_prompt in [false, true] {
            for (index, running) in self.running.iter().enumerate() {
                if running.reads_prompt() == reads_prompt && left > 0 {
                    let count = running.pending().len().min(left);
                    left -= count;
                    taken.push((index, running.pending()[..count].to_vec()));
                }
            }
        }
        taken.sort_unstable_by_key(|&(index, _)| index);
        let complete: Vec<bool> = taken
            .iter()
            .map(|(index, tokens)| tokens.len() == self.running[*index].pending().len())
            .collect();
        let mut rows: Vec<Option<&mut Running>> = self.running.iter_mut().map(Some).collect();
        let mut parts: Vec<Part<'_>> = taken
            .iter()
            .zip(&complete)
            .map(|((index, tokens), &complete)| Part {
                sequence: &mut rows[*index]
                    .take()
                    .expect("each row once. This is a bug.")
                    .sequence,
                tokens,
                wanted: if complete { Wanted::Last } else { Wanted::Nothing },
            })
            .collect();
        let logits = match self.model.forward(&mut parts) {
            Ok(logits) => logits,
            Err(error) => return self.fail(&error),
        };
        let mut done = Vec::new();
        for ((index, tokens), logits) in taken.iter().zip(&logits) {
            let running = &mut self.running[*index];
            let prompt = running.row.prompt().len();
            let before = running.sequence.len() - tokens.len();
            if before < prompt && running.sequence.len() >= prompt {
                self.prefixes.insert(running.row.prompt(), &running.sequence);
            }
            let Some(logits) = logits.first() else { continue };
            match running.row.step(logits, self.stop) {
                Ok(Step::Running) => {}
                Ok(Step::Done(reply)) => done.push((*index, Ok(reply))),
                Err(error) => done.push((*index, Err(error))),
            }
        }
        for (index, reply) in done.into_iter().rev() {
            let finished = self.running.remove(index);
            self.replies[finished.row.job()] = Some(reply);
        }
    }

    /// A pass only fails on tokens that [`Row::new`] has checked, so this is no one row's fault.
    fn fail(&mut self, error: &EngineError) {
        for running in self.running.drain(..) {
            self.replies[running.row.job()] = Some(Err(EngineError::Call(error.to_string())));
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

    use super::*;
    use crate::{Config, Weights};

    /// Rows that begin alike, let in together, are read once up to where they part.
    #[test]
    fn a_common_beginning_is_read_once() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny-tied");
        let config = Config::from_json(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
        let model = CpuModel::new(&config, &Weights::open(&folder).unwrap()).unwrap();
        let shared: Vec<u32> = (0..100).collect();
        let jobs: Vec<TokenJob> = (0..5)
            .map(|own| TokenJob {
                prompt: [&shared[..], &[200 + own, 7]].concat(),
                sampling: Sampling {
                    max_new_tokens: 3,
                    ..Sampling::default()
                },
                log_probabilities: false,
                guide: None,
            })
            .collect();
        for (budget, read_once) in [(1 << 24, 4 * 100), (0, 0)] {
            let mut prefixes = PrefixCache::new(budget);
            let replies = generate(&model, &mut prefixes, &jobs, &[], 10_000);
            assert!(replies.iter().all(Result::is_ok));
            assert_eq!(prefixes.hits(), read_once, "budget {budget}");
        }
    }
}
