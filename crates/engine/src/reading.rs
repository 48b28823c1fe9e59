//! Reading out: the part of thinking whose text is known but for the amounts.
//!
//! A judge that counts by reading out repeats every response word for word. Held to a form it need not: what it would
//! copy is put in its place, so that it can neither slip nor leave a response out, and what takes long is done in a few
//! passes. Left to it are what is asked for, the amounts behind every piece, and those of the whole.

use rewardanything_core::pieces::{OPENING, TOTAL};

use crate::guide::Next;
use crate::{EngineError, Tokenizer};

type Result<T> = std::result::Result<T, EngineError>;

/// Tokens that an open place takes at most: four amounts with long names, or a principle of several goals.
const MOST: usize = 64;

/// One reply on its way through the responses.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    steps: Vec<Step>,
    /// The step that is being taken.
    at: usize,
    /// Tokens written in its open place; `None` before it.
    open: Option<usize>,
}

/// Known text, and an open place behind it.
#[derive(Debug, Clone)]
struct Step {
    text: Vec<u32>,
    /// What closes the place.
    end: &'static str,
    end_tokens: Vec<u32>,
}

impl Reading {
    /// The steps through responses as [`read_out`](rewardanything_core::pieces::read_out) gives them.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`].
    pub(crate) fn new(tokenizer: &Tokenizer, responses: &[Vec<String>]) -> Result<Self> {
        let step = |text: &str, end: &'static str| {
            Ok::<_, EngineError>(Step {
                text: tokenizer.encode(text)?,
                end,
                end_tokens: tokenizer.encode(end)?,
            })
        };
        let mut steps = Vec::new();
        if !responses.is_empty() {
            steps.push(step(OPENING, "\n")?);
        }
        for pieces in responses {
            for piece in pieces {
                steps.push(step(piece, "]")?);
            }
            steps.push(step(TOTAL, "\n")?);
        }
        Ok(Self {
            steps,
            at: 0,
            open: None,
        })
    }

    /// Tokens that are not the model's.
    pub(crate) fn known(&self) -> usize {
        let of = |step: &Step| step.text.len() + step.end_tokens.len();
        self.steps.iter().map(of).sum()
    }

    /// What comes next, where so many tokens may still be written freely; `None` when all is read.
    pub(crate) fn next(&mut self, left: usize) -> Option<Next> {
        let step = self.steps.get(self.at)?;
        match self.open {
            None => {
                self.open = Some(0);
                Some(Next::Forced(step.text.clone()))
            }
            Some(written) if written >= MOST.min(left) => {
                let end = step.end_tokens.clone();
                self.close();
                Some(Next::Forced(end))
            }
            Some(_) => Some(Next::Free),
        }
    }

    /// Whether something is left to read.
    pub(crate) fn is_on(&self) -> bool {
        self.at < self.steps.len()
    }

    /// Takes note of a token that was sampled in the open place. Thinking does not end here: a token that would end it
    /// closes the place instead.
    ///
    /// Returns whether the token belongs to the reply.
    pub(crate) fn wrote(&mut self, text: &str, ends_thinking: bool) -> bool {
        if ends_thinking {
            self.open = Some(MOST);
        } else if self
            .steps
            .get(self.at)
            .is_some_and(|step| text.contains(step.end))
        {
            self.close();
        } else {
            self.open = self.open.map(|written| written + 1);
        }
        !ends_thinking
    }

    fn close(&mut self) {
        self.at += 1;
        self.open = None;
    }
}
