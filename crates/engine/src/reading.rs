//! What a reply is given: text that is known, with open places in it.
//!
//! A judge that reads out and counts would repeat every response word for word. Held to a form it need not: the text is
//! put in its place, so that it can neither slip nor leave a piece out, and what takes long is done in a few passes. Left
//! to it are the places behind, such as the amounts of a piece.

use rewardanything_core::{Given, Until};

use crate::guide::Next;
use crate::{EngineError, Tokenizer};

type Result<T> = std::result::Result<T, EngineError>;

/// Tokens that an open place takes at most: four amounts with long names, or a principle of several goals.
const MOST: usize = 64;

/// One reply on its way through what it is given.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    steps: Vec<Step>,
    /// The step that is being taken.
    at: usize,
    /// Tokens written in its open place; `None` before it.
    open: Option<usize>,
}

/// Known text, and the open place behind it.
#[derive(Debug, Clone)]
struct Step {
    text: Vec<u32>,
    place: Option<Place>,
}

/// An open place, by what closes it.
#[derive(Debug, Clone)]
enum Place {
    /// This text.
    Text { end: &'static str, tokens: Vec<u32> },
    /// The end of the reply.
    End,
}

impl Reading {
    /// # Errors
    /// [`EngineError::Tokenizer`].
    pub(crate) fn new(tokenizer: &Tokenizer, given: &[Given]) -> Result<Self> {
        let place = |until| {
            Ok::<_, EngineError>(match until {
                Until::Here => None,
                Until::Text(end) => Some(Place::Text {
                    end,
                    tokens: tokenizer.encode(end)?,
                }),
                Until::End => Some(Place::End),
            })
        };
        let step = |given: &Given| {
            Ok(Step {
                // It quotes what is judged.
                text: tokenizer.encode_as_text(&given.text)?,
                place: place(given.until)?,
            })
        };
        Ok(Self {
            steps: given.iter().map(step).collect::<Result<_>>()?,
            at: 0,
            open: None,
        })
    }

    /// Tokens that are not the model's.
    pub(crate) fn known(&self) -> usize {
        let of = |step: &Step| match &step.place {
            Some(Place::Text { tokens, .. }) => step.text.len() + tokens.len(),
            _ => step.text.len(),
        };
        self.steps.iter().map(of).sum()
    }

    /// What comes next, where so many tokens may still be written freely; `None` when all is read.
    pub(crate) fn next(&mut self, left: usize) -> Option<Next> {
        let step = self.steps.get(self.at)?;
        match (self.open, &step.place) {
            (None, place) => {
                let text = step.text.clone();
                if place.is_some() {
                    self.open = Some(0);
                } else {
                    self.at += 1;
                }
                Some(Next::Forced(text))
            }
            (Some(written), Some(Place::Text { tokens, .. })) if written >= MOST.min(left) => {
                let end = tokens.clone();
                self.close();
                Some(Next::Forced(end))
            }
            (Some(_), _) => Some(Next::Free),
        }
    }

    /// Whether something is left to read.
    pub(crate) fn is_on(&self) -> bool {
        self.at < self.steps.len()
    }

    /// Takes note of a token that was sampled in the open place. Thinking does not end before the end of the reply: a token
    /// that would end it closes the place instead.
    ///
    /// Returns whether the token belongs to the reply.
    pub(crate) fn wrote(&mut self, text: &str, (ends_thinking, stops): (bool, bool)) -> bool {
        match self.steps.get(self.at).and_then(|step| step.place.as_ref()) {
            Some(Place::End) if stops => {
                self.close();
                return false;
            }
            Some(Place::End) => return true,
            _ if ends_thinking || stops => {
                self.open = Some(MOST);
                return false;
            }
            Some(Place::Text { end, .. }) if text.contains(end) => self.close(),
            _ => self.open = self.open.map(|written| written + 1),
        }
        true
    }

    fn close(&mut self) {
        self.at += 1;
        self.open = None;
    }
}
