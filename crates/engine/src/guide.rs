//! Holds a reply to the form of a verdict: what the form decides is not sampled.
//!
//! A reply is thinking, which may begin with [what it is given](crate::reading) and goes on freely up to its closing tag
//! or its budget, and then a verdict of which only the score digits and the order of equal scores are open. The text
//! around them is known, and its tokens are those of the whole text and not of its pieces: a tokenizer may join a blank to
//! the digit after it. So at each open place every candidate is tokenised with all that is known around it, and what the
//! candidates have in common is forced.

use std::sync::Arc;

use rewardanything_core::{Until, VerdictForm};

use crate::reading::Reading;
use crate::{EngineError, Tokenizer};

type Result<T> = std::result::Result<T, EngineError>;

/// What a row may write next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Any token.
    Free,
    /// These tokens, one after the other, without a look at the logits.
    Forced(Vec<u32>),
    /// One of these tokens.
    OneOf(Vec<u32>),
    /// Nothing: the reply is complete.
    End,
}

/// One reply on its way through the form of a verdict.
#[derive(Debug, Clone)]
pub struct Guide {
    tokenizer: Arc<Tokenizer>,
    form: VerdictForm,
    reading: Reading,
    stage: Stage,
    reserve: usize,
    /// Probabilities of the scores 1 to 5, label after label.
    distributions: Vec<Option<[f64; 5]>>,
}

#[derive(Debug, Clone)]
enum Stage {
    /// Free where nothing is given, until the tag or the budget closes it. Holds the tokens written freely.
    Thinking(Vec<u32>),
    Verdict(Verdict),
}

#[derive(Debug, Clone)]
struct Verdict {
    /// What is decided, in full.
    text: String,
    /// Tokens of it that were written.
    written: Vec<u32>,
    scores: Vec<u8>,
    /// Labels by place, best first.
    ranking: Vec<usize>,
    /// Texts of the open place that agree with what was written of it; empty before it is looked at.
    candidates: Vec<Candidate>,
}

#[derive(Debug, Clone)]
struct Candidate {
    /// The score, or the label.
    value: usize,
    /// All text up to the next open place.
    text: String,
    tokens: Vec<u32>,
}

const CLOSE: &str = "</think>";

impl Guide {
    /// A guide for a fresh reply, in the tokens of the model that writes it.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] when a label has no tokens; [`EngineError::Call`] for a form with neither a label nor
    /// an open place at its end.
    pub fn new(tokenizer: Arc<Tokenizer>, form: VerdictForm) -> Result<Self> {
        let thinks = form.thinking_tokens > 0;
        let open_end = thinks && form.given.last().is_some_and(|given| given.until != Until::Here);
        if form.labels.is_empty() && !open_end {
            let message =
                "a form without labels: expected thinking, and an open place at the end of what is given";
            return Err(EngineError::Call(message.to_owned()));
        }
        let reading = Reading::new(&tokenizer, if thinks { &form.given } else { &[] })?;
        let reserve = reserve(&tokenizer, &form)? + reading.known();
        let stage = if thinks {
            Stage::Thinking(Vec::new())
        } else {
            Stage::Verdict(Verdict::new(&form, ""))
        };
        Ok(Self {
            distributions: vec![None; form.labels.len()],
            tokenizer,
            form,
            reading,
            stage,
            reserve,
        })
    }

    /// The most tokens that the verdict takes, with the closing of the thinking and what is given in it.
    pub fn reserve(&self) -> usize {
        self.reserve
    }

    /// Bounds the thinking.
    pub(crate) fn limit_thinking(&mut self, tokens: usize) {
        if self.form.thinking_tokens > 0 {
            self.form.thinking_tokens = self.form.thinking_tokens.min(tokens);
        }
    }

    /// Probabilities of the scores 1 to 5 by label, where the place of the score was one token.
    pub(crate) fn into_distributions(self) -> Vec<Option<[f64; 5]>> {
        self.distributions
    }

