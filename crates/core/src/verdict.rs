//! What a judge decided, and the text form in which judges write it.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::mask::{Mask, is_permutation};
use crate::repair::Repair;

/// A score from 1 to 5, with the probabilities behind it when the model gives them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawScore", into = "RawScore")]
pub struct Score {
    value: f64,
    distribution: Option<[f64; 5]>,
}

/// The wire form of a [`Score`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScore {
    value: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    distribution: Option<[f64; 5]>,
}

/// Why a number is no score.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// Not on the scale.
    #[error("score: expected 1 to 5, got {0}")]
    OutOfRange(f64),
    /// Not five probabilities.
    #[error("score distribution: expected five non-negative numbers with a positive sum, got {0:?}")]
    Distribution([f64; 5]),
    /// A ranking or a list of scores of the wrong shape.
    #[error("ranking: expected every index of 0..{scores} once")]
    Ranking {
        /// How many scores there are.
        scores: usize,
    },
}

impl Score {
    /// A score as the judge wrote it.
    ///
    /// # Errors
    /// `value` is not a number from 1 to 5.
    pub fn new(value: f64) -> Result<Self, ScoreError> {
        if (1.0..=5.0).contains(&value) {
            Ok(Self {
                value,
                distribution: None,
            })
        } else {
            Err(ScoreError::OutOfRange(value))
        }
    }

    /// Adds the probabilities of the scores 1 to 5, scaled here to sum to 1.
    ///
    /// # Errors
    /// A weight is negative or not finite, or all are 0.
    pub fn with_distribution(self, weights: [f64; 5]) -> Result<Self, ScoreError> {
        let sum: f64 = weights.iter().sum();
        if weights.iter().any(|&weight| weight < 0.0) || !sum.is_finite() || sum <= 0.0 {
            return Err(ScoreError::Distribution(weights));
        }
        Ok(Self {
            distribution: Some(weights.map(|weight| weight / sum)),
            ..self
        })
    }

    /// The score as written, from 1 to 5.
    pub fn value(self) -> f64 {
        self.value
    }

    /// Probabilities of the scores 1 to 5, when known.
    pub fn distribution(self) -> Option<[f64; 5]> {
        self.distribution
    }

    /// The mean of the distribution when there is one, else the score as written.
    pub fn soft(self) -> f64 {
        self.distribution.map_or(self.value, |weights| {
            weights
                .iter()
                .zip(1..)
                .map(|(weight, score)| weight * f64::from(score))
                .sum()
        })
    }

    /// The entropy of the distribution in nats, from 0 (certain) to ln 5; `None` without a distribution.
    pub fn entropy(self) -> Option<f64> {
        let term = |weight: f64| if weight > 0.0 { -weight * weight.ln() } else { 0.0 };
        self.distribution
            .map(|weights| weights.into_iter().map(term).sum())
    }
}

impl TryFrom<RawScore> for Score {
    type Error = ScoreError;

    fn try_from(raw: RawScore) -> Result<Self, ScoreError> {
        let score = Self::new(raw.value)?;
        raw.distribution
            .map_or(Ok(score), |weights| score.with_distribution(weights))
    }
}

impl From<Score> for RawScore {
    fn from(score: Score) -> Self {
        Self {
            value: score.value,
            distribution: score.distribution,
        }
    }
}

/// A complete verdict over the responses of one request.
///
/// The parser only hands out verdicts whose ranking holds every response once and never puts a lower score first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Why, in the judge's words; without white space around it. May be empty.
    pub reasoning: String,
    /// One score per response, by response index.
    pub scores: Vec<Score>,
    /// Response indices, best first; it also orders equal scores.
    pub ranking: Vec<usize>,
    /// What had to be mended to read the reply; empty for a reply in the exact format.
    pub repairs: Vec<Repair>,
}

impl Verdict {
    /// A verdict by scores, equal scores in the order of `tie_break` (best first).
    ///
    /// # Errors
    /// A score off the scale, or a `tie_break` that isn't a permutation of the responses.
    pub fn from_scores(
        reasoning: impl Into<String>,
        scores: &[f64],
        tie_break: &[usize],
    ) -> Result<Self, ScoreError> {
        if tie_break.len() != scores.len() || !is_permutation(tie_break) {
            return Err(ScoreError::Ranking { scores: scores.len() });
        }
        Ok(Self {
            reasoning: reasoning.into().trim().to_owned(),
            ranking: rank(scores, tie_break),
            scores: scores
                .iter()
                .map(|&score| Score::new(score))
                .collect::<Result<_, _>>()?,
            repairs: Vec::new(),
        })
    }

    /// The scores as plain numbers, by response index.
    pub fn values(&self) -> Vec<f64> {
        self.scores.iter().map(|score| score.value()).collect()
    }
}

