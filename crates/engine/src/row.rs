//! One row on its way: its tokens, its limit, its draws.

use rewardanything_core::{FinishReason, Sampling};

use crate::cpu::Wanted;
use crate::guide::{Guide, Next};
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
    /// The form that the reply is held to; `max_new_tokens` must have room for it.
    pub guide: Option<Guide>,
}

/// A reply.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenReply {
    /// The tokens written, without the stop token.
    pub tokens: Vec<u32>,
    /// For each of `tokens`, and then for the stop token if there is one, its natural log-probability under the
    /// whole distribution at temperature 1, and 0 where a form forced it; empty unless asked for.
    pub log_probabilities: Vec<f32>,
    /// Whether the form that the reply was held to is complete.
    pub complete: bool,
    /// Probabilities of the scores 1 to 5 by label, for a reply held to a form.
    pub distributions: Vec<Option<[f64; 5]>>,
    /// Whether a stop token ended it; if so, which.
    pub stop: Option<u32>,
}

impl TokenReply {
    /// Why it ended.
    pub fn finish(&self) -> FinishReason {
        if self.stop.is_some() || self.complete {
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
    guide: Option<Guide>,
    /// What the next step may take.
    next: Next,
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
        let limit = length.saturating_add(job.sampling.max_new_tokens).min(context);
        let mut guide = job.guide.clone();
        if let Some(guide) = &mut guide {
            let reserve = guide.reserve();
            let Some(thinking) = (limit - length).checked_sub(reserve) else {
                let message = format!(
                    "a verdict of this form takes up to {reserve} tokens: the limit and the context leave {}",
                    limit - length
                );
                return Err(EngineError::Call(message));
            };
            guide.limit_thinking(thinking);
        }
        let mut row = Self {
            job: index,
            prompt_len: length,
            tokens: job.prompt.clone(),
            limit,
            sampler: Sampler::new(job.sampling),
            log_probabilities: job.log_probabilities.then(Vec::new),
            guide,
            next: Next::Free,
        };
        row.follow()?;
        Ok(row)
    }

    /// Takes the next token from its logits, and all that the form forces after it.
    pub(crate) fn step(&mut self, logits: &[f32], stop: &[u32]) -> Result<Step> {
        let mut stopped = None;
        if self.tokens.len() < self.limit {
            let token = match &self.next {
                Next::OneOf(options) => self.sampler.sample_among(logits, options)?,
                _ => self.sampler.sample(logits)?,
            };
            let stops = stop.contains(&token);
            let kept = match &mut self.guide {
                Some(guide) => guide.wrote(token, stops, logits)?,
                None => !stops,
            };
            if kept {
                self.tokens.push(token);
            }
            if self.guide.is_none() && stops {
                stopped = Some(token);
            }
            if let Some(list) = &mut self.log_probabilities
                && (kept || stopped.is_some())
            {
                list.push(log_probability(logits, token));
            }
            self.follow()?;
        }
        let complete = self.next == Next::End;
        if stopped.is_none() && !complete && self.tokens.len() < self.limit {
            return Ok(Step::Running);
        }
        Ok(Step::Done(TokenReply {
            tokens: self.tokens.split_off(self.prompt_len),
            log_probabilities: self.log_probabilities.take().unwrap_or_default(),
            stop: stopped,
            complete,
            distributions: self
                .guide
                .take()
                .map(Guide::into_distributions)
                .unwrap_or_default(),
        }))
    }

    /// Writes what the form forces, up to the next token that is the model's.
    fn follow(&mut self) -> Result<()> {
        let Some(guide) = &mut self.guide else {
            return Ok(());
        };
        loop {
            match guide.next()? {
                Next::Forced(tokens) => {
                    if let Some(list) = &mut self.log_probabilities {
                        list.extend(tokens.iter().map(|_| 0.0));
                    }
                    self.tokens.extend(tokens);
                }
                next => {
                    self.next = next;
                    return Ok(());
                }
            }
        }
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

    /// Which logits the next step looks at.
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        match &self.next {
            Next::OneOf(options) if self.log_probabilities.is_none() => Wanted::Among(options),
            _ => Wanted::Last,
        }
    }

    /// How many tokens may be guessed ahead: none where the next one is not open.
    pub(crate) fn room_to_guess(&self) -> usize {
        match self.next {
            Next::Free => (self.limit - self.tokens.len()).saturating_sub(1),
            _ => 0,
        }
    }

    /// Tokens that it is expected to come to hold.
    pub(crate) fn expected(&self) -> usize {
        self.limit.min(self.tokens.len() + EXPECTED_REPLY)
    }
}