    /// What comes next.
    pub(crate) fn next(&mut self) -> Result<Next> {
        if let Stage::Thinking(written) = &self.stage {
            let left = self.form.thinking_tokens.saturating_sub(written.len());
            if let Some(next) = self.reading.next(left) {
                return Ok(next);
            }
            if self.form.labels.is_empty() {
                return Ok(Next::End);
            }
        }
        match &mut self.stage {
            Stage::Thinking(written) if written.len() >= self.form.thinking_tokens => {
                let closing = self.tokenizer.encode(&format!("\n{CLOSE}"))?;
                self.stage = Stage::Verdict(Verdict::new(&self.form, "\n\n"));
                Ok(Next::Forced(closing))
            }
            Stage::Thinking(_) => Ok(Next::Free),
            Stage::Verdict(verdict) => verdict.next(&self.form, &self.tokenizer),
        }
    }

    /// Takes note of a token that was sampled. A `stop` token is not written: it closes the thinking.
    ///
    /// Returns whether the token belongs to the reply.
    pub(crate) fn wrote(&mut self, token: u32, stops: bool, logits: &[f32]) -> Result<bool> {
        match &mut self.stage {
            Stage::Thinking(written) if self.reading.is_on() => {
                let closes = self.tokenizer.id(CLOSE) == Some(token);
                let text = self.tokenizer.decode(&[token])?;
                let kept = self.reading.wrote(&text, (closes, stops));
                written.extend(kept.then_some(token));
                Ok(kept)
            }
            Stage::Thinking(_) if stops => {
                // What is left of the budget is given up.
                self.form.thinking_tokens = 0;
                Ok(false)
            }
            Stage::Thinking(written) => {
                written.push(token);
                // The tag may be one token or several, the last of which may hold more, and special tokens have no text.
                let tail = &written[written.len().saturating_sub(CLOSE.len())..];
                let closed =
                    self.tokenizer.id(CLOSE) == Some(token) || self.tokenizer.decode(tail)?.contains(CLOSE);
                if closed {
                    self.stage = Stage::Verdict(Verdict::new(&self.form, "\n\n"));
                }
                Ok(true)
            }
            Stage::Verdict(verdict) => {
                let label = verdict.scores.len();
                if let Some(distribution) = verdict.distribution(&self.form, logits) {
                    self.distributions[label] = Some(distribution);
                }
                verdict.wrote(token);
                Ok(true)
            }
        }
    }
}

impl Verdict {
    fn new(form: &VerdictForm, before: &str) -> Self {
        Self {
            text: format!("{before}{}", form.opening()),
            written: Vec::new(),
            scores: Vec::new(),
            ranking: Vec::new(),
            candidates: Vec::new(),
        }
    }

    fn next(&mut self, form: &VerdictForm, tokenizer: &Tokenizer) -> Result<Next> {
        let n = form.labels.len();
        loop {
            if self.ranking.len() == n && self.candidates.is_empty() {
                let tokens = tokenizer.encode(&self.text)?;
                return Ok(match self.rest(&tokens)? {
                    [] => Next::End,
                    rest => {
                        let forced = rest.to_vec();
                        self.written = tokens;
                        Next::Forced(forced)
                    }
                });
            }
            if self.candidates.is_empty() {
                self.candidates = self.open_place(form, tokenizer)?;
            }
            if let [only] = self.candidates.as_slice() {
                let (value, text) = (only.value, only.text.clone());
                self.settle(value, text, n);
                continue;
            }
            let first = &self.candidates[0].tokens;
            let agreed = self.candidates[1..].iter().fold(first.len(), |agreed, other| {
                let same = first.iter().zip(&other.tokens).take_while(|(a, b)| a == b);
                agreed.min(same.count())
            });
            let forced = self.rest(&first[..agreed.max(self.written.len())])?.to_vec();
            if !forced.is_empty() {
                self.written.extend_from_slice(&forced);
                return Ok(Next::Forced(forced));
            }
            let mut options: Vec<u32> = Vec::new();
            for candidate in &self.candidates {
                let Some(&token) = candidate.tokens.get(self.written.len()) else {
                    return Err(unsteady());
                };
                if !options.contains(&token) {
                    options.push(token);
                }
            }
            return Ok(Next::OneOf(options));
        }
    }

