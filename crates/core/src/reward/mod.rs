//! Rewards for training a judge: a raw reply against a gold verdict.
//!
//! `r = 0.15 r_f + 0.85 r_a`: the format reward says how well the reply keeps to the format, the accuracy reward how
//! well its scores and ranking meet the gold. Both read as much of a reply as there is, so a reply without a verdict
//! earns what it earns.

mod accuracy;
mod format;

pub use accuracy::{AccuracyReward, AccuracyWeights, accuracy_of, accuracy_reward};
pub use format::{FormatReward, format_reward};

use serde::{Deserialize, Serialize};

use crate::gold::Gold;
use crate::mask::Mask;
use crate::parse::Survey;

/// How much each part counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RewardWeights {
    /// λ_f, of the format.
    pub format: f64,
    /// λ_a, of the accuracy.
    pub accuracy: f64,
    /// Of the four metrics inside the accuracy.
    pub metrics: AccuracyWeights,
}

impl Default for RewardWeights {
    fn default() -> Self {
        Self {
            format: 0.15,
            accuracy: 0.85,
            metrics: AccuracyWeights::default(),
        }
    }
}

/// A reward and its parts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reward {
    /// r_f and its parts.
    pub format: FormatReward,
    /// r_a and its parts.
    pub accuracy: AccuracyReward,
    /// `λ_f r_f + λ_a r_a`.
    pub total: f64,
}

/// The reward of a raw reply.
///
/// ```
/// use rewardanything_core::reward::{RewardWeights, reward};
/// use rewardanything_core::{Gold, Mask};
///
/// let (gold, mask) = (Gold::from_scores(vec![5.0, 2.0]), Mask::identity(2));
/// let weights = RewardWeights::default();
/// let reply = r#"<think>
/// The principle asks for few words; the first response has fewer.
/// </think>
/// {"scores": {"model-1": 4, "model-2": 2}, "best-to-worst": ["model-1", "model-2"]}"#;
/// let good = reward(reply, &gold, &mask, &weights);
/// // r_f = 1; r_a = 0.4 * 1 + 0.2 * (1 - 0.5 / 4) + 0.2 * 0.75 + 0.2 * 1 = 0.925
/// assert!((good.total - (0.15 + 0.85 * 0.925)).abs() < 1e-12);
///
/// let nothing = reward("I can't say.", &gold, &mask, &weights);
/// assert_eq!(nothing.total, 0.0);
/// ```
///
/// # Panics
/// `gold` and `mask` differ in the number of responses.
pub fn reward(reply: &str, gold: &Gold, mask: &Mask, weights: &RewardWeights) -> Reward {
    let reading = Reading::of(reply, gold, mask);
    let format = format::of(&reading);
    let accuracy = accuracy::of(&reading, gold, &weights.metrics);
    Reward {
        format,
        accuracy,
        total: weights.format * format.total + weights.accuracy * accuracy.total,
    }
}

/// What a reply says, by response index.
struct Reading {
    survey: Survey,
    scores: Vec<Option<f64>>,
    /// Responses in the ranking as written, best first, each at most once.
    listed: Vec<usize>,
}

impl Reading {
    fn of(reply: &str, gold: &Gold, mask: &Mask) -> Self {
        assert_eq!(
            gold.scores.len(),
            mask.len(),
            "gold and mask belong to one request. This is a bug."
        );
        let survey = Survey::of(reply, mask);
        let shown = survey.scores();
        let scores = (0..mask.len())
            .map(|response| shown[mask.position_of(response)])
            .collect();
        let listed = survey
            .listed
            .iter()
            .map(|&position| mask.response_at(position))
            .collect();
        Self {
            survey,
            scores,
            listed,
        }
    }
}