/// Indices by falling score, equal scores in the order of `tie_break`.
pub(crate) fn rank(scores: &[f64], tie_break: &[usize]) -> Vec<usize> {
    let mut ranking = tie_break.to_vec();
    ranking.sort_by(|&a, &b| scores[b].partial_cmp(&scores[a]).unwrap_or(Ordering::Equal));
    ranking
}

/// Writes a verdict as a judge should have: `<think>`, reasoning, `</think>`, then the JSON object with its labels in
/// the order shown. Score distributions and repairs have no place in that text; without them, and with a ranking
/// that follows the scores, [`parse`](crate::parse()) gives back the same verdict.
///
/// ```
/// use rewardanything_core::{Mask, Verdict, parse, render};
///
/// let mask = Mask::published(2)?; // shows the second response first
/// let verdict = Verdict::from_scores("The first is short.", &[5.0, 2.0], &[0, 1])?;
/// let text = render(&verdict, &mask);
/// assert_eq!(
///     text,
///     "<think>\nThe first is short.\n</think>\n\n\
///      {\"scores\": {\"model-1\": 2, \"model-2\": 5}, \"best-to-worst\": [\"model-2\", \"model-1\"]}"
/// );
/// assert_eq!(parse(&text, &mask)?, verdict);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// The verdict and the mask differ in the number of responses.
pub fn render(verdict: &Verdict, mask: &Mask) -> String {
    assert_eq!(
        verdict.scores.len(),
        mask.len(),
        "a mask belongs to one number of responses. This is a bug."
    );
    let mut out = format!("<think>\n{}\n</think>\n\n{{\"scores\": {{", verdict.reasoning);
    for (position, &response) in mask.order().iter().enumerate() {
        let separator = if position == 0 { "" } else { ", " };
        let (label, score) = (mask.label(position), verdict.scores[response].value());
        write!(out, "{separator}\"{label}\": {score}").expect("a String takes every write. This is a bug.");
    }
    out.push_str("}, \"best-to-worst\": [");
    for (place, &response) in verdict.ranking.iter().enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        write!(out, "{separator}\"{}\"", mask.label_of(response))
            .expect("a String takes every write. This is a bug.");
    }
    out.push_str("]}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_stay_on_the_scale() {
        let check = |value: f64, expect: bool| assert_eq!(Score::new(value).is_ok(), expect, "{value}");
        for value in [1.0, 3.5, 5.0] {
            check(value, true);
        }
        for value in [0.999, 5.001, 0.0, -1.0, f64::NAN, f64::INFINITY] {
            check(value, false);
        }
    }

    #[test]
    fn a_distribution_gives_the_soft_score() {
        let score = Score::new(4.0).unwrap();
        assert_eq!(score.soft(), 4.0);
        let score = score.with_distribution([0.0, 0.0, 1.0, 2.0, 1.0]).unwrap();
        assert_eq!((score.soft(), score.value()), (4.0, 4.0));
        assert_eq!(score.distribution(), Some([0.0, 0.0, 0.25, 0.5, 0.25]));
        assert!((score.entropy().unwrap() - 1.039_720_770_839_917_9).abs() < 1e-12);
        assert_eq!(Score::new(4.0).unwrap().entropy(), None);
        assert!(score.with_distribution([0.0; 5]).is_err());
        assert!(score.with_distribution([-1.0, 2.0, 0.0, 0.0, 0.0]).is_err());
        assert!(score.with_distribution([f64::NAN, 2.0, 0.0, 0.0, 0.0]).is_err());
    }

    #[test]
    fn equal_scores_keep_the_order_of_the_tie_break() {
        let check = |scores: &[f64], tie_break: &[usize], expect: &[usize]| {
            assert_eq!(
                Verdict::from_scores("", scores, tie_break).unwrap().ranking,
                expect
            );
        };
        check(&[3.0, 5.0, 3.0], &[2, 1, 0], &[1, 2, 0]);
        check(&[3.0, 3.0, 3.0], &[1, 2, 0], &[1, 2, 0]);
        check(&[1.0, 2.0], &[0, 1], &[1, 0]);
        assert!(Verdict::from_scores("", &[3.0, 3.0], &[0, 0]).is_err());
        assert!(Verdict::from_scores("", &[3.0, 6.0], &[0, 1]).is_err());
    }

    #[test]
    fn verdicts_survive_serde_and_nonsense_does_not_enter() {
        let mut verdict = Verdict::from_scores("why", &[3.0, 4.5], &[0, 1]).unwrap();
        verdict.scores[0] = verdict.scores[0]
            .with_distribution([0.0, 0.0, 1.0, 0.0, 0.0])
            .unwrap();
        verdict.repairs = vec![
            Repair::TrailingComma,
            Repair::InventedLabel {
                label: "x".to_owned(),
            },
        ];
        let text = serde_json::to_string(&verdict).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict, "{text}");
        assert!(serde_json::from_str::<Score>(r#"{"value": 7}"#).is_err());
    }
}
