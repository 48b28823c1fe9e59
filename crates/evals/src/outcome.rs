//! What became of an item: the scores of each time that it was judged.

use crate::sample::Sample;

/// One judging of an item.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// The scores, in the order of the item's responses; `None` where there is no verdict.
    pub scores: Option<Vec<f64>>,
    /// Probabilities of the scores 1 to 5 for each response, where they are known.
    pub probabilities: Option<Vec<[f64; 5]>>,
    /// Why there is no verdict, as one word.
    pub failure: Option<String>,
    /// How far several runs over the item agreed, from 0 to 1.
    pub agreement: Option<f64>,
}

impl Outcome {
    /// An outcome with scores and nothing else.
    pub fn scored(scores: Vec<f64>) -> Self {
        Outcome {
            scores: Some(scores),
            ..Self::default()
        }
    }

    /// An outcome without a verdict.
    pub fn failed(why: &str) -> Self {
        Outcome {
            failure: Some(why.to_owned()),
            ..Self::default()
        }
    }
}

/// An item and its judgings: one, or two with the responses swapped where the benchmark plays two games.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The item.
    pub sample: Sample,
    /// Each time that it was judged; at least one.
    pub games: Vec<Outcome>,
}

impl Judged {
    /// The scores of the first game.
    pub fn scores(&self) -> Option<&[f64]> {
        self.games.first()?.scores.as_deref()
    }

    /// The score of a response by name in the first game.
    pub fn score(&self, name: &str) -> Option<f64> {
        let index = self.sample.index(name)?;
        self.scores().map(|scores| scores[index])
    }

    /// Whether every game has a verdict.
    pub fn has_verdict(&self) -> bool {
        self.games.iter().all(|game| game.scores.is_some())
    }
}
