//! The verdict to compare with.

use serde::{Deserialize, Serialize};

use crate::verdict::rank;

/// Scores and ranking that are taken to be right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gold {
    /// One score per response, by response index, usually from 1 to 5.
    pub scores: Vec<f64>,
    /// Response indices, best first; it also orders equal scores.
    pub ranking: Vec<usize>,
}

impl Gold {
    /// Gold by scores alone, equal scores in the order of the responses.
    pub fn from_scores(scores: Vec<f64>) -> Self {
        let order: Vec<usize> = (0..scores.len()).collect();
        Self {
            ranking: rank(&scores, &order),
            scores,
        }
    }
}
