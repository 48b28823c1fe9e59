//! How much better a reply is than the others to the same prompt.

use serde::{Deserialize, Serialize};

/// Added to the deviation before a difference is divided by it.
pub const EPSILON: f64 = 1e-4;

/// Rewards no further apart than this are equal.
const SAME: f64 = 1e-9;

/// What the difference from the group's mean is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The group's standard deviation: every group moves the model alike, however close its rewards are.
    #[default]
    Std,
    /// Nothing: groups whose rewards differ little move it little (Liu et al., arXiv 2503.20783).
    None,
}

/// The advantage of each reply of a group: `(r - mean) / (std + ε)`, or `r - mean`.
///
/// The standard deviation is the sample's, with `n - 1` below (the paper says only `std`), and ε is [`EPSILON`]. A group
/// of one has no others to be better than: its advantage is 0.
///
/// ```
/// use rewardanything_train::grpo::{Scale, advantages};
///
/// assert_eq!(advantages(&[1.0, 0.0, 0.5], Scale::None), [0.5, -0.5, 0.0]);
/// assert_eq!(advantages(&[1.0, 0.0, 0.5], Scale::Std), [0.5 / 0.5001, -0.5 / 0.5001, 0.0]);
/// ```
pub fn advantages(rewards: &[f64], scale: Scale) -> Vec<f64> {
    let n = rewards.len() as f64;
    let mean = rewards.iter().sum::<f64>() / n;
    let differences = rewards.iter().map(|r| r - mean);
    match scale {
        Scale::None => differences.collect(),
        Scale::Std => {
            let squares: f64 = differences.clone().map(|d| d * d).sum();
            let deviation = (squares / (n - 1.0).max(1.0)).sqrt();
            differences.map(|d| d / (deviation + EPSILON)).collect()
        }
    }
}

/// Whether all rewards are equal, so that no reply is better than another and nothing can be learned.
pub fn is_flat(rewards: &[f64]) -> bool {
    let least = rewards.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    rewards.is_empty() || most - least <= SAME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_flat_when_nothing_differs() {
        assert!(is_flat(&[]) && is_flat(&[0.3]) && is_flat(&[0.1 + 0.2, 0.3]));
        assert!(!is_flat(&[0.3, 0.31]));
    }

    #[test]
    fn advantages_sum_to_nothing_and_flat_groups_have_none() {
        for scale in [Scale::Std, Scale::None] {
            let sum: f64 = advantages(&[0.1, 0.9, 0.4, 0.4], scale).iter().sum();
            assert!(sum.abs() < 1e-12);
            assert_eq!(advantages(&[0.5; 4], scale), [0.0; 4]);
            assert_eq!(advantages(&[0.7], scale), [0.0]);
        }
    }
}
