//! Prompts of tokens to replies of tokens: ragged prefill, then one step at a time for all running rows.
//!
//! Rows run in groups whose padded tokens stay within a budget. A row that stops leaves its group at once. When a
//! group outgrows the budget, its longest rows are put back and continued later from the tokens they have, which
//! costs a second prefill and changes nothing else.

use rewardanything_core::{FinishReason, Sampling};

use crate::sampler::{Sampler, log_probability};
use crate::{Batch, Cache, EngineError, OpsMode, Positions, Qwen3};

type Result<T> = std::result::Result<T, EngineError>;

/// Tokens of reply that a row is expected to need when groups are formed. Only a guess: a group that needs more is
/// split later.
const EXPECTED_REPLY: usize = 256;

/// One prompt and how to continue it.
#[derive(Debug, Clone)]
pub struct TokenJob {
    /// The prompt; at least one token, and fewer than the model's context.
    pub prompt: Vec<u32>,
    /// How to decode. The reply ends after `max_new_tokens`, or earlier where the context does.
    pub sampling: Sampling,
    /// Whether to report the log-probability of every token.
    pub log_probabilities: bool,
}

/// A reply.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenReply {
    /// The tokens written, without the stop token.
    pub tokens: Vec<u32>,
    /// For each of `tokens`, and then for the stop token if there is one, its natural log-probability under the
    /// whole distribution at temperature 1; empty unless asked for.
    pub log_probabilities: Vec<f32>,
    /// Whether a stop token ended it; if so, which.
    pub stop: Option<u32>,
}

impl TokenReply {
    /// Why it ended.
    pub fn finish(&self) -> FinishReason {
        if self.stop.is_some() {
            FinishReason::Stop
        } else {
            FinishReason::Length
        }
    }

    /// Tokens that the model had to compute, the stop token included.
    pub fn computed(&self) -> usize {
        self.tokens.len() + usize::from(self.stop.is_some())
    }
}

/// One row on its way.
struct Row {
    /// Place of its job.
    job: usize,
    prompt_len: usize,
    /// The prompt and what was written so far.
    tokens: Vec<u32>,
    /// Length of `tokens` at which the row ends.
    limit: usize,
    sampler: Sampler,
    log_probabilities: Option<Vec<f32>>,
}

enum Step {
    Running,
    Done(TokenReply),
}

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
        match Row::new(model, index, job) {
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
    waiting.sort_by_key(|row| row.tokens.len());
    while let Some(group) = next_group(&mut waiting, max_batch_tokens) {
        waiting.extend(runner.run(group));
        waiting.sort_by_key(|row| row.tokens.len());
    }
    let replies = runner.replies.into_iter();
    replies
        .map(|reply| reply.expect("a row leaves its group only with a reply. This is a bug."))
        .collect()
}

/// Takes the longest waiting rows, as many as are expected to fit.
fn next_group(waiting: &mut Vec<Row>, budget: usize) -> Option<Vec<Row>> {
    let longest = waiting.last()?;
    let slots = longest.limit.min(longest.tokens.len() + EXPECTED_REPLY);
    let count = (budget / slots).clamp(1, waiting.len());
    Some(waiting.split_off(waiting.len() - count))
}

impl Row {
    fn new(model: &Qwen3, index: usize, job: &TokenJob) -> Result<Self> {
        let config = model.config();
        let (length, context) = (job.prompt.len(), config.max_position_embeddings);
        if length == 0 || length >= context {
            let message = format!(
                "a prompt of {length} tokens: expected 1 to {} in a context of {context}",
                context - 1
            );
            return Err(EngineError::Call(message));
        }
        if let Some(&token) = job
            .prompt
            .iter()
            .find(|&&token| token as usize >= config.vocab_size)
        {
            return Err(EngineError::TokenOutOfRange {
                token,
                vocabulary: config.vocab_size,
            });
        }
        Ok(Self {
            job: index,
            prompt_len: length,
            tokens: job.prompt.clone(),
            limit: length.saturating_add(job.sampling.max_new_tokens).min(context),
            sampler: Sampler::new(job.sampling),
            log_probabilities: job.log_probabilities.then(Vec::new),
        })
    }

    /// Takes the next token from its logits.
    fn step(&mut self, logits: &[f32], stop: &[u32]) -> Result<Step> {
        let mut stopped = None;
        if self.tokens.len() < self.limit {
            let token = self.sampler.sample(logits)?;
            if let Some(list) = &mut self.log_probabilities {
                list.push(log_probability(logits, token));
            }
            if stop.contains(&token) {
                stopped = Some(token);
            } else {
                self.tokens.push(token);
            }
        }
        if stopped.is_none() && self.tokens.len() < self.limit {
            return Ok(Step::Running);
        }
        Ok(Step::Done(TokenReply {
            tokens: self.tokens.split_off(self.prompt_len),
            log_probabilities: self.log_probabilities.take().unwrap_or_default(),
            stop: stopped,
        }))
    }
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
                    Ok(Step::Done(reply)) => self.replies[row.job] = Some(Ok(reply)),
                    Err(error) => self.replies[row.job] = Some(Err(error)),
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
            self.replies[row.job] = Some(Err(error));
            return;
        }
        for row in rows {
            self.run(vec![row]);
        }
    }

    /// Logits of each row's next token. An empty cache takes all of a row's tokens, any other only the newest.
    fn forward(&self, rows: &[Row], cache: &mut Cache) -> Result<Vec<Vec<f32>>> {
        let fresh = cache.rows() == 0;
        let new = |row: &Row| {
            if fresh {
                row.tokens.clone()
            } else {
                row.tokens[row.tokens.len() - 1..].to_vec()
            }
        };
        let batch = Batch::ragged(&rows.iter().map(new).collect::<Vec<_>>())?;
        let logits_bv = self
            .model
            .forward(&batch, cache, Positions::Last, OpsMode::Fast)?;
        Ok(logits_bv.to_vec2()?)
    }
}
