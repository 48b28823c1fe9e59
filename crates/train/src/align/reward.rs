//! What a verdict is worth to each reply.

use super::referee::Scored;
use serde::{Deserialize, Serialize};

/// Which number of a verdict is the reward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reward {
    /// The score as the judge wrote it, from 0 for the lowest to 1 for the highest.
    Scores,
    /// The mean of the judge's probabilities of the scores, on the same scale; the score itself where a judge does not
    /// give them.
    #[default]
    Soft,
    /// The place among the replies, from 0 for the last to 1 for the first; replies with equal scores share theirs.
    Rank,
    /// How many standard deviations the soft score is above the group's mean; 0 for all where they are equal.
    ZScore,
}

impl Reward {
    /// The reward of every reply of a group.
    ///
    /// ```
    /// use rewardanything_train::align::{Reward, Scored};
    ///
    /// let scored = Scored {
    ///     values: vec![5.0, 3.0, 3.0],
    ///     soft: vec![Some(4.5), Some(3.5), None],
    ///     tokens: 0,
    /// };
    /// assert_eq!(Reward::Scores.of(&scored), [1.0, 0.5, 0.5]);
    /// assert_eq!(Reward::Soft.of(&scored), [0.875, 0.625, 0.5]);
    /// assert_eq!(Reward::Rank.of(&scored), [1.0, 0.25, 0.25]);
    /// let sum: f64 = Reward::ZScore.of(&scored).iter().sum();
    /// assert!(sum.abs() < 1e-12);
    /// ```
    pub fn of(self, scored: &Scored) -> Vec<f64> {
        let unit = |score: f64| (score - 1.0) / 4.0;
        match self {
            Self::Scores => scored.values.iter().map(|&score| unit(score)).collect(),
            Self::Soft => scored.softest().into_iter().map(unit).collect(),
            Self::Rank => ranks(&scored.values),
            Self::ZScore => standard(&scored.softest()),
        }
    }
}

fn ranks(scores: &[f64]) -> Vec<f64> {
    let others = scores.len().saturating_sub(1).max(1) as f64;
    scores
        .iter()
        .map(|score| {
            let below = scores.iter().filter(|other| *other < score).count() as f64;
            let equal = scores.iter().filter(|other| *other == score).count() as f64 - 1.0;
            if scores.len() == 1 {
                0.5
            } else {
                (below + equal / 2.0) / others
            }
        })
        .collect()
}

fn standard(scores: &[f64]) -> Vec<f64> {
    let n = scores.len().max(1) as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let deviation = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n).sqrt();
    let scale = if deviation > 1e-9 { deviation } else { 1.0 };
    scores.iter().map(|score| (score - mean) / scale).collect()
}
