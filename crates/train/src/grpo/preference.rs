//! Direct preference optimisation, on the policy's own replies: of each group, the best against the worst.
//!
//! The loss of a pair is `-ln σ(m)` with the margin `m = β ((ln π(c) - ln π_ref(c)) - (ln π(r) - ln π_ref(r)))`, where `c` is
//! the chosen reply and `r` the rejected one (Rafailov et al., arXiv 2305.18290). Its slope by the log-probability of every
//! token of `c` is `-β σ(-m)`, and of `r` the opposite, so that the passes of group relative optimisation give its gradient:
//! with these slopes as advantages, without a clip and without a divergence of its own.

use super::loss::TokenFacts;
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

/// Pairs as the metrics have them. Means are over the step's updates, each before it moves anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pairs {
    /// How many a step learns from.
    pub pairs: usize,
    /// The mean loss, in nats.
    pub loss: f64,
    /// The mean margin.
    pub margin: f64,
    /// The share of pairs whose margin is above 0.
    pub accuracy: f64,
}

impl Pairs {
    /// Adds `share` of the means of another part.
    pub(super) fn add(&mut self, other: &Self, share: f64) {
        self.pairs += other.pairs;
        self.loss += share * other.loss;
        self.margin += share * other.margin;
        self.accuracy += share * other.accuracy;
    }
}

/// What every reply of some pairs weighs, and what the pairs are like.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// For each sequence, the negative slope of the pairs' mean loss by the log-probability of each of its tokens; 0 for
    /// sequences that are of no pair.
    pub advantages: Vec<f64>,
    /// What the pairs are like.
    pub pairs: Pairs,
}

impl Weighed {
    /// The facts of a reply of so many tokens, by which [`LossConfig`](super::LossConfig) has the slope of this loss,
    /// whatever its constants are: ρ is 1, and there is no reference.
    pub fn facts(&self, sequence: usize, tokens: usize) -> Vec<TokenFacts> {
        let fact = TokenFacts {
            advantage: self.advantages[sequence],
            old: None,
            reference: None,
            weight: 1.0,
        };
        vec![fact; tokens]
    }
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

/// Weighs the pairs of a batch whose sequences `part` names, each chosen reply followed by the rejected one; likelihoods are
/// those of the whole batch.
pub fn weigh(
    config: DpoConfig,
    (policy, reference): (&Likelihoods, &Likelihoods),
    part: &[usize],
) -> Weighed {
    let total = |all: &Likelihoods, at: usize| -> f64 {
        all[at].iter().map(|token| f64::from(token.log_probability)).sum()
    };
    let ratio = |at: usize| total(policy, at) - total(reference, at);
    let mut weighed = Weighed {
        advantages: vec![0.0; policy.len()],
        pairs: Pairs::default(),
    };
    let share = 1.0 / (part.len() / 2).max(1) as f64;
    for pair in part.chunks_exact(2) {
        let (chosen, rejected) = (pair[0], pair[1]);
        let (loss, margin, slope) = of_pair(config.beta, ratio(chosen), ratio(rejected));
        weighed.advantages[chosen] = -slope * share;
        weighed.advantages[rejected] = slope * share;
        let own = Pairs {
            pairs: 1,
            loss,
            margin,
            accuracy: f64::from(u8::from(margin > 0.0)),
        };
        weighed.pairs.add(&own, share);
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