    /// The candidates of the next open place, each with all text up to the place after it.
    fn open_place(&self, form: &VerdictForm, tokenizer: &Tokenizer) -> Result<Vec<Candidate>> {
        let label = self.scores.len();
        let values: Vec<(usize, String)> = if label < form.labels.len() {
            let after = form.after_score(label);
            (1..=5).map(|score| (score, format!("{score}{after}"))).collect()
        } else {
            // Scores decide the order; only among equals is there a choice.
            let left = (0..form.labels.len()).filter(|label| !self.ranking.contains(label));
            let best = left.clone().map(|label| self.scores[label]).max();
            let after = form.after_place(self.ranking.len());
            left.filter(|&label| Some(self.scores[label]) == best)
                .map(|label| (label, format!("{}{after}", form.labels[label])))
                .collect()
        };
        let candidate = |(value, piece): (usize, String)| {
            let text = format!("{}{piece}", self.text);
            let tokens = tokenizer.encode(&text)?;
            self.rest(&tokens)?;
            Ok(Candidate { value, text, tokens })
        };
        values.into_iter().map(candidate).collect()
    }

    /// What of `tokens` is still to be written.
    fn rest<'t>(&self, tokens: &'t [u32]) -> Result<&'t [u32]> {
        tokens.strip_prefix(self.written.as_slice()).ok_or_else(unsteady)
    }

    fn settle(&mut self, value: usize, text: String, n: usize) {
        if self.scores.len() < n {
            self.scores.push(value as u8);
        } else {
            self.ranking.push(value);
        }
        self.text = text;
        self.candidates.clear();
    }

    fn wrote(&mut self, token: u32) {
        let place = self.written.len();
        self.candidates
            .retain(|candidate| candidate.tokens.get(place) == Some(&token));
        self.written.push(token);
    }

    /// The distribution over 1 to 5, if the open place is a score that one token decides.
    fn distribution(&self, form: &VerdictForm, logits: &[f32]) -> Option<[f64; 5]> {
        if self.scores.len() >= form.labels.len() || self.candidates.len() != 5 {
            return None;
        }
        let mut weights = [0f64; 5];
        let tokens: Vec<u32> = self
            .candidates
            .iter()
            .map(|candidate| candidate.tokens.get(self.written.len()).copied())
            .collect::<Option<_>>()?;
        let max = tokens
            .iter()
            .map(|&token| logits[token as usize])
            .fold(f32::MIN, f32::max);
        for (index, (weight, &token)) in weights.iter_mut().zip(&tokens).enumerate() {
            if tokens[..index].contains(&token) {
                return None;
            }
            *weight = f64::from(logits[token as usize] - max).exp();
        }
        let sum: f64 = weights.iter().sum();
        Some(weights.map(|weight| weight / sum))
    }
}

fn reserve(tokenizer: &Tokenizer, form: &VerdictForm) -> Result<usize> {
    if form.labels.is_empty() {
        return Ok(0);
    }
    let mut text = format!("\n{CLOSE}\n\n{}", form.opening());
    for label in 0..form.labels.len() {
        text.push('5');
        text.push_str(&form.after_score(label));
    }
    for (place, label) in form.labels.iter().enumerate() {
        text.push_str(label);
        text.push_str(form.after_place(place));
    }
    // Boundaries may fall otherwise where a digit or a label stands, by a token each at most.
    Ok(tokenizer.encode(&text)?.len() + 2 * form.labels.len())
}

fn unsteady() -> EngineError {
    EngineError::Call(
        "this tokenizer does not tokenise a verdict piece by piece; judge without a form".to_owned(),
    )
}
