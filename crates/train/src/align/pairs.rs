//! Judged groups as preferences, for training elsewhere.

use super::prompts::Prompt;
use super::referee::Scored;
use rewardanything_core::{Message, Role};
use serde_json::{Value, json};

/// The best and the worst reply of a group, by index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preferred {
    /// The best; the first of equals.
    pub chosen: usize,
    /// The worst; the first of equals.
    pub rejected: usize,
    /// Their scores.
    pub scores: (f64, f64),
}

/// What a verdict prefers; `None` where all replies have the same score.
///
/// ```
/// use rewardanything_train::align::{Scored, prefer};
///
/// let scored = |values: &[f64]| Scored { values: values.to_vec(), soft: vec![None; values.len()], tokens: 0 };
/// let preferred = prefer(&scored(&[3.0, 5.0, 1.0, 1.0])).unwrap();
/// assert_eq!((preferred.chosen, preferred.rejected, preferred.scores), (1, 2, (5.0, 1.0)));
/// assert!(prefer(&scored(&[3.0, 3.0])).is_none());
/// ```
pub fn prefer(scored: &Scored) -> Option<Preferred> {
    let scores = scored.softest();
    let (mut chosen, mut rejected) = (0, 0);
    for (index, score) in scores.iter().enumerate() {
        if *score > scores[chosen] {
            chosen = index;
        }
        if *score < scores[rejected] {
            rejected = index;
        }
    }
    let (best, worst) = (*scores.get(chosen)?, *scores.get(rejected)?);
    (best > worst).then_some(Preferred {
        chosen,
        rejected,
        scores: (best, worst),
    })
}

/// A prompt, the reply that was preferred, and the one that it was preferred to.
#[derive(Clone, Debug, PartialEq)]
pub struct Preference<'a> {
    /// What both reply to.
    pub prompt: &'a Prompt,
    /// The better reply.
    pub chosen: &'a str,
    /// The worse reply.
    pub rejected: &'a str,
    /// Their scores.
    pub scores: (f64, f64),
}

impl Preference<'_> {
    /// One line of a data set in TRL's layout: in its conversational form, of messages, or as plain texts for models
    /// without a chat template. The scores stand in columns of their own.
    pub fn line(&self, conversational: bool) -> Value {
        let says = |content: &str| {
            let message = Message {
                role: Role::Assistant,
                content: content.to_owned(),
            };
            json!([message])
        };
        let (prompt, chosen, rejected) = if conversational {
            (
                json!(self.prompt.messages),
                says(self.chosen),
                says(self.rejected),
            )
        } else {
            (json!(self.prompt.text), json!(self.chosen), json!(self.rejected))
        };
        json!({
            "prompt": prompt, "chosen": chosen, "rejected": rejected,
            "score_chosen": self.scores.0, "score_rejected": self.scores.1,
        })
    }
}
