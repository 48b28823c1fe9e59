//! One row on its way: its tokens, its limit, its draws.

use rewardanything_core::{FinishReason, Sampling};

use crate::sampler::{Sampler, log_probability};
use crate::{Config, EngineError};

type Result<T> = std::result::Result<T, EngineError>;

/// Tokens of reply that a row is expected to need when memory is shared out. Only a guess.
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
pub(crate) struct Row {
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

pub(crate) enum Step {
    Running,
    Done(TokenReply),
}

impl Row {
    pub(crate) fn new(config: &Config, index: usize, job: &TokenJob) -> Result<Self> {
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
    pub(crate) fn step(&mut self, logits: &[f32], stop: &[u32]) -> Result<Step> {
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

    /// Place of its job.
    pub(crate) fn job(&self) -> usize {
        self.job
    }

    /// The prompt and what was written so far.
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    pub(crate) fn prompt(&self) -> &[u32] {
        &self.tokens[..self.prompt_len]
    }

    /// Tokens that it is expected to come to hold.
    pub(crate) fn expected(&self) -> usize {
        self.limit.min(self.tokens.len() + EXPECTED_REPLY)
    }
}
