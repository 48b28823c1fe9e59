//! Direct preference optimisation, on the policy's own replies: of each group, the best against the worst.
//!
//! The loss of a pair is `-ln σ(m)` with the margin `m = β ((ln π(c) - ln π_ref(c)) - (ln π(r) - ln π_ref(r)))`, where `c` is
//! the chosen reply and `r` the rejected one (Rafailov et al., arXiv 2305.18290). Its slope by the log-probability of every
//! token of `c` is `-β σ(-m)`, and of `r` the opposite, so that the passes of group relative optimisation give its gradient:
//! with these slopes as advantages, without a clip and without a divergence of its own.

use super::rollout::Group;
use super::update::Trajectories;
use crate::fused::Likelihoods;
use serde::{Deserialize, Serialize};

/// The constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DpoConfig {
    /// β: the larger, the closer the policy stays to the reference.
    pub beta: f64,
}

impl Default for DpoConfig {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

/// The pairs of a step as the metrics have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Pairs {
    /// How many there are.
    pub(super) pairs: usize,
    /// The mean loss, before the step's first update.
    pub(super) loss: f64,
    /// The mean margin.
    pub(super) margin: f64,
    /// The share of pairs whose margin is above 0.
    pub(super) accuracy: f64,
}

/// What every reply of a batch of pairs weighs, and what the batch is like.
pub(super) struct Weighed {
    /// For each sequence, the negative slope of the batch's mean loss by the log-probability of each of its tokens.
    pub(super) advantages: Vec<f64>,
    pub(super) pairs: Pairs,
}

impl Trajectories {
    /// The best and the worst reply of each group that is not flat, one after the other.
    pub(super) fn pairs<C>(groups: &[Group<C>]) -> Self {
        let mut all = Self::of::<C>(&[]);
        for group in groups.iter().filter(|group| !group.is_flat()) {
            let order = |a: &usize, b: &usize| {
                let total = |at: &usize| group.rollouts[*at].grade.total;
                total(a).total_cmp(&total(b))
            };
            let places = 0..group.rollouts.len();
            // Of equals, the first.
            let best = places.clone().rev().max_by(order).unwrap_or(0);
            let worst = places.min_by(order).unwrap_or(0);
            all.add(group, best);
            all.add(group, worst);
        }
        all
    }
}

/// Weighs a batch in which every chosen reply is followed by the rejected one.
pub(super) fn weigh(config: DpoConfig, policy: &Likelihoods, reference: &Likelihoods) -> Weighed {
    let total = |all: &Likelihoods, at: usize| -> f64 {
        all[at].iter().map(|token| f64::from(token.log_probability)).sum()
    };
    let count = policy.len() / 2;
    let mut weighed = Weighed {
        advantages: Vec::with_capacity(policy.len()),
        pairs: Pairs {
            pairs: count,
            ..Pairs::default()
        },
    };
    let share = 1.0 / count.max(1) as f64;
    for pair in 0..count {
        let ratio = |at: usize| total(policy, at) - total(reference, at);
        let (loss, margin, slope) = of_pair(config.beta, ratio(2 * pair), ratio(2 * pair + 1));
        weighed.advantages.extend([-slope * share, slope * share]);
        weighed.pairs.loss += loss * share;
        weighed.pairs.margin += margin * share;
        weighed.pairs.accuracy += if margin > 0.0 { share } else { 0.0 };
    }
    weighed
}

/// Loss, margin, and the slope of the loss by the log-probability of the chosen reply, from the logarithms of the ratios
/// to the reference.
fn of_pair(beta: f64, chosen: f64, rejected: f64) -> (f64, f64, f64) {
    let margin = beta * (chosen - rejected);
    // ln(1 + e^-m), without an overflow on either side.
    let loss = (-margin).max(0.0) + (-margin.abs()).exp().ln_1p();
    (loss, margin, -beta / (1.0 + margin.exp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_loss() {
        for (chosen, rejected) in [
            (0.0, 0.0),
            (1.5, -2.0),
            (-3.0, 4.0),
            (40.0, -900.0),
            (-900.0, 40.0),
        ] {
            let (loss, margin, slope) = of_pair(0.3, chosen, rejected);
            let plain = -(1.0 / (1.0 + (-margin).exp())).ln();
            assert!(
                !plain.is_finite() || (loss - plain).abs() < 1e-9,
                "{loss} {plain}"
            );
            let step = 1e-5;
            let by = |d: f64| of_pair(0.3, chosen + d, rejected).0;
            let measured = (by(step) - by(-step)) / (2.0 * step);
            assert!(
                (measured - slope).abs() < 1e-6,
                "{chosen} {rejected}: {measured} {slope}"
            );
        }
        // ln 2 where nothing is preferred yet.
        assert!((of_pair(0.1, 0.0, 0.0).0 - 2f64.ln()).abs() < 1e-12);
    }
}
