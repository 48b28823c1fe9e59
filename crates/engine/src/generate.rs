//! Prompts of tokens to replies of tokens on the tensor library: ragged prefill, then one step at a time for all
//! running rows.
//!
//! Rows run in groups whose padded tokens stay within a budget. A row that stops leaves its group at once. When a
//! group outgrows the budget, its longest rows are put back and continued later from the tokens they have, which
//! costs a second prefill and changes nothing else.

use crate::row::{Row, Step, TokenJob, TokenReply};
use crate::{Batch, Cache, EngineError, OpsMode, Positions, Qwen3};

type Result<T> = std::result::Result<T, EngineError>;

/// Continues every prompt until one of the `stop` tokens, its limit or the end of the context. The replies come in
/// the order of the jobs, and a job that fails leaves the others alone. `max_batch_tokens` bounds rows times slots of
/// a group; a single row may exceed it.
///
/// # Errors
/// Per job: [`EngineError::Call`] for a prompt that is empty or leaves no room in the context,
/// [`EngineError::TokenOutOfRange`], [`EngineError::NotFinite`].
pub fn generate(
    model: &Qwen3,
    jobs: &[TokenJob],
    stop: &[u32],
    max_batch_tokens: usize,
) -> Vec<Result<TokenReply>> {
    let mut replies: Vec<Option<Result<TokenReply>>> = jobs.iter().map(|_| None).collect();
    let mut waiting = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        match Row::new(model.config(), index, job) {
            Ok(row) => waiting.push(row),
            Err(error) => replies[index] = Some(Err(error)),
        }
    }
    let mut runner = Runner {
        model,
        stop,
        budget: max_batch_tokens,
        replies,
    };
    // Rows of like length share a group, so that little of it is padding.
    waiting.sort_by_key(|row| row.tokens().len());
    while let Some(group) = next_group(&mut waiting, max_batch_tokens) {
        waiting.extend(runner.run(group));
        waiting.sort_by_key(|row| row.tokens().len());
    }
    let replies = runner.replies.into_iter();
    replies
        .map(|reply| reply.expect("a row leaves its group only with a reply. This is a bug."))
        .collect()
}

/// Takes the longest waiting rows, as many as are expected to fit.
fn next_group(waiting: &mut Vec<Row>, budget: usize) -> Option<Vec<Row>> {
    let longest = waiting.last()?;
    let slots = longest.expected();
    let count = (budget / slots).clamp(1, waiting.len());
    Some(waiting.split_off(waiting.len() - count))
}

struct Runner<'a> {
    model: &'a Qwen3,
    stop: &'a [u32],
    budget: usize,
    /// By place of the job.
    replies: Vec<Option<Result<TokenReply>>>,
}

impl Runner<'_> {
    /// Runs a group to its end and returns the rows that were put back. A group of one never puts back.
    fn run(&mut self, mut rows: Vec<Row>) -> Vec<Row> {
        let mut cache = Cache::new();
        let mut back = Vec::new();
        while !rows.is_empty() {
            let logits_bv = match self.forward(&rows, &mut cache) {
                Ok(logits_bv) => logits_bv,
                Err(error) => {
                    self.run_alone(rows, error);
                    break;
                }
            };
            let before = rows.len();
            let mut running = Vec::with_capacity(before);
            for (index, (mut row, logits)) in rows.into_iter().zip(&logits_bv).enumerate() {
                match row.step(logits, self.stop) {
                    Ok(Step::Running) => running.push((index, row)),
                    Ok(Step::Done(reply)) => self.replies[row.job()] = Some(Ok(reply)),
                    Err(error) => self.replies[row.job()] = Some(Err(error)),
                }
            }
            let fitting = (self.budget / (cache.slots() + 1)).max(1);
            if running.len() > fitting {
                back.extend(running.drain(fitting..).map(|(_, row)| row));
            }
            let keep: Vec<usize>;
            (keep, rows) = running.into_iter().unzip();
            if keep.len() < before && !rows.is_empty() {
                match cache.fork(&keep) {
                    Ok(smaller) => cache = smaller,
                    Err(error) => {
                        self.run_alone(rows, error);
                        break;
                    }
                }
            }
        }
        back
    }

    /// After a group failed: each row gets its own chance, so that it answers only for itself.
    fn run_alone(&mut self, rows: Vec<Row>, error: EngineError) {
        if let [row] = rows.as_slice() {
            self.replies[row.job()] = Some(Err(error));
            return;
        }
        for row in rows {
            self.run(vec![row]);
        }
    }

    /// Logits of each row's next token. What the cache has not seen is read first.
    fn forward(&self, rows: &[Row], cache: &mut Cache) -> Result<Vec<Vec<f32>>> {
        let read = cache.lengths();
        let new = |(index, row): (usize, &Row)| {
            let read = read.get(index).map_or(0, |&read| read as usize);
            row.tokens()[read..].to_vec()
        };
        let batch = Batch::ragged(&rows.iter().enumerate().map(new).collect::<Vec<_>>())?;
        let logits_bv = self
            .model
            .forward(&batch, cache, Positions::Last, OpsMode::Fast)?;
        Ok(logits_bv.to_vec2()?)
    }
}
